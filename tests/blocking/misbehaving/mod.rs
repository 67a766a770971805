//! The misbehaving broker once more, for the blocking API: the table of the async API's tests,
//! played over sockets on threads, in real time.
//!
//! Each row asserts both sides, as there. What only time shows, such as silence, is shown by what
//! comes next: the rows are played many at a time, with short deadlines.

#[path = "../../asynchronous/misbehaving/case.rs"]
mod case;
#[path = "../../asynchronous/misbehaving/closes.rs"]
mod closes;
#[path = "../../asynchronous/misbehaving/content.rs"]
mod content;
#[path = "../../asynchronous/misbehaving/frames.rs"]
mod frames;
#[path = "../../asynchronous/misbehaving/handshakes.rs"]
mod handshakes;
#[path = "../../asynchronous/misbehaving/late.rs"]
mod late;
#[path = "../../asynchronous/misbehaving/methods.rs"]
mod methods;
#[path = "../../asynchronous/misbehaving/octets.rs"]
mod octets;
#[path = "../../asynchronous/misbehaving/order.rs"]
mod order;
#[path = "../../asynchronous/misbehaving/script.rs"]
mod script;
#[path = "../../asynchronous/misbehaving/silence.rs"]
mod silence;
mod stage;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use leveret::blocking::Connection;
use leveret::protocol::{Method, basic, channel, confirm, connection};
use leveret::{ConnectionParameters, ErrorKind, Initiator, ReplyCode, Result};
use leveret_test_support::Received;

use self::case::{Case, Does, Failed, Outcome, Reaction, Says, When};
use self::script::{lead_to, oblige};
use self::stage::Client;
use crate::client::{SocketPeer, peer};
use crate::within::{PATIENCE, within};

/// Octets of a pipe.
const CAPACITY: usize = 512 * 1024;

/// Rows that are played at a time.
const AT_A_TIME: usize = 24;

