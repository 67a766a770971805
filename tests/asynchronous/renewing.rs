//! Credentials that are fetched, forgotten after use, and renewed before they expire, in virtual
//! time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leveret::config::{
    ConnectionParameters, Credentials, Exchange, Mechanism, MechanismError, Provided, Secret, SecretOctets,
};
use leveret::protocol::connection;
use leveret::{Connection, ConnectionEvent, ErrorKind, Phase, ReplyCode};
use leveret_test_support::{Peer, Received, start, tune};
use tokio::time::Instant;

use super::client::{Connect as _, connect_obliged, parameters};

const CAPACITY: usize = 64 * 1024;
const HOUR: Duration = Duration::from_secs(3600);

/// What a provider does each time that it is asked, in order; the last one again and again.
#[derive(Clone, Copy)]
enum Has {
    Token(Duration),
    LastingToken,
    Nothing,
    NoTime,
}

/// Credentials of a provider with numbered tokens, and how often it was asked.
fn provided(script: &'static [Has]) -> (Credentials, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let credentials = Credentials::provided_by(move || {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        let has = script.get(number).or(script.last()).copied();
        async move {
            let token = Provided::from(Credentials::plain("", format!("token-{number}")));
            match has {
                Some(Has::Token(valid_for)) => Ok(token.valid_for(valid_for)),
                Some(Has::LastingToken) => Ok(token),
                Some(Has::Nothing) | None => Err("the token server is away".into()),
                Some(Has::NoTime) => std::future::pending().await,
            }
        }
    });
    (credentials, asked)
}

/// Shakes hands; gives the response of the credentials.
async fn response_in_handshake(peer: &mut Peer) -> String {
    peer.expect_protocol_header().await;
    peer.send(0, start("PLAIN")).await;
    let ok = peer.expect::<connection::StartOk>(0).await;
    peer.send(0, tune()).await;
    peer.expect::<connection::TuneOk>(0).await;
    peer.expect::<connection::Open>(0).await;
    peer.send(0, connection::OpenOk::default()).await;
    ok.response.to_string()
}

async fn connect(credentials: Credentials) -> (Connection, Peer, String) {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let opening = Connection::open_on(transport, parameters().credentials(credentials));
    let (opened, response) = tokio::join!(opening, response_in_handshake(&mut peer));
    (opened.unwrap(), peer, response)
}

