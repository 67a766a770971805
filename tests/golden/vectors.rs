//! Reads the golden files: blocks of `[name]` and `key: value` lines.

use std::path::Path;

/// One vector of a golden file.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) octets: Vec<u8>,
    lines: Vec<(String, String)>,
}

impl Vector {
    /// The line of this key, where the vector has one.
    pub(crate) fn line(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }

    /// The line of this key, which every vector of the file has.
    pub(crate) fn expected(&self, key: &str) -> &str {
        self.line(key).unwrap_or_else(|| panic!("vector {} has no line {key}", self.name))
    }

    /// Our encoder writes it the same way.
    pub(crate) fn is_canonical(&self) -> bool {
        self.line("decode-only").is_none()
    }
}

/// The vectors of a file, in order.
pub(crate) fn load(file: &str) -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut vectors: Vec<Vector> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let refuse = || -> ! { panic!("{file}:{}: not a line of a vector: {line}", index + 1) };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            vectors.push(Vector { name: name.to_owned(), octets: Vec::new(), lines: Vec::new() });
            continue;
        }
        let Some(vector) = vectors.last_mut() else { refuse() };
        match line.split_once(':') {
            Some(("hex", hex)) => vector.octets.extend(octets(hex)),
            Some((key, value)) => vector.lines.push((key.to_owned(), value.trim_start().to_owned())),
            None => refuse(),
        }
    }
    vectors
}

/// Octets from hex in which `61*4088` repeats an octet.
pub(crate) fn octets(hex: &str) -> Vec<u8> {
    let octet = |digits: &str| u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("not hex: {digits}"));
    hex.split_whitespace()
        .flat_map(|part| match part.split_once('*') {
            Some((digits, count)) => vec![octet(digits); count.parse().expect("a count")],
            None => (0..part.len()).step_by(2).map(|start| octet(&part[start..start + 2])).collect(),
        })
        .collect()
}

/// What a file's vectors were compared with, and what did not agree.
#[derive(Debug)]
pub(crate) struct Comparison {
    file: &'static str,
    disagreements: Vec<String>,
    checked: usize,
}

impl Comparison {
    pub(crate) fn of(file: &'static str) -> Self {
        Self { file, disagreements: Vec::new(), checked: 0 }
    }

    /// Notes a disagreement about `what` of a vector.
    pub(crate) fn equal(&mut self, vector: &Vector, what: &str, expected: &str, found: &str) {
        if expected != found {
            let (expected, found) = (shorten(expected), shorten(found));
            let file = self.file;
            self.disagreements
                .push(format!("{file} [{}] {what}\n  expected {expected}\n  found    {found}", vector.name));
        }
    }

    /// The same for octets, shown as hex.
    pub(crate) fn equal_octets(&mut self, vector: &Vector, what: &str, expected: &[u8], found: &[u8]) {
        self.equal(vector, what, &hex(expected), &hex(found));
    }

    /// One vector is done.
    pub(crate) fn count(&mut self) {
        self.checked += 1;
    }

    /// Every vector agreed, and there were at least as many as there should be.
    pub(crate) fn finish(self, at_least: usize) {
        let Self { file, disagreements, checked } = self;
        assert!(disagreements.is_empty(), "{} disagreements\n{}", disagreements.len(), disagreements.join("\n"));
        assert!(checked >= at_least, "{file} holds {checked} vectors, which should be {at_least} or more");
    }
}

/// Hex digits.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Bodies make long lines; their ends tell enough.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 2000;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}… ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}
