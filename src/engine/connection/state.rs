//! What a connection and a channel tell of themselves: where they are in their lives, and what
//! happened to them.

use std::fmt;
use std::sync::Arc;

use super::closing::ConnectionLife;
use crate::engine::channel::ChannelLife;
use crate::engine::{ChannelKey, Closure, Engine};
use crate::wire::ShortString;

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// It takes requests.
    Open,
    /// It takes requests; publishes wait until the broker unblocks it.
    Blocked,
    /// One side has asked to close, and the other has not answered.
    Closing,
    /// It is over.
    Closed,
}

impl ConnectionState {
    /// Its name in lower case, for metrics and logs; `Display` writes the same. It stays as it is.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Blocked => "blocked",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a channel is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelState {
    /// It takes requests.
    Open,
    /// It takes requests; publishes wait until the broker lets them flow again (`channel.flow`).
    Stopped,
    /// It, or its connection, was asked to close, and the broker has not answered.
    Closing,
    /// It is over.
    Closed,
}

impl ChannelState {
    /// Its name in lower case, for metrics and logs; `Display` writes the same. It stays as it is.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Stopped => "stopped",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something that happened to a connection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ConnectionNotice {
    /// The broker blocks publishes, for this reason (`connection.blocked`).
    Blocked(String),
    /// It does so no more (`connection.unblocked`).
    Unblocked,
    /// The classic detector: a frame was queued while more waited than the multiplier allows.
    Backpressure {
        /// Octets that waited with this frame.
        queued: u64,
        /// Octets of an average frame, rounded down.
        average: u64,
    },
    /// Nothing waits for the socket any more, after the classic detector has spoken.
    Relieved,
    /// More messages wait for consumers than may wait, and nothing more is read until some are
    /// taken.
    ReadingPaused {
        /// Bytes that wait.
        waiting: u64,
    },
    /// No more than half of what may wait does.
    ReadingResumed,
    /// The broker took a new secret (`connection.update-secret`).
    SecretUpdated,
    /// There is no new secret, or the broker did not take it: why.
    SecretNotUpdated(String),
    /// It is over; nothing comes after this.
    Closed(Arc<Closure>),
}

/// Something that happened to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelNotice {
    /// The broker asks for no more content (`channel.flow`).
    Stopped,
    /// Content may flow again.
    Resumed,
    /// The broker cancelled the consumer of this tag (`basic.cancel`).
    ConsumerCancelled(ShortString),
    /// The consumer of this tag was cancelled because more messages waited than may wait, and most
    /// of them for it.
    ConsumerOverflowed(ShortString),
    /// It is over; nothing comes after this.
    Closed(Arc<Closure>),
}

impl Engine {
    /// Where the connection is in its life.
    pub fn connection_state(&self) -> ConnectionState {
        match &self.state {
            ConnectionLife::Open if self.gate.blocked().is_some() => ConnectionState::Blocked,
            ConnectionLife::Open => ConnectionState::Open,
            ConnectionLife::Closing { .. } => ConnectionState::Closing,
            ConnectionLife::Closed { .. } => ConnectionState::Closed,
        }
    }

    /// Where a channel is in its life.
    pub fn channel_state(&self, key: ChannelKey) -> ChannelState {
        let Some(channel) = self.channels.get(key) else { return ChannelState::Closed };
        match (channel.state, &self.state) {
            (_, ConnectionLife::Closed { .. }) => ChannelState::Closed,
            (ChannelLife::Closing, _) | (_, ConnectionLife::Closing { .. }) => ChannelState::Closing,
            (ChannelLife::Opening | ChannelLife::Open, _) if channel.flow_stopped => ChannelState::Stopped,
            (ChannelLife::Opening | ChannelLife::Open, _) => ChannelState::Open,
        }
    }
}

impl fmt::Debug for Engine {
    /// Shows where the connection is and how much waits, and no message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("state", &self.connection_state())
            .field("channels", &self.channels.len())
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}
