//! The misbehaving broker: a table of what it does where, and what the client makes of it, said and
//! done.
//!
//! Each row is played in virtual time against a client that is about something. It asserts both
//! sides: what the client's caller gets, with its kind, initiator, code and fate; and what the
//! client says to the peer, be it nothing.

mod case;
mod closes;
mod content;
mod frames;
mod handshakes;
mod late;
mod methods;
mod octets;
mod order;
mod script;
mod silence;

use std::collections::BTreeSet;
use std::time::Duration;

use leveret::protocol::{Method, channel, connection};
use leveret::{ConnectionParameters, ErrorKind, Initiator, ReplyCode, Result};
use leveret_test_support::{Peer, Received, start, tune};
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::staged::Client;
use case::{Case, Does, Failed, Outcome, Reaction, Says};
use script::{lead_to, oblige};

pub(crate) use case::When;
pub(crate) use script::BODY;

/// How long a connection is watched on which nobody waits for anything.
pub(crate) const WATCHED: Duration = Duration::from_secs(30);

const CAPACITY: usize = 512 * 1024;

/// Virtual time in which every case is over. What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(3600);

/// How late the client may hear, which includes the second for which the peer listens for what
/// should not come.
const SOON: Duration = Duration::from_millis(1500);

/// Rows that there are at least.
const ROWS: usize = 600;

/// Plays a table, and tells of every row that went otherwise than expected.
async fn play(table: Vec<Case>) {
    let mut wrong = Vec::new();
    for case in table {
        let (name, at) = (case.name.clone(), case.when);
        // Not every client can be sent to another thread.
        let local = LocalSet::new();
        let playing = local.spawn_local(play_one(case));
        let abort = playing.abort_handle();
        match tokio::time::timeout(LIMIT, local.run_until(playing)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => wrong.push(format!("{at:?}: {name}: {}", said(error))),
            Err(_) => wrong.push(format!("{at:?}: {name}: it hangs")),
        }
        abort.abort();
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

/// What a task said when it panicked.
fn said(error: tokio::task::JoinError) -> String {
    let panic = error.into_panic();
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

async fn play_one(case: Case) {
    let Played { outcome, waited, client, mut peer } =
        if case.when.is_handshake() { shake_hands(&case).await } else { live(&case).await };
    let outcome = match outcome {
        Ok(()) => Outcome::Succeeds,
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains("bug"), "a failure of the client's own: {text}");
            assert!(error.is_authentication() || !text.contains("credentials"), "misleading: {text}");
            Outcome::Fails(Failed::of(&error))
        }
    };
    assert_eq!(outcome, case.outcome);
    let due = limit_of(&case);
    assert!((due..due + SOON).contains(&waited), "the client heard after {waited:?}, due was {due:?}");
    let Some(mut client) = client else { return };
    if case.says == Says::GoesOn && case.when != When::Closing {
        assert!(client.is_open());
        prove_alive(&client, &mut peer).await;
    } else {
        assert!(!client.is_open());
        client.hear_ends().await;
    }
}

/// What came of a case.
struct Played {
    outcome: Result<()>,
    /// How long the client was about it.
    waited: Duration,
    client: Option<Client>,
    peer: Peer,
}

/// A handshake in which the peer misbehaves.
async fn shake_hands(case: &Case) -> Played {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let opening = timed(Client::open(transport, parameters_of(case)));
    let ((opened, waited), ()) = tokio::join!(opening, misbehave(case, &mut peer));
    let (outcome, client) = match opened {
        Ok(client) => (Ok(()), Some(client)),
        Err(error) => (Err(error), None),
    };
    Played { outcome, waited, client, peer }
}

/// A connection on which the peer misbehaves once it is open.
async fn live(case: &Case) -> Played {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let (opened, ()) = tokio::join!(Client::open(transport, parameters_of(case)), peer.shake_hands());
    let mut client = opened.expect("the handshake succeeds");
    client.prepare(case.when, &mut peer).await;
    let ((outcome, waited), ()) = tokio::join!(timed(client.act(case.when)), misbehave(case, &mut peer));
    Played { outcome, waited, client: Some(client), peer }
}

async fn timed<T>(doing: impl Future<Output = T>) -> (T, Duration) {
    let before = Instant::now();
    (doing.await, before.elapsed())
}

const OPEN_TIMEOUT: Duration = Duration::from_secs(3);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
const BLOCKED_TIMEOUT: Duration = Duration::from_secs(40);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(50);
const HEARTBEAT: u16 = 10;

/// No heartbeats, and no prefetch that nobody asked for.
fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().heartbeat(0).default_prefetch(0)
}

/// A limit to every wait; heartbeats only where the peer is to miss them, and then sooner than
/// those limits.
fn parameters_of(case: &Case) -> ConnectionParameters {
    match case.does {
        Does::MissesHeartbeats => parameters().heartbeat(HEARTBEAT).call_timeout(LIMIT).close_timeout(LIMIT),
        _ => parameters()
            .open_timeout(OPEN_TIMEOUT)
            .call_timeout(CALL_TIMEOUT)
            .close_timeout(CLOSE_TIMEOUT)
            .blocked_connection_timeout(BLOCKED_TIMEOUT),
    }
}

