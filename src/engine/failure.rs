//! Why the engine refused or could not finish what it was asked for.

use std::fmt;
use std::sync::Arc;

use super::{Closure, Fate};
use crate::frame::FrameEncodeError;
use crate::protocol::{ProtocolMethod, connection};
use crate::wire::{Escaped, ShortString};

/// Why something did not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The channel or connection is closed, or was closed while this was in flight.
    Closed {
        /// The first cause.
        closure: Arc<Closure>,
        /// What became of the request.
        fate: Fate,
    },
    /// No answer came in time. The request may still have been carried out.
    TimedOut(&'static str),
    /// The same on a connection that the broker blocks, and so does not read.
    TimedOutBlocked {
        /// The method.
        name: &'static str,
        /// The broker's reason.
        reason: String,
    },
    /// A value of the caller's cannot be encoded; nothing was sent.
    Encode(FrameEncodeError),
    /// As many channels are open as were negotiated.
    ChannelsExhausted {
        /// The negotiated number.
        limit: u16,
    },
    /// A request with no-wait set was called: nothing would answer.
    NoWaitCall(&'static str),
    /// A request that is answered was sent without no-wait: nobody would take the answer.
    ReplyExpected(&'static str),
    /// A consumer was started without waiting and without a tag to know it by.
    ConsumerTagMissing,
    /// The channel has a consumer of this tag already; RabbitMQ would close the connection.
    ConsumerTagInUse(ShortString),
    /// The consumer does not exist (any more).
    NoSuchConsumer,
    /// The delivery is settled already: by a multiple settlement of a later one, or because the
    /// broker took it back.
    AlreadySettled {
        /// Its number on the channel.
        delivery_tag: u64,
    },
    /// The channel confirms its publishes, and nobody would hear what the broker does with this
    /// one; nothing was sent.
    Unconfirmed,
    /// The new secret was erased before it could be told.
    SecretErased,
    /// A message came with a larger body than the application allows. It was rejected without
    /// requeue.
    MessageTooLarge {
        /// Octets of its body.
        size: u64,
        /// Octets allowed.
        limit: u64,
    },
    /// A message came with a larger content header, its properties, than the application allows. It
    /// was rejected without requeue.
    HeaderTooLarge {
        /// Bytes of its header.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// Publishing is paused: too many octets wait for the socket, too many publishes for their
    /// confirms, or the broker has blocked the connection.
    Backpressure,
    /// So much waits for the socket already, besides publishes, that nothing is added to it;
    /// nothing of this was sent.
    WriteLimit {
        /// Bytes allowed.
        limit: u64,
    },
    /// A bug of this crate's, told instead of a panic.
    Internal(&'static str),
}

impl From<FrameEncodeError> for Failure {
    fn from(error: FrameEncodeError) -> Self {
        Self::Encode(error)
    }
}

impl Failure {
    /// Refused at the call, because of an earlier close.
    pub(super) fn refused(closure: &Arc<Closure>) -> Self {
        Self::Closed { closure: Arc::clone(closure), fate: Fate::NotSent }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { closure, fate: Fate::NotSent } => write!(f, "not sent, {closure}"),
            Self::Closed { closure, fate: Fate::Unknown } => write!(f, "outcome unknown, {closure}"),
            Self::Closed { closure, fate: Fate::Refused } => write!(f, "{closure}"),
            Self::TimedOut(name) => write!(f, "no answer to {name} within {}", parameter_of(name)),
            Self::TimedOutBlocked { name, reason } => {
                let (parameter, reason) = (parameter_of(name), Escaped(reason));
                write!(f, "no answer to {name} within {parameter}: the broker blocks the connection ({reason})")
            }
            Self::Encode(error) => write!(f, "{error}"),
            Self::ChannelsExhausted { limit } => {
                write!(f, "all {limit} channels that were negotiated (channel_max) are open")
            }
            Self::NoWaitCall(name) => write!(f, "{name} with no-wait was called, and is not answered"),
            Self::ReplyExpected(name) => write!(f, "{name} without no-wait was sent, and is answered"),
            Self::ConsumerTagMissing => f.write_str("basic.consume with no-wait needs a consumer tag"),
            Self::ConsumerTagInUse(tag) => write!(f, "the channel has a consumer with the tag {tag:?} already"),
            Self::NoSuchConsumer => f.write_str("the channel has no such consumer"),
            Self::AlreadySettled { delivery_tag } => write!(f, "delivery {delivery_tag} is settled already"),
            Self::Unconfirmed => {
                f.write_str("the channel confirms its publishes, and nobody would hear what becomes of a plain one")
            }
            Self::SecretErased => f.write_str("the new secret was erased (erase_on_connect)"),
            Self::MessageTooLarge { size, limit } => {
                write!(f, "a message of {size} octets came, {limit} are allowed (max_message_size); it was rejected")
            }
            Self::HeaderTooLarge { size, limit } => write!(
                f,
                "a message arrived whose properties take {size} bytes, {limit} are allowed (max_header_size); it was rejected"
            ),
            Self::Backpressure => f.write_str(
                "publishing is paused: too much waits for the socket or for confirms, or the broker has blocked the connection",
            ),
            Self::WriteLimit { limit } => {
                write!(f, "not sent, the broker does not read: {limit} bytes wait for the socket already (write_limit)")
            }
            Self::Internal(what) => write!(f, "a bug in leveret: {what}"),
        }
    }
}

/// The parameter that says how long an answer may take.
fn parameter_of(method: &str) -> &'static str {
    if method == connection::Close::NAME { "close_timeout" } else { "call_timeout" }
}

/// Its text has that of the error that it holds.
impl std::error::Error for Failure {}
