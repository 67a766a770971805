//! Escaping of texts from elsewhere, so that they are safe to show.

use std::fmt::{self, Write as _};

/// Prints a text from an untrusted source in one line, with everything escaped that could act on a
/// terminal or mislead a reader.
///
/// Control characters (including line breaks and terminal escapes), separators of lines and
/// paragraphs, marks that change the direction of writing, and invisible characters are printed as
/// in a string literal. Everything else is printed unchanged, including quotation marks and
/// backslashes, so that escaping twice changes nothing.
///
/// Every error and event of this crate prints the broker's text this way. A program that prints
/// such a text itself, for example the reason of a
/// [`ConnectionEvent::Blocked`](crate::ConnectionEvent::Blocked), should do the same:
///
/// ```
/// use leveret::wire::Escaped;
///
/// let reason = "low on memory\nERROR all messages are lost \u{1b}[2J";
/// assert_eq!(Escaped(reason).to_string(), r"low on memory\nERROR all messages are lost \u{1b}[2J");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escaped<T>(pub T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Filter(f), "{}", self.0)
    }
}

/// Escapes what is written through it.
struct Filter<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl fmt::Write for Filter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.split_inclusive(acts).try_for_each(|piece| {
            let mut characters = piece.chars();
            match characters.next_back().filter(|last| acts(*last)) {
                Some(last) => write!(self.0, "{}{}", characters.as_str(), last.escape_default()),
                None => self.0.write_str(piece),
            }
        })
    }
}

/// Whether a character affects the text around it, or is invisible.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // The soft hyphen, and letters without a shape: Mongolian, Hangul, Khmer.
            '\u{ad}' | '\u{180e}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{17b4}' | '\u{17b5}'
            // The Arabic letter mark, spaces of no width, marks of direction, separators,
            // embeddings and overrides.
            | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            // Joiners, isolates and deprecated formats; the byte order mark; annotations.
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tags, which can encode invisible text.
            | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn what_acts_on_a_terminal_or_a_log_is_escaped() {
        let cases = [
            ("two\nlines\r\n", r"two\nlines\r\n"),
            ("a\ttab, a \0, a \x07 and a \x7f", r"a\ttab, a \u{0}, a \u{7} and a \u{7f}"),
            ("\x1b[31mred\x1b[0m \x1b]0;title\x07", r"\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}"),
            ("C1: \u{9b}31m \u{85} \u{80}", r"C1: \u{9b}31m \u{85} \u{80}"),
            ("line\u{2028}paragraph\u{2029}", r"line\u{2028}paragraph\u{2029}"),
            (
                "\u{202e}gnp.exe\u{202c} \u{2066}x\u{2069} \u{200f}\u{61c}",
                r"\u{202e}gnp.exe\u{202c} \u{2066}x\u{2069} \u{200f}\u{61c}",
            ),
            ("in\u{200b}visible\u{feff}\u{e0041}", r"in\u{200b}visible\u{feff}\u{e0041}"),
        ];
        for (text, shown) in cases {
            assert_eq!(Escaped(text).to_string(), shown);
            assert_eq!(Escaped(Escaped(text)).to_string(), shown, "twice is once");
        }
    }

    #[test]
    fn what_is_text_stays_as_it_is() {
        for text in ["", "no queue 'grün' in vhost '/'", r#"a "quote" and a \backslash"#, "日本 e\u{301} 🐇 עברית"]
        {
            assert_eq!(Escaped(text).to_string(), text);
        }
    }
}
