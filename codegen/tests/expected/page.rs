//! The page `GENERATED.md`: its prose is written by hand, its code is cut out of a fixture and of
//! what comes of it.
//!
//! A piece of code stands between `<!-- begin LANGUAGE: START -->` and `<!-- end -->`. It is the
//! element or item whose first line, comments and attributes aside, begins with START, up to the
//! line that closes it. The languages are `xml` (the fixture), `rust` (the bindings) and `friendly`
//! (the friendly methods).

use std::{error::Error, fs, path::Path};

use leveret_codegen::emit;

use super::{Expected, folder, resolved};

const END: &str = "<!-- end -->";

/// The page as it must be: as it is, with fresh pieces of code.
pub(super) fn expected() -> Result<Expected, Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("GENERATED.md");
    let fixture = folder().join("page.xml");
    let protocol = resolved(&fixture)?;
    let xml = fs::read_to_string(&fixture)?;
    let rust = emit::protocol(&protocol)?;
    let friendly = emit::asynchronous(&protocol)?;
    let page = fs::read_to_string(&path)?;
    let mut text = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        let wanted = line.strip_prefix("<!-- begin ").and_then(|rest| rest.strip_suffix(" -->"));
        let Some(wanted) = wanted else { continue };
        let (source, fence, start) = match wanted.split_once(": ") {
            Some(("xml", start)) => (&xml, "xml", start),
            Some(("rust", start)) => (&rust, "rust", start),
            Some(("friendly", start)) => (&friendly, "rust", start),
            _ => return Err(format!("a piece of code in no language: {wanted}").into()),
        };
        let piece = piece(source, start).ok_or_else(|| format!("nothing begins with `{start}`"))?;
        text.push_str(&format!("```{fence}\n{piece}```\n{END}\n"));
        lines.find(|line| *line == END).ok_or("a piece of code without an end")?;
    }
    Ok(Expected { path, text })
}

/// The lines of the item that begins with `start`, with the comments and attributes above it,
/// without indentation.
fn piece(source: &str, start: &str) -> Option<String> {
    let lines: Vec<&str> = source.lines().collect();
    let first = lines.iter().position(|line| line.trim_start().starts_with(start))?;
    let depth = |line: &str| line.len() - line.trim_start().len();
    let indentation = depth(lines.get(first)?);
    let closes = |line: &&str| depth(line) == indentation && line.trim_start().starts_with(['}', '<']);
    let one_line = lines.get(first)?.ends_with(['}', ';']);
    let length = if one_line { 0 } else { 1 + lines.iter().skip(first + 1).position(closes)? };
    // An attribute may take several lines.
    let belongs = |line: &&&str| depth(line) > indentation || line.trim_start().starts_with(['/', '#', ')']);
    let above = lines.iter().take(first).rev().take_while(belongs).count();
    let piece = lines.iter().skip(first - above).take(above + length + 1);
    Some(piece.map(|line| format!("{}\n", line.get(indentation..).unwrap_or_default())).collect())
}
