//! How a broker can violate the protocol, and the reply code that answers it.

use std::fmt;

use crate::frame::FrameError;
use crate::protocol::{MethodId, ProtocolMethod, ReplyCode, basic, method_name};
use crate::wire::{DecodeError, DecodeErrorKind};

/// A violation of the protocol that cannot be ignored. It ends the connection, or only its channel
/// where that suffices.
#[doc = include_str!("violations.md")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// Bytes that are not a frame.
    Frame(FrameError),
    /// Bytes that are not the arguments of the method, if its id was read.
    Decode(Option<MethodId>, DecodeError),
    /// A method that is not valid here: sent only by clients, on the wrong channel, or in the wrong
    /// state.
    UnexpectedMethod(MethodId),
    /// A reply that answers no call, or that arrived in the wrong order.
    UnexpectedReply(MethodId),
    /// A frame for a channel that is not open.
    ChannelNotOpen(u16),
    /// A header or body frame on this channel where another kind of frame was due.
    UnexpectedContent(u16),
    /// Another frame on this channel where the content that a method announced was due.
    ContentExpected(u16),
    /// A content header of this class, which is not the class of the method.
    WrongContentClass(u16),
    /// More bytes of body on this channel than the header declared.
    BodyTooLong(u16),
    /// A confirm (the id of ack or nack) with this delivery tag, for a publish that was not made.
    UnknownPublish(MethodId, u64),
    /// A delivery on this channel for a consumer that does not exist.
    UnknownConsumer(u16),
    /// A consumer on this channel that started with the tag of another one.
    ConsumerTagInUse(u16),
    /// Content or a method on channel 0 that is valid only on other channels.
    NotOnChannelZero,
}

impl Violation {
    /// Returns the reply code of the close that answers it.
    pub fn reply_code(&self) -> ReplyCode {
        match self {
            Self::Frame(error) => error.reply_code().unwrap_or(ReplyCode::FRAME_ERROR),
            Self::Decode(_, error) if matches!(error.kind(), DecodeErrorKind::UnknownMethod { .. }) => {
                ReplyCode::NOT_IMPLEMENTED
            }
            Self::Decode(..) => ReplyCode::SYNTAX_ERROR,
            Self::UnexpectedMethod(_)
            | Self::UnexpectedReply(_)
            | Self::UnknownPublish(..)
            | Self::UnknownConsumer(_)
            | Self::ConsumerTagInUse(_) => ReplyCode::COMMAND_INVALID,
            Self::ChannelNotOpen(_) | Self::NotOnChannelZero => ReplyCode::CHANNEL_ERROR,
            // Content that is incomplete or badly formatted (§4.2.6).
            Self::UnexpectedContent(_) | Self::ContentExpected(_) | Self::BodyTooLong(_) => ReplyCode::UNEXPECTED_FRAME,
            // The class has a code of its own (§4.2.6.1).
            Self::WrongContentClass(_) => ReplyCode::FRAME_ERROR,
        }
    }

    /// Returns the id of the method at fault, if any.
    pub fn method(&self) -> Option<MethodId> {
        match self {
            Self::UnexpectedMethod(id) | Self::UnexpectedReply(id) | Self::UnknownPublish(id, _) => Some(*id),
            Self::UnknownConsumer(_) => Some(<basic::Deliver as ProtocolMethod>::ID),
            Self::ConsumerTagInUse(_) => Some(<basic::ConsumeOk as ProtocolMethod>::ID),
            Self::Decode(id, _) => *id,
            _ => None,
        }
    }

    /// Whether the boundaries of frames are lost, so that later input cannot be read.
    pub(in crate::engine) fn is_framing(&self) -> bool {
        matches!(self, Self::Frame(error) if !matches!(
            error,
            FrameError::MethodTooShort(_) | FrameError::HeaderTooShort(_) | FrameError::HeaderWeight(_)
        ))
    }
}

impl From<FrameError> for Violation {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

/// Displays the name of a method, or its ids if it is unknown.
struct Named(MethodId);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match method_name(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "method {}", self.0),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame(error) => write!(f, "{error}"),
            Self::Decode(Some(id), error) => write!(f, "{}: {error}", Named(*id)),
            Self::Decode(None, error) => write!(f, "{error}"),
            Self::UnexpectedMethod(id) => write!(f, "{} is not valid here", Named(*id)),
            Self::UnexpectedReply(id) => write!(f, "{} answers no call", Named(*id)),
            Self::ChannelNotOpen(channel) => write!(f, "frame for channel {channel}, which is not open"),
            Self::UnexpectedContent(channel) => write!(f, "content on channel {channel} where another frame was due"),
            Self::ContentExpected(channel) => write!(f, "content was due on channel {channel}"),
            Self::WrongContentClass(class) => write!(f, "content of class {class} where basic was due"),
            Self::BodyTooLong(channel) => write!(f, "more body on channel {channel} than its header declared"),
            Self::UnknownPublish(_, tag) => write!(f, "a confirm for publish {tag}, which was not made"),
            Self::UnknownConsumer(channel) => write!(f, "a delivery on channel {channel} for an unknown consumer"),
            Self::ConsumerTagInUse(channel) => write!(f, "a consumer on channel {channel} with the tag of another"),
            Self::NotOnChannelZero => f.write_str("a frame on channel 0 that is valid only on another"),
        }
    }
}

/// Has no `source`: its text includes the text of the error that it holds.
impl std::error::Error for Violation {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::wire::Reader;

    /// Each variant, and each code that it may have.
    fn samples() -> Vec<Violation> {
        let id = MethodId::new(60, 80);
        vec![
            Violation::Frame(FrameError::UnknownType(7)),
            Violation::Frame(FrameError::MethodTooShort(3)),
            Violation::Decode(Some(id), Reader::new(&[]).octet().unwrap_err()),
            Violation::Decode(Some(id), DecodeError::unknown_method(60, 999)),
            Violation::UnexpectedMethod(id),
            Violation::UnexpectedReply(id),
            Violation::ChannelNotOpen(1),
            Violation::UnexpectedContent(1),
            Violation::ContentExpected(1),
            Violation::WrongContentClass(50),
            Violation::BodyTooLong(1),
            Violation::UnknownPublish(id, 1),
            Violation::UnknownConsumer(1),
            Violation::ConsumerTagInUse(1),
            Violation::NotOnChannelZero,
        ]
    }

    /// The name at the front of a text.
    fn name(text: &str) -> &str {
        text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default()
    }

    /// The names of the variants, as they stand in this file.
    fn variants() -> BTreeSet<&'static str> {
        let after = include_str!("violation.rs").split_once("pub enum Violation {\n").unwrap().1;
        let lines = after.split_once("\n}\n").unwrap().0.lines();
        let names = lines.filter_map(|line| line.strip_prefix("    ")).map(name).filter(|name| !name.is_empty());
        names.collect()
    }

    #[test]
    fn the_table_has_every_violation_with_its_codes() {
        let samples = samples();
        let texts: Vec<String> = samples.iter().map(|violation| format!("{violation:?}")).collect();
        let names: BTreeSet<&str> = texts.iter().map(|text| name(text)).collect();
        assert_eq!(names, variants(), "a variant is missing here");
        let table = include_str!("violations.md");
        for (violation, text) in samples.iter().zip(&texts) {
            let link = format!("| [`Violation::{}`] |", name(text));
            let code = format!(" with {}", violation.reply_code().code());
            let found = table.lines().any(|row| row.contains(&link) && row.contains(&code));
            assert!(found, "{text} is not in the table{code}");
        }
    }
}
