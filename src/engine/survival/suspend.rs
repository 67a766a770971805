//! The loss of a transport: one step, in which everything in flight is decided.

use std::sync::Arc;
use std::time::Instant;

use crate::config::WhileDown;
use crate::engine::channel::{Channel, ChannelLife, Effect, Ending};
use crate::engine::connection::ConnectionLife;
use crate::engine::consume::{Consumer, ConsumerLife};
use crate::engine::inbound::Assembly;
use crate::engine::{
    ChannelKey, ChannelNotice, Closure, Completion, ConnectionNotice, ConsumerEnd, ConsumerKey, Engine, Reason, Reply,
    Scope,
};
use crate::protocol::{Method, basic};

/// What the loss of a transport cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Bytes of publishes that were queued and not handed to the transport.
    pub unsent_octets: u64,
    /// Confirmed publishes of which it is unknown whether the broker has them.
    pub unknown: u64,
}

impl Engine {
    /// Whether the end of a transport for this cause suspends the connection. The supervisor then
    /// decides whether it is recovered.
    pub(in crate::engine) fn suspends(&self, cause: &Closure) -> bool {
        let takes_requests =
            matches!(self.state, ConnectionLife::Open | ConnectionLife::Restoring { .. } | ConnectionLife::Down { .. });
        let is_ours = matches!(cause.reason, Reason::Requested | Reason::DriverGone);
        self.survival.is_some() && takes_requests && !is_ours
    }

    /// Suspends the connection: every call and confirm in flight completes, channels and consumers
    /// stay. Queued bytes are written until `flush_until`.
    pub(in crate::engine) fn suspend(&mut self, cause: &Arc<Closure>, flush_until: Option<Instant>) {
        if let ConnectionLife::Down { flush_until: until, .. } = &mut self.state {
            *until = flush_until;
            return;
        }
        self.state = ConnectionLife::Down { cause: Arc::clone(cause), flush_until };
        self.generation = self.generation.wrapping_add(1);
        let losses = Losses { unsent_octets: self.passing.take_dropped(), unknown: 0 };
        if let Some(survival) = &mut self.survival {
            survival.losses = losses;
        }
        self.gate.shut();
        self.gate.set_blocked(None);
        self.holding.forget_close();
        self.blocked_until = None;
        self.partial = None;
        self.needed = 0;
        self.fail_secret_updates(cause);
        self.renewal = crate::engine::connection::Renewal::default();
        for key in self.channels.keys() {
            self.suspend_one(key, cause);
        }
        self.line_up_resent();
        if self.survives().is_some_and(|terms| terms.while_down == WhileDown::Fail) {
            self.refuse_waiting(None, Some(cause));
        }
        self.complete_waiters_for_room();
        self.notify_supervisor();
    }

    /// Suspends a channel. A channel that was being opened fails, and one that was being closed is
    /// closed: that is what the loss did.
    pub(in crate::engine) fn suspend_channel(&mut self, key: ChannelKey, cause: &Arc<Closure>) {
        self.suspend_one(key, cause);
        self.line_up_resent();
    }

