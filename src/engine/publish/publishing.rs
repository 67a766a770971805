//! Publishing: the gate, the frames, the sequence number and the accounting, all in one step.

use super::confirms::{Confirms, Decided, Mandatory, Verdict};
use super::gate::Waiting;
use super::returns::Returns;
use crate::engine::{
    ChannelKey, Completion, Engine, Event, Failure, GatePlace, Returned, Settled, Violation, WaiterId,
};
use crate::frame::{Outbound, Publish};
use crate::protocol::ContentProperties;
use crate::wire::Writer;

/// Whether a publish may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Open,
    /// It has to wait: the water mark, the limit in flight, the broker's block, or somebody who
    /// came first.
    Closed,
}

impl Engine {
    /// Whether a publish on this channel may go now.
    ///
    /// # Errors
    ///
    /// The channel is closed.
    #[inline]
    pub fn admission(&self, key: ChannelKey) -> Result<Admission, Failure> {
        let channel = self.channels.open(key).filter(|_| self.state.is_open());
        let Some(channel) = channel else { return Err(self.channel_refusal(key)) };
        let open = self.gate.is_open() && !self.gate.is_too_much(self.queued()) && !channel.flow_stopped;
        Ok(if open { Admission::Open } else { Admission::Closed })
    }

    /// Queues a message as [`Engine::publish`] does, if it may go now; else does nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Engine::publish`]; or the channel confirms its publishes, and nobody would hear
    /// what becomes of this one.
    #[inline]
    pub fn publish_if_open(
        &mut self,
        key: ChannelKey,
        publish: &Publish<'_>,
        waiter: Option<WaiterId>,
    ) -> Result<Admission, Failure> {
        let admission = self.admission(key)?;
        if waiter.is_none() && self.is_confirming(key) {
            return Err(Failure::Unconfirmed);
        }
        if admission == Admission::Open {
            self.queue_publish(key, publish, waiter)?;
        }
        Ok(admission)
    }

    /// Puts a message in line at the gate. It is queued when its turn comes, whether or not anybody
    /// looks; `waiter` hears [`Completion::Published`] then. On a confirming channel, `confirm`
    /// hears what the broker does with it.
    ///
    /// # Errors
    ///
    /// The channel is closed, or the message cannot be encoded; it does not wait.
    pub fn wait_to_publish(
        &mut self,
        key: ChannelKey,
        publish: &Publish<'_>,
        confirm: Option<WaiterId>,
        waiter: WaiterId,
    ) -> Result<GatePlace, Failure> {
        self.check_channel(key)?;
        let mandatory = if publish.mandatory { Some(Box::new(remember(publish)?)) } else { None };
        let mut frames = Outbound::new();
        self.encoder.publish(&mut frames, key.number, publish)?;
        let stopped = self.channels.get(key).is_some_and(|channel| channel.flow_stopped);
        let place = self.gate.wait(key, stopped, Waiting { waiter, confirm, mandatory, frames });
        self.admit();
        Ok(place)
    }

    /// A message gives up its place at the gate, unless its turn has come: it is not published.
    pub(in crate::engine) fn leave_gate(&mut self, place: GatePlace) {
        if let Some(waiting) = self.gate.leave(place) {
            self.discard_waiting(waiting);
        }
        self.admit();
    }

    /// Lets go of a message that was not published.
    pub(in crate::engine) fn discard_waiting(&mut self, waiting: Waiting) {
        self.discarded.bodies.extend(waiting.frames.into_bodies());
        self.discarded.bodies.extend(waiting.mandatory.map(|mandatory| mandatory.body));
    }

    /// Queues a message with all its frames. On a confirming channel, gives its sequence number,
    /// and `waiter` hears what the broker does with it.
    ///
    /// The gate is the caller's to ask: see [`Engine::admission`].
    ///
    /// # Errors
    ///
    /// The channel is closed, or the message cannot be encoded; nothing was queued.
    #[inline]
    pub fn publish(
        &mut self,
        key: ChannelKey,
        publish: &Publish<'_>,
        waiter: Option<WaiterId>,
    ) -> Result<Option<u64>, Failure> {
        self.check_channel(key)?;
        self.queue_publish(key, publish, waiter)
    }

