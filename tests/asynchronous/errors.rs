//! What people read of an error: one line that says what happened, a chain that says nothing twice,
//! and a hint.

use std::error::Error as StdError;
use std::io;
use std::iter;
use std::time::Duration;

use leveret::config::{ParametersError, Provided};
use leveret::protocol::{basic, channel, connection, queue};
use leveret::wire::{DecodeError, FieldTable, FieldValue};
use leveret::{
    Attempt, ChannelEvent, Connection, ConnectionEvent, ConnectionParameters, Credentials, Error, ErrorKind, Fate,
    ReplyCode,
};
use leveret_test_support::{Peer, start, tune};

use super::client::{Connect as _, parameters};

const CAPACITY: usize = 64 * 1024;

/// A forged line of a log, an escape of a terminal, in both kinds of controls, and an override of
/// direction.
const HOSTILE: &str = "INTERNAL_ERROR - gone\nERROR forged \x1b[31m \u{9b}2J \u{202e}\u{2028}";

/// What is shown of it.
const HARMLESS: &str = r"gone\nERROR forged \u{1b}[31m \u{9b}2J \u{202e}\u{2028}";

/// A chain of errors as `anyhow` and others print it.
fn chain(error: &dyn StdError) -> Vec<String> {
    iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect()
}

/// Each text of the chain says something that none before it said, in one line, and so does
/// `Debug`.
#[track_caller]
fn assert_reads_well(error: &Error) {
    let chain = chain(error);
    for (index, text) in chain.iter().enumerate() {
        assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
        assert!(!chain[..index].iter().any(|earlier| earlier.contains(text.as_str())), "{chain:#?}");
    }
    let debug = format!("{error:?}");
    let mut lines = debug.lines();
    assert_eq!(lines.next(), Some(error.to_string().as_str()));
    let hint = error.hint().map(|hint| format!("  hint: {hint}"));
    let rest = chain[1..].iter().map(|source| format!("  caused by: {source}")).chain(hint);
    assert_eq!(lines.collect::<Vec<_>>(), rest.collect::<Vec<_>>());
    if let Some(hint) = error.hint() {
        assert!(!error.to_string().contains(&*hint), "the hint is not what happened: {error}");
    }
    assert!(
        format!("{error:#?}").contains(&format!("kind: {:?}", error.kind())),
        "the parts are in the alternate form"
    );
}

/// The error of a declare that the broker closes the channel over.
async fn refused(code: ReplyCode, text: &str) -> Error {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let script = async {
        peer.expect::<queue::Declare>(1).await;
        let close = channel::Close::default().reply_code(code).reply_text(text);
        peer.send(1, close.class_id(50).method_id(10)).await;
    };
    tokio::join!(channel.queue_declare("q"), script).0.unwrap_err()
}

