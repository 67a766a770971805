//! A thread of its own for each connection.

use std::io;
use std::thread;

use super::Driving;
use crate::driver::Opened;
use crate::driver::readiness::Core;
use crate::error::ConnectError;

/// Opens a connection on a thread of its own. The thread drives the connection until it is
/// finished, in turn with threads that wait for it.
pub(crate) fn on_thread(open: impl FnOnce(&Core) -> io::Result<Opened>) -> Result<(Driving, Opened), ConnectError> {
    let start = || {
        let driving = Driving::new()?;
        let opened = open(driving.core())?;
        let drives = driving.clone();
        thread::Builder::new().name("leveret-driver".to_owned()).spawn(move || drives.run())?;
        Ok((driving, opened))
    };
    start().map_err(|error| ConnectError::no_thread(&error))
}
