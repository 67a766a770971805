//! Which mechanism of authentication is used, and what it answers.

use leveret::config::{Credentials, Exchange, Mechanism, MechanismError, SecretOctets};
use leveret::engine::{HandshakeError, HandshakeParameters, HandshakeStep, Violation};
use leveret::protocol::{Method, connection};

use crate::handshake::{Talk, parameters, start, tune};
use crate::session::{Sent, sent};

#[test]
fn a_mechanism_that_the_server_does_not_offer_ends_the_handshake_and_no_secret_is_sent() {
    for mechanisms in ["EXTERNAL AMQPLAIN", "", "PLAINER", "XPLAIN"] {
        let mut talk = Talk::at(HandshakeStep::Start);
        let error = talk.say(start().mechanisms(mechanisms)).unwrap_err();
        let expected = HandshakeError::NoCommonMechanism { wanted: "PLAIN".into(), offered: mechanisms.into() };
        assert_eq!(error, expected);
        assert_eq!(talk.sent(), []);
    }
}

#[test]
fn a_challenge_is_more_than_plain_can_answer() {
    let mut talk = Talk::at(HandshakeStep::Authentication);
    let error = talk.say(connection::Secure::default().challenge("who?")).unwrap_err();
    assert!(matches!(&error, HandshakeError::Mechanism { name, .. } if name == "PLAIN"), "{error:?}");
    assert!(error.to_string().contains("asks for another"), "{error}");
    assert_eq!(talk.sent(), []);
}

/// A mechanism that answers each challenge with the challenge itself, in brackets, until it is
/// asked for the end.
struct Echo;

impl Mechanism for Echo {
    fn name(&self) -> &str {
        "X-ECHO"
    }

    fn begin(&self) -> Box<dyn Exchange> {
        let mut rounds = 0;
        Box::new(move |challenge: Option<&[u8]>| -> Result<SecretOctets, MechanismError> {
            rounds += 1;
            match challenge {
                None => Ok("first".into()),
                Some(b"the end") => Err("it is over".into()),
                Some(challenge) => Ok([b"<", challenge, rounds.to_string().as_bytes(), b">"].concat().into()),
            }
        })
    }
}

/// A handshake with a mechanism of one's own, its first response sent.
fn echoing() -> Talk {
    let mut talk = Talk::new(HandshakeParameters { credentials: Credentials::mechanism(Echo), ..parameters() });
    talk.say(start().mechanisms("PLAIN X-ECHO")).unwrap();
    let sent = talk.sent();
    let Some(Sent::Method(0, Method::ConnectionStartOk(ok))) = sent.last() else { panic!("{sent:?}") };
    assert_eq!((ok.mechanism.to_string(), ok.response.to_string()), ("X-ECHO".to_owned(), "first".to_owned()));
    talk
}

#[test]
fn a_mechanism_of_ones_own_answers_as_many_challenges_as_come() {
    let mut talk = echoing();
    for (challenge, response) in [("a", "<a2>"), ("", "<3>"), ("b", "<b4>")] {
        assert_eq!(talk.say(connection::Secure::default().challenge(challenge)), Ok(None));
        assert_eq!(talk.sent(), [sent(0, connection::SecureOk::default().response(response))]);
        assert_eq!(talk.handshake.step(), HandshakeStep::Authentication);
    }
    talk.say(tune(1, 4096, 0)).unwrap();
    assert!(talk.say(connection::OpenOk::default()).unwrap().is_some());
}

#[test]
fn what_a_mechanism_cannot_answer_ends_the_handshake_with_its_own_words() {
    let error = echoing().say(connection::Secure::default().challenge("the end")).unwrap_err();
    assert_eq!(error.to_string(), "the mechanism X-ECHO has no response: it is over");
    let HandshakeError::Mechanism { error: own, .. } = &error else { panic!("{error:?}") };
    assert_eq!((own.get_ref().to_string(), own.to_string()), ("it is over".to_owned(), "it is over".to_owned()));
    assert!(std::error::Error::source(&error).is_none(), "its text is in this one's");
}

#[test]
fn the_first_mechanism_that_both_sides_have_is_used() {
    let credentials = || Credentials::external().or(Credentials::amqplain("u", "p")).or(Credentials::plain("u", "p"));
    for (offered, expected) in [
        ("PLAIN AMQPLAIN EXTERNAL", Some(("EXTERNAL", ""))),
        ("PLAIN AMQPLAIN", Some(("AMQPLAIN", "\u{5}LOGINS\0\0\0\u{1}u\u{8}PASSWORDS\0\0\0\u{1}p"))),
        ("external PLAIN", Some(("PLAIN", "\0u\0p"))),
        ("plain", None),
    ] {
        let mut talk = Talk::new(HandshakeParameters { credentials: credentials(), ..parameters() });
        let said = talk.say(start().mechanisms(offered));
        let Some((mechanism, response)) = expected else {
            let wanted = "EXTERNAL AMQPLAIN PLAIN".into();
            assert_eq!(said, Err(HandshakeError::NoCommonMechanism { wanted, offered: offered.into() }));
            continue;
        };
        let sent = talk.sent();
        let Some(Sent::Method(0, Method::ConnectionStartOk(ok))) = sent.last() else { panic!("{sent:?}") };
        assert_eq!((ok.mechanism.to_string(), ok.response.to_string()), (mechanism.to_owned(), response.to_owned()));
    }
}

#[test]
fn an_erased_password_is_not_sent_as_an_empty_one() {
    let credentials = Credentials::plain("guest", "guest");
    credentials.password().erase();
    let mut talk = Talk::new(HandshakeParameters { credentials, ..parameters() });
    talk.sent();
    let error = talk.say(start()).unwrap_err();
    assert!(error.to_string().contains("erase_on_connect"), "{error}");
    assert_eq!(talk.sent(), []);
}

#[test]
fn a_challenge_has_a_place_only_after_the_credentials() {
    for step in [HandshakeStep::Start, HandshakeStep::Open] {
        let error = Talk::at(step).say(connection::Secure::default()).unwrap_err();
        assert!(matches!(error, HandshakeError::Violation(Violation::UnexpectedMethod(_))), "{error:?}");
    }
}
