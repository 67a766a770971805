//! A thread of its own for a driver, with a runtime of its own: for programs whose tasks block theirs.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use super::connect::Agreed;
use super::{ConnectError, Shared, drive};

/// Opens a connection on a thread of its own, and drives it there until it is finished. Dropped before it is done, it is given
/// up there too.
pub(crate) async fn open_on_thread<T, F>(open: impl FnOnce() -> F + Send + 'static) -> Result<Arc<Shared>, ConnectError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: Future<Output = Result<Agreed<T>, ConnectError>>,
{
    let (sender, receiver) = oneshot::channel();
    let started = thread::Builder::new().name("leveret-driver".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(run(open(), sender)),
            Err(error) => drop(sender.send(Err(ConnectError::no_thread(&error)))),
        }
    });
    match started {
        Ok(_) => receiver.await.unwrap_or_else(|_| Err(ConnectError::no_thread(&io::ErrorKind::Other.into()))),
        Err(error) => Err(ConnectError::no_thread(&error)),
    }
}

async fn run<T>(
    opening: impl Future<Output = Result<Agreed<T>, ConnectError>>,
    mut sender: oneshot::Sender<Result<Arc<Shared>, ConnectError>>,
) where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
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
            // Whoever went away in the meantime leaves a connection without a handle, which closes.
            if let Err(Ok(shared)) = sender.send(Ok(shared)) {
                shared.with(|state| state.engine.handle_driver_gone());
            }
            driver.await;
        }
    }
}
