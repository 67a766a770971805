//! Sources: what is waited for, and what is known of its readiness.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::Waker;

/// The name of a source. No other source of the same [`Reactor`](super::Reactor) ever has it; it is
/// never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub usize);

/// What a source is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// Something can be read, or the other side has ended the stream.
    pub readable: bool,
    /// Something can be written.
    pub writable: bool,
}

impl Interest {
    /// Whether the source is not waited for at all.
    pub fn is_empty(self) -> bool {
        !self.readable && !self.writable
    }
}

/// What a loop is to wait for, or no more.
#[derive(Debug)]
pub enum Change {
    /// A new source.
    Add(Token, Descriptor, Interest),
    /// What a source is waited for now. Each source that was
    /// [ready](super::Reactor::handle_ready) gets one after the turn, changed or not: it arms
    /// one-shot modes anew. A loop that reports edges of both directions all the time may pass it
    /// over.
    ///
    /// A source with an [empty](Interest::is_empty) interest is best taken out of what the system
    /// waits for: systems report errors and hang-ups of whatever is registered, again and again.
    Modify(Token, Interest),
    /// A source that is gone: it is no longer waited for, then its descriptor is dropped.
    Remove(Token),
}

/// The descriptor of a source. It stays open until this is dropped, so that no other file gets its
/// number while a loop waits for it.
#[derive(Clone)]
pub struct Descriptor(pub(super) Arc<Held>);

/// What holds it open.
#[cfg(unix)]
pub(super) type Held = dyn std::os::fd::AsFd + Send + Sync;
#[cfg(not(unix))]
pub(super) type Held = std::net::TcpStream;

/// A source as a reactor knows it.
pub(super) struct Source {
    pub(super) input: Direction,
    pub(super) output: Direction,
    /// None where there is none, or the loop has been given it.
    descriptor: Option<Descriptor>,
    /// What the loop was told last, if anything.
    announced: Option<Interest>,
    /// It was ready since then: what is one-shot is spent.
    spent: bool,
    /// The other side has ended the stream.
    hung_up: bool,
    /// Why it cannot be waited for.
    failure: Option<Arc<io::Error>>,
}

/// One direction of a source. It is known by the numbers of reports: see
/// [`Reports`](super::core::Reports).
#[derive(Default)]
pub(super) struct Direction {
    /// The last report that was about this.
    reported: u64,
    /// The last report when an attempt found nothing.
    exhausted: u64,
    waker: Option<Waker>,
}

impl Source {
    /// Whether it is ready was not looked at: `report` makes that it is tried.
    pub(super) fn new(descriptor: Option<Descriptor>, report: u64) -> Self {
        let direction = || Direction { reported: report, exhausted: 0, waker: None };
        Self {
            input: direction(),
            output: direction(),
            descriptor,
            announced: None,
            spent: false,
            hung_up: false,
            failure: None,
        }
    }

    /// Gives whom to wake.
    pub(super) fn handle_ready(&mut self, readable: bool, writable: bool, report: u64) -> [Option<Waker>; 2] {
        self.spent = true;
        let input = readable.then(|| self.input.handle_ready(report)).flatten();
        let output = writable.then(|| self.output.handle_ready(report)).flatten();
        [input, output]
    }

    pub(super) fn handle_hang_up(&mut self) {
        self.hung_up = true;
    }

    pub(super) fn is_hung_up(&self) -> bool {
        self.hung_up
    }

    /// It cannot be waited for. Gives whom to wake.
    pub(super) fn handle_failed(&mut self, error: io::Error, report: u64) -> [Option<Waker>; 2] {
        self.failure = Some(Arc::new(error));
        self.handle_ready(true, true, report)
    }

    /// Why it cannot be waited for, where that is so.
    pub(super) fn failure(&self) -> Option<io::Error> {
        let failure = self.failure.as_ref()?;
        Some(io::Error::new(failure.kind(), Arc::clone(failure)))
    }

    /// Whether the loop was given it.
    pub(super) fn is_announced(&self) -> bool {
        self.announced.is_some()
    }

    /// Whether it is waited for by descriptor.
    pub(super) fn has_descriptor(&self) -> bool {
        self.is_announced() || self.descriptor.is_some()
    }

    /// What the loop is to be told of it.
    pub(super) fn poll_change(&mut self, token: Token) -> Option<Change> {
        let interest = Interest { readable: self.input.waker.is_some(), writable: self.output.waker.is_some() };
        let spent = std::mem::take(&mut self.spent);
        if let Some(descriptor) = self.descriptor.take() {
            self.announced = Some(interest);
            return Some(Change::Add(token, descriptor, interest));
        }
        let announced = self.announced.as_mut()?;
        let changed = std::mem::replace(announced, interest) != interest;
        (changed || spent).then_some(Change::Modify(token, interest))
    }
}

impl Direction {
    fn handle_ready(&mut self, report: u64) -> Option<Waker> {
        self.reported = report;
        self.waker.take()
    }

    /// Whether it may be ready, where all directions were to be tried at report `all`. If not,
    /// `waker` is woken when it may be.
    pub(super) fn is_ready_or_wakes(&mut self, all: u64, waker: &Waker) -> bool {
        let is_ready = self.reported.max(all) > self.exhausted;
        self.waker = (!is_ready).then(|| waker.clone());
        is_ready
    }

    /// An attempt found nothing. Reports up to `report` were made before it; one that was made
    /// meanwhile, on another thread, is not forgotten.
    pub(super) fn set_exhausted(&mut self, report: u64) {
        self.exhausted = report;
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Descriptor").finish_non_exhaustive()
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Descriptor {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Descriptor {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.0.as_socket()
    }
}
