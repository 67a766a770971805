//! Sockets of the caller that can be made again after they were lost.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use super::core::Core;
use super::stream::{Given, ReadyStream};
use crate::config::ConnectionParameters;
use crate::driver::connect::{self, Agreed};
use crate::driver::handing_over::{Opened, open_and_supervise, opening};
use crate::driver::runtime::Runtime;
use crate::driver::supervise::Dialer;
use crate::error::ConnectError;

/// A function of the caller that makes sockets, with what is agreed on them.
struct Connecting<F> {
    core: Core,
    /// It may block, so each call of it has a thread of its own.
    connect: Arc<F>,
    parameters: ConnectionParameters,
}

impl<F, T> Dialer for Connecting<F>
where
    F: Fn() -> io::Result<T> + Send + Sync + 'static,
    T: Read + Write + AsFd + Send + Unpin + 'static,
{
    type Stream = ReadyStream<Given<T>>;

    async fn dial(&self, _again: bool) -> Result<Agreed<Self::Stream>, ConnectError> {
        let connect = Arc::clone(&self.connect);
        let making = async {
            let made = self.core.elsewhere(move || connect()).await.flatten();
            made.and_then(|socket| ReadyStream::of_given(socket, &self.core))
        };
        connect::open_on_made(&self.core, making, &self.parameters).await
    }

    fn parameters(&self) -> &ConnectionParameters {
        &self.parameters
    }
}

impl Core {
    /// Opens a connection on sockets that a function makes: the first now, and others after each
    /// loss.
    pub(crate) fn begin_open_with<F, T>(&self, connect: F, parameters: ConnectionParameters) -> Opened
    where
        F: Fn() -> io::Result<T> + Send + Sync + 'static,
        T: Read + Write + AsFd + Send + Unpin + 'static,
    {
        let (opener, opened) = opening();
        let dialer = Connecting { core: self.clone(), connect: Arc::new(connect), parameters };
        self.spawn(open_and_supervise(self.clone(), dialer, opener));
        opened
    }
}
