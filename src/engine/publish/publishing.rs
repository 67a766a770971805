//! Publishing: the gate, the frames, the sequence number and the counts, in one step.

use std::task::Poll;

use super::confirms::{Confirms, Decided, Mandatory, Verdict};
use super::gate::Waiting;
use super::keeping::Kept;
use super::returns::Returns;
use crate::engine::channel::Channel;
use crate::engine::{
    ChannelKey, Completion, Engine, Event, Failure, Fate, GatePlace, Returned, Settled, Violation, WaiterId,
};
use crate::frame::{Outbound, Publish};
use crate::protocol::ContentProperties;
use crate::wire::Writer;

/// Whether a publish may be queued now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may be queued.
    Open,
    /// It has to wait: for the water mark, the limit of unconfirmed publishes, the broker's block
    /// or stop, or an earlier publish.
    Closed,
}

impl Engine {
    /// Returns whether a publish on this channel may be queued now.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed.
    #[inline]
    pub fn admission(&self, key: ChannelKey) -> Result<Admission, Failure> {
        let channel = self.channels.open(key).filter(|_| self.state.is_open());
        let Some(channel) = channel else { return self.admission_while_down(key) };
        let open = self.gate.is_open() && !self.gate.is_too_much(self.queued()) && !channel.flow_stopped;
        Ok(if open { Admission::Open } else { Admission::Closed })
    }

    /// The same on a channel that takes no requests.
    #[cold]
    fn admission_while_down(&self, key: ChannelKey) -> Result<Admission, Failure> {
        if self.takes_requests_of_hook(key) {
            return Ok(Admission::Open);
        }
        let failure = self.channel_refusal(key);
        if self.waits_for_recovery(&failure) { Ok(Admission::Closed) } else { Err(failure) }
    }

    /// Why a publish is not let through now.
    pub fn pause(&self, key: ChannelKey) -> Failure {
        self.recovering_failure(Some(key)).unwrap_or(Failure::Backpressure)
    }

    /// Queues a message as [`Engine::publish`] does, if it may be queued now. Otherwise it has no
    /// effect.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases of [`Engine::publish`], or if the channel confirms its
    /// publishes and there is no `waiter` for the confirm.
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

    /// Adds a message to those that wait at the gate. When its turn comes it is queued, whether or
    /// not its future is polled, and `waiter` completes with [`Completion::Published`]. On a
    /// confirming channel, `confirm` completes with [`Completion::Confirmed`] when the broker has
    /// confirmed it. To give up the place, see [`Engine::forget`].
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed or the message cannot be encoded. It then does not
    /// wait.
    pub fn wait_to_publish(
        &mut self,
        key: ChannelKey,
        publish: &Publish<'_>,
        confirm: Option<WaiterId>,
        waiter: WaiterId,
    ) -> Result<GatePlace, Failure> {
        if let Err(failure) = self.check_channel(key)
            && !self.waits_for_recovery(&failure)
        {
            return Err(failure);
        }
        let mandatory = if publish.mandatory { Some(Box::new(remember(publish)?)) } else { None };
        let mut frames = Outbound::new();
        self.encoder.publish(&mut frames, key.number, publish)?;
        let stopped = self.channels.get(key).is_some_and(|channel| {
            let is_alone = self.recovering().is_none() && channel.state.is_suspended();
            channel.flow_stopped || is_alone
        });
        let first = Waiting { waiter: Some(waiter), confirm, mandatory, frames, is_stored: false, resent: None };
        let place = self.gate.wait(key, stopped, first);
        self.admit();
        Ok(place)
    }

    /// Removes a message from the gate, unless it was queued already. It is then not published.
    pub(in crate::engine) fn leave_gate(&mut self, place: GatePlace) {
        if let Some(waiting) = self.gate.leave(place) {
            self.discard_waiting(waiting);
        }
        self.admit();
    }

    /// Releases the memory of a message that was not published.
    pub(in crate::engine) fn discard_waiting(&mut self, waiting: Waiting) {
        self.discarded.bodies.extend(waiting.frames.into_bodies());
        self.discarded.bodies.extend(waiting.mandatory.map(|mandatory| mandatory.body));
    }

