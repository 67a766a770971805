//! A `frame_max` that the broker would refuse by hanging up is an error before anything of it is
//! sent.

use leveret::engine::{HandshakeError, HandshakeParameters};
use leveret::protocol::connection;
use leveret::wire::{FieldTable, FieldValue};

use crate::handshake::{Talk, parameters, start, tune};

/// The handshake up to `connection.tune`, with a server of this version that proposes this much.
fn tuned(version: &str, frame_max: u32, proposed: u32) -> (Talk, Result<bool, HandshakeError>) {
    let properties = [("product", FieldValue::from("RabbitMQ")), ("version", FieldValue::from(version))];
    let mut talk = Talk::new(HandshakeParameters { frame_max, ..parameters() });
    talk.say(start().server_properties(FieldTable::from(properties))).unwrap();
    talk.sent();
    let tuned = talk.say(tune(0, proposed, 0)).map(|agreed| agreed.is_some());
    (talk, tuned)
}

#[test]
fn a_frame_max_that_rabbitmq_takes_no_more_is_refused_before_tune_ok() {
    for version in ["4.1.0", "4.3.6"] {
        let (mut talk, refused) = tuned(version, 4096, 131_072);
        let error = refused.unwrap_err();
        assert_eq!(error, HandshakeError::FrameMaxTooSmall { frame_max: 4096, least: 8192 });
        assert_eq!(error.to_string(), "frame_max is 4096, and this broker takes no less than 8192");
        assert!(talk.sent().is_empty(), "nothing is sent that the broker would answer with silence");
    }
}

#[test]
fn what_the_broker_takes_is_asked_for() {
    for (version, frame_max, proposed) in [
        ("4.3.6", 8192, 131_072),
        ("4.0.5", 4096, 131_072),
        ("4.3.6", 0, 131_072),
        ("4.3.6", 8192, 4096),
        ("4.3.6", 4096, 4096),
    ] {
        let (mut talk, tuned) = tuned(version, frame_max, proposed);
        assert_eq!(tuned, Ok(false), "{version} {frame_max} {proposed}");
        let sent = talk.sent();
        let agreed = if frame_max == 0 { proposed } else { frame_max.min(proposed) };
        let expected = connection::TuneOk::default().frame_max(agreed);
        assert_eq!(sent[0], crate::session::sent(0, expected));
    }
}

#[test]
fn a_frame_max_under_the_standards_minimum_is_refused_with_any_broker() {
    let (_, refused) = tuned("3.10.8", 100, 131_072);
    assert_eq!(refused.unwrap_err(), HandshakeError::FrameMaxTooSmall { frame_max: 100, least: 4096 });
}
