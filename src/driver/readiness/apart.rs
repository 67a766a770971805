//! Threads for work that may block: resolving names, reading files, and providers of credentials.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};

use futures_channel::oneshot;

use crate::config::{CredentialsProvider, Provided, ProviderError};

/// Runs work on a thread of its own. The future returns its result, or an error if no thread could
/// be started or the work panicked.
pub(super) fn elsewhere<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = io::Result<R>> + Send + 'static {
    let (sender, receiver) = oneshot::channel();
    let started = thread::Builder::new().name("leveret-blocking".to_owned()).spawn(move || {
        // Nothing may wait for the result any more.
        let _ = sender.send(work());
    });
    async move {
        started?;
        receiver.await.map_err(|_| io::Error::other("the thread that did it panicked"))
    }
}

/// Asks a provider of credentials on a thread of its own.
pub(super) async fn ask(provider: Arc<dyn CredentialsProvider>) -> Result<Provided, ProviderError> {
    let (sender, receiver) = oneshot::channel();
    // Dropped with this future: then the provider is no longer polled.
    let _asking = Apart::new(async move {
        // Nothing may wait for the result any more.
        let _ = sender.send(provider.provide().await);
    });
    receiver.await.unwrap_or_else(|_| Err("the provider panicked, or no thread could be had for it".into()))
}

/// A future that runs on a thread of its own. Dropping this ends the thread at its next chance, and
/// the future is not polled again.
pub(crate) struct Apart {
    /// `None` if no thread could be started. Then the future was dropped, and what waits for it
    /// reaches its deadline.
    thread: Option<Thread>,
    ended: Arc<AtomicBool>,
}

impl Apart {
    pub(super) fn new(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&ended);
        let started = thread::Builder::new().name("leveret-provider".to_owned()).spawn(move || run(work, &ends));
        Self { thread: started.ok().map(|handle| handle.thread().clone()), ended }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

/// Polls a future until it is ready, or until it is not needed any more.
///
/// The future may park the thread itself, and so consume an `unpark` that was meant for this loop.
/// Therefore a flag records that the future was woken, and both flags are read after each poll.
fn run(work: impl Future<Output = ()>, ended: &AtomicBool) {
    let sleeper = Arc::new(Sleeper { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&sleeper));
    let is_ended = || ended.load(Ordering::Acquire);
    let mut work = pin!(work);
    while !is_ended() && work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        while !sleeper.woken.swap(false, Ordering::Acquire) && !is_ended() {
            thread::park();
        }
    }
}

struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::future::poll_fn;
    use std::sync::mpsc;
    use std::task::Poll;
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_wake_is_not_lost_to_what_parks_within_a_poll() {
        let (sender, done) = mpsc::channel();
        let mut polls = 0;
        let _apart = Apart::new(async move {
            poll_fn(|context| {
                polls += 1;
                if polls == 2 {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                // As a wait for a message does, for instance.
                thread::park();
                Poll::Pending
            })
            .await;
            sender.send(()).unwrap();
        });
        done.recv_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn what_is_dropped_while_a_poll_parks_is_polled_no_more_and_ends() {
        let (ended, ends) = mpsc::channel::<()>();
        let (polling, polled) = mpsc::channel();
        let apart = Apart::new(async move {
            let _ended = ended;
            poll_fn(|_| {
                polling.send(()).unwrap();
                thread::park();
                Poll::<()>::Pending
            })
            .await;
        });
        polled.recv_timeout(PATIENCE).unwrap();
        drop(apart);
        assert_eq!(ends.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
        assert_eq!(polled.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
