//! Requests that are refused for once, and answers that are held back.

use std::time::Instant;

use leveret::broker::{Scope, State};
use leveret::protocol::{
    Method, MethodId, ProtocolMethod, ReplyCode, basic, channel, confirm, connection, exchange, queue,
};
use leveret_test_support::Received;

use super::peer::Peer;
use super::{QUEUE, broker, client, counts, fill, names};

const TEXT: &str = "RESOURCE_ERROR - as a test";

/// The close that was heard: its channel, 0 for that of the connection; its code, text and method.
fn close(heard: &[Received]) -> (u16, ReplyCode, String, MethodId) {
    match heard {
        [Received::Method(0, Method::ConnectionClose(close))] => {
            (0, close.reply_code, close.reply_text.to_string(), MethodId::new(close.class_id, close.method_id))
        }
        [Received::Method(number, Method::ChannelClose(close))] => {
            (*number, close.reply_code, close.reply_text.to_string(), MethodId::new(close.class_id, close.method_id))
        }
        other => panic!("{other:?} is no close"),
    }
}

fn say_declare(broker: &mut State, now: Instant, peer: &mut Peer, channel: u16, name: &str) -> Vec<Received> {
    peer.say(broker, now, channel, &queue::Declare::default().queue(name.to_owned()));
    peer.hear(broker, now)
}

fn open(broker: &mut State, now: Instant, peer: &mut Peer, number: u16) {
    peer.say(broker, now, number, &channel::Open::default());
    assert_eq!(names(&peer.hear(broker, now)), ["channel.open-ok"]);
}

#[test]
fn the_next_request_of_any_connection_closes_its_channel_and_has_no_effect() {
    let (mut broker, now) = broker();
    broker.fail_next(queue::Declare::ID, Scope::Channel, ReplyCode::RESOURCE_ERROR, TEXT);
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &exchange::Declare::default().exchange("x").kind("topic"));
    assert_eq!(names(&peer.hear(&mut broker, now)), ["exchange.declare-ok"], "it is another method");
    let heard = say_declare(&mut broker, now, &mut peer, 1, "new");
    assert_eq!(close(&heard), (1, ReplyCode::RESOURCE_ERROR, TEXT.to_owned(), queue::Declare::ID));
    assert!(broker.queue("/", "new").is_none());
    open(&mut broker, now, &mut peer, 2);
    assert_eq!(names(&say_declare(&mut broker, now, &mut peer, 2, "new")), ["queue.declare-ok"]);
}

#[test]
fn refusals_of_one_method_queue_up_and_those_of_another_do_not_wait() {
    let (mut broker, now) = broker();
    for text in ["first", "second"] {
        broker.fail_next(queue::Declare::ID, Scope::Channel, ReplyCode::NOT_FOUND, text);
    }
    broker.fail_next(queue::Purge::ID, Scope::Connection, ReplyCode::INTERNAL_ERROR, "third");
    let mut peer = client(&mut broker, now);
    open(&mut broker, now, &mut peer, 2);
    open(&mut broker, now, &mut peer, 3);
    assert_eq!(close(&say_declare(&mut broker, now, &mut peer, 1, QUEUE)).2, "first");
    assert_eq!(close(&say_declare(&mut broker, now, &mut peer, 2, QUEUE)).2, "second");
    fill(&mut broker, now, 1);
    peer.say(&mut broker, now, 3, &queue::Purge::default().queue(QUEUE));
    let heard = peer.hear(&mut broker, now);
    assert_eq!(close(&heard), (0, ReplyCode::INTERNAL_ERROR, "third".to_owned(), queue::Purge::ID));
    assert_eq!(counts(&broker), (1, 0));
}

#[test]
fn a_refused_publish_is_refused_as_a_whole_and_the_connection_goes_on() {
    let (mut broker, now) = broker();
    broker.fail_next(basic::Publish::ID, Scope::Channel, ReplyCode::PRECONDITION_FAILED, TEXT);
    let mut peer = client(&mut broker, now);
    peer.publish(&mut broker, now, QUEUE, &basic::Properties::default(), b"refused");
    assert_eq!(close(&peer.hear(&mut broker, now)).3, basic::Publish::ID);
    peer.publish(&mut broker, now, QUEUE, &basic::Properties::default(), b"on a channel that is closing");
    open(&mut broker, now, &mut peer, 2);
    assert_eq!(counts(&broker), (0, 0));
}

