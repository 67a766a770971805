//! Events of a connection: each is reported to all handlers of events before the next.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::tasks::{Step, Task};

/// A handler of events.
type Listener<S, E> = Rc<RefCell<dyn FnMut(&mut S, E)>>;

/// The handlers of one source of events.
///
/// All are called with one event before any is called with the next. If each had a queue, a slow
/// one could be called with the start of a block after another one was called with its end.
pub(super) struct Listeners<S, E>(RefCell<Vec<Listener<S, E>>>);

impl<S, E> Listeners<S, E> {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self(RefCell::default()))
    }

    pub(super) fn add(&self, listener: impl FnMut(&mut S, E) + 'static) {
        self.0.borrow_mut().push(Rc::new(RefCell::new(listener)));
    }

    fn get(&self, number: usize) -> Option<Listener<S, E>> {
        self.0.borrow().get(number).cloned()
    }
}

/// The task that calls the listeners. It owns them, so that they are dropped with it: with the
/// loop, or after the last event.
pub(super) struct Notifying<S, E, P> {
    poll: P,
    listeners: Rc<Listeners<S, E>>,
    /// The present event, and the index of the listener to call next.
    event: Option<(E, usize)>,
}

impl<S, E, P> Notifying<S, E, P> {
    /// `poll` polls for the next event; `None` means that there are no more.
    pub(super) fn new(poll: P, listeners: Rc<Listeners<S, E>>) -> Self {
        Self { poll, listeners, event: None }
    }
}

impl<S, E, P> Task<S> for Notifying<S, E, P>
where
    E: Clone,
    P: FnMut(&mut Context<'_>) -> Poll<Option<E>>,
{
    fn begin(&mut self, context: &mut Context<'_>) {
        // The first pass polls. Polling here could not call anything.
        context.waker().wake_by_ref();
    }

    fn step(&mut self, state: &mut S, context: &mut Context<'_>) -> Step {
        let Some((event, next)) = &mut self.event else {
            return match (self.poll)(context) {
                Poll::Pending => Step::Waits,
                Poll::Ready(None) => Step::Ended,
                Poll::Ready(Some(event)) => {
                    self.event = Some((event, 0));
                    Step::GoesOn
                }
            };
        };
        let Some(listener) = self.listeners.get(*next) else {
            self.event = None;
            return Step::GoesOn;
        };
        // Advanced before the call: if the listener panics, the others are still called.
        *next += 1;
        let event = event.clone();
        // A listener that runs a pass itself, in an event loop of the program, is borrowed already,
        // and is not called for what happens in that pass.
        if let Ok(mut listener) = listener.try_borrow_mut() {
            listener(state, event);
        }
        Step::GoesOn
    }
}
