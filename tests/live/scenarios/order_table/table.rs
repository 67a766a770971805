//! The table that `tests/live/order` measured: which answers come in which order, by version of
//! RabbitMQ.

use std::collections::BTreeMap;

use super::methods::mode;

const CLASSIC: &str = include_str!("../../order/classic.tsv");

/// Two methods by the names that the table gives them, and the orders of their answers that were
/// seen.
pub(super) struct Row {
    pub(super) first: &'static str,
    pub(super) second: &'static str,
    /// How most of the tries of a version ended.
    pub(super) orders: Vec<Vec<Token>>,
    /// How some end, when one of the broker's processes comes before another for once.
    pub(super) races: Vec<Vec<Token>>,
    /// They are of the version that was asked for. Of one that nobody has measured, the answers are
    /// known, and not their order.
    pub(super) is_measured: bool,
}

/// Something that arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// An answer: the place of what it answers, 0 or 1; and its name, where one method is answered
    /// by several.
    Answer(usize, Option<&'static str>),
    /// A close of the channel or the connection: the code and the text, with the names of queues
    /// taken out.
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

/// The rows of one version, such as `4.0`; of all of them together, where it was not measured or
/// none is asked for.
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

/// What another process of the broker than the channel's answers races against what the channel
/// answers, and the channel nearly always wins. Some of these races were seen in a hundred tries of
/// each pair; all the pairs of their kinds have them.
fn add_races(pairs: &mut BTreeMap<(&'static str, &'static str), Row>) {
    let of_nothing = |second| pairs.get(&("tx.commit", second)).map(|row| row.orders.clone()).unwrap_or_default();
    let races = pairs.iter().flat_map(|(pair, row)| {
        let races = match pair {
            (first, second) if commits_to_a_queue(first, second) => in_time(of_nothing(second)),
            (first, second) if is_answered_by_a_queue(first, second) => {
                row.orders.iter().flat_map(|order| at_an_earlier_place(order)).collect()
            }
            _ => Vec::new(),
        };
        races.into_iter().map(|order| (*pair, order))
    });
    for (pair, order) in races.collect::<Vec<_>>() {
        let Some(row) = pairs.get_mut(&pair) else { continue };
        if row.all_orders().all(|known| *known != order) {
            row.races.push(order);
        }
    }
}

/// A queue has a message to store before the first of these is answered.
fn commits_to_a_queue(first: &str, second: &str) -> bool {
    let publishes = |title| matches!(title, "tx.commit (publish)" | "tx.rollback");
    first.starts_with("tx.commit") && (publishes(first) || publishes(second))
}

/// The first of these is answered when its queue has answered the channel.
fn is_answered_by_a_queue(first: &str, second: &str) -> bool {
    match first {
        "basic.consume" | "basic.consume (no tag)" | "basic.cancel" | "basic.publish (confirmed)" => true,
        "basic.publish" => mode(first, second) == Some("confirm"),
        _ => false,
    }
}

/// How a commit ends that is done before the second method is read: as one of nothing does, and
/// that one never is too late.
fn in_time(of_nothing: Vec<Vec<Token>>) -> Vec<Vec<Token>> {
    let both = vec![Token::Answer(0, None), Token::Answer(1, None)];
    let closes = |order: &[Token]| order.iter().any(|token| matches!(token, Token::Close { connection: true, .. }));
    of_nothing.into_iter().map(|order| if closes(&order) { both.clone() } else { order }).collect()
}

/// The orders in which the first method's answer stands earlier than in this one; or stands at all,
/// before a close that it mostly is lost with.
fn at_an_earlier_place(order: &[Token]) -> Vec<Vec<Token>> {
    let answer = Token::Answer(0, None);
    let others: Vec<_> = order.iter().filter(|token| **token != answer).cloned().collect();
    let with_answer = |place| {
        let mut order = others.clone();
        order.insert(place, answer.clone());
        order
    };
    let usual = order.iter().position(|token| *token == answer);
    let close = || others.iter().position(|token| matches!(token, Token::Close { .. }));
    // One that never arrives, and is lost with nothing, is in no race.
    let places = usual.unwrap_or_else(|| close().map_or(0, |close| close + 1));
    (0..places).map(with_answer).collect()
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

#[test]
fn in_a_race_the_first_answer_is_earlier_than_usual_and_never_later() {
    let races = |order| at_an_earlier_place(&tokens(order));
    assert_eq!(races("2:return,2:ack,1"), ["1,2:return,2:ack", "2:return,1,2:ack"].map(tokens));
    assert_eq!(races("channel 406 by tx.select: no"), ["1,channel 406 by tx.select: no"].map(tokens));
    for order in ["1", "1,2", "1+2", "2", "nothing"] {
        assert!(races(order).is_empty(), "{order}");
    }
}
