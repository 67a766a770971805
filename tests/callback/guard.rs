//! A limit for tests in real time: what hangs ends the process, and says which test it was.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// More than any test takes.
const LIMIT: Duration = Duration::from_secs(60);

/// A test that runs.
pub(crate) struct Guard {
    _ends: Sender<()>,
}

impl Guard {
    pub(crate) fn new() -> Self {
        let (ends, ended) = channel::<()>();
        let test = thread::current().name().unwrap_or("a test").to_owned();
        thread::spawn(move || {
            if ended.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                drop(writeln!(std::io::stderr(), "{test} hangs"));
                std::process::abort();
            }
        });
        Self { _ends: ends }
    }
}
