//! What brokers say when they refuse or close: what to do about it, and whether it passes by
//! itself.

mod table;
#[cfg(test)]
mod tests;

use crate::engine::Words;
use crate::protocol::ReplyCode;

use table::TABLE;

/// A code with words of a broker's, and what they mean to a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    code: ReplyCode,
    /// How the text begins after the name of its code; a `*` stands for anything, names for
    /// instance.
    words: &'static str,
    /// The same may well succeed a little later.
    pub(crate) passes: bool,
    /// What to do about it, in half a sentence.
    pub(crate) hint: &'static str,
}

impl Answer {
    /// The first row that the answer of a broker fits.
    pub(crate) fn find(code: ReplyCode, text: &str) -> Option<&'static Self> {
        let words = Words(code, text).text();
        TABLE.iter().find(|answer| answer.code == code && fits(words, answer.words))
    }
}

/// Whether a text begins as a pattern has it. Texts end after 255 bytes, with an ellipsis: what
/// stands behind a name may be gone.
fn fits(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let rest = text.strip_prefix(parts.next().unwrap_or_default());
    rest.and_then(|rest| parts.try_fold(rest, |rest, part| rest.split_once(part).map(|(_, after)| after))).is_some()
}
