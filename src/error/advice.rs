//! What to do about an error, in half a sentence.

use super::{Error, ErrorKind};
use crate::engine::Reason;
use crate::protocol::ReplyCode;

impl Error {
    /// What a program or a person can do about it; none where the error itself says so.
    pub(super) fn advice(&self) -> Option<&'static str> {
        match self.kind() {
            ErrorKind::TimedOut if self.attempts().is_empty() => {
                Some("call_timeout and close_timeout set how long that may take")
            }
            ErrorKind::Authentication if self.reply_code() == Some(ReplyCode::ACCESS_REFUSED) => {
                Some("check user and password; RabbitMQ lets guest in from its own machine only")
            }
            ErrorKind::AccessRefused => Some("check that the virtual host exists and that the user may access it"),
            ErrorKind::ChannelClosed => self.advice_on_channel(),
            ErrorKind::ConnectionClosed => self.advice_on_connection(),
            ErrorKind::ConsumerCancelled => Some("declare the queue and consume again"),
            ErrorKind::Nacked => Some("publish it again later"),
            ErrorKind::Returned => Some("bind a queue by this routing key, or publish without mandatory"),
            ErrorKind::Backpressure => Some("await the publish to wait until it goes on"),
            ErrorKind::Protocol if self.attempts().is_empty() => {
                Some("this is a fault of the broker, or of what is in between")
            }
            _ => None,
        }
    }

    fn advice_on_channel(&self) -> Option<&'static str> {
        match self.reply_code()? {
            ReplyCode::ACCESS_REFUSED => Some("the user lacks a permission; open another channel to go on"),
            ReplyCode::NOT_FOUND => Some("declare what is missing first; open another channel to go on"),
            ReplyCode::RESOURCE_LOCKED => Some("it belongs to another connection; open another channel to go on"),
            ReplyCode::PRECONDITION_FAILED => {
                Some("ask for what is there, or settle each delivery once; open another channel to go on")
            }
            _ if self.is_requested() => None,
            _ => Some("open another channel to go on"),
        }
    }

    fn advice_on_connection(&self) -> Option<&'static str> {
        match self.close_reason() {
            Some(Reason::Requested) => None,
            Some(Reason::DriverGone) => Some("the runtime that it was opened on has to live as long as the connection"),
            _ if self.is_retryable() => Some("connect again"),
            _ => Some("mend what the broker complains of before connecting again"),
        }
    }
}
