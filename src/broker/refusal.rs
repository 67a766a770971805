//! What the broker refuses, in the words and with the codes of RabbitMQ.

use std::fmt;

use crate::protocol::ReplyCode;

/// What is closed because of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The channel that the method came on.
    Channel,
    /// The whole connection.
    Connection,
}

/// A refused method: a reply code, a text, and what is closed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) scope: Scope,
    pub(super) code: ReplyCode,
    explanation: String,
}

impl Refusal {
    /// The longest reply text: it goes out as a short string.
    const MAX_TEXT: usize = 255;

    /// A refusal that closes the channel.
    pub(super) fn channel(code: ReplyCode, explanation: impl Into<String>) -> Self {
        Self { scope: Scope::Channel, code, explanation: explanation.into() }
    }

    /// A refusal that closes the connection.
    pub(super) fn connection(code: ReplyCode, explanation: impl Into<String>) -> Self {
        Self { scope: Scope::Connection, code, explanation: explanation.into() }
    }

    /// 404, such as `NOT_FOUND - no queue 'q' in vhost '/'`.
    pub(super) fn no_such(kind: &str, name: &impl fmt::Display, vhost: &impl fmt::Display) -> Self {
        Self::channel(ReplyCode::NOT_FOUND, format!("no {kind} '{name}' in vhost '{vhost}'"))
    }

    /// 541, without a word: something went wrong that has no better name.
    pub(super) fn internal() -> Self {
        Self::connection(ReplyCode::INTERNAL_ERROR, "")
    }

    /// 501 for a short string that is not UTF-8.
    pub(super) fn malformed_text() -> Self {
        Self::connection(ReplyCode::FRAME_ERROR, "Malformed UTF-8 in shortstr")
    }

    /// RabbitMQ names the method that it refuses, but where one of its processes crashed over it, and where it met a frame
    /// that it did not expect outside of a method.
    pub(super) fn blames_nothing(&self) -> bool {
        matches!(self.code, ReplyCode::INTERNAL_ERROR | ReplyCode::FRAME_ERROR)
    }

    /// 406 on the channel.
    pub(super) fn precondition(explanation: impl Into<String>) -> Self {
        Self::channel(ReplyCode::PRECONDITION_FAILED, explanation)
    }

    /// The reply text as it goes out: `NAME - explanation`, cut where a short string ends.
    pub(super) fn text(&self) -> String {
        let name = constant_name(self.code);
        let mut text = if self.explanation.is_empty() { name } else { format!("{name} - {}", self.explanation) };
        if text.len() > Self::MAX_TEXT {
            let end = (0..=Self::MAX_TEXT - 3).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            text.truncate(end);
            text.push_str("...");
        }
        text
    }
}

/// `NOT_FOUND` for `not-found`.
fn constant_name(code: ReplyCode) -> String {
    code.name().map_or_else(|| code.code().to_string(), |name| name.replace('-', "_").to_uppercase())
}
