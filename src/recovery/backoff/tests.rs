//! Pauses and ends, with times and random numbers that the test chooses.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;
use crate::config::ConnectionParameters;
use crate::engine::{Scope, Violation};
use crate::protocol::{MethodId, ReplyCode};

const SECOND: Duration = Duration::from_secs(1);

/// With this random number, a pause is one nanosecond shorter than its limit.
const HIGHEST: u64 = u64::MAX;

const CONSUME: MethodId = MethodId::new(60, 20);
const DECLARE: MethodId = MethodId::new(50, 10);

/// A backoff, and how long after the beginning it is.
struct World {
    backoff: Backoff,
    began: Instant,
    at: Duration,
}

impl World {
    fn new(parameters: &ConnectionParameters) -> Self {
        parameters.validate().unwrap();
        let backoff = Backoff::new(&parameters.recovery_settings());
        Self { backoff, began: Instant::now(), at: Duration::ZERO }
    }

    fn now(&self) -> Instant {
        self.began + self.at
    }

    fn wait(&mut self, time: Duration) {
        self.at += time;
    }

    fn lose(&mut self, loss: Loss) -> Next {
        self.backoff.handle_lost(loss, self.now(), HIGHEST)
    }

    /// A cycle that fails at once.
    fn fail(&mut self, failure: Failure) -> Next {
        self.backoff.begin(self.now()).unwrap();
        self.backoff.handle_failed(failure, self.now(), HIGHEST)
    }

    /// A cycle that succeeds at once, and lasts for this time.
    fn recover(&mut self, lasts: Duration) {
        self.backoff.begin(self.now()).unwrap();
        self.backoff.handle_recovered(self.now());
        self.wait(lasts);
    }
}

fn defaults() -> ConnectionParameters {
    ConnectionParameters::default()
}

fn closed(reason: Reason, code: Option<ReplyCode>, method: Option<MethodId>) -> Loss {
    let reply_text = String::new();
    Loss::of(&Closure { scope: Scope::Connection, reason, reply_code: code, reply_text, method, blocked: None })
}

/// The transport failed.
fn cut() -> Loss {
    closed(Reason::EndOfStream, None, None)
}

fn killed(code: ReplyCode, method: MethodId) -> Loss {
    closed(Reason::Broker, Some(code), Some(method))
}

fn within(limit: Duration) -> Next {
    Next::Pause(limit - Duration::from_nanos(1))
}

#[test]
fn the_limit_of_the_pauses_doubles_up_to_the_longest() {
    let mut world = World::new(&defaults());
    assert_eq!(world.lose(cut()), within(SECOND));
    for limit in [2, 4, 8, 16, 30, 30] {
        assert_eq!(world.fail(Failure::Lost), within(limit * SECOND));
    }
    for _ in 0..200 {
        assert_eq!(world.fail(Failure::Lost), within(30 * SECOND), "it never overflows");
    }
}

#[test]
fn the_limit_of_the_shortest_delays_doubles_up_to_a_year() {
    let year = Duration::from_secs(31_536_000);
    let parameters = defaults().recovery_delay(Duration::from_nanos(1)).recovery_max_delay(year);
    let delays = Delays::new(&parameters.recovery_settings());
    assert_eq!(delays.after(0, HIGHEST), Duration::ZERO);
    assert_eq!(delays.after(54, HIGHEST), Duration::from_nanos((1 << 54) - 1));
    for earlier in [55, 63, 64, 127, 128, u32::MAX] {
        assert_eq!(delays.after(earlier, HIGHEST), year - Duration::from_nanos(1), "{earlier}");
    }
    assert_eq!(delays.longest(0), Duration::ZERO);
}

