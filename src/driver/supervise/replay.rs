//! Restoring on a new transport what the broker lost: first the topology, on a channel that no
//! handle has; then the channels; then the requests of the application are let through, and the
//! consumers start again.

use std::collections::BTreeMap;
use std::time::Instant;

use super::outage::Outage;
use super::waiting::Watch;
use crate::config::RecoverySettings;
use crate::driver::runtime::Runtime;
use crate::engine::{
    ChannelKey, ChannelState, Closure, Completion, ConnectionNotice, ConsumerKey, Entity, Failure, Scope, Stopped,
};
use crate::link::Wait;
use crate::protocol::{Method, MethodId, ReplyCode, Request, exchange, queue};
use crate::recovery::Recorded;
use crate::wire::ShortString;

/// The restoring on one transport.
pub(super) struct Replay<'a, R> {
    watch: &'a Watch<R>,
    terms: &'a RecoverySettings,
}

/// The transport is given up: something took too long, or cannot be understood.
struct Void;

/// The queue by which RabbitMQ answers requests directly.
const DIRECT_REPLY_TO: &str = "amq.rabbitmq.reply-to";

impl<'a, R: Runtime> Replay<'a, R> {
    pub(super) fn new(watch: &'a Watch<R>, terms: &'a RecoverySettings) -> Self {
        Self { watch, terms }
    }

    /// Restores, and maintains after that. It ends only if the transport is given up.
    pub(super) async fn run(&self, outage: &mut Outage) {
        if self.restore(outage).await.is_err() {
            let error = std::io::Error::new(std::io::ErrorKind::TimedOut, "what the broker lost was not restored");
            self.watch.shared().with(|state| state.engine.handle_transport_lost(Some(&error)));
        }
    }

    async fn restore(&self, outage: &mut Outage) -> Result<(), Void> {
        if outage.is_on() {
            let failed = self.declare().await?;
            self.reopen_channels().await?;
            self.start_consumers(&mut BTreeMap::new(), |stopped| stopped.queue == *DIRECT_REPLY_TO).await?;
            let shared = self.watch.shared();
            let (now, outage) = (shared.now(), outage.end(shared.now()));
            shared.with(|state| {
                state.engine.open_gate(now);
                let generation = state.engine.generation();
                state.engine.tell_connection(&ConnectionNotice::Recovered { generation, outage, failed });
            });
        }
        self.maintain().await
    }

    /// Declares the recorded topology. Returns what could not be declared.
    async fn declare(&self) -> Result<Vec<(Entity, Failure)>, Void> {
        let mut failed = Vec::new();
        let recorded = self.watch.shared().with(|state| state.topology.as_ref().map(|topology| topology.snapshot()));
        let Some(recorded) = recorded.filter(|recorded| !recorded.is_empty()) else { return Ok(failed) };
        let mut channel = self.open_private().await?;
        let mut renamed: BTreeMap<ShortString, ShortString> = BTreeMap::new();
        for entity in recorded.iter() {
            let Some((request, replies)) = declaration_of(entity, &renamed) else { continue };
            match self.call(channel, &request, replies).await {
                Ok(reply) => self.note_name(entity, &reply, &mut renamed),
                Err(Failure::Closed { closure, .. }) if matches!(closure.scope, Scope::Channel(_)) => {
                    self.release(channel);
                    let fate = crate::engine::Fate::Refused;
                    failed.push((entity.entity(), Failure::Closed { closure, fate }));
                    channel = self.open_private().await?;
                }
                Err(Failure::Encode(error)) => failed.push((entity.entity(), Failure::Encode(error))),
                Err(_) => return Err(Void),
            }
        }
        self.release(channel);
        Ok(failed)
    }

