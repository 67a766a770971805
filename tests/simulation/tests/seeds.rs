//! Seeds run, run alike, and are shrunk.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeSet;

use leveret_simulation::coverage::Coverage;
use leveret_simulation::run::run;
use leveret_simulation::script::{Script, Step, Verb};
use leveret_simulation::shrink::{shorten, shrink};

/// How many seeds run with the other tests. `tests/run` runs more.
const SEEDS: u64 = 60;

#[test]
fn no_seed_shows_what_no_run_may_show() {
    let mut coverage = Coverage::default();
    for (seed, recovery) in (0..SEEDS).flat_map(|seed| [(seed, false), (seed, true)]) {
        let script = Script::of_seed(seed, recovery);
        let report = run(&script, false);
        assert!(report.counts.contains_key("event Closed"), "seed {seed} opens no connection");
        assert!(report.violations.is_empty(), "seed {seed}: {:#?}\n{script}", report.violations);
        coverage.add(&report);
    }
    let common = [
        "outcome ok",
        "delivery",
        "publish Confirmed",
        "event Closed",
        "bitten cut",
        "ack",
        "lost publish-confirmed Unknown",
    ];
    let missing: Vec<_> = common.iter().filter(|what| !coverage.counts.contains_key(**what)).collect();
    assert!(missing.is_empty(), "never exercised: {missing:?} of\n{coverage}");
}

#[test]
fn a_seed_runs_twice_byte_for_byte() {
    let mut sums = BTreeSet::new();
    for seed in 0..20 {
        let script = Script::of_seed(seed, seed % 2 == 0);
        let (first, second) = (run(&script, true), run(&script, true));
        assert_eq!(first, second, "seed {seed}");
        assert!(sums.insert(first.sum), "seed {seed} runs as another does: {:#?}", first.log);
    }
}

#[test]
fn a_seed_runs_alike_on_another_thread_and_after_other_seeds() {
    let script = Script::of_seed(7, false);
    let here = run(&script, false);
    run(&Script::of_seed(8, false), false);
    let elsewhere = script.clone();
    let there = std::thread::spawn(move || run(&elsewhere, false)).join().unwrap();
    assert_eq!(here, there);
    assert_eq!(here, run(&script, false));
}

#[test]
fn what_differs_by_one_byte_has_another_sum() {
    let script: Script = "settings clients=1\nopen client=0\nrest\nchannel-open client=0\nrest\n\
        publish client=0 queue=0 bytes=10\nrest"
        .parse()
        .unwrap();
    let mut other = script.clone();
    other.steps[4] = "publish client=0 queue=0 bytes=11".parse().unwrap();
    assert_ne!(run(&script, false).sum.0, run(&other, false).sum.0);
    other.steps[4] = "publish client=0 queue=0 bytes=10".parse().unwrap();
    assert_eq!(run(&script, false), run(&other, false));
}

#[test]
fn every_script_reads_as_it_was_printed() {
    for seed in 0..200 {
        let script = Script::of_seed(seed, seed % 2 == 0);
        assert_eq!(script.to_string().parse::<Script>().unwrap(), script);
    }
    for verb in Verb::ALL {
        let numbers: Vec<u32> = (1..).take(verb.fields().len()).collect();
        let step = Step::new(*verb, &numbers).dropped_after(Some(9));
        assert_eq!(step.to_string().parse::<Step>().unwrap(), step);
    }
}

#[test]
fn what_is_no_script_is_refused_by_its_word() {
    for (text, named) in [
        ("dance client=0", "dance"),
        ("open place=0", "place"),
        ("open client=x", "x"),
        ("open client", "client"),
        ("settings speed=1", "speed"),
    ] {
        let refused = text.parse::<Script>().unwrap_err();
        assert!(refused.contains(named), "{text}: {refused}");
    }
}

#[test]
fn steps_that_are_not_needed_are_removed() {
    let fails = |steps: &[u32]| steps.contains(&17) && steps.contains(&60) && steps.iter().any(|step| *step < 5);
    let all: Vec<u32> = (0..100).collect();
    let left = shorten(&all, fails);
    assert!(fails(&left));
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_script_that_fails_is_shrunk_to_the_steps_that_make_it_fail() {
    // The broker loses a queue, and the ledger does not know why.
    let mut script = Script::of_seed(3, false);
    let failing = "open client=0\nrest\nchannel-open client=0\nrest\nqueue-declare client=0 queue=9\nrest\n\
        broker-mislay-queue queue=9\nrest";
    let failing: Script = failing.parse().unwrap();
    let middle = script.steps.len() / 2;
    script.steps.splice(middle..middle, failing.steps.clone());
    let report = run(&script, false);
    assert!(report.violations.iter().any(|violation| violation.starts_with("I5")), "{:?}", report.violations);
    let shorter = shrink(&script);
    assert!(shorter.steps.len() <= failing.steps.len(), "{shorter}");
    assert_eq!(run(&shorter, false), run(&shorter.to_string().parse().unwrap(), false), "by its text");
    assert!(!run(&shorter, false).violations.is_empty());
}

#[test]
fn a_panic_in_a_task_is_a_violation() {
    let script: Script = "settings clients=1\nopen client=0\nrest\nbroker-panic".parse().unwrap();
    let report = run(&script, false);
    assert!(report.violations.iter().any(|violation| violation.starts_with("panic")), "{:?}", report.violations);
}
