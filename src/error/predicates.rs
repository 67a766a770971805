//! Questions to an error.

use super::{Cause, Error, ErrorKind};
use crate::engine::{Failure, Fate, Initiator, Reason};
use crate::protocol::ReplyCode;

/// What it is, and what it means for the request.
impl Error {
    /// No octet of it reached the transport: the broker does not know of it.
    pub fn is_not_sent(&self) -> bool {
        match &*self.cause {
            Cause::Failure(Failure::Closed { fate, .. }) => *fate == Fate::NotSent,
            Cause::Failure(Failure::TimedOut(_) | Failure::MessageTooLarge { .. }) => false,
            Cause::Parameters(_) | Cause::Connect(_) | Cause::Failure(_) | Cause::NothingToSettle => true,
            _ => false,
        }
    }

    /// It may or may not have reached the broker.
    pub fn is_unknown(&self) -> bool {
        match &*self.cause {
            Cause::Failure(Failure::Closed { fate, .. }) => *fate == Fate::Unknown,
            Cause::Failure(Failure::TimedOut(_)) => true,
            _ => false,
        }
    }

    /// 404: the exchange or queue does not exist.
    pub fn is_not_found(&self) -> bool {
        self.reply_code() == Some(ReplyCode::NOT_FOUND)
    }

    /// 406: the entity exists with other properties, or a delivery tag is unknown.
    pub fn is_precondition_failed(&self) -> bool {
        self.reply_code() == Some(ReplyCode::PRECONDITION_FAILED)
    }

    /// 405: the queue is exclusive to another connection, or exclusively consumed.
    pub fn is_resource_locked(&self) -> bool {
        self.reply_code() == Some(ReplyCode::RESOURCE_LOCKED)
    }

    /// 403: the user lacks a permission; or the virtual host was refused.
    pub fn is_access_refused(&self) -> bool {
        match self.kind() {
            ErrorKind::AccessRefused => true,
            ErrorKind::Authentication => false,
            _ => self.reply_code() == Some(ReplyCode::ACCESS_REFUSED),
        }
    }

    /// The broker refused the credentials, there is no mechanism in common, or a provider has no credentials.
    pub fn is_authentication(&self) -> bool {
        self.kind() == ErrorKind::Authentication
    }

    /// TLS was not agreed on.
    pub fn is_tls(&self) -> bool {
        self.kind() == ErrorKind::Tls
    }

    /// A wait took longer than its parameter allows.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::TimedOut
    }

    /// Nothing came from the broker for two heartbeat intervals.
    pub fn is_heartbeat_missed(&self) -> bool {
        self.close_reason() == Some(&Reason::HeartbeatsMissed)
    }

    /// The broker blocked the connection for longer than `blocked_connection_timeout`.
    pub fn is_blocked_too_long(&self) -> bool {
        self.close_reason() == Some(&Reason::BlockedTooLong)
    }

    /// The application closed it, or dropped its last handle: nothing went wrong.
    pub fn is_requested(&self) -> bool {
        self.close_reason() == Some(&Reason::Requested)
    }

    /// The same on another connection, or a little later, may well succeed: the transport failed, it took too long, the broker
    /// was told to close the connection (320), a provider had no credentials, publishing was paused.
    pub fn is_retryable(&self) -> bool {
        if let Cause::Connect(error) = &*self.cause {
            return error.is_retryable();
        }
        match self.kind() {
            ErrorKind::TimedOut | ErrorKind::Backpressure => true,
            ErrorKind::ConnectionClosed => {
                self.initiator() == Some(Initiator::Transport)
                    || self.reply_code() == Some(ReplyCode::CONNECTION_FORCED)
                    || self.is_heartbeat_missed()
                    || self.is_blocked_too_long()
            }
            _ => false,
        }
    }
}
