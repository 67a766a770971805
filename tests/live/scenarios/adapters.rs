//! The table of scenarios that do not run on every adapter.

use std::process::Command;

use leveret_live_tests::adapters::{Row, rows};
use leveret_live_tests::client::Adapter;

/// The paths of all scenarios.
fn scenarios() -> Vec<String> {
    let program = std::env::current_exe().expect("a test knows where it is");
    let listed = Command::new(program).args(["--list", "--format", "terse"]).output().expect("the harness lists tests");
    let listed = String::from_utf8(listed.stdout).expect("paths are UTF-8");
    listed.lines().filter_map(|line| Some(line.strip_suffix(": test")?.to_owned())).collect()
}

#[test]
fn every_row_is_about_scenarios_that_exist_and_says_why() {
    let scenarios = scenarios();
    for row in rows() {
        assert!(scenarios.iter().any(|scenario| row.is_about(scenario)), "there is none: {row:?}");
        assert!(!row.reason.is_empty() && !row.without.is_empty(), "{row:?}");
    }
}

#[test]
fn no_scenario_is_left_out_for_two_reasons() {
    let (scenarios, rows) = (scenarios(), rows());
    for scenario in &scenarios {
        let about: Vec<&Row> = rows.iter().filter(|row| row.is_about(scenario)).collect();
        assert!(about.len() <= 1, "{scenario}: {about:?}");
    }
}

#[test]
fn every_scenario_runs_on_the_async_api() {
    assert!(rows().iter().all(|row| !row.without.contains(&Adapter::Task)));
}
