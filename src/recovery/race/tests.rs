//! A race, step by step.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const DELAY: Duration = Duration::from_millis(250);

/// A race with a clock that the test controls.
struct World {
    race: Race,
    began: Instant,
    now: Instant,
}

impl World {
    fn new(endpoints: usize) -> Self {
        Self::with_delay(endpoints, Some(DELAY))
    }

    fn with_delay(endpoints: usize, delay: Option<Duration>) -> Self {
        let now = Instant::now();
        Self { race: Race::new(endpoints, delay), began: now, now }
    }

    /// Advances the clock to this many milliseconds after the beginning.
    fn at(&mut self, milliseconds: u64) {
        self.now = self.began + Duration::from_millis(milliseconds);
    }

    #[track_caller]
    fn starts(&mut self, target: Target) {
        assert_eq!(self.race.poll(self.now), Step::Start(target));
    }

    /// Nothing is to be done before this many milliseconds after the beginning.
    #[track_caller]
    fn waits_until(&mut self, milliseconds: u64) {
        let until = self.began + Duration::from_millis(milliseconds);
        assert_eq!(self.race.poll(self.now), Step::Wait(Some(until)));
    }

    /// Nothing is to be done before an attempt has an outcome.
    #[track_caller]
    fn waits(&mut self) {
        assert_eq!(self.race.poll(self.now), Step::Wait(None));
    }

    #[track_caller]
    fn ends(&mut self) {
        assert_eq!(self.race.poll(self.now), Step::End);
    }

    /// An endpoint's name is resolved at once.
    #[track_caller]
    fn resolves<const N: usize>(&mut self, endpoint: usize, addresses: [SocketAddr; N]) -> [Target; N] {
        self.starts(name(endpoint));
        self.race.handle_resolved(endpoint, addresses.to_vec(), None);
        addresses.map(|address| Target { endpoint, address: Some(address) })
    }
}

fn name(endpoint: usize) -> Target {
    Target { endpoint, address: None }
}

fn v4(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn v6(port: u16) -> SocketAddr {
    (Ipv6Addr::LOCALHOST, port).into()
}

#[test]
fn families_alternate_beginning_with_the_resolvers_first() {
    let cases = [
        (vec![v6(1), v6(2), v6(3), v4(1), v4(2)], vec![v6(1), v4(1), v6(2), v4(2), v6(3)]),
        (vec![v4(1), v6(1), v6(2), v6(3)], vec![v4(1), v6(1), v6(2), v6(3)]),
        (vec![v4(2), v4(1)], vec![v4(2), v4(1)]),
        (vec![], vec![]),
    ];
    for (resolved, tried) in cases {
        assert_eq!(interleaved(resolved), tried);
    }
}

#[test]
fn addresses_start_a_delay_apart_and_the_first_to_connect_goes_on() {
    let mut world = World::new(1);
    let [first, third, second] = world.resolves(0, [v6(1), v6(2), v4(1)]);
    world.starts(first);
    world.waits_until(250);
    world.at(249);
    world.waits_until(250);
    world.at(250);
    world.starts(second);
    world.waits_until(500);
    world.at(400);
    assert!(world.race.handle_connected(second));
    world.at(1000);
    // The third one is not even started.
    world.waits();
    world.race.handle_failed(second);
    world.starts(third);
    world.waits();
}

#[test]
fn an_attempt_that_fails_makes_way_at_once() {
    let mut world = World::new(1);
    let [first, second, third] = world.resolves(0, [v4(1), v4(2), v4(3)]);
    world.starts(first);
    world.at(10);
    world.race.handle_failed(first);
    world.starts(second);
    // The delay counts from the last start.
    world.waits_until(260);
    world.at(260);
    world.starts(third);
    world.race.handle_failed(second);
    world.waits();
    world.race.handle_failed(third);
    world.ends();
}

#[test]
fn endpoints_race_like_addresses_in_their_order() {
    let mut world = World::new(2);
    let [first, second] = world.resolves(0, [v4(1), v4(2)]);
    world.starts(first);
    world.at(250);
    world.starts(second);
    world.waits_until(500);
    world.at(500);
    let [other] = world.resolves(1, [v4(3)]);
    // It starts in the place of its name.
    world.at(510);
    world.starts(other);
    world.waits();
}

#[test]
fn a_name_that_resolves_slowly_does_not_hold_the_next_one() {
    let mut world = World::new(2);
    world.starts(name(0));
    world.waits_until(250);
    world.at(250);
    let [other] = world.resolves(1, [v4(2)]);
    world.starts(other);
    world.waits();
    // Its addresses come after what is connecting, a delay apart.
    world.at(300);
    world.race.handle_resolved(0, vec![v4(1)], None);
    world.waits_until(500);
    world.at(500);
    world.starts(Target { endpoint: 0, address: Some(v4(1)) });
}

#[test]
fn addresses_that_are_found_late_go_before_those_of_later_endpoints() {
    let mut world = World::new(3);
    world.starts(name(0));
    world.at(250);
    let [_, later] = world.resolves(1, [v4(10), v4(11)]);
    world.starts(Target { endpoint: 1, address: Some(v4(10)) });
    world.race.handle_resolved(0, vec![v4(1)], None);
    world.at(500);
    world.starts(Target { endpoint: 0, address: Some(v4(1)) });
    world.at(750);
    world.starts(later);
    world.at(1000);
    world.starts(name(2));
}

#[test]
fn without_a_delay_one_goes_after_the_other() {
    let mut world = World::with_delay(2, None);
    let [first, second] = world.resolves(0, [v4(1), v4(2)]);
    world.starts(first);
    world.at(1_000_000);
    world.waits();
    world.race.handle_failed(first);
    world.starts(second);
    assert!(world.race.handle_connected(second));
    world.waits();
    world.race.handle_failed(second);
    world.starts(name(1));
    world.waits();
    world.race.handle_failed(name(1));
    world.ends();
}

#[test]
fn one_that_connects_while_another_has_the_turn_is_hung_up_and_starts_first_afterwards() {
    let mut world = World::new(1);
    let [first, second, third, fourth] = world.resolves(0, [v4(1), v4(2), v4(3), v4(4)]);
    world.starts(first);
    world.at(250);
    world.starts(second);
    world.at(500);
    world.starts(third);
    assert!(world.race.handle_connected(third));
    world.at(5000);
    assert!(!world.race.handle_connected(second));
    assert!(!world.race.handle_connected(first));
    world.waits();
    world.race.handle_failed(third);
    // In the order in which they connected, and before what was never started.
    world.starts(second);
    world.waits_until(5250);
    assert!(world.race.handle_connected(second));
    world.race.handle_failed(second);
    world.starts(first);
    world.race.handle_failed(first);
    world.starts(fourth);
    world.race.handle_failed(fourth);
    world.ends();
}

#[test]
fn what_is_still_connecting_when_the_turn_fails_goes_on() {
    let mut world = World::new(1);
    let [first, second] = world.resolves(0, [v4(1), v4(2)]);
    world.starts(first);
    world.at(250);
    world.starts(second);
    assert!(world.race.handle_connected(second));
    world.race.handle_failed(second);
    world.waits();
    assert!(world.race.handle_connected(first));
    world.race.handle_failed(first);
    world.ends();
}

#[test]
fn a_name_that_fails_lets_the_next_one_be_resolved_at_once() {
    let mut world = World::new(2);
    world.starts(name(0));
    world.race.handle_failed(name(0));
    world.starts(name(1));
    world.race.handle_failed(name(1));
    world.ends();
}
