//! What a client and the broker make of each other, without anything between them but a test.

use std::time::Duration;

use leveret::broker::{Fault, Target};
use leveret::engine::{Completion, Confirmation, Failure, Reason};
use leveret::protocol::{Method, basic, confirm, queue};

use super::client::{Side, consume};
use super::world::{Piece, Random, World};

const QUEUE: &str = "jobs";

/// A world with one client, a channel that confirms, and a queue.
fn with_queue(piece: Piece) -> (World, usize, leveret::engine::ChannelKey) {
    let mut world = World::new(piece, 0);
    let client = world.open();
    let key = world.channel(client);
    world.call(client, key, queue::Declare::default().queue(QUEUE));
    world.call(client, key, confirm::Select::default());
    (world, client, key)
}

#[test]
fn a_message_is_published_confirmed_consumed_and_acknowledged() {
    for piece in [Piece::Whole, Piece::Random(Random(7))] {
        let (mut world, client, key) = with_queue(piece);
        let publish = world.clients[client].publish(key, QUEUE, "dig");
        let confirmed = world.outcome(client, publish);
        assert!(matches!(confirmed, Completion::Confirmed(Confirmation::Ack)), "{confirmed:?}");
        assert_eq!(world.broker.queue("/", QUEUE).unwrap().ready, 1);

        let waiter = world.clients[client].call(key, consume(QUEUE, 0).1, world.now);
        world.run();
        let consumer = world.clients[client].started(waiter);
        let deliveries = world.clients[client].deliveries(consumer);
        assert_eq!(deliveries.iter().map(|delivery| delivery.message.body()).collect::<Vec<_>>(), [b"dig"]);
        assert_eq!(world.broker.queue("/", QUEUE).unwrap().unacknowledged, 1);
        let settle = leveret::engine::Settle::Ack { multiple: false };
        world.clients[client].engine().settle(key, deliveries[0].delivery_tag, settle).unwrap();
        world.run();
        assert_eq!(world.broker.queue("/", QUEUE).unwrap().unacknowledged, 0);
    }
}

#[test]
fn a_nack_that_was_injected_reaches_its_publish_and_no_other() {
    let (mut world, client, key) = with_queue(Piece::Whole);
    world.broker.nack_next(1);
    let waiters: Vec<_> = ["a", "b"].map(|body| world.clients[client].publish(key, QUEUE, body)).into();
    world.run();
    let heard = waiters.map_heard(&mut world, client);
    assert!(matches!(heard[..], [Completion::Confirmed(Confirmation::Nack), Completion::Confirmed(Confirmation::Ack)]));
    assert_eq!(world.broker.messages("/", QUEUE)[0].body, "b");
}

/// What each of several waiters heard.
trait MapHeard {
    fn map_heard(self, world: &mut World, client: usize) -> Vec<Completion>;
}

impl MapHeard for Vec<leveret::engine::WaiterId> {
    fn map_heard(self, world: &mut World, client: usize) -> Vec<Completion> {
        self.into_iter().map(|waiter| world.clients[client].take_heard(waiter).expect("it has ended")).collect()
    }
}

#[test]
fn heartbeats_keep_a_quiet_connection_for_an_hour() {
    let (mut world, client, key) = with_queue(Piece::Whole);
    world.pass(Duration::from_secs(3600));
    assert!(world.clients[client].engine().closure().is_none());
    assert!(matches!(world.call(client, key, queue::Purge::default().queue(QUEUE)), Method::QueuePurgeOk(_)));
}

#[test]
fn a_broker_that_falls_silent_is_missed_after_two_intervals() {
    let (mut world, client, _key) = with_queue(Piece::Whole);
    let id = world.clients[client].id;
    world.broker.inject(Target::Connection(id), Fault::Silence);
    world.pass(Duration::from_secs(119));
    assert!(world.clients[client].engine().closure().is_none());
    world.pass(Duration::from_secs(2));
    let closure = world.clients[client].engine().closure().cloned();
    assert!(closure.is_some_and(|closure| closure.reason == Reason::HeartbeatsMissed));
}

