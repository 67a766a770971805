//! Settling deliveries: acknowledging, rejecting, giving back; and what is not settled so far.

use super::consumers::{Stream, Terms};
use super::tags::DeliveryTags;
use crate::engine::{ChannelKey, Engine, Failure, Negotiated};
use crate::protocol::{Method, basic};

/// How a delivery is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// It was handled; with `multiple`, and everything before it.
    Ack {
        /// Everything up to the tag.
        multiple: bool,
    },
    /// It was not handled.
    Nack {
        /// Everything up to the tag.
        multiple: bool,
        /// Back to the queue, or away (to the dead-letter exchange, if any).
        requeue: bool,
    },
    /// The same for one delivery, as the standard has it.
    Reject {
        /// Back to the queue, or away.
        requeue: bool,
    },
}

impl Settle {
    const fn is_multiple(self) -> bool {
        matches!(self, Self::Ack { multiple: true } | Self::Nack { multiple: true, .. })
    }
}

/// What was delivered on a channel and is not settled.
#[derive(Debug, Default)]
pub(in crate::engine) struct Unsettled {
    tags: DeliveryTags,
    /// What the transaction under way has settled, and a rollback brings back; `None` where there
    /// are no transactions.
    in_transaction: Option<DeliveryTags>,
}

impl Unsettled {
    /// A delivery arrived that has to be settled.
    #[inline]
    pub(in crate::engine) fn insert(&mut self, tag: u64) {
        self.tags.insert(tag);
    }

    /// Settles a delivery; tells whether it was unsettled.
    #[inline]
    fn settle(&mut self, tag: u64, multiple: bool) -> bool {
        if !multiple && self.in_transaction.is_none() {
            return self.tags.remove(tag);
        }
        // Tag 0 stands for everything (AMQP 0-9-1 §1.8.3.13), and the broker takes it where there
        // is nothing.
        if tag != 0 && !self.tags.contains(tag) {
            return false;
        }
        match (multiple, &mut self.in_transaction) {
            (true, kept) => {
                self.tags.move_up_to(tag.checked_sub(1).map_or(u64::MAX, |before| before + 1), kept.as_mut());
            }
            (false, Some(kept)) if self.tags.remove(tag) => kept.insert(tag),
            (false, _) => {}
        }
        tag != 0
    }

    /// Takes note of a request of the application's that changes what is settled.
    pub(in crate::engine) fn handle_request(&mut self, request: &Method) {
        match request {
            Method::BasicAck(ack) => drop(self.settle(ack.delivery_tag, ack.multiple)),
            Method::BasicNack(nack) => drop(self.settle(nack.delivery_tag, nack.multiple)),
            Method::BasicReject(reject) => drop(self.settle(reject.delivery_tag, false)),
            Method::TxSelect(_) => drop(self.in_transaction.get_or_insert_default()),
            Method::TxCommit(_) => self.in_transaction = self.in_transaction.take().map(|_| DeliveryTags::default()),
            Method::TxRollback(_) => {
                if let Some(settled) = &mut self.in_transaction {
                    let settled = std::mem::take(settled);
                    self.tags.extend(&settled);
                }
            }
            Method::BasicRecoverAsync(_) => self.tags = DeliveryTags::default(),
            _ => {}
        }
    }

    /// The broker has taken everything back that was delivered so far, and delivers it anew.
    pub(in crate::engine) fn handle_recovered(&mut self) {
        self.tags = DeliveryTags::default();
    }
}

impl Engine {
    /// Settles a delivery, or everything up to one.
    ///
    /// # Errors
    ///
    /// The channel that the delivery came on is closed, or the delivery is settled already: by a
    /// multiple settlement of a later one, or because the broker took it back (`basic.recover`).
    /// Nothing is sent. Nor is it where more waits for the socket than the limit allows: see
    /// [`Engine::wait_for_room`].
    #[inline]
    pub fn settle(&mut self, key: ChannelKey, delivery_tag: u64, settle: Settle) -> Result<(), Failure> {
        self.check_room()?;
        self.settle_unasked(key, delivery_tag, settle)
    }

    /// The same without a limit, for what the application does not ask for and cannot repeat.
    #[inline]
    fn settle_unasked(&mut self, key: ChannelKey, delivery_tag: u64, settle: Settle) -> Result<(), Failure> {
        let channel = self.channels.open_mut(key).filter(|_| self.state.is_open());
        let Some(channel) = channel else { return Err(self.channel_refusal(key)) };
        if !channel.unsettled.settle(delivery_tag, settle.is_multiple()) {
            return Err(Failure::AlreadySettled { delivery_tag });
        }
        self.send_settlement(key, delivery_tag, settle)
    }

