//! The heartbeat interval.

use std::fmt;
use std::num::NonZeroU16;
use std::sync::Arc;

/// The heartbeat interval that a client asks for.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Heartbeat {
    /// The interval that the server proposes. RabbitMQ proposes 60 seconds unless it is configured
    /// otherwise.
    #[default]
    Server,
    /// This interval in seconds, whether it is shorter or longer than the server's proposal.
    Every(NonZeroU16),
    /// No heartbeats: only TCP may notice that the peer has vanished.
    Off,
    /// The result of this function of the server's proposal. Both are in seconds; 0 means no
    /// heartbeats.
    Choose(Arc<dyn Fn(u16) -> u16 + Send + Sync>),
}

impl Heartbeat {
    /// Makes an interval of `seconds` seconds. 0 is [`Heartbeat::Off`], as on the wire.
    pub fn every(seconds: u16) -> Self {
        NonZeroU16::new(seconds).map_or(Self::Off, Self::Every)
    }

    /// Makes an interval that `choice` computes from the server's proposal. Both are in seconds; 0
    /// means no heartbeats.
    ///
    /// ```
    /// use leveret::config::Heartbeat;
    ///
    /// let at_most_half_a_minute = Heartbeat::choose(|proposal| if proposal == 0 { 30 } else { proposal.min(30) });
    /// assert_eq!(at_most_half_a_minute.interval(60), 30);
    /// assert_eq!(at_most_half_a_minute.interval(0), 30);
    /// ```
    pub fn choose(choice: impl Fn(u16) -> u16 + Send + Sync + 'static) -> Self {
        Self::Choose(Arc::new(choice))
    }

    /// Returns the interval in seconds that results from the server's proposal; 0 means no
    /// heartbeats.
    pub fn interval(&self, proposal: u16) -> u16 {
        match self {
            Self::Server => proposal,
            Self::Every(seconds) => seconds.get(),
            Self::Off => 0,
            Self::Choose(choice) => choice(proposal),
        }
    }

    /// The interval in seconds if it does not depend on the server's proposal, otherwise `None`; 0
    /// means no heartbeats.
    pub(super) fn wanted(&self) -> Option<u16> {
        match self {
            Self::Server | Self::Choose(_) => None,
            Self::Every(seconds) => Some(seconds.get()),
            Self::Off => Some(0),
        }
    }
}

impl From<u16> for Heartbeat {
    fn from(seconds: u16) -> Self {
        Self::every(seconds)
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("Server"),
            Self::Every(seconds) => write!(f, "Every({seconds})"),
            Self::Off => f.write_str("Off"),
            Self::Choose(_) => f.write_str("Choose(..)"),
        }
    }
}
