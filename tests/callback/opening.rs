//! Opening: one outcome each, whatever becomes of it; the dial plan; what must not block the loop.

use std::cell::Cell;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use leveret::callback::{Connection, EventLoop};
use leveret::config::{Credentials, Endpoint};
use leveret::{ConnectionParameters, ErrorKind};
use leveret_test_support::Peer;
use tokio::time::sleep;

use super::guard::Guard;
use super::rig::Rig;
use super::world::World;

type Log = Vec<String>;

fn note(log: &mut Log, opened: leveret::Result<()>) {
    log.push(opened.map_or_else(|error| format!("{:?}", error.kind()), |()| "open".to_owned()));
}

/// A port at which nobody listens.
fn dead_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint::new("127.0.0.1").with_port(port)
}

#[test]
fn an_open_that_fails_is_told_once_with_its_attempts_and_closes_nothing() {
    let (mut event_loop, mut log, _guard) = (EventLoop::new().unwrap(), Log::new(), Guard::new());
    let parameters = ConnectionParameters::default()
        .endpoints([endpoint(dead_port()), endpoint(dead_port())])
        .connection_attempts(2)
        .retry_delay(Duration::from_millis(20));
    let began = Instant::now();
    let attempts = Rc::new(Cell::new(0));
    let counts = Rc::clone(&attempts);
    let connection = Connection::open(&mut event_loop, parameters, move |log: &mut Log, connection, opened| {
        counts.set(opened.as_ref().unwrap_err().attempts().len());
        note(log, opened);
        assert!(!connection.is_open() && connection.state().is_none());
    })
    .unwrap();
    connection.on_close(|_, _, _| panic!("it was never open"));
    connection.on_event(|_, _, _| panic!("it was never open"));
    assert!(connection.closed_by().is_none());
    event_loop.run(&mut log).unwrap();
    assert_eq!((attempts.get(), log.len()), (4, 1), "{log:?}");
    assert!(began.elapsed() >= Duration::from_millis(20));
    assert!(connection.closed_by().is_some());
    connection.on_close(|_, _, _| panic!("it was never open"));
    event_loop.run(&mut log).unwrap();
}

#[test]
fn the_next_endpoint_is_tried_and_names_are_resolved() {
    let mut rig = Rig::new();
    let mut log = Log::new();
    let url: ConnectionParameters = rig.host.url.parse().unwrap();
    let port = rig.host.url.rsplit(':').next().unwrap().parse().unwrap();
    let parameters = url.endpoints([endpoint(dead_port()), Endpoint::new("localhost").with_port(port)]);
    let connection = Connection::open(&mut rig.event_loop, parameters, |log, connection, opened| {
        note(log, opened);
        connection.close();
    });
    rig.event_loop.run(&mut log).unwrap();
    assert_eq!(log, ["open"]);
    assert!(!connection.unwrap().is_open());
}

#[test]
fn wrong_parameters_are_an_error_at_once() {
    let mut event_loop = EventLoop::<Log>::new().unwrap();
    let opened = Connection::open(&mut event_loop, "amqp://host?heartbeat=-1", |_, _, _| panic!("it fails"));
    assert!(opened.is_err());
    let parameters = ConnectionParameters::default().channel_max(0);
    assert!(Connection::open_in(event_loop.handle(), parameters, |_, _, _| panic!("it fails")).is_err());
    event_loop.run(&mut Log::new()).unwrap();
}

#[test]
fn a_provider_of_credentials_that_waits_holds_up_nobody_else_on_the_loop() {
    let mut rig = Rig::new();
    let mut log = Log::new();
    let (lets_go, waits) = tokio::sync::oneshot::channel::<()>();
    let waits = Mutex::new(Some(waits));
    let parameters: ConnectionParameters = rig.host.url.parse().unwrap();
    let provider = move || {
        // It waits for what the loop does meanwhile.
        let waits = waits.lock().unwrap().take().unwrap();
        async move {
            waits.await?;
            Ok(Credentials::plain("guest", "guest").into())
        }
    };
    let parameters = parameters.credentials(Credentials::provided_by(provider));
    Connection::open(&mut rig.event_loop, parameters, |log, connection, opened| {
        note(log, opened);
        connection.close();
    })
    .unwrap();
    rig.event_loop.handle().call_later(Duration::from_millis(20), move |log: &mut Log, _| {
        log.push("timer".to_owned());
        lets_go.send(()).unwrap();
    });
    rig.event_loop.run(&mut log).unwrap();
    assert_eq!(log, ["timer", "open"]);
}

