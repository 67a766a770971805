//! What the generator prints, compared with golden files: small XML, and beside it the Rust that
//! must come of it.
//!
//! No test writes a golden file. Where a change is meant, refresh them, and the page
//! `GENERATED.md`, by
//!
//!     cargo run -p leveret-codegen --example refresh-golden
//!
//! and read the difference.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod expected;

use std::{ffi::OsStr, fs, path::Path};

use leveret_codegen::{emit, model::Protocol};

const REFRESH: &str = "if the change is meant: cargo run -p leveret-codegen --example refresh-golden";

fn fixture(name: &str) -> Protocol {
    expected::resolved(&expected::folder().join(name)).unwrap()
}

/// Asserts what is in the file, and says where it differs.
#[track_caller]
fn assert_same(path: &Path, expected: &str) {
    let found = fs::read_to_string(path).unwrap_or_default();
    if found == expected {
        return;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let same = found.lines().zip(expected.lines()).take_while(|(found, expected)| found == expected).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("the end of the file").trim().to_owned();
    let (found, made) = (line(&found), line(expected));
    panic!("{name}:{}:\n  the file has  {found}\n  generated is  {made}\n{REFRESH}", same + 1);
}

#[test]
fn the_generator_prints_what_the_golden_files_and_the_page_say() {
    for expected::Expected { path, text } in expected::all().unwrap() {
        assert_same(&path, &text);
    }
}

#[test]
fn every_golden_file_belongs_to_a_fixture() {
    let fixtures = expected::fixtures().unwrap();
    let rust = fs::read_dir(expected::folder()).unwrap().map(|entry| entry.unwrap().path());
    let rust = rust.filter(|path| path.extension() == Some(OsStr::new("rs")));
    for path in rust {
        assert!(fixtures.contains(&path.with_extension("xml")), "{} has no fixture; delete it", path.display());
    }
}

#[test]
fn the_same_specification_gives_the_same_rust() {
    for path in expected::fixtures().unwrap() {
        let (first, second) = (expected::resolved(&path).unwrap(), expected::resolved(&path).unwrap());
        assert_eq!(emit::protocol(&first).unwrap(), emit::protocol(&second).unwrap());
        assert_eq!(emit::asynchronous(&first).unwrap(), emit::asynchronous(&second).unwrap());
    }
}

#[test]
fn friendly_methods_can_be_made_for_bindings_in_another_module() {
    let protocol = fixture("friendly.asynchronous.xml");
    let here = emit::asynchronous(&protocol).unwrap();
    let there = emit::asynchronous_for(&protocol, "crate::extended").unwrap();
    assert!(there.contains("crate::extended::queue::Move") && !there.contains("crate::protocol"));
    assert_eq!(here.matches("pub fn").count(), there.matches("pub fn").count());
}

#[test]
fn a_module_that_is_no_path_is_an_error() {
    let protocol = fixture("friendly.asynchronous.xml");
    for wrong in ["crate::(", "crate protocol", "1 + 1"] {
        assert!(emit::asynchronous_for(&protocol, wrong).is_err(), "{wrong}");
    }
}
