//! A thread of its own for each connection.

use std::cell::Cell;
use std::io;
use std::thread;

use super::Selector;
use crate::driver::Opened;
use crate::driver::readiness::Core;
use crate::error::ConnectError;

thread_local! {
    static IS_DRIVER: Cell<bool> = const { Cell::new(false) };
}

/// This thread drives a connection.
pub(crate) fn is_driver() -> bool {
    IS_DRIVER.get()
}

/// Opens a connection on a thread of its own, which drives it until it is finished.
pub(crate) fn on_thread(open: impl FnOnce(&Core) -> io::Result<Opened>) -> Result<Opened, ConnectError> {
    let start = || {
        let selector = Selector::new()?;
        let opened = open(selector.reactor().core())?;
        thread::Builder::new().name("leveret-driver".to_owned()).spawn(move || run(selector))?;
        Ok(opened)
    };
    start().map_err(|error| ConnectError::no_thread(&error))
}

/// Until there is nothing to be driven any more.
fn run(mut selector: Selector) {
    IS_DRIVER.set(true);
    while selector.reactor().connections() > 0 {
        // Where nothing can be waited for, connections are lost, and say so.
        if selector.wait(None).is_err() {
            break;
        }
        selector.reactor().turn();
    }
}
