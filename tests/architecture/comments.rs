//! Comments are prose, and prose is wrapped.

use std::fs;
use std::path::Path;

use super::rooms::files;

/// Columns of a line of prose, its indentation and slashes included.
const WIDTH: usize = 100;

#[test]
fn prose_in_comments_is_wrapped_at_100_columns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wide = Vec::new();
    for file in files(&root.join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        wide.extend(wide_lines(&text).map(|line| format!("{}:{line}", file.display())));
    }
    assert!(wide.is_empty(), "lines wider than {WIDTH} columns:\n{}", wide.join("\n"));
}

/// The numbers of the lines that are too wide. Code and pictures in fences, tables, and words that cannot be broken, such as the
/// address of a page, may be.
fn wide_lines(text: &str) -> impl Iterator<Item = usize> {
    let mut fenced = false;
    text.lines().zip(1..).filter_map(move |(line, number)| {
        let comment = line.trim_start().strip_prefix("//")?.trim_start_matches(['/', '!']).trim();
        if comment.starts_with("```") {
            fenced = !fenced;
        }
        let can_be_broken = comment.contains(' ') && !comment.starts_with('|') && !comment.starts_with('[');
        (!fenced && can_be_broken && line.chars().count() > WIDTH).then_some(number)
    })
}

#[test]
fn code_and_tables_may_be_wide() {
    let prose = format!("/// {}\n", "word ".repeat(30));
    let table = format!("//! | {}|\n", "cell ".repeat(30));
    let code = format!("/// ```\n{prose}/// ```\n");
    assert_eq!(wide_lines(&format!("{table}{code}{prose}")).collect::<Vec<_>>(), [5]);
}