#[test]
fn a_thousand_clients_spread_evenly_over_each_pause() {
    const CLIENTS: u64 = 1000;
    const BUCKETS: usize = 20;
    let delays = Delays::new(&defaults().recovery_settings());
    let spread = |limit: Duration, pause: &dyn Fn(u64) -> Duration| {
        let mut buckets = [0_usize; BUCKETS];
        for client in 0..CLIENTS {
            let pause = pause(fastrand::Rng::with_seed(client).u64(..));
            assert!(pause < limit, "{pause:?}");
            let bucket = pause.as_nanos() * BUCKETS as u128 / limit.as_nanos();
            buckets[usize::try_from(bucket).unwrap()] += 1;
        }
        let mean = usize::try_from(CLIENTS).unwrap() / BUCKETS;
        assert!(buckets.iter().all(|clients| *clients < 2 * mean && *clients > mean / 2), "{limit:?}: {buckets:?}");
    };
    for (earlier, limit) in [(0, 1), (1, 2), (4, 16), (5, 30), (40, 30)] {
        spread(limit * SECOND, &|random| delays.after(earlier, random));
    }
    spread(30 * SECOND, &|random| delays.longest(random));
}

#[test]
fn pauses_are_short_again_only_after_the_connection_was_stable() {
    let mut world = World::new(&defaults());
    world.lose(cut());
    world.fail(Failure::Lost);
    world.recover(30 * SECOND - Duration::from_nanos(1));
    assert_eq!(world.lose(cut()), within(4 * SECOND), "it was not stable for long enough");
    world.recover(30 * SECOND);
    assert_eq!(world.lose(cut()), within(SECOND));
}

#[test]
fn a_block_and_a_refusal_have_the_longest_delay_at_once() {
    let mut world = World::new(&defaults());
    assert_eq!(world.lose(closed(Reason::BlockedTooLong, None, None)), within(30 * SECOND));
    assert_eq!(world.fail(Failure::Lost), within(2 * SECOND), "this says nothing about the next pause");
    assert_eq!(world.fail(Failure::Refused), within(30 * SECOND));
    assert_eq!(world.fail(Failure::Lost), within(8 * SECOND));
}

#[test]
fn a_loss_in_an_outage_is_the_failure_of_its_cycle() {
    let mut world = World::new(&defaults().recovery_attempts(2).recovery_timeout(10 * SECOND));
    world.lose(cut());
    let deadline = world.backoff.deadline();
    world.wait(SECOND);
    assert_eq!(world.backoff.begin(world.now()), Ok(1));
    assert_eq!(world.lose(cut()), within(2 * SECOND));
    assert_eq!(world.backoff.deadline(), deadline, "the outage goes on");
    assert_eq!(world.backoff.begin(world.now()), Ok(2));
    assert_eq!(world.lose(cut()), Next::GiveUp(GiveUp::Attempts(2)));
}

#[test]
fn attempts_are_counted_in_each_outage() {
    let mut world = World::new(&defaults().recovery_attempts(3));
    for _outage in 0..2 {
        world.lose(cut());
        assert!(matches!(world.fail(Failure::Lost), Next::Pause(_)));
        assert!(matches!(world.fail(Failure::Lost), Next::Pause(_)));
        world.recover(SECOND);
    }
    world.lose(cut());
    world.fail(Failure::Lost);
    world.fail(Failure::Lost);
    assert_eq!(world.fail(Failure::Lost), Next::GiveUp(GiveUp::Attempts(3)));
}

#[test]
fn an_outage_ends_at_its_deadline() {
    let mut world = World::new(&defaults().recovery_timeout(60 * SECOND));
    assert_eq!(world.backoff.deadline(), None, "there is no outage");
    world.wait(5 * SECOND);
    world.lose(cut());
    assert_eq!(world.backoff.deadline(), Some(world.began + 65 * SECOND));
    world.wait(60 * SECOND - Duration::from_nanos(1));
    assert!(matches!(world.fail(Failure::Lost), Next::Pause(_)));
    assert_eq!(world.backoff.begin(world.now()), Ok(2));
    world.wait(Duration::from_nanos(1));
    assert_eq!(world.backoff.begin(world.now()), Err(GiveUp::Timeout(60 * SECOND)));
    let next = world.backoff.handle_failed(Failure::Lost, world.now(), HIGHEST);
    assert_eq!(next, Next::GiveUp(GiveUp::Timeout(60 * SECOND)));
    assert_eq!(world.backoff.handle_recovered(world.now()), 60 * SECOND, "how long the outage lasted");
    assert_eq!(world.backoff.deadline(), None);
}

