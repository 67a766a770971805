//! A connection on its way from what drives it to whoever opens it, on another thread or in another
//! task, who may be gone by then.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_channel::oneshot::{Receiver, Sender, channel};

use super::connect::Agreed;
use super::drive;
use super::runtime::Runtime;
use crate::error::ConnectError;
use crate::link::Shared;
use crate::transport::Stream;

/// Who hears what an open comes to.
pub(super) type Opener = Sender<Result<HandedOver, ConnectError>>;

/// What an open comes to; cancelled where what opens it is gone.
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

/// The two ends of an open.
pub(super) fn opening() -> (Opener, Opened) {
    let (opener, opened) = channel();
    (opener, Opened(opened))
}

/// A connection that nobody has taken: dropped, it ends.
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

/// Opens a connection and drives it until it is finished. It is given up where nobody waits for it
/// any more.
pub(super) async fn open_and_drive<S: Stream, R: Runtime>(
    runtime: R,
    opening: impl Future<Output = Result<Agreed<S>, ConnectError>>,
    mut opener: Opener,
) {
    let opened = {
        let mut opening = pin!(opening);
        poll_fn(|context| {
            if opener.poll_canceled(context).is_ready() {
                return Poll::Ready(None);
            }
            opening.as_mut().poll(context).map(Some)
        })
        .await
    };
    match opened {
        // Nobody waits for it any more.
        None => {}
        Some(Err(error)) => drop(opener.send(Err(error))),
        Some(Ok(agreed)) => {
            let (shared, driver) = drive(agreed, &runtime);
            drop(opener.send(Ok(HandedOver { shared, taken: false })));
            driver.await;
        }
    }
}
