//! The broker's state in the hands of a test.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::lock::Inspection;
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
/// While it lives, the broker stands still; when it is dropped, the connections that it gave
/// something to do go on. So it is for a statement or a few, and not to be held across an `await`;
/// it is not `Send` for that reason.
///
/// A thread may hold several to read, as `assert_eq!` and `println!` do with two in one statement.
/// To change something, a guard has to be the only one of its thread until it is dropped; otherwise
/// the change, or asking for the other guard, panics rather than wait for itself.
/// [`Broker::connect`](super::Broker::connect) and [`Broker::until`](super::Broker::until) panic on
/// a thread that holds a guard. So does the task of a connection that gets to run there, as it may
/// when a guard is held across an `await`: tokio keeps that panic in the task, and the client loses
/// its connection.
///
/// ```
/// let broker = leveret::broker::Broker::new();
/// assert_eq!(broker.state().queues("/").len(), broker.state().connections().len());
/// ```
///
/// # What not to call
///
/// The broker's tasks drive the [`State`]: they alone call `State::handle_*` and `State::poll_*`,
/// but for [`State::poll_deadline`]. A test that takes an event, or octets, takes them from the
/// task that waits for them, and one that ends a connection with [`State::handle_transport_lost`]
/// leaves its transport open: [`Fault::Drop`] ends both. The state itself is not to be replaced by
/// another.
///
/// [`Fault::Drop`]: crate::broker::Fault::Drop
#[must_use = "the broker stands still while this lives"]
pub struct StateGuard<'a> {
    // In the order in which they go: the lock first, then what waits for it, then the wakers.
    inspection: Inspection<'a, Held>,
    _end: End<'a>,
    wakes: Wakes,
}

/// Does what had to wait for the end of an inspection, when this is dropped.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.inspected();
    }
}

impl<'a> StateGuard<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        let mut wakes = Wakes::default();
        // What was due before is seen as done, whether or not a task has come to it yet; and what
        // is done now is done now.
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