#[test]
fn without_limits_an_outage_may_last_for_years() {
    let mut world = World::new(&defaults());
    world.lose(cut());
    for cycle in 1..100 {
        world.wait(Duration::from_secs(31_536_000));
        assert_eq!(world.backoff.begin(world.now()), Ok(cycle));
        let next = world.backoff.handle_failed(Failure::Lost, world.now(), 0);
        assert_eq!(next, Next::Pause(Duration::ZERO));
    }
}

#[test]
fn four_refusals_in_a_row_are_survived_and_five_are_not() {
    let mut world = World::new(&defaults());
    world.lose(cut());
    for _ in 0..4 {
        assert_eq!(world.fail(Failure::Refused), within(30 * SECOND));
    }
    assert!(matches!(world.fail(Failure::Lost), Next::Pause(_)), "the row is broken");
    for _ in 0..4 {
        assert_eq!(world.fail(Failure::Refused), within(30 * SECOND));
    }
    assert_eq!(world.fail(Failure::Refused), Next::GiveUp(GiveUp::Refusals(5)));
}

#[test]
fn three_recovered_connections_that_are_killed_for_the_same_end_it() {
    let mut world = World::new(&defaults());
    let killer = killed(ReplyCode::INTERNAL_ERROR, CONSUME);
    assert!(matches!(world.lose(killer), Next::Pause(_)), "this one was opened, and not recovered");
    for _ in 0..2 {
        world.recover(SECOND);
        assert!(matches!(world.lose(killer), Next::Pause(_)));
        // Failed cycles in between do not break the row.
        assert!(matches!(world.fail(Failure::Lost), Next::Pause(_)));
    }
    world.recover(SECOND);
    let expected = Killer { code: ReplyCode::INTERNAL_ERROR, method: Some(CONSUME) };
    assert_eq!(world.lose(killer), Next::GiveUp(GiveUp::Killed(expected)));
}

#[test]
fn another_code_another_method_or_a_stable_time_breaks_the_row_of_killed_connections() {
    let killer = killed(ReplyCode::INTERNAL_ERROR, CONSUME);
    let breaks = [
        (killed(ReplyCode::INTERNAL_ERROR, DECLARE), SECOND),
        (killed(ReplyCode::FRAME_ERROR, CONSUME), SECOND),
        (cut(), SECOND),
        (closed(Reason::BlockedTooLong, None, None), SECOND),
        (killer, 30 * SECOND),
    ];
    for (loss, lasts) in breaks {
        let mut world = World::new(&defaults());
        world.lose(cut());
        for (loss, lasts) in [(killer, SECOND), (killer, SECOND), (loss, lasts), (killer, SECOND), (killer, SECOND)] {
            world.recover(lasts);
            assert!(matches!(world.lose(loss), Next::Pause(_)), "{loss:?}");
        }
    }
}

#[test]
fn an_operator_may_close_connections_as_often_as_there_are_nodes_to_restart() {
    let mut world = World::new(&defaults());
    let operator = closed(Reason::Broker, Some(ReplyCode::CONNECTION_FORCED), None);
    world.lose(operator);
    for _ in 0..100 {
        world.recover(SECOND);
        assert!(matches!(world.lose(operator), Next::Pause(_)));
    }
}

#[test]
fn a_violation_kills_as_a_close_of_the_broker_does() {
    let mut world = World::new(&defaults());
    let violation = closed(Reason::Violation(Violation::NotOnChannelZero), Some(ReplyCode::UNEXPECTED_FRAME), None);
    let ends = (0..4).map(|_| {
        let next = world.lose(violation);
        world.recover(SECOND);
        matches!(next, Next::GiveUp(GiveUp::Killed(_)))
    });
    assert_eq!(ends.collect::<Vec<_>>(), [false, false, false, true]);
}

