//! What is asked for while a connection is down.

use std::thread;
use std::time::{Duration, Instant};

use leveret::{ConnectionState, ErrorKind, WhileDown};

use super::super::within::{PATIENCE, in_time};
use super::World;

#[test]
fn a_publish_and_a_call_wait_and_are_sent_in_their_order() {
    in_time(|| {
        let mut world = World::new();
        world.cut_off();
        let channel = world.channel.clone();
        let waiting = thread::spawn(move || {
            channel.publish("", "jobs", "one").send()?;
            channel.publish("", "jobs", "two").send()?;
            channel.queue_declare("jobs").passive(true).call()
        });
        thread::park_timeout(Duration::from_millis(30));
        assert!(!waiting.is_finished());
        world.gate.open();
        assert_eq!(waiting.join().unwrap().unwrap().message_count, 2);
    });
}

#[test]
fn a_publish_waits_no_longer_than_it_may() {
    in_time(|| {
        let limit = Duration::from_millis(50);
        let mut world = World::with(|parameters| parameters.down_timeout(limit));
        world.cut_off();
        let began = Instant::now();
        let error = world.channel.publish("", "jobs", "late").send().unwrap_err();
        assert!(error.kind() == ErrorKind::Recovering && error.is_not_sent(), "{error}");
        assert!(began.elapsed() >= limit);
        world.gate.open();
        world.connection.recovered().unwrap();
        assert_eq!(world.channel.queue_declare("jobs").passive(true).call().unwrap().message_count, 0);
    });
}

#[test]
fn a_publish_fails_at_once_if_the_parameters_say_so() {
    in_time(|| {
        let mut world = World::with(|parameters| parameters.while_down(WhileDown::Fail));
        world.cut_off();
        let error = world.channel.publish("", "jobs", "x").send().unwrap_err();
        assert!(error.kind() == ErrorKind::Recovering && error.is_not_sent(), "{error}");
    });
}

#[test]
fn a_close_ends_the_recovery_and_what_waits_for_it() {
    in_time(|| {
        let mut world = World::new();
        world.cut_off();
        let connection = world.connection.clone();
        let waiting = thread::spawn(move || connection.recovered());
        world.connection.close().unwrap();
        assert_eq!(world.connection.state(), ConnectionState::Closed);
        assert_eq!(waiting.join().unwrap().unwrap_err().kind(), ErrorKind::ConnectionClosed);
        world.gate.open();
        assert!(world.channel.publish("", "jobs", "x").send().unwrap_err().is_not_sent());
        thread::park_timeout(Duration::from_millis(50));
        assert!(world.host.broker.state().connections().is_empty());
    });
}

#[test]
fn dropping_the_last_handle_ends_the_recovery_without_a_wait() {
    in_time(|| {
        let mut world = World::new();
        world.cut_off();
        let World { connection, channel, mut events, gate, host } = world;
        let began = Instant::now();
        drop((connection, channel));
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        while events.next_timeout(PATIENCE).unwrap().is_some() {}
        gate.open();
        thread::park_timeout(Duration::from_millis(50));
        assert!(host.broker.state().connections().is_empty());
    });
}
