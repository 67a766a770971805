//! Answers that come out of order, as RabbitMQ sends them, and deliveries that nobody expects.

use std::time::Duration;

use leveret::engine::{ChannelKey, Completion, ConsumerEnd, Settle, Taken};
use leveret::protocol::{Method, basic, channel, queue, tx};

use crate::session::{Sent, Session, negotiated, sent};

fn consume(tag: &str) -> basic::Consume {
    basic::Consume::default().queue("q").consumer_tag(tag)
}

fn requeue(delivery_tag: u64) -> Sent {
    sent(1, basic::Nack::default().delivery_tag(delivery_tag).requeue(true))
}

fn ack(delivery_tag: u64) -> Sent {
    sent(1, basic::Ack::default().delivery_tag(delivery_tag))
}

#[test]
fn consume_ok_may_come_after_the_answers_to_what_was_sent_behind_it() {
    for (tag, given) in [("c", "c"), ("", "amq.ctag-1")] {
        let mut session = Session::open();
        let key = session.channel();
        let consuming = session.call(key, consume(tag));
        let declaring = session.call(key, queue::Declare::default().queue("other"));
        let getting = session.call(key, basic::Get::default().queue("other"));
        session.say(1, queue::DeclareOk::default().queue("other"));
        session.say(1, basic::GetEmpty::default());
        session.say(1, basic::ConsumeOk::default().consumer_tag(given));
        assert!(matches!(session.reply(declaring).method, Method::QueueDeclareOk(_)));
        assert!(matches!(session.reply(getting).method, Method::BasicGetEmpty(_)));
        assert!(session.reply(consuming).consumer.is_some());
        assert!(!session.engine.is_finished());
    }
}

#[test]
fn cancel_ok_may_come_after_the_answers_to_what_was_sent_behind_it() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    let (cancelling, now) = (session.waiter(), session.now);
    session.engine.cancel_consumer(consumer, cancelling, now).unwrap();
    let declaring = session.call(key, queue::Declare::default().queue("other"));
    session.say(1, queue::DeclareOk::default().queue("other"));
    assert!(matches!(session.reply(declaring).method, Method::QueueDeclareOk(_)));
    assert!(session.is_waiting(cancelling));
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    assert!(matches!(session.heard(cancelling), Completion::Reply(_)));
}

#[test]
fn consumers_that_start_together_get_the_answers_with_their_tags() {
    let mut session = Session::open();
    let key = session.channel();
    let (first, second) = (session.call(key, consume("a")), session.call(key, consume("b")));
    session.say(1, basic::ConsumeOk::default().consumer_tag("b"));
    assert!(session.is_waiting(first));
    assert!(session.reply(second).consumer.is_some());
    session.say(1, basic::ConsumeOk::default().consumer_tag("a"));
    assert!(session.reply(first).consumer.is_some());
}

#[test]
fn a_delivery_that_comes_before_consume_ok_reaches_its_consumer() {
    let mut session = Session::open();
    let key = session.channel();
    let consuming = session.call(key, consume("c"));
    session.deliver(1, "c", 1, "early");
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    let consumer = session.reply(consuming).consumer.unwrap();
    let listener = session.waiter();
    let (deliveries, _) = session.take_deliveries(consumer, listener);
    assert_eq!(deliveries.iter().map(|delivery| delivery.message.body()).collect::<Vec<_>>(), [b"early"]);
}

#[test]
fn a_delivery_that_comes_after_cancel_ok_goes_back_to_its_queue() {
    for no_ack in [false, true] {
        let mut session = Session::open();
        let key = session.channel();
        let consumer = session.consumer(key, "c", no_ack);
        let (cancelling, now) = (session.waiter(), session.now);
        session.engine.cancel_consumer(consumer, cancelling, now).unwrap();
        session.sent();
        session.say(1, basic::CancelOk::default().consumer_tag("c"));
        session.deliver(1, "c", 1, "late");
        let expected = if no_ack { vec![] } else { vec![requeue(1)] };
        assert_eq!(session.sent(), expected, "without acknowledgement: {no_ack}");
        assert!(!session.engine.is_finished());
    }
}

