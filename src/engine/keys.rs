//! The names by which the engine and the world outside know things: waiters, channels, consumers.

use std::num::NonZeroU32;

/// Somebody who waits for a completion. The engine hands it back and never looks inside.
///
/// It names a slot and the slot's generation, so that what comes for a waiter that is gone never
/// reaches its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId {
    /// The slot in the table of waiters.
    pub slot: u32,
    /// Which use of the slot this is.
    pub generation: NonZeroU32,
}

/// An open channel: its number, and which opening of that number it is.
///
/// Numbers are reused, incarnations are not: what belongs to an earlier incarnation is refused,
/// never sent. Each engine counts from 0, or from where [`Engine::count_channels_from`] says.
///
/// [`Engine::count_channels_from`]: crate::engine::Engine::count_channels_from
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelKey {
    /// The channel number on the wire.
    pub number: u16,
    /// Counts the channels that this connection opened.
    pub incarnation: u64,
}

/// A consumer of this connection: its place, and which use of the place this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerKey {
    /// The slot in the table of consumers.
    pub slot: u32,
    /// Which use of the slot this is.
    pub generation: NonZeroU32,
}