/// What a script does.
#[derive(Debug, Clone, Copy)]
enum Act {
    Wait(Duration),
    Lose(Loss),
    Fail(Failure),
    Recover,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let losses = vec![
        cut(),
        closed(Reason::BlockedTooLong, None, None),
        killed(ReplyCode::INTERNAL_ERROR, CONSUME),
        killed(ReplyCode::INTERNAL_ERROR, DECLARE),
        closed(Reason::Broker, Some(ReplyCode::CONNECTION_FORCED), None),
    ];
    let act = prop_oneof![
        2 => (0_u64..2000).prop_map(|milliseconds| Act::Wait(Duration::from_millis(milliseconds))),
        4 => prop::sample::select(losses).prop_map(Act::Lose),
        3 => prop::sample::select(vec![Failure::Lost, Failure::Refused]).prop_map(Act::Fail),
        4 => Just(Act::Recover),
    ];
    prop::collection::vec(act, 1..80)
}

prop_compose! {
    fn limits()(
        delay in 1_u64..3000,
        factor in 1_u32..50,
        stable_after in 1_u64..3000,
        attempts in prop::option::of(1_u32..8),
        timeout in prop::option::of(1_u64..10_000),
        refusals in 1_u32..5,
    ) -> ConnectionParameters {
        let delay = Duration::from_millis(delay);
        defaults()
            .recovery_delay(delay)
            .recovery_max_delay(delay * factor)
            .recovery_stable_after(Duration::from_millis(stable_after))
            .recovery_attempts(attempts)
            .recovery_timeout(timeout.map(Duration::from_millis))
            .recovery_refusals(refusals)
    }
}

/// What has happened, each with its time.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Past {
    /// A loss that began an outage.
    Lost(Duration, Loss),
    Failed(Failure),
    Recovered(Duration),
}

/// The rules, as questions about all that has happened.
struct History<'a> {
    parameters: &'a ConnectionParameters,
    past: Vec<Past>,
}

impl History<'_> {
    /// The limit of the pause that follows, or the end.
    fn next(&self, at: Duration) -> Next {
        self.end(at).map_or_else(|| within(self.limit()), Next::GiveUp)
    }

    fn outage(&self) -> &[Past] {
        let began = self.past.iter().rposition(|past| matches!(past, Past::Lost(..))).unwrap();
        &self.past[began..]
    }

    fn end(&self, at: Duration) -> Option<GiveUp> {
        let outage = self.outage();
        let Past::Lost(since, _) = outage[0] else { panic!("an outage begins with a loss") };
        if outage.len() == 1 {
            return self.killed();
        }
        let failures = u32::try_from(outage.len() - 1).unwrap();
        let refused = outage.iter().rev().take_while(|past| **past == Past::Failed(Failure::Refused)).count();
        let refused = u32::try_from(refused).unwrap();
        let timeout = self.parameters.recovery_timeout.filter(|timeout| at - since >= *timeout);
        let refusals = Some(refused).filter(|refused| *refused >= self.parameters.recovery_refusals);
        let attempts = self.parameters.recovery_attempts.filter(|attempts| failures >= *attempts);
        let timeout = timeout.map(GiveUp::Timeout);
        timeout.or(refusals.map(GiveUp::Refusals)).or(attempts.map(|_| GiveUp::Attempts(failures)))
    }

    /// What the latest three losses have in common, if each was soon after a recovery.
    fn killed(&self) -> Option<GiveUp> {
        let soon = self.generations().rev().take(3).map(|(lasted, loss)| {
            loss.killer.filter(|_| lasted.is_some_and(|lasted| lasted < self.parameters.recovery_stable_after))
        });
        let killers: Vec<_> = soon.collect();
        match killers[..] {
            [Some(one), Some(two), Some(three)] if one == two && two == three => Some(GiveUp::Killed(one)),
            _ => None,
        }
    }

    /// Each lost connection: how long it lasted, if it had been recovered, and its loss.
    fn generations(&self) -> impl DoubleEndedIterator<Item = (Option<Duration>, Loss)> {
        self.past.iter().enumerate().filter_map(|(index, past)| match (past, index.checked_sub(1)) {
            (Past::Lost(_, loss), None) => Some((None, *loss)),
            (Past::Lost(at, loss), Some(before)) => match self.past[before] {
                Past::Recovered(since) => Some((Some(*at - since), *loss)),
                other => panic!("{other:?} before a loss"),
            },
            _ => None,
        })
    }

    fn limit(&self) -> Duration {
        let longest = self.parameters.recovery_max_delay;
        match self.past.last() {
            Some(Past::Failed(Failure::Refused)) => return longest,
            Some(Past::Lost(_, loss)) if loss.blocked => return longest,
            _ => {}
        }
        // The pauses before this one, since the loss of a connection that was stable.
        let mut pauses: u32 = 0;
        for (index, past) in self.past.iter().enumerate().rev().filter(|(_, past)| !matches!(past, Past::Recovered(_)))
        {
            let stable_after = self.parameters.recovery_stable_after;
            let is_first = match (past, index.checked_sub(1).map(|before| self.past[before])) {
                (Past::Lost(at, _), Some(Past::Recovered(since))) => *at - since >= stable_after,
                (Past::Lost(..), _) => true,
                _ => false,
            };
            if is_first {
                break;
            }
            pauses += 1;
        }
        let mut limit = self.parameters.recovery_delay;
        for _ in 0..pauses {
            limit = longest.min(limit * 2);
        }
        limit
    }
}

