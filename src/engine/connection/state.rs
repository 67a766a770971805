//! The states of connections and channels, and the notices of what happens to them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::closing::ConnectionLife;
use crate::config::Endpoint;
use crate::engine::channel::ChannelLife;
use crate::engine::{ChannelKey, Closure, Engine, Entity, Failure, Losses};
use crate::wire::ShortString;

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// It takes requests.
    Open,
    /// It takes requests, but publishes wait until the broker unblocks it (`connection.blocked`).
    Blocked,
    /// One side has requested a close, and the other has not answered.
    Closing,
    /// The connection was lost and is being recovered. Requests wait or fail, as `while_down` says.
    Recovering,
    /// It has ended.
    Closed,
}

impl ConnectionState {
    /// Returns its name in lower case, for metrics and logs. `Display` writes the same. The names
    /// do not change between releases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Blocked => "blocked",
            Self::Closing => "closing",
            Self::Recovering => "recovering",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The state of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelState {
    /// It takes requests.
    Open,
    /// It takes requests, but publishes wait until the broker allows them again (`channel.flow`).
    Stopped,
    /// A close of the channel or of its connection was requested and has not been answered.
    Closing,
    /// It was lost, with its connection or alone, and is being recovered.
    Recovering,
    /// It has ended.
    Closed,
}

impl ChannelState {
    /// Returns its name in lower case, for metrics and logs. `Display` writes the same. The names
    /// do not change between releases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Stopped => "stopped",
            Self::Closing => "closing",
            Self::Recovering => "recovering",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An event of a connection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ConnectionNotice {
    /// The broker blocks publishes, for the reason given (`connection.blocked`).
    Blocked(String),
    /// The broker no longer blocks publishes (`connection.unblocked`).
    Unblocked,
    /// Backpressure: a frame was queued while more bytes waited than the backpressure multiplier
    /// times the size of an average frame. This is the detector of Pika 0.x.
    Backpressure {
        /// Bytes that waited, including this frame.
        queued: u64,
        /// Bytes of an average frame, rounded down.
        average: u64,
    },
    /// Nothing waits for the socket any more, after backpressure was reported.
    Relieved,
    /// More bytes of messages wait for consumers than `read_limit`. Nothing more is read until some
    /// are taken.
    ReadingPaused {
        /// Bytes that wait.
        waiting: u64,
    },
    /// At most half of `read_limit` waits for consumers. Reading has resumed.
    ReadingResumed,
    /// The broker accepted a new secret (`connection.update-secret`).
    SecretUpdated,
    /// No new secret was obtained, or the broker did not accept it, for the reason given.
    SecretNotUpdated(String),
    /// The transport was lost, and the connection is being recovered.
    Lost {
        /// Why.
        cause: Arc<Closure>,
        /// What was lost with it.
        losses: Losses,
    },
    /// An attempt to recover begins after this pause. Attempts of an outage count from 1.
    Reconnecting {
        /// The number of the attempt.
        attempt: u32,
        /// How long it waits before it begins.
        after: Duration,
    },
    /// The attempt failed, for the reason given.
    ReconnectFailed {
        /// The number of the attempt.
        attempt: u32,
        /// The reason.
        reason: String,
    },
    /// The broker gave a queue without a name of its own another name.
    QueueRenamed {
        /// The name that it had.
        from: ShortString,
        /// The name that it has.
        to: ShortString,
    },
    /// The connection is recovered: its channels are open, and what it had declared is there,
    /// except what is named here.
    Recovered {
        /// The generation that begins.
        generation: u32,
        /// How long the connection was down.
        outage: Duration,
        /// Where it is connected, if that is known.
        endpoint: Option<Endpoint>,
        /// What could not be restored, and why.
        failed: Vec<(Entity, Failure)>,
    },
    /// So much is recorded of the topology that something more is not.
    RecordFull,
    /// Something could not be restored.
    EntityFailed(Entity, Failure),
    /// Something that could not be restored before is restored.
    EntityRecovered(Entity),
    /// It has ended. This is the last notice.
    Closed(Arc<Closure>),
}

/// An event of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelNotice {
    /// The broker stopped content on the channel (`channel.flow`).
    Stopped,
    /// The broker allows content again (`channel.flow`).
    Resumed,
    /// The broker cancelled the consumer with this tag (`basic.cancel`).
    ConsumerCancelled(ShortString),
    /// The client cancelled the consumer with this tag, because more bytes of messages waited than
    /// `read_limit` for longer than `overflow_timeout` allows (or twice as many at once), and most
    /// of them waited for this consumer.
    ConsumerOverflowed(ShortString),
    /// It was lost, and is being recovered. What was delivered on it cannot be settled any more.
    Lost,
    /// It is open again.
    Recovered,
    /// The consumer with this tag is running again.
    ConsumerRecovered(ShortString),
    /// It has ended. This is the last notice.
    Closed(Arc<Closure>),
}

impl Engine {
    /// Returns the state of the connection.
    pub fn connection_state(&self) -> ConnectionState {
        match &self.state {
            ConnectionLife::Open if self.gate.blocked().is_some() => ConnectionState::Blocked,
            ConnectionLife::Open => ConnectionState::Open,
            ConnectionLife::Closing { .. } => ConnectionState::Closing,
            ConnectionLife::Down { .. } | ConnectionLife::Restoring { .. } => ConnectionState::Recovering,
            ConnectionLife::Closed { .. } => ConnectionState::Closed,
        }
    }

    /// The state of a channel.
    pub fn channel_state(&self, key: ChannelKey) -> ChannelState {
        let Some(channel) = self.channels.get(key) else { return ChannelState::Closed };
        match (channel.state, &self.state) {
            (_, ConnectionLife::Closed { .. }) => ChannelState::Closed,
            (ChannelLife::Closing, _) | (_, ConnectionLife::Closing { .. }) => ChannelState::Closing,
            (_, ConnectionLife::Down { .. } | ConnectionLife::Restoring { .. }) => ChannelState::Recovering,
            (ChannelLife::Suspended | ChannelLife::Reopening | ChannelLife::Unsent, _) => ChannelState::Recovering,
            (ChannelLife::Opening | ChannelLife::Open, _) if channel.flow_stopped => ChannelState::Stopped,
            (ChannelLife::Opening | ChannelLife::Open, _) => ChannelState::Open,
        }
    }
}

impl fmt::Debug for Engine {
    /// Shows the state and how much is queued, but no message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("state", &self.connection_state())
            .field("channels", &self.channels.len())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}
