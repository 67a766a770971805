//! Races on a network that does not exist, in virtual time: which address is tried when, and what
//! became of each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leveret_test_support::Peer;
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep};

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::{OverNetwork, open_over};
use super::*;
use crate::config::Endpoint;
use crate::driver::runtime::Network;
use crate::driver::supervise::Dialer;
use crate::driver::tokio::OnTokioRuntime;
use crate::error::{Attempt, ErrorKind};
use crate::transport::OnTokio;

/// What a broker does with whoever connects.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// Shakes hands.
    Obliges,
    /// Hangs up this long after the protocol header.
    HangsUpAfter(Duration),
    /// Says nothing.
    KeepsSilent,
}

/// A network whose names and brokers a test makes up.
#[derive(Default)]
struct Made {
    names: BTreeMap<&'static str, (Duration, Vec<SocketAddr>)>,
    /// What names are resolved to from the second time on.
    later: BTreeMap<&'static str, Vec<SocketAddr>>,
    brokers: BTreeMap<SocketAddr, (Duration, Does)>,
    log: Log,
}

/// What happened, with the milliseconds since the beginning.
#[derive(Clone)]
struct Log(Instant, Arc<Mutex<Vec<String>>>);

impl Default for Log {
    fn default() -> Self {
        Self(Instant::now(), Arc::default())
    }
}

impl Log {
    fn note(&self, what: &str, whom: &impl std::fmt::Display) {
        let at = self.0.elapsed().as_millis();
        self.1.lock().unwrap().push(format!("{at} {what} {whom}"));
    }

    /// Whether this has happened.
    fn has(&self, what: &str, whom: &str) -> bool {
        self.1.lock().unwrap().iter().any(|line| line.ends_with(&format!("{what} {whom}")))
    }

    /// All of it, once everybody has noticed what happened last.
    async fn taken(&self) -> Vec<String> {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        std::mem::take(&mut self.1.lock().unwrap())
    }
}

/// Notes when it is dropped.
struct Noted(Log, SocketAddr);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.note("gives up", &self.1.port());
    }
}

impl Made {
    /// A name, how long it takes to be resolved, and its addresses.
    fn name(mut self, name: &'static str, after: u64, addresses: &[SocketAddr]) -> Self {
        self.names.insert(name, (Duration::from_millis(after), addresses.to_vec()));
        self
    }

    /// Where a name has moved when it is resolved again.
    fn moves(mut self, name: &'static str, addresses: &[SocketAddr]) -> Self {
        self.later.insert(name, addresses.to_vec());
        self
    }

    /// An address that connects after this many milliseconds. All others are black holes.
    fn broker(mut self, address: SocketAddr, after: u64, does: Does) -> Self {
        self.brokers.insert(address, (Duration::from_millis(after), does));
        self
    }

    async fn open(&self, parameters: &ConnectionParameters) -> Result<SocketAddr, ConnectError> {
        open_over(self, parameters, None).await.map(address)
    }
}

impl Network for Made {
    type Runtime = OnTokioRuntime;
    type Stream = OnTokio<Wire>;

    fn runtime(&self) -> &OnTokioRuntime {
        &OnTokioRuntime
    }

    async fn resolve(&self, endpoint: &Endpoint, _: &ConnectionParameters) -> Result<Vec<SocketAddr>, ConnectCause> {
        if let Some(addresses) =
            self.later.get(endpoint.host.as_str()).filter(|_| self.log.has("resolve", &endpoint.host))
        {
            return Ok(addresses.clone());
        }
        self.log.note("resolve", &endpoint.host);
        match self.names.get(endpoint.host.as_str()) {
            Some((after, addresses)) => {
                sleep(*after).await;
                Ok(addresses.clone())
            }
            None => Err(ConnectCause::Io(io::ErrorKind::NotFound.into())),
        }
    }

    async fn connect(&self, address: SocketAddr, _: &ConnectionParameters) -> Result<OnTokio<Wire>, ConnectCause> {
        self.log.note("connect", &address.port());
        let noted = Noted(self.log.clone(), address);
        let Some((after, does)) = self.brokers.get(&address).copied() else { return std::future::pending().await };
        sleep(after).await;
        std::mem::forget(noted);
        let (client, peer) = Peer::new(64 * 1024);
        tokio::spawn(serve(peer, address, does, self.log.clone()));
        Ok(OnTokio(Wire(client, address)))
    }
}

/// A client's end, and where it leads.
struct Wire(DuplexStream, SocketAddr);

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

async fn serve(mut peer: Peer, address: SocketAddr, does: Does, log: Log) {
    if peer.take_octets(8).await.len() < 8 {
        return log.note("hung up", &address.port());
    }
    log.note("header", &address.port());
    match does {
        Does::Obliges => {
            peer.shake_hands_after_header().await;
            log.note("open", &address.port());
            peer.take_octets(1).await;
        }
        Does::HangsUpAfter(after) => sleep(after).await,
        Does::KeepsSilent => {
            peer.take_octets(usize::MAX).await;
            log.note("hung up", &address.port());
        }
    }
}

