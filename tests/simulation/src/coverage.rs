//! How often everything was exercised.

use std::collections::BTreeMap;
use std::fmt;

use crate::run::Report;
use crate::script::Verb;

/// Counts over runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The number of runs.
    pub runs: u64,
    /// How often each thing happened.
    pub counts: BTreeMap<String, u64>,
}

/// Outcomes and events that a large run has to show, besides all steps.
pub const EXERCISED: &[&str] = &[];

impl Coverage {
    /// Adds a run.
    pub fn add(&mut self, report: &Report) {
        self.runs += 1;
        for (what, count) in &report.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
    }

    /// Adds other runs.
    pub fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        for (what, count) in &other.counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
    }

    /// Returns what no run has exercised of what all runs together have to.
    pub fn missing(&self) -> Vec<&'static str> {
        let wanted = Verb::ALL.iter().map(|verb| verb.name()).chain(EXERCISED.iter().copied());
        wanted.filter(|what| !self.counts.contains_key(*what)).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} runs exercised", self.runs)?;
        self.counts.iter().try_for_each(|(what, count)| writeln!(f, "{count:>10}  {what}"))
    }
}
