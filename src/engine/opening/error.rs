//! Why a handshake failed, and at which step.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::config::MechanismError;
use crate::engine::{Violation, Words};
use crate::frame::{FrameEncodeError, FrameError};
use crate::protocol::ReplyCode;
use crate::wire::{Escaped, ShortString};

/// The step of the handshake at which something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HandshakeStep {
    /// Before `connection.start`.
    Start,
    /// After the credentials were sent, before `connection.tune`.
    Authentication,
    /// After the virtual host was requested, before `connection.open-ok`.
    Open,
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server uses another version of the protocol, or is not an AMQP server.
    NotAmqp(FrameError),
    /// The server violated the protocol.
    Violation(Violation),
    /// The server offers none of the client's SASL mechanisms.
    NoCommonMechanism {
        /// The mechanisms of the client, in order of preference.
        wanted: String,
        /// The mechanisms of the server.
        offered: String,
    },
    /// The client's mechanism gave no response.
    Mechanism {
        /// The name of the mechanism.
        name: String,
        /// The error that it reported.
        error: ForeignError,
    },
    /// The server refused: credentials, the virtual host, a limit.
    Refused {
        /// The step at which it refused.
        step: HandshakeStep,
        /// The server's reply code.
        code: ReplyCode,
        /// The server's text.
        text: ShortString,
    },
    /// The client's `frame_max` is smaller than this server accepts. The server would close the
    /// transport without a message.
    FrameMaxTooSmall {
        /// The value that would have been negotiated.
        frame_max: u32,
        /// The smallest value that the server accepts.
        least: u32,
    },
    /// The server closed the transport without a message, before the answer of this step.
    EndOfStream(HandshakeStep),
    /// A value of the client cannot be encoded.
    Encode(FrameEncodeError),
}

/// The meaning of an end of input before the handshake is complete.
#[derive(Debug)]
pub enum HandshakeEnd {
    /// The server closed the transport without a message. The error says what that means at this
    /// step.
    Server(HandshakeError),
    /// The transport failed, possibly in a write before the end of input.
    Transport(io::Error),
}

/// The first byte of a TLS server's answer to anything but TLS: the content type of an alert record
/// (RFC 8446 §5.1).
pub(crate) const TLS_ALERT: u8 = 21;

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAmqp(FrameError::UnknownType(TLS_ALERT)) => {
                f.write_str("not an AMQP 0-9-1 server: it answers as one of TLS does")
            }
            Self::NotAmqp(error) => write!(f, "not an AMQP 0-9-1 server: {error}"),
            Self::Violation(violation) => write!(f, "the broker broke the protocol: {violation}"),
            Self::NoCommonMechanism { wanted, offered } => {
                let offered = Escaped(format_args!("{offered:.255}"));
                write!(f, "no common authentication mechanism: the client has {wanted}, the broker offers {offered}")
            }
            Self::Mechanism { name, error } => write!(f, "the mechanism {name} has no response: {error}"),
            Self::Refused { code, text, step: HandshakeStep::Authentication } if *code == ReplyCode::ACCESS_REFUSED => {
                write!(f, "the broker refused the credentials: {}", Words(*code, &text.to_string()))
            }
            Self::Refused { code, text, .. } => {
                write!(f, "the broker refused the connection: {}", Words(*code, &text.to_string()))
            }
            Self::FrameMaxTooSmall { frame_max, least } => {
                write!(f, "frame_max is {frame_max}, and this broker takes no less than {least}")
            }
            Self::EndOfStream(HandshakeStep::Start) => {
                f.write_str("the broker closed the transport at once, without an answer")
            }
            Self::EndOfStream(HandshakeStep::Authentication) => {
                f.write_str("the broker closed the transport after it got the credentials, without an answer")
            }
            // The limits are sent together with the virtual host.
            Self::EndOfStream(HandshakeStep::Open) => f.write_str(
                "the broker closed the transport when it got the limits and the virtual host, without an answer",
            ),
            Self::Encode(error) => write!(f, "{error}"),
        }
    }
}

impl Error for HandshakeError {
    /// Returns the source of the error that this one holds; the text of this one includes the text
    /// of that error.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Mechanism { error, .. } => error.get_ref().source(),
            _ => None,
        }
    }
}

/// An error of code outside this crate. Two are equal if their texts are equal.
#[derive(Debug, Clone)]
pub struct ForeignError(Arc<dyn Error + Send + Sync>);

impl ForeignError {
    /// Returns the error.
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl From<MechanismError> for ForeignError {
    fn from(error: MechanismError) -> Self {
        Self(Arc::from(error))
    }
}

impl PartialEq for ForeignError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl fmt::Display for ForeignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Escaped(&self.0))
    }
}

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
