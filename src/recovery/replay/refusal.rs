//! What a refusal of a replayed request means for its entity.

use crate::Error;
use crate::engine::Words;
use crate::error::ErrorKind;
use crate::protocol::ReplyCode;

/// What follows from a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request names an exchange or a queue that does not exist.
    NoExchange,
    /// The same for a queue.
    NoQueue,
    /// Another connection or consumer holds the queue. It may be one of this client's that the
    /// broker has not yet found lost, so that this passes within a few heartbeats, or never.
    Held,
    /// The reason passes, and nothing says when: a node or leader is away.
    Away,
    /// The entity exists with other properties. What depends on it can use it.
    Different,
    /// The broker was not asked, because no channel number is free. What depends on it can try.
    NotAsked,
    /// The broker would refuse the same again.
    Final,
}

impl Refusal {
    pub(super) fn of(error: &Error) -> Self {
        if error.kind() == ErrorKind::ChannelsExhausted {
            return Self::NotAsked;
        }
        let (Some(code), Some(text)) = (error.reply_code(), error.reply_text()) else { return Self::Final };
        let text = Words(code, &text).text();
        match code {
            ReplyCode::NOT_FOUND if text.starts_with("no exchange ") => Self::NoExchange,
            ReplyCode::NOT_FOUND if text.starts_with("no queue ") => Self::NoQueue,
            ReplyCode::NOT_FOUND => Self::Away,
            ReplyCode::RESOURCE_LOCKED => Self::Held,
            ReplyCode::ACCESS_REFUSED if text.contains("in exclusive use") => Self::Held,
            // A replica that has not started yet.
            ReplyCode::PRECONDITION_FAILED if error.is_retryable() => Self::Away,
            ReplyCode::PRECONDITION_FAILED => Self::Different,
            _ => Self::Final,
        }
    }
}
