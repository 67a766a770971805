//! What a broker lists of a virtual host, to compare it before and after something.

use std::fmt;

/// Exchanges, queues, bindings and consumers, as the broker that was asked words them: listings of
/// different kinds of brokers are not comparable.
///
/// Each is a sorted list of rows. What the broker chooses anew for an entity that is made again is
/// not in them: processes, numbers of channels, and the names that it gave to queues, which all
/// read `amq.gen`.
#[derive(Clone, PartialEq, Eq)]
pub struct Listing {
    /// Name, type, flags and arguments. The exchanges that every virtual host has are among them.
    pub exchanges: Vec<String>,
    /// Name, type, flags and arguments, and the tag of a consumer that has it for itself.
    pub queues: Vec<String>,
    /// Source, destination, routing key and arguments.
    pub bindings: Vec<String>,
    /// Queue, tag, whether it acknowledges, prefetch, and arguments.
    pub consumers: Vec<String>,
}

impl Listing {
    /// Rows of the four kinds, in any order.
    pub fn new(rows: [Vec<String>; 4]) -> Self {
        let [exchanges, queues, bindings, consumers] = rows.map(|rows| {
            let mut rows: Vec<_> = rows.iter().map(|row| without_given_names(row)).collect();
            rows.sort_unstable();
            rows
        });
        Self { exchanges, queues, bindings, consumers }
    }
}

/// One row a line, so that a failed comparison can be read.
impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            ("exchanges", &self.exchanges),
            ("queues", &self.queues),
            ("bindings", &self.bindings),
            ("consumers", &self.consumers),
        ];
        for (kind, rows) in kinds {
            writeln!(f, "\n{kind}:")?;
            rows.iter().try_for_each(|row| writeln!(f, "  {row}"))?;
        }
        Ok(())
    }
}

/// How a name begins that a broker gave to a queue.
const GIVEN: &str = "amq.gen";

/// Cuts names that the broker gave down to how they begin.
fn without_given_names(row: &str) -> String {
    let mut parts = row.split(GIVEN);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str(GIVEN);
        kept.push_str(part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c)));
    }
    kept
}

/// The rows of a kind in what is printed of all kinds: a row a line, after its kind and a
/// tabulator.
pub fn rows_of(kind: &str, printed: &str) -> Vec<String> {
    let rows = printed.lines().filter_map(|line| line.strip_prefix(kind)?.strip_prefix('\t'));
    rows.map(str::to_owned).collect()
}
