//! The end of a connection, and the fate of everything that was queued. Both are decided once, in
//! the step after which no byte is written.

use std::sync::Arc;
use std::time::Instant;

use super::closing::ConnectionLife;
use crate::engine::outbound::{DEFERRED, HELD};
use crate::engine::{Closure, Completion, Engine, Failure, Fate, Reason};
use crate::frame::Outbound;
use crate::protocol::{ProtocolMethod, ReplyCode, connection};
use crate::wire::ShortString;

impl Engine {
    /// Ends the connection because the transport ended (`None`) or failed.
    pub fn handle_transport_lost(&mut self, error: Option<&std::io::Error>) {
        let reason = match error {
            None => Reason::EndOfStream,
            Some(error) => Reason::Io(error.kind(), error.to_string()),
        };
        self.lose(reason);
    }

    /// Reports that the last `count` bytes that were taken were never offered to the transport and
    /// will not be. Requests that begin in them were not sent. To be called before
    /// [`Engine::handle_transport_lost`].
    pub fn handle_withheld(&mut self, count: u64) {
        if self.cut.is_none() {
            self.taken = self.taken.saturating_sub(count).max(self.written);
        }
    }

    /// Ends the connection because its driver has to stop. Returns what is still to be written,
    /// followed by a close if none is queued or was sent; all of it counts as handed to the
    /// transport. Returns `None` if nothing is to be written, not even of the bytes that were taken
    /// before.
    pub fn leave(&mut self) -> Option<Outbound> {
        if self.is_down() {
            // The supervisor decides what becomes of the connection.
            return None;
        }
        if self.is_lost() || (self.is_finished() && self.queued() == 0) {
            self.handle_driver_gone();
            return None;
        }
        // A close that waits for a commit was neither queued nor sent.
        let was_held = self.holding.forget_close();
        if was_held || matches!(self.state, ConnectionLife::Open | ConnectionLife::Restoring { .. }) {
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

    /// Ends the connection because its driver is gone.
    pub fn handle_driver_gone(&mut self) {
        self.lose(Reason::DriverGone);
    }

    /// Ends the connection; nothing can be written any more.
    pub(super) fn lose(&mut self, reason: Reason) {
        self.drop_untaken();
        let blocked = self.gate.blocked().map(str::to_owned);
        let last = Arc::new(Closure { blocked, ..Closure::silent(reason) });
        let failed = match last.reason {
            Reason::CloseTimedOut => self.timed_out(<connection::Close as ProtocolMethod>::NAME),
            _ => Failure::Closed { closure: Arc::clone(&last), fate: Fate::Unknown },
        };
        self.finish(last, None, Some(failed));
        // Bytes that a driver took and did not write do not wait any more either.
        self.written = self.taken;
        self.gate.set_queued(0);
    }

    /// Drops queued bytes that were not taken. They are whole frames, so the stream stays intact.
    pub(super) fn drop_untaken(&mut self) {
        self.cut = Some(self.cut.unwrap_or(self.taken));
        self.passing.drop_untaken();
        let bodies = std::mem::take(&mut self.outbound).into_bodies();
        self.discarded.bodies.extend(bodies);
    }

    /// The fate of bytes queued at `position`, at the end of their channel or connection.
    ///
    /// Bytes that a driver took may have been sent, or may still be. Bytes that it did not take are
    /// sent too, even after the broker has closed the channel or the client closes for a violation,
    /// unless they were dropped. Output that waits for a commit, or for its consumer to start, is
    /// dropped with its channel.
    pub(in crate::engine) fn fate_at(&self, position: u64) -> Fate {
        let is_held = matches!(position, HELD | DEFERRED);
        if is_held || self.cut.is_some_and(|cut| position >= cut) { Fate::NotSent } else { Fate::Unknown }
    }

    /// Ends the connection; queued bytes are to be written until `flush_until`. An earlier cause,
    /// such as our own close, remains the one that is reported; `failed` is the reason why that
    /// close failed.
    pub(in crate::engine) fn finish(
        &mut self,
        last: Arc<Closure>,
        flush_until: Option<Instant>,
        failed: Option<Failure>,
    ) {
        if self.suspends(&last) {
            return self.suspend(&last, flush_until);
        }
        self.end(last, flush_until, failed);
    }

    /// Ends a connection that has no transport.
    pub(in crate::engine) fn finish_for_good(&mut self, closure: Arc<Closure>) {
        self.end(closure, None, None);
    }

    fn end(&mut self, last: Arc<Closure>, flush_until: Option<Instant>, failed: Option<Failure>) {
        let (closure, closers, failed, was_closed) = match std::mem::replace(&mut self.state, ConnectionLife::Open) {
            ConnectionLife::Open | ConnectionLife::Restoring { .. } | ConnectionLife::Down { .. } => {
                (last, Vec::new(), failed, false)
            }
            ConnectionLife::Closing { closure, closers, .. } => (closure, closers, failed, false),
            // The first end counts.
            ConnectionLife::Closed { closure, failed, .. } => (closure, Vec::new(), failed, true),
        };
        self.state = ConnectionLife::Closed { closure: Arc::clone(&closure), flush_until, failed: failed.clone() };
        if was_closed {
            return;
        }
        // Otherwise the close would be sent when the output that it waits for is dropped.
        self.holding.forget_close();
        if let Some(failure) = &failed {
            // Pending closes of channels fail too.
            self.fail_channel_closers(failure);
        }
        self.tear_down(&closure);
        let failed = if closure.is_requested() { failed } else { Some(Failure::refused(&closure)) };
        for closer in closers {
            self.complete(Some(closer), failed.clone().map_or(Completion::Closed, Completion::Failed));
        }
        self.tell_end(&closure);
    }

    /// Completes everything in flight with the first cause.
    pub(super) fn tear_down(&mut self, closure: &Arc<Closure>) {
        self.evict_from_gate(None, closure);
        self.fail_secret_updates(closure);
        self.fail_waiters_for_room(closure);
        self.fail_parked(closure);
        self.blocked_until = None;
        for key in self.channels.keys() {
            self.remove_channel(key, closure);
        }
    }
}
