//! What a filter of recovery sees.

use crate::protocol::{exchange, queue};

/// An exchange, queue, binding or consumer that is about to come back, as a
/// [`recovery_filter`](crate::ConnectionParameters::recovery_filter) sees it: the request that
/// made it. A queue or routing key that the application left empty is filled in, but the request
/// of a queue whose name the broker chose has an empty name.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Recorded<'a> {
    /// An exchange.
    Exchange(&'a exchange::Declare),
    /// A queue.
    Queue(&'a queue::Declare),
    /// The binding of a queue to an exchange.
    QueueBinding(&'a queue::Bind),
    /// The binding of an exchange to an exchange.
    ExchangeBinding(&'a exchange::Bind),
    /// A consumer.
    #[non_exhaustive]
    Consumer {
        /// The queue that it consumes from.
        queue: &'a str,
        /// Its consumer tag.
        tag: &'a str,
    },
}
