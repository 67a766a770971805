//! Requests that are made while the connection is down: they are kept in order, and are sent when
//! the gate opens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::config::WhileDown;
use crate::engine::channel::ChannelLife;
use crate::engine::slots::{LinkedSlab, Place};
use crate::engine::{ChannelKey, Closure, Comeback, Completion, Engine, Failure, GatePlace, WaiterId};
use crate::frame::Outbound;
use crate::protocol::{Method, MethodId, basic};

/// The parked requests.
#[derive(Debug, Default)]
pub(in crate::engine) struct Parking {
    requests: LinkedSlab<Parked>,
    by_waiter: BTreeMap<WaiterId, Place>,
    /// The encoded bytes of all of them.
    octets: u64,
}

#[derive(Debug)]
struct Parked {
    /// Its turn among the publishes that wait at the gate.
    turn: u64,
    until: Instant,
    waiter: Option<WaiterId>,
    octets: u64,
    request: Request,
}

/// What was requested. The flag of a call is whether what it makes comes back after a loss.
#[derive(Debug)]
pub(in crate::engine) enum Request {
    Open(ChannelKey),
    Call(ChannelKey, Box<Method>, &'static [MethodId], bool),
    Consume(ChannelKey, Box<basic::Consume>, Option<u16>, Comeback),
    Send(ChannelKey, Box<Method>, bool),
}

impl Parking {
    fn push(&mut self, parked: Parked) {
        self.octets += parked.octets;
        let waiter = parked.waiter;
        let place = self.requests.push_back(parked);
        self.by_waiter.extend(waiter.map(|waiter| (waiter, place)));
    }

    fn pop(&mut self) -> Option<Parked> {
        let parked = self.requests.pop_front()?;
        self.forgot(&parked);
        Some(parked)
    }

    fn remove(&mut self, waiter: WaiterId) -> Option<Parked> {
        let place = self.by_waiter.get(&waiter).copied()?;
        let parked = self.requests.remove(place)?;
        self.forgot(&parked);
        Some(parked)
    }

    fn forgot(&mut self, parked: &Parked) {
        self.octets = self.octets.saturating_sub(parked.octets);
        if let Some(waiter) = parked.waiter {
            self.by_waiter.remove(&waiter);
        }
    }

    /// The number of parked requests.
    pub(in crate::engine) fn len(&self) -> usize {
        self.requests.len()
    }
}

/// Parking.
impl Engine {
    /// Parks a request that failed with `failure`, if that is because the connection is down and
    /// requests wait. Otherwise returns the failure.
    pub(in crate::engine) fn park(
        &mut self,
        failure: Failure,
        waiter: Option<(WaiterId, Instant)>,
        request: Request,
    ) -> Result<(), Failure> {
        if !self.waits_for_recovery(&failure) {
            return Err(failure);
        }
        let octets = self.encoded_size(&request)?;
        let (limit, call_timeout) = (self.settings.write_limit as u64, self.settings.call_timeout);
        let Some(survival) = &mut self.survival else { return Err(failure) };
        if survival.parking.octets + octets > limit {
            return Err(Failure::WriteLimit { limit });
        }
        let patience = call_timeout.map_or(survival.terms.down_timeout, |limit| limit.min(survival.terms.down_timeout));
        // A request without a waiter goes with the one before it.
        let before = survival.parking.requests.back().map(|parked| parked.until);
        let until = waiter.map(|(_, now)| now + patience).or(before);
        let Some(until) = until else { return Err(failure) };
        let turn = self.gate.take_turn();
        survival.parking.push(Parked { turn, until, waiter: waiter.map(|(waiter, _)| waiter), octets, request });
        self.notify_supervisor();
        Ok(())
    }

    fn encoded_size(&self, request: &Request) -> Result<u64, Failure> {
        let mut out = Outbound::new();
        match request {
            Request::Open(_) => {}
            Request::Call(key, method, ..) | Request::Send(key, method, _) => {
                self.encoder.any_method(&mut out, key.number, method)?;
            }
            Request::Consume(key, consume, ..) => {
                self.encoder.any_method(&mut out, key.number, &Method::from((**consume).clone()))?;
            }
        }
        Ok(out.len() as u64)
    }

    /// Gives a publish that began to wait at the gate a time until which it waits, if the
    /// connection is down; or completes it, if publishes are buffered.
    pub fn limit_wait(&mut self, place: GatePlace, waiter: WaiterId, now: Instant) {
        if self.recovering().is_none() {
            return;
        }
        let Some(survival) = &mut self.survival else { return };
        if let WhileDown::Buffer(limit) = survival.terms.while_down
            && self.gate.store(place, limit as u64)
        {
            return self.complete(Some(waiter), Completion::Published);
        }
        survival.gate_waits.push_back((now + survival.terms.down_timeout, place));
        self.notify_supervisor();
    }

