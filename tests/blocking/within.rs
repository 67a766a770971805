//! A guard for whatever may hang.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Long for whatever happens at once, on a machine that does something else as well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs something on a thread of its own. Panics where it panics, and where it has not ended in
/// [`PATIENCE`].
pub(crate) fn in_time<T: Send + 'static>(doing: impl FnOnce() -> T + Send + 'static) -> T {
    within(PATIENCE, doing)
}

/// The same with another limit.
pub(crate) fn within<T: Send + 'static>(limit: Duration, doing: impl FnOnce() -> T + Send + 'static) -> T {
    let (ending, ended) = channel::<()>();
    let thread = thread::spawn(move || {
        let _ending = ending;
        doing()
    });
    // Nothing is ever sent: it ends with the thread, after its last value is dropped.
    assert_ne!(ended.recv_timeout(limit), Err(RecvTimeoutError::Timeout), "it hangs: it has had {limit:?}");
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}
