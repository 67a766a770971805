//! Why the engine refused or could not complete a request.

use std::fmt;
use std::sync::Arc;

use super::{Closure, Fate};
use crate::frame::FrameEncodeError;
use crate::protocol::{ProtocolMethod, connection};
use crate::wire::{Escaped, ShortString};

/// Why a request was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The channel or connection is closed, or was closed while the request was in flight.
    Closed {
        /// The first cause.
        closure: Arc<Closure>,
        /// What happened to the request.
        fate: Fate,
    },
    /// No answer to the named method arrived in time. The broker may still have carried out the
    /// request.
    TimedOut(&'static str),
    /// The same on a connection that the broker blocks and therefore does not read.
    TimedOutBlocked {
        /// The method.
        name: &'static str,
        /// The broker's reason.
        reason: String,
    },
    /// A value of the caller cannot be encoded. Nothing was sent.
    Encode(FrameEncodeError),
    /// As many channels are open as were negotiated.
    ChannelsExhausted {
        /// The negotiated number.
        limit: u16,
    },
    /// The named request was called with no-wait set, so nothing would answer it.
    NoWaitCall(&'static str),
    /// The named request was sent without no-wait, so it would be answered, and nothing would take
    /// the answer.
    ReplyExpected(&'static str),
    /// A consumer was started with no-wait set and without a tag, so it could not be identified.
    ConsumerTagMissing,
    /// The channel already has a consumer with this tag. RabbitMQ would close the connection.
    ConsumerTagInUse(ShortString),
    /// The consumer does not exist, or no longer exists.
    NoSuchConsumer,
    /// The delivery is already settled, by a multiple settlement of a later one, or because the
    /// broker took it back.
    AlreadySettled {
        /// Its delivery tag.
        delivery_tag: u64,
    },
    /// The channel confirms its publishes, and nothing would wait for the confirm of this one.
    /// Nothing was sent.
    Unconfirmed,
    /// The new secret was erased before it could be sent.
    SecretErased,
    /// A message arrived with a larger body than `max_message_size`. It was rejected without
    /// requeue.
    MessageTooLarge {
        /// Bytes of its body.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A message arrived with a larger content header, which holds its properties, than
    /// `max_header_size`. It was rejected without requeue.
    HeaderTooLarge {
        /// Bytes of its header.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// Publishing is paused: too many bytes wait for the socket, too many publishes for their
    /// confirms, or the broker has blocked the connection.
    Backpressure,
    /// As many bytes as `write_limit` already wait for the socket, besides publishes. Nothing of
    /// the request was sent.
    WriteLimit {
        /// Bytes allowed.
        limit: u64,
    },
    /// The connection or channel was lost and is being recovered. Nothing of the request was sent.
    Recovering {
        /// Why the connection was lost; `None` if only the channel was.
        cause: Option<Arc<Closure>>,
    },
    /// The delivery arrived before its channel was lost and recovered. The broker delivers the
    /// message again, and nothing was sent.
    StaleDelivery {
        /// Its delivery tag.
        delivery_tag: u64,
    },
    /// Work of the transaction was lost with the connection, so the transaction was rolled back
    /// instead of committed.
    TransactionLost,
    /// A bug in this crate, reported instead of a panic.
    Internal(&'static str),
}

impl From<FrameEncodeError> for Failure {
    fn from(error: FrameEncodeError) -> Self {
        Self::Encode(error)
    }
}

impl Failure {
    /// The failure of a request that is refused because of an earlier close.
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
            Self::NoWaitCall(name) => write!(f, "{name} was called with no-wait, and nothing would answer it"),
            Self::ReplyExpected(name) => write!(f, "{name} was sent without no-wait, and nothing would take the answer"),
            Self::ConsumerTagMissing => f.write_str("basic.consume with no-wait needs a consumer tag"),
            Self::ConsumerTagInUse(tag) => write!(f, "the channel has a consumer with the tag {tag:?} already"),
            Self::NoSuchConsumer => f.write_str("the channel has no such consumer"),
            Self::AlreadySettled { delivery_tag } => write!(f, "delivery {delivery_tag} is settled already"),
            Self::Unconfirmed => {
                f.write_str("the channel confirms its publishes, and nothing would wait for the confirm of a plain one")
            }
            Self::SecretErased => f.write_str("the new secret was erased (erase_on_connect)"),
            Self::MessageTooLarge { size, limit } => {
                write!(f, "a message of {size} bytes arrived, {limit} are allowed (max_message_size); it was rejected")
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
            Self::Recovering { cause: Some(cause) } => write!(f, "not sent, being recovered after: {cause}"),
            Self::Recovering { cause: None } => f.write_str("not sent, the channel is being recovered"),
            Self::StaleDelivery { delivery_tag } => write!(
                f,
                "delivery {delivery_tag} arrived before its channel was lost and recovered; the broker delivers the message again"
            ),
            Self::TransactionLost => {
                f.write_str("the connection was lost during the transaction, which was rolled back instead of committed")
            }
            Self::Internal(what) => write!(f, "a bug in leveret: {what}"),
        }
    }
}

/// The name of the parameter that limits how long an answer may take.
fn parameter_of(method: &str) -> &'static str {
    if method == connection::Close::NAME { "close_timeout" } else { "call_timeout" }
}

/// Has no `source`: its text includes the text of the error that it holds.
impl std::error::Error for Failure {}
