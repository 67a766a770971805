//! Handing over a connection from what drives it to what opens it, on another thread or in another
//! task. The latter may have been dropped by then.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_channel::oneshot::{Receiver, Sender, channel};

use super::connect::Agreed;
use super::runtime::Runtime;
use super::supervise::Dialer;
use super::{drive, supervised};
use crate::error::ConnectError;
use crate::link::Shared;
use crate::transport::Stream;

/// The sender of the result of an open.
pub(super) type Opener = Sender<Result<HandedOver, ConnectError>>;

/// The result of an open. It is an error if the thread or task that opens has ended, for instance
/// by a panic.
pub(crate) struct Opened(Receiver<Result<HandedOver, ConnectError>>);

impl Future for Opened {
    type Output = Result<Arc<Shared>, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let opened = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(opened.unwrap_or_else(|_| Err(gone())).map(HandedOver::take))
    }
}

fn gone() -> ConnectError {
    ConnectError::no_thread(&io::Error::other(
        "what opens it is gone: it was closed, or a provider or mechanism panicked",
    ))
}

/// Creates the two ends of an open.
pub(super) fn opening() -> (Opener, Opened) {
    let (opener, opened) = channel();
    (opener, Opened(opened))
}

/// A connection that was not taken yet. If it is dropped before, the connection ends.
pub(crate) struct HandedOver {
    shared: Arc<Shared>,
    taken: bool,
}

impl HandedOver {
    fn take(mut self) -> Arc<Shared> {
        self.taken = true;
        Arc::clone(&self.shared)
    }
}

impl Drop for HandedOver {
    fn drop(&mut self) {
        if !self.taken {
            self.shared.with(|state| state.engine.handle_driver_gone());
        }
    }
}

/// Opens a connection and drives it over its transports until it has ended. The open is cancelled
/// if its result is no longer awaited.
pub(super) async fn open_and_supervise<D: Dialer, R: Runtime>(runtime: R, dial: D, mut opener: Opener) {
    match awaited(dial.dial(false), &mut opener).await {
        // The result is no longer awaited.
        None => {}
        Some(Err(error)) => drop(opener.send(Err(error))),
        Some(Ok(agreed)) if dial.recovery().is_on() => {
            let (shared, supervisor) = supervised(agreed, dial, &runtime);
            drop(opener.send(Ok(HandedOver { shared, taken: false })));
            supervisor.await;
        }
        Some(Ok(agreed)) => {
            let (shared, driver) = drive(agreed, &runtime);
            drop(opener.send(Ok(HandedOver { shared, taken: false })));
            driver.await;
        }
    }
}

/// The result of an open, or `None` if it is no longer awaited.
async fn awaited<T>(opening: impl Future<Output = T>, opener: &mut Opener) -> Option<T> {
    let mut opening = pin!(opening);
    poll_fn(|context| {
        if opener.poll_canceled(context).is_ready() {
            return Poll::Ready(None);
        }
        opening.as_mut().poll(context).map(Some)
    })
    .await
}

/// Opens a connection and drives it until it is finished. The open is cancelled if its result is no
/// longer awaited.
pub(super) async fn open_and_drive<S: Stream, R: Runtime>(
    runtime: R,
    opening: impl Future<Output = Result<Agreed<S>, ConnectError>>,
    mut opener: Opener,
) {
    match awaited(opening, &mut opener).await {
        // The result is no longer awaited.
        None => {}
        Some(Err(error)) => drop(opener.send(Err(error))),
        Some(Ok(agreed)) => {
            let (shared, driver) = drive(agreed, &runtime);
            drop(opener.send(Ok(HandedOver { shared, taken: false })));
            driver.await;
        }
    }
}
