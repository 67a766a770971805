//! A plan, step by step, with a clock that the test controls.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::io;
use std::net::Ipv4Addr;

use super::*;
use crate::error::ErrorKind;

const SECOND: Duration = Duration::from_secs(1);

/// A plan, and how long after its beginning it is.
struct World<'a> {
    plan: DialPlan<'a>,
    began: Instant,
    at: Duration,
}

impl<'a> World<'a> {
    fn new(parameters: &'a ConnectionParameters) -> Self {
        let began = Instant::now();
        Self { plan: DialPlan::new(parameters, 0, began), began, at: Duration::ZERO }
    }

    fn now(&self) -> Instant {
        self.began + self.at
    }

    /// The next attempt that starts, without any time passing.
    fn started(&mut self) -> Target {
        match self.plan.poll(self.now()) {
            Step::Start(target) => target,
            other => panic!("{other:?} at {:?}", self.at),
        }
    }

    /// Advances the clock to what is waited for, and returns how long after the beginning that is.
    fn waited(&mut self) -> Duration {
        match self.plan.poll(self.now()) {
            Step::Wait(Some(until)) => {
                self.at = until - self.began;
                self.at
            }
            other => panic!("{other:?} at {:?}", self.at),
        }
    }

    fn given_up(&mut self) -> Target {
        match self.plan.poll(self.now()) {
            Step::GiveUp(target) => target,
            other => panic!("{other:?} at {:?}", self.at),
        }
    }

    /// The failures of the attempts, and the resulting error.
    fn ended(&mut self) -> (Vec<String>, ConnectError) {
        match self.plan.poll(self.now()) {
            Step::End(error) => {
                (error.attempts().iter().map(|it| format!("{}: {}", it.phase(), it.cause)).collect(), error)
            }
            other => panic!("{other:?} at {:?}", self.at),
        }
    }

    /// The next attempt starts, and its endpoint has one address, which starts then.
    fn connecting(&mut self, port: u16) -> Target {
        let name = self.started();
        self.plan.handle_resolved(name, vec![(Ipv4Addr::LOCALHOST, port).into()]);
        let target = self.started();
        assert_eq!(target.address.unwrap().port(), port);
        target
    }

    fn enter(&mut self, target: Target, phase: Phase) {
        self.plan.enter(target, phase, self.now());
    }
}

fn parameters<const N: usize>(hosts: [&str; N]) -> ConnectionParameters {
    ConnectionParameters::default().endpoints(hosts.map(Endpoint::new))
}

fn refused() -> ConnectCause {
    ConnectCause::Io(io::ErrorKind::ConnectionRefused.into())
}

#[test]
fn each_phase_has_its_deadline_from_its_own_beginning() {
    let parameters = parameters(["a"])
        .connect_timeout(2 * SECOND)
        .tls_timeout(3 * SECOND)
        .credentials_timeout(4 * SECOND)
        .handshake_timeout(5 * SECOND)
        .stack_timeout(None);
    let mut world = World::new(&parameters);
    let target = world.connecting(1);
    assert_eq!(world.waited(), 2 * SECOND);
    world.at = SECOND;
    assert!(world.plan.handle_connected(target));
    let mut due = Vec::new();
    for phase in [Phase::Tls, Phase::Credentials, Phase::Handshake] {
        world.enter(target, phase);
        due.push(world.waited().as_secs());
        world.at -= SECOND;
    }
    assert_eq!(due, [1 + 3, 3 + 4, 6 + 5]);
    world.at = 11 * SECOND;
    assert_eq!(world.given_up(), target);
    assert_eq!(world.ended().0, ["handshake: not done within 5s (handshake_timeout)"]);
}