#[test]
fn a_provider_of_credentials_that_panics_ends_its_open_alone() {
    let mut rig = Rig::new();
    let mut log = Log::new();
    let parameters: ConnectionParameters = rig.host.url.parse().unwrap();
    let provider = || async { panic!("a provider's") };
    let parameters = parameters.credentials(Credentials::provided_by(provider));
    let other = rig.connect(&mut log);
    Connection::open(&mut rig.event_loop, parameters, |log, _, opened| note(log, opened)).unwrap();
    rig.event_loop.run_until(&mut log, |log| !log.is_empty()).unwrap();
    assert_eq!(log, ["Authentication"]);
    rig.channel(&mut log, &other);
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_yet_holds_up_nobody_else_on_the_loop() {
    use leveret::config::{Pem, Tls};
    let mut rig = Rig::new();
    let mut log = Log::new();
    let path = std::env::temp_dir().join(format!("leveret-callback-{}", std::process::id()));
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let tls = Tls::default().ca(Pem::file(&path));
    let parameters: ConnectionParameters = rig.host.url.parse().unwrap();
    let opened = |log: &mut Log, _: &Connection<Log>, opened| note(log, opened);
    Connection::open(&mut rig.event_loop, parameters.tls(tls), opened).unwrap();
    let fifo = path.clone();
    rig.event_loop.handle().call_later(Duration::from_millis(20), move |log: &mut Log, _| {
        log.push("timer".to_owned());
        std::fs::write(&fifo, "no certificate").unwrap();
    });
    rig.event_loop.run(&mut log).unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(log.len(), 2, "{log:?}");
    assert_eq!(log[0], "timer");
}

#[tokio::test(start_paused = true)]
async fn a_close_before_the_open_gives_it_up_at_each_step_of_the_handshake() {
    for steps in 0..5 {
        let (world, mut log) = (World::new(), Log::new());
        let parameters = ConnectionParameters::default().heartbeat(0);
        let (connection, mut peer) = world.open(parameters, |log: &mut Log, _, opened| note(log, opened));
        connection.on_close(|_, _, _| panic!("it was never open"));
        let script = async {
            if steps > 0 {
                peer.expect_protocol_header().await;
                peer.send(0, leveret_test_support::start("PLAIN")).await;
            }
            if steps > 1 {
                peer.receive().await;
                peer.send(0, leveret_test_support::tune()).await;
            }
            if steps > 2 {
                peer.receive().await;
                peer.receive().await;
            }
        };
        world.run_while(&mut log, script).await;
        if steps > 3 {
            // It is open, and nobody has heard of it.
            peer.send(0, leveret::protocol::connection::OpenOk::default()).await;
        }
        connection.close_then(|log, _, closed| log.push(format!("closed {}", closed.is_ok())));
        connection.close();
        world.run(&mut log).await;
        assert_eq!(log, ["ConnectionClosed", "closed true"], "{steps}");
        assert_eq!(connection.closed_by().unwrap().kind(), ErrorKind::ConnectionClosed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_crosses_the_open_is_not_lost() {
    let (world, mut log) = (World::<Log>::new(), Log::new());
    let (stream, mut peer) = Peer::new(64 * 1024);
    let opening = world.opening(stream, ConnectionParameters::default());
    let opened = world.run_while(&mut log, async { tokio::join!(opening, peer.shake_hands()).0 }).await;
    // What it came to is known when it is asked for, and told by the next pass.
    let connection = Connection::wait_for(world.handle(), async move { opened }, |log: &mut Log, _, opened| {
        note(log, opened);
    });
    connection.close();
    world.run_while(&mut log, peer.agree_to_close()).await;
    world.run(&mut log).await;
    assert_eq!(log, ["ConnectionClosed"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_before_the_open_fails_and_says_so() {
    let (world, mut log) = (World::new(), Log::new());
    let (connection, mut peer) =
        world.open(ConnectionParameters::default(), |log: &mut Log, _, opened| note(log, opened));
    connection.open_channel(|log: &mut Log, _, channel| log.push(format!("{:?}", channel.unwrap_err().kind())));
    connection.update_secret("s", "r", |log: &mut Log, _, told| log.push(format!("{:?}", told.unwrap_err().kind())));
    assert!(connection.negotiated().is_err() && connection.blocked().is_none() && connection.queued() == 0);
    world.run_while(&mut log, peer.shake_hands()).await;
    world.run_while(&mut log, sleep(Duration::from_secs(1))).await;
    assert_eq!(log, ["Usage", "Usage", "open"]);
}
