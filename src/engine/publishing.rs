//! Publishing: the gate, the frames, the sequence number and the accounting, all in one step.

use super::channel::{Channel, ChannelLife};
use super::confirms::{Confirms, Decided, Mandatory, Verdict};
use super::returns::Returns;
use super::{ChannelKey, Completion, Engine, Event, Failure, Returned, Settled, Violation, WaiterId};
use crate::frame::Publish;
use crate::protocol::ContentProperties;
use crate::wire::Writer;

/// Whether a publish may go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Open,
    /// It has to wait: the water mark, the limit in flight, the broker's block, or somebody who came first.
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
        self.check_channel(key)?;
        let stopped = self.channels.get(key).is_some_and(|channel| channel.flow_stopped);
        let open = self.gate.is_open() && !self.gate.is_too_much(self.queued()) && !stopped;
        Ok(if open { Admission::Open } else { Admission::Closed })
    }

    /// Queues `waiter` at the gate. It hears [`Completion::Admitted`] when its turn has come.
    pub fn wait_for_admission(&mut self, key: ChannelKey, waiter: WaiterId) {
        self.gate.wait(waiter, key);
        self.admit();
    }

    /// A waiter gives up its place at the gate.
    pub fn leave_gate(&mut self, waiter: WaiterId) {
        self.gate.leave(waiter);
    }

    /// Somebody who was admitted publishes now, or never will.
    pub fn use_admission(&mut self) {
        self.gate.use_admission();
        self.admit();
    }

    /// Queues a message with all its frames. On a confirming channel, gives its sequence number, and `waiter` hears what
    /// the broker does with it.
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
        // What can fail comes before the frames: a message that is queued is counted.
        let mandatory = match publish.mandatory && self.is_confirming(key) {
            true => Some(Box::new(remember(publish)?)),
            false => None,
        };
        let position = self.encode(key, |encoder, out| encoder.publish(out, key.number, publish))?;
        self.gate.set_queued(self.queued());
        let Some(confirms) = self.channels.get_mut(key).and_then(|channel| channel.confirms.as_mut()) else {
            return Ok(None);
        };
        self.gate.depart();
        Ok(Some(confirms.push(waiter, position, mandatory)))
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
    pub fn stop_waiting_for_confirms(&mut self, key: ChannelKey, waiter: WaiterId) {
        if let Some(confirms) = self.channels.get_mut(key).and_then(|channel| channel.confirms.as_mut()) {
            confirms.unwatch(waiter);
        }
    }

    /// Whoever asked what went wrong is gone: the next one hears of it.
    pub(super) fn return_settled(&mut self, key: ChannelKey, settled: Settled) {
        if let Some(confirms) = self.channels.get_mut(key).and_then(|channel| channel.confirms.as_mut()) {
            confirms.return_failed(settled);
        }
    }

    /// The channel confirms from here on. The broker counts from the select, not from its answer, and so do we: a publish
    /// that another task makes in between is number 1 on both sides.
    pub(super) fn select_confirms(&mut self, key: ChannelKey) {
        if let Some(channel) = self.channels.get_mut(key) {
            channel.confirms.get_or_insert_with(Confirms::default);
        }
    }

    /// Lets in whoever may go.
    pub(super) fn admit(&mut self) {
        self.gate.set_queued(self.queued());
        let channels = &self.channels;
        let may_publish =
            |key| channels.get(key).is_some_and(|it: &Channel| it.state == ChannelLife::Open && !it.flow_stopped);
        while let Some((waiter, channel)) = self.gate.admit(may_publish) {
            self.events.push_back(Event::Completed(waiter, Completion::Admitted(channel)));
        }
    }

    /// Applies an ack or nack of the broker's.
    pub(super) fn handle_verdict(
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
    pub(super) fn handle_return(&mut self, key: ChannelKey, returned: Box<Returned>) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let left = match channel.confirms.as_mut() {
            Some(confirms) => confirms.take_returned(returned).err(),
            None => Some(returned),
        };
        if let Some(listener) = left.and_then(|returned| channel.returns.push(*returned)) {
            self.events.push_back(Event::Readable(listener));
        }
    }

    /// From now on, messages that come back and belong to no confirmed publish are kept for `listener`. The one that
    /// listened before hears that it does so no more.
    pub fn listen_for_returns(&mut self, key: ChannelKey, listener: WaiterId) {
        if let Some(channel) = self.channels.get_mut(key) {
            let displaced = channel.returns.listener.replace(listener);
            self.events.extend(displaced.map(Event::Readable));
        }
    }

    /// What came back on this channel, be it open or closed, is kept for `listener`, and not for a later one.
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
        if let Some(returned) = self.channels.returns_mut(key).and_then(|returns| returns.ready.pop_front()) {
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
    Ok(Mandatory {
        exchange: publish.exchange.to_vec(),
        routing_key: publish.routing_key.to_vec(),
        properties,
        body: publish.body.clone().into_shared(),
        returned: None,
    })
}
