//! Questions to an error.

use super::{Answer, Cause, Error, ErrorKind};
use crate::engine::{Failure, Fate, Initiator, Reason, Settled};
use crate::protocol::ReplyCode;

/// What it is, and what it means for the request.
impl Error {
    /// What became of the request or message that failed; none where the error is not about one, as
    /// at the end of a consumer, or about several.
    ///
    /// ```
    /// use leveret::{Error, Fate};
    ///
    /// /// Whether doing it again can do it twice.
    /// fn may_be_done_twice(error: &Error) -> bool {
    ///     match error.fate() {
    ///         Some(Fate::NotSent | Fate::Refused) => false,
    ///         _ => true,
    ///     }
    /// }
    /// ```
    pub fn fate(&self) -> Option<Fate> {
        match &*self.cause {
            Cause::Failure(Failure::Closed { fate, .. }) => Some(*fate),
            Cause::Failure(Failure::TimedOut(_) | Failure::TimedOutBlocked { .. })
            | Cause::PerhapsReturned
            | Cause::WaitsOnDriver => Some(Fate::Unknown),
            Cause::Failure(Failure::MessageTooLarge { .. } | Failure::HeaderTooLarge { .. } | Failure::Internal(_)) => {
                None
            }
            Cause::Parameters(_)
            | Cause::Connect(_)
            | Cause::Failure(_)
            | Cause::NothingToSettle
            | Cause::NoRuntime(_)
            | Cause::NotOpen
            | Cause::GivenUp => Some(Fate::NotSent),
            Cause::Nacked | Cause::Returned(_) => Some(Fate::Refused),
            Cause::Closed(_)
            | Cause::Decode(_)
            | Cause::ConsumerCancelled
            | Cause::ConsumerOverflowed { .. }
            | Cause::Unsettled(_) => None,
        }
    }

    /// No byte of it reached the transport: the broker does not know of it.
    pub fn is_not_sent(&self) -> bool {
        self.fate() == Some(Fate::NotSent)
    }

    /// It may or may not have reached the broker.
    pub fn is_unknown(&self) -> bool {
        self.fate() == Some(Fate::Unknown)
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

    /// The broker refused the credentials, there is no mechanism in common, or a provider has no
    /// credentials.
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

    /// The same on another channel or connection, or a little later, may well succeed.
    ///
    /// It is so where
    ///
    /// * the transport failed or ended, heartbeats were missed, or the broker blocked the
    ///   connection for too long;
    /// * a wait took too long, publishing was paused, or a provider had no credentials;
    /// * the broker did not take responsibility for a message (`basic.nack`);
    /// * the broker cancelled a consumer: consuming again either succeeds or says why it cannot;
    /// * a consumer did not keep up: consuming again begins with nothing that waits, and keeps up
    ///   where the reason has passed;
    /// * the broker refused or closed with words of what passes by itself: it stops or was told to
    ///   close the connection (320), failed inside (541: a virtual host that is down, a node that
    ///   is gone, a cluster without a majority), or lacked a resource (506); a limit of
    ///   connections, or of the channels of all, is reached (530); the node or leader of a queue is
    ///   away (404, 406); a queue is held by another connection or consumer (405, 403), a lost one
    ///   of this program's perhaps; a delivery was held longer than the consumer timeout (406).
    ///
    /// It is not where the same would be refused again until somebody changes something: wrong
    /// credentials, missing permissions, entities that do not exist or differ, arguments, what a
    /// broker does not have. Nor does it mean that nothing was done: see
    /// [`is_unknown`](Self::is_unknown). A loop that tries again pauses in between, and ends after
    /// some attempts.
    pub fn is_retryable(&self) -> bool {
        match &*self.cause {
            Cause::Connect(error) => error.is_retryable(),
            Cause::Failure(
                Failure::TimedOut(_)
                | Failure::TimedOutBlocked { .. }
                | Failure::Backpressure
                | Failure::WriteLimit { .. },
            )
            | Cause::Nacked
            | Cause::Unsettled(Settled { returned: 0, unknown: 0, .. })
            | Cause::ConsumerCancelled
            | Cause::ConsumerOverflowed { .. } => true,
            _ => match self.close_reason() {
                Some(Reason::HeartbeatsMissed | Reason::BlockedTooLong) => true,
                Some(Reason::Broker) => self.answer().is_some_and(|answer| answer.passes),
                Some(_) => self.initiator() == Some(Initiator::Transport),
                None => false,
            },
        }
    }

    /// What the broker's words mean, where it closed the channel or connection.
    fn answer(&self) -> Option<&'static Answer> {
        let closure = self.closure()?;
        Answer::find(closure.reply_code?, &closure.reply_text)
    }
}
