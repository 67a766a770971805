//! The methods of the queue class.

use std::time::Instant;

use crate::broker::keys::{ChannelKey, QueueId};
use crate::broker::model::{Access, Destination, Queue, RESERVED_PREFIX, entity_name};
use crate::broker::state::{HostedQueue, State};
use crate::broker::words::Refusal;
use crate::protocol::{ReplyCode, queue};
use crate::wire::ShortString;

impl State {
    pub(super) fn queue_declare(
        &mut self,
        key: ChannelKey,
        declare: &queue::Declare,
        now: Instant,
    ) -> Result<(), Refusal> {
        let name = entity_name(&declare.queue);
        if let Some(found) = self.declare_reply_address(key, &name) {
            found?;
            return self.declared(key, declare, name, (0, 1));
        }
        if declare.passive {
            let id = self.reach_queue(key, &name)?;
            return self.declared_queue(key, declare, id, now);
        }
        let name = if name.is_empty() { ShortString::from(self.random.name("amq.gen-")) } else { check_name(name)? };
        self.allow_queue(key, Access::Configure, &name)?;
        let virtual_host = self.virtual_host_name(key);
        if let Some(id) = self.host(key)?.queue(&name) {
            if let Some(hosted) = self.queues.get(&id) {
                hosted.queue.check_access(key.connection)?;
                hosted.queue.check_equivalent(declare)?;
            }
            self.check_up(id)?;
            return self.declared_queue(key, declare, id, now);
        }
        let owner = declare.exclusive.then_some(key.connection);
        let queue = Queue::declare(declare, name.clone(), owner, &virtual_host, now)?;
        if let Some(exchange) = queue.dead_letter_exchange() {
            self.allow_queue(key, Access::Read, &name)?;
            self.allow_exchange(key, Access::Write, exchange)?;
        }
        let id = self.next_queue_id();
        self.host_mut(key)?.insert_queue(name, id);
        self.queues.insert(id, HostedQueue { queue, virtual_host, down: false });
        self.declared_queue(key, declare, id, now)
    }

    fn declared_queue(
        &mut self,
        key: ChannelKey,
        declare: &queue::Declare,
        id: QueueId,
        now: Instant,
    ) -> Result<(), Refusal> {
        let Some(hosted) = self.queues.get_mut(&id) else { return Err(Refusal::internal()) };
        hosted.queue.touch(now);
        let counts = (hosted.queue.ready_count(), hosted.queue.consumer_count());
        let name = hosted.queue.name().clone();
        self.mark(id);
        self.declared(key, declare, name, counts)
    }

    fn declared(
        &mut self,
        key: ChannelKey,
        declare: &queue::Declare,
        name: ShortString,
        (messages, consumers): (usize, usize),
    ) -> Result<(), Refusal> {
        if let Some(channel) = self.channel_mut(key) {
            channel.last_queue = Some(name.clone());
        }
        let ok =
            queue::DeclareOk::default().queue(name).message_count(count(messages)).consumer_count(count(consumers));
        self.reply(key, declare.no_wait, &ok);
        Ok(())
    }

    pub(super) fn queue_bind(&mut self, key: ChannelKey, bind: queue::Bind) -> Result<(), Refusal> {
        let (name, routing_key) = self.bound_names(key, &bind.queue, bind.routing_key)?;
        let exchange = entity_name(&bind.exchange);
        self.allow_queue_binding(key, &name, &exchange)?;
        let destination = Destination::Queue(name.clone());
        self.host(key)?.check_bind(&exchange, &destination, &bind.arguments)?;
        self.find_queue(key, &name)?;
        self.host_mut(key)?.bind(&exchange, &destination, &routing_key, &bind.arguments)?;
        self.reply(key, bind.no_wait, &queue::BindOk::default());
        Ok(())
    }

    pub(super) fn queue_unbind(&mut self, key: ChannelKey, unbind: queue::Unbind) -> Result<(), Refusal> {
        let (name, routing_key) = self.bound_names(key, &unbind.queue, unbind.routing_key)?;
        let exchange = entity_name(&unbind.exchange);
        self.allow_queue_binding(key, &name, &exchange)?;
        let destination = Destination::Queue(name.clone());
        if self.host(key)?.is_bound(&exchange, &destination, &routing_key, &unbind.arguments) {
            self.find_queue(key, &name)?;
        }
        self.host_mut(key)?.unbind(&exchange, &destination, &routing_key, &unbind.arguments)?;
        self.send(key, &queue::UnbindOk::default());
        Ok(())
    }

