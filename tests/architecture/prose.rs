//! Prose is wrapped: in the comments of all code, and on all pages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Columns of a line of prose, its indentation and slashes included.
const WIDTH: usize = 100;

/// What a generator writes.
const GENERATED: &str = "codegen/tests/golden/";

/// Files that are not wrapped so far. To go: an entry that is not needed any more fails the test,
/// so that the list only gets shorter.
const TO_GO: &[&str] = &[];

#[test]
fn prose_is_wrapped_at_100_columns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut wide, mut to_go) = (Vec::new(), BTreeSet::new());
    for path in files(root) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let is_page = name.ends_with(".md");
        if name.starts_with(GENERATED) || !(is_page || name.ends_with(".rs")) {
            continue;
        }
        let lines = wide_lines(&fs::read_to_string(&path).unwrap(), if is_page { of_page } else { of_comment });
        if TO_GO.contains(&&*name) && !lines.is_empty() {
            to_go.insert(name);
        } else {
            wide.extend(lines.into_iter().map(|line| format!("{name}:{line}")));
        }
    }
    assert!(wide.is_empty(), "lines wider than {WIDTH} columns:\n{}", wide.join("\n"));
    assert_eq!(to_go, TO_GO.iter().map(|name| (*name).to_owned()).collect(), "files that are not wrapped");
}

/// All files of the repository, those that links lead to and those that builds make left out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let of_entry = |entry: fs::DirEntry| {
        let (kind, name) = (entry.file_type().unwrap(), entry.file_name());
        match name.to_str() {
            Some(name) if name != "target" && !name.starts_with('.') && kind.is_dir() => files(&entry.path()),
            _ if kind.is_file() => vec![entry.path()],
            _ => Vec::new(),
        }
    };
    entries.flat_map(of_entry).collect()
}

/// The prose of a line of code: what a comment that has the line for itself says.
fn of_comment(line: &str) -> Option<&str> {
    let comment = line.trim_start().strip_prefix("//")?.trim_start_matches(['/', '!']);
    Some(comment.strip_prefix(' ').unwrap_or(comment))
}

/// The prose of a line of a page: all of it but a heading, which has one line.
fn of_page(line: &str) -> Option<&str> {
    (!line.starts_with('#')).then_some(line)
}

/// The numbers of the lines that are too wide. Code and pictures, in fences or further in, tables,
/// links by themselves and what cannot be broken, such as the address of a page, may be.
fn wide_lines(text: &str, prose: fn(&str) -> Option<&str>) -> Vec<usize> {
    let (mut fenced, mut wide) = (false, Vec::new());
    for (line, number) in text.lines().zip(1..) {
        let Some(prose) = prose(line) else { continue };
        if prose.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let is_code = fenced || prose.starts_with("    ") || prose.trim_start().starts_with('|');
        if !is_code && can_be_broken(prose.trim()) && line.chars().count() > WIDTH {
            wide.push(number);
        }
    }
    wide
}

/// There is a space in it, outside of code and after the mark of a list or of a link by itself.
fn can_be_broken(prose: &str) -> bool {
    let text = match prose.split_once(' ') {
        Some((mark, text)) if matches!(mark, "-" | "*" | "=>") || mark.ends_with("]:") => text,
        Some((mark, text)) if mark.strip_suffix('.').is_some_and(|number| number.parse::<u32>().is_ok()) => text,
        _ => prose,
    };
    text.split('`').step_by(2).any(|outside_of_code| outside_of_code.contains(' '))
}

#[test]
fn code_tables_and_what_cannot_be_broken_may_be_wide() {
    let long = "word-".repeat(30);
    let prose = "word ".repeat(30);
    let may_be = [
        format!("| {prose}|"),
        format!("```\n{prose}\n```"),
        format!("    {prose}"),
        format!("- {long}"),
        format!("12. {long}"),
        format!("[link]: {long}"),
        format!("`{prose}`."),
    ];
    let may_not = [prose.clone(), format!("- {prose}"), format!("`code` {long}"), format!("[a link]({long}) here")];
    for (texts, expected) in [(&may_be[..], 0), (&may_not[..], 1)] {
        for text in texts {
            let comment: String = text.lines().map(|line| format!("    //! {line}\n")).collect();
            assert_eq!(wide_lines(text, of_page).len(), expected, "{text}");
            assert_eq!(wide_lines(&comment, of_comment).len(), expected, "{comment}");
        }
    }
    assert_eq!(wide_lines(&format!("# {prose}"), of_page), [0; 0]);
    assert_eq!(wide_lines(&format!("let code = 1; // {prose}"), of_comment), [0; 0]);
    assert_eq!(wide_lines(&format!("```\n{prose}\n```\n{prose}"), of_page), [4]);
}
