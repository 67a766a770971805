//! Deliveries that are settled already: settling them again is an error at the call, and nothing is
//! sent. RabbitMQ would close the channel.

use leveret::engine::{ChannelKey, Failure, Settle};
use leveret::protocol::{Method, basic, tx};

use crate::session::{Session, sent};

const ACK: Settle = Settle::Ack { multiple: false };
const ACK_MULTIPLE: Settle = Settle::Ack { multiple: true };

/// A channel with deliveries 1 to 4.
fn delivered() -> (Session, ChannelKey) {
    let mut session = Session::open();
    let key = session.channel();
    session.consumer(key, "c", false);
    for delivery_tag in 1..=4 {
        session.deliver(1, "c", delivery_tag, "x");
    }
    (session, key)
}

#[track_caller]
fn assert_settled(session: &mut Session, key: ChannelKey, delivery_tag: u64) {
    for settle in
        [ACK, ACK_MULTIPLE, Settle::Nack { multiple: false, requeue: true }, Settle::Reject { requeue: false }]
    {
        let failure = session.engine.settle(key, delivery_tag, settle).unwrap_err();
        assert!(matches!(failure, Failure::AlreadySettled { delivery_tag: tag } if tag == delivery_tag), "{failure:?}");
    }
    assert_eq!(session.sent(), []);
}

#[test]
fn a_multiple_settlement_settles_what_was_delivered_before() {
    for settle in [ACK_MULTIPLE, Settle::Nack { multiple: true, requeue: true }] {
        let (mut session, key) = delivered();
        session.engine.settle(key, 3, settle).unwrap();
        assert_eq!(session.sent().len(), 1);
        for delivery_tag in 1..=3 {
            assert_settled(&mut session, key, delivery_tag);
        }
        session.engine.settle(key, 4, ACK).unwrap();
        assert_eq!(session.sent(), [sent(1, basic::Ack::default().delivery_tag(4))]);
    }
}

#[test]
fn a_delivery_is_settled_once_and_its_neighbours_by_themselves() {
    let (mut session, key) = delivered();
    session.engine.settle(key, 2, ACK).unwrap();
    session.engine.settle(key, 3, Settle::Reject { requeue: true }).unwrap();
    assert_eq!(session.sent().len(), 2);
    assert_settled(&mut session, key, 2);
    assert_settled(&mut session, key, 3);
    session.engine.settle(key, 1, ACK).unwrap();
    session.engine.settle(key, 4, ACK).unwrap();
}

#[test]
fn a_settlement_that_is_sent_as_a_method_counts() {
    let (mut session, key) = delivered();
    let ack = Method::from(basic::Ack::default().delivery_tag(2).multiple(true));
    session.engine.send(key, &ack, false).unwrap();
    session.sent();
    assert_settled(&mut session, key, 1);
    assert_settled(&mut session, key, 2);
}

#[test]
fn what_the_broker_takes_back_is_settled() {
    let (mut session, key) = delivered();
    let recovering = session.call(key, basic::Recover::default().requeue(true));
    session.say(1, basic::RecoverOk::default());
    session.reply(recovering);
    session.sent();
    assert_settled(&mut session, key, 1);
    assert_settled(&mut session, key, 4);
}

#[test]
fn a_rollback_takes_settlements_back_and_a_commit_keeps_them() {
    for rolls_back in [true, false] {
        let (mut session, key) = delivered();
        session.call(key, tx::Select::default());
        session.say(1, tx::SelectOk::default());
        session.engine.settle(key, 2, ACK_MULTIPLE).unwrap();
        assert_eq!(session.sent().len(), 2);
        if rolls_back {
            session.call(key, tx::Rollback::default());
            session.say(1, tx::RollbackOk::default());
            session.sent();
            session.engine.settle(key, 1, ACK).unwrap();
            session.engine.settle(key, 2, ACK).unwrap();
        } else {
            session.call(key, tx::Commit::default());
            session.say(1, tx::CommitOk::default());
            session.sent();
            assert_settled(&mut session, key, 1);
            assert_settled(&mut session, key, 2);
        }
    }
}
