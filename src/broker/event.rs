//! What the driver of a connection has to know.

use super::ConnectionId;

/// An event on which the driver of a connection has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The connection has something to write, takes input again, or its transport is to be closed:
    /// see [`State::poll_transmit`](super::State::poll_transmit),
    /// [`State::wants_input`](super::State::wants_input) and
    /// [`State::transport`](super::State::transport).
    Ready(ConnectionId),
}

/// What is to be done with the transport of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// It stays open.
    Open,
    /// What [`State::poll_transmit`](super::State::poll_transmit) still returns is written, and
    /// then it is closed.
    Closing,
    /// It is dropped at once, even if output waits.
    Gone,
}