    /// Records the new name of a queue whose name the broker chose.
    fn note_name(&self, entity: &Recorded, reply: &Method, renamed: &mut BTreeMap<ShortString, ShortString>) {
        let (Entity::Queue(from), Method::QueueDeclareOk(ok)) = (entity.entity(), reply) else { return };
        if from == ok.queue {
            return;
        }
        let to = ok.queue.clone();
        renamed.insert(from.clone(), to.clone());
        self.watch.shared().with(|state| {
            if let Some(topology) = &mut state.topology {
                topology.rename_queue(&from, &to);
            }
            state.engine.rename_queue(&from, &to);
            state.engine.tell_connection(&ConnectionNotice::QueueRenamed { from, to });
        });
    }

    async fn open_private(&self) -> Result<ChannelKey, Void> {
        let wait =
            Wait::begin(self.watch.shared(), |state, id, now| state.engine.open_private_channel(id, now).map(drop));
        match self.watch.answered(wait).await {
            Ok(Completion::Opened(key)) => Ok(key),
            _ => Err(Void),
        }
    }

    async fn call(
        &self,
        channel: ChannelKey,
        request: &Method,
        replies: &'static [MethodId],
    ) -> Result<Method, Failure> {
        let wait = Wait::begin(self.watch.shared(), |state, id, now| {
            state.engine.call_private(channel, request, replies, id, now)
        });
        match self.watch.answered(wait).await? {
            Completion::Reply(reply) => Ok(reply.into_method()),
            _ => Err(Failure::Internal("a call was answered by something else")),
        }
    }

    fn release(&self, channel: ChannelKey) {
        self.watch.shared().with(|state| state.engine.release_channel(channel));
    }

    /// Opens the channels again that were lost. A channel that the broker refuses is closed.
    async fn reopen_channels(&self) -> Result<(), Void> {
        let suspended = self.watch.shared().with(|state| state.engine.suspended_channels());
        let waits: Vec<_> = suspended
            .into_iter()
            .map(|key| Wait::begin(self.watch.shared(), |state, id, now| state.engine.reopen_channel(key, id, now)))
            .collect();
        for wait in waits {
            self.check(self.watch.answered(wait).await.map(drop))?;
        }
        Ok(())
    }

    /// Tells a failure that concerns one channel from one that makes the transport useless.
    fn check(&self, answered: Result<(), Failure>) -> Result<(), Void> {
        match answered {
            Ok(()) | Err(Failure::NoSuchConsumer | Failure::ConsumerTagInUse(_) | Failure::Recovering { .. }) => Ok(()),
            Err(Failure::Closed { closure, .. }) if matches!(closure.scope, Scope::Channel(_)) => Ok(()),
            Err(Failure::Closed { closure, .. }) if closure.is_requested() => Ok(()),
            Err(_) => Err(Void),
        }
    }

    /// Starts consumers again that `wanted` selects, in the order in which they were started.
    /// Those that wait for a later attempt are in `later`.
    async fn start_consumers(
        &self,
        later: &mut BTreeMap<ConsumerKey, Later>,
        wanted: impl Fn(&Stopped) -> bool,
    ) -> Result<(), Void> {
        let shared = self.watch.shared();
        let now = shared.now();
        let stopped = shared.with(|state| state.engine.stopped_consumers());
        let due = stopped
            .into_iter()
            .filter(|(key, stopped)| wanted(stopped) && later.get(key).is_none_or(|later| later.at <= now));
        let waits: Vec<_> = due
            .map(|(key, stopped)| {
                let wait = Wait::begin(shared, |state, id, now| state.engine.restart_consumer(key, id, now));
                (key, stopped, wait)
            })
            .collect();
        for (key, stopped, wait) in waits {
            match self.watch.answered(wait).await {
                Ok(_) => {
                    if later.remove(&key).is_some_and(|later| later.told) {
                        let entity = Entity::Consumer { queue: stopped.queue, tag: stopped.tag };
                        shared.with(|state| state.engine.tell_connection(&ConnectionNotice::EntityRecovered(entity)));
                    }
                }
                Err(Failure::Closed { closure, fate: crate::engine::Fate::Refused }) => {
                    self.refused(key, stopped, &closure, later);
                }
                other => self.check(other.map(drop))?,
            }
        }
        Ok(())
    }