    /// Queues a message with all its frames. On a confirming channel, returns its sequence number,
    /// and `waiter` completes with [`Completion::Confirmed`] when the broker has confirmed it.
    ///
    /// It does not check the gate; the caller does, by [`Engine::admission`].
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed or the message cannot be encoded. Nothing is
    /// queued then.
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

    /// The same on a channel that is known to be open.
    #[inline]
    fn queue_publish(
        &mut self,
        key: ChannelKey,
        publish: &Publish<'_>,
        waiter: Option<WaiterId>,
    ) -> Result<Option<u64>, Failure> {
        // Everything that can fail comes before the frames are queued, because a queued message has
        // to be counted: the broker counts it too, and a confirm that is off by one confirms
        // another message. `encode` appends either all frames or none.
        let mandatory = match publish.mandatory && self.is_confirming(key) {
            true => Some(Box::new(remember(publish)?)),
            false => None,
        };
        let before = self.put_out();
        let position = self.encode(key, |encoder, out| encoder.publish(out, key.number, publish))?;
        let len = self.put_out().saturating_sub(before);
        self.count_published(key, position, len);
        let sequence = self.account(key, position, waiter, mandatory);
        if let Some(sequence) = sequence
            && self.keeping.takes(len)
        {
            self.keep(key, sequence, publish);
        }
        Ok(sequence)
    }

    /// Queues a message that waited at the gate, and counts it.
    fn publish_waiting(&mut self, key: ChannelKey, waiting: Waiting) {
        let len = waiting.len();
        let Waiting { waiter, confirm, mandatory, frames, resent, .. } = waiting;
        if resent.is_some() {
            self.keeping.release(len);
            self.confirms_mut(key).map(Confirms::expect_one_less);
        }
        // What is sent again was counted, so it is kept whatever the limit.
        let kept = (resent.is_some() || self.keeping.takes(len) && self.is_confirming(key))
            .then(|| Kept { frames: frames.clone(), earlier: resent.unwrap_or(Fate::NotSent) });
        let position = self.append(key, frames);
        self.count_published(key, position, len);
        let sequence = self.account(key, position, confirm, mandatory);
        if let (Some(sequence), Some(kept)) = (sequence, kept) {
            self.keep_frames(key, sequence, kept);
        }
        self.complete(waiter, Completion::Published);
    }