    /// The same on a channel that is open.
    #[inline]
    fn queue_publish(
        &mut self,
        key: ChannelKey,
        publish: &Publish<'_>,
        waiter: Option<WaiterId>,
    ) -> Result<Option<u64>, Failure> {
        // What can fail comes before the frames: a message that is queued is counted.
        let mandatory = match publish.mandatory && self.is_confirming(key) {
            true => Some(Box::new(remember(publish)?)),
            false => None,
        };
        let before = self.put_out();
        let position = self.encode(key, |encoder, out| encoder.publish(out, key.number, publish))?;
        self.count_published(key, position, self.put_out().saturating_sub(before));
        Ok(self.account(key, position, waiter, mandatory))
    }

    /// Queues the frames of a message that waited at the gate, and counts it.
    fn publish_frames(
        &mut self,
        key: ChannelKey,
        frames: Outbound,
        waiter: Option<WaiterId>,
        mandatory: Option<Box<Mandatory>>,
    ) {
        let len = frames.len() as u64;
        let position = self.append(key, frames);
        self.count_published(key, position, len);
        self.account(key, position, waiter, mandatory);
    }

    /// Bytes that nobody took, those that wait for commits included.
    #[inline]
    fn put_out(&self) -> u64 {
        self.outbound.len() as u64 + self.holding.octets()
    }

    /// Counts a message whose frames are queued.
    #[inline]
    fn account(
        &mut self,
        key: ChannelKey,
        position: u64,
        waiter: Option<WaiterId>,
        mandatory: Option<Box<Mandatory>>,
    ) -> Option<u64> {
        self.gate.set_queued(self.queued());
        let Some(confirms) = self.channels.get_mut(key).and_then(|channel| channel.confirms.as_mut()) else {
            if let Some(mandatory) = mandatory {
                self.discarded.bodies.push(mandatory.body);
            }
            return None;
        };
        self.gate.depart();
        Some(confirms.push(waiter, position, mandatory))
    }

    /// The channel confirms its publishes.
    pub fn is_confirming(&self, key: ChannelKey) -> bool {
        self.channels.get(key).is_some_and(|channel| channel.confirms.is_some())
    }

    /// Tells when everything published on the channel so far is decided about: now, or to `waiter`.
    ///
    /// # Errors
    ///
    /// The channel is closed.
    pub fn wait_for_confirms(&mut self, key: ChannelKey, waiter: WaiterId) -> Result<Option<Settled>, Failure> {
        self.check_channel(key)?;
        let confirms = self.channels.get_mut(key).and_then(|channel| channel.confirms.as_mut());
        Ok(confirms.map_or(Some(Settled::default()), |confirms| confirms.watch(waiter)))
    }

    /// A waiter gives up waiting for confirms.
    pub(in crate::engine) fn stop_waiting_for_confirms(&mut self, key: ChannelKey, waiter: WaiterId) {
        if let Some(confirms) = self.channels.get_mut(key).and_then(|channel| channel.confirms.as_mut()) {
            confirms.unwatch(waiter);
        }
    }

    /// Whoever asked what went wrong is gone: the next one hears of it.
    pub(in crate::engine) fn return_settled(&mut self, key: ChannelKey, settled: Settled) {
        if let Some(confirms) = self.channels.get_mut(key).and_then(|channel| channel.confirms.as_mut()) {
            confirms.return_failed(settled);
        }
    }

    /// The channel confirms from here on. The broker counts from the select, not from its answer,
    /// and so do we: a message that waited at the gate and goes in between is number 1 on both
    /// sides.
    pub(in crate::engine) fn select_confirms(&mut self, key: ChannelKey) {
        if let Some(channel) = self.channels.get_mut(key) {
            channel.confirms.get_or_insert_with(Confirms::default);
        }
    }

    /// Queues what waits at the gate and may go.
    #[inline]
    pub(in crate::engine) fn admit(&mut self) {
        self.gate.set_queued(self.queued());
        if self.gate.has_line() {
            self.publish_waiting();
        }
    }

