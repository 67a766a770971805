//! Access of a test to the broker's state.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::lock::Inspection;
use super::now;
use super::shared::{Held, Shared, Wakes};
use crate::broker::State;

/// Access to the state of a [`Broker`](super::Broker), to inspect it and to inject faults.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
/// use leveret::{Connection, broker::{Broker, Fault, Target}};
///
/// let broker = Broker::new();
/// broker.state().inject(Target::Next, Fault::Drop);
/// assert!(Connection::open_on(broker.connect(), "amqp://localhost").await.is_err());
/// Connection::open_on(broker.connect(), "amqp://localhost").await?;
/// # Ok(()) }
/// ```
///
/// The broker makes no progress while the guard exists. When it is dropped, the connections that it
/// gave something to do continue. It is meant for a few statements, and must not be held across an
/// `await`; for that reason it is not `Send`.
///
/// A thread may hold several guards to read, as `assert_eq!` and `println!` do with two in one
/// statement. To change something, a guard has to be the only one of its thread until it is
/// dropped; otherwise the change, or the request for the other guard, panics instead of
/// deadlocking. [`Broker::connect`](super::Broker::connect) and
/// [`Broker::until`](super::Broker::until) panic on a thread that holds a guard. The task of a
/// connection that runs on such a thread panics too, which can happen if a guard is held across an
/// `await`: tokio catches that panic in the task, and the client loses its connection.
///
/// ```
/// let broker = leveret::broker::Broker::new();
/// assert_eq!(broker.state().queues("/").len(), broker.state().connections().len());
/// ```
///
/// # Methods that must not be called
///
/// The broker's tasks drive the [`State`]: only they call `State::handle_*` and `State::poll_*`,
/// except [`State::poll_deadline`]. A test that takes an event or output takes it from the task
/// that waits for it. A test that ends a connection with [`State::handle_transport_lost`] leaves
/// its transport open: [`Fault::Drop`] ends both. The state must not be replaced by another one.
///
/// [`Fault::Drop`]: crate::broker::Fault::Drop
#[must_use = "the broker makes no progress while this exists"]
pub struct StateGuard<'a> {
    // Fields are dropped in this order: the lock first, then what waits for it, then the wakers.
    inspection: Inspection<'a, Held>,
    _end: End<'a>,
    wakes: Wakes,
}

/// When dropped, does what had to wait for the end of an inspection.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.inspected();
    }
}

impl<'a> StateGuard<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        let mut wakes = Wakes::default();
        // What was due before is done first, even if no task has handled it yet, so that a test
        // sees the state of the present time.
        let inspection = shared.inspect(|held| {
            if held.catch_up(now()) {
                wakes = held.settle_time();
            }
        });
        Self { inspection, _end: End(shared), wakes }
    }
}

impl Deref for StateGuard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.inspection.value().state
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.inspection.value_mut().state
    }
}

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        if let Some(held) = self.inspection.changed() {
            self.wakes.append(held.settle_time());
        }
    }
}

impl fmt::Debug for StateGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateGuard").finish_non_exhaustive()
    }
}
