//! The kinds of errors, and which failure is of which.

use std::fmt;

use crate::engine::{Closure, Failure, Reason, Scope};

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connection parameters or the URL are wrong.
    Parameters,
    /// The broker cannot be reached, or the transport failed.
    Io,
    /// TLS cannot be set up, or one side refused the other: a certificate, a name, a version.
    Tls,
    /// A wait took longer than its parameter allows.
    TimedOut,
    /// The other side does not speak AMQP 0-9-1, or broke the protocol.
    #[doc(alias("ProtocolSyntaxError", "IncompatibleProtocolError"))]
    Protocol,
    /// The broker refused the credentials, there is no mechanism in common, or a provider has no
    /// credentials.
    #[doc(alias("AuthenticationError", "ProbableAuthenticationError"))]
    Authentication,
    /// The broker refused the virtual host, or something else about the connection, when it was
    /// opened.
    #[doc(alias = "ProbableAccessDeniedError")]
    AccessRefused,
    /// The connection is closed, or was while this was in flight.
    #[doc(alias("AMQPConnectionError", "StreamLostError"))]
    ConnectionClosed,
    /// The channel is closed, or was while this was in flight.
    #[doc(alias = "AMQPChannelError")]
    ChannelClosed,
    /// The broker cancelled the consumer: its queue is gone or its node down, or a delivery was
    /// held longer than the consumer timeout (RabbitMQ 4.3).
    ConsumerCancelled,
    /// The client cancelled the consumer, which did not keep up: more messages waited in memory
    /// than [`read_limit`](crate::ConnectionParameters#structfield.read_limit) allows, and most of
    /// them for this one. See [slow consumers](crate::Consumer#slow-consumers) for what becomes of
    /// them.
    ConsumerOverflowed,
    /// The broker could not take responsibility for a message (`basic.nack`).
    #[doc(alias = "NackError")]
    Nacked,
    /// No queue took a mandatory message (`basic.return`).
    #[doc(alias = "UnroutableError")]
    Returned,
    /// A value cannot be encoded; nothing was sent.
    Encode,
    /// What came in a message cannot be decoded; the connection goes on.
    Decode,
    /// The request makes no sense as it is; nothing was sent.
    Usage,
    /// As many channels are open as were negotiated.
    #[doc(alias = "NoFreeChannels")]
    ChannelsExhausted,
    /// A message came that is larger than `max_message_size`, or whose properties are larger than
    /// `max_header_size`; it was rejected without requeue, and the consumer goes on.
    MessageTooLarge,
    /// Publishing is paused, and the caller did not want to wait; or more waits for the socket than
    /// `write_limit`, and a call was refused. Nothing was sent.
    Backpressure,
}

impl ErrorKind {
    /// Every kind, in the order of their declaration: for labels of metrics, for instance.
    pub const ALL: &'static [Self] = &[
        Self::Parameters,
        Self::Io,
        Self::Tls,
        Self::TimedOut,
        Self::Protocol,
        Self::Authentication,
        Self::AccessRefused,
        Self::ConnectionClosed,
        Self::ChannelClosed,
        Self::ConsumerCancelled,
        Self::ConsumerOverflowed,
        Self::Nacked,
        Self::Returned,
        Self::Encode,
        Self::Decode,
        Self::Usage,
        Self::ChannelsExhausted,
        Self::MessageTooLarge,
        Self::Backpressure,
    ];

    /// Its name in lower case, such as `connection_closed`, for metrics and logs; `Display` writes
    /// the same. It stays as it is.
    ///
    /// ```
    /// use leveret::ErrorKind;
    ///
    /// assert_eq!(ErrorKind::ConnectionClosed.as_str(), "connection_closed");
    /// assert_eq!(ErrorKind::Io.to_string(), "io");
    /// ```
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Io => "io",
            Self::Tls => "tls",
            Self::TimedOut => "timed_out",
            Self::Protocol => "protocol",
            Self::Authentication => "authentication",
            Self::AccessRefused => "access_refused",
            Self::ConnectionClosed => "connection_closed",
            Self::ChannelClosed => "channel_closed",
            Self::ConsumerCancelled => "consumer_cancelled",
            Self::ConsumerOverflowed => "consumer_overflowed",
            Self::Nacked => "nacked",
            Self::Returned => "returned",
            Self::Encode => "encode",
            Self::Decode => "decode",
            Self::Usage => "usage",
            Self::ChannelsExhausted => "channels_exhausted",
            Self::MessageTooLarge => "message_too_large",
            Self::Backpressure => "backpressure",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The kind of what the engine refused or could not finish.
pub(super) fn failure_kind(failure: &Failure) -> ErrorKind {
    match failure {
        Failure::Closed { closure, .. } => closure_kind(closure),
        Failure::TimedOut(_) | Failure::TimedOutBlocked { .. } => ErrorKind::TimedOut,
        Failure::Encode(_) => ErrorKind::Encode,
        Failure::ChannelsExhausted { .. } => ErrorKind::ChannelsExhausted,
        Failure::Backpressure | Failure::WriteLimit { .. } => ErrorKind::Backpressure,
        Failure::MessageTooLarge { .. } | Failure::HeaderTooLarge { .. } => ErrorKind::MessageTooLarge,
        Failure::NoWaitCall(_)
        | Failure::ReplyExpected(_)
        | Failure::ConsumerTagMissing
        | Failure::ConsumerTagInUse(_)
        | Failure::NoSuchConsumer
        | Failure::AlreadySettled { .. }
        | Failure::Unconfirmed
        | Failure::SecretErased => ErrorKind::Usage,
        Failure::Internal(_) => ErrorKind::Protocol,
    }
}

/// The kind of the end of a channel or connection.
pub(super) fn closure_kind(closure: &Closure) -> ErrorKind {
    match (closure.scope, &closure.reason) {
        (_, Reason::Violation(_)) => ErrorKind::Protocol,
        (Scope::Connection, _) => ErrorKind::ConnectionClosed,
        (Scope::Channel(_), _) => ErrorKind::ChannelClosed,
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorKind;

    #[test]
    fn all_kinds_are_listed_once_and_in_order() {
        assert!(ErrorKind::ALL.is_sorted_by(|earlier, later| earlier < later));
        // A kind that is added has to be added here, and to the list.
        let last = |kind| match kind {
            ErrorKind::Parameters
            | ErrorKind::Io
            | ErrorKind::Tls
            | ErrorKind::TimedOut
            | ErrorKind::Protocol
            | ErrorKind::Authentication
            | ErrorKind::AccessRefused
            | ErrorKind::ConnectionClosed
            | ErrorKind::ChannelClosed
            | ErrorKind::ConsumerCancelled
            | ErrorKind::ConsumerOverflowed
            | ErrorKind::Nacked
            | ErrorKind::Returned
            | ErrorKind::Encode
            | ErrorKind::Decode
            | ErrorKind::Usage
            | ErrorKind::ChannelsExhausted
            | ErrorKind::MessageTooLarge => false,
            ErrorKind::Backpressure => true,
        };
        assert_eq!(ErrorKind::ALL.iter().position(|kind| last(*kind)), Some(ErrorKind::ALL.len() - 1));
        assert_eq!(ErrorKind::Backpressure as usize + 1, ErrorKind::ALL.len());
    }

    #[test]
    fn a_kind_is_called_as_it_is_in_rust_with_underscores() {
        for kind in ErrorKind::ALL {
            let joined: String = kind.as_str().split('_').collect();
            assert_eq!(joined, format!("{kind:?}").to_ascii_lowercase());
            assert_eq!(format!("{kind:>20}").trim_start(), kind.as_str());
        }
    }
}
