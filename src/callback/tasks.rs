//! Tasks: what waits for something, with the handler to call then.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::driver::readiness::RunQueue;
use crate::engine::slots::{Place, Slab};

use crate::driver::readiness::Named;

/// A task, which waits for something and calls handlers with the state of the application.
pub(super) trait Task<S> {
    /// Polls for the first time, without calling a handler.
    fn begin(&mut self, context: &mut Context<'_>);

    /// Polls, and calls at most one handler.
    fn step(&mut self, state: &mut S, context: &mut Context<'_>) -> Step;
}

/// The result of a step.
pub(super) enum Step {
    /// The task waits, and will be woken.
    Waits,
    /// The task may have more to do now.
    GoesOn,
    /// The task has ended.
    Ended,
}

/// The most steps of a task in a pass, so that a busy task does not delay the others.
const BATCH: usize = 64;

/// The tasks of one loop.
pub(super) struct Tasks<S> {
    queue: Arc<RunQueue<Place>>,
    /// A task that runs is not in its slot.
    slots: RefCell<Slab<Slot<S>>>,
    /// The number of tasks, including those that run. It is kept separately, because a running task
    /// has an empty slot.
    count: Cell<usize>,
}

/// A task and its waker.
struct Slot<S> {
    task: Option<Box<dyn Task<S>>>,
    waker: Option<Arc<Named<Place>>>,
}

impl<S> Tasks<S> {
    /// Creates an empty set. `wake` wakes its owner, the loop, from any thread.
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { queue: RunQueue::new(wake), slots: RefCell::default(), count: Cell::new(0) }
    }

    /// The number of tasks.
    pub(super) fn len(&self) -> usize {
        self.count.get()
    }

    /// The number of tasks that are to be run.
    pub(super) fn runnable(&self) -> usize {
        self.queue.len()
    }

    /// Wakes the owner.
    pub(super) fn wake_owner(&self) {
        self.queue.wake_owner();
    }

    /// Adds a task and begins it. Its request is made now, so that requests are sent in the order
    /// of these calls.
    pub(super) fn add(&self, mut task: Box<dyn Task<S>>) {
        let place = self.slots.borrow_mut().insert(Slot { task: None, waker: None });
        let waker = self.queue.named(place);
        task.begin(&mut Context::from_waker(&Waker::from(Arc::clone(&waker))));
        if let Some(slot) = self.slots.borrow_mut().get_mut(place) {
            *slot = Slot { task: Some(task), waker: Some(waker) };
            self.count.set(self.count.get() + 1);
        }
    }

    /// Removes a task. Its handlers are not called again.
    fn remove(&self, place: Place) {
        let removed = self.slots.borrow_mut().remove(place);
        if removed.is_some() {
            self.count.set(self.count.get() - 1);
        }
    }

    /// Runs the `count` tasks that were woken first, once each, until `ends` is set and no more
    /// handlers are to be called.
    pub(super) fn pass(&self, state: &mut S, count: usize, ends: &Cell<bool>) {
        for _ in 0..count {
            if ends.get() {
                return;
            }
            let Some(place) = self.queue.pop() else { return };
            let taken =
                self.slots.borrow_mut().get_mut(place).and_then(|slot| Some((slot.task.take()?, slot.waker.clone()?)));
            let Some((task, waker)) = taken else { continue };
            waker.set_running();
            let mut running = Running { tasks: self, place, task: Some(task), waker };
            running.run(state, ends);
        }
    }

    /// The owner is awake: wakes of tasks do not have to wake it.
    pub(super) fn set_awake(&self) {
        self.queue.set_awake();
    }

    /// The owner is about to wait: the next wake of a task has to wake it.
    pub(super) fn set_waiting(&self) {
        self.queue.set_waiting();
    }

    /// Drops all tasks. Dropping them may add others, which are dropped too. The slots are not
    /// borrowed meanwhile.
    pub(super) fn clear(&self) {
        while self.count.get() > 0 {
            self.count.set(0);
            let slots = std::mem::take(&mut *self.slots.borrow_mut());
            drop(slots);
        }
    }
}

/// A task that runs. Dropping this returns it to its slot, also when its handler panicked. The task
/// then runs once more, to find out whether it has ended.
struct Running<'a, S> {
    tasks: &'a Tasks<S>,
    place: Place,
    task: Option<Box<dyn Task<S>>>,
    waker: Arc<Named<Place>>,
}

