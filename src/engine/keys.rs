//! The keys by which the engine and its driver identify waiters, channels and consumers.

use std::num::NonZeroU32;

/// Identifies a waiter: a task, thread or callback that waits for a completion. The driver makes
/// it, and the engine only hands it back.
///
/// It consists of a slot and a generation, which counts the uses of the slot. So a completion for a
/// waiter that was dropped never reaches the next waiter in the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId {
    /// The slot in the table of waiters.
    pub slot: u32,
    /// Which use of the slot this is.
    pub generation: NonZeroU32,
}

/// Identifies a channel: its number, and its incarnation, which counts the channels that were
/// opened.
///
/// Numbers are reused, incarnations are not: a request with the key of an earlier incarnation is
/// refused and never sent. Each engine counts from 0, or from the number given to
/// [`Engine::count_channels_from`].
///
/// [`Engine::count_channels_from`]: crate::engine::Engine::count_channels_from
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelKey {
    /// The channel number on the wire.
    pub number: u16,
    /// The incarnation: the number of channels that were opened before this one.
    pub incarnation: u64,
}

/// Identifies a consumer of this connection: its slot, and which use of the slot it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerKey {
    /// The slot in the table of consumers.
    pub slot: u32,
    /// Which use of the slot this is.
    pub generation: NonZeroU32,
}
