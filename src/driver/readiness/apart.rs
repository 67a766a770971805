//! Threads for what may block: names to be resolved, files to be read, providers of credentials.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};

use futures_channel::oneshot;

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
fn run(work: impl Future<Output = ()>, over: &AtomicBool) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut work = pin!(work);
    while !over.load(Ordering::Acquire) && work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