    /// Queues those whose turn it is, up to what is good for one hold of the lock; the rest goes
    /// when this was written.
    fn publish_waiting(&mut self) {
        const AT_ONCE: usize = 64 * 1024;
        while self.outbound.len() < AT_ONCE
            && let Some((key, Waiting { waiter, confirm, mandatory, frames })) = self.gate.admit()
        {
            self.publish_frames(key, frames, confirm, mandatory);
            self.events.push_back(Event::Completed(waiter, Completion::Published));
        }
    }

    /// Applies an ack or nack of the broker's.
    pub(in crate::engine) fn handle_verdict(
        &mut self,
        number: u16,
        tag: u64,
        multiple: bool,
        verdict: Verdict,
    ) -> Result<(), Violation> {
        let channel = self.channels.by_number(number).ok_or(Violation::ChannelNotOpen(number))?;
        let key = channel.key;
        let confirms = channel.confirms.as_mut().ok_or(Violation::UnknownPublish(verdict.method(), tag))?;
        let mut decided = Decided::default();
        let unknown = |tag| Violation::UnknownPublish(verdict.method(), tag);
        confirms.decide(tag, multiple, verdict, &mut decided).map_err(unknown)?;
        self.gate.arrive(decided.count);
        for (waiter, confirmation) in decided.confirmed {
            self.events.push_back(Event::Completed(waiter, Completion::Confirmed(confirmation)));
        }
        for (waiter, settled) in decided.watchers {
            self.events.push_back(Event::Completed(waiter, Completion::Settled(key, settled)));
        }
        self.discarded.bodies.extend(decided.released);
        self.admit();
        Ok(())
    }

    /// Ties a message that came back to its publish, or gives it to whoever listens for those.
    pub(in crate::engine) fn handle_return(&mut self, key: ChannelKey, returned: Box<Returned>) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let left = match channel.confirms.as_mut() {
            Some(confirms) => confirms.tie(returned),
            None => Some(returned),
        };
        if let Some(listener) = left.and_then(|returned| channel.returns.push(*returned)) {
            self.events.push_back(Event::Readable(listener));
        }
    }

    /// From now on, messages that come back and belong to no confirmed publish are kept for
    /// `listener`. The one that listened before hears that it does so no more.
    pub fn listen_for_returns(&mut self, key: ChannelKey, listener: WaiterId) {
        if let Some(channel) = self.channels.get_mut(key) {
            let displaced = channel.returns.listener.replace(listener);
            self.events.extend(displaced.map(Event::Readable));
        }
    }

    /// What came back on this channel, be it open or closed, is kept for `listener`, and not for a
    /// later one.
    pub fn is_listening_for_returns(&mut self, key: ChannelKey, listener: WaiterId) -> bool {
        self.channels.returns_mut(key).is_some_and(|returns| returns.listener == Some(listener))
    }

    /// `listener` listens no more: what was kept for it goes.
    pub fn stop_returns(&mut self, key: ChannelKey, listener: WaiterId) {
        if let Some(returns) = self.channels.returns_mut(key).filter(|returns| returns.listener == Some(listener)) {
            *returns = Returns::default();
        }
    }

    /// Takes the oldest message that came back.
    ///
    /// # Errors
    ///
    /// The channel is closed, and nothing is left.
    pub fn take_returned(&mut self, key: ChannelKey) -> Result<Option<Returned>, Failure> {
        if let Some(returned) = self.channels.returns_mut(key).and_then(Returns::pop) {
            return Ok(Some(returned));
        }
        // One that is closing may still bring some.
        if self.channels.get(key).is_some() { Ok(None) } else { self.check_channel(key).map(|()| None) }
    }

    /// Messages that came back on this channel and were dropped because nobody took them in time.
    pub fn lost_returns(&mut self, key: ChannelKey) -> u64 {
        self.channels.returns_mut(key).map_or(0, |returns| returns.lost)
    }
}

/// What a mandatory publish will be recognised by, should it come back.
fn remember(publish: &Publish<'_>) -> Result<Mandatory, Failure> {
    let mut properties = Vec::new();
    let mut writer = Writer::new(&mut properties);
    match publish.properties {
        Some(given) => given.encode(&mut writer).map_err(crate::frame::FrameEncodeError::from)?,
        None => writer.short(0),
    }
    let body = publish.body.clone().into_shared();
    Ok(Mandatory::new(publish.exchange, publish.routing_key, properties, body))
}