#[test]
fn a_blocked_publisher_goes_on_when_the_alarm_is_over_and_heartbeats_do_not_miss_it() {
    let (mut world, client, key) = with_queue(Piece::Whole);
    world.broker.block("low on memory");
    let publish = world.clients[client].publish(key, QUEUE, "held back");
    world.run();
    assert_eq!(world.clients[client].engine().blocked(), Some("low on memory"));
    world.pass(Duration::from_secs(600));
    assert_eq!(world.broker.queue("/", QUEUE).unwrap().ready, 0);
    world.broker.unblock();
    let outcome = world.outcome(client, publish);
    assert!(matches!(outcome, Completion::Confirmed(Confirmation::Ack)), "{outcome:?}");
    assert_eq!(world.clients[client].engine().blocked(), None);
}

#[test]
fn what_the_broker_says_late_comes_late() {
    let (mut world, client, key) = with_queue(Piece::Whole);
    let id = world.clients[client].id;
    world.broker.inject(Target::Connection(id), Fault::Delay(Duration::from_secs(5)));
    let publish = world.clients[client].publish(key, QUEUE, "slow");
    world.pass(Duration::from_millis(4999));
    assert!(world.clients[client].take_heard(publish).is_none());
    world.pass(Duration::from_millis(1));
    assert!(world.clients[client].take_heard(publish).is_some());
}

#[test]
fn a_connection_cut_at_any_octet_leaves_the_broker_with_all_or_nothing_of_a_message() {
    for octets in 1..60 {
        let (mut world, client, key) = with_queue(Piece::Whole);
        let id = world.clients[client].id;
        world.broker.inject(Target::Connection(id), Fault::CutInput(octets));
        let publish = world.clients[client].publish(key, QUEUE, "whole");
        let outcome = world.outcome(client, publish);
        let arrived = world.broker.messages("/", QUEUE).len();
        match outcome {
            Completion::Confirmed(_) => assert_eq!(arrived, 1, "cut after {octets}"),
            Completion::Failed(Failure::Closed { .. }) => assert!(arrived <= 1, "cut after {octets}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_refused_login_fails_the_handshake_with_the_brokers_words() {
    let mut world = World::new(Piece::Whole, 0);
    world.broker.refuse_logins(1);
    let refused = world.open();
    let Side::Failed(error) = &world.clients[refused].side else { panic!("it was let in") };
    assert!(error.contains("Login was refused"), "{error}");
    let welcome = world.open();
    assert!(matches!(world.clients[welcome].side, Side::Open(_)));
}

#[test]
fn messages_of_a_lost_consumer_go_to_the_next_one_in_their_order() {
    let (mut world, publisher, key) = with_queue(Piece::Whole);
    let first = world.open();
    let (qos, request) = consume(QUEUE, 2);
    let channel = world.channel(first);
    world.call(first, channel, qos);
    world.call(first, channel, request);
    for body in ["a", "b", "c"] {
        world.clients[publisher].publish(key, QUEUE, body);
    }
    world.run();
    world.cut(first);

    let second = world.open();
    let channel = world.channel(second);
    let waiter = world.clients[second].call(channel, basic::Consume::default().queue(QUEUE), world.now);
    world.run();
    let consumer = world.clients[second].started(waiter);
    let deliveries = world.clients[second].deliveries(consumer);
    let seen: Vec<_> = deliveries.iter().map(|delivery| (delivery.message.body(), delivery.redelivered)).collect();
    assert_eq!(seen, [(&b"a"[..], true), (b"b", true), (b"c", false)]);
}

#[test]
fn a_message_goes_down_a_chain_of_full_queues_of_any_length() {
    const LENGTH: usize = 2000;
    let (mut world, client, key) = with_queue(Piece::Whole);
    let name = |index: usize| format!("full.{index}");
    for index in 0..LENGTH {
        let mut arguments = leveret::FieldTable::from([("x-max-length", 0)]);
        arguments.insert("x-overflow", "reject-publish-dlx");
        arguments.insert("x-dead-letter-exchange", "");
        let next = if index + 1 < LENGTH { name(index + 1) } else { QUEUE.to_owned() };
        arguments.insert("x-dead-letter-routing-key", next);
        world.clients[client].call(key, queue::Declare::default().queue(name(index)).arguments(arguments), world.now);
    }
    world.run();
    let first = name(0);
    let publish = world.clients[client].publish(key, &first, "down");
    let outcome = world.outcome(client, publish);
    assert!(matches!(outcome, Completion::Confirmed(Confirmation::Nack)), "{outcome:?}");
}
