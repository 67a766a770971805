//! Refusals, with the texts and codes of RabbitMQ.

use std::fmt;

use crate::protocol::{MethodId, ReplyCode};

/// What is closed because a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// The channel on which the request arrived.
    Channel,
    /// The whole connection.
    Connection,
}

/// A refused method: a reply code, a text, and what is closed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::broker) struct Refusal {
    pub(in crate::broker) scope: Scope,
    pub(in crate::broker) code: ReplyCode,
    explanation: String,
    /// Whether the close blames no method.
    blameless: bool,
    /// Whether `explanation` is the complete text.
    worded: bool,
}

impl Refusal {
    /// A refusal that closes the channel.
    pub(in crate::broker) fn channel(code: ReplyCode, explanation: impl Into<String>) -> Self {
        Self::new(Scope::Channel, code, explanation.into())
    }

    /// A refusal that closes the connection.
    pub(in crate::broker) fn connection(code: ReplyCode, explanation: impl Into<String>) -> Self {
        Self::new(Scope::Connection, code, explanation.into())
    }

    /// A refusal with a complete text, which need not begin with the name of the code.
    pub(in crate::broker) fn worded(scope: Scope, code: ReplyCode, text: impl Into<String>) -> Self {
        Self { worded: true, ..Self::new(scope, code, text.into()) }
    }

    fn new(scope: Scope, code: ReplyCode, explanation: String) -> Self {
        Self { scope, code, explanation, blameless: false, worded: false }
    }

    /// 404, such as `NOT_FOUND - no queue 'q' in vhost '/'`.
    pub(in crate::broker) fn no_such(kind: &str, name: &impl fmt::Display, vhost: &impl fmt::Display) -> Self {
        Self::channel(ReplyCode::NOT_FOUND, format!("no {kind} '{name}' in vhost '{vhost}'"))
    }

    /// 541 without a text, for an error without a more specific code.
    pub(in crate::broker) fn internal() -> Self {
        Self::connection(ReplyCode::INTERNAL_ERROR, "").without_blame()
    }

    /// 501 for a short string that is not UTF-8.
    pub(in crate::broker) fn malformed_text() -> Self {
        Self::connection(ReplyCode::FRAME_ERROR, "Malformed UTF-8 in shortstr")
    }

    /// 504 for opening a channel that is open.
    pub(in crate::broker) fn second_open() -> Self {
        Self::connection(ReplyCode::CHANNEL_ERROR, "second 'channel.open' seen")
    }

    /// 505 for a frame where another is expected.
    pub(in crate::broker) fn unexpected_frame(explanation: impl Into<String>) -> Self {
        Self::connection(ReplyCode::UNEXPECTED_FRAME, explanation)
    }

    /// The same, blaming no method. RabbitMQ blames none if one of its processes crashed, or for
    /// most frames.
    pub(in crate::broker) fn without_blame(mut self) -> Self {
        self.blameless = true;
        self
    }

    /// The ids that the close blames, if `method` was refused.
    pub(in crate::broker) fn blamed(&self, method: MethodId) -> MethodId {
        if self.blameless { MethodId::new(0, 0) } else { method }
    }

    /// 406 on the channel.
    pub(in crate::broker) fn precondition(explanation: impl Into<String>) -> Self {
        Self::channel(ReplyCode::PRECONDITION_FAILED, explanation)
    }

    /// The reply text as it is sent: `NAME - explanation`, cut to the length of a short string.
    pub(in crate::broker) fn text(&self) -> String {
        if self.worded {
            return short_text(&self.explanation);
        }
        let name = constant_name(self.code);
        short_text(&if self.explanation.is_empty() { name } else { format!("{name} - {}", self.explanation) })
    }
}

/// The longest text, which is sent as a short string.
const MAX_TEXT: usize = 255;

/// A text that fits a short string. A longer one is cut, and ends with `...`.
pub(in crate::broker) fn short_text(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let end = (0..=MAX_TEXT - 3).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}...", text.get(..end).unwrap_or_default())
}

/// `NOT_FOUND` for `not-found`.
fn constant_name(code: ReplyCode) -> String {
    code.name().map_or_else(|| code.code().to_string(), |name| name.replace('-', "_").to_uppercase())
}
