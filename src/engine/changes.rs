//! What confirmed requests change about exchanges, queues, bindings and consumers.

use super::{ChannelKey, ConsumerKey};
use crate::protocol::{basic, exchange, queue};
use crate::wire::ShortString;

/// A change of what this connection has declared, bound and consumes.
///
/// It is made when the reply confirms the request, or when the request is sent with no-wait. Where
/// a request names a queue by the empty name, the name is filled in, and so is a routing key that
/// stands for that queue.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// An exchange was declared.
    ExchangeDeclared(Box<exchange::Declare>),
    /// The exchange of this name was deleted.
    ExchangeDeleted(ShortString),
    /// A queue was declared.
    QueueDeclared {
        /// The request. Its name is empty if the broker chose the name.
        request: Box<queue::Declare>,
        /// The name in the reply, or in the request if that was sent with no-wait.
        name: ShortString,
    },
    /// The queue of this name was deleted.
    QueueDeleted(ShortString),
    /// A queue was bound.
    QueueBound(Box<queue::Bind>),
    /// A binding of a queue was removed.
    QueueUnbound(Box<queue::Unbind>),
    /// An exchange was bound.
    ExchangeBound(Box<exchange::Bind>),
    /// A binding of an exchange was removed.
    ExchangeUnbound(Box<exchange::Unbind>),
    /// A consumer started.
    ConsumerStarted {
        /// Its channel.
        channel: ChannelKey,
        /// The consumer.
        consumer: ConsumerKey,
        /// The request, with the tag that the broker chose if it had none.
        request: Box<basic::Consume>,
        /// The prefetch count that was in force when it started.
        prefetch: u16,
        /// Whether it comes back after the connection is lost. One that does not still keeps its
        /// auto-delete queue until it ends.
        recorded: bool,
    },
    /// A consumer ended, for whatever reason but the loss of the connection.
    ConsumerEnded(ConsumerKey),
    /// A channel was closed by either side, and its consumers ended with it.
    ChannelClosed(ChannelKey),
}
