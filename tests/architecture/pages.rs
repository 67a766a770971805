//! What the pages about the project name is there.

use std::fs;
use std::path::Path;

const PAGES: &[&str] = &["ARCHITECTURE.md", "CONTRIBUTING.md"];

#[test]
fn every_file_that_a_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in PAGES {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let named: Vec<&str> = paths(&text).collect();
        assert!(named.len() > 10, "{page} names files");
        for path in named {
            assert!(root.join(path).exists(), "{page} names {path}");
        }
    }
}

#[test]
fn every_test_that_the_readme_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let named: Vec<(&str, &str)> = readme
        .lines()
        .filter_map(|line| match line.split('`').skip(1).step_by(2).collect::<Vec<_>>()[..] {
            [path, test] if line.starts_with('|') && path.ends_with(".rs") => Some((path, test)),
            _ => None,
        })
        .collect();
    assert!(named.len() > 10, "the README names tests");
    for (path, test) in named {
        let text = fs::read_to_string(root.join(path)).unwrap();
        assert!(text.contains(&format!("fn {test}(")), "{path} has {test}");
    }
}

/// What stands between backquotes and has the form of a path in the repository: a `/` or the end of
/// a file's name in it, and neither a space nor a `:`.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    const ENDS: &[&str] = &[".rs", ".md", ".toml", ".txt", ".xml", ".py"];
    let code = text.split('`').skip(1).step_by(2);
    code.filter(|code| {
        let is_path = code.contains('/') || ENDS.iter().any(|end| code.ends_with(end));
        is_path && !code.contains([' ', ':', '<', '\n'])
    })
}
