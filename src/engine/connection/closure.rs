//! Why a channel or a connection is closed, and what that means for requests in flight.

use std::fmt;
use std::io;

use crate::engine::{Violation, Words};
use crate::protocol::{MethodId, ProtocolMethod, ReplyCode, basic, method_name};
use crate::wire::Escaped;

/// What was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// The whole connection.
    Connection,
    /// Only the channel with this number.
    Channel(u16),
}

/// The side that decided on a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Initiator {
    /// This side: the application requested it, or the client gave up on the broker.
    Client,
    /// The broker sent a close.
    Broker,
    /// Neither side: the transport was lost.
    Transport,
}

impl Initiator {
    /// Returns its name in lower case, for metrics and logs. `Display` writes the same. The names
    /// do not change between releases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Broker => "broker",
            Self::Transport => "transport",
        }
    }
}

impl fmt::Display for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The reason for a close.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The application closed the channel or connection, or dropped its last handle.
    Requested,
    /// The broker closed it, with the reply code and the text in the [`Closure`].
    Broker,
    /// The broker violated the protocol, so the client closed the channel or connection.
    Violation(Violation),
    /// Nothing arrived from the broker for two heartbeat intervals.
    HeartbeatsMissed,
    /// The broker blocked the connection for longer than `blocked_connection_timeout`.
    BlockedTooLong,
    /// The broker did not answer a close within `close_timeout`.
    CloseTimedOut,
    /// The broker closed the transport without sending a close.
    EndOfStream,
    /// The transport failed.
    Io(io::ErrorKind, String),
    /// The task that drives the connection ended, for instance with its runtime.
    DriverGone,
    /// After the loss of the transport, the next one allows fewer channels: only this many.
    ChannelsExhausted(u16),
}

/// The cause of a close. If there are several, it is the first, and everything that fails because
/// of the close reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// What was closed.
    pub scope: Scope,
    /// The reason.
    pub reason: Reason,
    /// The reply code that was sent or received, if any.
    pub reply_code: Option<ReplyCode>,
    /// The text that was sent or received with the reply code. Without a reply code, a description
    /// of the reason.
    pub reply_text: String,
    /// The method that the closing peer blames, if any.
    pub method: Option<MethodId>,
    /// The broker's reason for blocking the connection, if it was doing so when the connection was
    /// lost. A broker that blocks a connection does not read it.
    pub blocked: Option<String>,
}

/// What happened to a request that was in flight when its channel or connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// No byte of it was handed to the transport, and none will be: the broker has not seen it.
    NotSent,
    /// Unknown: it may have reached the broker, or may still reach it.
    Unknown,
    /// The broker refused it: the broker closed the channel or connection in answer to it, nacked
    /// the message, or returned it.
    Refused,
}

impl Fate {
    /// Returns its name in lower case, such as `not_sent`, for metrics and logs. `Display` writes
    /// the same. The names do not change between releases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Closure {
    /// Creates the closure for `reason`, without a reply code.
    pub(crate) fn silent(reason: Reason) -> Self {
        let reply_text = reason.to_string();
        Self { scope: Scope::Connection, reason, reply_code: None, reply_text, method: None, blocked: None }
    }

    /// Returns the side that decided on the close.
    pub fn initiator(&self) -> Initiator {
        match self.reason {
            Reason::Requested
            | Reason::Violation(_)
            | Reason::HeartbeatsMissed
            | Reason::BlockedTooLong
            | Reason::CloseTimedOut
            | Reason::ChannelsExhausted(_) => Initiator::Client,
            Reason::Broker => Initiator::Broker,
            Reason::EndOfStream | Reason::Io(..) | Reason::DriverGone => Initiator::Transport,
        }
    }

    /// Whether the broker closed the channel in answer to a publish.
    pub(in crate::engine) fn refuses_publish(&self) -> bool {
        self.reason == Reason::Broker
            && matches!(self.scope, Scope::Channel(_))
            && self.method == Some(<basic::Publish as ProtocolMethod>::ID)
    }

    /// Returns `true` if the application requested the close.
    pub fn is_requested(&self) -> bool {
        self.reason == Reason::Requested
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("closed by the application"),
            Self::Broker => f.write_str("closed by the broker"),
            Self::Violation(violation) => write!(f, "the broker broke the protocol: {violation}"),
            Self::HeartbeatsMissed => f.write_str("no heartbeat from the broker for two intervals"),
            Self::BlockedTooLong => {
                f.write_str("the broker blocked the connection for longer than blocked_connection_timeout")
            }
            Self::CloseTimedOut => f.write_str("the broker did not answer the close within close_timeout"),
            Self::EndOfStream => f.write_str("the broker closed the transport without sending a close"),
            Self::Io(_, text) => write!(f, "the transport failed: {}", Escaped(text)),
            Self::DriverGone => f.write_str("the task that drives the connection ended"),
            Self::ChannelsExhausted(limit) => {
                write!(f, "the connection was recovered where only {limit} channels can be open")
            }
        }
    }
}

impl fmt::Display for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            Scope::Connection => f.write_str("connection: ")?,
            Scope::Channel(number) => write!(f, "channel {number}: ")?,
        }
        write!(f, "{}", self.reason)?;
        if let (Reason::Broker, Some(code)) = (&self.reason, self.reply_code) {
            write!(f, " with {}", Words(code, &self.reply_text))?;
            if let Some(name) = self.method.and_then(method_name) {
                write!(f, " (in answer to {name})")?;
            }
        }
        if let Some(reason) = &self.blocked {
            write!(f, "; the broker was blocking it ({}) and may not have read what was sent", Escaped(reason))?;
        }
        Ok(())
    }
}
