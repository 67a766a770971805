//! What queues send to the channels of a client. It arrives after what the client has sent before.
//!
//! In RabbitMQ, queues and channels are processes, each with a mailbox. The answer to
//! `basic.consume` or `basic.cancel`, a delivery, the end of a consumer and the confirms for which
//! `tx.commit` waits are sent by the queue. So the channel finds them in its mailbox after all
//! methods that were already there, and answers those first. Here, the input that arrives together
//! is the mailbox, and one call of [`State::handle_bytes`] is the turn in which it is read. What
//! queues send in the meantime waits for the end of the turn, except for some answers, drawn from
//! the seed, which arrive in time as if the queue had been quick.

use std::collections::VecDeque;
use std::time::Instant;

use super::channel::{Mode, Subscription, Transaction, Unacked};
use super::delivering::visible;
use crate::broker::keys::{ChannelKey, ConnectionId, QueueId};
use crate::broker::model::Entry;
use crate::broker::state::State;
use crate::broker::words::Refusal;
use crate::protocol::{ProtocolMethod, basic, tx};
use crate::wire::ShortString;

/// A message from a queue to a channel.
#[derive(Debug)]
pub(in crate::broker) enum Notice {
    /// A consumer was added; `true` if its channel has requested its removal since.
    Consuming(basic::ConsumeOk, bool),
    /// A consumer was removed on request of its channel.
    Cancelled(basic::CancelOk),
    /// A consumer ended with its queue.
    Ended(basic::Cancel),
    /// A message for a consumer.
    Delivery(Handover),
    /// The messages of a transaction are in their queues; `false` if not all of them are.
    Committed(bool),
}

/// A message that left its queue and has not been sent yet.
#[derive(Debug)]
pub(in crate::broker) struct Handover {
    pub(in crate::broker) queue: QueueId,
    pub(in crate::broker) entry: Entry,
    pub(in crate::broker) tag: ShortString,
    /// The consumer that has to acknowledge; `None` if no acknowledgement is needed.
    pub(in crate::broker) subscription: Option<Subscription>,
}

/// A turn of a connection, in which its input is read.
#[derive(Debug, Default)]
pub(in crate::broker) struct Turn {
    open: bool,
    /// In the order in which they were sent, each with its channel.
    notices: VecDeque<(u16, Notice)>,
    /// The bytes of the bodies among them.
    size: usize,
}

impl Turn {
    /// The bytes of bodies that wait for the end of the turn.
    pub(in crate::broker) fn size(&self) -> usize {
        self.size
    }

    fn push(&mut self, channel: u16, notice: Notice) {
        self.size += notice.size();
        self.notices.push_back((channel, notice));
    }

    /// Records that a channel has requested the removal of a consumer.
    pub(in crate::broker) fn cancel(&mut self, channel: u16, tag: &ShortString) {
        for notice in &mut self.notices {
            if let (number, Notice::Consuming(ok, cancelled)) = notice
                && *number == channel
                && ok.consumer_tag == *tag
            {
                *cancelled = true;
            }
        }
    }

    /// Whether a notice for a channel waits for the end of the turn.
    fn waits_for(&self, channel: u16) -> bool {
        self.notices.iter().any(|(number, _)| *number == channel)
    }

    fn pop(&mut self) -> Option<(u16, Notice)> {
        let next = self.notices.pop_front();
        self.size -= next.as_ref().map_or(0, |(_, notice)| notice.size());
        next
    }

    /// Removes the notices for a channel, which ends.
    pub(super) fn take(&mut self, channel: u16) -> Vec<Notice> {
        let (taken, left): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.notices).into_iter().partition(|(number, _)| *number == channel);
        self.notices = left;
        let taken: Vec<_> = taken.into_iter().map(|(_, notice)| notice).collect();
        self.size -= taken.iter().map(Notice::size).sum::<usize>();
        taken
    }
}

