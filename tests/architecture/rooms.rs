//! Each room uses only rooms above it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src/`, in the order in which they may use each other: each uses only those before
/// it.
const ROOMS: &[&str] = &[
    "wire",
    "protocol",
    "frame",
    "transport",
    "config",
    "engine",
    "tls",
    "error",
    "recovery",
    "link",
    "driver",
    "asynchronous",
    "blocking",
    "callback",
    "broker",
    "recovering",
    "for_pika_users",
];

/// What the embedded broker uses. It shares no code with the client that it tests, but what moves
/// octets.
const OF_BROKER: &[&str] = &["wire", "protocol", "frame", "transport"];

/// Uses against the order that exist today: the room that uses, the room that is used. To go: an
/// entry that is not needed any more fails the test, so that the list only gets shorter.
const TO_GO: &[(&str, &str)] = &[];

/// The rooms of `src/broker/`, in the same order. `state`, and the files beside them, hold what all
/// of them share.
const ROOMS_OF_BROKER: &[&str] = &["words", "model", "session", "methods", "operate", "server"];

/// The rooms of `src/engine/` that stand apart: the rooms of the engine that each of them uses. All
/// others are parts of one struct, the connection, and use each other.
const APART_IN_ENGINE: &[(&str, &[&str])] =
    &[("steps", &[]), ("slots", &["steps"]), ("opening", &["connection", "inbound"])];

#[test]
fn a_room_uses_only_rooms_before_it() {
    let uses = uses_of_rooms(&root().join("src"), "crate");
    let known: BTreeSet<&str> = ROOMS.iter().copied().collect();
    let found: BTreeSet<&str> = uses.keys().map(String::as_str).collect();
    assert_eq!(found, known, "the rooms of src/ are those of this list");
    let mut against = BTreeSet::new();
    for (room, used) in pairs(&uses) {
        if place(ROOMS, room) < place(ROOMS, used) {
            against.insert((room, used));
        }
    }
    assert_eq!(against, TO_GO.iter().copied().collect(), "uses against the order of rooms");
}

#[test]
fn the_embedded_broker_shares_no_code_with_the_client() {
    let uses = uses_of_rooms(&root().join("src"), "crate");
    let used: Vec<&str> = pairs(&uses).filter(|(room, _)| *room == "broker").map(|(_, used)| used).collect();
    assert!(used.iter().all(|used| OF_BROKER.contains(used)), "broker uses {used:?}");
}

#[test]
fn a_room_of_the_broker_uses_only_rooms_before_it() {
    let uses = uses_of_rooms(&root().join("src/broker"), "crate::broker");
    for (room, used) in pairs(&uses).filter(|(room, used)| ![*room, *used].contains(&"state")) {
        assert!(place(ROOMS_OF_BROKER, used) < place(ROOMS_OF_BROKER, room), "{room} uses {used}");
    }
}

#[test]
fn the_rooms_of_the_engine_that_stand_apart_do() {
    let uses = uses_of_rooms(&root().join("src/engine"), "crate::engine");
    for (room, allowed) in APART_IN_ENGINE {
        let used: Vec<&str> = pairs(&uses).filter(|(user, _)| user == room).map(|(_, used)| used).collect();
        assert!(used.iter().all(|used| allowed.contains(used)), "{room} uses {used:?}");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn place(rooms: &[&str], room: &str) -> usize {
    rooms.iter().position(|known| *known == room).unwrap_or_else(|| panic!("{room} has no place in the order of rooms"))
}

fn pairs(uses: &BTreeMap<String, BTreeSet<String>>) -> impl Iterator<Item = (&str, &str)> {
    uses.iter().flat_map(|(room, used)| used.iter().map(|used| (room.as_str(), used.as_str())))
}

/// Which room of `folder` uses which others of it, its unit tests left out. The module of `folder`
/// has the path `module`.
fn uses_of_rooms(folder: &Path, module: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rooms: BTreeSet<String> =
        entries(folder).into_iter().filter(|path| path.is_dir()).map(|path| stem(&path)).collect();
    let reexports = reexports(folder, &rooms);
    let mut uses = BTreeMap::new();
    for room in &rooms {
        let used: &mut BTreeSet<String> = uses.entry(room.clone()).or_default();
        for file in files(&folder.join(room)) {
            let code = code(&file);
            for name in names_in(&code, module) {
                let target = if rooms.contains(&name) { Some(&name) } else { reexports.get(&name) };
                used.extend(target.filter(|target| *target != room).cloned());
            }
        }
    }
    uses
}

/// The names that the module of `folder` gives to items of its rooms.
fn reexports(folder: &Path, rooms: &BTreeSet<String>) -> BTreeMap<String, String> {
    let root = ["mod.rs", "lib.rs"].map(|name| folder.join(name)).into_iter().find(|path| path.is_file()).unwrap();
    let code = code(&root);
    let mut names = BTreeMap::new();
    for statement in code.split(';') {
        let Some((_, path)) = statement.split_once("use ") else { continue };
        let Some((room, items)) = path.trim().split_once("::") else { continue };
        if rooms.contains(room) {
            names.extend(words(items).map(|name| (name.to_owned(), room.to_owned())));
        }
    }
    names
}

/// The first names after `module::` wherever it stands, those in braces included.
fn names_in(code: &str, module: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let prefix = format!("{module}::");
    for (at, _) in code.match_indices(&prefix) {
        let after = &code[at + prefix.len()..];
        match after.strip_prefix('{').and_then(|list| list.split_once('}')) {
            Some((list, _)) => {
                // Of `a::b, c` those are `a` and `c`.
                names.extend(list.split(',').filter_map(|item| words(item).next()).map(str::to_owned));
            }
            None => names.extend(words(after).next().map(str::to_owned)),
        }
    }
    names
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

/// The code of a file, without comments, text and the unit tests at its end.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let code = without_text(&text);
    code.split_once("\nmod tests {").map_or(code.clone(), |(before, _)| before.to_owned())
}

/// Leaves out comments and what stands between double quotes, where paths may be links of the
/// documentation.
fn without_text(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        let skipped = match rest {
            comment if comment.starts_with("//") => comment.find('\n').unwrap_or(comment.len()),
            quote if quote.starts_with("'\"'") => 3,
            string if string.starts_with('"') => length_of_string(string),
            _ => {
                code.push_str(&rest[..1]);
                1
            }
        };
        rest = &rest[skipped..];
    }
    code + rest
}

/// The length of the string literal at the front, its quotes included.
fn length_of_string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// The Rust files of a folder and of those below it, but for unit tests.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in entries(folder) {
        if stem(&path) == "tests" {
            continue;
        }
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}
