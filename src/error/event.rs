//! Events of a connection or a channel.

use std::fmt;
use std::time::Duration;

use super::Error;
use crate::config::Endpoint;
use crate::engine::{ChannelNotice, ConnectionNotice, Entity};
use crate::wire::{Escaped, ShortString};

/// Something that happened to a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// The broker blocks publishes (`connection.blocked`). Publishes wait; everything else
    /// continues. The reason is the broker's text, unchanged: [`Escaped`] makes it safe to show.
    Blocked(String),
    /// The broker no longer blocks publishes (`connection.unblocked`).
    Unblocked,
    /// The backpressure detector of Pika 0.x ([`backpressure_detection`]) reports that a frame was
    /// queued while more than [`backpressure_multiplier`] average frames waited.
    ///
    /// [`backpressure_detection`]: crate::ConnectionParameters#structfield.backpressure_detection
    /// [`backpressure_multiplier`]: crate::ConnectionParameters#structfield.backpressure_multiplier
    Backpressure {
        /// The bytes that waited for the socket, including this frame.
        queued: u64,
        /// The bytes of an average frame, rounded down.
        average: u64,
    },
    /// After [`Backpressure`](Self::Backpressure), nothing waits for the socket any more.
    Relieved,
    /// Reading is paused because more than [`read_limit`] bytes of messages wait for consumers.
    /// Until [`ReadingResumed`](Self::ReadingResumed), the client reads only after consumers have
    /// taken some, and while it awaits something that only reading can bring. If this lasts longer
    /// than [`overflow_timeout`], the consumer with the most bytes waiting ends.
    ///
    /// [`read_limit`]: crate::ConnectionParameters#structfield.read_limit
    /// [`overflow_timeout`]: crate::ConnectionParameters#structfield.overflow_timeout
    ReadingPaused {
        /// The bytes that wait.
        waiting: u64,
    },
    /// Reading resumes because no more than half of
    /// [`read_limit`](crate::ConnectionParameters#structfield.read_limit) waits.
    ReadingResumed,
    /// The broker accepted a new secret, from the provider or from
    /// [`Connection::update_secret`](crate::Connection::update_secret).
    SecretUpdated,
    /// The provider had no new secret, or the broker did not accept it, for this reason. The
    /// provider is asked again.
    SecretNotUpdated(String),
    /// The connection was lost and is being recovered. What became of the calls and confirmed
    /// publishes in flight is in their errors.
    #[non_exhaustive]
    Lost {
        /// Why it was lost.
        cause: Error,
        /// The bytes of publishes that were queued, and of which nothing was sent. The future of a
        /// confirmed one of them says so too, or it is sent again (`resend`).
        unsent_octets: u64,
        /// The number of confirmed publishes of which it is unknown whether the broker has them.
        unknown: u64,
    },
    /// An attempt to connect again follows after a pause.
    #[non_exhaustive]
    Reconnecting {
        /// The number of the attempt in this outage, from 1.
        attempt: u32,
        /// The pause before it.
        after: Duration,
    },
    /// An attempt to connect again failed.
    #[non_exhaustive]
    ReconnectFailed {
        /// The number of the attempt in this outage, from 1.
        attempt: u32,
        /// Why it failed.
        reason: String,
    },
    /// A queue whose name the broker chose has another name since it was declared again. Its
    /// bindings and consumers have it too.
    #[non_exhaustive]
    QueueRenamed {
        /// The name before the loss.
        from: ShortString,
        /// The present name.
        to: ShortString,
    },
    /// The connection is recovered: its channels are open, and requests go through. Consumers start
    /// after this, and [`ChannelEvent::ConsumerRecovered`] reports each.
    #[non_exhaustive]
    Recovered {
        /// How many transports there were before this one.
        generation: u32,
        /// How long the connection was down.
        outage: Duration,
        /// Where it is connected; `None` if the program makes its transports.
        endpoint: Option<Endpoint>,
        /// What could not be restored, and why.
        failed: Vec<(Entity, Error)>,
    },
    /// The connection has declared more than `recovery_record_limit` exchanges, queues, bindings
    /// and consumers. Those above the limit do not come back after a loss.
    RecordFull,
    /// Something could not be restored, for this reason.
    EntityFailed(Entity, Error),
    /// Something that could not be restored at first has been restored.
    EntityRecovered(Entity),
    /// The connection ended, for this reason. This is the last event.
    Closed(Error),
}

/// Something that happened to a channel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// The broker asked the client to send no content (`channel.flow`). Publishes on the channel
    /// wait.
    Stopped,
    /// The broker allows content again. Publishes continue.
    Resumed,
    /// The broker cancelled the consumer with this tag: its queue was deleted or its node is down,
    /// or a delivery stayed unsettled longer than the consumer timeout (RabbitMQ 4.3).
    ConsumerCancelled(ShortString),
    /// The client cancelled the consumer with this tag because it did not keep up: see
    /// [`ErrorKind::ConsumerOverflowed`](crate::ErrorKind::ConsumerOverflowed).
    ConsumerOverflowed(ShortString),
    /// The channel was lost, with its connection or alone, and is being recovered. Deliveries that
    /// arrived before can no longer be settled; the broker delivers them again.
    Lost,
    /// The channel is open again.
    Recovered,
    /// The consumer with this tag is running again.
    ConsumerRecovered(ShortString),
    /// The channel ended, for this reason. This is the last event.
    Closed(Error),
}

