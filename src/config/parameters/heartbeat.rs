//! How often a connection shows that it is alive.

use std::fmt;
use std::num::NonZeroU16;
use std::sync::Arc;

/// The heartbeat interval that a client asks for.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Heartbeat {
    /// The interval that the server proposes; RabbitMQ proposes 60 seconds unless it is configured
    /// otherwise.
    #[default]
    Server,
    /// Every so many seconds, be that less or more than the server proposes.
    Every(NonZeroU16),
    /// None: a peer that vanishes is noticed by TCP alone, if at all.
    Off,
    /// What this makes of the server's proposal, both in seconds with 0 for none.
    Choose(Arc<dyn Fn(u16) -> u16 + Send + Sync>),
}

impl Heartbeat {
    /// Every `seconds` seconds; 0 is [`Heartbeat::Off`], as it is on the wire.
    pub fn every(seconds: u16) -> Self {
        NonZeroU16::new(seconds).map_or(Self::Off, Self::Every)
    }

    /// What `choice` makes of the server's proposal, both in seconds with 0 for none.
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

    /// The interval in seconds that holds where the server proposes `proposal`; 0 is none.
    pub fn interval(&self, proposal: u16) -> u16 {
        match self {
            Self::Server => proposal,
            Self::Every(seconds) => seconds.get(),
            Self::Off => 0,
            Self::Choose(choice) => choice(proposal),
        }
    }

    /// The interval in seconds that is wanted whatever the server proposes; 0 is none, and none
    /// depends on the server's.
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
