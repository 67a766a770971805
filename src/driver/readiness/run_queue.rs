//! Who is to be run: tasks that were woken, in the order in which they were.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Wake;

/// Names of tasks that are to be run. Whoever runs them is woken where it waits.
pub(crate) struct RunQueue<N> {
    woken: Mutex<Woken<N>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

struct Woken<N> {
    names: VecDeque<N>,
    /// Whoever runs them waits, and has not been woken.
    waiting: bool,
}

/// Wakes one task.
pub(crate) struct Named<N> {
    name: N,
    queue: Weak<RunQueue<N>>,
    /// It is among those that are to be run.
    queued: AtomicBool,
}

impl<N: Copy + Send + Sync + 'static> RunQueue<N> {
    /// A queue whose owner `wake` wakes, from any thread.
    pub(crate) fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let woken = Mutex::new(Woken { names: VecDeque::new(), waiting: true });
        Arc::new(Self { woken, wake: Arc::new(wake) })
    }

    /// Nothing panics under this lock, and nothing foreign runs there.
    fn woken(&self) -> MutexGuard<'_, Woken<N>> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What wakes the owner.
    pub(crate) fn wake(&self) -> Arc<dyn Fn() + Send + Sync> {
        Arc::clone(&self.wake)
    }

    /// What wakes the task of this name.
    pub(crate) fn named(self: &Arc<Self>, name: N) -> Arc<Named<N>> {
        Arc::new(Named { name, queue: Arc::downgrade(self), queued: AtomicBool::new(false) })
    }

    /// The task that is to be run next.
    pub(crate) fn pop(&self) -> Option<N> {
        self.woken().names.pop_front()
    }

    /// How many are to be run.
    pub(crate) fn len(&self) -> usize {
        self.woken().names.len()
    }

    /// Whoever runs them is awake: nothing has to wake it.
    pub(crate) fn set_awake(&self) {
        self.woken().waiting = false;
    }

    /// Whoever runs them is about to wait, unless there is one to be run.
    pub(crate) fn set_waiting(&self) {
        let mut woken = self.woken();
        woken.waiting = woken.names.is_empty();
    }

    /// Something else than a task is to be done.
    pub(crate) fn wake_owner(&self) {
        let waits = std::mem::take(&mut self.woken().waiting);
        if waits {
            (self.wake)();
        }
    }
}

impl<N> Named<N> {
    /// It is run: what wakes it from here on wakes it once more, and what woke it before is seen by
    /// the run.
    pub(crate) fn set_running(&self) {
        self.queued.swap(false, Ordering::AcqRel);
    }
}

impl<N: Copy + Send + Sync + 'static> Wake for Named<N> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let Some(queue) = self.queue.upgrade() else { return };
        let waits = {
            let mut woken = queue.woken();
            woken.names.push_back(self.name);
            std::mem::take(&mut woken.waiting)
        };
        if waits {
            (queue.wake)();
        }
    }
}
