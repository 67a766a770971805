//! Why a handshake failed, and where in it.

use std::fmt;

use super::Violation;
use crate::frame::{FrameEncodeError, FrameError};
use crate::protocol::ReplyCode;
use crate::wire::ShortString;

/// The step of the handshake at which something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandshakeStep {
    /// Before `connection.start`.
    Start,
    /// After the credentials were sent.
    Authentication,
    /// After the virtual host was asked for.
    Open,
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server speaks another version of the protocol, or is no AMQP server.
    NotAmqp(FrameError),
    /// The server broke the protocol.
    Violation(Violation),
    /// The server does not offer the client's mechanism.
    NoCommonMechanism {
        /// What the client wanted.
        wanted: ShortString,
        /// What the server offers.
        offered: String,
    },
    /// The server wants another round of authentication, which the mechanism does not have.
    ChallengeNotSupported,
    /// The server refused: credentials, the virtual host, a limit.
    Refused {
        /// Where in the handshake.
        step: HandshakeStep,
        /// The server's code.
        code: ReplyCode,
        /// The server's words.
        text: ShortString,
    },
    /// A value of the client's cannot be sent.
    Encode(FrameEncodeError),
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAmqp(error) => write!(f, "not an AMQP 0-9-1 server: {error}"),
            Self::Violation(violation) => write!(f, "the broker broke the protocol: {violation}"),
            Self::NoCommonMechanism { wanted, offered } => {
                write!(f, "the broker offers the mechanisms {offered}, not {wanted}")
            }
            Self::ChallengeNotSupported => f.write_str("the broker asks for more than the mechanism can answer"),
            Self::Refused { code, text, step: HandshakeStep::Authentication } if *code == ReplyCode::ACCESS_REFUSED => {
                write!(f, "the broker refused the credentials: {code}: {text}")
            }
            Self::Refused { code, text, .. } => write!(f, "the broker refused the connection: {code}: {text}"),
            Self::Encode(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for HandshakeError {}

impl From<FrameEncodeError> for HandshakeError {
    fn from(error: FrameEncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<Violation> for HandshakeError {
    fn from(violation: Violation) -> Self {
        match violation {
            Violation::Frame(error @ (FrameError::ProtocolHeader(_) | FrameError::UnknownType(_))) => {
                Self::NotAmqp(error)
            }
            violation => Self::Violation(violation),
        }
    }
}
