//! Queues that go down and come up again. Where a line says "as seen", RabbitMQ 3.10 was asked, of
//! a queue whose process was stopped.

use std::time::{Duration, Instant};

use leveret::broker::State;
use leveret::protocol::{Method, ProtocolMethod, ReplyCode, basic, channel, confirm, queue, tx};
use leveret::{FieldTable, Properties};
use leveret_test_support::Received;

use super::peer::Peer;
use super::{broker, client, names};

const DOWN: &str = "NOT_FOUND - queue 'kept' in vhost '/' process is stopped by supervisor";

/// A broker with a durable queue that is called `kept`, and a client of it.
fn with_queue(arguments: FieldTable) -> (State, Instant, Peer) {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &declare().arguments(arguments));
    assert_eq!(names(&peer.hear(&mut broker, now)), ["queue.declare-ok"]);
    (broker, now, peer)
}

fn declare() -> queue::Declare {
    queue::Declare::default().queue("kept").durable(true)
}

fn publish(broker: &mut State, now: Instant, peer: &mut Peer, body: &str) {
    peer.publish(broker, now, "kept", &Properties::default().persistent(true), body.as_bytes());
}

/// What waits in the queue, with a star where it counts as redelivered.
fn waiting(broker: &State) -> Vec<String> {
    let messages = broker.messages("/", "kept");
    let shown = |message: &leveret::broker::MessageInfo| {
        format!("{}{}", String::from_utf8_lossy(&message.body), if message.redelivered { "*" } else { "" })
    };
    messages.iter().map(shown).collect()
}

#[test]
fn its_consumers_are_cancelled_and_their_channels_and_late_acknowledgements_are_not_harmed() {
    let (mut broker, now, mut peer) = with_queue(FieldTable::new());
    publish(&mut broker, now, &mut peer, "a");
    publish(&mut broker, now, &mut peer, "b");
    peer.say(&mut broker, now, 1, &basic::Qos::default().prefetch_count(1));
    peer.say(&mut broker, now, 1, &basic::Consume::default().queue("kept").consumer_tag("c"));
    peer.hear(&mut broker, now);
    assert!(broker.set_queue_down("/", "kept", true));
    let heard = peer.hear(&mut broker, now);
    let [Received::Method(1, Method::BasicCancel(cancel))] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(*cancel, basic::Cancel::default().consumer_tag("c").no_wait(true), "as seen");
    assert_eq!(waiting(&broker), ["a*", "b"]);
    assert_eq!(broker.queue("/", "kept").map(|queue| (queue.down, queue.unacknowledged)), Some((true, 0)));

    peer.say(&mut broker, now, 1, &basic::Ack::default().delivery_tag(1_u64));
    peer.say(&mut broker, now, 1, &basic::Qos::default());
    assert_eq!(names(&peer.hear(&mut broker, now)), ["basic.qos-ok"], "as seen");
    assert!(broker.set_queue_down("/", "kept", false));
    assert_eq!(waiting(&broker), ["a*", "b"], "the late acknowledgement had no effect");
    peer.say(&mut broker, now, 1, &basic::Consume::default().queue("kept").consumer_tag("c"));
    assert_eq!(names(&peer.hear(&mut broker, now)), ["basic.consume-ok", "basic.deliver", "basic.deliver"]);
}

#[test]
fn a_delivery_from_before_does_not_come_back_a_second_time() {
    let (mut broker, now, mut peer) = with_queue(FieldTable::new());
    publish(&mut broker, now, &mut peer, "a");
    peer.say(&mut broker, now, 1, &basic::Get::default().queue("kept"));
    broker.set_queue_down("/", "kept", true);
    broker.set_queue_down("/", "kept", false);
    let mut other = client(&mut broker, now);
    other.say(&mut broker, now, 1, &basic::Get::default().queue("kept").no_ack(true));
    assert_eq!(names(&other.hear(&mut broker, now)), ["basic.get-ok"]);
    broker.handle_transport_lost(peer.id, now);
    assert!(waiting(&broker).is_empty());
}

#[test]
fn what_needs_it_is_refused_with_404_and_a_wrong_declaration_with_406() {
    let (mut broker, now, mut peer) = with_queue(FieldTable::new());
    publish(&mut broker, now, &mut peer, "a");
    assert!(broker.set_queue_down("/", "kept", true));
    let refused: [Method; 5] = [
        declare().passive(true).into(),
        declare().into(),
        basic::Consume::default().queue("kept").into(),
        basic::Get::default().queue("kept").into(),
        queue::Purge::default().queue("kept").into(),
    ];
    let mut outcome = |broker: &mut State, number: u16, method: Method| {
        peer.say(broker, now, number, &channel::Open::default());
        peer.hear(broker, now);
        peer.say_octets(broker, now, &leveret_test_support::frames::method_octets(number, method));
        let heard = peer.hear(broker, now);
        match &heard[..] {
            [Received::Method(_, Method::ChannelClose(close))] => Err((close.reply_code, close.reply_text.to_string())),
            [Received::Method(_, method)] => Ok(method.clone()),
            other => panic!("{other:?}"),
        }
    };
    for (number, method) in (2..).zip(refused) {
        let refusal = outcome(&mut broker, number, method.clone());
        assert_eq!(refusal, Err((ReplyCode::NOT_FOUND, DOWN.to_owned())), "{method:?}, as seen");
    }
    let other = outcome(&mut broker, 10, declare().durable(false).into()).unwrap_err();
    assert_eq!(other.0, ReplyCode::PRECONDITION_FAILED, "as seen: {other:?}");
    let bind = queue::Bind::default().queue("kept").exchange("amq.topic").routing_key("k");
    assert!(outcome(&mut broker, 11, bind.into()).is_ok(), "as seen");
    let unbind = queue::Unbind::default().queue("kept").exchange("amq.topic").routing_key("k");
    assert!(outcome(&mut broker, 12, unbind.into()).is_ok(), "as seen");
    assert_eq!(waiting(&broker), ["a"]);

    let deleted = outcome(&mut broker, 13, queue::Delete::default().queue("kept").if_empty(true).into());
    assert_eq!(deleted, Ok(queue::DeleteOk::default().message_count(0_u32).into()), "as seen");
    assert!(broker.queue("/", "kept").is_none());
}