impl<S> Running<'_, S> {
    fn run(&mut self, state: &mut S, ends: &Cell<bool>) {
        let waker = Waker::from(Arc::clone(&self.waker));
        let Some(task) = &mut self.task else { return };
        for _ in 0..BATCH {
            match task.step(state, &mut Context::from_waker(&waker)) {
                Step::Waits => return,
                Step::GoesOn if ends.get() => break,
                Step::GoesOn => {}
                Step::Ended => {
                    self.task = None;
                    return self.tasks.remove(self.place);
                }
            }
        }
        waker.wake();
    }
}

impl<S> Drop for Running<'_, S> {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else { return };
        let mut slots = self.tasks.slots.borrow_mut();
        // The slots may have been cleared by the task's own handler.
        let left = match slots.get_mut(self.place) {
            Some(slot) => slot.task.replace(task),
            None => Some(task),
        };
        drop(slots);
        drop(left);
        if std::thread::panicking() {
            Waker::from(Arc::clone(&self.waker)).wake();
        }
    }
}

/// A future, and the handler of its output.
pub(super) struct Once<F: Future, H> {
    future: Option<Pin<Box<F>>>,
    output: Option<F::Output>,
    handler: Option<H>,
}

impl<F: Future, H> Once<F, H> {
    pub(super) fn new(future: F, handler: H) -> Self {
        Self { future: Some(Box::pin(future)), output: None, handler: Some(handler) }
    }

    /// Polls the future. Returns `true` if there is an output.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        if let Some(future) = &mut self.future
            && let Poll::Ready(output) = future.as_mut().poll(context)
        {
            self.future = None;
            self.output = Some(output);
        }
        self.output.is_some()
    }
}

impl<S, F, H> Task<S> for Once<F, H>
where
    F: Future,
    H: FnOnce(&mut S, F::Output),
{
    fn begin(&mut self, context: &mut Context<'_>) {
        if self.poll(context) {
            // The handler is called by the next pass, never from within the method that it was
            // passed to.
            context.waker().wake_by_ref();
        }
    }

    fn step(&mut self, state: &mut S, context: &mut Context<'_>) -> Step {
        // If the handler panicked, it is gone, and the task ends.
        if self.handler.is_some() && !self.poll(context) {
            return Step::Waits;
        }
        if let (Some(handler), Some(output)) = (self.handler.take(), self.output.take()) {
            handler(state, output);
        }
        Step::Ended
    }
}

/// A source of items, and the handler of each.
pub(super) struct Each<P, H> {
    poll: P,
    handler: H,
}

impl<P, H> Each<P, H> {
    /// `poll` polls for the next item; `None` means that there are no more.
    pub(super) fn new(poll: P, handler: H) -> Self {
        Self { poll, handler }
    }
}

impl<S, T, P, H> Task<S> for Each<P, H>
where
    P: FnMut(&mut Context<'_>) -> Poll<Option<T>>,
    H: FnMut(&mut S, T),
{
    fn begin(&mut self, context: &mut Context<'_>) {
        // The first pass polls. Polling here could not call anything.
        context.waker().wake_by_ref();
    }

    fn step(&mut self, state: &mut S, context: &mut Context<'_>) -> Step {
        match (self.poll)(context) {
            Poll::Pending => Step::Waits,
            Poll::Ready(None) => Step::Ended,
            Poll::Ready(Some(thing)) => {
                (self.handler)(state, thing);
                Step::GoesOn
            }
        }
    }
}
