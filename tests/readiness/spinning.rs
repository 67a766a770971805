//! A loop that has nothing to do rests: nothing is ready, and no turn is due before its time.

use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use leveret::asynchronous::{Connection, Consumer};
use leveret::{ConnectionEvent, ConnectionParameters};
use rustix::event::{PollFd, PollFlags, poll};

use super::epoll::{Loop, Mode};
use super::host::Host;
use super::memory::{Report, World};
use super::session::port;

/// Rounds that something small takes until there is rest.
const FEW: usize = 6;

#[test]
fn an_idle_connection_takes_no_turn_before_its_deadline_and_few_then() {
    for mode in [Mode::Level, Mode::Edge, Mode::OneShot] {
        let host = Host::new();
        let mut event_loop = Loop::timeless(mode);
        let opening = event_loop.reactor.open(host.url.parse::<ConnectionParameters>().unwrap().heartbeat(60));
        let connection = event_loop.run(opening).unwrap();
        for _ in 0..5 {
            event_loop.settle();
            let deadline = event_loop.reactor.deadline().unwrap();
            let rest = deadline - event_loop.now();
            assert!(rest > Duration::from_millis(900), "{mode:?}: it rests for {rest:?}");
            event_loop.pass(rest - Duration::from_nanos(1));
            assert!(!event_loop.is_due(), "{mode:?}");
            event_loop.pass(Duration::from_nanos(1));
            assert!(event_loop.is_due());
            let before = event_loop.turns;
            // A timer is followed by one more look, a tick later.
            event_loop.settle();
            event_loop.pass(Duration::from_millis(1));
            event_loop.settle();
            let turns = event_loop.turns - before;
            assert!((1..=FEW).contains(&turns), "{mode:?}: {turns} turns");
        }
        assert!(connection.is_open());
    }
}

#[test]
fn an_hour_of_heartbeats_takes_few_turns() {
    let mut world = World::new(64 * 1024, Report::Level, ConnectionParameters::default().heartbeat(60));
    let opening = world.open();
    let connection = world.run(opening).unwrap();
    let (begun, before) = (world.now(), world.turns);
    world.run_until(begun + Duration::from_hours(1));
    assert!(connection.is_open());
    let turns = world.turns - before;
    // A heartbeat every 30 s in each direction.
    assert!((120..=240 * FEW).contains(&turns), "{turns} turns");
}

const MESSAGES: usize = 2000;

/// A connection that reads no more, because a consumer takes nothing, though there is something to
/// read; and its socket.
fn paused(event_loop: &mut Loop, host: &Host) -> (Connection, Consumer, TcpStream) {
    let other = host.connect();
    let channel = other.open_channel().unwrap();
    channel.queue_declare("burrow").call().unwrap();
    let publisher = channel.confirm_select().unwrap();
    for _ in 0..MESSAGES {
        drop(publisher.publish("", "burrow", vec![0; 1000]).send().unwrap());
    }
    publisher.wait_for_confirms().unwrap();

    let socket = TcpStream::connect(("127.0.0.1", port(&host.url))).unwrap();
    let kept = socket.try_clone().unwrap();
    let parameters = ConnectionParameters::default().read_limit(100_000);
    let opening = event_loop.reactor.open_on_socket(socket, parameters);
    let (connection, consumer) = event_loop.run(async {
        let connection = opening.await.unwrap();
        let mut events = connection.events();
        let channel = connection.open_channel().await.unwrap();
        let consumer = channel.consume("burrow").prefetch(0).await.unwrap();
        assert!(matches!(events.next().await, Some(ConnectionEvent::ReadingPaused { .. })));
        (connection, consumer)
    });
    event_loop.settle();
    let unread = poll(&mut [PollFd::new(&kept, PollFlags::IN)], None).unwrap();
    assert_eq!(unread, 1);
    (connection, consumer, kept)
}

#[test]
fn a_connection_that_does_not_read_takes_no_turn_whatever_lies_in_its_socket() {
    for mode in [Mode::Level, Mode::OneShot] {
        let host = Host::new();
        let mut event_loop = Loop::timeless(mode);
        let (connection, mut consumer, _) = paused(&mut event_loop, &host);
        assert!(!event_loop.is_due(), "{mode:?}");
        event_loop.turn();
        assert!(!event_loop.is_due(), "{mode:?}");
        event_loop.run(async {
            for _ in 0..MESSAGES {
                consumer.try_next().await.unwrap().unwrap().ack().await.unwrap();
            }
            connection.close().await.unwrap();
        });
    }
}

#[test]
fn a_connection_that_does_not_read_takes_no_turn_when_its_socket_is_shut_down() {
    for mode in [Mode::Level, Mode::OneShot] {
        let host = Host::new();
        let mut event_loop = Loop::timeless(mode);
        let (connection, mut consumer, socket) = paused(&mut event_loop, &host);
        socket.shutdown(Shutdown::Both).unwrap();
        // Whoever has it registered for anything hears of that, again and again.
        let mut polled = [PollFd::new(&socket, PollFlags::empty())];
        poll(&mut polled, None).unwrap();
        assert!(polled[0].revents().contains(PollFlags::HUP));
        assert!(!event_loop.is_due(), "{mode:?}");
        let error = event_loop.run(async {
            while consumer.try_next().await?.is_some() {}
            Ok::<(), leveret::Error>(())
        });
        assert!(error.is_err());
        assert!(!connection.is_open());
    }
}
