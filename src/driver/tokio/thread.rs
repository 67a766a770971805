//! A thread of its own for a driver, with a runtime of its own: for programs whose tasks block
//! theirs.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use tokio::sync::oneshot;

use super::drive;
use crate::driver::connect::Agreed;
use crate::error::ConnectError;
use crate::link::Shared;
use crate::transport::Stream;

/// Opens a connection on a thread of its own, and drives it there until it is finished. Dropped
/// before it is done, it is given up there too.
pub(super) async fn on_thread<S, F>(open: impl FnOnce() -> F + Send + 'static) -> Result<Arc<Shared>, ConnectError>
where
    S: Stream,
    F: Future<Output = Result<Agreed<S>, ConnectError>>,
{
    let (sender, receiver) = oneshot::channel();
    let started = thread::Builder::new().name("leveret-driver".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(run(open(), sender)),
            Err(error) => drop(sender.send(Err(ConnectError::no_thread(&error)))),
        }
    });
    if let Err(error) = started {
        return Err(ConnectError::no_thread(&error));
    }
    let panicked =
        |_| Err(ConnectError::no_thread(&io::Error::other("it panicked, in a provider or mechanism perhaps")));
    receiver.await.unwrap_or_else(panicked).map(HandedOver::take)
}

/// A connection on its way from its thread to whoever opens it, and who may be gone by then:
/// dropped on the way, it ends.
struct HandedOver {
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

async fn run<S: Stream>(
    opening: impl Future<Output = Result<Agreed<S>, ConnectError>>,
    mut sender: oneshot::Sender<Result<HandedOver, ConnectError>>,
) {
    let mut opening = pin!(opening);
    let opened = poll_fn(|context| {
        if sender.poll_closed(context).is_ready() {
            return Poll::Ready(None);
        }
        opening.as_mut().poll(context).map(Some)
    });
    match opened.await {
        // Nobody waits for it any more.
        None => {}
        Some(Err(error)) => drop(sender.send(Err(error))),
        Some(Ok(agreed)) => {
            let (shared, driver) = drive(agreed);
            drop(sender.send(Ok(HandedOver { shared, taken: false })));
            driver.await;
        }
    }
}