    fn suspend_one(&mut self, key: ChannelKey, cause: &Arc<Closure>) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let is_private = channel.is_private;
        match channel.state {
            ChannelLife::Unsent => return,
            ChannelLife::Opening => return self.remove_channel(key, cause),
            _ if is_private => return self.remove_channel(key, cause),
            ChannelLife::Closing => {
                let requested = Closure { scope: cause.scope, ..Closure::silent(Reason::Requested) };
                return self.remove_channel(key, &Arc::new(requested));
            }
            ChannelLife::Open | ChannelLife::Suspended | ChannelLife::Reopening => {}
        }
        let was_open = channel.state == ChannelLife::Open;
        channel.state = ChannelLife::Suspended;
        channel.closed = None;
        self.gate.set_stopped(key, false);
        self.fail_in_flight(key, cause);
        self.suspend_consumers(key, cause);
        if was_open {
            self.tell_channel(key, &ChannelNotice::Lost);
        }
    }

    /// Completes the calls and confirms of a channel, and clears what belongs to its transport.
    fn fail_in_flight(&mut self, key: ChannelKey, cause: &Arc<Closure>) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let calls = std::mem::take(&mut channel.calls);
        let confirms = channel.confirms.as_mut().map(std::mem::take);
        let held = channel.forget_transport();
        self.drop_held(held);
        let calls = calls.into_sorted();
        self.reading.answered(calls.len());
        let mut blamed = cause.method;
        for call in calls {
            let is_blamed = blamed.take_if(|method| *method == call.request).is_some();
            // A cancel asks for what the loss has done. One that only answers the broker's ends
            // nothing: a broker cancels consumers before it closes their connection.
            if let Effect::Cancel { tag, ending } = &call.effect {
                let ok = Method::BasicCancelOk(basic::CancelOk::default().consumer_tag(tag.clone()));
                self.deadlines.end(call.deadline);
                self.complete(call.waiter, Completion::Reply(Box::new(Reply::plain(key, self.generation, ok))));
                let ended = self.consumer_of(key, tag).filter(|_| !matches!(ending, Ending::Departed));
                if let Some(consumer) = ended {
                    self.end_consumer(consumer, ConsumerEnd::Cancelled);
                }
                continue;
            }
            self.fail_call(&call, cause, is_blamed);
            if let Effect::Record(change) = call.effect {
                self.record_unknown(key, *change);
            }
        }
        if let Some(confirms) = confirms {
            self.leave_undecided(key, confirms, cause);
        }
    }

    /// Keeps the consumers that come back, and ends the others.
    fn suspend_consumers(&mut self, key: ChannelKey, cause: &Arc<Closure>) {
        let consumers: Vec<ConsumerKey> =
            self.channels.get(key).into_iter().flat_map(|channel| channel.consumers.values().copied()).collect();
        for consumer in consumers {
            let Some(kept) = self.consumers.get_mut(consumer) else { continue };
            if kept.is_abandoned() || kept.life == ConsumerLife::Cancelling {
                self.end_consumer(consumer, ConsumerEnd::Cancelled);
            } else if kept.comes_back() {
                kept.life = ConsumerLife::Running;
                kept.is_doubted = false;
                self.forget_ready(consumer);
            } else {
                if cause.scope == Scope::Connection && !kept.is_recorded() {
                    // The application did not end it, so its auto-delete queue stays recorded.
                    kept.restart = None;
                }
                self.end_consumer(consumer, ConsumerEnd::Closed(Arc::clone(cause)));
            }
        }
    }

    /// Drops what waits for a consumer and will be delivered again. Without acknowledgements
    /// nothing comes again, so it stays.
    fn forget_ready(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key).filter(|consumer| !consumer.terms.no_ack) else { return };
        let size = consumer.ready.uncount();
        let dropped = consumer.ready.take_all();
        self.discarded.deliveries.extend(dropped);
        self.uncount(size);
    }

    /// Closes the channels for which the next transport has no numbers, and the last one if none
    /// would be left to declare what the broker lost.
    pub(in crate::engine) fn close_surplus_channels(&mut self) {
        let (max, limit) = (self.channels.max(), self.channel_limit());
        let mut surplus = self.channels.beyond_max();
        let kept = self.channels.len().saturating_sub(surplus.len());
        let is_full = kept > usize::from(limit);
        if is_full {
            surplus
                .extend(self.channels.iter().filter(|channel| channel.key.number <= max).last().map(|last| last.key));
        }
        for key in surplus {
            let scope = Scope::Channel(key.number);
            self.remove_channel(key, &Arc::new(Closure { scope, ..Closure::silent(Reason::ChannelsExhausted(limit)) }));
        }
    }

    /// Tells the observers of the loss, and returns what it cost. To be called once for each
    /// outage, before the connection is recovered.
    pub fn tell_loss(&mut self) {
        let Some(cause) = self.recovering().cloned() else { return };
        let losses = self.survival.as_ref().map(|survival| survival.losses).unwrap_or_default();
        self.tell_connection(&ConnectionNotice::Lost { cause, losses });
    }

    /// Ends a connection that is down, for good.
    pub fn end_recovery(&mut self, closure: Arc<Closure>) {
        if self.is_down() {
            self.end_down(closure);
        }
    }

    /// Ends a connection that is down because its supervisor is gone.
    pub fn handle_supervisor_gone(&mut self) {
        self.end_recovery(Arc::new(Closure::silent(Reason::DriverGone)));
    }

    /// The same for whatever reason.
    pub(in crate::engine) fn end_down(&mut self, closure: Arc<Closure>) {
        let bodies = std::mem::take(&mut self.outbound).into_bodies();
        self.discarded.bodies.extend(bodies);
        self.written = self.taken;
        self.finish_for_good(closure);
        self.notify_supervisor();
    }
}

impl Channel {
    /// Clears what belongs to a transport, and returns the output that was held back.
    fn forget_transport(&mut self) -> crate::engine::outbound::Held {
        self.assembly = Assembly::Idle;
        self.scratch = Vec::new();
        self.departed = crate::engine::consume::Departed::default();
        self.recent = None;
        self.flow_stopped = false;
        self.close_end = 0;
        self.crossed = None;
        self.prefetch.forget_sent();
        let held = std::mem::take(&mut self.held);
        self.transaction.lose(self.unsettled.restart(), held.is_holding());
        held
    }
}

impl Consumer {
    /// Whether it is started again on the next transport.
    fn comes_back(&self) -> bool {
        self.is_recorded()
            && self.overflow.is_none()
            && matches!(self.life, ConsumerLife::Running | ConsumerLife::Starting)
    }
}
