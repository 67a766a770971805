//! Consumers that end before anybody has them: while they start, or with nobody to claim them.

use leveret::engine::{ChannelKey, ConsumerEnd, ConsumerKey, Taken};
use leveret::protocol::{basic, channel};

use crate::session::{Sent, Session, sent};

fn cancel() -> basic::Cancel {
    basic::Cancel::default().consumer_tag("c")
}

fn requeue_up_to(delivery_tag: u64) -> Sent {
    sent(1, basic::Nack::default().delivery_tag(delivery_tag).requeue(true).multiple(true))
}

/// A consumer that is started by a call, cancelled by `cancel` before the broker has answered that,
/// and listened to.
fn cancelled_while_it_starts(cancel: impl FnOnce(&mut Session, ChannelKey)) {
    let mut session = Session::open();
    let key = session.channel();
    let consuming = session.call(key, basic::Consume::default().queue("q").consumer_tag("c"));
    session.sent();
    cancel(&mut session, key);
    assert_eq!(
        session.sent(),
        [],
        "RabbitMQ crashes the channel where a cancel arrives before the consumer has started"
    );
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    assert_eq!(session.sent(), [sent(1, self::cancel())]);
    let consumer = session.reply(consuming).consumer.unwrap();
    let listener = session.waiter();
    assert_eq!(session.take_deliveries(consumer, listener).1, Taken::Nothing);
    session.deliver(1, "c", 1, "crosses the cancel");
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    assert_eq!(session.readable(), [listener]);
    assert_eq!(session.take_deliveries(consumer, listener).0.len(), 1);
    assert_eq!(session.take_deliveries(consumer, listener).1, Taken::End(ConsumerEnd::Cancelled));
    // The tag is free again.
    session.consumer(key, "c", false);
}

#[test]
fn a_cancel_that_is_called_before_consume_ok_ends_the_consumer_at_cancel_ok() {
    cancelled_while_it_starts(|session, key| {
        session.call(key, cancel());
    });
}

#[test]
fn a_cancel_that_is_sent_before_consume_ok_ends_the_consumer_at_cancel_ok() {
    cancelled_while_it_starts(|session, key| {
        session.engine.send(key, &cancel().no_wait(true).into(), true).unwrap();
    });
}

/// A consumer that was started by a call, that nobody has claimed, and for which two messages wait.
fn unclaimed(session: &mut Session, key: ChannelKey, no_ack: bool) -> ConsumerKey {
    let consumer = session.consumer(key, "c", no_ack);
    session.deliver(1, "c", 1, "one");
    session.deliver(1, "c", 2, "two");
    consumer
}

#[test]
fn what_waits_for_a_consumer_that_nobody_claimed_goes_back_when_it_is_cancelled() {
    for (no_ack, expected) in [(false, vec![requeue_up_to(2)]), (true, vec![])] {
        let mut session = Session::open();
        let key = session.channel();
        unclaimed(&mut session, key, no_ack);
        session.call(key, cancel());
        session.sent();
        session.say(1, basic::CancelOk::default().consumer_tag("c"));
        assert_eq!(session.sent(), expected);
        assert_eq!(session.engine.claim_consumer(key, &"c".into()), None);
    }
}

#[test]
fn nothing_is_left_of_a_consumer_that_nobody_claimed_when_its_channel_is_let_go() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = unclaimed(&mut session, key, false);
    session.engine.release_channel(key);
    session.sent();
    session.say(1, channel::CloseOk::default());
    let anybody = session.waiter();
    assert_eq!(session.engine.claim_consumer(key, &"c".into()), None);
    let (deliveries, taken) = session.take_deliveries(consumer, anybody);
    assert!(deliveries.is_empty());
    assert_eq!(taken, Taken::End(ConsumerEnd::Cancelled), "it would tell of a closed channel if it were still there");
    let key = session.channel();
    let next = session.consumer(key, "c", false);
    assert_eq!(next.slot, consumer.slot, "its place is free");
}

#[test]
fn each_cancel_that_is_called_before_consume_ok_gets_an_answer_of_its_own() {
    let mut session = Session::open();
    let key = session.channel();
    session.call(key, basic::Consume::default().queue("q").consumer_tag("c"));
    let (first, second) = (session.call(key, cancel()), session.call(key, cancel()));
    session.sent();
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    assert_eq!(session.sent(), [sent(1, cancel()), sent(1, cancel())]);
    for waiter in [first, second] {
        session.say(1, basic::CancelOk::default().consumer_tag("c"));
        session.reply(waiter);
    }
}

#[test]
fn a_cancel_of_a_tag_that_is_used_anew_ends_the_consumer_that_starts() {
    let mut session = Session::open();
    let key = session.channel();
    let former = session.consumer(key, "c", false);
    session.engine.drop_consumer(former, [], None);
    let consuming = session.call(key, basic::Consume::default().consumer_tag("c"));
    let cancelling = session.call(key, cancel());
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    let consumer = session.reply(consuming).consumer.unwrap();
    let listener = session.waiter();
    assert_eq!(session.take_deliveries(consumer, listener).1, Taken::Nothing);
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    session.reply(cancelling);
    assert_eq!(session.take_deliveries(consumer, listener).1, Taken::End(ConsumerEnd::Cancelled));
}

#[test]
fn a_consumer_that_was_taken_by_its_tag_stays_when_the_call_that_started_it_is_given_up() {
    let mut session = Session::open();
    let key = session.channel();
    let consuming = session.call(key, basic::Consume::default().consumer_tag("c"));
    session.sent();
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    let consumer = session.engine.claim_consumer(key, &"c".into()).unwrap();
    let started = session.heard(consuming);
    session.engine.handle_abandoned(started);
    assert_eq!(session.sent(), []);
    session.deliver(1, "c", 1, "body");
    let listener = session.waiter();
    assert_eq!(session.take_deliveries(consumer, listener).0.len(), 1);
}

#[test]
fn a_consumer_that_starts_cannot_be_taken_and_can_be_once_it_has_started() {
    let mut session = Session::open();
    let key = session.channel();
    let consuming = session.call(key, basic::Consume::default().consumer_tag("c"));
    session.deliver(1, "c", 1, "early");
    assert_eq!(session.engine.claim_consumer(key, &"c".into()), None);
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    session.reply(consuming);
    assert!(session.engine.claim_consumer(key, &"c".into()).is_some());
}