#[test]
fn an_attempt_has_a_deadline_over_all_its_phases_that_begins_with_it() {
    let parameters = parameters(["a"]).stack_timeout(6 * SECOND).connect_timeout(6 * SECOND).handshake_timeout(None);
    let mut world = World::new(&parameters);
    let name = world.started();
    // The name has its own time, and none of the attempt's is spent on it.
    world.at = 5 * SECOND;
    world.plan.handle_resolved(name, vec![(Ipv4Addr::LOCALHOST, 1).into()]);
    let target = world.started();
    assert_eq!(world.waited(), 11 * SECOND);
    world.at = 10 * SECOND;
    assert!(world.plan.handle_connected(target));
    world.enter(target, Phase::Handshake);
    assert_eq!(world.waited(), 11 * SECOND);
    assert_eq!(world.given_up(), target);
    assert_eq!(world.ended().0, ["handshake: not done within 6s (stack_timeout)"]);
}

#[test]
fn of_deadlines_at_one_time_that_of_the_phase_is_told() {
    let parameters = parameters(["a"]).stack_timeout(SECOND).connect_timeout(SECOND);
    let mut world = World::new(&parameters);
    let target = world.connecting(1);
    world.waited();
    assert_eq!(world.given_up(), target);
    assert_eq!(world.ended().0, ["connect: not done within 1s (connect_timeout)"]);
}

#[test]
fn another_cycle_begins_after_a_pause_where_it_may_end_otherwise() {
    let parameters = parameters(["a", "b"]).connection_attempts(3).retry_delay(7 * SECOND);
    let mut world = World::new(&parameters);
    for cycle in 1..=3 {
        for host in ["a", "b"] {
            let target = world.started();
            assert_eq!(world.plan.endpoint(target).unwrap().host, host);
            world.plan.handle_failed(target, refused());
        }
        if cycle < 3 {
            assert_eq!(world.waited(), 7 * SECOND * cycle);
        }
    }
    assert_eq!(world.ended().0.len(), 6);
}

#[test]
fn no_cycle_follows_one_that_failed_for_good() {
    let parameters = parameters(["a"]).connection_attempts(u32::MAX);
    let mut world = World::new(&parameters);
    let target = world.connecting(1);
    world.plan.handle_failed(target, ConnectCause::Tls("no trust".into()));
    let (failures, error) = world.ended();
    assert_eq!((failures, error.kind()), (vec!["connect: no trust".to_owned()], ErrorKind::Tls));
}

#[test]
fn the_deadline_over_all_of_it_counts_pauses_too() {
    let parameters = parameters(["a"]).connection_attempts(9).retry_delay(60 * SECOND).open_timeout(10 * SECOND);
    let mut world = World::new(&parameters);
    let target = world.started();
    world.plan.handle_failed(target, refused());
    assert_eq!(world.waited(), 10 * SECOND);
    let (failures, error) = world.ended();
    assert_eq!((failures.len(), error.kind()), (1, ErrorKind::TimedOut));
    assert!(error.to_string().starts_with("cannot connect: not done within 10s (open_timeout): a, resolve"), "{error}");
}

#[test]
fn what_is_under_way_when_all_time_is_over_fails_the_furthest_last() {
    let parameters = parameters(["a", "b"]).open_timeout(SECOND);
    let mut world = World::new(&parameters);
    let first = world.connecting(1);
    assert!(world.plan.handle_connected(first));
    world.enter(first, Phase::Handshake);
    world.at = SECOND;
    let (failures, _) = world.ended();
    assert_eq!(failures, ["handshake: not done within 1s (open_timeout)"]);

    let mut world = World::new(&parameters);
    let first = world.connecting(1);
    world.waited();
    let second = world.connecting(2);
    assert!(world.plan.handle_connected(first));
    world.enter(first, Phase::Tls);
    world.at = SECOND;
    let (failures, _) = world.ended();
    assert_eq!(failures, ["connect: not done within 1s (open_timeout)", "TLS: not done within 1s (open_timeout)"]);
    assert_ne!(first, second);
}

