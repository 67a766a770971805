//! The kinds of errors, and the kind of each failure.

use std::fmt;

use crate::engine::{Closure, Failure, Reason, Scope};

/// The kind of an [`Error`](crate::Error).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connection parameters or the URL are invalid.
    Parameters,
    /// The broker cannot be reached, or the transport failed.
    Io,
    /// TLS cannot be set up, or one side refused the certificate, the name or the version of the
    /// other.
    Tls,
    /// A wait took longer than its parameter allows.
    TimedOut,
    /// The peer does not speak AMQP 0-9-1, or violated the protocol.
    #[doc(alias("ProtocolSyntaxError", "IncompatibleProtocolError"))]
    Protocol,
    /// The broker refused the credentials, client and broker have no mechanism in common, or a
    /// provider has no credentials.
    #[doc(alias("AuthenticationError", "ProbableAuthenticationError"))]
    Authentication,
    /// The broker refused the virtual host or another property of the connection while it was
    /// opened.
    #[doc(alias = "ProbableAccessDeniedError")]
    AccessRefused,
    /// The connection was closed before the request, or while the request was in flight.
    #[doc(alias("AMQPConnectionError", "StreamLostError"))]
    ConnectionClosed,
    /// The channel was closed before the request, or while the request was in flight.
    #[doc(alias = "AMQPChannelError")]
    ChannelClosed,
    /// The broker cancelled the consumer: its queue was deleted or its node is down, or a delivery
    /// stayed unsettled longer than the consumer timeout (RabbitMQ 4.3).
    ConsumerCancelled,
    /// The client cancelled the consumer because it did not keep up: more messages waited in memory
    /// than [`read_limit`](crate::ConnectionParameters#structfield.read_limit) allows, and most of
    /// them for this consumer. See [slow consumers](crate::Consumer#slow-consumers) for what
    /// becomes of the messages.
    ConsumerOverflowed,
    /// The broker could not take responsibility for a message (`basic.nack`).
    #[doc(alias = "NackError")]
    Nacked,
    /// No queue took a mandatory message (`basic.return`).
    #[doc(alias = "UnroutableError")]
    Returned,
    /// A value cannot be encoded. Nothing was sent.
    Encode,
    /// The contents of a message cannot be decoded. The connection continues.
    Decode,
    /// The request is not valid, or not valid in this state. Nothing was sent unless
    /// [`Error::fate`](crate::Error::fate) says otherwise.
    Usage,
    /// As many channels are open as were negotiated (`channel_max`). A channel that was open is
    /// closed for this if the connection is recovered where fewer channels can be open.
    #[doc(alias = "NoFreeChannels")]
    ChannelsExhausted,
    /// A message arrived that is larger than `max_message_size`, or whose properties are larger
    /// than `max_header_size`. It was rejected without requeue, and the consumer continues.
    MessageTooLarge,
    /// Publishing is paused and the caller did not want to wait, or a call was refused because more
    /// bytes than `write_limit` wait for the socket. Nothing was sent.
    Backpressure,
    /// The connection or channel was lost and is being recovered. Nothing was sent.
    Recovering,
    /// The delivery arrived before its channel was lost and recovered. The broker delivers the
    /// message again, and nothing was sent.
    StaleDelivery,
    /// Work of the transaction was lost with the connection. The transaction was rolled back
    /// instead of committed.
    TransactionLost,
}

impl ErrorKind {
    /// All kinds, in the order of their declaration, for example for labels of metrics.
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
        Self::Recovering,
        Self::StaleDelivery,
        Self::TransactionLost,
    ];

    /// Returns the name in lower case, such as `connection_closed`, for metrics and logs. `Display`
    /// prints the same. The names do not change in later versions.
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
            Self::Recovering => "recovering",
            Self::StaleDelivery => "stale_delivery",
            Self::TransactionLost => "transaction_lost",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The kind of a failure of the engine.
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
        Failure::Recovering { .. } => ErrorKind::Recovering,
        Failure::StaleDelivery { .. } => ErrorKind::StaleDelivery,
        Failure::TransactionLost => ErrorKind::TransactionLost,
        Failure::Internal(_) => ErrorKind::Protocol,
    }
}

/// The kind of the end of a channel or connection.
pub(super) fn closure_kind(closure: &Closure) -> ErrorKind {
    match (closure.scope, &closure.reason) {
        (_, Reason::Violation(_)) => ErrorKind::Protocol,
        (_, Reason::ChannelsExhausted(_)) => ErrorKind::ChannelsExhausted,
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
            | ErrorKind::MessageTooLarge
            | ErrorKind::Backpressure
            | ErrorKind::Recovering
            | ErrorKind::StaleDelivery => false,
            ErrorKind::TransactionLost => true,
        };
        assert_eq!(ErrorKind::ALL.iter().position(|kind| last(*kind)), Some(ErrorKind::ALL.len() - 1));
        assert_eq!(ErrorKind::TransactionLost as usize + 1, ErrorKind::ALL.len());
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
