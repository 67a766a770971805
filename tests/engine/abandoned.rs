//! Completions that come for somebody who is gone: what they brought is neither lost nor kept.

use std::time::Duration;

use leveret::engine::Completion;
use leveret::protocol::basic::{self, Properties};
use leveret::protocol::{channel, connection, queue};

use crate::session::{Sent, Session, negotiated, sent};

fn requeue(delivery_tag: u64) -> Sent {
    sent(1, basic::Nack::default().delivery_tag(delivery_tag).requeue(true))
}

#[test]
fn a_channel_that_opened_for_nobody_is_closed() {
    let mut session = Session::open();
    let waiter = session.waiter();
    session.engine.open_channel(waiter, session.now).unwrap();
    session.sent();
    session.say(1, channel::OpenOk::default());
    let opened = session.heard(waiter);
    session.engine.handle_abandoned(opened);
    assert!(matches!(&session.sent()[..], [Sent::Method(1, leveret::protocol::Method::ChannelClose(_))]));
    session.say(1, channel::CloseOk::default());
    assert_eq!(session.engine.channel_count(), 0);
}

#[test]
fn a_consumer_that_started_for_nobody_is_cancelled_and_requeues() {
    let mut session = Session::open();
    let key = session.channel();
    let waiter = session.call(key, basic::Consume::default().consumer_tag("c"));
    session.sent();
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    session.deliver(1, "c", 1, "before anybody knows");
    let started = session.heard(waiter);
    session.engine.handle_abandoned(started);
    assert_eq!(session.sent(), [sent(1, basic::Cancel::default().consumer_tag("c"))]);
    session.deliver(1, "c", 2, "still comes");
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    let both = basic::Nack::default().delivery_tag(2).multiple(true).requeue(true);
    assert_eq!(session.sent(), [sent(1, both)]);
}

#[test]
fn a_message_that_nobody_gets_goes_back() {
    let mut session = Session::open();
    let key = session.channel();
    for (no_ack, expected) in [(false, vec![requeue(3)]), (true, vec![])] {
        let waiter = session.call(key, basic::Get::default().queue("q").no_ack(no_ack));
        session.sent();
        session.say_content(1, basic::GetOk::default().delivery_tag(3), &Properties::default(), b"body");
        let got = session.heard(waiter);
        session.engine.handle_abandoned(got);
        assert_eq!(session.sent(), expected);
    }
}

#[test]
fn a_message_that_comes_after_its_get_timed_out_goes_back() {
    let mut session = Session::with(negotiated(), |settings| settings.call_timeout = Some(Duration::from_secs(1)));
    let key = session.channel();
    let waiter = session.call(key, basic::Get::default().queue("q"));
    session.sent();
    session.pass(Duration::from_secs(1));
    assert!(matches!(session.heard(waiter), Completion::Failed(_)));
    session.say_content(1, basic::GetOk::default().delivery_tag(3), &Properties::default(), b"body");
    let late = session.heard(waiter);
    session.engine.handle_abandoned(late);
    assert_eq!(session.sent(), [requeue(3)]);
}

#[test]
fn what_went_wrong_is_told_to_the_next_who_asks() {
    let mut session = Session::open();
    let key = session.confirming();
    session.publish(key, "refused");
    let gone = session.waiter();
    session.engine.wait_for_confirms(key, gone).unwrap();
    session.say(1, basic::Nack::default().delivery_tag(1));
    let settled = session.heard(gone);
    session.engine.handle_abandoned(settled);
    let next = session.waiter();
    let settled = session.engine.wait_for_confirms(key, next).unwrap();
    assert_eq!(settled.map(|settled| settled.nacked), Some(1));
}

#[test]
fn what_brings_nothing_leaves_nothing_to_be_done() {
    let mut session = Session::open();
    let key = session.confirming();
    let called = session.call(key, queue::Declare::default());
    let published = session.publish(key, "body").unwrap();
    session.sent();
    session.say(1, queue::DeclareOk::default());
    session.ack(1, 1, false);
    let closing = session.close();
    session.sent();
    session.say(0, connection::CloseOk::default());
    session.sent();
    for waiter in [called, published, closing] {
        let completion = session.heard(waiter);
        session.engine.handle_abandoned(completion);
    }
    assert_eq!(session.sent(), []);
}

#[test]
fn what_was_abandoned_on_a_channel_that_has_gone_is_left_to_the_broker() {
    let mut session = Session::open();
    let key = session.channel();
    let consuming = session.call(key, basic::Consume::default().consumer_tag("c"));
    let getting = session.call(key, basic::Get::default().queue("q"));
    session.say(1, basic::ConsumeOk::default().consumer_tag("c"));
    session.say_content(1, basic::GetOk::default().delivery_tag(3), &Properties::default(), b"body");
    session.say(1, channel::Close::default());
    session.sent();
    session.channel();
    for waiter in [consuming, getting] {
        let completion = session.heard(waiter);
        session.engine.handle_abandoned(completion);
    }
    assert_eq!(session.sent(), []);
}