#[test]
fn a_connection_beside_the_one_that_has_the_turn_is_hung_up_and_tried_again_later() {
    let parameters = parameters(["a", "b"]);
    let mut world = World::new(&parameters);
    let first = world.connecting(1);
    world.waited();
    let second = world.connecting(2);
    assert!(world.plan.handle_connected(second));
    world.enter(second, Phase::Handshake);
    assert!(!world.plan.handle_connected(first));
    world.plan.handle_failed(second, ConnectCause::Tls("it was not needed".into()));
    assert_eq!(world.started(), first);
}

#[test]
fn an_error_of_tls_in_the_handshake_of_amqp_is_one_of_tls() {
    let parameters = parameters(["a"]);
    let mut world = World::new(&parameters);
    let target = world.connecting(1);
    assert!(world.plan.handle_connected(target));
    world.enter(target, Phase::Handshake);
    world.plan.handle_failed(target, ConnectCause::Tls("a certificate is required".into()));
    assert_eq!(world.ended().0, ["TLS: a certificate is required"]);
}

#[test]
fn the_order_of_shuffled_endpoints_comes_from_the_seed_alone() {
    let parameters = parameters(["a", "b", "c", "d", "e"]).endpoint_order(EndpointOrder::Shuffled);
    let order = |seed| {
        let plan = DialPlan::new(&parameters, seed, Instant::now());
        plan.endpoints.iter().map(|endpoint| endpoint.host.clone()).collect::<Vec<_>>()
    };
    assert!((0..100).all(|seed| order(seed) == order(seed)));
    let firsts: std::collections::BTreeSet<String> = (0..100).map(|seed| order(seed).remove(0)).collect();
    assert_eq!(firsts.len(), 5);
}

#[test]
fn what_was_lost_is_tried_last_in_whatever_order() {
    let parameters = parameters(["a", "b", "c"]);
    for order in [EndpointOrder::InOrder, EndpointOrder::Shuffled] {
        let parameters = parameters.clone().endpoint_order(order);
        for seed in 0..20 {
            let began = Instant::now();
            let [lost, same, other] = [7, 8, 9].map(|last| SocketAddr::from((Ipv4Addr::new(10, 0, 0, last), 5672)));
            let reached = Reached { endpoint: Endpoint::new("b"), address: lost };
            let mut plan = DialPlan::new(&parameters, seed, began);
            plan.avoid(&reached);
            let mut tried = Vec::new();
            while let Step::Start(target) = plan.poll(began) {
                match target.address {
                    Some(address) => {
                        tried.push(address);
                        plan.handle_failed(target, refused());
                    }
                    None if plan.endpoint(target) == Some(&reached.endpoint) => {
                        plan.handle_resolved(target, vec![lost, same]);
                    }
                    None => plan.handle_resolved(target, vec![other]),
                }
            }
            assert_eq!(tried, [other, other, same, lost]);
        }
    }
}

#[test]
fn a_transport_that_is_there_is_the_only_attempt() {
    let parameters = parameters(["a"]).open_timeout(SECOND).connection_attempts(5);
    let began = Instant::now();
    let (mut plan, target) = DialPlan::on_transport(&parameters, began);
    assert!(plan.endpoint(target).is_none());
    plan.enter(target, Phase::Tls, began);
    plan.handle_failed(target, refused());
    assert!(matches!(plan.poll(began), Step::End(error) if error.attempts().len() == 1));

    let (mut plan, target) = DialPlan::on_transport(&parameters, began);
    plan.enter(target, Phase::Handshake, began);
    let Step::End(error) = plan.poll(began + SECOND) else { panic!("its time is over") };
    assert_eq!(error.to_string(), "cannot connect: handshake: not done within 1s (open_timeout)");
}

#[test]
fn without_limits_nothing_but_an_outcome_is_waited_for() {
    let parameters = parameters(["a"]).connect_timeout(None).stack_timeout(None).connection_attempt_delay(None);
    let mut world = World::new(&parameters);
    world.started();
    assert!(matches!(world.plan.poll(world.now() + Duration::from_secs(1 << 40)), Step::Wait(None)));
}
