//! Races between addresses on real sockets: a black hole before a broker.

use std::net::Ipv4Addr;
use std::time::Duration;

use leveret::config::Endpoint;
use leveret::{Connection, ErrorKind, Phase};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

use super::opening::{Does, Server, among};

/// An address that answers no attempt to connect: a listener whose queue is full and stays so.
struct BlackHole {
    listener: TcpListener,
    _queued: TcpStream,
}

impl BlackHole {
    async fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        // Linux queues one more than it is asked for, and drops the packets of the rest.
        let listener = socket.listen(0).unwrap();
        let queued = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        Self { listener, _queued: queued }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::new("127.0.0.1").with_port(self.listener.local_addr().unwrap().port())
    }
}

// The delay is the only timer that can be skipped to.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_broker_behind_a_black_hole_is_reached_after_the_delay() {
    let (hole, good) = (BlackHole::new().await, Server::start(Does::Obliges).await);
    let parameters = among([hole.endpoint(), good.endpoint()]);
    let parameters = parameters.connect_timeout(None).stack_timeout(None).handshake_timeout(None);
    let began = Instant::now();
    let connection = Connection::open(parameters).await.unwrap();
    assert!(connection.is_open());
    assert_eq!((began.elapsed(), good.clients()), (Duration::from_millis(250), 1));
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_black_hole_alone_takes_its_time_and_says_which_address_it_was() {
    let holes = [BlackHole::new().await, BlackHole::new().await];
    let parameters = among(holes.each_ref().map(BlackHole::endpoint)).stack_timeout(None);
    let began = Instant::now();
    let error = Connection::open(parameters).await.unwrap_err();
    assert_eq!(began.elapsed(), Duration::from_millis(10_250));
    for (attempt, hole) in error.attempts().iter().zip(&holes) {
        assert_eq!((attempt.phase(), attempt.kind()), (Phase::Connect, ErrorKind::TimedOut), "{error}");
        assert_eq!(attempt.address(), Some(hole.listener.local_addr().unwrap()));
    }
    assert_eq!(error.attempts().len(), 2);
}