#[test]
fn what_has_no_answer_and_what_opens_something_can_be_refused_too() {
    let (mut broker, now) = broker();
    fill(&mut broker, now, 1);
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &basic::Get::default().queue(QUEUE));
    peer.hear(&mut broker, now);
    broker.fail_next(basic::Ack::ID, Scope::Channel, ReplyCode::PRECONDITION_FAILED, TEXT);
    peer.say(&mut broker, now, 1, &basic::Ack::default().delivery_tag(1_u64));
    assert_eq!(close(&peer.hear(&mut broker, now)).0, 1);
    assert_eq!(counts(&broker), (1, 0), "it was not acknowledged");

    broker.fail_next(channel::Open::ID, Scope::Connection, ReplyCode::NOT_ALLOWED, TEXT);
    peer.say(&mut broker, now, 2, &channel::Open::default());
    assert_eq!(close(&peer.hear(&mut broker, now)), (0, ReplyCode::NOT_ALLOWED, TEXT.to_owned(), channel::Open::ID));
    assert!(broker.connections().iter().all(|connection| !connection.open));
}

#[test]
fn a_login_that_is_right_can_be_refused_at_the_door_of_its_virtual_host() {
    let (mut broker, now) = broker();
    broker.fail_next(connection::Open::ID, Scope::Channel, ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR - vhost is down");
    let mut peer = Peer::until_tuned(&mut broker, now);
    peer.say(&mut broker, now, 0, &connection::Open::default().virtual_host("/"));
    let heard = peer.hear(&mut broker, now);
    let text = "INTERNAL_ERROR - vhost is down".to_owned();
    assert_eq!(close(&heard), (0, ReplyCode::INTERNAL_ERROR, text, connection::Open::ID));

    let mut peer = client(&mut broker, now);
    broker.fail_next(connection::UpdateSecret::ID, Scope::Connection, ReplyCode::NOT_ALLOWED, TEXT);
    peer.say(&mut broker, now, 0, &connection::UpdateSecret::default());
    assert_eq!(close(&peer.hear(&mut broker, now)).3, connection::UpdateSecret::ID);
}

#[test]
fn a_text_that_is_too_long_is_cut() {
    let (mut broker, now) = broker();
    broker.fail_next(queue::Declare::ID, Scope::Channel, ReplyCode::NOT_FOUND, "ä".repeat(200));
    let mut peer = client(&mut broker, now);
    let (_, _, text, _) = close(&say_declare(&mut broker, now, &mut peer, 1, QUEUE));
    assert!(text.len() <= 255 && text.ends_with("..."), "{text}");
}

#[test]
fn a_held_request_is_carried_out_and_its_answer_waits_with_all_that_follows() {
    let (mut broker, now) = broker();
    fill(&mut broker, now, 1);
    let mut peer = client(&mut broker, now);
    open(&mut broker, now, &mut peer, 2);
    broker.hold_next(basic::Consume::ID);
    peer.say(&mut broker, now, 1, &basic::Consume::default().queue(QUEUE).consumer_tag("c"));
    peer.say(&mut broker, now, 1, &basic::Qos::default());
    assert!(say_declare(&mut broker, now, &mut peer, 1, "new").is_empty());
    assert_eq!(broker.consumers("/").len(), 1, "it is carried out");
    assert_eq!(counts(&broker), (0, 1));
    assert_eq!(broker.held(), [(peer.id, 1)]);
    assert_eq!(
        names(&say_declare(&mut broker, now, &mut peer, 2, "new")),
        ["queue.declare-ok"],
        "other channels go on"
    );

    broker.release_held();
    let heard = names(&peer.hear(&mut broker, now));
    assert_eq!(heard, ["basic.consume-ok", "basic.deliver", "basic.qos-ok", "queue.declare-ok"]);
    assert!(broker.held().is_empty());
    assert_eq!(names(&say_declare(&mut broker, now, &mut peer, 1, "new")), ["queue.declare-ok"]);
}

#[test]
fn holds_add_up_and_each_is_for_one_request() {
    let (mut broker, now) = broker();
    broker.hold_next(queue::Declare::ID);
    broker.hold_next(queue::Declare::ID);
    let mut peers = [client(&mut broker, now), client(&mut broker, now), client(&mut broker, now)];
    let heard = peers.each_mut().map(|peer| say_declare(&mut broker, now, peer, 1, "new").len());
    assert_eq!(heard, [0, 0, 1]);
    broker.release_held();
    broker.hold_next(queue::Declare::ID);
    broker.release_held();
    assert!(say_declare(&mut broker, now, &mut peers[2], 1, "new").is_empty(), "what is still to come is held");
    let heard = peers.each_mut().map(|peer| peer.hear(&mut broker, now).len());
    assert_eq!(heard, [1, 1, 0]);
}

#[test]
fn a_close_of_a_held_channel_is_held_and_the_end_of_the_connection_is_not() {
    let (mut broker, now) = broker();
    broker.hold_next(queue::Declare::ID);
    broker.fail_next(queue::Declare::ID, Scope::Channel, ReplyCode::NOT_FOUND, TEXT);
    let mut peer = client(&mut broker, now);
    assert!(say_declare(&mut broker, now, &mut peer, 1, "new").is_empty());
    broker.release_held();
    assert_eq!(close(&peer.hear(&mut broker, now)).0, 1);

    let mut peer = client(&mut broker, now);
    broker.hold_next(queue::Declare::ID);
    assert!(say_declare(&mut broker, now, &mut peer, 1, "new").is_empty());
    peer.say(&mut broker, now, 1, &channel::Close::default());
    assert!(peer.hear(&mut broker, now).is_empty());
    peer.say(&mut broker, now, 0, &connection::Close::default());
    assert_eq!(names(&peer.hear(&mut broker, now)), ["connection.close-ok"]);
    assert!(broker.held().is_empty());
}

#[test]
fn a_confirm_that_is_held_is_that_of_a_message_in_its_queue() {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &confirm::Select::default());
    peer.hear(&mut broker, now);
    broker.hold_next(basic::Publish::ID);
    peer.publish(&mut broker, now, QUEUE, &basic::Properties::default(), b"hello");
    assert!(peer.hear(&mut broker, now).is_empty());
    assert_eq!(counts(&broker), (1, 0));
    broker.release_held();
    assert_eq!(names(&peer.hear(&mut broker, now)), ["basic.ack"]);
}

