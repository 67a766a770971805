//! Consumers of streams: RabbitMQ 3 closes the connection at a nack of a stream's delivery.

use leveret::FieldTable;
use leveret::engine::{ChannelKey, ConsumerKey, Negotiated, Taken};
use leveret::protocol::basic::{self, Properties};

use crate::session::{Sent, Session, negotiated, sent};

const VERSIONS: [&str; 3] = ["3.10.8", "4.0.5", "4.3.6"];

fn rabbitmq(version: &str) -> Negotiated {
    Negotiated { server_properties: FieldTable::from([("product", "RabbitMQ"), ("version", version)]), ..negotiated() }
}

fn of_offset() -> FieldTable {
    FieldTable::from([("x-stream-offset", "first")])
}

/// A consumer that asks for an offset, as only consumers of streams may.
fn consumer(session: &mut Session, key: ChannelKey) -> ConsumerKey {
    let waiter = session.call(key, basic::Consume::default().queue("s").consumer_tag("c").arguments(of_offset()));
    session.sent();
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    session.reply(waiter).consumer.unwrap()
}

/// A message as a stream delivers it.
fn deliver(session: &mut Session, delivery_tag: u64, body: &[u8]) {
    let properties = Properties::default().headers(FieldTable::from([("x-stream-offset", 7_i64)]));
    session.say_content(1, basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag), &properties, body);
}

fn cancel() -> Sent {
    sent(1, basic::Cancel::default().consumer_tag("c"))
}

fn cancel_ok(session: &mut Session) {
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
}

fn ack(delivery_tag: u64, multiple: bool) -> Sent {
    sent(1, basic::Ack::default().delivery_tag(delivery_tag).multiple(multiple))
}

#[test]
fn a_consumer_of_an_offset_that_is_dropped_acknowledges_what_waited_once_the_broker_agrees() {
    for version in VERSIONS {
        let mut session = Session::with(rabbitmq(version), |_| {});
        let key = session.channel();
        let consumer = consumer(&mut session, key);
        deliver(&mut session, 1, b"one");
        deliver(&mut session, 2, b"two");
        session.engine.drop_consumer(consumer, [], None);
        assert_eq!(session.sent(), [cancel()], "{version}");
        deliver(&mut session, 3, b"crosses the cancel");
        assert_eq!(session.sent(), [], "{version}");
        cancel_ok(&mut session);
        assert_eq!(session.sent(), [ack(3, true)], "{version}");
    }
}

#[test]
fn a_consumer_of_an_offset_that_was_cancelled_acknowledges_what_nobody_took() {
    for version in VERSIONS {
        let mut session = Session::with(rabbitmq(version), |_| {});
        let key = session.channel();
        let consumer = consumer(&mut session, key);
        deliver(&mut session, 1, b"one");
        deliver(&mut session, 2, b"two");
        let (waiter, now) = (session.waiter(), session.now);
        session.engine.cancel_consumer(consumer, waiter, now).unwrap();
        assert_eq!(session.sent(), [cancel()]);
        cancel_ok(&mut session);
        session.engine.drop_consumer(consumer, [], None);
        assert_eq!(session.sent(), [ack(2, true)], "{version}");
    }
}

#[test]
fn what_only_looks_like_a_streams_is_nacked_where_that_is_harmless_and_else_left_unsettled() {
    let nack = sent(1, basic::Nack::default().delivery_tag(1).requeue(true));
    for (version, expected) in [("3.10.8", vec![]), ("4.0.5", vec![nack.clone()]), ("4.3.6", vec![nack])] {
        let mut session = Session::with(rabbitmq(version), |_| {});
        let key = session.channel();
        let consumer = session.consumer(key, "c", false);
        deliver(&mut session, 1, b"republished from a stream, perhaps");
        session.engine.drop_consumer(consumer, [], None);
        session.sent();
        cancel_ok(&mut session);
        assert_eq!(session.sent(), expected, "{version}");
    }
}

#[test]
fn a_message_over_the_limit_that_crosses_the_cancel_says_as_well_that_it_may_be_a_streams() {
    let nack = sent(1, basic::Nack::default().delivery_tag(1).requeue(true));
    for (version, expected) in [("3.10.8", vec![]), ("4.0.5", vec![nack.clone()]), ("4.3.6", vec![nack])] {
        let mut session = Session::with(rabbitmq(version), |settings| settings.max_message_size = 10);
        let key = session.channel();
        // It asked for no offset: only its messages say what its queue may be.
        let consumer = session.consumer(key, "c", false);
        session.engine.drop_consumer(consumer, [], None);
        assert_eq!(session.sent(), [cancel()], "{version}");
        deliver(&mut session, 1, b"more than ten bytes");
        assert_eq!(session.sent(), [], "{version}");
        cancel_ok(&mut session);
        assert_eq!(session.sent(), expected, "{version}");
    }
}

#[test]
fn a_message_over_the_limit_is_acknowledged_where_it_is_a_streams_and_rejected_where_it_is_none() {
    let reject = || sent(1, basic::Reject::default().delivery_tag(1));
    for (version, asks, expected) in [
        ("3.10.8", true, ack(1, false)),
        ("4.0.5", true, ack(1, false)),
        ("3.10.8", false, ack(1, false)),
        ("4.0.5", false, reject()),
    ] {
        let mut session = Session::with(rabbitmq(version), |settings| settings.max_message_size = 10);
        let key = session.channel();
        let consumer = if asks { consumer(&mut session, key) } else { session.consumer(key, "c", false) };
        deliver(&mut session, 1, b"more than ten bytes");
        assert_eq!(session.sent(), [expected], "{version}, by an offset: {asks}");
        let listener = session.waiter();
        assert!(matches!(session.take_deliveries(consumer, listener).1, Taken::Oversize(_)));
    }
}
