//! Requests of a connection that survives: what they mean while it is down, and what of them is
//! remembered.

use std::borrow::Cow;
use std::time::Instant;

use super::Request;
use crate::engine::channel::{Channel, Effect, Expected, Transaction};
use crate::engine::consume::Restart;
use crate::engine::publish::Confirms;
use crate::engine::{ChannelKey, Completion, ConsumerEnd, Engine, Failure, Reply, WaiterId};
use crate::protocol::{Method, MethodId, Request as _, basic, tx};

impl Engine {
    /// A call on a channel that takes no requests. A cancel asks for what the loss has done; every
    /// other call waits, or fails with `failure`.
    #[cold]
    pub(in crate::engine) fn call_while_down(
        &mut self,
        key: ChannelKey,
        request: &Method,
        (replies, recorded): (&'static [MethodId], bool),
        (waiter, now): (WaiterId, Instant),
        failure: Failure,
    ) -> Result<(), Failure> {
        if !matches!(failure, Failure::Recovering { .. }) {
            return Err(failure);
        }
        if let Method::BasicCancel(cancel) = request
            && self.is_suspended(key)
        {
            if let Some(consumer) = self.consumer_of(key, &cancel.consumer_tag) {
                self.end_consumer(consumer, ConsumerEnd::Cancelled);
            }
            let ok = Method::BasicCancelOk(basic::CancelOk::default().consumer_tag(cancel.consumer_tag.clone()));
            let reply = Reply::plain(key, self.channel_generation(key), ok);
            self.complete(Some(waiter), Completion::Reply(Box::new(reply)));
            return Ok(());
        }
        self.park(failure, Some((waiter, now)), Request::Call(key, Box::new(request.clone()), replies, recorded))
    }

    /// A method that is not answered, on a channel that takes no requests. A settlement is for a
    /// delivery of a lost transport.
    #[cold]
    pub(in crate::engine) fn send_while_down(
        &mut self,
        key: ChannelKey,
        method: &Method,
        is_request: bool,
        failure: Failure,
    ) -> Result<(), Failure> {
        if !matches!(failure, Failure::Recovering { .. }) {
            return Err(failure);
        }
        match method {
            Method::BasicAck(basic::Ack { delivery_tag, .. })
            | Method::BasicNack(basic::Nack { delivery_tag, .. })
            | Method::BasicReject(basic::Reject { delivery_tag, .. }) => {
                Err(Failure::StaleDelivery { delivery_tag: *delivery_tag })
            }
            method => self.park(failure, None, Request::Send(key, Box::new(method.clone()), is_request)),
        }
    }

    /// Whether the broker does not know the channel, because its transport was lost.
    pub(in crate::engine) fn is_suspended(&self, key: ChannelKey) -> bool {
        let suspended = |channel: &Channel| channel.state == crate::engine::channel::ChannelLife::Suspended;
        self.survival.is_some() && self.channels.get(key).is_some_and(suspended)
    }

    /// Whether a delivery of this generation cannot be settled on the channel any more.
    pub(in crate::engine) fn is_stale(&self, key: ChannelKey, generation: u32) -> bool {
        self.channels.get(key).is_some_and(|channel| channel.generation != generation || channel.state.is_suspended())
    }

    /// Whether work of the channel's transaction was lost.
    pub(in crate::engine) fn is_transaction_lost(&self, key: ChannelKey) -> bool {
        self.channels.get(key).is_some_and(|channel| channel.transaction.is_lost)
    }

    /// Rolls back a transaction of which a part was lost, and fails its commit.
    pub(in crate::engine) fn roll_back_lost(&mut self, key: ChannelKey, waiter: WaiterId) -> Result<(), Failure> {
        let rollback = Method::from(tx::Rollback::default());
        let position = self.encode(key, |encoder, out| encoder.any_method(out, key.number, &rollback))?;
        if let Some(channel) = self.channels.get_mut(key) {
            channel.unsettled.handle_request(&rollback);
            channel.transaction = Transaction::default();
        }
        let expected = Expected::of(&rollback, tx::Rollback::REPLIES);
        self.push_call(key, expected, None, Effect::None, position, None);
        self.complete(Some(waiter), Completion::Failed(Failure::TransactionLost));
        Ok(())
    }

    /// The same request with the queue that an empty name means. The broker forgets it with the
    /// channel, so after a loss it is named.
    pub(in crate::engine) fn name_queue<'a>(&self, key: ChannelKey, request: &'a Method) -> Cow<'a, Method> {
        let same = Cow::Borrowed(request);
        if !self.records() {
            return same;
        }
        let Some(channel) = self.channels.get(key).filter(|channel| !channel.queue.is_empty()) else { return same };
        let mut named = request.clone();
        let empty = match &mut named {
            Method::QueueBind(bind) if bind.queue.is_empty() => {
                if bind.routing_key.is_empty() {
                    bind.routing_key = channel.queue.clone();
                }
                &mut bind.queue
            }
            Method::QueueUnbind(unbind) if unbind.queue.is_empty() => {
                if unbind.routing_key.is_empty() {
                    unbind.routing_key = channel.queue.clone();
                }
                &mut unbind.queue
            }
            Method::QueuePurge(purge) => &mut purge.queue,
            Method::QueueDelete(delete) => &mut delete.queue,
            Method::BasicConsume(consume) => &mut consume.queue,
            Method::BasicGet(get) => &mut get.queue,
            Method::QueueDeclare(declare) if declare.passive => &mut declare.queue,
            _ => return same,
        };
        if !empty.is_empty() {
            return same;
        }
        *empty = channel.queue.clone();
        Cow::Owned(named)
    }

    /// What starts a consumer again, if the topology is recorded. With `recorded` unset it is only
    /// known, and ends with a loss.
    pub(in crate::engine) fn restart_of(
        &self,
        key: ChannelKey,
        consume: &basic::Consume,
        recorded: bool,
    ) -> Option<Box<Restart>> {
        if !self.records() {
            return None;
        }
        let prefetch = self.channels.get(key).map_or(0, |channel| channel.prefetch.in_force());
        let order = self.survival.as_ref().map_or(0, |survival| survival.started);
        Some(Box::new(Restart { request: consume.clone(), prefetch, order, recorded, resumes: false }))
    }

    /// Notes the prefetch that is in force when a consumer starts, and its place among the others.
    pub(in crate::engine) fn note_prefetch(&mut self, key: ChannelKey, effect: &mut Effect) {
        let prefetch = self.channels.get(key).map_or(0, |channel| channel.prefetch.in_force());
        if let Effect::Consume(starting) = effect
            && let Some(restart) = &mut starting.restart
        {
            restart.prefetch = prefetch;
        }
    }

    /// Counts a consumer that is started.
    pub(in crate::engine) fn count_started(&mut self) {
        if let Some(survival) = &mut self.survival {
            survival.started += 1;
        }
    }
}

impl Channel {
    /// Counts a publish: the confirms that count it, or nothing if it begins or continues a
    /// transaction or is plain.
    #[inline]
    pub(in crate::engine) fn count_publish(&mut self) -> Option<&mut Confirms> {
        if self.confirms.is_none() {
            self.transaction.is_dirty = true;
        }
        self.confirms.as_mut()
    }
}

impl Transaction {
    /// Records a request of the application.
    pub(in crate::engine) fn handle_request(&mut self, request: &Method) {
        match request {
            Method::TxSelect(_) | Method::TxCommit(_) => self.is_dirty = false,
            Method::TxRollback(_) => *self = Self::default(),
            Method::BasicAck(_) | Method::BasicNack(_) | Method::BasicReject(_) => self.is_dirty = true,
            _ => {}
        }
    }
}