#[test]
fn an_open_of_a_connection_is_held_and_a_handshake_that_takes_too_long_ends() {
    let (mut broker, now) = broker();
    broker.hold_next(connection::Open::ID);
    let mut peer = Peer::until_tuned(&mut broker, now);
    peer.say(&mut broker, now, 0, &connection::Open::default().virtual_host("/"));
    assert!(peer.hear(&mut broker, now).is_empty());
    assert_eq!(broker.held(), [(peer.id, 0)]);
    broker.release_held();
    assert_eq!(names(&peer.hear(&mut broker, now)), ["connection.open-ok"]);
}

#[test]
fn what_is_held_counts_for_what_a_connection_may_be_sent() {
    const MEBIBYTE: usize = 1024 * 1024;
    let (mut broker, now) = broker();
    let mut publisher = client(&mut broker, now);
    for _ in 0..40 {
        publisher.publish(&mut broker, now, QUEUE, &basic::Properties::default(), &[b'x'; MEBIBYTE / 8]);
    }
    let mut peer = client(&mut broker, now);
    broker.hold_next(basic::Consume::ID);
    peer.say(&mut broker, now, 1, &basic::Consume::default().queue(QUEUE).no_ack(true));
    assert!(peer.hear(&mut broker, now).is_empty());
    assert_eq!(counts(&broker).0, 32, "one mebibyte is held, and no more");
    broker.release_held();
    let heard = names(&peer.hear(&mut broker, now));
    assert_eq!(heard.iter().filter(|name| **name == "basic.deliver").count(), 40);
    assert_eq!(counts(&broker), (0, 0));
}
