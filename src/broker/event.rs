//! What whoever moves a connection's octets has to be told.

use super::ConnectionId;

/// Something happened that the drivers of connections have to act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The connection has something to write, takes input again, or its transport is to go: see
    /// [`State::poll_transmit`](super::State::poll_transmit),
    /// [`State::wants_input`](super::State::wants_input) and
    /// [`State::transport`](super::State::transport).
    Ready(ConnectionId),
}

/// What is to become of the transport of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// It stays.
    Open,
    /// What [`State::poll_transmit`](super::State::poll_transmit) still gives is written, then it
    /// is closed.
    Closing,
    /// It is dropped at once, whatever waits.
    Gone,
}
