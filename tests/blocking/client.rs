//! Clients of scripted peers, which are at the other end of a socket, on threads of their own.

use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use leveret::ConnectionParameters;
use leveret::blocking::{Channel, Connection};
use leveret_test_support::Peer;
use leveret_test_support::transport::{Blocking, run_blocking};

use super::within::PATIENCE;

/// A peer at the other end of a socket.
pub(crate) type SocketPeer = Peer<Blocking<TcpStream>>;

/// Parameters without heartbeats, and without a prefetch that nobody asked for, which scripts would
/// have to answer; those of a test come on top.
pub(crate) fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().heartbeat(0).default_prefetch(0)
}

/// A peer on a thread.
pub(crate) struct Script<T>(JoinHandle<T>);

impl<T> Script<T> {
    /// What it came to. Panics where it panicked.
    pub(crate) fn end(self) -> T {
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// A peer that waits for its only client. Gives how that reaches it.
pub(crate) fn peer<T: Send + 'static>(
    script: impl AsyncFnOnce(SocketPeer) -> T + Send + 'static,
) -> (ConnectionParameters, Script<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        stream.set_nodelay(true).unwrap();
        run_blocking(script(Peer::on(Blocking(stream)).patience(PATIENCE)))
    });
    (parameters().host("127.0.0.1").port(port), Script(thread))
}

/// The same, of which the handshake is done. `with` changes the client's parameters.
pub(crate) fn connect<T: Send + 'static>(
    with: impl FnOnce(ConnectionParameters) -> ConnectionParameters,
    script: impl AsyncFnOnce(SocketPeer) -> T + Send + 'static,
) -> (Connection, Script<T>) {
    let (parameters, script) = peer(async move |mut peer: SocketPeer| {
        peer.shake_hands().await;
        script(peer).await
    });
    (Connection::open(with(parameters)).unwrap(), script)
}

/// The same with channel 1 open.
pub(crate) fn connect_channel<T: Send + 'static>(
    with: impl FnOnce(ConnectionParameters) -> ConnectionParameters,
    script: impl AsyncFnOnce(SocketPeer) -> T + Send + 'static,
) -> (Connection, Channel, Script<T>) {
    let (connection, script) = connect(with, async move |mut peer: SocketPeer| {
        peer.open_channel(1).await;
        script(peer).await
    });
    let channel = connection.open_channel().unwrap();
    (connection, channel, script)
}