#[test]
fn a_publish_to_it_is_nacked_though_another_queue_takes_it_and_is_not_returned() {
    let (mut broker, now, mut peer) = with_queue(FieldTable::new());
    peer.say(&mut broker, now, 1, &queue::Declare::default().queue("other"));
    for queue in ["kept", "other"] {
        let bind = queue::Bind::default().queue(queue).exchange("amq.fanout");
        peer.say(&mut broker, now, 1, &bind);
    }
    publish(&mut broker, now, &mut peer, "before");
    peer.say(&mut broker, now, 1, &confirm::Select::default());
    peer.hear(&mut broker, now);
    broker.set_queue_down("/", "kept", true);
    let send = |broker: &mut State, peer: &mut Peer, exchange: &str| {
        let publish = basic::Publish::default().exchange(exchange.to_owned()).routing_key("kept").mandatory(true);
        peer.say(broker, now, 1, &publish);
        let header = leveret_test_support::frames::header_octets(1, 0, &Properties::default());
        peer.say_octets(broker, now, &header);
        names(&peer.hear(broker, now))
    };
    assert_eq!(send(&mut broker, &mut peer, ""), ["basic.nack"], "as seen");
    assert_eq!(send(&mut broker, &mut peer, "amq.fanout"), ["basic.nack"], "as seen");
    assert_eq!(broker.messages("/", "other").len(), 1, "as seen");
    broker.set_queue_down("/", "kept", false);
    assert_eq!(send(&mut broker, &mut peer, ""), ["basic.ack"]);
    assert_eq!(waiting(&broker), ["before", ""], "what was nacked is not there");
}

#[test]
fn nothing_expires_while_it_is_down_and_what_is_due_expires_when_it_comes_up() {
    let (mut broker, now, mut peer) = with_queue(FieldTable::from([("x-message-ttl", 5_000), ("x-expires", 60_000)]));
    publish(&mut broker, now, &mut peer, "a");
    broker.set_queue_down("/", "kept", true);
    let later = now + Duration::from_secs(600);
    broker.handle_timeout(later);
    assert_eq!(waiting(&broker), ["a"]);
    broker.set_queue_down("/", "kept", false);
    assert!(waiting(&broker).is_empty());
    broker.handle_timeout(later + Duration::from_millis(59_999));
    assert!(broker.queue("/", "kept").is_some());
    broker.handle_timeout(later + Duration::from_secs(60));
    assert!(broker.queue("/", "kept").is_none(), "the time of disuse began anew");
}

#[test]
fn what_a_transaction_acknowledged_and_did_not_commit_is_back_once() {
    let (mut broker, now, mut peer) = with_queue(FieldTable::new());
    publish(&mut broker, now, &mut peer, "a");
    peer.say(&mut broker, now, 1, &tx::Select::default());
    peer.say(&mut broker, now, 1, &basic::Get::default().queue("kept"));
    peer.say(&mut broker, now, 1, &basic::Ack::default().delivery_tag(1_u64));
    broker.set_queue_down("/", "kept", true);
    assert_eq!(waiting(&broker), ["a*"]);
    broker.set_queue_down("/", "kept", false);
    peer.say(&mut broker, now, 1, &tx::Commit::default());
    assert_eq!(waiting(&broker), ["a*"]);
    broker.handle_transport_lost(peer.id, now);
    assert_eq!(waiting(&broker), ["a*"]);
}

#[test]
fn a_queue_with_an_auto_delete_flag_survives_the_loss_of_its_consumers_and_a_restart_lifts_it_up() {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &declare().auto_delete(true));
    peer.publish(&mut broker, now, "kept", &Properties::default(), b"transient");
    publish(&mut broker, now, &mut peer, "persistent");
    peer.say(&mut broker, now, 1, &basic::Consume::default().queue("kept").consumer_tag("c"));
    broker.set_queue_down("/", "kept", true);
    assert_eq!(waiting(&broker), ["persistent*"]);
    broker.restart();
    assert_eq!(broker.queue("/", "kept").map(|queue| queue.down), Some(false));
    assert_eq!(waiting(&broker), ["persistent*"]);
}

#[test]
fn only_a_durable_queue_that_is_there_goes_down_and_twice_is_once() {
    let (mut broker, now, mut peer) = with_queue(FieldTable::new());
    assert!(!broker.set_queue_down("/", super::QUEUE, true), "it is not durable");
    assert!(!broker.set_queue_down("/", "missing", true));
    assert!(!broker.set_queue_down("elsewhere", "kept", true));
    assert!(broker.set_queue_down("/", "kept", true));
    assert!(broker.set_queue_down("/", "kept", true));
    assert!(broker.delete_queue("/", "kept"), "an operator may still delete it");
    peer.say(&mut broker, now, 1, &declare());
    assert_eq!(names(&peer.hear(&mut broker, now)), [queue::DeclareOk::NAME], "a new one is up");
}
