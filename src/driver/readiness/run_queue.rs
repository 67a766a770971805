//! The queue of tasks that were woken and are to be run, in the order of the wakes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Wake;

/// The names of tasks that are to be run. The owner, a loop that runs them, is woken if it waits.
pub(crate) struct RunQueue<N> {
    woken: Mutex<Woken<N>>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

struct Woken<N> {
    names: VecDeque<N>,
    /// The owner waits and was not woken yet.
    waiting: bool,
}

/// The waker of one task.
pub(crate) struct Named<N> {
    name: N,
    queue: Weak<RunQueue<N>>,
    /// Whether the task is in the queue.
    queued: AtomicBool,
}

impl<N: Copy + Send + Sync + 'static> RunQueue<N> {
    /// Creates a queue. `wake` wakes its owner, from any thread.
    pub(crate) fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let woken = Mutex::new(Woken { names: VecDeque::new(), waiting: true });
        Arc::new(Self { woken, wake: Arc::new(wake) })
    }

    /// Locks the queue. Nothing panics while it is locked, and no code of the application runs.
    fn woken(&self) -> MutexGuard<'_, Woken<N>> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The function that wakes the owner.
    pub(crate) fn wake(&self) -> Arc<dyn Fn() + Send + Sync> {
        Arc::clone(&self.wake)
    }

    /// Makes the waker of the task with this name.
    pub(crate) fn named(self: &Arc<Self>, name: N) -> Arc<Named<N>> {
        Arc::new(Named { name, queue: Arc::downgrade(self), queued: AtomicBool::new(false) })
    }

    /// Takes the task that is to be run next.
    pub(crate) fn pop(&self) -> Option<N> {
        self.woken().names.pop_front()
    }

    /// The number of tasks that are to be run.
    pub(crate) fn len(&self) -> usize {
        self.woken().names.len()
    }

    /// The owner is awake: nothing has to wake it.
    pub(crate) fn set_awake(&self) {
        self.woken().waiting = false;
    }

    /// The owner is about to wait. If a task is already queued it will not wait, so nothing has to
    /// wake it.
    pub(crate) fn set_waiting(&self) {
        let mut woken = self.woken();
        woken.waiting = woken.names.is_empty();
    }

    /// Wakes the owner, if it waits, for something other than a task.
    pub(crate) fn wake_owner(&self) {
        let waits = std::mem::take(&mut self.woken().waiting);
        if waits {
            (self.wake)();
        }
    }
}

impl<N> Named<N> {
    /// The task is about to be polled. A wake from here on queues it once more. The swap also
    /// acquires what the wakes before it released, so the poll sees what they were about.
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
