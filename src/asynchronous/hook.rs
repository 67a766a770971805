//! What a program does in each recovery.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::Channel;
use super::connection::ConnectionHandle;
use crate::config::{ConnectionParameters, OnRecovered};
use crate::driver::Hosting;
use crate::error::{Error, Result};

/// A recovery that is under way, given to the closure of
/// [`on_recovered`](ConnectionParameters::on_recovered).
pub struct Recovering {
    channel: Channel,
    generation: u32,
}

impl Recovering {
    /// Returns a channel for this recovery. It does not keep the connection open, and is closed
    /// when its last handle is dropped, or by the next loss. What is declared on it is not
    /// recorded, and its consumers do not come back.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Returns the number of losses so far, this one included.
    pub fn generation(&self) -> u32 {
        self.generation
    }
}

impl fmt::Debug for Recovering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recovering").field("channel", &self.channel).field("generation", &self.generation).finish()
    }
}

impl ConnectionParameters {
    /// Sets [`on_recovered`](Self#structfield.on_recovered): a closure whose future is run in each
    /// recovery, after the recorded exchanges, queues and bindings are back and the channels are
    /// open, and before consumers are started and other requests of the program go on.
    ///
    /// The future makes its calls on [`Recovering::channel`]; those on other channels wait for the
    /// end of the recovery, and so for the future. It runs without a lock of this crate, beside
    /// what drives the connection, and must not block. It may take `call_timeout`, or 60 s without
    /// one. If it fails, takes longer or is cut off, the transport is given up, and the closure is
    /// called again on the next.
    ///
    /// The closure is not called when the connection is opened.
    ///
    /// ```
    /// use leveret::{ConnectionParameters, Recovery};
    ///
    /// let parameters = ConnectionParameters::default().recovery(Recovery::Topology).on_recovered(|recovering| async move {
    ///     // What came before the loss is out of date.
    ///     recovering.channel().queue_purge("prices").await?;
    ///     recovering.channel().publish("", "requests", "all prices").await
    /// });
    /// assert!(parameters.validate().is_ok());
    /// ```
    #[must_use]
    pub fn on_recovered<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(Recovering) -> R + Send + Sync + 'static,
        R: Future<Output = Result<()>> + Send + 'static,
    {
        let hook = OnRecovered::new(move |given| {
            let work = given.downcast_ref().map(|hosting: &Hosting| hook(Recovering::of(hosting)));
            Box::pin(async move {
                match work {
                    Some(work) => work.await.map_err(Error::into),
                    None => Ok(()),
                }
            })
        });
        self.on_recovered = Some(hook);
        self
    }
}

impl Recovering {
    fn of(hosting: &Hosting) -> Self {
        let handle = Arc::new(ConnectionHandle::new(Arc::clone(&hosting.shared), true));
        Self { channel: Channel::new(handle, hosting.channel), generation: hosting.generation }
    }
}
