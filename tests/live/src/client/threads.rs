//! Where calls of the blocking API wait: threads of a runtime on which blocking is allowed.

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// It outlives the runtimes of the scenarios, which would wait for every thread of theirs.
static THREADS: LazyLock<Runtime> = LazyLock::new(|| {
    let built = Builder::new_multi_thread().worker_threads(1).max_blocking_threads(10_000).build();
    built.expect("a runtime for threads")
});

/// Does work on a thread, at once.
pub(super) fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Working<T> {
    Working(THREADS.spawn_blocking(work))
}

/// What a thread does. It is done whether or not somebody waits for it.
pub(super) struct Working<T>(JoinHandle<T>);

impl<T> Future for Working<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(context).map(|ended| ended.expect("a thread of a call does not panic"))
    }
}

/// An iterator of the blocking API, which a thread has while it waits for the next item.
pub(super) enum Lent<I, T> {
    /// Nobody waits.
    Here(I),
    /// A thread has it, and brings the next item with it.
    Away(Working<(I, T)>),
    /// It is being handed over.
    Nowhere,
}

impl<I: Send + 'static, T: Send + 'static> Lent<I, T> {
    /// Has a thread wait for the next item. Dropped before that is there, it is the next one's.
    pub(super) async fn next(&mut self, next: fn(&mut I) -> T) -> T {
        if let Self::Here(_) = self {
            let mut lent = self.take();
            *self = Self::Away(on_thread(move || {
                let item = next(&mut lent);
                (lent, item)
            }));
        }
        let Self::Away(working) = self else { unreachable!("it is away by now") };
        let (lent, item) = working.await;
        *self = Self::Here(lent);
        item
    }

    /// Has a thread do something else with it, while nobody waits.
    pub(super) async fn with<R: Send + 'static>(&mut self, act: fn(&mut I) -> R) -> R {
        let mut lent = self.take();
        let (lent, done) = on_thread(move || {
            let done = act(&mut lent);
            (lent, done)
        })
        .await;
        *self = Self::Here(lent);
        done
    }

    /// It, while nobody waits.
    pub(super) fn here(&self) -> &I {
        let Self::Here(lent) = self else { panic!("a thread has it") };
        lent
    }

    /// The same, to keep.
    pub(super) fn take(&mut self) -> I {
        let Self::Here(lent) = std::mem::replace(self, Self::Nowhere) else { panic!("a thread has it") };
        lent
    }
}