proptest! {
    #[test]
    fn any_script_has_the_pauses_and_the_end_that_its_history_implies(parameters in limits(), acts in acts()) {
        let mut world = World::new(&parameters);
        let mut history = History { parameters: &parameters, past: Vec::new() };
        let mut down = false;
        for act in acts {
            let next = match act {
                Act::Wait(time) => {
                    world.wait(time);
                    continue;
                }
                Act::Lose(loss) if !down => {
                    down = true;
                    history.past.push(Past::Lost(world.at, loss));
                    world.lose(loss)
                }
                Act::Fail(failure) if down => {
                    let Ok(_) = world.backoff.begin(world.now()) else { break };
                    history.past.push(Past::Failed(failure));
                    world.backoff.handle_failed(failure, world.now(), HIGHEST)
                }
                Act::Recover if down => {
                    let Ok(_) = world.backoff.begin(world.now()) else { break };
                    down = false;
                    world.backoff.handle_recovered(world.now());
                    history.past.push(Past::Recovered(world.at));
                    continue;
                }
                Act::Lose(_) | Act::Fail(_) | Act::Recover => continue,
            };
            prop_assert_eq!(next, history.next(world.at), "{:?}", history.past);
            if matches!(next, Next::GiveUp(_)) {
                break;
            }
        }
    }

    #[test]
    fn a_pause_is_shorter_than_its_limit_and_grows_with_its_random_number(
        delay in 1_u64..=31_536_000_000,
        factor in 1_u32..1000,
        earlier in any::<u32>(),
        one in any::<u64>(),
        other in any::<u64>(),
    ) {
        let year = Duration::from_secs(31_536_000);
        let delay = Duration::from_millis(delay);
        let parameters = defaults().recovery_delay(delay).recovery_max_delay((delay * factor).min(year));
        let delays = Delays::new(&parameters.recovery_settings());
        let (less, more) = (one.min(other), one.max(other));
        prop_assert!(delays.after(earlier, less) <= delays.after(earlier, more));
        prop_assert!(delays.after(earlier, more) <= delays.longest(more));
        prop_assert!(delays.longest(more) < parameters.recovery_max_delay);
        prop_assert!(delays.after(0, more) < delay);
    }
}
