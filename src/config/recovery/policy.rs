//! The choices about a lost connection: what comes back, what waits, and what is sent again.

/// What comes back after a connection is lost.
///
/// ```
/// use leveret::{ConnectionParameters, Recovery};
///
/// let by_field = ConnectionParameters::default().recovery(Recovery::Topology);
/// let by_url = ConnectionParameters::from_url("amqp://localhost?recovery=topology")?;
/// assert_eq!(by_field.recovery, by_url.recovery);
/// # Ok::<(), leveret::config::ParametersError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recovery {
    /// Nothing: the loss ends the connection.
    #[default]
    None,
    /// The connection and its channels, in confirm or transaction mode if they were. Consumers end
    /// with the loss, and what the broker deletes with the connection is not declared again.
    Connection,
    /// The connection and its channels as with [`Recovery::Connection`], and the exchanges, queues,
    /// bindings and consumers that were made on it and not removed since.
    Topology,
}

/// What a publish or a call does between the loss of the connection and its recovery. Whichever it
/// is, it is bounded.
///
/// ```
/// use leveret::{ConnectionParameters, WhileDown};
///
/// let by_field = ConnectionParameters::default().while_down(WhileDown::Buffer(65_536));
/// let by_url = ConnectionParameters::from_url("amqp://localhost?while_down=buffer&while_down_buffer=65536")?;
/// assert_eq!(by_field.while_down, by_url.while_down);
/// # Ok::<(), leveret::config::ParametersError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhileDown {
    /// It waits in its turn for the recovery, for at most
    /// [`down_timeout`](crate::ConnectionParameters#structfield.down_timeout). After that it fails,
    /// and nothing of it is sent. A call also ends after
    /// [`call_timeout`](crate::ConnectionParameters#structfield.call_timeout).
    #[default]
    Wait,
    /// It fails at once, and nothing of it is sent.
    Fail,
    /// A publish succeeds at once and is stored, until the stored ones have this many bytes, at
    /// least 1; from then on, it waits as with [`WhileDown::Wait`]. Stored publishes are sent after
    /// the recovery, before those that wait. They are lost if the connection does not recover. A
    /// call waits.
    Buffer(usize),
}

impl WhileDown {
    /// The bytes that `while_down=buffer` allows if a URL does not say how many: 8 MiB.
    pub const DEFAULT_BUFFER: usize = 8 * 1024 * 1024;
}

/// Which of the publishes that wait for their confirms when the connection is lost are sent again
/// after its recovery, in their order and before newer ones. A publish that is not sent again fails
/// with the loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resend {
    /// None of them.
    #[default]
    None,
    /// Those of which nothing reached the socket. There are no duplicates.
    NotSent,
    /// All of them. The broker may already have those that reached the socket, so a message may
    /// arrive twice.
    All,
}

/// Which channels are opened again if the broker closes them and the connection remains. It has no
/// effect with [`Recovery::None`].
///
/// Such a channel is lost as with its connection, and recovered at once: calls and confirms in
/// flight fail with the close, deliveries cannot be settled any more, and requests meanwhile do
/// what [`WhileDown`] says. The channel gets its mode again, and with [`Recovery::Topology`] its
/// consumers start again in their order. A consumer ends if its queue is gone, for instance an
/// auto-delete queue of which it was the last consumer; the queue is not declared again.
///
/// ```
/// use leveret::{ChannelRecovery, ConnectionParameters, Recovery};
///
/// let by_field =
///     ConnectionParameters::default().recovery(Recovery::Topology).channel_recovery(ChannelRecovery::AckTimeout);
/// let by_url = ConnectionParameters::from_url("amqp://localhost?recovery=topology&channel_recovery=ack_timeout")?;
/// assert_eq!(by_field.channel_recovery, by_url.channel_recovery);
/// # Ok::<(), leveret::config::ParametersError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelRecovery {
    /// None: a channel that an error has closed stays closed.
    #[default]
    None,
    /// Those that are closed because a delivery was not acknowledged in time: the
    /// [consumer timeout](https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout) of
    /// RabbitMQ.
    AckTimeout,
    /// All that an error has closed. A channel stays closed if the same error (code and method)
    /// closes it three times in a row within
    /// [`recovery_stable_after`](crate::ConnectionParameters#structfield.recovery_stable_after)
    /// after it was opened again.
    All,
}
