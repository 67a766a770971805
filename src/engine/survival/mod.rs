//! Surviving the loss of a transport: what stays, what fails, and how it continues on the next one.
//!
//! ```text
//!          the transport is lost                 a new one            the gate opens
//!   Open ────────────────────────▶ Down ────────────────▶ Restoring ──────────────▶ Open
//!                                   ▲                         │
//!                                   └── lost again, or void ──┘
//! ```
//!
//! Each transport is a *generation*. [`Engine::suspend`] decides in one step the fate of everything
//! that was in flight. What is requested afterwards is parked ([`parked`]), and is sent in its
//! order when the gate opens. [`Engine::resume`] begins the next generation. The supervisor of the
//! driver restores what the broker lost, by the requests in [`reopen`]. A channel can also be lost
//! on its own ([`alone`]), which begins a generation of that channel.

mod alone;
mod doubts;
mod parked;
mod recording;
mod reopen;
mod requests;
mod resending;
mod suspend;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{ChannelRecovery, Resend, WhileDown};
use crate::engine::changes::Change;
use crate::engine::connection::ConnectionLife;
use crate::engine::{ChannelKey, Closure, Engine, Event, Failure, GatePlace, WaiterId};

pub(in crate::engine) use parked::{Parking, Request};
pub use reopen::Stopped;
pub use suspend::Losses;

/// How a connection survives the loss of its transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survives {
    /// Whether consumers survive, and changes of the topology are reported.
    pub topology: bool,
    /// What happens to requests while the connection is down.
    pub while_down: WhileDown,
    /// How long they wait.
    pub down_timeout: Duration,
    /// Which channels survive a close by the broker.
    pub channels: ChannelRecovery,
    /// Which unconfirmed publishes are sent again.
    pub resend: Resend,
    /// How many bytes of unconfirmed publishes are kept for that.
    pub resend_limit: usize,
}

/// The state of an engine that survives the loss of its transport.
#[derive(Debug)]
pub(in crate::engine) struct Survival {
    terms: Survives,
    /// The standing waiter of the supervisor.
    supervisor: Option<WaiterId>,
    /// There may be something for it to do, and it has not looked since.
    is_due: bool,
    parking: Parking,
    /// The ends of waits at the gate while the connection is down, the earliest first. A place may
    /// have been given up since.
    gate_waits: VecDeque<(Instant, GatePlace)>,
    /// Publishes that are to wait at the gate again, until their loss is handled.
    resent: Vec<resending::Resent>,
    /// What the latest loss cost.
    losses: Losses,
    /// Changes of the topology that were not taken.
    changes: VecDeque<Change>,
    /// The number of consumers that were started, which gives each its place.
    started: u64,
}

impl Survival {
    pub(in crate::engine) fn new(terms: Survives) -> Self {
        Self {
            terms,
            supervisor: None,
            is_due: false,
            parking: Parking::default(),
            gate_waits: VecDeque::new(),
            resent: Vec::new(),
            losses: Losses::default(),
            changes: VecDeque::new(),
            started: 0,
        }
    }
}

impl Engine {
    /// Returns the number of losses so far, of transports and of channels alone.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Returns why the last transport was lost, while there is none that takes requests.
    pub fn recovering(&self) -> Option<&Arc<Closure>> {
        match &self.state {
            ConnectionLife::Down { cause, .. } | ConnectionLife::Restoring { cause } => Some(cause),
            _ => None,
        }
    }

    /// Returns `true` if it survives the loss of its transport.
    #[inline]
    pub fn survives_loss(&self) -> bool {
        self.survival.is_some()
    }

    /// Returns `true` if the transport was lost and no other has replaced it.
    pub fn is_down(&self) -> bool {
        matches!(self.state, ConnectionLife::Down { .. })
    }

    /// Returns the generation of a channel. A delivery of an earlier one cannot be settled.
    #[inline]
    pub fn channel_generation(&self, key: ChannelKey) -> u32 {
        self.channels.get(key).map_or(self.generation, |channel| channel.generation)
    }

    /// Registers the supervisor: a standing waiter that gets an [`Event::Readable`] whenever there
    /// may be something for it to do.
    pub fn supervise(&mut self, supervisor: WaiterId) {
        if let Some(survival) = &mut self.survival {
            survival.supervisor = Some(supervisor);
        }
    }

    /// Notifies the supervisor.
    pub(in crate::engine) fn notify_supervisor(&mut self) {
        let Some(survival) = &mut self.survival else { return };
        survival.is_due = true;
        self.events.extend(survival.supervisor.map(Event::Readable));
    }

    /// Returns `true` if the supervisor was notified since the last call. What it was busy with
    /// when it was notified makes no difference.
    pub fn take_notification(&mut self) -> bool {
        self.survival.as_mut().is_some_and(|survival| std::mem::take(&mut survival.is_due))
    }

    /// The terms on which it survives, if it does.
    pub(in crate::engine) fn survives(&self) -> Option<Survives> {
        self.survival.as_ref().map(|survival| survival.terms)
    }

    /// Whether changes of the topology are reported.
    pub(in crate::engine) fn records(&self) -> bool {
        self.survives().is_some_and(|terms| terms.topology)
    }

    /// The failure of a request that has to wait for the recovery, if the channel or connection is
    /// being recovered.
    pub(in crate::engine) fn recovering_failure(&self, key: Option<ChannelKey>) -> Option<Failure> {
        self.survival.as_ref()?;
        let cause = self.recovering().cloned();
        let suspended = match key {
            Some(key) => self.channels.get(key)?.state.is_suspended(),
            None => false,
        };
        (cause.is_some() || suspended).then_some(Failure::Recovering { cause })
    }

    /// Whether a request of this failure waits for the recovery.
    pub(in crate::engine) fn waits_for_recovery(&self, failure: &Failure) -> bool {
        let waits = self.survives().is_some_and(|terms| terms.while_down != WhileDown::Fail);
        waits && matches!(failure, Failure::Recovering { .. })
    }
}
