//! The table that `tests/live/order` measured: which answers come in which order, by version of RabbitMQ.

use std::collections::BTreeMap;

const CLASSIC: &str = include_str!("../../order/classic.tsv");

/// Two methods by the names that the table gives them, and the orders of their answers that were seen.
pub(super) struct Row {
    pub(super) first: &'static str,
    pub(super) second: &'static str,
    /// How most of the tries of a version ended.
    pub(super) orders: Vec<Vec<Token>>,
    /// How a real broker ends some, when one of its processes comes before another for once.
    pub(super) races: Vec<Vec<Token>>,
    /// They are of the version that was asked for. Of one that nobody has measured, the answers are known, and not their order.
    pub(super) is_measured: bool,
}

/// Something that arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// An answer: the place of what it answers, 0 or 1; and its name, where one method is answered by several.
    Answer(usize, Option<&'static str>),
    /// A close of the channel or the connection: the code and the text, with the names of queues taken out.
    Close { connection: bool, code: u16, text: &'static str },
}

impl Row {
    /// Nothing is closed, in any order.
    pub(super) fn is_harmless(&self) -> bool {
        !self.all_orders().flatten().any(|token| matches!(token, Token::Close { .. }))
    }

    /// The usual orders, and the others.
    pub(super) fn all_orders(&self) -> impl Iterator<Item = &Vec<Token>> {
        self.orders.iter().chain(&self.races)
    }
}

/// The rows of one version, such as `4.0`; of all of them together, where it was not measured or none is asked for.
pub(super) fn rows(version: Option<&str>) -> Vec<Row> {
    let lines = || CLASSIC.lines().filter(|line| !line.starts_with('#')).map(fields);
    let of = |versions: &str| version.is_some_and(|version| versions.split(',').any(|of| of == version));
    let measured = lines().any(|[_, versions, ..]| of(versions));
    let is_measured = measured || version.is_none();
    let mut pairs = BTreeMap::new();
    for [first, versions, order, times, seconds] in lines() {
        if measured && !of(versions) {
            continue;
        }
        for second in seconds.split('|') {
            let new = || Row { first, second, orders: Vec::new(), races: Vec::new(), is_measured };
            let row = pairs.entry((first, second)).or_insert_with(new);
            let (order, among) = (tokens(order), if is_usual(times) { &mut row.orders } else { &mut row.races });
            if !among.contains(&order) {
                among.push(order);
            }
        }
    }
    add_races(&mut pairs);
    pairs.into_values().collect()
}

/// Most tries ended so: `98 of 100`.
fn is_usual(times: &str) -> bool {
    let (times, tries) = times.split_once(" of ").expect("so many of so many");
    times.parse::<u32>().expect("a number") * 2 > tries.parse::<u32>().expect("a number")
}

/// The races of which some were seen in a hundred tries of each pair, for all the pairs that have them: a commit is done before the
/// second method is read, and is answered as one of nothing is; consume-ok and cancel-ok, which another process of the broker
/// sends, come in time.
fn add_races(pairs: &mut BTreeMap<(&'static str, &'static str), Row>) {
    let reversed = |order: &Vec<Token>| order.iter().rev().cloned().collect();
    let mut races = Vec::new();
    for ((first, second), row) in &*pairs {
        if *first == "tx.commit" {
            races.push((("tx.commit (publish)", *second), row.orders.clone()));
        } else if first.starts_with("basic.consume") || first.starts_with("basic.cancel") {
            races.push(((*first, *second), row.orders.iter().map(reversed).collect()));
        }
    }
    for (pair, orders) in races {
        let Some(row) = pairs.get_mut(&pair) else { continue };
        let unknown: Vec<_> = orders.into_iter().filter(|order| row.all_orders().all(|known| known != order)).collect();
        row.races.extend(unknown);
    }
}

fn fields(line: &'static str) -> [&'static str; 5] {
    line.split('\t').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("five fields: {line}"))
}

fn tokens(order: &'static str) -> Vec<Token> {
    let parts = order.split(',').filter(|part| *part != "nothing");
    // One acknowledgement may confirm both.
    parts.flat_map(|part| part.split('+').map(token).collect::<Vec<_>>()).collect()
}

fn token(part: &'static str) -> Token {
    if let Some((place, name)) = part.split_once(':').filter(|(place, _)| matches!(*place, "1" | "2")) {
        return Token::Answer(place_of(place), Some(name));
    }
    let Some((what, text)) = part.split_once(": ") else { return Token::Answer(place_of(part), None) };
    let mut words = what.split(' ');
    let (scope, code) = (words.next(), words.next().and_then(|code| code.parse().ok()));
    Token::Close { connection: scope == Some("connection"), code: code.expect("a reply code"), text }
}

fn place_of(mark: &str) -> usize {
    match mark {
        "1" => 0,
        "2" => 1,
        _ => panic!("{mark} is no place in a pair"),
    }
}
