//! The gate.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::num::NonZeroU32;

use super::*;
use crate::engine::steps::steps_of;

fn channel(number: u16) -> ChannelKey {
    ChannelKey { number, incarnation: u64::from(number) }
}

fn waiting(slot: u32, resent: Option<Fate>) -> Waiting {
    let waiter = Some(WaiterId { slot, generation: NonZeroU32::MIN });
    Waiting { waiter, confirm: None, mandatory: None, frames: Outbound::new(), is_stored: false, resent }
}

fn arrive(gate: &mut Gate, on: ChannelKey, slot: u32) -> GatePlace {
    gate.wait(on, false, waiting(slot, None))
}

fn admitted(gate: &mut Gate) -> Option<u32> {
    gate.admit()?.1.waiter.map(|waiter| waiter.slot)
}

#[test]
fn the_gate_closes_at_the_high_mark_and_opens_at_the_low_one() {
    let mut gate = Gate::new(100, 50, None);
    gate.set_queued(99);
    assert!(gate.is_open());
    gate.set_queued(100);
    assert!(!gate.is_open());
    gate.set_queued(51);
    assert!(!gate.is_open());
    gate.set_queued(50);
    assert!(gate.is_open());
}

#[test]
fn who_comes_later_does_not_pass_who_waits_on_whatever_channel() {
    let mut gate = Gate::new(100, 50, None);
    gate.set_queued(100);
    for (number, slot) in [(2, 1), (1, 2), (2, 3), (1, 4)] {
        arrive(&mut gate, channel(number), slot);
    }
    gate.set_queued(0);
    assert!(!gate.is_open());
    assert_eq!([(); 5].map(|()| admitted(&mut gate)), [Some(1), Some(2), Some(3), Some(4), None]);
    assert!(gate.is_open() && gate.lines.is_empty());
}

// Found by the simulation (seed 140895 with recovery).
#[test]
fn a_place_that_was_left_is_not_that_of_who_comes_later() {
    let mut gate = Gate::new(100, 50, None);
    gate.set_queued(100);
    let first = arrive(&mut gate, channel(1), 1);
    assert!(gate.leave(first).is_some());
    let second = arrive(&mut gate, channel(1), 2);
    assert!(gate.leave(first).is_none() && !gate.store(first, 1000));
    gate.set_queued(0);
    assert_eq!(admitted(&mut gate), Some(2));
    gate.set_queued(100);
    arrive(&mut gate, channel(1), 3);
    assert!(gate.leave(second).is_none(), "it was admitted");
}

#[test]
fn what_is_sent_again_passes_what_waits_on_whatever_channel() {
    let mut gate = Gate::new(100, 50, None);
    gate.set_queued(100);
    arrive(&mut gate, channel(1), 1);
    arrive(&mut gate, channel(2), 2);
    for (number, slot) in [(1, 4), (3, 3)] {
        gate.wait_first(channel(number), waiting(slot, Some(Fate::Unknown)));
    }
    gate.set_queued(0);
    let mut again = || gate.admit_resent().and_then(|(_, waiting)| waiting.waiter).map(|waiter| waiter.slot);
    assert_eq!([again(), again(), again()], [Some(3), Some(4), None]);
    assert_eq!([admitted(&mut gate), admitted(&mut gate), admitted(&mut gate)], [Some(1), Some(2), None]);
    assert!(gate.is_open() && gate.lines.is_empty());
}

#[test]
fn what_is_sent_again_waits_while_its_channel_is_stopped() {
    let mut gate = Gate::new(100, 50, None);
    gate.wait_first(channel(1), waiting(1, Some(Fate::NotSent)));
    gate.set_stopped(channel(1), true);
    gate.wait_first(channel(1), waiting(2, Some(Fate::NotSent)));
    assert!(gate.admit_resent().is_none() && gate.is_open());
    gate.set_stopped(channel(1), false);
    assert_eq!([admitted(&mut gate), admitted(&mut gate), admitted(&mut gate)], [Some(2), Some(1), None]);
}

#[test]
fn the_limit_in_flight_closes_the_gate() {
    let mut gate = Gate::new(100, 50, Some(2));
    gate.count_unconfirmed();
    gate.count_unconfirmed();
    assert!(!gate.is_open());
    arrive(&mut gate, channel(1), 1);
    assert_eq!(admitted(&mut gate), None);
    gate.count_confirmed(1);
    assert_eq!(admitted(&mut gate), Some(1));
}

#[test]
fn a_blocked_connection_admits_nobody() {
    let mut gate = Gate::new(100, 50, None);
    gate.set_blocked(Some("low on memory".into()));
    arrive(&mut gate, channel(1), 1);
    assert_eq!(admitted(&mut gate), None);
    gate.set_blocked(None);
    assert_eq!(admitted(&mut gate), Some(1));
}

#[test]
fn a_publish_that_leaves_is_passed_over() {
    let mut gate = Gate::new(100, 50, None);
    gate.set_blocked(Some(String::new()));
    let first = arrive(&mut gate, channel(1), 1);
    arrive(&mut gate, channel(1), 2);
    let last = arrive(&mut gate, channel(1), 3);
    assert!(gate.leave(first).is_some() && gate.leave(last).is_some());
    assert!(gate.leave(first).is_none(), "it has left");
    gate.set_blocked(None);
    assert_eq!((admitted(&mut gate), admitted(&mut gate)), (Some(2), None));
}

#[test]
fn a_channel_that_is_stopped_waits_alone_and_keeps_its_turn() {
    let mut gate = Gate::new(100, 50, None);
    gate.set_blocked(Some(String::new()));
    for (number, slot) in [(1, 1), (2, 2), (1, 3)] {
        arrive(&mut gate, channel(number), slot);
    }
    gate.set_stopped(channel(1), true);
    gate.set_blocked(None);
    assert_eq!((admitted(&mut gate), admitted(&mut gate)), (Some(2), None));
    assert!(gate.is_open(), "nobody waits for the gate");
    gate.set_blocked(Some(String::new()));
    arrive(&mut gate, channel(2), 4);
    gate.set_stopped(channel(1), false);
    gate.set_blocked(None);
    assert_eq!([(); 4].map(|()| admitted(&mut gate)), [Some(1), Some(3), Some(4), None]);
}

#[test]
fn what_waits_leaves_and_is_evicted_in_as_many_steps_as_there_are() {
    const COUNT: u16 = 50_000;
    let mut gate = Gate::new(100, 50, None);
    gate.set_blocked(Some(String::new()));
    let places: Vec<GatePlace> = (0..COUNT).map(|slot| arrive(&mut gate, channel(1), slot.into())).collect();
    let (steps, ()) = steps_of(|| places.iter().rev().for_each(|place| drop(gate.leave(*place))));
    assert_eq!((steps, gate.waiting()), (COUNT.into(), 0));
    // Each on a channel of its own, and all channels closed one after the other.
    for number in 0..COUNT {
        arrive(&mut gate, channel(number), number.into());
    }
    let evict = || (0..COUNT).map(|number| gate.evict(Some(channel(number))).len()).sum::<usize>();
    let (steps, evicted) = steps_of(evict);
    assert_eq!((steps, evicted), (COUNT.into(), COUNT.into()));
    assert!(gate.lines.is_empty() && gate.turns.is_empty());
}
