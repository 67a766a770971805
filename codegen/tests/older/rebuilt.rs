//! A specification rebuilt from the list of its facts: what a published file says, without its
//! text.

use std::fmt::Write;

/// The XML of a list of facts. Nothing but the fact that an element stands for is in it.
pub(crate) fn xml(facts: &str) -> String {
    let mut rebuilt = Rebuilt::default();
    for fact in facts.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = fact.split(' ').collect();
        rebuilt.fact(&words);
    }
    rebuilt.close_to(0);
    rebuilt.xml
}

/// The XML so far.
#[derive(Default)]
struct Rebuilt {
    xml: String,
    /// The elements that are open: the tag, and the name in the list where it has one.
    open: Vec<(&'static str, String)>,
}

impl Rebuilt {
    fn fact(&mut self, words: &[&str]) {
        match words {
            ["protocol", versions @ ..] => self.start(0, "amqp", "", &pairs(versions)),
            ["constant", name, value] => self.start(1, "constant", name, &named(name, &[("value", value)])),
            ["constant", name, value, class] => {
                self.start(1, "constant", name, &named(name, &[("value", value), ("class", class)]));
            }
            [_, owner, "assert", check, rest @ ..] => self.assert(owner, check, rest),
            [_, owner, "chassis", name, implement] => {
                self.leaf(owner, "chassis", &named(name, &[("implement", implement)]));
            }
            ["method", owner, "response", name] => self.leaf(owner, "response", &named(name, &[])),
            ["domain", name, wire] => self.start(1, "domain", name, &named(name, &[("type", wire)])),
            ["class", name, index, "handler", handler] => {
                self.start(1, "class", name, &named(name, &[("index", index), ("handler", handler)]));
            }
            ["method", name, index, flags @ ..] => {
                let flags: String = flags.iter().map(|flag| format!(" {flag}='1'")).collect();
                self.start(2, "method", name, &(named(last(name), &[("index", index)]) + &flags));
            }
            [kind @ ("property" | "field"), name, what, wire, flags @ ..] => {
                let flags: String = flags.iter().map(|flag| format!(" {flag}='1'")).collect();
                let depth = if *kind == "property" { 2 } else { 3 };
                self.start(depth, "field", name, &(named(last(name), &[(what, wire)]) + &flags));
            }
            other => panic!("no fact: {other:?}"),
        }
    }

    /// An assert of the innermost element.
    fn assert(&mut self, owner: &str, check: &str, rest: &[&str]) {
        let attributes = match rest {
            [] => String::new(),
            [other] if check == "le" => {
                let (method, field) = other.split_once('.').unwrap();
                format!(" method='{method}' field='{field}'")
            }
            value => format!(" value='{}'", value.join(" ")),
        };
        self.leaf(owner, "assert", &format!(" check='{check}'{attributes}"));
    }

    /// Opens an element at a depth, where everything as deep has ended.
    fn start(&mut self, depth: usize, tag: &'static str, name: &str, attributes: &str) {
        self.close_to(depth);
        writeln!(self.xml, "<{tag}{attributes}>").unwrap();
        self.open.push((tag, name.to_owned()));
    }

    /// Adds an element without anything in it to `owner`, which is open.
    fn leaf(&mut self, owner: &str, tag: &str, attributes: &str) {
        assert_eq!(self.open.last().unwrap().1, owner);
        writeln!(self.xml, "<{tag}{attributes}/>").unwrap();
    }

    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            let (tag, _) = self.open.pop().unwrap();
            writeln!(self.xml, "</{tag}>").unwrap();
        }
    }
}

/// Attributes out of names and values in turns.
fn pairs(words: &[&str]) -> String {
    words.chunks(2).map(|pair| format!(" {}='{}'", pair.first().unwrap(), pair.last().unwrap())).collect()
}

/// The name, then other attributes.
fn named(name: &str, others: &[(&str, &str)]) -> String {
    let others: String = others.iter().map(|(name, value)| format!(" {name}='{value}'")).collect();
    format!(" name='{name}'{others}")
}

/// The last part of a name such as `queue.declare.durable`.
fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap()
}
