//! A publish that the broker closes a channel over was refused, where it can be no other one.

use leveret::ReplyCode;
use leveret::engine::{Fate, Reason};
use leveret::protocol::{MethodId, ProtocolMethod, basic, channel, queue};

use crate::session::Session;

const TOO_LARGE: &str = "PRECONDITION_FAILED - message size 16777217 is larger than max size 16777216";

fn close(blamed: MethodId) -> channel::Close {
    channel::Close::default()
        .reply_code(ReplyCode::PRECONDITION_FAILED)
        .reply_text(TOO_LARGE)
        .class_id(blamed.class)
        .method_id(blamed.method)
}

const PUBLISH: MethodId = <basic::Publish as ProtocolMethod>::ID;

#[test]
fn the_one_publish_in_flight_that_is_blamed_was_refused() {
    let mut session = Session::open();
    let key = session.confirming();
    let taken = session.publish(key, "taken").unwrap();
    let refused = session.publish(key, "refused").unwrap();
    session.sent();
    session.ack(1, 1, false);
    session.confirmation(taken);
    let unsent = session.publish(key, "unsent").unwrap();
    session.say(1, close(PUBLISH));
    let (closure, fate) = session.closed(refused);
    assert_eq!((closure.reason, fate), (Reason::Broker, Fate::Refused));
    assert_eq!(session.closed(unsent).1, Fate::Unknown, "it still goes out, and the broker discards it");
}

#[test]
fn of_several_in_flight_none_is_known_to_be_the_one() {
    let mut session = Session::open();
    let key = session.confirming();
    let publishes = ["one", "other"].map(|body| session.publish(key, body).unwrap());
    session.sent();
    session.say(1, close(PUBLISH));
    for publish in publishes {
        assert_eq!(session.closed(publish).1, Fate::Unknown);
    }
}

#[test]
fn a_publish_in_flight_is_not_refused_where_something_else_is_blamed() {
    for blamed in [<queue::Declare as ProtocolMethod>::ID, MethodId::new(0, 0)] {
        let mut session = Session::open();
        let key = session.confirming();
        let publish = session.publish(key, "body").unwrap();
        session.sent();
        session.say(1, close(blamed));
        assert_eq!(session.closed(publish).1, Fate::Unknown);
    }
}
