//! The specification in `spec/` says what the published files say, but for the corrections that
//! `spec/README.md` lists.
//!
//! What the published files say is in `facts/*.txt`, which a parser of its own derived: see
//! `facts/derive.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use leveret_codegen::facts::facts;
use leveret_codegen::{Specification, read};

/// What the overlay corrects in the published extended file.
const CORRECTIONS: &[&str] = &[
    // The server tells the client that it is blocked; the client never does.
    "- method connection.blocked chassis server MUST",
    // Every argument is always on the wire.
    "- field connection.blocked.reason domain shortstr required=0",
    "+ field connection.blocked.reason domain shortstr",
    "- method connection.unblocked chassis server MUST",
    // The client sends the secret, the server confirms it.
    "- method connection.update-secret chassis client MUST",
    "+ method connection.update-secret chassis server MUST",
    "- method connection.update-secret-ok chassis server MUST",
    "+ method connection.update-secret-ok chassis client MUST",
    // The broker answers recover.
    "- method basic.recover 110",
    "+ method basic.recover 110 synchronous",
    "+ method basic.recover response recover-ok",
    // As in every other method.
    "- field confirm.select.nowait domain no-wait",
    "+ field confirm.select.no-wait domain no-wait",
];

/// A path from the root of the workspace.
fn path(name: &str) -> String {
    format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The facts of files of ours.
fn ours(specs: &[&str]) -> Vec<String> {
    let specs: Vec<String> = specs.iter().map(|name| path(name)).collect();
    let loaded = Specification::load(&read(&specs).unwrap()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.warnings, [], "our own files need no leniency");
    facts(&loaded.tree)
}

/// The facts in a derived list.
fn published(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path(&format!("codegen/tests/facts/{name}"))).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Takes out of `facts` those that the corrections mark with `sign`, each of which must be there
/// once.
fn without(mut facts: Vec<String>, sign: &str) -> Vec<String> {
    for fact in CORRECTIONS.iter().filter_map(|line| line.strip_prefix(sign)) {
        let before = facts.len();
        facts.retain(|candidate| candidate != fact);
        assert_eq!(facts.len() + 1, before, "the correction `{sign}{fact}` fits");
    }
    facts
}

#[test]
fn the_base_says_what_the_published_base_says() {
    let published = published("base.txt");
    assert!(published.len() > 300, "the list is whole");
    assert_eq!(ours(&["spec/amqp0-9-1.xml"]), published);
}

#[test]
fn base_and_overlay_say_what_the_published_extended_file_says_but_for_the_corrections() {
    let ours = ours(&["spec/amqp0-9-1.xml", "spec/rabbitmq.xml"]);
    assert_eq!(without(ours, "+ "), without(published("extended.txt"), "- "));
}

#[test]
fn the_page_beside_the_specification_lists_the_same_corrections() {
    let page = std::fs::read_to_string(path("spec/README.md")).unwrap();
    let block = page.split("```corrections\n").nth(1).and_then(|rest| rest.split("```").next());
    let lines = block.expect("a block of corrections").lines();
    let listed: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(listed, CORRECTIONS);
}
