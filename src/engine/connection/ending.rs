//! How a connection ends, and what became of everything that was queued: decided once, in the step
//! after which no byte leaves.

use std::sync::Arc;
use std::time::Instant;

use super::closing::ConnectionLife;
use crate::engine::outbound::{DEFERRED, HELD};
use crate::engine::{Closure, Completion, Engine, Failure, Fate, Reason};
use crate::frame::Outbound;
use crate::protocol::{ProtocolMethod, ReplyCode, connection};
use crate::wire::ShortString;

impl Engine {
    /// The transport ended (`None`), or failed.
    pub fn handle_transport_lost(&mut self, error: Option<&std::io::Error>) {
        let reason = match error {
            None => Reason::EndOfStream,
            Some(error) => Reason::Io(error.kind(), error.to_string()),
        };
        self.lose(reason);
    }

    /// The last `count` bytes that were taken were never offered to the transport, and never will
    /// be. To be called before
    /// [`Engine::handle_transport_lost`]: whatever begins in them was not sent.
    pub fn handle_withheld(&mut self, count: u64) {
        if self.cut.is_none() {
            self.taken = self.taken.saturating_sub(count).max(self.written);
        }
    }

    /// The driver has to stop. Gives what is still to be written, with a close after it where none
    /// is on its way; all of it counts as handed to the transport. None where nothing has to be
    /// written, also of what was taken before.
    pub fn leave(&mut self) -> Option<Outbound> {
        if self.is_lost() || (self.is_finished() && self.queued() == 0) {
            self.handle_driver_gone();
            return None;
        }
        // A close that waits for a commit is not on its way.
        let was_held = self.holding.forget_close();
        if was_held || matches!(self.state, ConnectionLife::Open) {
            let close = connection::Close::default()
                .reply_code(ReplyCode::REPLY_SUCCESS)
                .reply_text(ShortString::from_static("the client's driver ended"));
            let queued = self.encoder.method(&mut self.outbound, 0, &close);
            debug_assert!(queued.is_ok(), "a short text always fits");
        }
        let outbound = std::mem::take(&mut self.outbound);
        self.taken += outbound.len() as u64;
        self.handle_driver_gone();
        Some(outbound)
    }

    /// Nobody drives the connection any more.
    pub fn handle_driver_gone(&mut self) {
        self.lose(Reason::DriverGone);
    }

    /// The connection ended, and nothing can be written any more.
    pub(super) fn lose(&mut self, reason: Reason) {
        self.drop_untaken();
        let blocked = self.gate.blocked().map(str::to_owned);
        let last = Arc::new(Closure { blocked, ..Closure::silent(reason) });
        let failed = match last.reason {
            Reason::CloseTimedOut => self.timed_out(<connection::Close as ProtocolMethod>::NAME),
            _ => Failure::Closed { closure: Arc::clone(&last), fate: Fate::Unknown },
        };
        self.finish(last, None, Some(failed));
        // What a driver took and did not write waits no more either.
        self.written = self.taken;
        self.gate.set_queued(0);
    }

    /// Drops what is queued and was not taken, which is whole frames, so that it never leaves.
    pub(super) fn drop_untaken(&mut self) {
        self.cut = Some(self.cut.unwrap_or(self.taken));
        self.passing.drop_untaken();
        let bodies = std::mem::take(&mut self.outbound).into_bodies();
        self.discarded.bodies.extend(bodies);
    }

    /// What became of bytes queued at `position`, at the end of the channel or connection that they
    /// were for.
    ///
    /// What a driver took may have left, or may still. What it did not take goes out too, also
    /// where the broker has closed the channel and where the client closes for a violation, unless
    /// it was dropped. What waits for a commit or for its consumer is dropped with its channel.
    pub(in crate::engine) fn fate_at(&self, position: u64) -> Fate {
        let is_held = matches!(position, HELD | DEFERRED);
        if is_held || self.cut.is_some_and(|cut| position >= cut) { Fate::NotSent } else { Fate::Unknown }
    }

    /// The connection ended; what is queued is to be written until `flush_until`. An earlier cause,
    /// such as a close of our own, stays the one that is reported; `failed` is why that close did
    /// not end well.
    pub(in crate::engine) fn finish(
        &mut self,
        last: Arc<Closure>,
        flush_until: Option<Instant>,
        failed: Option<Failure>,
    ) {
        let (closure, closers, failed, was_closed) = match std::mem::replace(&mut self.state, ConnectionLife::Open) {
            ConnectionLife::Open => (last, Vec::new(), failed, false),
            ConnectionLife::Closing { closure, closers, .. } => (closure, closers, failed, false),
            // How it ended is decided.
            ConnectionLife::Closed { closure, failed, .. } => (closure, Vec::new(), failed, true),
        };
        self.state = ConnectionLife::Closed { closure: Arc::clone(&closure), flush_until, failed: failed.clone() };
        if was_closed {
            return;
        }
        // It would go out when what it waits for is dropped.
        self.holding.forget_close();
        if let Some(failure) = &failed {
            // The closes of channels did not end well either.
            self.fail_channel_closers(failure);
        }
        self.tear_down(&closure);
        let failed = if closure.is_requested() { failed } else { Some(Failure::refused(&closure)) };
        for closer in closers {
            self.complete(Some(closer), failed.clone().map_or(Completion::Closed, Completion::Failed));
        }
        self.tell_end(&closure);
    }

    /// Resolves everything in flight with the first cause.
    pub(super) fn tear_down(&mut self, closure: &Arc<Closure>) {
        self.evict_from_gate(None, closure);
        self.fail_secret_updates(closure);
        self.fail_who_wait_for_room(closure);
        self.blocked_until = None;
        for key in self.channels.keys() {
            self.remove_channel(key, closure);
        }
    }
}