    /// Gives all publishes that wait at the gate a time until which they wait. To be called after a
    /// loss. Those that have waited since an earlier loss of this outage keep theirs: otherwise
    /// transports that come and go would make them wait without bound.
    pub fn limit_waits(&mut self, now: Instant) {
        let waits = self.gate.places();
        let Some(survival) = &mut self.survival else { return };
        let until = now + survival.terms.down_timeout;
        let limited: BTreeSet<GatePlace> = survival.gate_waits.iter().map(|(_, place)| *place).collect();
        let others = waits.into_iter().map(|(place, _)| place).filter(|place| !limited.contains(place));
        survival.gate_waits.extend(others.map(|place| (until, place)));
    }

    /// Returns when [`Engine::expire_waits`] is to be called next. Without a transport, that is up
    /// to the supervisor.
    pub fn next_expiry(&self) -> Option<Instant> {
        let survival = self.survival.as_ref()?;
        let parked = survival.parking.requests.front().map(|parked| parked.until);
        let gate = survival.gate_waits.front().map(|(until, _)| *until);
        parked.into_iter().chain(gate).min()
    }

    /// Fails what has waited for the recovery for too long.
    pub fn expire_waits(&mut self, now: Instant) {
        while let Some(survival) = &mut self.survival
            && survival.parking.requests.front().is_some_and(|parked| parked.until <= now)
        {
            let Some(parked) = survival.parking.pop() else { return };
            let cause = self.recovering().cloned();
            self.refuse_parked(&parked, &Failure::Recovering { cause });
        }
        while let Some(survival) = &mut self.survival
            && survival.gate_waits.front().is_some_and(|(until, _)| *until <= now)
        {
            let Some((_, place)) = survival.gate_waits.pop_front() else { return };
            let cause = self.recovering().cloned();
            self.fail_place(place, &Failure::Recovering { cause });
        }
    }

    /// Removes the parked request of a waiter that was dropped.
    pub(in crate::engine) fn leave_parking(&mut self, waiter: WaiterId) {
        let Some(survival) = &mut self.survival else { return };
        if survival.parking.len() == 0 {
            return;
        }
        if let Some(parked) = survival.parking.remove(waiter)
            && let Request::Open(key) = parked.request
        {
            self.channels.abandon(key);
        }
    }

    /// Fails all parked requests, at the end of the connection.
    pub(in crate::engine) fn fail_parked(&mut self, closure: &Arc<Closure>) {
        while let Some(parked) = self.survival.as_mut().and_then(|survival| survival.parking.pop()) {
            self.refuse_parked(&parked, &Failure::refused(closure));
        }
    }

    fn refuse_parked(&mut self, parked: &Parked, failure: &Failure) {
        if let Request::Open(key) = parked.request {
            self.channels.abandon(key);
        }
        self.complete(parked.waiter, Completion::Failed(failure.clone()));
    }

    /// Sends what was parked, and the publishes that wait at the gate, in the order in which they
    /// came. If the gate shuts, the publishes that remain wait, and calls pass them as always.
    pub(in crate::engine) fn release_parked(&mut self, now: Instant) {
        let waiting = self.survival.as_mut().map(|survival| std::mem::take(&mut survival.parking));
        let Some(mut waiting) = waiting else { return };
        while let Some(turn) = waiting.requests.front().map(|parked| parked.turn) {
            while self.gate.next_turn().is_some_and(|publish| publish < turn) && self.publish_next() {}
            let Some(parked) = waiting.pop() else { return };
            let waiter = parked.waiter;
            let sent = match (parked.request, waiter) {
                (Request::Open(key), Some(waiter)) => self.send_open(key, waiter, now),
                (Request::Call(key, method, replies, recorded), Some(waiter)) => {
                    self.make_call(key, &method, replies, recorded, (waiter, now))
                }
                (Request::Consume(key, consume, prefetch, comeback), Some(waiter)) => {
                    self.consume(key, *consume, prefetch, comeback, waiter, now)
                }
                (Request::Send(key, method, is_request), _) => self.send(key, &method, is_request),
                (_, None) => Ok(()),
            };
            if let Err(failure) = sent {
                self.complete(waiter, Completion::Failed(failure));
            }
        }
    }

    /// Sends the open of a channel that was requested while the connection was down.
    fn send_open(&mut self, key: ChannelKey, waiter: WaiterId, now: Instant) -> Result<(), Failure> {
        let limit = self.channel_limit();
        // It is gone only if the transport has no number for it.
        let Some(channel) = self.channels.get_mut(key) else { return Err(Failure::ChannelsExhausted { limit }) };
        channel.state = ChannelLife::Opening;
        self.encode_open(key, waiter, now)
    }
}