#[test]
fn a_consumer_that_the_broker_cancelled_is_freed_there_and_cancelling_it_is_done() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    let listener = session.waiter();
    assert_eq!(session.take_deliveries(consumer, listener).1, Taken::Nothing);
    session.say(1, basic::Cancel::default().consumer_tag("c").no_wait(true));
    assert_eq!(session.sent(), [sent(1, basic::Cancel::default().consumer_tag("c"))], "4.3 waits for that");
    let (cancelling, now) = (session.waiter(), session.now);
    session.engine.cancel_consumer(consumer, cancelling, now).unwrap();
    assert!(matches!(session.heard(cancelling), Completion::Closed));
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    assert_eq!(session.take_deliveries(consumer, listener).1, Taken::End(ConsumerEnd::CancelledByBroker));
    assert_eq!(session.sent(), []);
}

/// A transactional channel with a commit that is not answered, and deliveries 1 and 2.
fn committing(session: &mut Session) -> ChannelKey {
    let key = session.channel();
    session.consumer(key, "c", false);
    session.deliver(1, "c", 1, "one");
    session.deliver(1, "c", 2, "two");
    session.call(key, tx::Select::default());
    session.say(1, tx::SelectOk::default());
    session.call(key, tx::Commit::default());
    session.sent();
    key
}

#[test]
fn nothing_of_a_channel_goes_out_behind_a_commit_before_its_answer() {
    let mut session = Session::open();
    let key = committing(&mut session);
    session.engine.settle(key, 1, Settle::Ack { multiple: false }).unwrap();
    session.call(key, tx::Commit::default());
    session.engine.settle(key, 2, Settle::Ack { multiple: false }).unwrap();
    assert_eq!(session.sent(), [], "RabbitMQ would answer it with 504");
    session.say(1, tx::CommitOk::default());
    assert_eq!(session.sent(), [ack(1), sent(1, tx::Commit::default())], "the second commit holds up the rest");
    session.say(1, tx::CommitOk::default());
    assert_eq!(session.sent(), [ack(2)]);
}

/// Something that a channel sends, and how it shows on the wire.
type Output = (fn(&mut Session, ChannelKey), fn() -> Vec<Sent>);

const OUTPUT: [Output; 6] = [
    (|session, key| session.engine.settle(key, 1, Settle::Ack { multiple: false }).unwrap(), || vec![ack(1)]),
    (
        |session, key| session.engine.settle(key, 2, Settle::Nack { multiple: true, requeue: true }).unwrap(),
        || vec![sent(1, basic::Nack::default().delivery_tag(2).multiple(true).requeue(true))],
    ),
    (
        |session, key| {
            session.call(key, tx::Commit::default());
        },
        || vec![sent(1, tx::Commit::default())],
    ),
    (
        |session, key| {
            session.call(key, tx::Rollback::default());
        },
        || vec![sent(1, tx::Rollback::default())],
    ),
    (
        |session, key| {
            session.publish(key, "m");
        },
        || {
            vec![
                sent(1, basic::Publish::default().routing_key("key")),
                Sent::Header(1, 1, basic::Properties::default()),
                Sent::Body(1, "m".into()),
            ]
        },
    ),
    (
        |session, key| {
            let now = session.now;
            session.engine.close_channel(key, leveret::ReplyCode::REPLY_SUCCESS, "", None, now).unwrap();
        },
        || vec![sent(1, channel::Close::default().reply_code(leveret::ReplyCode::REPLY_SUCCESS))],
    ),
];

#[test]
fn each_thing_that_a_channel_sends_behind_a_commit_goes_out_at_commit_ok_and_not_before() {
    for (send, on_the_wire) in OUTPUT {
        let expected = on_the_wire();
        let mut session = Session::open();
        let key = committing(&mut session);
        send(&mut session, key);
        assert_eq!((session.sent(), session.engine.untaken()), (vec![], 0), "before commit-ok: {expected:?}");
        // An answer to something else of the connection's does not let it go.
        let other = session.channel();
        session.call(other, queue::Declare::default());
        session.sent();
        session.say(2, queue::DeclareOk::default());
        assert_eq!(session.sent(), [], "before commit-ok: {expected:?}");
        session.say(1, tx::CommitOk::default());
        assert_eq!(session.sent(), expected);
    }
}

#[test]
fn a_commit_whose_time_is_over_still_holds_what_comes_behind_it_until_its_answer() {
    let timeout = Duration::from_secs(5);
    let mut session = Session::with(negotiated(), |settings| settings.call_timeout = Some(timeout));
    let key = committing(&mut session);
    session.pass(timeout);
    session.engine.settle(key, 1, Settle::Ack { multiple: false }).unwrap();
    session.call(key, tx::Commit::default());
    session.pass(timeout);
    assert_eq!(session.sent(), []);
    session.say(1, tx::CommitOk::default());
    assert_eq!(session.sent(), [ack(1), sent(1, tx::Commit::default())]);
}
