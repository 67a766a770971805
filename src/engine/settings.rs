//! What the application may set: taken from the connection parameters.

use std::time::Duration;

use super::HandshakeParameters;
use crate::config::ConnectionParameters;
use crate::wire::ShortString;

/// The numbers that an application may set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// How long a call waits for its reply; none waits for ever.
    pub call_timeout: Option<Duration>,
    /// How long a close waits for its close-ok.
    pub close_timeout: Duration,
    /// Octets waiting for the socket at which publishing pauses.
    pub high_water: usize,
    /// Octets waiting for the socket at which it goes on.
    pub low_water: usize,
    /// Bytes of calls, acknowledgements and answers waiting for the socket at which no more are
    /// taken.
    pub write_limit: usize,
    /// Publishes waiting for their confirms at which publishing pauses; none for no limit.
    pub max_unconfirmed: Option<u32>,
    /// Octets of the largest body that is taken in.
    pub max_message_size: u64,
    /// Bytes of the largest content header that is taken in, where it is larger than a frame as
    /// negotiated.
    pub max_header_size: usize,
    /// Bytes of messages waiting for consumers at which reading pauses.
    pub read_limit: usize,
    /// How long more may wait before the consumer for which most waits is cancelled.
    pub overflow_timeout: Duration,
    /// Unsettled deliveries that the broker sends at most to a consumer for which nothing else was
    /// set; 0 for no limit.
    pub default_prefetch: u16,
    /// How long the broker may block the connection; none for as long as it likes.
    pub blocked_timeout: Option<Duration>,
    /// How many average frames may wait before the classic detector speaks; none turns it off.
    pub backpressure_multiplier: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            call_timeout: None,
            close_timeout: Duration::from_secs(10),
            high_water: 1024 * 1024,
            low_water: 512 * 1024,
            write_limit: 16 * 1024 * 1024,
            max_unconfirmed: None,
            max_message_size: 512 * 1024 * 1024,
            max_header_size: 16 * 1024 * 1024,
            read_limit: 128 * 1024 * 1024,
            overflow_timeout: Duration::from_secs(15),
            default_prefetch: 250,
            blocked_timeout: None,
            backpressure_multiplier: None,
        }
    }
}

impl Settings {
    /// The longest time that anything waits: a century, so that adding it to a point in time cannot
    /// overflow.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

    /// The same with no wait longer than that.
    pub(super) fn bounded(self) -> Self {
        let bounded = |limit: Duration| limit.min(Self::LONGEST);
        Self {
            call_timeout: self.call_timeout.map(bounded),
            close_timeout: bounded(self.close_timeout),
            overflow_timeout: bounded(self.overflow_timeout),
            blocked_timeout: self.blocked_timeout.map(bounded),
            ..self
        }
    }
}

impl From<&ConnectionParameters> for Settings {
    fn from(parameters: &ConnectionParameters) -> Self {
        Self {
            call_timeout: parameters.call_timeout,
            close_timeout: parameters.close_timeout,
            high_water: parameters.write_high_water,
            low_water: parameters.low_water(),
            write_limit: parameters.write_limit,
            max_unconfirmed: parameters.max_unconfirmed,
            max_message_size: parameters.max_message_size,
            max_header_size: parameters.max_header_size,
            read_limit: parameters.read_limit,
            overflow_timeout: parameters.overflow_timeout,
            default_prefetch: parameters.default_prefetch,
            blocked_timeout: parameters.blocked_connection_timeout,
            backpressure_multiplier: parameters.backpressure_detection.then_some(parameters.backpressure_multiplier),
        }
    }
}

impl From<&ConnectionParameters> for HandshakeParameters {
    fn from(parameters: &ConnectionParameters) -> Self {
        Self {
            credentials: parameters.credentials.clone(),
            virtual_host: ShortString::from(parameters.virtual_host.as_str()),
            locale: ShortString::from(parameters.locale.as_str()),
            client_properties: parameters.announced_properties(),
            channel_max: parameters.channel_max,
            frame_max: parameters.frame_max,
            heartbeat: parameters.heartbeat.clone(),
        }
    }
}