    /// Decides whether a consumer that the broker refused is tried again.
    fn refused(
        &self,
        key: ConsumerKey,
        stopped: Stopped,
        closure: &std::sync::Arc<Closure>,
        later: &mut BTreeMap<ConsumerKey, Later>,
    ) {
        let shared = self.watch.shared();
        let now = shared.now();
        let attempts = later.get(&key).map_or(0, |later| later.attempts);
        let entity = Entity::Consumer { queue: stopped.queue, tag: stopped.tag };
        let failure = Failure::Closed { closure: std::sync::Arc::clone(closure), fate: crate::engine::Fate::Refused };
        if !passes(closure, attempts) {
            later.remove(&key);
            shared.with(|state| {
                state.engine.end_stopped(key, std::sync::Arc::clone(closure));
                state.engine.tell_connection(&ConnectionNotice::EntityFailed(entity, failure));
            });
            return;
        }
        if attempts == 0 {
            shared.with(|state| state.engine.tell_connection(&ConnectionNotice::EntityFailed(entity, failure)));
        }
        let grown = self.terms.delay.saturating_mul(1 << attempts.min(16));
        let at = now + grown.min(self.terms.max_delay);
        later.insert(key, Later { at, attempts: attempts + 1, told: true });
    }

    /// Starts the consumers, and opens channels again that were lost alone, for as long as the
    /// transport lasts.
    async fn maintain(&self) -> Result<(), Void> {
        let mut later = BTreeMap::new();
        loop {
            self.reopen_channels().await?;
            self.start_consumers(&mut later, |_| true).await?;
            let shared = self.watch.shared();
            let (suspended, stopped) = shared.with(|state| {
                let suspended = !state.engine.suspended_channels().is_empty() && !state.engine.is_down();
                (suspended, state.engine.stopped_consumers())
            });
            let now = shared.now();
            let ready = stopped.iter().any(|(key, stopped)| {
                let due = later.get(key).is_none_or(|later| later.at <= now);
                let open = shared.with(|state| state.engine.channel_state(stopped.channel)) == ChannelState::Open;
                due && open
            });
            if suspended || ready {
                continue;
            }
            let next: Option<Instant> = later.values().map(|later| later.at).min();
            self.watch.until(next).await;
        }
    }
}

/// A consumer that is tried again later.
struct Later {
    at: Instant,
    attempts: u32,
    told: bool,
}

/// Whether a refusal of a consumer passes by itself. A lock that our own lost connection holds is
/// gone when the broker notices the loss.
fn passes(closure: &Closure, attempts: u32) -> bool {
    const LOCKED: u32 = 8;
    let text = &closure.reply_text;
    match closure.reply_code {
        Some(ReplyCode::NOT_FOUND) => !text.contains("no queue"),
        Some(ReplyCode::RESOURCE_LOCKED) => attempts < LOCKED,
        Some(ReplyCode::ACCESS_REFUSED) => text.contains("exclusive") && attempts < LOCKED,
        _ => false,
    }
}

/// The request that declares an entity, with the present names of queues.
fn declaration_of(
    entity: &Recorded,
    renamed: &BTreeMap<ShortString, ShortString>,
) -> Option<(Method, &'static [MethodId])> {
    let name = |queue: &ShortString| renamed.get(queue).unwrap_or(queue).clone();
    if let Some(declare) = entity.exchange() {
        return Some((Method::from(declare.clone().no_wait(false)), exchange::Declare::REPLIES));
    }
    if let Some(declare) = entity.queue() {
        return Some((Method::from(declare.clone().no_wait(false)), queue::Declare::REPLIES));
    }
    if let Some(bind) = entity.queue_binding() {
        let (queue, key) = (name(&bind.queue), name(&bind.routing_key));
        let bind = bind.clone().queue(queue).routing_key(key).no_wait(false);
        return Some((Method::from(bind), queue::Bind::REPLIES));
    }
    let bind = entity.exchange_binding()?;
    Some((Method::from(bind.clone().no_wait(false)), exchange::Bind::REPLIES))
}
