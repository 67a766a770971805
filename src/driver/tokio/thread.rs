//! A separate thread for a driver, with its own runtime: for programs whose tasks block their
//! runtime.

use std::future::Future;
use std::sync::Arc;
use std::thread;

use crate::driver::handing_over::{Opener, opening};
use crate::error::ConnectError;
use crate::link::Shared;

/// Opens a connection on a separate thread, and drives it there until it is finished. Dropping the
/// future cancels the open on that thread too.
pub(super) async fn on_thread<F: Future<Output = ()>>(
    open_and_drive: impl FnOnce(Opener) -> F + Send + 'static,
) -> Result<Arc<Shared>, ConnectError> {
    let (opener, opened) = opening();
    let started = thread::Builder::new().name("leveret-driver".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(open_and_drive(opener)),
            Err(error) => drop(opener.send(Err(ConnectError::no_thread(&error)))),
        }
    });
    match started {
        Ok(_) => opened.await,
        Err(error) => Err(ConnectError::no_thread(&error)),
    }
}
