//! The client under test, connected to a scripted broker.

use leveret::{Channel, Connection, ConnectionParameters};
use leveret_test_support::{Heard, Peer, endings, oblige};

/// Parameters without heartbeats, and without a prefetch that nobody asked for, which scripts would
/// have to answer; those of a test come on top.
pub(crate) fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().heartbeat(0).default_prefetch(0)
}

/// Clients for a peer.
pub(crate) trait Connect: Sized {
    /// A client that is connected to a peer, over a transport of this capacity.
    async fn connect(capacity: usize, parameters: ConnectionParameters) -> (Connection, Self);

    /// The same with a channel open, which is number 1.
    async fn connect_channel(capacity: usize, parameters: ConnectionParameters) -> (Connection, Channel, Self);
}

impl Connect for Peer {
    async fn connect(capacity: usize, parameters: ConnectionParameters) -> (Connection, Self) {
        let (transport, mut peer) = Self::new(capacity);
        let (opened, ()) = tokio::join!(Connection::open_on(transport, parameters), peer.shake_hands());
        let connection = opened.expect("the handshake succeeds");
        endings::watch(connection.leftovers());
        (connection, peer)
    }

    async fn connect_channel(capacity: usize, parameters: ConnectionParameters) -> (Connection, Channel, Self) {
        let (connection, mut peer) = Self::connect(capacity, parameters).await;
        let (channel, ()) = tokio::join!(connection.open_channel(), peer.open_channel(1));
        (connection, channel.expect("the channel opens"), peer)
    }
}

/// A client that is connected to a broker which obliges until its stream ends.
pub(crate) async fn connect_obliged(capacity: usize, parameters: ConnectionParameters) -> (Connection, Heard) {
    let (connection, peer) = Peer::connect(capacity, parameters).await;
    (connection, oblige(peer))
}
