//! A thread of its own for each connection.

use std::cell::Cell;
use std::future::Future;
use std::io;
#[cfg(unix)]
use std::io::{Read, Write};
use std::thread;

use super::Selector;
use crate::config::ConnectionParameters;
use crate::driver::connect;
use crate::driver::handing_over::{Opened, open_and_drive, opening};
#[cfg(unix)]
use crate::driver::readiness::ReadyStream;
use crate::driver::readiness::{Reactor, Tcp};
use crate::error::ConnectError;

thread_local! {
    static IS_DRIVER: Cell<bool> = const { Cell::new(false) };
}

/// This thread drives a connection.
pub(crate) fn is_driver() -> bool {
    IS_DRIVER.get()
}

/// Opens a connection over the network on a thread of its own, which drives it until it is
/// finished.
pub(crate) fn open(parameters: ConnectionParameters) -> Result<Opened, ConnectError> {
    let (opener, opened) = opening();
    on_thread(|reactor| {
        Ok(async move {
            let network = Tcp(reactor.clone());
            open_and_drive(reactor, connect::open_over(&network, &parameters), opener).await;
        })
    })?;
    Ok(opened)
}

/// The same on a socket of the caller's.
#[cfg(unix)]
pub(crate) fn open_on<T>(socket: T, parameters: ConnectionParameters) -> Result<Opened, ConnectError>
where
    T: Read + Write + std::os::fd::AsFd + Send + Unpin + 'static,
{
    let (opener, opened) = opening();
    on_thread(|reactor| {
        let stream = ReadyStream::of_given(socket, &reactor)?;
        Ok(async move {
            let runtime = reactor.clone();
            open_and_drive(runtime, connect::open_on(&reactor, stream, &parameters), opener).await;
        })
    })?;
    Ok(opened)
}

/// Runs a task on a thread of its own.
fn on_thread<F>(task: impl FnOnce(Reactor) -> io::Result<F>) -> Result<(), ConnectError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let start = || {
        let selector = Selector::new()?;
        let reactor = selector.reactor();
        reactor.spawn(task(reactor.clone())?);
        thread::Builder::new().name("leveret-driver".to_owned()).spawn(move || run(selector))
    };
    start().map(drop).map_err(|error| ConnectError::no_thread(&error))
}

/// Until there is nothing to be driven any more.
fn run(mut selector: Selector) {
    IS_DRIVER.set(true);
    // Where nothing can be waited for, connections are lost, and say so.
    while selector.reactor().connections() > 0 && selector.pass(None).is_ok() {}
    selector.reactor().close();
}
