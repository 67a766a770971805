//! Settling deliveries: acknowledging, rejecting, returning them to their queue; and the set of
//! unsettled ones.

use super::consumers::{Stream, Terms};
use super::tags::DeliveryTags;
use crate::engine::{ChannelKey, Engine, Failure, Negotiated};
use crate::protocol::{Method, basic};

/// How a delivery is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// It was handled (`basic.ack`).
    Ack {
        /// Whether every unsettled delivery up to the tag is settled in the same way.
        multiple: bool,
    },
    /// It was not handled (`basic.nack`, an extension of RabbitMQ).
    Nack {
        /// Whether every unsettled delivery up to the tag is settled in the same way.
        multiple: bool,
        /// Whether it returns to the queue. Otherwise it is dropped, or sent to the dead-letter
        /// exchange if the queue has one.
        requeue: bool,
    },
    /// It was not handled (`basic.reject`, the method of AMQP 0-9-1, for one delivery).
    Reject {
        /// Whether it returns to the queue, as in [`Settle::Nack`].
        requeue: bool,
    },
}

impl Settle {
    const fn is_multiple(self) -> bool {
        matches!(self, Self::Ack { multiple: true } | Self::Nack { multiple: true, .. })
    }
}

/// The deliveries of a channel that are not settled.
#[derive(Debug, Default)]
pub(in crate::engine) struct Unsettled {
    tags: DeliveryTags,
    /// The deliveries that were settled in the current transaction, which a rollback makes
    /// unsettled again; `None` if the channel has no transactions.
    in_transaction: Option<DeliveryTags>,
}

impl Unsettled {
    /// Adds a delivery that has to be settled.
    #[inline]
    pub(in crate::engine) fn insert(&mut self, tag: u64) {
        self.tags.insert(tag);
    }

    /// Settles a delivery. Returns `true` if it was unsettled.
    #[inline]
    fn settle(&mut self, tag: u64, multiple: bool) -> bool {
        if !multiple && self.in_transaction.is_none() {
            return self.tags.remove(tag);
        }
        // Tag 0 stands for all deliveries (AMQP 0-9-1 §1.8.3.13). The broker accepts it even if
        // there are none.
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

    /// Records a request of the application that changes what is settled.
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

    /// Empties the set, because the broker has forgotten the channel. Returns whether the channel
    /// has transactions.
    pub(in crate::engine) fn restart(&mut self) -> bool {
        self.tags = DeliveryTags::default();
        self.in_transaction = self.in_transaction.take().map(|_| DeliveryTags::default());
        self.in_transaction.is_some()
    }

    /// Whether the channel has transactions.
    pub(in crate::engine) fn transacts(&self) -> bool {
        self.in_transaction.is_some()
    }

    /// Empties the set: the broker has requeued everything that was delivered so far, and delivers
    /// it again.
    pub(in crate::engine) fn handle_recovered(&mut self) {
        self.tags = DeliveryTags::default();
    }
}

impl Engine {
    /// Settles a delivery, or every unsettled delivery up to one.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel of the delivery is closed; if the delivery is settled
    /// already, by a multiple settlement of a later one or because the broker took it back
    /// (`basic.recover`); or if more bytes than `write_limit` wait for the socket (see
    /// [`Engine::wait_for_room`]). In each case nothing is sent.
    #[inline]
    pub fn settle(&mut self, key: ChannelKey, delivery_tag: u64, settle: Settle) -> Result<(), Failure> {
        self.check_room()?;
        self.settle_unlimited(key, delivery_tag, settle)
    }

    /// The same for a delivery that arrived in this generation of its channel.
    ///
    /// # Errors
    ///
    /// Returns [`Failure::StaleDelivery`] if the channel was lost and recovered since: its delivery
    /// tags begin again, so this one may be that of another message. Otherwise returns the errors
    /// of [`Engine::settle`].
    #[inline]
    pub fn settle_delivery(
        &mut self,
        key: ChannelKey,
        generation: u32,
        delivery_tag: u64,
        settle: Settle,
    ) -> Result<(), Failure> {
        if self.survival.is_some() && self.is_stale(key, generation) {
            return Err(Failure::StaleDelivery { delivery_tag });
        }
        self.settle(key, delivery_tag, settle)
    }

