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
    let lines = include_str!("../adapters.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(row).collect()
}

fn row(line: &'static str) -> Row {
    let mut columns = line.split('|').map(str::trim);
    let mut column =
        || columns.next().filter(|text| !text.is_empty()).unwrap_or_else(|| panic!("three columns: {line}"));
    let (subject, without, reason) = (column(), column(), column());
    let is_clientless = without == "clientless";
    let named = |name| Adapter::ALL.into_iter().find(|adapter| adapter.name() == name);
    let without = if is_clientless {
        Adapter::ALL.into_iter().filter(|adapter| *adapter != Adapter::Task).collect()
    } else {
        without.split(' ').map(|name| named(name).unwrap_or_else(|| panic!("{name} is no adapter: {line}"))).collect()
    };
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
        file.and_then(|mut file| writeln!(file, "{scenario}")).expect("the names of scenarios can be written");
    }
}
