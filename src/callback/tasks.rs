//! What waits for something, with the handler that is called then.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::driver::readiness::RunQueue;
use crate::engine::slots::{Place, Slab};

use crate::driver::readiness::Named;

/// Something that waits, and calls handlers with the state that they are lent.
pub(super) trait Task<S> {
    /// Looks for what has come, without calling anybody.
    fn begin(&mut self, context: &mut Context<'_>);

    /// Calls a handler for what has come, one at most.
    fn step(&mut self, state: &mut S, context: &mut Context<'_>) -> Step;
}

/// What a step of a task came to.
pub(super) enum Step {
    /// It waits, and is woken when there is something.
    Waits,
    /// There may be more at once.
    GoesOn,
    /// Nothing more comes.
    Ended,
}

/// Steps of a task in a pass, so that others have their turn.
const BATCH: usize = 64;

/// All that waits on one loop.
pub(super) struct Tasks<S> {
    queue: Arc<RunQueue<Place>>,
    /// A task that runs is not in its place.
    slots: RefCell<Slab<Slot<S>>>,
    /// Which of them run, or did when a handler panicked.
    count: Cell<usize>,
}

/// A task and who wakes it.
struct Slot<S> {
    task: Option<Box<dyn Task<S>>>,
    waker: Option<Arc<Named<Place>>>,
}

impl<S> Tasks<S> {
    /// Tasks whose owner `wake` wakes, from any thread.
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { queue: RunQueue::new(wake), slots: RefCell::default(), count: Cell::new(0) }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.count.get()
    }

    /// How many are to be run.
    pub(super) fn runnable(&self) -> usize {
        self.queue.len()
    }

    /// Wakes the owner.
    pub(super) fn wake_owner(&self) {
        self.queue.wake_owner();
    }

    /// Begins to wait: what it asks for is asked now, in the order of such calls.
    pub(super) fn add(&self, mut task: Box<dyn Task<S>>) {
        let place = self.slots.borrow_mut().insert(Slot { task: None, waker: None });
        let waker = self.queue.named(place);
        task.begin(&mut Context::from_waker(&Waker::from(Arc::clone(&waker))));
        if let Some(slot) = self.slots.borrow_mut().get_mut(place) {
            *slot = Slot { task: Some(task), waker: Some(waker) };
            self.count.set(self.count.get() + 1);
        }
    }

    /// Waits no more: its handlers are not called again.
    fn remove(&self, place: Place) {
        let removed = self.slots.borrow_mut().remove(place);
        if removed.is_some() {
            self.count.set(self.count.get() - 1);
        }
    }

    /// Runs the `count` of them that were woken first, once each, until `ends` says that no more
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

    /// The owner is awake.
    pub(super) fn set_awake(&self) {
        self.queue.set_awake();
    }

    /// The owner is about to wait.
    pub(super) fn set_waiting(&self) {
        self.queue.set_waiting();
    }

    /// Drops all of them. What they hold may add others, which are dropped too.
    pub(super) fn clear(&self) {
        while self.count.get() > 0 {
            self.count.set(0);
            let slots = std::mem::take(&mut *self.slots.borrow_mut());
            drop(slots);
        }
    }
}

/// A task that runs. It goes back to its place, after a panic of its handler too: it is asked
/// whether it is done when it runs again.
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
        // It may have been removed by its own handler.
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

/// A future, and the handler of what it gives.
pub(super) struct Once<F: Future, H> {
    future: Option<Pin<Box<F>>>,
    output: Option<F::Output>,
    handler: Option<H>,
}

impl<F: Future, H> Once<F, H> {
    pub(super) fn new(future: F, handler: H) -> Self {
        Self { future: Some(Box::pin(future)), output: None, handler: Some(handler) }
    }

    /// Whether it has what it waits for.
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
            // The handler is called by the next pass, and never from where it is given.
            context.waker().wake_by_ref();
        }
    }

    fn step(&mut self, state: &mut S, context: &mut Context<'_>) -> Step {
        // It has no handler any more where that panicked.
        if self.handler.is_some() && !self.poll(context) {
            return Step::Waits;
        }
        if let (Some(handler), Some(output)) = (self.handler.take(), self.output.take()) {
            handler(state, output);
        }
        Step::Ended
    }
}

/// Something that gives one thing after the other, and the handler of each.
pub(super) struct Each<P, H> {
    poll: P,
    handler: H,
}

impl<P, H> Each<P, H> {
    /// `poll` looks for the next one; none when nothing more comes.
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
        // The first pass looks.
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