/// The error of an open that the broker refuses once it has the virtual host.
async fn refused_open(parameters: ConnectionParameters, code: ReplyCode, text: &str) -> Error {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let script = async {
        peer.expect_protocol_header().await;
        peer.send(0, start("PLAIN")).await;
        peer.expect::<connection::StartOk>(0).await;
        peer.send(0, tune()).await;
        peer.expect::<connection::TuneOk>(0).await;
        peer.expect::<connection::Open>(0).await;
        peer.send(0, connection::Close::default().reply_code(code).reply_text(text)).await;
    };
    tokio::join!(Connection::open_on(transport, parameters), script).0.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn main_that_returns_an_error_prints_what_happened_and_what_to_do() {
    let error = refused(ReplyCode::NOT_FOUND, "NOT_FOUND - no queue 'q' in vhost '/'").await;
    let line =
        "channel 1: closed by the broker with 404 NOT_FOUND: no queue 'q' in vhost '/' (in answer to queue.declare)";
    assert_eq!(error.to_string(), line);
    let hint = "declare what is missing first; open another channel to go on";
    assert_eq!(error.hint().as_deref(), Some(hint));
    assert_eq!(format!("{error:?}"), format!("{line}\n  hint: {hint}"));
    assert_reads_well(&error);
}

#[tokio::test(start_paused = true)]
async fn what_a_broker_writes_is_shown_in_one_line_and_without_controls() {
    let (code, parameters) = (ReplyCode::INTERNAL_ERROR, parameters());
    for error in [refused(code, HOSTILE).await, refused_open(parameters.clone(), code, HOSTILE).await] {
        assert!(error.to_string().contains(HARMLESS), "{error}");
        assert_eq!(error.reply_text().as_deref(), Some(HOSTILE), "as it came");
        assert_reads_well(&error);
        for attempt in error.attempts() {
            assert!(attempt.to_string().contains(HARMLESS) && !format!("{attempt:?}").contains(char::is_control));
        }
    }
    let (transport, mut peer) = Peer::new(CAPACITY);
    let script = async {
        peer.expect_protocol_header().await;
        peer.send(0, start(HOSTILE)).await;
    };
    let (opened, ()) = tokio::join!(Connection::open_on(transport, parameters), script);
    let error = opened.unwrap_err();
    assert!(error.to_string().contains(HARMLESS), "{error}");
    assert_reads_well(&error);
}

#[tokio::test(start_paused = true)]
async fn events_show_a_brokers_words_without_controls() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let consuming = async {
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag(HOSTILE)).await;
        peer.send(1, basic::Cancel::default().consumer_tag(HOSTILE).no_wait(true)).await;
        peer.send(0, connection::Blocked::default().reason(HOSTILE)).await;
    };
    let (mut of_connection, mut of_channel) = (connection.events(), channel.events());
    let (consumer, ()) = tokio::join!(channel.consume("q").into_future(), consuming);
    let cancelled = of_channel.next().await.unwrap();
    assert!(matches!(&cancelled, ChannelEvent::ConsumerCancelled(tag) if *tag == HOSTILE), "as it came");
    let blocked = of_connection.next().await.unwrap();
    assert!(matches!(&blocked, ConnectionEvent::Blocked(reason) if reason == HOSTILE), "as it came");
    for shown in [cancelled.to_string(), blocked.to_string()] {
        assert!(shown.contains(HARMLESS), "{shown}");
    }
    let error = consumer.unwrap().next().await.unwrap().unwrap_err();
    for shown in [format!("{cancelled:?}"), format!("{blocked:?}"), format!("{error:?} {error}")] {
        assert!(!shown.replace("\n  hint: ", "").contains(char::is_control) && !shown.contains('\u{202e}'), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_consumer_names_its_causes_and_is_worth_a_retry() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let consuming = async {
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
        peer.send(1, basic::Cancel::default().consumer_tag("c").no_wait(true)).await;
    };
    let (consumer, ()) = tokio::join!(channel.consume("q").into_future(), consuming);
    let error = consumer.unwrap().next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConsumerCancelled);
    assert!(error.hint().unwrap().contains("consumer timeout") && error.is_retryable());
    assert_reads_well(&error);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_answered_names_its_parameter_once() {
    let parameters = parameters().call_timeout(Duration::from_secs(5));
    let (_connection, channel, _peer) = Peer::connect_channel(CAPACITY, parameters).await;
    let error = channel.queue_declare("q").await.unwrap_err();
    assert_eq!(error.to_string(), "no answer to queue.declare within call_timeout");
    assert_eq!(format!("{error:?}").matches("_timeout").count(), 1, "{error:?}");
    assert_reads_well(&error);
}

#[test]
fn a_call_waits_longer_than_the_broker_waits_for_a_node_that_is_gone() {
    let timeout = ConnectionParameters::default().call_timeout.unwrap();
    assert!(timeout > Duration::from_secs(66), "RabbitMQ answers after 65.4 s at most: {timeout:?}");
}

#[tokio::test(start_paused = true)]
async fn what_passes_by_itself_is_worth_a_retry_when_it_is_met_at_the_open_too() {
    let limit = "NOT_ALLOWED - connection refused: node connection limit (10) is reached";
    let down = "INTERNAL_ERROR - access to vhost '/' refused for user 'guest': vhost '/' is down";
    for (code, text) in [(ReplyCode::NOT_ALLOWED, limit), (ReplyCode::INTERNAL_ERROR, down)] {
        let error = refused_open(parameters(), code, text).await;
        assert!(error.is_retryable() && error.attempts()[0].is_retryable(), "{error}");
        assert!(error.hint().is_some_and(|hint| !hint.contains("exists")), "{error:?}");
        assert_reads_well(&error);
    }
    let missing = refused_open(parameters(), ReplyCode::NOT_ALLOWED, "NOT_ALLOWED - vhost shop not found").await;
    assert!(!missing.is_retryable() && missing.is_access_refused(), "{missing}");
}

#[tokio::test(start_paused = true)]
async fn an_empty_virtual_host_is_called_so_and_the_default_one_is_spelled() {
    let error =
        refused_open(parameters().virtual_host(""), ReplyCode::NOT_ALLOWED, "NOT_ALLOWED - vhost  not found").await;
    let hint = error.hint().unwrap();
    assert!(hint.contains("empty") && hint.contains("%2F"), "{hint}");
}

#[tokio::test(start_paused = true)]
async fn a_frame_max_that_the_broker_does_not_take_is_a_wrong_parameter_and_said_at_once() {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let script = async {
        peer.expect_protocol_header().await;
        let properties = [("product", FieldValue::from("RabbitMQ")), ("version", FieldValue::from("4.3.6"))];
        peer.send(0, start("PLAIN").server_properties(FieldTable::from(properties))).await;
        peer.expect::<connection::StartOk>(0).await;
        peer.send(0, tune()).await;
        peer.expect_end().await;
    };
    let began = tokio::time::Instant::now();
    let opening = async {
        let opened = Connection::open_on(transport, parameters().frame_max(4096)).await;
        (opened.unwrap_err(), began.elapsed())
    };
    let ((error, took), ()) = tokio::join!(opening, script);
    assert_eq!((error.kind(), took), (ErrorKind::Parameters, Duration::ZERO), "{error}");
    assert!(error.to_string().contains("frame_max is 4096") && error.to_string().contains("8192"), "{error}");
    assert!(error.is_not_sent() && !error.is_retryable());
    assert_reads_well(&error);
}

/// What a provider fails with.
#[derive(Debug)]
struct TokenServerIsAway(io::Error);

impl std::fmt::Display for TokenServerIsAway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the token server\nis away")
    }
}

