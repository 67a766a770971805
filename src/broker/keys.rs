//! The keys of connections, channels, queues and consumers in the broker.

use std::fmt;

use crate::wire::ShortString;

/// Identifies a connection that the broker has or had. Numbers are not reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(super) u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies a queue. A queue that is declared again with an old name has a new id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct QueueId(pub(super) u64);

/// Identifies a channel of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ChannelKey {
    pub(super) connection: ConnectionId,
    pub(super) number: u16,
}

/// Identifies a consumer. Tags are unique on their channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConsumerKey {
    pub(super) channel: ChannelKey,
    pub(super) tag: ShortString,
}
