//! What a connection that survives losses shows of its recovery.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Connection;
use crate::engine::{ConnectionState, Engine};
use crate::error::{Error, Result};
use crate::link::{Standing, Topic};
use crate::recovery::RecordedTopology;
use crate::wire::ShortString;

/// Recovery.
impl Connection {
    /// Returns `true` while the connection is lost and is being recovered. Requests wait or fail
    /// then, as [`while_down`](crate::ConnectionParameters#structfield.while_down) says.
    pub fn is_recovering(&self) -> bool {
        self.state() == ConnectionState::Recovering
    }

    /// Waits until the connection is recovered. Resolves at once if it is open.
    ///
    /// If the future is dropped before it resolves, nothing changes.
    ///
    /// # Errors
    ///
    /// The future resolves to an error if the connection is closed, or ends before it is recovered.
    pub fn recovered(&self) -> Recovered {
        Recovered { standing: Standing::new(self.shared_state(), Topic::Connection) }
    }

    /// Returns how often the connection, or a channel of it alone, was lost.
    pub fn generation(&self) -> u32 {
        self.shared_state().with(|state| state.engine.generation())
    }

    /// Returns what the connection has declared, bound and consumes, in the order of first
    /// declaration: what comes back after a loss. It is empty without
    /// [`Recovery::Topology`](crate::Recovery::Topology).
    pub fn topology(&self) -> RecordedTopology {
        let snapshot = self.shared_state().with(|state| state.topology.as_ref().map(|topology| topology.snapshot()));
        snapshot.unwrap_or_default()
    }

    /// Forgets a queue with its bindings and consumers, so that they do not come back after a loss.
    /// The broker keeps them. Returns `false` if the queue is not recorded.
    pub fn forget_queue(&self, name: impl Into<ShortString>) -> bool {
        let name = name.into();
        self.shared_state().with(|state| state.topology.as_mut().is_some_and(|it| it.forget_queue(&name)))
    }

    /// Forgets an exchange with its bindings, so that they do not come back after a loss. The
    /// broker keeps them. Returns `false` if the exchange is not recorded.
    pub fn forget_exchange(&self, name: impl Into<ShortString>) -> bool {
        let name = name.into();
        self.shared_state().with(|state| state.topology.as_mut().is_some_and(|it| it.forget_exchange(&name)))
    }
}

/// A future that waits until a connection is recovered: returned by [`Connection::recovered`].
#[must_use = "it waits when it is awaited"]
pub struct Recovered {
    standing: Standing,
}

impl Future for Recovered {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.standing.poll(context, |engine: &mut Engine, id| {
            while engine.take_connection_notice(id).is_some() {}
            match (engine.connection_state(), engine.closure()) {
                (_, Some(closure)) => Poll::Ready(Err(Error::from(Arc::clone(closure)))),
                (ConnectionState::Recovering, None) => Poll::Pending,
                (_, None) => Poll::Ready(Ok(())),
            }
        })
    }
}

impl fmt::Debug for Recovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recovered").finish_non_exhaustive()
    }
}