impl StdError for TokenServerIsAway {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_chain_goes_on_behind_the_error_of_somebody_else_which_is_at_hand() {
    let credentials = Credentials::provided_by(|| async {
        Err::<Provided, _>(TokenServerIsAway(io::Error::new(io::ErrorKind::ConnectionRefused, "no route to it")).into())
    });
    let (transport, _peer) = Peer::new(CAPACITY);
    let error = Connection::open_on(transport, parameters().credentials(credentials)).await.unwrap_err();
    assert!(error.to_string().ends_with(r"no credentials: the token server\nis away"), "{error}");
    assert_eq!(chain(&error)[1..], ["no route to it"]);
    assert_reads_well(&error);
    let attempt: &Attempt = error.get_ref().unwrap().downcast_ref().unwrap();
    assert!(attempt.get_ref().unwrap().is::<TokenServerIsAway>());
}

#[tokio::test]
async fn every_error_of_the_clients_own_reads_well() {
    let wrong = Connection::open("amqp://localhost?heartbaet=5").await.unwrap_err();
    assert!(wrong.get_ref().unwrap().is::<ParametersError>());
    let undecodable = Error::from(DecodeError::unknown_method(60, 9));
    assert!(undecodable.get_ref().unwrap().is::<DecodeError>());
    let (connection, mut peer) = Peer::connect(CAPACITY, parameters().channel_max(1)).await;
    let (channel, ()) = tokio::join!(connection.open_channel(), peer.open_channel(1));
    let channel = channel.unwrap();
    let exhausted = connection.open_channel().await.unwrap_err();
    let unencodable = channel.queue_declare("q".repeat(256)).await.unwrap_err();
    let unanswered = channel.call(queue::Declare::default().no_wait(true)).await.unwrap_err();
    let answered = channel.send(queue::Declare::default()).await.unwrap_err();
    peer.send(1, queue::DeclareOk::default()).await;
    let agreeing = async {
        assert_eq!(peer.expect::<connection::Close>(0).await.reply_code, ReplyCode::COMMAND_INVALID);
        peer.send(0, connection::CloseOk::default()).await;
    };
    let (violated, ()) = tokio::join!(connection.closed(), agreeing);
    let later = channel.queue_declare("q").await.unwrap_err();
    let lost = {
        let (connection, mut peer) = Peer::connect(CAPACITY, parameters()).await;
        peer.end().await;
        connection.closed().await
    };
    let refused = Connection::open("amqp://127.0.0.1:1").await.unwrap_err();
    assert!(refused.hint().is_some());
    for error in [wrong, undecodable, exhausted, unencodable, unanswered, answered, violated, later, lost, refused] {
        assert_reads_well(&error);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_names_the_fate_of_its_request() {
    let error = refused(ReplyCode::NOT_FOUND, "NOT_FOUND - no queue 'q' in vhost '/'").await;
    assert_eq!((error.fate(), Fate::Refused.as_str()), (Some(Fate::Refused), "refused"));
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let script = async {
        peer.expect::<queue::Declare>(1).await;
        peer.end().await;
    };
    let lost = tokio::join!(channel.queue_declare("q"), script).0.unwrap_err();
    assert!(lost.fate() == Some(Fate::Unknown) && lost.is_unknown() && !lost.is_not_sent(), "{lost}");
    let later = channel.queue_declare("q").await.unwrap_err();
    assert!(later.fate() == Some(Fate::NotSent) && later.is_not_sent() && !later.is_unknown(), "{later}");
    assert_eq!(connection.closed().await.fate(), None, "nothing was asked");
}

#[tokio::test]
async fn an_error_goes_into_the_errors_of_others() {
    let refused = Connection::open("amqp://127.0.0.1:1").await.unwrap_err();
    let io = io::Error::from(refused.clone());
    assert_eq!((io.kind(), io.to_string()), (io::ErrorKind::ConnectionRefused, refused.to_string()));
    assert!(io.get_ref().unwrap().is::<Error>(), "it is in there");
    let boxed: Box<dyn StdError + Send + Sync> = refused.into();
    assert!(boxed.is::<Error>());
}
