//! Opening on the caller's runtime, which may lack I/O or timers.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::Poll;

use tokio::runtime::Handle;

use crate::error::{Error, Result};

/// Opens a connection on the present runtime.
///
/// # Errors
///
/// Returns the errors of `opening`, or an error if there is no runtime or it has no I/O or no
/// timers. Tokio reports the latter only by a panic, which is caught here. Its message is still
/// printed, and if panics abort, the process aborts.
pub(super) async fn on_runtime<R>(opening: impl Future<Output = Result<R>>) -> Result<R> {
    if Handle::try_current().is_err() {
        return Err(Error::no_runtime("there is no tokio runtime here"));
    }
    let mut opening = pin!(opening);
    poll_fn(|context| {
        // The future is not polled again after a panic, so it need not be unwind safe.
        let polled = catch_unwind(AssertUnwindSafe(|| opening.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| match lack(&*panic) {
            Some(lack) => Poll::Ready(Err(Error::no_runtime(lack))),
            None => resume_unwind(panic),
        })
    })
    .await
}

/// What the runtime lacks, if that is what the panic reports.
fn lack(panic: &(dyn Any + Send)) -> Option<&'static str> {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&'static str>().copied())?;
    if !text.contains("Tokio 1.x") {
        return None;
    }
    Some(if text.contains("timer") || text.contains("enable_time") {
        "the tokio runtime has no timers (enable_time)"
    } else if text.contains("enable_io") {
        "the tokio runtime has no I/O (enable_io)"
    } else {
        "there is no tokio runtime here, or it is shutting down"
    })
}
