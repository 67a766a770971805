//! Prose of the specification as doc attributes: wrapped, and escaped so that it contains no
//! unintended Markdown.
//!
//! Code in backticks is not changed. Everything else is text: a `<` is a `<`, a line that begins
//! with a dash is not a list, and four spaces do not make an example that rustdoc would compile.

use proc_macro2::TokenStream;
use quote::quote;

/// Where lines of prose end, the `///` aside.
const WIDTH: usize = 110;

/// The paragraphs of `text` as doc attributes.
pub(super) fn docs(text: &str) -> TokenStream {
    attributes(&lines(text))
}

/// The paragraphs of `text`, then `remark`, which is Markdown already.
pub(super) fn docs_and_remark(text: &str, remark: &str) -> TokenStream {
    let mut all = lines(text);
    all.push(String::new());
    all.extend(wrapped(remark.split_whitespace().map(str::to_owned), "", ""));
    attributes(&all)
}

/// `text`, then a list of named things, each with the first paragraph of its own prose.
pub(super) fn docs_and_list<'a>(text: &str, items: impl Iterator<Item = (String, &'a str)>) -> TokenStream {
    let mut all = lines(text);
    let before = all.len();
    all.push(String::new());
    for (name, prose) in items {
        let words =
            std::iter::once(format!("`{name}`:")).chain(paragraphs(prose).into_iter().next().unwrap_or_default());
        all.extend(wrapped(words, "- ", "  "));
    }
    if all.len() == before + 1 {
        all.truncate(before);
    }
    attributes(&all)
}

fn attributes(lines: &[String]) -> TokenStream {
    let lines = lines.iter().map(|line| if line.is_empty() { String::new() } else { format!(" {line}") });
    quote!(#(#[doc = #lines])*)
}

fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for words in paragraphs(text) {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(wrapped(words.into_iter(), "", ""));
    }
    lines
}

/// The words of each paragraph, escaped; paragraphs are separated by empty lines.
fn paragraphs(text: &str) -> Vec<Vec<String>> {
    let mut paragraphs = vec![String::new()];
    for line in text.lines().map(str::trim) {
        match paragraphs.last_mut() {
            Some(paragraph) if !line.is_empty() => {
                paragraph.push_str(line);
                paragraph.push('\n');
            }
            _ => paragraphs.push(String::new()),
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.iter().map(|paragraph| escaped(paragraph).split_whitespace().map(str::to_owned).collect()).collect()
}

/// Escapes outside of backticks. An unclosed backtick is text too.
fn escaped(paragraph: &str) -> String {
    let mut out = String::new();
    let mut rest = paragraph;
    while let Some((text, code)) = rest.split_once('`') {
        push_text(&mut out, text);
        match code.split_once('`') {
            Some((code, after)) if !code.is_empty() => {
                out.push('`');
                out.push_str(code);
                out.push('`');
                rest = after;
            }
            _ => {
                out.push_str("\\`");
                rest = code;
            }
        }
    }
    push_text(&mut out, rest);
    out
}

fn push_text(out: &mut String, text: &str) {
    for word in text.split_inclusive(char::is_whitespace) {
        if word.starts_with("http://") || word.starts_with("https://") {
            push_link(out, word);
            continue;
        }
        for c in word.chars() {
            if matches!(c, '\\' | '[' | ']' | '<' | '>' | '*' | '_' | '~' | '&' | '|') {
                out.push('\\');
            }
            out.push(c);
        }
    }
}

/// Writes a word. An address becomes a link, without the full stop or bracket after it.
fn push_link(out: &mut String, word: &str) {
    let unfit = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '\\');
    let (address, after) = word.split_at(word.find(unfit).unwrap_or(word.len()));
    let bare = address.trim_end_matches(['.', ',', ';', ':', ')', '!', '?', '"', '\'']);
    out.push('<');
    out.push_str(bare);
    out.push('>');
    let left = address.strip_prefix(bare).unwrap_or_default();
    for part in [left, after] {
        out.extend(part.chars().flat_map(|c| {
            let escape = matches!(c, '\\' | '<' | '>').then_some('\\');
            escape.into_iter().chain(std::iter::once(c))
        }));
    }
}

/// Wraps words into lines, the first after `first` and the others after `others`. No line begins
/// with what Markdown takes for a list, a heading or a rule.
fn wrapped(words: impl Iterator<Item = String>, first: &str, others: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut prefix = first.len();
    for word in words {
        if line.len() > prefix && line.len() + 1 + word.len() > WIDTH {
            lines.push(std::mem::replace(&mut line, others.to_owned()));
            prefix = others.len();
        }
        if line.len() > prefix {
            line.push(' ');
            line.push_str(&word);
        } else {
            line.push_str(&plain_at_start(word));
        }
    }
    lines.push(line);
    lines
}

/// The first word of a line, escaped so that Markdown takes it for text.
fn plain_at_start(word: String) -> String {
    let number = word.trim_start_matches(|c: char| c.is_ascii_digit());
    if number.len() < word.len() && (number == "." || number == ")") {
        let digits = word.len() - number.len();
        return format!("{}\\{number}", word.get(..digits).unwrap_or_default());
    }
    if word.starts_with(['-', '+', '=', '#']) { format!("\\{word}") } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_paragraphs_kept() {
        assert_eq!(lines("One\n    two.\n\n\n  Three."), ["One two.", "", "Three."]);
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(lines("a [b] <c> d_e *f* \\ g&lt; ~h~"), ["a \\[b\\] \\<c\\> d\\_e \\*f\\* \\\\ g\\&lt; \\~h\\~"]);
    }

    #[test]
    fn code_stays_as_it_is() {
        assert_eq!(lines("the `x[0] <y>` of [it]"), ["the `x[0] <y>` of \\[it\\]"]);
    }

    #[test]
    fn a_lone_backtick_is_text() {
        assert_eq!(lines("a ` b [c]"), ["a \\` b \\[c\\]"]);
        assert_eq!(lines("a `` b"), ["a \\`\\` b"]);
    }

    #[test]
    fn an_address_is_a_link() {
        assert_eq!(lines("See http://example.org/a_b."), ["See <http://example.org/a_b>."]);
    }

    #[test]
    fn no_line_begins_a_list_or_a_heading() {
        assert_eq!(
            lines("- a\n\n# b\n\n+ c\n\n1. d\n\n2) e\n\n=== f"),
            ["\\- a", "", "\\# b", "", "\\+ c", "", "1\\. d", "", "2\\) e", "", "\\=== f"]
        );
    }

    #[test]
    fn long_prose_is_wrapped() {
        let lines = lines(&"word ".repeat(50));
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() <= WIDTH));
    }

    #[test]
    fn a_list_item_is_indented_where_it_goes_on() {
        let lines = wrapped("word ".repeat(30).split_whitespace().map(str::to_owned), "- ", "  ");
        assert!(lines.first().is_some_and(|line| line.starts_with("- word")));
        assert!(lines.iter().skip(1).all(|line| line.starts_with("  word")));
    }
}