impl Notice {
    fn size(&self) -> usize {
        match self {
            Self::Delivery(handover) => handover.entry.message.body.len(),
            _ => 0,
        }
    }

    /// Whether it answers a call.
    fn is_answer(&self) -> bool {
        matches!(self, Self::Consuming(..) | Self::Cancelled(_) | Self::Committed(_))
    }
}

impl State {
    /// Begins a turn, before input of a connection is read.
    pub(in crate::broker) fn begin_turn(&mut self, id: ConnectionId) {
        let late = self.settings.late_answers;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.turn.open = late;
        }
    }

    /// Ends a turn, after the input was read: the channels get what queues have sent in the
    /// meantime.
    pub(in crate::broker) fn end_turn(&mut self, id: ConnectionId, now: Instant) {
        while let Some(connection) = self.connections.get_mut(&id) {
            connection.turn.open = false;
            let Some((number, notice)) = connection.turn.pop() else { return };
            self.send_notice(ChannelKey { connection: id, number }, notice, now);
        }
    }

    /// Sends a notice from a queue to a channel: at once, unless the channel has input to read
    /// before.
    pub(in crate::broker) fn notify(&mut self, key: ChannelKey, notice: Notice, now: Instant) {
        match self.connections.get_mut(&key.connection) {
            Some(connection) if connection.turn.open => {
                // An answer that arrives in time does not overtake earlier notices for this
                // channel.
                let may_race = notice.is_answer() && !connection.turn.waits_for(key.number);
                if may_race && self.races.happens(self.settings.in_time_percent) {
                    self.send_notice(key, notice, now);
                } else {
                    connection.turn.push(key.number, notice);
                }
            }
            _ => self.send_notice(key, notice, now),
        }
    }

    fn send_notice(&mut self, key: ChannelKey, notice: Notice, now: Instant) {
        match notice {
            Notice::Consuming(ok, cancelled) => self.consuming(key, &ok, cancelled, now),
            Notice::Cancelled(ok) => self.send(key, &ok),
            Notice::Ended(cancel) => self.send(key, &cancel),
            Notice::Delivery(handover) => self.hand_over(key, handover, now),
            Notice::Committed(accepted) => self.committed(key, accepted, now),
        }
    }

    /// Handles the answer of a queue that a consumer was added. If the channel has requested its
    /// removal, it crashes, and the connection is closed, as in RabbitMQ 3.10 and 4.0.
    fn consuming(&mut self, key: ChannelKey, ok: &basic::ConsumeOk, cancelled: bool, now: Instant) {
        self.send(key, ok);
        if cancelled {
            self.refuse(key, &Refusal::internal(), basic::Consume::ID, now);
        }
    }

    fn hand_over(&mut self, key: ChannelKey, handover: Handover, now: Instant) {
        let Some(channel) = self.channel_mut(key) else { return };
        let Handover { queue, entry, tag, subscription } = handover;
        let message = std::sync::Arc::clone(&entry.message);
        let delivery_tag = channel.next_delivery();
        let deliver = basic::Deliver::default()
            .delivery_tag(delivery_tag)
            .redelivered(entry.redelivered)
            .exchange(&message.exchange)
            .routing_key(&message.routing_key)
            .consumer_tag(tag);
        if subscription.is_some() {
            channel.unacked.insert(delivery_tag, Unacked { queue, entry, consumer: subscription, delivered: now });
        }
        self.send_content(key, &deliver, &visible(&message));
    }

    /// Completes a transaction after its queues have answered.
    fn committed(&mut self, key: ChannelKey, accepted: bool, now: Instant) {
        let Some(channel) = self.channel_mut(key) else { return };
        channel.mode = Mode::Transaction(Transaction::default());
        if accepted {
            self.send(key, &tx::CommitOk::default());
        } else {
            self.refuse(key, &Refusal::precondition("partial tx completion"), tx::Commit::ID, now);
        }
    }
}
