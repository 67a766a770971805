//! The broker's state in the hands of a test.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use super::now;
use super::shared::{Held, Shared, Wakes};
use crate::broker::State;

/// The state of a [`Broker`](super::Broker), to inspect it and to inject faults.
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
/// While it lives, the broker stands still; when it is dropped, the connections that it gave something to do go on. So it
/// is for a statement or a few, and not to be held across an `await`: it is not `Send` for that reason, and a thread that
/// asks for another one, or whose runtime gets to run a connection, panics instead of waiting for itself.
#[must_use = "the broker stands still while this lives"]
pub struct StateGuard<'a> {
    // In the order in which they go: the lock first, then the wakers.
    held: MutexGuard<'a, Held>,
    wakes: Wakes,
    shared: &'a Shared,
}

impl<'a> StateGuard<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        let held = shared.lock();
        shared.set_inspected(true);
        let mut guard = Self { held, wakes: Wakes::default(), shared };
        // What was due before is seen as done, whether or not a task has come to it yet; and what is done now is done now.
        guard.held.state.handle_timeout(now());
        guard
    }
}

impl Deref for StateGuard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.held.state
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.held.state
    }
}

impl Drop for StateGuard<'_> {
    fn drop(&mut self) {
        self.wakes = self.held.settle_time();
        self.shared.set_inspected(false);
    }
}

impl fmt::Debug for StateGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateGuard").finish_non_exhaustive()
    }
}