impl fmt::Display for ConnectionEvent {
    /// Prints what happened in one line, with the broker's text escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked(reason) => write!(f, "the broker blocks publishes: {}", Escaped(reason)),
            Self::Unblocked => f.write_str("the broker no longer blocks publishes"),
            Self::Backpressure { queued, average } => {
                write!(f, "{queued} bytes wait for the socket, with frames of {average} bytes on average")
            }
            Self::Relieved => f.write_str("nothing waits for the socket any more"),
            Self::ReadingPaused { waiting } => {
                write!(f, "reading is paused: {waiting} bytes of messages wait for consumers")
            }
            Self::ReadingResumed => f.write_str("reading resumes: the consumers have caught up"),
            Self::SecretUpdated => f.write_str("the broker accepted a new secret"),
            Self::SecretNotUpdated(why) => write!(f, "the secret is not renewed: {}", Escaped(why)),
            Self::Lost { cause, unsent_octets, unknown } => {
                write!(f, "the connection is lost: {cause}; {unsent_octets} bytes of publishes are unsent, ")?;
                write!(f, "{unknown} confirms unknown")
            }
            Self::Reconnecting { attempt, after } => write!(f, "attempt {attempt} to connect again in {after:?}"),
            Self::ReconnectFailed { attempt, reason } => write!(f, "attempt {attempt} failed: {reason}"),
            Self::QueueRenamed { from, to } => {
                write!(f, "the queue {} is now named {}", Escaped(from), Escaped(to))
            }
            Self::Recovered { outage, failed, .. } => {
                write!(f, "the connection is recovered after {outage:?}; {} were not restored", failed.len())
            }
            Self::RecordFull => f.write_str("more was declared than recovery_record_limit"),
            Self::EntityFailed(entity, why) => write!(f, "{entity} is not restored: {why}"),
            Self::EntityRecovered(entity) => write!(f, "{entity} is restored"),
            Self::Closed(why) => write!(f, "{why}"),
        }
    }
}

impl fmt::Display for ChannelEvent {
    /// Prints what happened in one line, with the broker's text escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("the broker asked for no more content"),
            Self::Resumed => f.write_str("the broker allows content again"),
            Self::ConsumerCancelled(tag) => write!(f, "the broker cancelled the consumer {}", Escaped(tag)),
            Self::ConsumerOverflowed(tag) => {
                write!(f, "the consumer {} did not keep up and was cancelled", Escaped(tag))
            }
            Self::Lost => f.write_str("the channel is lost"),
            Self::Recovered => f.write_str("the channel is recovered"),
            Self::ConsumerRecovered(tag) => write!(f, "the consumer {} is running again", Escaped(tag)),
            Self::Closed(why) => write!(f, "{why}"),
        }
    }
}

impl From<ConnectionNotice> for ConnectionEvent {
    fn from(notice: ConnectionNotice) -> Self {
        match notice {
            ConnectionNotice::Blocked(reason) => Self::Blocked(reason),
            ConnectionNotice::Unblocked => Self::Unblocked,
            ConnectionNotice::Backpressure { queued, average } => Self::Backpressure { queued, average },
            ConnectionNotice::Relieved => Self::Relieved,
            ConnectionNotice::ReadingPaused { waiting } => Self::ReadingPaused { waiting },
            ConnectionNotice::ReadingResumed => Self::ReadingResumed,
            ConnectionNotice::SecretUpdated => Self::SecretUpdated,
            ConnectionNotice::SecretNotUpdated(why) => Self::SecretNotUpdated(why),
            ConnectionNotice::Lost { cause, losses } => {
                Self::Lost { cause: cause.into(), unsent_octets: losses.unsent_octets, unknown: losses.unknown }
            }
            ConnectionNotice::Reconnecting { attempt, after } => Self::Reconnecting { attempt, after },
            ConnectionNotice::ReconnectFailed { attempt, reason } => Self::ReconnectFailed { attempt, reason },
            ConnectionNotice::QueueRenamed { from, to } => Self::QueueRenamed { from, to },
            ConnectionNotice::Recovered { generation, outage, endpoint, failed } => Self::Recovered {
                generation,
                outage,
                endpoint,
                failed: failed.into_iter().map(|(entity, failure)| (entity, failure.into())).collect(),
            },
            ConnectionNotice::RecordFull => Self::RecordFull,
            ConnectionNotice::EntityFailed(entity, failure) => Self::EntityFailed(entity, failure.into()),
            ConnectionNotice::EntityRecovered(entity) => Self::EntityRecovered(entity),
            ConnectionNotice::Closed(closure) => Self::Closed(closure.into()),
        }
    }
}

impl From<ChannelNotice> for ChannelEvent {
    fn from(notice: ChannelNotice) -> Self {
        match notice {
            ChannelNotice::Stopped => Self::Stopped,
            ChannelNotice::Resumed => Self::Resumed,
            ChannelNotice::ConsumerCancelled(tag) => Self::ConsumerCancelled(tag),
            ChannelNotice::ConsumerOverflowed(tag) => Self::ConsumerOverflowed(tag),
            ChannelNotice::Lost => Self::Lost,
            ChannelNotice::Recovered => Self::Recovered,
            ChannelNotice::ConsumerRecovered(tag) => Self::ConsumerRecovered(tag),
            ChannelNotice::Closed(closure) => Self::Closed(closure.into()),
        }
    }
}