/// Plays a table, and reports every row that went otherwise than expected.
async fn play(table: Vec<Case>) {
    // They are played on threads: nothing is awaited here.
    std::future::ready(()).await;
    let (rows, wrong) = (Mutex::new(table.into_iter()), Mutex::new(Vec::new()));
    let next = || rows.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = next() {
                    let (name, at) = (case.name.clone(), case.when);
                    let playing = || within(2 * PATIENCE, move || play_one(case));
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(playing)) {
                        wrong.lock().unwrap().push(format!("{at:?}: {name}: {}", said(&*panic)));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

/// What a thread said when it panicked.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// The peer's part of what comes before the request of the stage.
async fn prepare(when: When, peer: &mut SocketPeer) {
    if when == When::ChannelOpening {
        return;
    }
    peer.open_channel(1).await;
    match when {
        When::Subscribing | When::Consuming | When::HeaderDue | When::BodyDue | When::BodyBegun => {
            peer.expect::<basic::Consume>(1).await;
            peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
        }
        When::Confirming => {
            peer.expect::<confirm::Select>(1).await;
            peer.send(1, confirm::SelectOk::default()).await;
        }
        _ => {}
    }
}

fn play_one(case: Case) {
    let case = Arc::new(case);
    let misbehaving = Arc::clone(&case);
    let (parameters, script) = peer(async move |mut peer: SocketPeer| {
        if !misbehaving.when.is_handshake() {
            peer.shake_hands().await;
            prepare(misbehaving.when, &mut peer).await;
        }
        misbehave(&misbehaving, &mut peer).await;
        if misbehaving.goes_on() {
            oblige_once_more(&mut peer).await;
        }
    });
    let (outcome, waited, client) = act(&case, parameters_of(&case, parameters));
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
    assert!((due..due + PATIENCE).contains(&waited), "the client heard after {waited:?}, due was {due:?}");
    if let Some(mut client) = client {
        if case.goes_on() {
            // The peer hears nothing before it.
            assert!(client.connection.open_channel().unwrap().is_open());
        } else {
            let ended = client.connection.wait_closed();
            assert!(!client.connection.is_open(), "{ended}");
            client.hear_ends();
        }
    }
    script.end();
}

/// What came of it, how long the client was about it, and its handles.
fn act(case: &Case, parameters: ConnectionParameters) -> (Result<()>, Duration, Option<Client>) {
    let before = Instant::now();
    let opened = Connection::open(parameters);
    let opening = before.elapsed();
    let mut client = match opened {
        Ok(connection) => Client::new(connection),
        Err(error) => return (Err(error), opening, None),
    };
    if case.when.is_handshake() {
        return (Ok(()), opening, Some(client));
    }
    client.prepare(case.when);
    let before = Instant::now();
    let outcome = client.act(case.when, case.outcome != Outcome::Succeeds);
    (outcome, before.elapsed(), Some(client))
}

const OPEN_TIMEOUT: Duration = Duration::from_millis(500);
const CALL_TIMEOUT: Duration = Duration::from_millis(500);
const BLOCKED_TIMEOUT: Duration = Duration::from_millis(700);
const CLOSE_TIMEOUT: Duration = Duration::from_millis(900);
const HEARTBEAT: u16 = 1;

/// Where an octet comes at a time: several within any of these limits.
const DRIP: Duration = Duration::from_millis(100);

/// A limit to every wait that the row is about, and none that a slow machine could reach to others;
/// heartbeats only where the peer is to miss them.
fn parameters_of(case: &Case, parameters: ConnectionParameters) -> ConnectionParameters {
    if matches!(case.does, Does::MissesHeartbeats) {
        return parameters.heartbeat(HEARTBEAT).call_timeout(PATIENCE).close_timeout(PATIENCE);
    }
    match (&case.outcome, case.when) {
        (Outcome::Fails(failed), at) if failed.kind == ErrorKind::TimedOut && at.is_handshake() => {
            parameters.open_timeout(OPEN_TIMEOUT)
        }
        (Outcome::Fails(failed), When::Closing) if failed.kind == ErrorKind::TimedOut => {
            parameters.close_timeout(CLOSE_TIMEOUT)
        }
        (Outcome::Fails(failed), _) if failed.kind == ErrorKind::TimedOut => parameters.call_timeout(CALL_TIMEOUT),
        (Outcome::Fails(failed), _) if is_given_up(failed) => parameters.blocked_connection_timeout(BLOCKED_TIMEOUT),
        // The client leaves by itself where the peer does not agree to its close.
        _ if case.reaction == Reaction::Ignores => parameters.close_timeout(CLOSE_TIMEOUT),
        _ => parameters,
    }
}

/// When the client has to hear of the outcome: at its limit where time decides, else at any time.
fn limit_of(case: &Case) -> Duration {
    match (&case.outcome, case.when) {
        (Outcome::Fails(failed), at) if failed.kind == ErrorKind::TimedOut => match at {
            When::Closing => CLOSE_TIMEOUT,
            at if at.is_handshake() => OPEN_TIMEOUT,
            _ => CALL_TIMEOUT,
        },
        _ if matches!(case.does, Does::MissesHeartbeats) => MISSED,
        // It was blocked before the client was about it.
        (Outcome::Fails(failed), _) if is_given_up(failed) => BLOCKED_TIMEOUT / 2,
        _ => Duration::ZERO,
    }
}

/// Two intervals without a heartbeat; they were counted from before the client was about it.
const MISSED: Duration = Duration::from_millis(2 * 1000 * HEARTBEAT as u64 - 500);

/// By the client's own decision, and for no violation.
fn is_given_up(failed: &Failed) -> bool {
    (failed.kind, failed.initiator) == (ErrorKind::ConnectionClosed, Some(Initiator::Client))
}

impl Case {
    /// The connection goes on after it.
    fn goes_on(&self) -> bool {
        self.says == Says::GoesOn && self.when != When::Closing
    }
}

/// The peer's part: well up to the stage, then not, then well again where that makes a difference.
async fn misbehave(case: &Case, peer: &mut SocketPeer) {
    lead_to(case.when, peer).await;
    match &case.does {
        Does::Sends(octets) => peer.send_octets(octets).await,
        Does::Drips(octets) => {
            for octet in octets {
                peer.send_octets(&[*octet]).await;
                thread::sleep(DRIP);
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
async fn listen(case: &Case, peer: &mut SocketPeer) {
    for answer in &case.answers {
        let (channel, method) = peer.expect_method().await;
        assert_eq!((channel, method.name()), *answer);
    }
    match &case.says {
        Says::GoesOn => return,
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

async fn react(reaction: Reaction, peer: &mut SocketPeer) {
    match reaction {
        Reaction::Agrees => peer.send(0, connection::CloseOk::default()).await,
        Reaction::Ignores => {}
        Reaction::Closes => {
            peer.send(0, connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED)).await;
            peer.expect::<connection::CloseOk>(0).await;
        }
    }
}

/// A connection that goes on opens another channel, and the client says nothing before that.
async fn oblige_once_more(peer: &mut SocketPeer) {
    let (number, method) = peer.expect_method().await;
    assert!(matches!(method, Method::ChannelOpen(_)), "{method:?}");
    peer.send(number, channel::OpenOk::default()).await;
    // The client's handles go, and it with them.
    while let Some(received) = peer.receive().await {
        if matches!(received, Received::Method(0, Method::ConnectionClose(_))) {
            peer.send(0, connection::CloseOk::default()).await;
        }
    }
}