    #[inline]
    fn send_settlement(&mut self, key: ChannelKey, delivery_tag: u64, settle: Settle) -> Result<(), Failure> {
        match settle {
            Settle::Ack { multiple } => {
                let ack = basic::Ack::default().delivery_tag(delivery_tag).multiple(multiple);
                self.encode_method(key, &ack)?;
            }
            Settle::Nack { multiple, requeue } => {
                let nack = basic::Nack::default().delivery_tag(delivery_tag).multiple(multiple).requeue(requeue);
                self.encode_method(key, &nack)?;
            }
            Settle::Reject { requeue } => {
                let reject = basic::Reject::default().delivery_tag(delivery_tag).requeue(requeue);
                self.encode_method(key, &reject)?;
            }
        }
        Ok(())
    }

    /// Gives a delivery back to its queue. Where the channel is closed, the broker does so by
    /// itself.
    pub(in crate::engine) fn requeue(&mut self, channel: ChannelKey, delivery_tag: u64, terms: Terms) {
        let mut tags = DeliveryTags::default();
        tags.insert(delivery_tag);
        self.give_back(channel, tags, terms);
    }

    /// Gives deliveries back to their queue that no code has seen: together as far as nothing of
    /// anybody else's is unsettled before them, and one by one behind that.
    pub(in crate::engine) fn give_back(&mut self, key: ChannelKey, mut tags: DeliveryTags, terms: Terms) {
        let Some(back) = self.way_back(terms) else { return };
        let Some(channel) = self.channels.open(key) else { return };
        // The application may have settled some by a multiple settlement of a later one.
        tags.retain(&channel.unsettled.tags);
        if let Some(last) = tags.last_before_others(&channel.unsettled.tags) {
            let multiple = tags.iter().next() != Some(last);
            tags.remove_up_to(last);
            self.give_back_at(key, last, back(multiple));
        }
        // Each by itself: a multiple nack would take the first of somebody else's with it, and
        // there is no nack of a range. That is 21 bytes for each message that counted at least four
        // times as much against `read_limit`, so that what all consumers of a connection leave
        // takes about a fourth of that limit. A message that arrives after the end of its consumer
        // counts against none: of those, `MOST_UNSEEN` words of tags go back at a time, which take
        // less than twice the default `write_limit`. Where more than twice `write_limit` waits,
        // reading pauses.
        for tag in tags.iter() {
            self.give_back_at(key, tag, back(false));
        }
    }

    fn give_back_at(&mut self, key: ChannelKey, tag: u64, settle: Settle) {
        let settled = self.settle_unasked(key, tag, settle);
        debug_assert!(settled.is_ok() || self.check_channel(key).is_err(), "it is unsettled, and fits a frame");
    }

    /// How deliveries go back: by a nack; of a stream, where nothing goes back, by an ack, which
    /// frees the credit.
    ///
    /// RabbitMQ 3 closes the connection at a nack of a stream's. Where it is not certain that the
    /// queue is one, nothing is sent there: an ack could lose a message of another queue. The
    /// broker has it back when the channel closes.
    fn way_back(&self, terms: Terms) -> Option<fn(bool) -> Settle> {
        match terms {
            Terms { no_ack: true, .. } => None,
            Terms { stream: Stream::Yes, .. } => Some(|multiple| Settle::Ack { multiple }),
            Terms { stream: Stream::Maybe, .. } if !takes_nacks_of_streams(&self.negotiated) => None,
            _ => Some(|multiple| Settle::Nack { multiple, requeue: true }),
        }
    }

    /// A message over the limit is rejected without requeue, since it would only come again; one of
    /// a stream, which cannot be rejected, is acknowledged.
    pub(in crate::engine) fn discard(&mut self, key: ChannelKey, delivery_tag: u64, terms: Terms) {
        if terms.no_ack {
            return;
        }
        let is_stream = match terms.stream {
            Stream::No => false,
            Stream::Yes => true,
            Stream::Maybe => !takes_nacks_of_streams(&self.negotiated),
        };
        let settle = if is_stream { Settle::Ack { multiple: false } } else { Settle::Reject { requeue: false } };
        let settled = self.settle_unasked(key, delivery_tag, settle);
        debug_assert!(settled.is_ok() || self.check_channel(key).is_err(), "it has just arrived");
    }
}

/// RabbitMQ from 4.0 on takes a nack of a stream's delivery for an ack.
fn takes_nacks_of_streams(negotiated: &Negotiated) -> bool {
    let property = |name: &str| negotiated.server_properties.get(name).and_then(|value| value.as_str());
    let major = property("version").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    property("product") == Some("RabbitMQ") && major.is_some_and(|major| major >= 4)
}