/// When the client has to hear of the outcome: at its limit where time decides, else soon.
fn limit_of(case: &Case) -> Duration {
    match (&case.outcome, case.when) {
        (Outcome::Fails(failed), at) if failed.kind == ErrorKind::TimedOut => match at {
            When::Closing => CLOSE_TIMEOUT,
            at if at.is_handshake() => OPEN_TIMEOUT,
            _ => CALL_TIMEOUT,
        },
        _ if matches!(case.does, Does::MissesHeartbeats) => Duration::from_secs(2 * u64::from(HEARTBEAT)),
        // The client's own decision, and no violation: the one that is left.
        (Outcome::Fails(Failed { kind: ErrorKind::ConnectionClosed, initiator: Some(Initiator::Client), .. }), _) => {
            BLOCKED_TIMEOUT
        }
        (Outcome::Succeeds, When::Open) => WATCHED,
        _ => Duration::ZERO,
    }
}

/// The peer's part: well up to the stage, then not, then well again where that makes a difference.
async fn misbehave(case: &Case, peer: &mut Peer) {
    lead_to(case.when, peer).await;
    match &case.does {
        Does::Sends(octets) => peer.send_octets(octets).await,
        Does::Drips(octets) => {
            for octet in octets {
                peer.send_octets(&[*octet]).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Does::Ends(octets) => {
            peer.send_octets(octets).await;
            peer.end().await;
        }
        Does::Nothing | Does::MissesHeartbeats => {}
    }
    listen(case, peer).await;
    if case.then_obliges {
        oblige(case.when, peer).await;
    }
}

/// The client says what is expected and nothing else.
async fn listen(case: &Case, peer: &mut Peer) {
    for answer in &case.answers {
        let (channel, method) = peer.expect_method().await;
        assert_eq!((channel, method.name()), *answer);
    }
    match &case.says {
        Says::GoesOn => return peer.expect_silence().await,
        Says::Close(code, blamed) => {
            let close = peer.expect::<connection::Close>(0).await;
            let said = (close.reply_code, (close.class_id, close.method_id));
            assert_eq!(said, (*code, *blamed), "{}", close.reply_text);
            react(case.reaction, peer).await;
        }
        Says::CloseOk => {
            peer.expect::<connection::CloseOk>(0).await;
        }
        Says::Ends => {}
    }
    loop {
        match peer.receive().await {
            Some(Received::Heartbeat) => {}
            None => break,
            Some(other) => panic!("expected the end of the stream, got {other:?}"),
        }
    }
}

async fn react(reaction: Reaction, peer: &mut Peer) {
    match reaction {
        Reaction::Agrees => peer.send(0, connection::CloseOk::default()).await,
        Reaction::Ignores => {}
        Reaction::Closes => {
            peer.send(0, connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED)).await;
            peer.expect::<connection::CloseOk>(0).await;
        }
    }
}

/// A connection that goes on opens another channel.
async fn prove_alive(client: &Client, peer: &mut Peer) {
    let script = async {
        let (number, method) = peer.expect_method().await;
        assert!(matches!(method, Method::ChannelOpen(_)), "{method:?}");
        peer.send(number, channel::OpenOk::default()).await;
    };
    let (opened, ()) = tokio::join!(client.open_another_channel(), script);
    assert!(opened.unwrap());
}

fn tables() -> [Vec<Case>; 8] {
    [
        handshakes::table(),
        frames::table(),
        methods::table(),
        content::table(),
        order::table(),
        late::table(),
        silence::table(),
        closes::table(),
    ]
}

#[test]
fn the_table_does_not_shrink() {
    let mut names = BTreeSet::new();
    for Case { when, name, .. } in tables().into_iter().flatten() {
        assert!(names.insert(format!("{when:?}: {name}")), "{when:?}: {name}: each row has a name of its own");
    }
    assert!(names.len() >= ROWS, "{} rows", names.len());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_within_a_frame_of_the_handshake_is_an_error_of_the_transport() {
    let steps = [
        (When::Start, octets::method(0, start("AMQPLAIN PLAIN"))),
        (When::Tune, octets::method(0, tune())),
        (When::OpenOk, octets::method(0, connection::OpenOk::default())),
    ];
    for (at, octets) in steps {
        for len in 1..octets.len() {
            let (transport, mut peer) = Peer::new(CAPACITY);
            let script = async {
                lead_to(at, &mut peer).await;
                peer.send_octets(&octets[..len]).await;
                peer.end().await;
                peer.expect_end().await;
            };
            let opening = Client::open(transport, parameters());
            let both = async { tokio::join!(opening, script) };
            let (opened, ()) = LocalSet::new().run_until(both).await;
            let error = opened.err().expect("it fails");
            // Neither the credentials nor the virtual host can be to blame for half of an answer.
            assert_eq!(error.kind(), ErrorKind::Io, "{at:?}: {len} octets: {error:?}");
            assert!(error.is_retryable() && error.is_not_sent(), "{at:?}: {len} octets: {error:?}");
        }
    }
}
