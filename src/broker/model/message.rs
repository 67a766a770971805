//! A message as the broker keeps it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::protocol::basic::Properties;
use crate::wire::ShortString;

/// A message, shared by all queues that it was routed to.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::broker) struct Message {
    pub(in crate::broker) exchange: ShortString,
    /// The key that it was published with.
    pub(in crate::broker) routing_key: ShortString,
    pub(in crate::broker) properties: Properties,
    /// The properties as they came, where nothing was changed in them: they go out octet for octet.
    pub(in crate::broker) encoded_properties: Option<Bytes>,
    pub(in crate::broker) body: Bytes,
}

/// A message in one queue.
#[derive(Debug, Clone)]
pub(in crate::broker) struct Entry {
    pub(in crate::broker) message: Arc<Message>,
    /// Its place among the messages of the queue: a requeued message goes back to it.
    pub(super) position: u64,
    /// It was delivered before, and came back.
    pub(in crate::broker) redelivered: bool,
    /// When it expires.
    pub(super) expires: Option<Instant>,
}
