//! The table that `tests/live/order` measured: which answers come in which order, by version of RabbitMQ.

use std::collections::BTreeMap;

const CLASSIC: &str = include_str!("../../order/classic.tsv");

/// Two methods by the names that the table gives them, and every order of their answers that was seen.
pub(super) struct Row {
    pub(super) first: &'static str,
    pub(super) second: &'static str,
    pub(super) orders: Vec<Vec<Token>>,
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
        !self.orders.iter().flatten().any(|token| matches!(token, Token::Close { .. }))
    }
}

/// The rows of one version, such as `4.0`; of all of them together, where it was not measured or none is asked for.
pub(super) fn rows(version: Option<&str>) -> Vec<Row> {
    let lines = || CLASSIC.lines().filter(|line| !line.starts_with('#')).map(fields);
    let of = |versions: &str| version.is_some_and(|version| versions.split(',').any(|of| of == version));
    let measured = lines().any(|[_, versions, ..]| of(versions));
    let mut pairs: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for [first, versions, order, _times, seconds] in lines() {
        if measured && !of(versions) {
            continue;
        }
        for second in seconds.split('|') {
            let orders = pairs.entry((first, second)).or_default();
            let order = tokens(order);
            if !orders.contains(&order) {
                orders.push(order);
            }
        }
    }
    allow_races(&mut pairs);
    let is_measured = measured || version.is_none();
    pairs.into_iter().map(|((first, second), orders)| Row { first, second, orders, is_measured }).collect()
}

/// What a broker does once in some thousand times: a commit is done before the second method is read, and is answered as one of
/// nothing is; consume-ok and cancel-ok, which another process of the broker sends, come in time.
fn allow_races(pairs: &mut BTreeMap<(&'static str, &'static str), Vec<Vec<Token>>>) {
    let of_nothing: Vec<_> = pairs
        .iter()
        .filter(|((first, _), _)| *first == "tx.commit")
        .map(|((_, second), orders)| (("tx.commit (publish)", *second), orders.clone()))
        .collect();
    let in_time = |orders: &Vec<Vec<Token>>| orders.iter().map(|order| order.iter().rev().cloned().collect()).collect();
    let late: Vec<(_, Vec<Vec<Token>>)> = pairs
        .iter()
        .filter(|((first, _), _)| first.starts_with("basic.consume") || first.starts_with("basic.cancel"))
        .map(|(pair, orders)| (*pair, in_time(orders)))
        .collect();
    for (pair, orders) in of_nothing.into_iter().chain(late) {
        let Some(known) = pairs.get_mut(&pair) else { continue };
        for order in orders {
            if !known.contains(&order) {
                known.push(order);
            }
        }
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
