//! Predicates of an error.

use super::{Answer, Cause, Error, ErrorKind};
use crate::engine::{Failure, Fate, Initiator, Reason, Settled};
use crate::protocol::ReplyCode;

/// Predicates: what the error is, and what it means for the request.
impl Error {
    /// Returns what became of the request or message that failed. It is `None` if the error is not
    /// about one request, as at the end of a consumer, or is about several.
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

    /// Returns `true` if no byte of the request reached the transport, so that the broker does not
    /// know of it.
    pub fn is_not_sent(&self) -> bool {
        self.fate() == Some(Fate::NotSent)
    }

    /// Returns `true` if the request may or may not have reached the broker.
    pub fn is_unknown(&self) -> bool {
        self.fate() == Some(Fate::Unknown)
    }

    /// Returns `true` if the request failed because its connection or channel is being recovered.
    /// Nothing of it was sent.
    pub fn is_recovering(&self) -> bool {
        self.kind() == ErrorKind::Recovering
    }

    /// Returns `true` if the delivery arrived before its channel was lost and recovered. It was not
    /// settled, and the broker delivers the message again.
    pub fn is_stale_delivery(&self) -> bool {
        self.kind() == ErrorKind::StaleDelivery
    }

    /// Returns `true` if a transaction was rolled back instead of committed, because work of it was
    /// lost with the connection.
    pub fn is_transaction_lost(&self) -> bool {
        self.kind() == ErrorKind::TransactionLost
    }

    /// Returns `true` for 404: the exchange or queue does not exist.
    pub fn is_not_found(&self) -> bool {
        self.reply_code() == Some(ReplyCode::NOT_FOUND)
    }

    /// Returns `true` for 406: for example, the entity exists with other properties, or a delivery
    /// tag is unknown.
    pub fn is_precondition_failed(&self) -> bool {
        self.reply_code() == Some(ReplyCode::PRECONDITION_FAILED)
    }

    /// Returns `true` for 405: the queue is exclusive to another connection, or has an exclusive
    /// consumer.
    pub fn is_resource_locked(&self) -> bool {
        self.reply_code() == Some(ReplyCode::RESOURCE_LOCKED)
    }

    /// Returns `true` if the user lacks a permission (403), or if the broker refused the virtual
    /// host or another property of the connection while it was opened.
    pub fn is_access_refused(&self) -> bool {
        match self.kind() {
            ErrorKind::AccessRefused => true,
            ErrorKind::Authentication => false,
            _ => self.reply_code() == Some(ReplyCode::ACCESS_REFUSED),
        }
    }

    /// Returns `true` if the broker refused the credentials, client and broker have no mechanism in
    /// common, or a provider has no credentials.
    pub fn is_authentication(&self) -> bool {
        self.kind() == ErrorKind::Authentication
    }

    /// Returns `true` if TLS cannot be set up, or one side refused it.
    pub fn is_tls(&self) -> bool {
        self.kind() == ErrorKind::Tls
    }

    /// Returns `true` if a wait took longer than its parameter allows.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::TimedOut
    }

    /// Returns `true` if nothing arrived from the broker for two heartbeat intervals.
    #[doc(alias = "AMQPHeartbeatTimeout")]
    pub fn is_heartbeat_missed(&self) -> bool {
        self.close_reason() == Some(&Reason::HeartbeatsMissed)
    }

    /// Returns `true` if the broker blocked the connection for longer than
    /// `blocked_connection_timeout`.
    #[doc(alias = "ConnectionBlockedTimeout")]
    pub fn is_blocked_too_long(&self) -> bool {
        self.close_reason() == Some(&Reason::BlockedTooLong)
    }

    /// Returns `true` if the application closed the channel or connection, or dropped its last
    /// handle, so that nothing went wrong.
    #[doc(alias("ConnectionClosedByClient", "ChannelClosedByClient"))]
    pub fn is_requested(&self) -> bool {
        self.close_reason() == Some(&Reason::Requested)
    }

    /// Returns `true` if the same request may succeed on another channel or connection, or a little
    /// later.
    ///
    /// This is the case if
    ///
    /// * the transport failed or ended, heartbeats were missed, or the broker blocked the
    ///   connection for too long;
    /// * a wait took too long, publishing was paused, or a provider had no credentials;
    /// * the broker did not take responsibility for a message (`basic.nack`);
    /// * the broker cancelled a consumer: consuming again either succeeds or reports why it cannot;
    /// * a consumer did not keep up: a new consumer starts with nothing waiting, and keeps up if
    ///   the cause has passed;
    /// * the broker refused or closed for a reason that is temporary: it stops, or an operator
    ///   closed the connection (320); it had an internal error (541: a virtual host that is down, a
    ///   node that is gone, a cluster without a majority), or lacked a resource (506); a limit of
    ///   connections, or of the channels of a node or user, is reached (530); the node or leader of
    ///   a queue is away (404, 406); another connection or consumer holds a queue (405, 403),
    ///   perhaps a lost one of this program; a delivery stayed unsettled longer than the consumer
    ///   timeout (406).
    ///
    /// It is `false` if the broker would refuse the same request again until something is changed:
    /// wrong credentials, missing permissions, entities that do not exist or differ, wrong
    /// arguments, features that the broker does not have.
    ///
    /// `true` does not mean that nothing was done: see [`is_unknown`](Self::is_unknown). A loop
    /// that retries should pause between attempts, and end after some of them.
    pub fn is_retryable(&self) -> bool {
        match &*self.cause {
            Cause::Connect(error) => error.is_retryable(),
            Cause::Failure(
                Failure::TimedOut(_)
                | Failure::TimedOutBlocked { .. }
                | Failure::Backpressure
                | Failure::Recovering { .. }
                | Failure::TransactionLost
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

    /// The meaning of the broker's text, if the broker closed the channel or connection.
    fn answer(&self) -> Option<&'static Answer> {
        let closure = self.closure()?;
        Answer::find(closure.reply_code?, &closure.reply_text)
    }
}
