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

/// A rule of recovery, or of what stands in for it where connections do not recover, and the counts
/// that show it.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The name, such as `"R6"`, and what it is about.
    pub name: &'static str,
    /// The rule was exercised as often as counts that begin with one of these texts.
    pub shown_by: &'static [&'static str],
    /// Whether it is about connections that recover.
    pub recovery: bool,
}

/// The rules that a large number of runs has to exercise. Each is shown by what was observed: what
/// a request resolved with, an event, the state of a handle or of the broker, or bytes on the wire.
///
/// These rules no run can show:
///
/// | rule | why | what shows it |
/// |---|---|---|
/// | R9, publishes are sent again | leveret does not do so | nothing |
/// | R20, what is asked of a cancelled consumer's queue | it depends on the moment | `tests/embedded/recovery/topology.rs` |
/// | R26, how long pauses are | it is a distribution over many outages | `src/recovery/backoff/tests.rs` |
/// | R27, names are resolved for each cycle | the network has no names | `src/driver/connect/dial/tests.rs` |
/// | R40, the leader of a queue | the broker is one node | `tests/cluster/` |
pub const RULES: &[Rule] = &[
    rule("R5 everything is decided at the loss, after any byte", &["bitten cut"]),
    rule("R6 a lost call was not sent, or its fate is unknown", &["lost queue-", "lost exchange-", "lost qos"]),
    rule("R7 a lost publish without a confirm", &["lost publish NotSent", "publish Queued"]),
    rule("R8 a lost publish with a confirm", &["lost publish-confirmed "]),
    rule("R10 confirms that are waited for at the loss", &["lost wait-for-confirms"]),
    rule("R11 a transaction that is open at the loss", &["lost tx-commit"]),
    rule("R12 a declaration whose answer is lost", &["lost queue-declare Unknown"]),
    rule("R20 the broker cancels a consumer", &["event ConsumerCancelled"]),
    rule("R23 the broker closes the connection", &["lost by the broker", "closed by the broker"]),
    rule("R23 heartbeats are missed", &["lost by missed heartbeats", "closed by missed heartbeats"]),
    rule("R23 the broker blocks for too long", &["lost by a long block", "closed by a long block"]),
    rule("R23 the user or the virtual host is deleted", &["lost with its user", "closed with its user"]),
    rule("R23 the broker restarts", &["connections ended with the broker"]),
    rule("R24 a close that the loss comes before", &["lost close"]),
    rule("R29 a login is refused", &["error Authentication", "error AccessRefused"]),
    rule("R33 a queue is down", &["refused because a queue is down"]),
    rule("R34 an answer is held back", &["not answered in time"]),
    rule("R38 the broker closes a channel", &["channel closed by the broker"]),
    rule("R40 a future is dropped", &["outcome dropped"]),
    of_recovery("R1 one transport after the other", &["bitten transport that was replaced"]),
    of_recovery("R2 a channel keeps its handle and its number", &["channel recovered with its number"]),
    of_recovery("R3 a delivery from before the loss is settled", &["settle StaleDelivery"]),
    of_recovery("R4 messages come again after a loss", &["delivered again after a loss"]),
    of_recovery("R11 a transaction is lost", &["error TransactionLost"]),
    of_recovery(
        "R12 a channel is closed while its connection is down",
        &["channel closed while its connection is down"],
    ),
    of_recovery("R13 a request gives up while the connection is down", &["error Recovering"]),
    of_recovery("R13 a publish is stored while the connection is down", &["stored while the connection is down"]),
    of_recovery("R14 direct reply-to works after a loss", &["reply after a loss"]),
    of_recovery("R15 a consumer gets its prefetch again", &["consumer started again with its prefetch"]),
    of_recovery("R16 the record is what the broker has", &["recorded as the broker has it"]),
    of_recovery("R17 an empty name is filled in", &["an empty name was filled in"]),
    of_recovery("R18 a queue is renamed", &["event QueueRenamed"]),
    of_recovery("R19 what hangs on a deleted queue is forgotten", &["forgotten with its queue"]),
    of_recovery("R21 the record is full", &["event RecordFull"]),
    of_recovery("R22 what is not recorded stays away", &["not recorded, and not there after the loss"]),
    of_recovery("R24 a connection is closed while it is down", &["closed while it is down"]),
    of_recovery("R25 a loss while restoring", &["recovered after a transport that was lost while restoring"]),
    of_recovery("R26 an attempt fails", &["event ReconnectFailed"]),
    of_recovery("R27 credentials are asked for again", &["credentials were asked for again"]),
    of_recovery("R28 the last attempt fails", &["gave up after the last attempt"]),
    of_recovery("R30 three closes alike", &["gave up after three closes alike"]),
    of_recovery("R31 the connection is recovered", &["event Recovered"]),
    of_recovery("R32 the replay goes on after a refusal", &["recovered although something was refused"]),
    of_recovery("R33 an entity is not restored, or later", &["event EntityFailed", "event EntityRecovered"]),
    of_recovery("R34 a step of a replay is not answered", &["a step of the recovery was not answered"]),
    of_recovery("R35 a consumer is recovered", &["event ConsumerRecovered"]),
    of_recovery("R36 the loss and the attempts are told", &["event Lost", "event Reconnecting"]),
    of_recovery("R37 a consumer ends with the loss", &["consumer ended with the loss, its channel did not"]),
    of_recovery("R38 a closed channel stays closed over a recovery", &["channel stayed closed over a recovery"]),
    of_recovery("R39 a channel is recovered alone", &["channel recovered alone"]),
    of_recovery("I5 the broker has after a loss what it had before", &["there after the loss as before"]),
];

const fn of_recovery(name: &'static str, shown_by: &'static [&'static str]) -> Rule {
    Rule { name, shown_by, recovery: true }
}

const fn rule(name: &'static str, shown_by: &'static [&'static str]) -> Rule {
    Rule { name, shown_by, recovery: false }
}

impl Coverage {
    /// Adds a run.
    pub fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.add_counts(&report.counts);
    }

    /// Adds other runs.
    pub fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        self.add_counts(&other.counts);
    }

    fn add_counts(&mut self, counts: &BTreeMap<String, u64>) {
        for (what, count) in counts {
            *self.counts.entry(what.clone()).or_default() += count;
        }
    }

    /// Returns how often a rule was exercised.
    pub fn of_rule(&self, rule: &Rule) -> u64 {
        let shows = |what: &str| rule.shown_by.iter().any(|text| what.starts_with(text));
        self.counts.iter().filter(|(what, _)| shows(what)).map(|(_, count)| count).sum()
    }

    /// Returns the steps and rules that no run has exercised. Rules of recovery count if `recovery`
    /// is set.
    pub fn missing(&self, recovery: bool) -> Vec<&'static str> {
        let drawn = Verb::ALL.iter().filter(|verb| !matches!(verb, Verb::MislayQueue | Verb::Panic));
        let steps = drawn.map(|verb| verb.name()).filter(|name| !self.counts.contains_key(*name));
        let rules = RULES.iter().filter(|rule| (recovery || !rule.recovery) && self.of_rule(rule) == 0);
        steps.chain(rules.map(|rule| rule.name)).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} runs exercised", self.runs)?;
        self.counts.iter().try_for_each(|(what, count)| writeln!(f, "{count:>10}  {what}"))?;
        writeln!(f, "and the rules")?;
        RULES.iter().try_for_each(|rule| writeln!(f, "{:>10}  {}", self.of_rule(rule), rule.name))
    }
}
