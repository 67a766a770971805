//! What the engine reports: completions of requests, and consumers that have something to take.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use super::{ChannelKey, ConsumerKey, Delivery, Failure, Message, WaiterId};
use crate::protocol::{Method, ReplyCode};
use crate::wire::ShortString;

/// An event for the driver, which passes it on to the waiter.
#[derive(Debug)]
pub enum Event {
    /// What this waiter waited for has happened, or will not happen any more. The waiter is then
    /// used up.
    Completed(WaiterId, Completion),
    /// There is something to take for this standing waiter: for a consumer, a stream of returned
    /// messages, or an observer. A standing waiter gets any number of these.
    Readable(WaiterId),
}

/// The outcome of a wait.
#[derive(Debug)]
pub enum Completion {
    /// The channel is open.
    Opened(ChannelKey),
    /// The broker answered a call.
    Reply(Box<Reply>),
    /// The broker confirmed a publish.
    Confirmed(Confirmation),
    /// Everything that was published on the channel before was confirmed.
    Settled(ChannelKey, Settled),
    /// A publish that waited at the gate
    /// ([`Engine::wait_to_publish`](super::Engine::wait_to_publish)) is queued.
    Published,
    /// There is room again below the limit of bytes that wait for the socket.
    Room,
    /// The broker accepted the new secret.
    SecretUpdated,
    /// A channel was opened again after a loss.
    Restored,
    /// The close is complete.
    Closed,
    /// The request failed.
    Failed(Failure),
}

/// The broker's answer to a call.
#[derive(Debug)]
pub struct Reply {
    /// The channel on which it arrived.
    pub channel: ChannelKey,
    /// The method.
    pub method: Method,
    /// The content of the reply, if it has any (`basic.get-ok`).
    pub content: Option<Message>,
    /// The consumer that it started, if any.
    pub consumer: Option<ConsumerKey>,
    /// Whether the consumer belongs to the caller alone: it was started by
    /// [`Engine::consume`](super::Engine::consume), and cannot be claimed.
    pub claimed: bool,
    /// The tag of the delivery that it brought, if that has to be settled.
    pub unsettled: Option<u64>,
    /// The generation of the channel when it arrived.
    pub generation: u32,
}

impl Reply {
    /// A reply that brings nothing but its method.
    pub(super) fn plain(channel: ChannelKey, generation: u32, method: Method) -> Self {
        Self { channel, method, content: None, consumer: None, claimed: false, unsettled: None, generation }
    }

    /// Returns the method alone.
    pub fn into_method(self) -> Method {
        self.method
    }
}

/// The broker's confirm of a publish.
#[derive(Debug, Clone)]
pub enum Confirmation {
    /// The broker took responsibility for the message (`basic.ack`).
    Ack,
    /// The broker could not take responsibility (`basic.nack`).
    Nack,
    /// The message was mandatory and no queue accepted it (`basic.return`). The value holds it.
    Returned(Box<Returned>),
    /// The broker acknowledged the message, but before that returned a message that may be this
    /// one, changed by the broker.
    Unknown,
}

/// What the engine no longer needs. It is handed out to be dropped while no lock is held: dropping
/// a body may run code of the application, and there may be many deliveries.
#[derive(Default)]
pub struct Discarded {
    /// Bodies that the application shared with the engine.
    pub bodies: Vec<Bytes>,
    /// Deliveries that cannot be acknowledged any more.
    pub deliveries: Vec<VecDeque<Delivery>>,
}

impl fmt::Debug for Discarded {
    /// Shows the counts, but no body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deliveries: usize = self.deliveries.iter().map(VecDeque::len).sum();
        f.debug_struct("Discarded").field("bodies", &self.bodies.len()).field("deliveries", &deliveries).finish()
    }
}

/// The numbers of failed publishes since the last time they were taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use = "these messages are lost unless something is done about them"]
pub struct Settled {
    /// Publishes that the broker nacked.
    pub nacked: u64,
    /// Mandatory publishes that no queue accepted.
    pub returned: u64,
    /// Publishes of which it is unknown whether the broker has them, because the connection was
    /// lost and is recovered; and mandatory publishes of which it is unknown whether a queue
    /// accepted them.
    pub unknown: u64,
}

impl Settled {
    /// Returns `true` if no publish failed.
    pub const fn is_clean(&self) -> bool {
        self.nacked == 0 && self.returned == 0 && self.unknown == 0
    }
}

/// A message that the broker returned (`basic.return`).
#[doc(alias = "ReturnedMessage")]
#[derive(Debug, Clone)]
pub struct Returned {
    /// The reason: 312 (`NO_ROUTE`) if no queue accepted it.
    pub reply_code: ReplyCode,
    /// The broker's text.
    pub reply_text: ShortString,
    /// The message.
    pub message: Message,
}