    /// The names in a binding. If both are empty, they stand for the queue that was declared last,
    /// as queue and as routing key.
    fn bound_names(
        &self,
        key: ChannelKey,
        queue: &ShortString,
        routing_key: ShortString,
    ) -> Result<(ShortString, ShortString), Refusal> {
        let name = self.meant_queue(key, &entity_name(queue))?;
        let routing_key = if queue.is_empty() && routing_key.is_empty() { name.clone() } else { routing_key };
        Ok((name, routing_key))
    }

    /// Checks write permission for the queue and read permission for the exchange. The default
    /// exchange is refused by a later check.
    fn allow_queue_binding(&self, key: ChannelKey, queue: &ShortString, exchange: &ShortString) -> Result<(), Refusal> {
        self.allow_queue(key, Access::Write, queue)?;
        if exchange.is_empty() { Ok(()) } else { self.allow_exchange(key, Access::Read, exchange) }
    }

    pub(super) fn queue_purge(&mut self, key: ChannelKey, purge: &queue::Purge) -> Result<(), Refusal> {
        let name = self.meant_queue(key, &purge.queue)?;
        self.allow_queue(key, Access::Read, &name)?;
        let id = self.reach_queue(key, &name)?;
        let purged = self.queues.get_mut(&id).map_or(0, |hosted| hosted.queue.purge());
        self.mark(id);
        self.reply(key, purge.no_wait, &queue::PurgeOk::default().message_count(count(purged)));
        Ok(())
    }

    pub(super) fn queue_delete(
        &mut self,
        key: ChannelKey,
        delete: &queue::Delete,
        now: Instant,
    ) -> Result<(), Refusal> {
        let name = self.meant_queue(key, &entity_name(&delete.queue))?;
        self.allow_queue(key, Access::Configure, &name)?;
        let Some(id) = self.host(key)?.queue(&name) else {
            self.reply(key, delete.no_wait, &queue::DeleteOk::default());
            return Ok(());
        };
        let Some(hosted) = self.queues.get(&id) else { return Err(Refusal::internal()) };
        hosted.queue.check_access(key.connection)?;
        let host = &hosted.virtual_host;
        // What a queue contains that is down is not known.
        let messages = if hosted.down { 0 } else { hosted.queue.ready_count() };
        if delete.if_empty && messages > 0 {
            return Err(Refusal::precondition(format!("queue '{name}' in vhost '{host}' not empty")));
        }
        if delete.if_unused && hosted.queue.consumer_count() > 0 {
            return Err(Refusal::precondition(format!("queue '{name}' in vhost '{host}' in use")));
        }
        self.reply(key, delete.no_wait, &queue::DeleteOk::default().message_count(count(messages)));
        self.remove_queue(id, now);
        Ok(())
    }

    /// The name of the queue in a method. The empty name stands for the queue that was declared
    /// last on the channel.
    pub(super) fn meant_queue(&self, key: ChannelKey, name: &ShortString) -> Result<ShortString, Refusal> {
        if !name.is_empty() {
            return Ok(name.clone());
        }
        let last = self.channel(key).and_then(|channel| channel.last_queue.clone());
        last.ok_or_else(|| Refusal::channel(ReplyCode::NOT_FOUND, "no previously declared queue"))
    }

    /// Finds a queue that exists and is not exclusive to another connection.
    pub(super) fn find_queue(&self, key: ChannelKey, name: &ShortString) -> Result<QueueId, Refusal> {
        let id = self.host(key)?.queue(name);
        let id = id.ok_or_else(|| Refusal::no_such("queue", name, &self.virtual_host_name(key)))?;
        let Some(hosted) = self.queues.get(&id) else { return Err(Refusal::internal()) };
        hosted.queue.check_access(key.connection)?;
        Ok(id)
    }

    /// The same for a queue that is not down.
    pub(super) fn reach_queue(&self, key: ChannelKey, name: &ShortString) -> Result<QueueId, Refusal> {
        let id = self.find_queue(key, name)?;
        self.check_up(id)?;
        Ok(id)
    }
}

/// Refuses with 403 a name that only the broker may choose.
fn check_name(name: ShortString) -> Result<ShortString, Refusal> {
    if name.as_bytes().starts_with(RESERVED_PREFIX) {
        let text = format!("queue name '{name}' contains reserved prefix 'amq.*'");
        return Err(Refusal::channel(ReplyCode::ACCESS_REFUSED, text));
    }
    Ok(name)
}

/// A count as it is sent.
pub(in crate::broker) fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
