//! The meaning of the texts with which brokers refuse or close: what to do about them, and whether
//! the reason is temporary.

mod table;
#[cfg(test)]
mod tests;

use crate::engine::Words;
use crate::protocol::ReplyCode;

use table::TABLE;

/// A reply code and text of a broker, and what they mean to a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    code: ReplyCode,
    /// The beginning of the text after the name of its code. A `*` stands for anything, such as a
    /// name.
    words: &'static str,
    /// Whether the same request may succeed later.
    pub(crate) passes: bool,
    /// What to do about it, as a clause without a full stop.
    pub(crate) hint: &'static str,
}

impl Answer {
    /// The first row that matches the answer of a broker.
    pub(crate) fn find(code: ReplyCode, text: &str) -> Option<&'static Self> {
        let words = Words(code, text).text();
        TABLE.iter().find(|answer| answer.code == code && fits(words, answer.words))
    }
}

/// Whether a text begins with a pattern. Brokers cut texts after 255 bytes and append an ellipsis,
/// so that what follows a long name may be missing.
fn fits(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let rest = text.strip_prefix(parts.next().unwrap_or_default());
    rest.and_then(|rest| parts.try_fold(rest, |rest, part| rest.split_once(part).map(|(_, after)| after))).is_some()
}