/// Where it is connected.
fn address(agreed: Agreed<OnTokio<Wire>>) -> SocketAddr {
    match agreed.transport {
        Transport::Plain(stream) => stream.0.1,
        #[cfg(feature = "tls")]
        Transport::Tls(_) => panic!("nobody asked for TLS"),
    }
}

fn v4(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn v6(port: u16) -> SocketAddr {
    (Ipv6Addr::LOCALHOST, port).into()
}

fn hosts<const N: usize>(hosts: [&str; N]) -> ConnectionParameters {
    ConnectionParameters::default().heartbeat(0).endpoints(hosts.map(Endpoint::new))
}

const SECOND: Duration = Duration::from_secs(1);

/// Ports, phases, kinds and causes.
fn failures(error: &ConnectError) -> Vec<(Option<u16>, Phase, ErrorKind, String)> {
    let failure = |attempt: &Attempt| {
        (attempt.address().map(|it| it.port()), attempt.phase(), attempt.kind(), attempt.cause.to_string())
    };
    error.attempts().iter().map(failure).collect()
}

fn timed_out(port: impl Into<Option<u16>>, phase: Phase, what: &str) -> (Option<u16>, Phase, ErrorKind, String) {
    (port.into(), phase, ErrorKind::TimedOut, format!("not done within {what}"))
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_costs_the_delay_and_not_its_deadline() {
    let made = Made::default().name("a", 0, &[v6(1), v6(2), v4(3)]).broker(v4(3), 20, Does::Obliges);
    assert_eq!(made.open(&hosts(["a"])).await.unwrap(), v4(3));
    let expected = ["0 resolve a", "0 connect 1", "250 connect 3", "270 header 3", "270 open 3", "270 gives up 1"];
    assert_eq!(made.log.taken().await, expected);
}

#[tokio::test(start_paused = true)]
async fn the_next_endpoint_is_tried_beside_a_black_hole_in_order_too() {
    let made = Made::default().name("a", 5, &[v4(1)]).name("b", 5, &[v4(2)]).broker(v4(2), 0, Does::Obliges);
    assert_eq!(made.open(&hosts(["a", "b"])).await.unwrap(), v4(2));
    let expected = [
        "0 resolve a",
        "5 connect 1",
        "255 resolve b",
        "260 connect 2",
        "260 header 2",
        "260 open 2",
        "260 gives up 1",
    ];
    assert_eq!(made.log.taken().await, expected);
}

#[tokio::test(start_paused = true)]
async fn without_a_delay_one_address_is_tried_after_the_other() {
    for delay in [None, Some(Duration::ZERO)] {
        let made = Made::default().name("a", 0, &[v4(1), v4(2)]).broker(v4(2), 0, Does::Obliges);
        let parameters = hosts(["a"]).connection_attempt_delay(delay);
        assert_eq!(made.open(&parameters).await.unwrap(), v4(2));
        assert_eq!(made.log.0.elapsed(), 10 * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn one_broker_at_a_time_hears_of_the_client_and_the_provider_is_asked_once_for_each() {
    let made = Made::default()
        .name("a", 0, &[v4(1), v4(2), v4(3)])
        .broker(v4(1), 300, Does::HangsUpAfter(2 * SECOND))
        .broker(v4(2), 10, Does::HangsUpAfter(2 * SECOND))
        .broker(v4(3), 0, Does::Obliges);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let credentials = Credentials::provided_by(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(Credentials::plain("u", "p").into()))
    });
    assert_eq!(made.open(&hosts(["a"]).credentials(credentials)).await.unwrap(), v4(3));
    let expected = [
        "0 resolve a",
        "0 connect 1",
        "250 connect 2",
        "260 header 2",
        // It has connected, is not needed now, and is tried anew when it is.
        "300 hung up 1",
        "2260 connect 1",
        "2510 connect 3",
        "2510 header 3",
        "2510 open 3",
        "2510 gives up 1",
    ];
    assert_eq!(made.log.taken().await, expected);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_deadlines_of_its_own_from_its_own_start() {
    // Two holes, and one that connects late and then keeps silent.
    let made = Made::default().name("a", 0, &[v4(1), v4(2), v4(3)]).broker(v4(3), 1000, Does::KeepsSilent);
    let parameters = hosts(["a"]).connect_timeout(3 * SECOND).stack_timeout(5 * SECOND);
    let error = made.open(&parameters).await.unwrap_err();
    let expected = [
        timed_out(1, Phase::Connect, "3s (connect_timeout)"),
        timed_out(2, Phase::Connect, "3s (connect_timeout)"),
        timed_out(3, Phase::Handshake, "5s (stack_timeout)"),
    ];
    assert_eq!(failures(&error), expected);
    assert_eq!(made.log.0.elapsed(), Duration::from_millis(5500));
    let expected = ["3000 gives up 1", "3250 gives up 2", "5500 hung up 3"];
    assert_eq!(made.log.taken().await.split_off(5), expected);
}

#[tokio::test(start_paused = true)]
async fn a_second_start_of_an_address_has_all_its_time_again() {
    let made = Made::default().name("a", 0, &[v4(1), v4(2)]).broker(v4(1), 300, Does::KeepsSilent).broker(
        v4(2),
        0,
        Does::KeepsSilent,
    );
    let parameters = hosts(["a"]).stack_timeout(4 * SECOND);
    let error = made.open(&parameters).await.unwrap_err();
    let late = |port: u16| timed_out(port, Phase::Handshake, "4s (stack_timeout)");
    assert_eq!(failures(&error), [late(2), late(1)]);
    // 250 ms, then 4 s for the one and 4 s for the other.
    assert_eq!(made.log.0.elapsed(), Duration::from_millis(8250));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_over_all_of_it_reports_everything_under_way() {
    let made = Made::default().name("a", 0, &[v4(1), v4(2)]).name("b", 60_000, &[v4(9)]).name("c", 0, &[v4(3)]).broker(
        v4(3),
        0,
        Does::KeepsSilent,
    );
    let error = made.open(&hosts(["a", "b", "c"]).open_timeout(2 * SECOND)).await.unwrap_err();
    let limit = "2s (open_timeout)";
    let expected = [
        timed_out(1, Phase::Connect, limit),
        timed_out(2, Phase::Connect, limit),
        timed_out(None, Phase::Resolve, limit),
        timed_out(3, Phase::Handshake, limit),
    ];
    assert_eq!(failures(&error), expected);
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_resolved_slowly_does_not_hold_the_next_endpoint() {
    let made = Made::default().name("a", 9000, &[v4(1)]).name("b", 0, &[v4(2)]).broker(v4(2), 0, Does::Obliges);
    assert_eq!(made.open(&hosts(["a", "b"])).await.unwrap(), v4(2));
    assert_eq!(made.log.0.elapsed(), Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn failures_make_way_at_once_and_stand_in_the_order_in_which_they_failed() {
    let made = Made::default().name("b", 0, &[v4(2), v4(3)]).broker(v4(2), 1000, Does::HangsUpAfter(SECOND)).broker(
        v4(3),
        0,
        Does::HangsUpAfter(Duration::ZERO),
    );
    let error = made.open(&hosts(["nowhere", "b"])).await.unwrap_err();
    let tried: Vec<_> = failures(&error).into_iter().map(|(port, phase, ..)| (port, phase)).collect();
    let expected = [(None, Phase::Resolve), (Some(3), Phase::Handshake), (Some(2), Phase::Handshake)];
    assert_eq!(tried, expected);
    assert_eq!(made.log.taken().await[..3], ["0 resolve nowhere", "0 resolve b", "0 connect 2"]);
}

#[tokio::test(start_paused = true)]
async fn others_have_their_turn_while_attempts_fail_at_once() {
    let made = Made::default();
    let nowhere = (0..1000).map(|number| Endpoint::new(format!("nowhere{number}")));
    let parameters = ConnectionParameters::default().endpoints(nowhere);
    let mut opening = pin!(made.open(&parameters));
    let polled = poll_fn(|context| Poll::Ready(opening.as_mut().poll(context))).await;
    assert!(polled.is_pending());
    // Some were made, and the clock stands still: all that is missing is another turn.
    let made_so_far = made.log.taken().await.len();
    assert!((1..1000).contains(&made_so_far), "{made_so_far}");
    assert_eq!(opening.await.unwrap_err().attempts().len(), 1000);
    assert_eq!(made.log.0.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn opening_that_is_dropped_gives_up_everything_under_way() {
    let made = Made::default().name("a", 0, &[v4(1), v4(2), v4(3)]).broker(v4(3), 0, Does::KeepsSilent);
    tokio::time::timeout(SECOND, made.open(&hosts(["a"]))).await.unwrap_err();
    let mut ends = made.log.taken().await.split_off(5);
    ends.sort();
    assert_eq!(ends, ["1000 gives up 1", "1000 gives up 2", "1000 hung up 3"]);
}

// R27
#[tokio::test(start_paused = true)]
async fn names_are_resolved_again_for_each_transport() {
    let made = Made::default().name("a", 0, &[v4(1)]).moves("a", &[v4(2)]);
    let made = made.broker(v4(1), 0, Does::Obliges).broker(v4(2), 0, Does::Obliges);
    let over = OverNetwork::new(made, hosts(["a"]));
    let mut reached = Vec::new();
    for again in [false, true, true] {
        reached.push(address(over.dial(again).await.unwrap()));
    }
    assert_eq!(reached, [v4(1), v4(2), v4(2)]);
}
