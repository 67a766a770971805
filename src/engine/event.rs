//! What the engine reports: completions of what was asked, and consumers that have something to
//! take.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use super::{ChannelKey, ConsumerKey, Delivery, Failure, Message, WaiterId};
use crate::protocol::{Method, ReplyCode};
use crate::wire::ShortString;

/// Something for the world outside.
#[derive(Debug)]
pub enum Event {
    /// What this waiter waited for has happened, or never will.
    Completed(WaiterId, Completion),
    /// There is something to take for this standing waiter (a consumer, a stream of returns).
    Readable(WaiterId),
}

/// How a wait ended.
#[derive(Debug)]
pub enum Completion {
    /// The channel is open.
    Opened(ChannelKey),
    /// The broker answered a call.
    Reply(Box<Reply>),
    /// The broker has decided about a publish.
    Confirmed(Confirmation),
    /// Everything published before was decided about.
    Settled(ChannelKey, Settled),
    /// The turn of a publish that waited at the gate has come: it is queued.
    Published,
    /// There is room again for what waits for the socket.
    Room,
    /// The broker took the new secret.
    SecretUpdated,
    /// The close is complete.
    Closed,
    /// It failed.
    Failed(Failure),
}

/// The broker's answer to a call.
#[derive(Debug)]
pub struct Reply {
    /// The channel it came on.
    pub channel: ChannelKey,
    /// The method.
    pub method: Method,
    /// The content that came with it.
    pub content: Option<Message>,
    /// The consumer that it started.
    pub consumer: Option<ConsumerKey>,
    /// Nobody else can get that consumer: it was started by
    /// [`Engine::consume`](super::Engine::consume).
    pub claimed: bool,
    /// The delivery that it brought and that has to be settled.
    pub unsettled: Option<u64>,
}

impl Reply {
    /// The method, by itself.
    pub fn into_method(self) -> Method {
        self.method
    }
}

/// What the broker did with a publish.
#[derive(Debug, Clone)]
pub enum Confirmation {
    /// It took responsibility for the message.
    Ack,
    /// It could not take responsibility.
    Nack,
    /// No queue took the message, which was mandatory; here it is.
    Returned(Box<Returned>),
    /// It acknowledged the message, but before that a message came back that may be this one,
    /// changed on its way.
    Unknown,
}

/// What the engine needs no more. It is handed out to be dropped where no lock is held: bodies may
/// belong to foreign code, and of deliveries there may be many.
#[derive(Default)]
pub struct Discarded {
    /// Bodies that the application shared.
    pub bodies: Vec<Bytes>,
    /// Deliveries that cannot be acknowledged any more.
    pub deliveries: Vec<VecDeque<Delivery>>,
}

impl fmt::Debug for Discarded {
    /// Shows how much there is, and no body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deliveries: usize = self.deliveries.iter().map(VecDeque::len).sum();
        f.debug_struct("Discarded").field("bodies", &self.bodies.len()).field("deliveries", &deliveries).finish()
    }
}

/// How many publishes went wrong since the last time this was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use = "these messages are lost unless something is done about them"]
pub struct Settled {
    /// Publishes that the broker refused.
    pub nacked: u64,
    /// Mandatory publishes that no queue took.
    pub returned: u64,
    /// Mandatory publishes of which it is not known whether a queue took them.
    pub unknown: u64,
}

impl Settled {
    /// Nothing went wrong.
    pub const fn is_clean(&self) -> bool {
        self.nacked == 0 && self.returned == 0 && self.unknown == 0
    }
}

/// A message that came back (`basic.return`).
#[doc(alias = "ReturnedMessage")]
#[derive(Debug, Clone)]
pub struct Returned {
    /// Why: 312 where no queue took it.
    pub reply_code: ReplyCode,
    /// The broker's words.
    pub reply_text: ShortString,
    /// The message.
    pub message: Message,
}
