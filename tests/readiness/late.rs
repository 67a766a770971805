//! A loop that was blocked, longer than a broker is waited for: what lies in the socket is read
//! before the broker is given up, reported or not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use leveret::ConnectionParameters;
use leveret::asynchronous::Connection;
use rustix::event::{PollFd, PollFlags, poll};

use super::epoll::{Loop, Mode};
use super::host::Host;
use super::memory::{Report, World};
use super::session::port;

/// Longer than anything that is waited for.
const BLOCKED: Duration = Duration::from_secs(100);

const HEARTBEAT: [u8; 8] = [8, 0, 0, 0, 0, 0, 0, 0xCE];

fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().heartbeat(10)
}

#[test]
fn heartbeats_that_nobody_has_reported_are_not_missed() {
    let mut world = World::new(64 * 1024, Report::Level, parameters());
    let opening = world.open();
    let connection = world.run(opening).unwrap();
    // From here on the broker is this test.
    let mut peer = world.broker.stream.take().unwrap();
    let turns = |world: &World| {
        for _ in 0..20 {
            world.reactor.turn();
            world.pass(Duration::from_millis(1));
        }
    };
    for _ in 0..5 {
        world.pass(Duration::from_secs(4));
        turns(&world);
        peer.write_all(&HEARTBEAT).unwrap();
        world.pass(BLOCKED);
        turns(&world);
        assert!(connection.is_open(), "{:?}", connection.closed_by());
        let _sent = peer.read(&mut [0; 4096]).unwrap();
    }
    // Silence is still silence.
    for _ in 0..21 {
        world.pass(Duration::from_secs(1));
        turns(&world);
    }
    assert!(connection.closed_by().unwrap().is_heartbeat_missed());
}

/// A connection over a socket, which is kept too.
fn open(event_loop: &mut Loop, host: &Host) -> (Connection, TcpStream) {
    let socket = TcpStream::connect(("127.0.0.1", port(&host.url))).unwrap();
    let kept = socket.try_clone().unwrap();
    let opening = event_loop.reactor.open_on_socket(socket, parameters());
    (event_loop.run(opening).unwrap(), kept)
}

/// The loop was blocked, and takes turns before it looks at any socket.
fn block(event_loop: &mut Loop) {
    event_loop.pass(BLOCKED);
    for _ in 0..20 {
        event_loop.turn();
        event_loop.pass(Duration::from_millis(1));
    }
}

#[test]
fn a_delivery_that_lies_in_the_socket_of_a_blocked_loop_keeps_its_connection() {
    for mode in [Mode::Level, Mode::Edge, Mode::OneShot] {
        let host = Host::new();
        let mut event_loop = Loop::timeless(mode);
        let (connection, socket) = open(&mut event_loop, &host);
        let mut consumer = event_loop.run(async {
            let channel = connection.open_channel().await.unwrap();
            channel.queue_declare("burrow").await.unwrap();
            channel.consume("burrow").await.unwrap()
        });
        event_loop.settle();
        let other = host.connect().open_channel().unwrap();
        other.confirm_select().unwrap().publish("", "burrow", "Hello").confirmed().unwrap();
        poll(&mut [PollFd::new(&socket, PollFlags::IN)], None).unwrap();
        block(&mut event_loop);
        assert!(connection.is_open(), "{mode:?}: {:?}", connection.closed_by());
        let delivery = event_loop.run(consumer.try_next()).unwrap().unwrap();
        assert_eq!(delivery.body(), b"Hello");
    }
}

#[test]
fn a_broker_that_was_silent_while_the_loop_was_blocked_is_given_up() {
    let host = Host::new();
    let mut event_loop = Loop::timeless(Mode::Level);
    let (connection, _socket) = open(&mut event_loop, &host);
    event_loop.settle();
    block(&mut event_loop);
    assert!(connection.closed_by().unwrap().is_heartbeat_missed());
}
