//! Which scenarios do not run on which adapters, and why: `tests/live/adapters.txt`, which
//! `tests/run` reads too.

use std::fs::OpenOptions;
use std::io::Write;
use std::thread;

use crate::client::Adapter;

/// A scenario, or a module of them, that does not run on every adapter.
#[derive(Debug)]
pub struct Row {
    /// The path of a scenario; or of a module, with `::` after it.
    pub subject: &'static str,
    /// The adapters that do not run it.
    pub without: Vec<Adapter>,
    /// It has no client of the crate, and runs on [`Adapter::Task`] for want of another.
    pub is_clientless: bool,
    /// Why.
    pub reason: &'static str,
}

impl Row {
    /// Whether it is about the scenario of this path.
    pub fn is_about(&self, scenario: &str) -> bool {
        if self.subject.ends_with("::") { scenario.starts_with(self.subject) } else { scenario == self.subject }
    }
}

/// The rows of the table.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut head = None;
    for line in include_str!("../adapters.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(subject) = line.strip_prefix("    ") {
            let (names, reason) = head.expect("what begins a line says which adapters, and why");
            rows.push(row(subject, names, reason));
        } else {
            head = line.split_once(": ");
        }
    }
    rows
}

fn row(subject: &'static str, names: &str, reason: &'static str) -> Row {
    let is_clientless = names == "clientless";
    let is_named = |adapter: &Adapter| names.split(' ').any(|name| name == adapter.name());
    let lacks = |adapter: &Adapter| if is_clientless { *adapter != Adapter::Task } else { is_named(adapter) };
    let without: Vec<_> = Adapter::ALL.into_iter().filter(lacks).collect();
    assert!(is_clientless || without.len() == names.split(' ').count(), "these are no adapters: {names}");
    Row { subject, without, is_clientless, reason }
}

/// A scenario is about to open a connection by the adapter that this run is about. One that the
/// table has as clientless must not; the names of the others go to the file of
/// `LEVERET_TEST_CLIENTS`, so that `tests/run` can tell which did nothing with an adapter.
pub(crate) fn note_client() {
    let thread = thread::current();
    // The harness names the thread of a test after it.
    let scenario = thread.name().unwrap_or_default();
    let listed = rows().into_iter().find(|row| row.is_clientless && row.is_about(scenario));
    assert!(listed.is_none(), "it has a client of the crate: {listed:?}");
    if let Ok(path) = std::env::var("LEVERET_TEST_CLIENTS") {
        let file = OpenOptions::new().append(true).create(true).open(path);
        // In one write: scenarios run side by side.
        let line = format!("{scenario}\n");
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the names of scenarios can be written");
    }
}
