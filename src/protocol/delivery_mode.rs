//! The property `delivery-mode`.

use std::fmt;

/// Whether the broker stores a message on disk (the property `delivery-mode`).
///
/// Any number converts, because the wire allows any. RabbitMQ refuses all but the two constants.
///
/// ```
/// use leveret::{DeliveryMode, Properties};
///
/// let properties = Properties::default().delivery_mode(DeliveryMode::PERSISTENT);
/// assert_eq!(properties, Properties::default().persistent(true));
/// assert_eq!(properties, Properties::default().delivery_mode(2));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct DeliveryMode(u8);

impl DeliveryMode {
    /// 1: the message is lost when the broker restarts. This is the mode of a message without the
    /// property.
    pub const TRANSIENT: Self = Self(1);
    /// 2: in a durable queue, the message survives a restart of the broker. Quorum queues and
    /// streams keep every message, whatever its mode.
    pub const PERSISTENT: Self = Self(2);

    /// Returns the number on the wire.
    #[inline]
    pub const fn code(self) -> u8 {
        self.0
    }
}

impl From<u8> for DeliveryMode {
    #[inline]
    fn from(code: u8) -> Self {
        Self(code)
    }
}

impl From<DeliveryMode> for u8 {
    #[inline]
    fn from(mode: DeliveryMode) -> Self {
        mode.0
    }
}

impl fmt::Display for DeliveryMode {
    /// Prints `transient`, `persistent`, or the number of another mode.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TRANSIENT => f.pad("transient"),
            Self::PERSISTENT => f.pad("persistent"),
            Self(other) => fmt::Display::fmt(&other, f),
        }
    }
}

impl fmt::Debug for DeliveryMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
