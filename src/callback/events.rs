//! What happens to a connection: each event in its turn, to all who listen.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::tasks::{Step, Task};

/// A handler of events.
type Listener<S, E> = Rc<RefCell<dyn FnMut(&mut S, E)>>;

/// Who listens to one source of events.
///
/// All of them hear of one event before any hears of the next. With a queue for each, one that lags
/// behind would hear that publishing is blocked after another one has heard that it goes on.
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

/// Tells listeners of events. It owns them, so that they go with it: with the loop, or after the
/// last event.
pub(super) struct Telling<S, E, P> {
    poll: P,
    listeners: Rc<Listeners<S, E>>,
    /// What is being told, and the number of the listener who hears of it next.
    event: Option<(E, usize)>,
}

impl<S, E, P> Telling<S, E, P> {
    /// `poll` looks for the next event; none when nothing more comes.
    pub(super) fn new(poll: P, listeners: Rc<Listeners<S, E>>) -> Self {
        Self { poll, listeners, event: None }
    }
}

impl<S, E, P> Task<S> for Telling<S, E, P>
where
    E: Clone,
    P: FnMut(&mut Context<'_>) -> Poll<Option<E>>,
{
    fn begin(&mut self, context: &mut Context<'_>) {
        // The first pass looks.
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
        // Before it is called: one that panics keeps nobody else from hearing.
        *next += 1;
        let event = event.clone();
        // One that runs a pass of its own, in somebody's loop, does not hear what happens in there.
        if let Ok(mut listener) = listener.try_borrow_mut() {
            listener(state, event);
        }
        Step::GoesOn
    }
}
