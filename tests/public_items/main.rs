//! The public items of the crate, listed in `items.txt`, so that a change of the API shows in a
//! review.
//!
//! The list is made of the source, line by line: every `pub` item of the rooms that are promised,
//! tests aside. After a change that is meant,
//! `LEVERET_BLESS=1 cargo test --all-features --test public_items` writes it anew.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::{env, fs};

const LIST: &str = "tests/public_items/items.txt";

/// What is promised; the embedded broker is, too, and changes more often than it should show here.
const ROOMS: [&str; 9] = [
    "src/lib.rs",
    "src/asynchronous",
    "src/blocking",
    "src/callback",
    "src/config",
    "src/driver/readiness",
    "src/error",
    "src/protocol",
    "src/wire",
];

#[test]
fn the_list_of_public_items_is_that_of_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<PathBuf> = ROOMS.iter().flat_map(|room| files(&root.join(room))).collect();
    let mut listed = String::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        for item in items(&fs::read_to_string(&file).unwrap()) {
            listed += &format!("{name}: {item}\n");
        }
    }
    if env::var_os("LEVERET_BLESS").is_some() {
        fs::write(root.join(LIST), &listed).unwrap();
    }
    let committed = fs::read_to_string(root.join(LIST)).unwrap();
    for (committed, listed) in committed.lines().zip(listed.lines()) {
        assert_eq!(committed, listed, "the API has changed: run this with LEVERET_BLESS=1, and commit the list");
    }
    assert_eq!(committed.lines().count(), listed.lines().count(), "the API has changed: see above");
}

/// The files of a room, in the order of their paths.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut inside: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    inside.sort();
    let is_listed = |path: &PathBuf| path.is_dir() || path.extension().is_some_and(|extension| extension == "rs");
    inside.into_iter().filter(is_listed).flat_map(|path| files(&path)).collect()
}

/// The heads of the public items of a file: from `pub` to the end of the line that opens or ends
/// the item.
fn items(text: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line == "mod tests {" {
            break;
        }
        if !line.starts_with("pub ") {
            continue;
        }
        let mut item = line.to_owned();
        let ends: &[char] = if line.starts_with("pub use ") { &[';'] } else { &['{', '}', ';', ','] };
        while !item.ends_with(ends) || item.matches('(').count() > item.matches(')').count() {
            let Some(more) = lines.next() else { break };
            item = format!("{item} {more}");
        }
        items.push(item.trim_end_matches(['{', ',']).trim_end().to_owned());
    }
    items
}
