//! Threads for what may block: names to be resolved, files to be read, providers of credentials.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};

use futures_channel::oneshot;

use crate::config::{CredentialsProvider, Provided, ProviderError};

/// Does something on a thread of its own, and gives what comes of it.
pub(super) fn elsewhere<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = io::Result<R>> + Send + 'static {
    let (sender, receiver) = oneshot::channel();
    let started = thread::Builder::new().name("leveret-blocking".to_owned()).spawn(move || {
        // Whoever waited may be gone.
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
    // Dropped with this, it asks no more.
    let _asking = Apart::new(async move {
        // Whoever waited may be gone.
        let _ = sender.send(provider.provide().await);
    });
    receiver.await.unwrap_or_else(|_| Err("the provider panicked, or no thread could be had for it".into()))
}

/// A future that runs on a thread of its own. Dropped, it is polled no more.
pub(crate) struct Apart {
    /// None where no thread could be had: the future is gone, and whoever waits runs out of time.
    thread: Option<Thread>,
    over: Arc<AtomicBool>,
}

impl Apart {
    pub(super) fn new(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let started = thread::Builder::new().name("leveret-provider".to_owned()).spawn(move || run(work, &ends));
        Self { thread: started.ok().map(|handle| handle.thread().clone()), over }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

/// Polls a future until it is done, or is not wanted any more.
///
/// What it polls may park the thread too, and take an `unpark` that is not meant for it. So a flag
/// says whether the future was woken, and both are looked at after each poll.
fn run(work: impl Future<Output = ()>, over: &AtomicBool) {
    let sleeper = Arc::new(Sleeper { thread: thread::current(), woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&sleeper));
    let is_over = || over.load(Ordering::Acquire);
    let mut work = pin!(work);
    while !is_over() && work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        while !sleeper.woken.swap(false, Ordering::Acquire) && !is_over() {
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
                // As waiting for a message does, for instance.
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