/// The next new secret that the client tells, which is answered.
async fn take_secret(peer: &mut Peer) -> String {
    let update = peer.expect::<connection::UpdateSecret>(0).await;
    assert!(!update.reason.is_empty());
    peer.send(0, connection::UpdateSecretOk::default()).await;
    update.new_secret.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_provider_is_asked_on_every_open_and_before_each_secret_expires() {
    let (credentials, asked) = provided(&[Has::Token(HOUR)]);
    let (connection, mut peer, response) = connect(credentials.clone()).await;
    assert_eq!(response, "\0\0token-0");
    let mut events = connection.events();
    let began = Instant::now();
    for number in 1..5 {
        assert_eq!(take_secret(&mut peer).await, format!("token-{number}"));
        assert_eq!(began.elapsed().as_secs(), number * 2880, "four fifths of an hour each time");
        assert!(matches!(events.next().await, Some(ConnectionEvent::SecretUpdated)));
    }
    let (_another, _peer, response) = connect(credentials).await;
    assert_eq!(response, "\0\0token-5");
    assert_eq!(asked.load(Ordering::Relaxed), 6);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_lasts_is_not_renewed() {
    let (credentials, asked) = provided(&[Has::Token(HOUR), Has::LastingToken]);
    let (_connection, mut peer, _) = connect(credentials).await;
    assert_eq!(take_secret(&mut peer).await, "token-1");
    tokio::time::sleep(100 * HOUR).await;
    peer.expect_silence().await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_fails_is_told_of_and_asked_again_before_the_secret_expires() {
    let (credentials, _) = provided(&[Has::Token(HOUR), Has::Nothing, Has::NoTime, Has::Token(HOUR)]);
    let (connection, mut peer, _) = connect(credentials).await;
    let mut events = connection.events();
    let began = Instant::now();
    assert_eq!(take_secret(&mut peer).await, "token-3");
    assert!(began.elapsed() < HOUR, "{:?}", began.elapsed());
    for expected in ["the token server is away", "no credentials within 10s"] {
        let event = events.next().await;
        assert!(matches!(&event, Some(ConnectionEvent::SecretNotUpdated(why)) if why.contains(expected)), "{event:?}");
    }
    assert!(matches!(events.next().await, Some(ConnectionEvent::SecretUpdated)));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_good_for_less_than_the_first_is_asked_for_again_in_its_own_time() {
    const MINUTE: Duration = Duration::from_secs(60);
    let (credentials, _) = provided(&[Has::Token(HOUR), Has::Token(MINUTE), Has::Nothing, Has::Token(HOUR)]);
    let (_connection, mut peer, _) = connect(credentials).await;
    assert_eq!(take_secret(&mut peer).await, "token-1");
    let told = Instant::now();
    assert_eq!(take_secret(&mut peer).await, "token-3");
    assert!(told.elapsed() < MINUTE, "{:?}", told.elapsed());
}

#[tokio::test(start_paused = true)]
async fn credentials_of_a_provider_that_cannot_be_sent_are_refused_before_a_word_of_them_is() {
    let nul_within = Credentials::provided_by(async || Ok(Credentials::plain("u\0admin", "p").into()));
    let (transport, mut peer) = Peer::new(CAPACITY);
    let opening = Connection::open_on(transport, parameters().credentials(nul_within));
    let (opened, ()) = tokio::join!(opening, peer.expect_end());
    let error = opened.unwrap_err();
    assert!(error.is_authentication() && error.to_string().contains("a NUL cannot be sent"), "{error}");
    assert!(!error.is_retryable());
    assert_eq!(error.attempts()[0].phase(), Phase::Credentials);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_panics_is_told_of_and_harms_nothing_else() {
    let asked = AtomicUsize::new(0);
    let credentials = Credentials::provided_by(move || {
        assert!(asked.fetch_add(1, Ordering::Relaxed) == 0, "this is the panic of a provider");
        async { Ok(Provided::from(Credentials::plain("u", "p")).valid_for(HOUR)) }
    });
    let (connection, _peer, _) = connect(credentials).await;
    let event = connection.events().next().await;
    assert!(matches!(&event, Some(ConnectionEvent::SecretNotUpdated(why)) if why.contains("panicked")), "{event:?}");
    assert!(connection.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_gives_a_provider_gives_no_credentials() {
    let (inner, _) = provided(&[Has::LastingToken]);
    let credentials = Credentials::provided_by(move || {
        let inner = inner.clone();
        async move { Ok(Provided::from(inner)) }
    });
    let (transport, _peer) = Peer::new(CAPACITY);
    let error = Connection::open_on(transport, parameters().credentials(credentials)).await.unwrap_err();
    assert!(error.is_authentication() && error.to_string().contains("another provider"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn renewing_ends_with_the_connection() {
    let (credentials, asked) = provided(&[Has::Token(HOUR)]);
    let (connection, mut peer, _) = connect(credentials).await;
    let (closed, ()) = tokio::join!(connection.close(), peer.agree_to_close());
    closed.unwrap();
    tokio::time::sleep(100 * HOUR).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn renewing_keeps_no_connection_open() {
    let (credentials, _) = provided(&[Has::Token(HOUR)]);
    let (connection, mut peer, _) = connect(credentials).await;
    drop(connection);
    peer.agree_to_close().await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_without_credentials_fails_the_open_with_its_own_words() {
    for (has, kind) in [(Has::Nothing, ErrorKind::Authentication), (Has::NoTime, ErrorKind::TimedOut)] {
        let script: &[Has] = if matches!(has, Has::Nothing) { &[Has::Nothing] } else { &[Has::NoTime] };
        let (credentials, _) = provided(script);
        let (transport, mut peer) = Peer::new(CAPACITY);
        let error = Connection::open_on(transport, parameters().credentials(credentials)).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()[0].phase()), (kind, Phase::Credentials), "{error}");
        peer.expect_end().await;
        if kind == ErrorKind::Authentication {
            assert!(error.to_string().contains("the token server is away"), "{error}");
            let words = error.attempts()[0].get_ref().unwrap();
            assert_eq!(words.to_string(), "the token server is away");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_was_erased_is_never_told_as_an_empty_one() {
    // The provider has one password, which the open makes everybody forget.
    let only = Credentials::plain("u", "hunter2").erase_on_connect(true);
    let credentials = Credentials::provided_by(move || {
        let provided = Provided::from(only.clone()).valid_for(HOUR);
        async move { Ok(provided) }
    });
    let (connection, mut peer, _) = connect(credentials).await;
    let event = connection.events().next().await;
    assert!(matches!(&event, Some(ConnectionEvent::SecretNotUpdated(why)) if why.contains("erased")), "{event:?}");

    let erased = Secret::from("hunter2");
    erased.erase();
    let error = connection.update_secret(erased, "it is time").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.is_not_sent(), "{error:?}");
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_updated_by_hand_and_refused_by_a_close() {
    let (connection, mut peer) = Peer::connect(CAPACITY, parameters()).await;
    let script = async {
        assert_eq!(take_secret(&mut peer).await, "fresh");
        peer.expect::<connection::UpdateSecret>(0).await;
        let close = connection::Close::default().reply_code(ReplyCode::NOT_ALLOWED).reply_text("no");
        peer.send(0, close.class_id(10).method_id(70)).await;
    };
    let client = async {
        connection.update_secret("fresh", "it is time").await.unwrap();
        let error = connection.update_secret("stale", "it is time").await.unwrap_err();
        assert_eq!(
            (error.reply_code(), error.method()),
            (Some(ReplyCode::NOT_ALLOWED), Some("connection.update-secret"))
        );
    };
    tokio::join!(client, script);
}

/// Whether a password is there to be sent, once an open is over that ended so.
async fn is_forgotten_after(erase: bool, end: impl AsyncFnOnce(&mut Peer)) -> bool {
    let credentials = Credentials::plain("u", "hunter2").erase_on_connect(erase);
    let kept = credentials.clone();
    let (transport, mut peer) = Peer::new(CAPACITY);
    let opening = Connection::open_on(transport, parameters().credentials(credentials));
    let (_opened, ()) = tokio::join!(opening, end(&mut peer));
    kept.password().is_erased()
}

#[tokio::test(start_paused = true)]
async fn a_password_is_forgotten_after_use_where_that_is_asked_for() {
    let agrees = async |peer: &mut Peer| peer.shake_hands().await;
    let refuses = async |peer: &mut Peer| {
        peer.expect_protocol_header().await;
        peer.send(0, start("PLAIN")).await;
        peer.expect::<connection::StartOk>(0).await;
        peer.send(0, connection::Close::default().reply_code(ReplyCode::ACCESS_REFUSED)).await;
    };
    let offers_nothing = async |peer: &mut Peer| {
        peer.expect_protocol_header().await;
        peer.send(0, start("EXTERNAL")).await;
    };
    assert!(is_forgotten_after(true, agrees).await);
    assert!(is_forgotten_after(true, refuses).await);
    assert!(!is_forgotten_after(true, offers_nothing).await, "it was not used");
    assert!(!is_forgotten_after(false, agrees).await);
}

#[tokio::test(start_paused = true)]
async fn a_password_is_forgotten_however_an_open_that_used_it_is_cut_off() {
    let limit = Duration::from_secs(3);
    let unlimited = || parameters().handshake_timeout(None).stack_timeout(None);
    let cut_off = [
        unlimited().handshake_timeout(limit),
        unlimited().stack_timeout(limit),
        unlimited().open_timeout(limit),
        unlimited(),
    ];
    for parameters in cut_off {
        let credentials = Credentials::plain("u", "hunter2").erase_on_connect(true);
        let kept = credentials.clone();
        let (transport, mut peer) = Peer::new(CAPACITY);
        let opening = Connection::open_on(transport, parameters.credentials(credentials));
        let falls_silent = async {
            peer.expect_protocol_header().await;
            peer.send(0, start("PLAIN")).await;
            peer.expect::<connection::StartOk>(0).await;
            tokio::time::sleep(HOUR).await;
        };
        tokio::select! {
            biased;
            opened = opening => assert!(opened.unwrap_err().is_timeout()),
            () = falls_silent => {} // The open is dropped.
        }
        assert!(kept.password().is_erased());
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_with_a_forgotten_password_says_so() {
    let parameters = ConnectionParameters::from_url("amqp://u:p@h?erase_on_connect=true").unwrap();
    let (transport, mut peer) = Peer::new(CAPACITY);
    let (opened, ()) = tokio::join!(Connection::open_on(transport, parameters.clone()), peer.shake_hands());
    opened.unwrap();
    let (transport, mut peer) = Peer::new(CAPACITY);
    let script = async {
        peer.expect_protocol_header().await;
        peer.send(0, start("PLAIN")).await;
        peer.expect_end().await;
    };
    let (opened, ()) = tokio::join!(Connection::open_on(transport, parameters), script);
    let error = opened.unwrap_err();
    assert!(error.is_authentication() && error.to_string().contains("erase_on_connect"), "{error}");
}

/// A mechanism that answers challenges, and remembers them.
#[derive(Clone, Default)]
struct Challenged(Arc<Mutex<Vec<String>>>);

impl Mechanism for Challenged {
    fn name(&self) -> &str {
        "X-CHALLENGED"
    }

    fn begin(&self) -> Box<dyn Exchange> {
        let seen = Arc::clone(&self.0);
        Box::new(move |challenge: Option<&[u8]>| -> Result<SecretOctets, MechanismError> {
            let challenge = challenge.map(|octets| String::from_utf8_lossy(octets).into_owned()).unwrap_or_default();
            let answer = format!("answer to {challenge:?}");
            seen.lock().unwrap().push(challenge);
            Ok(answer.as_str().into())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_mechanism_of_ones_own_answers_several_rounds() {
    let mechanism = Challenged::default();
    let (transport, mut peer) = Peer::new(CAPACITY);
    let script = async {
        peer.expect_protocol_header().await;
        peer.send(0, start("PLAIN X-CHALLENGED")).await;
        let ok = peer.expect::<connection::StartOk>(0).await;
        assert_eq!((ok.mechanism, ok.response), ("X-CHALLENGED".into(), "answer to \"\"".into()));
        for challenge in ["one", "two", "three"] {
            peer.send(0, connection::Secure::default().challenge(challenge)).await;
            let ok = peer.expect::<connection::SecureOk>(0).await;
            assert_eq!(ok.response.to_string(), format!("answer to {challenge:?}"));
        }
        peer.send(0, tune()).await;
        peer.expect::<connection::TuneOk>(0).await;
        peer.expect::<connection::Open>(0).await;
        peer.send(0, connection::OpenOk::default()).await;
    };
    let credentials = Credentials::mechanism(mechanism.clone()).or(Credentials::default());
    let opening = Connection::open_on(transport, parameters().credentials(credentials));
    let (opened, ()) = tokio::join!(opening, script);
    opened.unwrap();
    assert_eq!(*mechanism.0.lock().unwrap(), ["", "one", "two", "three"]);
}

#[tokio::test(start_paused = true)]
async fn challenges_without_an_end_are_ended_by_the_deadline() {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let script = async {
        peer.expect_protocol_header().await;
        peer.send(0, start("X-CHALLENGED")).await;
        while let Some(Received::Method(..)) = peer.receive().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
            peer.send(0, connection::Secure::default().challenge("again")).await;
        }
    };
    let credentials = Credentials::mechanism(Challenged::default());
    let opening = Connection::open_on(transport, parameters().credentials(credentials));
    let (opened, ()) = tokio::join!(opening, script);
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_on_its_way_when_the_connection_is_lost_leaves_nothing_behind() {
    let (credentials, asked) = provided(&[Has::Token(HOUR)]);
    let (connection, mut peer, _) = connect(credentials).await;
    peer.expect::<connection::UpdateSecret>(0).await;
    drop(peer);
    assert!(connection.closed().await.is_retryable());
    tokio::time::sleep(10 * HOUR).await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let (connection, heard) = connect_obliged(CAPACITY, parameters()).await;
    assert_eq!((connection.is_open(), heard.count("connection.update-secret")), (true, 0));
}
