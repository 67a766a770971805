//! How often a connection shows that it is alive.

use std::num::NonZeroU16;

/// The heartbeat interval that a client asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heartbeat {
    /// The interval that the server proposes; RabbitMQ proposes 60 seconds unless it is configured otherwise.
    #[default]
    Server,
    /// Every so many seconds, be that less or more than the server proposes.
    Every(NonZeroU16),
    /// None: a peer that vanishes is noticed by TCP alone, if at all.
    Off,
}

impl Heartbeat {
    /// Every `seconds` seconds; 0 is [`Heartbeat::Off`], as it is on the wire.
    pub fn every(seconds: u16) -> Self {
        NonZeroU16::new(seconds).map_or(Self::Off, Self::Every)
    }

    /// The interval in seconds that holds where the server proposes `proposal`; 0 is none.
    pub fn interval(&self, proposal: u16) -> u16 {
        self.wanted().unwrap_or(proposal)
    }

    /// The interval in seconds that is wanted whatever the server proposes; 0 is none, and none is the server's.
    pub(crate) fn wanted(&self) -> Option<u16> {
        match self {
            Self::Server => None,
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
