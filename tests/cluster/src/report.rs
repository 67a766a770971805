//! The ledgers as a table.

use std::time::{Duration, Instant};

use crate::client::Outage;
use crate::faults::Fault;
use crate::ledger::Outcome;
use crate::stage::Ended;

const HEAD: [&str; 16] = [
    "fault",
    "published",
    "confirmed",
    "nacked",
    "returned",
    "unknown",
    "arrived",
    "not sent",
    "delivered",
    "again",
    "acked",
    "stale",
    "losses",
    "median s",
    "worst s",
    "pause s",
];

/// Explains the columns that do not explain themselves.
pub(crate) const LEGEND: &str = "\
arrived: messages of unknown outcome that were delivered. again: deliveries after the first of a message.
stale: acknowledgements that the client refused, since the connection of their delivery was gone. losses: of connections.
median, worst: from the loss of a connection to the next one with its queue and consumer. pause: longest without a confirm.";

/// Makes the table of all faults.
pub(crate) fn table(ended: &[(Fault, Ended)]) -> String {
    let rows: Vec<Vec<String>> = std::iter::once(HEAD.map(str::to_owned).to_vec())
        .chain(ended.iter().map(|(fault, ended)| row(*fault, ended)))
        .collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells
            .map(|(at, (cell, &width))| if at == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn row(fault: Fault, ended: &Ended) -> Vec<String> {
    let sums = ended.ledger.sums();
    let of = |outcome| sums.outcomes.get(&outcome).copied().unwrap_or(0).to_string();
    let (median, worst) = median_and_worst(&ended.outages);
    vec![
        fault.name().to_owned(),
        sums.published.to_string(),
        of(Outcome::Confirmed),
        of(Outcome::Nacked),
        of(Outcome::Returned),
        of(Outcome::Unknown),
        sums.unknown_delivered.to_string(),
        of(Outcome::NotSent),
        sums.delivered.to_string(),
        sums.again.to_string(),
        sums.acknowledged.to_string(),
        sums.stale.to_string(),
        ended.outages.len().to_string(),
        seconds(median),
        seconds(worst),
        seconds(Some(ended.ledger.longest_pause())),
    ]
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{:.3}", time.as_secs_f64()))
}

fn median_and_worst(outages: &[Outage]) -> (Option<Duration>, Option<Duration>) {
    let mut times: Vec<Duration> = outages.iter().filter_map(|outage| Some(outage.recovered? - outage.lost)).collect();
    times.sort_unstable();
    (times.get(times.len() / 2).copied(), times.last().copied())
}

/// Says what one fault came to: causes of losses, errors of publishes, notes and violations.
pub(crate) fn details(fault: Fault, ended: &Ended) -> String {
    let mut lines = vec![format!("{}: {} ({:.0} s)", fault.name(), fault.description(), ended.took.as_secs_f64())];
    lines.extend(ended.notes.iter().cloned());
    if ended.outages.len() > 20 {
        lines.push(per_second(&ended.outages));
    }
    lines.extend(counted("lost", ended.outages.iter().map(|outage| outage.cause.as_str())));
    lines.extend(
        ended.ledger.reports().iter().map(|(error, times)| format!("publishes failed, {times} times: {error}")),
    );
    lines.extend(ended.violations.iter().map(|violation| format!("VIOLATION: {violation}")));
    lines.join("\n  ")
}

fn counted<'a>(what: &str, words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts.into_iter().map(|(word, count)| format!("{what}, {count} times: {word}")).collect()
}

/// Counts recoveries in each second since the first loss.
fn per_second(outages: &[Outage]) -> String {
    let first: Option<Instant> = outages.iter().map(|outage| outage.lost).min();
    let mut counts: Vec<u32> = Vec::new();
    for recovered in outages.iter().filter_map(|outage| outage.recovered) {
        let second = first.map_or(0, |first| usize::try_from((recovered - first).as_secs()).unwrap_or(usize::MAX));
        counts.resize(counts.len().max(second.saturating_add(1)), 0);
        if let Some(count) = counts.get_mut(second) {
            *count += 1;
        }
    }
    let counts: Vec<String> = counts.iter().map(u32::to_string).collect();
    format!("connections recovered in each second since the first loss: {}", counts.join(" "))
}
