//! The page for people who come from Pika has every public name of it, and none that it has not.
//!
//! `pika_names.txt` is the list of them: whose a name is, and the name. `pika_names.py` beside it
//! made it of the source of Pika 0.12.0 and 1.3.2, and says in its first lines how.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Names by whose they are: a class, or a module.
type Names = BTreeMap<String, BTreeSet<String>>;

/// What adapters wrap: their names are listed once, with these.
const SHARED: [&str; 3] =
    ["pika.channel.Channel", "pika.connection.Connection", "pika.adapters.select_connection.IOLoop"];

#[test]
fn every_public_name_of_pika_stands_on_the_page() {
    let (listed, shown) = (listed(), shown());
    assert!(listed.values().map(BTreeSet::len).sum::<usize>() > 800, "the list is there");
    let missing: Vec<String> = differences(&listed, &shown);
    assert!(missing.is_empty(), "not on the page:\n{}", missing.join("\n"));
}

#[test]
fn the_page_names_nothing_that_pika_has_not() {
    let listed = listed();
    let mut unknown = BTreeSet::new();
    for (table, owners) in tables() {
        let of_owners = owners.iter().map(String::as_str).chain(SHARED);
        let known: BTreeSet<&String> = of_owners.filter_map(|owner| listed.get(owner)).flatten().collect();
        let is_class = |name: &str| listed.keys().any(|owner| owner.rsplit('.').next() == Some(name));
        unknown.extend(table.into_iter().filter(|name| !known.contains(name) && !is_class(name)));
        let is_there = |owner: &String| listed.keys().any(|known| known.starts_with(owner.as_str()));
        unknown.extend(owners.into_iter().filter(|owner| !is_there(owner)));
    }
    assert!(unknown.is_empty(), "on the page, and not in Pika: {unknown:?}");
}

/// The list of `pika_names.txt`.
fn listed() -> Names {
    let text = fs::read_to_string(root().join("tests/for_pika_users/pika_names.txt")).unwrap();
    let mut names = Names::new();
    for (owner, name) in text.lines().filter_map(|line| line.split_once(' ')) {
        names.entry(owner.to_owned()).or_default().insert(name.to_owned());
    }
    names
}

/// What the tables of the page have on Pika's side.
fn shown() -> Names {
    let mut names = Names::new();
    for (table, owners) in tables() {
        for owner in owners {
            names.entry(owner).or_default().extend(table.iter().cloned());
        }
    }
    names
}

/// Each table of the page: the words of its first column, and whose they are, which the paragraph
/// before it says.
fn tables() -> Vec<(BTreeSet<String>, Vec<String>)> {
    let folder = root().join("src/for_pika_users/names");
    let mut pages: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.iter().flat_map(|page| tables_of(&fs::read_to_string(page).unwrap())).collect()
}

fn tables_of(page: &str) -> Vec<(BTreeSet<String>, Vec<String>)> {
    let blocks: Vec<&str> = page.split("\n\n").map(str::trim).collect();
    let pairs = blocks.iter().zip(blocks.iter().skip(1)).filter(|(_, table)| table.starts_with('|'));
    pairs.map(|(paragraph, table)| (first_column(table), owners(paragraph))).collect()
}

fn first_column(table: &str) -> BTreeSet<String> {
    let cells = table.lines().skip(2).filter_map(|row| row.split('|').nth(1));
    let is_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let words = cells.flat_map(code).flat_map(|code| code.split(move |letter| !is_of_word(letter)));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn owners(paragraph: &str) -> Vec<String> {
    code(paragraph).filter(|code| code.starts_with("pika.")).map(str::to_owned).collect()
}

/// What stands between backquotes.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names that `all` has and `some` has not.
fn differences(all: &Names, some: &Names) -> Vec<String> {
    let of_owner = |(owner, names): (&String, &BTreeSet<String>)| {
        let there = some.get(owner);
        let missing = names.iter().filter(|name| there.is_none_or(|there| !there.contains(*name)));
        missing.map(|name| format!("{owner} {name}")).collect::<Vec<_>>()
    };
    all.iter().flat_map(of_owner).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_table_belongs_to_the_classes_that_the_paragraph_before_it_names() {
    let page = "# A `pika.B`\n\nOf `pika.c.D` and\n`pika.e`:\n\n| Pika | here |\n|---|---|\n| `f(g, h)`, i | `j` |\n";
    let [(names, owners)] = &tables_of(page)[..] else { unreachable!("one table") };
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), ["f", "g", "h"]);
    assert_eq!(owners, &["pika.c.D", "pika.e"]);
}
