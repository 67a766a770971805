//! A message as the broker keeps it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::protocol::basic::Properties;
use crate::wire::ShortString;

/// A message, shared by all queues to which it was routed.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::broker) struct Message {
    pub(in crate::broker) exchange: ShortString,
    /// The key with which it was published.
    pub(in crate::broker) routing_key: ShortString,
    pub(in crate::broker) properties: Properties,
    /// The encoded properties as they arrived, if nothing was changed in them. They are sent byte
    /// for byte.
    pub(in crate::broker) encoded_properties: Option<Bytes>,
    pub(in crate::broker) body: Bytes,
}

/// A message in one queue.
#[derive(Debug, Clone)]
pub(in crate::broker) struct Entry {
    pub(in crate::broker) message: Arc<Message>,
    /// Its place among the messages of the queue, to which it returns if it is requeued.
    pub(super) position: u64,
    /// Whether it was delivered before and requeued.
    pub(in crate::broker) redelivered: bool,
    /// When it expires.
    pub(super) expires: Option<Instant>,
}
