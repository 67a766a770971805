//! The same session in every loop.

use std::time::{Duration, Instant};

use leveret::ConnectionParameters;
use leveret::config::Endpoint;

use super::epoll::{Loop, Mode};
use super::host::Host;
use super::memory::{Report, World};
use super::random::Random;
use super::session::{all, port, session};

const MESSAGES: usize = 1000;

/// Runs the session over a socket, and leaves nothing.
fn runs_over_a_socket(mut event_loop: Loop) {
    let host = Host::new();
    let opening = event_loop.reactor.open(host.url.as_str());
    event_loop.run(session(opening, "burrow", MESSAGES));
    let left = host.broker.state().queue("/", "burrow").map(|queue| (queue.ready, queue.unacknowledged));
    assert_eq!(left, Some((0, 0)));
    leaves_nothing(&mut event_loop);
}

fn leaves_nothing(event_loop: &mut Loop) {
    while event_loop.reactor.connections() > 0 {
        event_loop.round(true);
    }
    event_loop.settle();
    assert_eq!(event_loop.sources(), 0);
    assert_eq!(event_loop.reactor.deadline(), None);
}

#[test]
fn a_session_runs_in_a_level_triggered_loop() {
    runs_over_a_socket(Loop::new(Mode::Level));
}

#[test]
fn a_session_runs_in_an_edge_triggered_loop() {
    runs_over_a_socket(Loop::new(Mode::Edge));
}

#[test]
fn a_session_runs_in_a_loop_whose_sources_are_armed_for_one_event() {
    runs_over_a_socket(Loop::new(Mode::OneShot));
}

#[test]
fn a_session_runs_in_loops_that_report_late_and_twice_and_what_is_not_so() {
    for seed in 1..=5 {
        runs_over_a_socket(Loop::lying(seed));
    }
}

/// Runs the session over a small pipe, in virtual time.
fn runs_in_memory(report: Report) {
    let mut world = World::new(1009, report, ConnectionParameters::default());
    let opening = world.open();
    world.run(session(opening, "burrow", MESSAGES));
    let left = world.broker.state.queue("/", "burrow").map(|queue| (queue.ready, queue.unacknowledged));
    assert_eq!(left, Some((0, 0)));
}

#[test]
fn a_session_runs_over_a_small_pipe_that_is_reported_while_it_is_ready() {
    runs_in_memory(Report::Level);
}

#[test]
fn a_session_runs_over_a_small_pipe_that_is_reported_when_it_becomes_ready() {
    runs_in_memory(Report::Edge);
}

#[test]
fn a_session_runs_over_small_pipes_that_are_reported_late_and_wrongly() {
    for seed in 1..=3 {
        runs_in_memory(Report::Lies(Random(seed)));
    }
}

#[test]
fn a_hundred_connections_share_a_reactor() {
    for mode in [Mode::Level, Mode::Edge, Mode::OneShot] {
        let host = Host::new();
        let mut event_loop = Loop::new(mode);
        let queues: Vec<_> = (0..100).map(|number| format!("burrow {number}")).collect();
        let sessions: Vec<_> =
            queues.iter().map(|queue| session(event_loop.reactor.open(host.url.as_str()), queue, 5)).collect();
        assert_eq!(event_loop.reactor.connections(), 100);
        event_loop.run(all(sessions));
        leaves_nothing(&mut event_loop);
    }
}

#[test]
fn sockets_of_attempts_that_fail_are_waited_for_no_more() {
    let host = Host::new();
    // A port that nobody listens at any more.
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let good = port(&host.url);
    for mode in [Mode::Level, Mode::Edge, Mode::OneShot] {
        let endpoints = [refused, refused, good].map(|port| Endpoint::new("127.0.0.1").with_port(port));
        let mut event_loop = Loop::new(mode);
        let opening = event_loop.reactor.open(ConnectionParameters::default().endpoints(endpoints));
        let connection = event_loop.run(opening).unwrap();
        event_loop.settle();
        assert_eq!(event_loop.sources(), 1);
        event_loop.run(connection.close()).unwrap();
        leaves_nothing(&mut event_loop);
    }
}

#[test]
fn an_open_from_another_thread_wakes_a_loop_that_waits_for_nothing() {
    let host = Host::new();
    let event_loop = Loop::new(Mode::Level);
    let reactor = std::sync::Arc::clone(&event_loop.reactor);
    let looping = std::thread::spawn(move || {
        let mut event_loop = event_loop;
        // It has nothing to wait for but the wake.
        while event_loop.reactor.connections() == 0 {
            event_loop.round(true);
        }
        leaves_nothing(&mut event_loop);
    });
    let begun = Instant::now();
    async_io::block_on(session(reactor.open(host.url.as_str()), "burrow", 10));
    assert!(begun.elapsed() < Duration::from_secs(20), "it is woken, and not by its deadlines");
    looping.join().unwrap();
}
