//! Hints: what to do about an error.

use std::borrow::Cow;

use super::answers::Answer;
use super::{Cause, Error};
use crate::engine::{Closure, Failure, HandshakeError, HandshakeStep, Reason, Scope, TLS_ALERT};
use crate::frame::FrameError;
use crate::protocol::{ProtocolMethod, connection};

impl Error {
    /// Returns what a program or a person can do about the error, as a clause without a full stop,
    /// or `None` if the text of the error says so already.
    ///
    /// [`Display`](std::fmt::Display) does not print it; [`Debug`](std::fmt::Debug) prints it on a
    /// line of its own.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let error = leveret::Connection::open("amqp://localhost:1").await.unwrap_err();
    /// assert_eq!(error.hint().as_deref(), Some("check that a broker runs there and listens on that port"));
    /// # });
    /// ```
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match &*self.cause {
            Cause::Connect(error) => return error.hint().map(Cow::Borrowed),
            Cause::Failure(Failure::Closed { closure, .. }) | Cause::Closed(closure) => return closure_hint(closure),
            Cause::Failure(failure) => failure_hint(failure)?,
            Cause::ConsumerCancelled => {
                "its queue may be deleted, its node down, or a delivery unsettled for longer than the consumer timeout: declare the \
                 queue and consume again"
            }
            Cause::ConsumerOverflowed { .. } => {
                "take messages faster, limit them with a prefetch and acknowledgements, or raise read_limit; then consume again"
            }
            Cause::Nacked => "publish it again later",
            Cause::Returned(returned) => Answer::find(returned.reply_code, "")?.hint,
            Cause::NoRuntime(_) => {
                "open the connection on a runtime that was built with enable_all, or set driver_thread, which needs none"
            }
            Cause::WaitsOnDriver => "hand the work to another thread, and wait there",
            Cause::NotOpen => "start in the handler of the open, which is called when the connection is open",
            Cause::Parameters(_)
            | Cause::GivenUp
            | Cause::Decode(_)
            | Cause::PerhapsReturned
            | Cause::Unsettled(_)
            | Cause::NothingToSettle => return None,
        }))
    }
}

fn failure_hint(failure: &Failure) -> Option<&'static str> {
    Some(match failure {
        Failure::TimedOut(connection::Close::NAME) | Failure::TimedOutBlocked { name: connection::Close::NAME, .. } => {
            "the connection is given up; what was queued may not have arrived"
        }
        Failure::TimedOutBlocked { .. } => "the broker may still carry it out when its memory or disk alarm ends",
        Failure::TimedOut(_) => "the broker may still carry it out; allow it more time if it needs more",
        Failure::ChannelsExhausted { .. } => "close some, or raise channel_max",
        Failure::NoWaitCall(_) => "send it instead of calling it",
        Failure::ReplyExpected(_) => "call it, or set no-wait",
        Failure::Unconfirmed => "publish with the Publisher that confirm_select gave, or on another channel",
        Failure::SecretErased => "give one that was not used before",
        Failure::Backpressure => "await the publish, which waits until publishing resumes",
        Failure::WriteLimit { .. } => "try again when the broker reads",
        Failure::Internal(_) => "please report it",
        _ => return None,
    })
}

/// What to do about a handshake that failed.
pub(super) fn handshake_hint(error: &HandshakeError) -> Option<&'static str> {
    Some(match error {
        HandshakeError::NotAmqp(FrameError::UnknownType(TLS_ALERT)) => "try TLS (amqps)",
        HandshakeError::NotAmqp(_) => {
            "check that this is the port of a broker for AMQP 0-9-1: usually 5672, or 5671 with TLS"
        }
        HandshakeError::Violation(_) => "this is a fault of the broker, or of something between client and broker",
        HandshakeError::NoCommonMechanism { .. } => "give credentials for a mechanism that the broker offers",
        HandshakeError::Refused { code, text, .. } => Answer::find(*code, &text.to_string())?.hint,
        HandshakeError::FrameMaxTooSmall { .. } => "raise frame_max, or leave it out",
        HandshakeError::EndOfStream(HandshakeStep::Start) => {
            "it may be stopping, require TLS (amqps), or not be an AMQP server"
        }
        HandshakeError::EndOfStream(HandshakeStep::Authentication) => {
            "check user and password: brokers that refuse them may just close the connection"
        }
        HandshakeError::EndOfStream(HandshakeStep::Open) => {
            "check the virtual host, and the limits that the client asks for: channel_max, frame_max, heartbeat"
        }
        HandshakeError::Mechanism { .. } | HandshakeError::Encode(_) => return None,
    })
}

/// What to do about the end of a channel or connection.
fn closure_hint(closure: &Closure) -> Option<Cow<'static, str>> {
    let plain = |hint| Some(Cow::Borrowed(hint));
    match (&closure.reason, closure.scope) {
        (Reason::Requested, _) => None,
        (Reason::DriverGone, _) => plain("the runtime on which it was opened has to live as long as the connection"),
        (Reason::Violation(_), _) => plain("this is a fault of the broker, or of something between client and broker"),
        (Reason::ChannelsExhausted(_), _) => plain("close other channels, or let all brokers allow as many"),
        (Reason::Broker, scope) => {
            let answer = closure.reply_code.and_then(|code| Answer::find(code, &closure.reply_text));
            let then = match scope {
                Scope::Channel(_) => "open another channel to go on",
                Scope::Connection => "connect again to go on",
            };
            let hint = answer.map_or("correct what the broker complains about", |answer| answer.hint);
            Some(Cow::Owned(format!("{hint}; {then}")))
        }
        _ => plain("connect again"),
    }
}
