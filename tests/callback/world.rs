//! A loop in virtual time: tokio's paused clock is the reactor's, and pipes in memory are its
//! streams, of which scripted peers hold the other ends.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use leveret::ConnectionParameters;
use leveret::callback::{Connection, Handle, Handlers};
use leveret::readiness::{Reactor, Token};
use leveret_test_support::Peer;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

const CAPACITY: usize = 512 * 1024;

/// Handlers, and the reactor that drives their connections.
pub(crate) struct World<S: 'static> {
    reactor: Reactor,
    handlers: Rc<Handlers<S>>,
    woken: Arc<Notify>,
    sources: RefCell<Vec<(Token, Arc<Readiness>)>>,
}

/// Whether a stream may have become ready since this was last asked.
struct Readiness {
    is_ready: AtomicBool,
    woken: Arc<Notify>,
}

impl Wake for Readiness {
    fn wake(self: Arc<Self>) {
        self.is_ready.store(true, Ordering::Release);
        self.woken.notify_one();
    }
}

/// A pipe that reads and writes at once, or says `WouldBlock`.
struct Pipe {
    stream: DuplexStream,
    waker: Waker,
}

impl Pipe {
    fn at_once<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
        match polled {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(octets);
        let mut context = Context::from_waker(&self.waker);
        Self::at_once(Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer))?;
        Ok(buffer.filled().len())
    }
}

impl Write for Pipe {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut context = Context::from_waker(&self.waker);
        Self::at_once(Pin::new(&mut self.stream).poll_write(&mut context, octets))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: 'static> World<S> {
    /// To be made where a runtime's clock is paused.
    pub(crate) fn new() -> Self {
        let woken = Arc::new(Notify::new());
        let wakes = Arc::clone(&woken);
        let wake = move || wakes.notify_one();
        let reactor = Reactor::with_clock(|| Instant::now().into_std(), wake);
        let handlers = Rc::new(Handlers::new(&reactor));
        Self { reactor, handlers, woken, sources: RefCell::default() }
    }

    pub(crate) fn handle(&self) -> &Handle<S> {
        self.handlers.handle()
    }

    /// Begins to open a connection to a peer, which is at the other end of what it is opened on.
    pub(crate) fn open(
        &self,
        parameters: ConnectionParameters,
        on_open: impl FnOnce(&mut S, &Connection<S>, leveret::Result<()>) + 'static,
    ) -> (Connection<S>, Peer) {
        let (stream, peer) = Peer::new(CAPACITY);
        (self.open_on(stream, parameters, on_open), peer)
    }

    pub(crate) fn open_on(
        &self,
        stream: DuplexStream,
        parameters: ConnectionParameters,
        on_open: impl FnOnce(&mut S, &Connection<S>, leveret::Result<()>) + 'static,
    ) -> Connection<S> {
        Connection::wait_for(self.handle(), self.opening(stream, parameters), on_open)
    }

    /// Begins to open a connection of which no handler hears.
    pub(crate) fn opening(
        &self,
        stream: DuplexStream,
        parameters: ConnectionParameters,
    ) -> impl Future<Output = leveret::Result<leveret::Connection>> + 'static + use<S> {
        let readiness = Arc::new(Readiness { is_ready: AtomicBool::new(false), woken: Arc::clone(&self.woken) });
        let pipe = Pipe { stream, waker: Waker::from(Arc::clone(&readiness)) };
        let (token, opening) = self.reactor.open_on(pipe, parameters).unwrap();
        self.sources.borrow_mut().push((token, readiness));
        opening
    }

    /// One turn and one pass, of what is due now.
    pub(crate) fn turn(&self, state: &mut S) {
        for (token, readiness) in &*self.sources.borrow() {
            if readiness.is_ready.swap(false, Ordering::AcqRel) {
                self.reactor.handle_ready(*token, true, true);
            }
        }
        self.reactor.turn();
        self.handlers.pass(state);
    }

    /// Waits until something is due.
    async fn wait(&self) {
        let due = self.reactor.deadline().into_iter().chain(self.handlers.deadline()).min();
        match due.map(Instant::from_std) {
            Some(due) if due <= Instant::now() => tokio::task::yield_now().await,
            Some(due) => tokio::select! {
                () = self.woken.notified() => {}
                () = sleep_until(due) => {}
            },
            None => self.woken.notified().await,
        }
    }

    /// Runs as `EventLoop::run_until` does.
    pub(crate) async fn run_until(&self, state: &mut S, mut done: impl FnMut(&S) -> bool) {
        while !self.handlers.takes_stop() && !done(state) && !self.handlers.is_idle() {
            self.wait().await;
            self.turn(state);
        }
    }

    pub(crate) async fn run(&self, state: &mut S) {
        self.run_until(state, |_| false).await;
    }

    /// Runs until it is not polled any more, idle or not.
    pub(crate) async fn run_for_ever(&self, state: &mut S) {
        loop {
            self.wait().await;
            self.turn(state);
        }
    }

    /// Runs while something else is done, and gives what that gives.
    pub(crate) async fn run_while<T>(&self, state: &mut S, doing: impl Future<Output = T>) -> T {
        tokio::select! {
            done = doing => done,
            () = self.run_for_ever(state) => unreachable!("it runs for ever"),
        }
    }
}