    /// The bytes that the driver has not taken, including those that wait for commits. They may not
    /// wait in `outbound` (see `encode`), so both are counted.
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
        // A message that waited at the gate may have kept its body for a channel that does not
        // confirm after all.
        let Some(confirms) = self.channels.get_mut(key).and_then(Channel::count_publish) else {
            if let Some(mandatory) = mandatory {
                self.discarded.bodies.push(mandatory.body);
            }
            return None;
        };
        self.gate.count_unconfirmed();
        Some(confirms.push(waiter, position, mandatory))
    }

    /// Returns `true` if the channel confirms its publishes: from the moment `confirm.select` is
    /// sent.
    pub fn is_confirming(&self, key: ChannelKey) -> bool {
        self.channels.get(key).is_some_and(|channel| channel.confirms.is_some())
    }

    /// Returns the counts of failed publishes if everything that was published on the channel so
    /// far is confirmed. Otherwise returns `None`, and `waiter` completes with
    /// [`Completion::Settled`] when it is.
    ///
    /// # Errors
    ///
    /// Returns an error if the channel is closed.
    pub fn wait_for_confirms(&mut self, key: ChannelKey, waiter: WaiterId) -> Result<Option<Settled>, Failure> {
        if let Err(failure) = self.check_channel(key)
            && !matches!(failure, Failure::Recovering { .. })
        {
            return Err(failure);
        }
        let confirms = self.channels.get_mut(key).and_then(|channel| channel.confirms.as_mut());
        Ok(confirms.map_or(Some(Settled::default()), |confirms| confirms.watch(waiter)))
    }

    /// Removes a waiter for all confirms.
    pub(in crate::engine) fn stop_waiting_for_confirms(&mut self, key: ChannelKey, waiter: WaiterId) {
        if let Some(confirms) = self.channels.get_mut(key).and_then(|channel| channel.confirms.as_mut()) {
            confirms.unwatch(waiter);
        }
    }

    /// Takes back the counts of failed publishes from a waiter that was dropped, for the next one.
    pub(in crate::engine) fn return_settled(&mut self, key: ChannelKey, settled: Settled) {
        if let Some(confirms) = self.channels.get_mut(key).and_then(|channel| channel.confirms.as_mut()) {
            confirms.return_failed(settled);
        }
    }

    /// Starts counting publishes. The broker counts from the select and not from its answer: a
    /// message that waited at the gate and is sent in between is number 1 on both sides.
    pub(in crate::engine) fn select_confirms(&mut self, key: ChannelKey) {
        if let Some(channel) = self.channels.get_mut(key) {
            channel.confirms.get_or_insert_with(Confirms::default);
        }
    }

    /// Queues what waits at the gate and may be queued now.
    #[inline]
    pub(in crate::engine) fn admit(&mut self) {
        self.gate.set_queued(self.queued());
        if self.gate.has_line() {
            self.publish_line();
        }
    }

    /// Queues what is sent again, as far as the gate is open. It goes before the calls that were
    /// made after it, which do not wait at the gate.
    pub(in crate::engine) fn admit_resent(&mut self) {
        self.gate.set_queued(self.queued());
        while let Some((key, waiting)) = self.gate.admit_resent() {
            self.publish_waiting(key, waiting);
        }
    }

    /// Queues publishes in turn, up to a number of bytes that keeps the driver's lock short. The
    /// rest is queued when these were written.
    fn publish_line(&mut self) {
        const AT_ONCE: usize = 64 * 1024;
        while self.outbound.len() < AT_ONCE && self.publish_next() {}
    }

    /// Queues the publish whose turn it is, if the gate lets it through.
    pub(in crate::engine) fn publish_next(&mut self) -> bool {
        let admitted = self.gate.admit();
        admitted.map(|(key, waiting)| self.publish_waiting(key, waiting)).is_some()
    }

    /// Applies an ack or nack of the broker.
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
        self.gate.count_confirmed(decided.count);
        self.keeping.release(decided.kept_octets);
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

    /// Assigns a returned message to its publish, or passes it to the listener for returns.
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

    /// Registers `listener` for returned messages that belong to no publish with a waiter for its
    /// confirm. They are kept for it from now on, and [`Event::Readable`] reports each. It replaces
    /// a previous listener, to which one more [`Event::Readable`] reports that.
    pub fn listen_for_returns(&mut self, key: ChannelKey, listener: WaiterId) {
        if let Some(channel) = self.channels.get_mut(key) {
            let displaced = channel.returns.listener.replace(listener);
            self.events.extend(displaced.map(Event::Readable));
        }
    }

    /// Removes `listener`, and drops the messages that were kept for it.
    pub fn stop_returns(&mut self, key: ChannelKey, listener: WaiterId) {
        if let Some(returns) = self.channels.returns_mut(key).filter(|returns| returns.listener == Some(listener)) {
            *returns = Returns::default();
        }
    }

    /// Takes the oldest returned message that is kept for `listener`. It is ready with `None` if a
    /// later listener has replaced it, or if the channel is closed and no message is left.
    pub fn take_returned(&mut self, key: ChannelKey, listener: WaiterId) -> Poll<Option<Returned>> {
        let Some(returns) = self.channels.returns_mut(key) else { return Poll::Ready(None) };
        // Asked first: what is kept belongs to the later one.
        if returns.listener != Some(listener) {
            return Poll::Ready(None);
        }
        match returns.pop() {
            Some(returned) => Poll::Ready(Some(returned)),
            // On a channel that is closing, messages may still be returned.
            None if self.channels.get(key).is_some() => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    /// Returns how many returned messages of this channel were dropped, because they were not taken
    /// in time or were larger than a limit.
    pub fn lost_returns(&mut self, key: ChannelKey) -> u64 {
        self.channels.returns_mut(key).map_or(0, |returns| returns.lost)
    }
}

/// What identifies a mandatory publish if the broker returns it.
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
