//! The types of exchanges.

use std::fmt;

use crate::broker::words::Refusal;
use crate::protocol::ReplyCode;
use crate::wire::ShortString;

/// How an exchange routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::broker) enum ExchangeKind {
    /// To the bindings whose key is a key of the message.
    Direct,
    /// To all bindings.
    Fanout,
    /// To the bindings whose pattern matches a key of the message.
    Topic,
    /// To the bindings whose arguments match the headers of the message.
    Headers,
}

impl ExchangeKind {
    /// The type with this name, or the refusal that closes the connection.
    pub(in crate::broker) fn parse(name: &ShortString) -> Result<Self, Refusal> {
        match name.as_bytes() {
            b"direct" => Ok(Self::Direct),
            b"fanout" => Ok(Self::Fanout),
            b"topic" => Ok(Self::Topic),
            b"headers" => Ok(Self::Headers),
            // RabbitMQ reports a word that has another meaning in it as invalid. Of these only the
            // empty one is reproduced.
            b"" => Err(Refusal::connection(ReplyCode::COMMAND_INVALID, "invalid exchange type ''")),
            _ => Err(Refusal::connection(ReplyCode::COMMAND_INVALID, format!("unknown exchange type '{name}'"))),
        }
    }

    pub(in crate::broker) const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
        }
    }
}

impl fmt::Display for ExchangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