    /// Returns `true` if a delivery that arrived in this generation of its channel can no longer be
    /// settled, because the channel was lost since.
    pub fn is_stale_delivery(&self, key: ChannelKey, generation: u32) -> bool {
        self.survival.is_some() && self.is_stale(key, generation)
    }

    /// The same without the limit, for settlements that the application did not request and cannot
    /// repeat.
    #[inline]
    fn settle_unlimited(&mut self, key: ChannelKey, delivery_tag: u64, settle: Settle) -> Result<(), Failure> {
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

    /// Returns a delivery to its queue. If the channel is closed, the broker does so by itself.
    pub(in crate::engine) fn requeue(&mut self, channel: ChannelKey, delivery_tag: u64, terms: Terms) {
        let mut tags = DeliveryTags::default();
        tags.insert(delivery_tag);
        self.give_back(channel, tags, terms);
    }

    /// Returns deliveries to their queue that the application has not seen. Those before the first
    /// unsettled delivery of any other consumer are returned together, by one multiple settlement;
    /// the others are returned one by one.
    pub(in crate::engine) fn give_back(&mut self, key: ChannelKey, mut tags: DeliveryTags, terms: Terms) {
        let Some(back) = self.return_method(terms) else { return };
        let Some(channel) = self.channels.open(key) else { return };
        // The application may have settled some by a multiple settlement of a later delivery.
        tags.retain(&channel.unsettled.tags);
        if let Some(last) = tags.last_before_others(&channel.unsettled.tags) {
            let multiple = tags.iter().next() != Some(last);
            tags.remove_up_to(last);
            self.give_back_at(key, last, back(multiple));
        }
        // Each is returned by itself: a multiple nack would include deliveries of other consumers,
        // and there is no nack of a range. That is 21 bytes for each message that counted at least
        // four times as much against `read_limit`, so all returns of a connection's consumers take
        // at most about a fourth of that limit. A message that arrives after the end of its
        // consumer counts against no limit: of those, `MOST_UNSEEN` words of tags are returned at a
        // time, which take less than twice the default `write_limit`. If more than twice
        // `write_limit` waits, reading pauses.
        for tag in tags.iter() {
            self.give_back_at(key, tag, back(false));
        }
    }

    fn give_back_at(&mut self, key: ChannelKey, tag: u64, settle: Settle) {
        let settled = self.settle_unlimited(key, tag, settle);
        debug_assert!(settled.is_ok() || self.check_channel(key).is_err(), "it is unsettled, and fits a frame");
    }

    /// How unseen deliveries are returned: by a nack with requeue. A delivery of a stream is
    /// acknowledged instead, which frees its credit: a stream keeps its messages. Returns `None` if
    /// nothing is sent.
    ///
    /// RabbitMQ 3 closes the connection for a nack of a stream's delivery. If it is not certain
    /// that the queue is a stream, nothing is sent to such a broker: an ack could lose a message of
    /// another kind of queue. The broker requeues the delivery when the channel closes.
    fn return_method(&self, terms: Terms) -> Option<fn(bool) -> Settle> {
        match terms {
            Terms { no_ack: true, .. } => None,
            Terms { stream: Stream::Yes, .. } => Some(|multiple| Settle::Ack { multiple }),
            Terms { stream: Stream::Maybe, .. } if !takes_nacks_of_streams(&self.negotiated) => None,
            _ => Some(|multiple| Settle::Nack { multiple, requeue: true }),
        }
    }

    /// Rejects a message that is larger than its limit. It is not requeued, because it would only
    /// arrive again. A message of a stream cannot be rejected, and is acknowledged.
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
        let settled = self.settle_unlimited(key, delivery_tag, settle);
        debug_assert!(settled.is_ok() || self.check_channel(key).is_err(), "it has just arrived");
    }
}

/// Whether the broker accepts a nack of a stream's delivery. RabbitMQ from 4.0 on handles it as an
/// ack.
fn takes_nacks_of_streams(negotiated: &Negotiated) -> bool {
    let property = |name: &str| negotiated.server_properties.get(name).and_then(|value| value.as_str());
    let major = property("version").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    property("product") == Some("RabbitMQ") && major.is_some_and(|major| major >= 4)
}
