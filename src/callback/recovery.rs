//! What a connection that survives losses shows of its recovery.

use super::{Connection, Handle};
use crate::error::{ConnectionEvent, Error, Result};
use crate::recovery::RecordedTopology;
use crate::wire::ShortString;

/// Recovery: see the chapter `leveret::recovering`.
impl<S: 'static> Connection<S> {
    /// Returns `true` while the connection is lost and is being recovered. Requests wait or fail
    /// then, as [`while_down`](crate::ConnectionParameters#structfield.while_down) says.
    pub fn is_recovering(&self) -> bool {
        self.inner().is_ok_and(|connection| connection.is_recovering())
    }

    /// Calls `then` once: with `Ok` as soon as the connection is open and not being recovered, or
    /// with an error if it is not open yet, is closed, or ends before it is recovered.
    pub fn recovered(&self, then: impl FnOnce(&mut S, &Self, Result<()>) + 'static) {
        let (connection, inner) = (self.clone(), self.inner());
        let recovered = inner.map(|inner| inner.recovered());
        let waiting = async move { recovered?.await };
        self.handle().once(waiting, move |state, result| then(state, &connection, result));
    }

    /// Calls `handler` with the cause whenever the connection is lost and will be recovered
    /// ([`ConnectionEvent::Lost`]). [`on_close`](Self::on_close) reports its end.
    pub fn on_lost(&self, mut handler: impl FnMut(&mut S, &Handle<S>, Error) + 'static) {
        self.on_event(move |state, handle, event| {
            if let ConnectionEvent::Lost { cause, .. } = event {
                handler(state, handle, cause);
            }
        });
    }

    /// Calls `handler` whenever the connection was recovered ([`ConnectionEvent::Recovered`]).
    pub fn on_recovered(&self, mut handler: impl FnMut(&mut S, &Handle<S>) + 'static) {
        self.on_event(move |state, handle, event| {
            if matches!(event, ConnectionEvent::Recovered { .. }) {
                handler(state, handle);
            }
        });
    }

    /// Returns how often the connection, or a channel of it alone, was lost; 0 before it is open.
    pub fn generation(&self) -> u32 {
        self.inner().map_or(0, |connection| connection.generation())
    }

    /// Returns what the connection has declared, bound and consumes, in the order of first
    /// declaration: what comes back after a loss. It is empty without
    /// [`Recovery::Topology`](crate::Recovery::Topology), and before the connection is open.
    pub fn topology(&self) -> RecordedTopology {
        self.inner().map_or_else(|_| RecordedTopology::default(), |connection| connection.topology())
    }

    /// Forgets a queue with its bindings and consumers, so that they do not come back after a loss.
    /// The broker keeps them. Returns `false` if the queue is not recorded.
    pub fn forget_queue(&self, name: impl Into<ShortString>) -> bool {
        self.inner().is_ok_and(|connection| connection.forget_queue(name))
    }

    /// Forgets an exchange with its bindings, so that they do not come back after a loss. The
    /// broker keeps them. Returns `false` if the exchange is not recorded.
    pub fn forget_exchange(&self, name: impl Into<ShortString>) -> bool {
        self.inner().is_ok_and(|connection| connection.forget_exchange(name))
    }
}
