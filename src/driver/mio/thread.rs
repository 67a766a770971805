//! A thread of its own for each connection.

use std::cell::Cell;
use std::io;
use std::thread;

use super::{Selector, Waited};
use crate::driver::Opened;
use crate::driver::readiness::Reactor;
use crate::error::ConnectError;

thread_local! {
    static IS_DRIVER: Cell<bool> = const { Cell::new(false) };
}

/// This thread drives a connection.
pub(crate) fn is_driver() -> bool {
    IS_DRIVER.get()
}

/// Opens a connection on a thread of its own, which drives it until it is finished.
pub(crate) fn on_thread(open: impl FnOnce(&Reactor) -> io::Result<Opened>) -> Result<Opened, ConnectError> {
    let start = || {
        let selector = Selector::new()?;
        let opened = open(selector.reactor())?;
        thread::Builder::new().name("leveret-driver".to_owned()).spawn(move || run(selector))?;
        Ok(opened)
    };
    start().map_err(|error| ConnectError::no_thread(&error))
}

/// Until there is nothing to be driven any more.
fn run(mut selector: Selector) {
    IS_DRIVER.set(true);
    let reactor = selector.reactor().clone();
    while reactor.connections() > 0 {
        match selector.wait(None) {
            Ok(Waited::Looked) => reactor.turn(),
            Ok(Waited::Interrupted) => {}
            // Where nothing can be waited for, connections are lost, and say so.
            Err(_) => break,
        }
    }
    reactor.close();
}
