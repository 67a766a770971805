//! What is reported of the topology: which requests of the application changed it.

use crate::engine::changes::Change;
use crate::engine::channel::Effect;
use crate::engine::{ChannelKey, ConsumerKey, Engine};
use crate::protocol::Method;

impl Engine {
    /// Takes the oldest change of the topology.
    pub(crate) fn poll_change(&mut self) -> Option<Change> {
        self.survival.as_mut()?.changes.pop_front()
    }

    /// The effect of a request that changes the topology, if that is recorded. What a request with
    /// `recorded` unset makes is not, but a queue that it declares is the one that an empty name
    /// means.
    pub(in crate::engine) fn topology_effect(&self, request: &Method, recorded: bool) -> Effect {
        if !self.records() {
            return Effect::None;
        }
        match request {
            Method::QueueDeclare(_) if !recorded => return Effect::NameQueue,
            Method::ExchangeDeclare(_) | Method::QueueBind(_) | Method::ExchangeBind(_) if !recorded => {
                return Effect::None;
            }
            _ => {}
        }
        change_of(request).map_or(Effect::None, |change| Effect::Record(Box::new(change)))
    }

    /// Records a change that a reply confirms.
    pub(in crate::engine) fn record_reply(&mut self, key: ChannelKey, mut change: Change, reply: &Method) {
        if let (Change::QueueDeclared { name, .. }, Method::QueueDeclareOk(ok)) = (&mut change, reply) {
            name.clone_from(&ok.queue);
        }
        self.record(key, change);
    }

    /// Remembers the queue that an empty name means on a channel from now on.
    pub(in crate::engine) fn remember_queue(&mut self, key: ChannelKey, reply: &Method) {
        if let (Some(channel), Method::QueueDeclareOk(ok)) = (self.channels.get_mut(key), reply) {
            channel.queue.clone_from(&ok.queue);
        }
    }

    /// Records the change of a request that was sent and is not answered.
    pub(in crate::engine) fn record_sent(&mut self, key: ChannelKey, request: &Method) {
        if !self.records() {
            return;
        }
        if let Some(change) = change_of(request) {
            self.record(key, change);
        }
    }

    /// Records a request to remove something, of which it is unknown whether it was carried out:
    /// what is to be gone does not come back.
    pub(in crate::engine) fn record_unknown(&mut self, key: ChannelKey, change: Change) {
        let removes = matches!(
            change,
            Change::ExchangeDeleted(_) | Change::QueueDeleted(_) | Change::QueueUnbound(_) | Change::ExchangeUnbound(_)
        );
        if removes {
            self.record(key, change);
        }
    }

    /// Records a change, with the queue that an empty name means.
    fn record(&mut self, key: ChannelKey, mut change: Change) {
        let Some(channel) = self.channels.get_mut(key).filter(|channel| !channel.is_private) else { return };
        match &mut change {
            Change::QueueDeclared { name, .. } => channel.queue.clone_from(name),
            Change::QueueDeleted(name) if name.is_empty() => name.clone_from(&channel.queue),
            Change::QueueBound(bind) if bind.queue.is_empty() => {
                bind.queue.clone_from(&channel.queue);
                if bind.routing_key.is_empty() {
                    bind.routing_key.clone_from(&channel.queue);
                }
            }
            Change::QueueUnbound(unbind) if unbind.queue.is_empty() => {
                unbind.queue.clone_from(&channel.queue);
                if unbind.routing_key.is_empty() {
                    unbind.routing_key.clone_from(&channel.queue);
                }
            }
            _ => {}
        }
        self.push_change(change);
    }

    /// Records that a consumer runs.
    pub(in crate::engine) fn record_consumer(&mut self, key: ConsumerKey) {
        if !self.records() {
            return;
        }
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let (channel, tag) = (consumer.channel, consumer.tag.clone());
        let Some(restart) = &mut consumer.restart else { return };
        restart.request.consumer_tag = tag;
        if restart.request.queue.is_empty()
            && let Some(channel) = self.channels.get(channel)
        {
            restart.request.queue.clone_from(&channel.queue);
        }
        let (request, prefetch, recorded) = (Box::new(restart.request.clone()), restart.prefetch, restart.recorded);
        self.push_change(Change::ConsumerStarted { channel, consumer: key, request, prefetch, recorded });
    }

    pub(in crate::engine) fn push_change(&mut self, change: Change) {
        if let Some(survival) = self.survival.as_mut().filter(|survival| survival.terms.topology) {
            survival.changes.push_back(change);
        }
    }
}

/// What a request changes, if it is carried out. An empty name is resolved later.
fn change_of(request: &Method) -> Option<Change> {
    Some(match request {
        Method::ExchangeDeclare(declare) => Change::ExchangeDeclared(Box::new(declare.clone())),
        Method::ExchangeDelete(delete) => Change::ExchangeDeleted(delete.exchange.clone()),
        Method::QueueDeclare(declare) => {
            Change::QueueDeclared { request: Box::new(declare.clone()), name: declare.queue.clone() }
        }
        Method::QueueDelete(delete) => Change::QueueDeleted(delete.queue.clone()),
        Method::QueueBind(bind) => Change::QueueBound(Box::new(bind.clone())),
        Method::QueueUnbind(unbind) => Change::QueueUnbound(Box::new(unbind.clone())),
        Method::ExchangeBind(bind) => Change::ExchangeBound(Box::new(bind.clone())),
        Method::ExchangeUnbind(unbind) => Change::ExchangeUnbound(Box::new(unbind.clone())),
        _ => return None,
    })
}
