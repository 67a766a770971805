//! The settings of an engine, taken from the connection parameters.

use std::time::Duration;

use super::{HandshakeParameters, Survives};
use crate::config::{ConnectionParameters, RecoverySettings};
use crate::wire::ShortString;

/// The settings of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// How long a call waits for its reply; `None` for no limit.
    pub call_timeout: Option<Duration>,
    /// How long a close waits for its close-ok.
    pub close_timeout: Duration,
    /// The number of bytes waiting for the socket at which publishing pauses.
    pub high_water: usize,
    /// The number of bytes waiting for the socket at which publishing resumes.
    pub low_water: usize,
    /// The number of bytes of calls, acknowledgements and answers waiting for the socket at which
    /// further requests are refused.
    pub write_limit: usize,
    /// The number of unconfirmed publishes at which publishing pauses; `None` for no limit.
    pub max_unconfirmed: Option<u32>,
    /// The size in bytes of the largest body that is accepted.
    pub max_message_size: u64,
    /// The size in bytes of the largest content header that is accepted. A header that fits a
    /// negotiated frame is always accepted.
    pub max_header_size: usize,
    /// The number of bytes of messages waiting for consumers above which reading pauses.
    pub read_limit: usize,
    /// How long more may wait before the consumer with the most waiting bytes is cancelled.
    pub overflow_timeout: Duration,
    /// How many unsettled deliveries the broker sends at most to a consumer for which no other
    /// prefetch was set; 0 for no limit.
    pub default_prefetch: u16,
    /// How long the broker may block the connection; `None` for no limit.
    pub blocked_timeout: Option<Duration>,
    /// How many average frames may wait before backpressure is reported, as in Pika 0.x; `None`
    /// turns the detector off.
    pub backpressure_multiplier: Option<u32>,
    /// How the connection survives the loss of its transport; `None` if it ends with it.
    pub survives: Option<Survives>,
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
            survives: None,
        }
    }
}

impl Settings {
    /// The longest time that anything waits: a century. Adding it to a point in time cannot
    /// overflow.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

    /// The same with no wait longer than [`Settings::LONGEST`].
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
            survives: survives(&parameters.recovery_settings()),
        }
    }
}

fn survives(terms: &RecoverySettings) -> Option<Survives> {
    let RecoverySettings { while_down, down_timeout, channel_recovery: channels, resend, resend_limit, .. } = *terms;
    let topology = terms.topology();
    terms.is_on().then_some(Survives { topology, while_down, down_timeout, channels, resend, resend_limit })
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
