//! Reactors that are closed or dropped while there is something to do.

use leveret::asynchronous::{Channel, Connection};
use leveret::{ConnectionParameters, Error};

use super::epoll::{Loop, Mode};
use super::host::Host;
use super::memory::{Report, World};

const MESSAGES: usize = 200;

/// A connection, and messages that are queued and were not written.
async fn queued(opening: impl Future<Output = leveret::Result<Connection>>) -> (Connection, Channel) {
    let connection = opening.await.unwrap();
    let channel = connection.open_channel().await.unwrap();
    channel.queue_declare("burrow").await.unwrap();
    for _ in 0..MESSAGES {
        channel.publish("", "burrow", vec![0; 1000]).await.unwrap();
    }
    (connection, channel)
}

/// What it is told is true from here on.
fn is_over(event_loop: &mut Loop, connection: &Connection, channel: &Channel) -> Error {
    assert!(!connection.is_open() && !channel.is_open());
    assert!(event_loop.run(channel.queue_declare("other").into_future()).is_err());
    event_loop.run(connection.closed())
}

#[test]
fn what_is_queued_goes_out_when_a_reactor_is_closed() {
    let host = Host::new();
    let mut event_loop = Loop::new(Mode::Level);
    let opening = event_loop.reactor.open(host.url.as_str());
    let (connection, channel) = event_loop.run(queued(opening));
    event_loop.reactor.close();
    assert_eq!(host.broker.state().queue("/", "burrow").unwrap().ready, MESSAGES);
    is_over(&mut event_loop, &connection, &channel);
    event_loop.settle();
    assert_eq!((event_loop.sources(), event_loop.reactor.connections()), (0, 0));

    // It goes on with others.
    let opening = event_loop.reactor.open(host.url.as_str());
    let connection = event_loop.run(opening).unwrap();
    event_loop.run(connection.close()).unwrap();
}

#[test]
fn what_is_queued_goes_out_when_a_reactor_is_dropped_and_handles_hear_of_it() {
    let host = Host::new();
    let mut event_loop = Loop::new(Mode::Level);
    let opening = event_loop.reactor.open(host.url.as_str());
    let (connection, channel) = event_loop.run(queued(opening));
    drop(event_loop);
    assert_eq!(host.broker.state().queue("/", "burrow").unwrap().ready, MESSAGES);
    is_over(&mut Loop::new(Mode::Level), &connection, &channel);
}

#[test]
fn an_open_that_a_reactor_is_dropped_in_is_given_up() {
    let host = Host::new();
    let mut event_loop = Loop::new(Mode::Level);
    let opening = event_loop.reactor.open(host.url.as_str());
    event_loop.round(false);
    drop(event_loop);
    let error = Loop::new(Mode::Level).run(opening).unwrap_err();
    assert!(format!("{error:?}").contains("it was closed"), "{error:?}");
}

#[test]
fn a_pipe_is_offered_what_is_queued_when_a_reactor_is_closed() {
    let mut world = World::new(1024 * 1024, Report::Level, ConnectionParameters::default());
    let opening = world.open();
    let (connection, _channel) = world.run(queued(opening));
    world.reactor.close();
    assert!(!connection.is_open());
    while world.round() {}
    assert_eq!(world.broker.state.queue("/", "burrow").unwrap().ready, MESSAGES);
}
