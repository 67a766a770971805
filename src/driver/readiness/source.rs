//! Sources: the sockets and streams to wait for, and what is known of their readiness.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::Waker;

/// The name of a source. A [`Reactor`](super::Reactor) never uses a name twice, and never uses 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub usize);

/// The kinds of readiness for which a source is to be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// Wait until the source is readable: there is something to read, or the other side has ended
    /// the stream.
    pub readable: bool,
    /// Wait until the source is writable.
    pub writable: bool,
}

impl Interest {
    /// Returns `true` if the source is not to be waited for.
    pub fn is_empty(self) -> bool {
        !self.readable && !self.writable
    }
}

/// A change of what a loop has to wait for.
#[derive(Debug)]
pub enum Change {
    /// Wait for a new source.
    Add(Token, Descriptor, Interest),
    /// Wait for this interest of a source from now on. There is a `Modify` after the turn for each
    /// source that was reported as [ready](super::Reactor::handle_ready), even if its interest is
    /// the same: it arms one-shot modes again. A loop that always waits for the edges of both
    /// directions may ignore it.
    ///
    /// While the interest of a source is [empty](Interest::is_empty), remove the source from the
    /// selector: operating systems repeatedly report errors and hang-ups of every source that is
    /// registered.
    Modify(Token, Interest),
    /// Remove a source: first stop waiting for it, then drop its descriptor.
    Remove(Token),
}

/// The descriptor of a source. It stays open until this value and its clones are dropped, so that
/// no other file gets its number while a loop waits for it.
#[derive(Clone)]
pub struct Descriptor(pub(super) Arc<Held>);

/// What keeps a descriptor open.
#[cfg(unix)]
pub(super) type Held = dyn std::os::fd::AsFd + Send + Sync;
#[cfg(not(unix))]
pub(super) type Held = std::net::TcpStream;

/// What a reactor knows of a source.
pub(super) struct Source {
    pub(super) input: Direction,
    pub(super) output: Direction,
    /// `None` if the source has no descriptor, or after the loop has got it.
    descriptor: Option<Descriptor>,
    /// The interest that was reported to the loop last, or `None` if none was.
    announced: Option<Interest>,
    /// The source was ready since then, so that a one-shot registration is used up.
    spent: bool,
    /// The other side has ended the stream.
    hung_up: bool,
    /// Why the loop cannot wait for it.
    failure: Option<Arc<io::Error>>,
}

/// One direction of a source. Its readiness is known by the numbers of reports: see
/// [`Reports`](super::core::Reports).
#[derive(Default)]
pub(super) struct Direction {
    /// The last report that was about this direction.
    reported: u64,
    /// The last report that was made before an attempt that found nothing.
    exhausted: u64,
    waker: Option<Waker>,
}

impl Source {
    /// Makes a source of unknown readiness: `report` makes the reactor try it.
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

    /// Handles a report of readiness. Returns the wakers to call.
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

    /// Handles that the loop cannot wait for the source. Returns the wakers to call.
    pub(super) fn handle_failed(&mut self, error: io::Error, report: u64) -> [Option<Waker>; 2] {
        self.failure = Some(Arc::new(error));
        self.handle_ready(true, true, report)
    }

    /// Returns why the loop cannot wait for the source, if that is so.
    pub(super) fn failure(&self) -> Option<io::Error> {
        let failure = self.failure.as_ref()?;
        Some(io::Error::new(failure.kind(), Arc::clone(failure)))
    }

    /// Whether the loop has got its descriptor.
    pub(super) fn is_announced(&self) -> bool {
        self.announced.is_some()
    }

    /// Whether the loop waits for it by a descriptor.
    pub(super) fn has_descriptor(&self) -> bool {
        self.is_announced() || self.descriptor.is_some()
    }

    /// Returns the change to report to the loop, if there is one.
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

    /// Whether it may be ready, if all directions were to be tried at report `all`. If not, keeps
    /// `waker` to wake it when it may be.
    pub(super) fn is_ready_or_wakes(&mut self, all: u64, waker: &Waker) -> bool {
        let is_ready = self.reported.max(all) > self.exhausted;
        self.waker = (!is_ready).then(|| waker.clone());
        is_ready
    }

    /// An attempt found nothing. It proves nothing about reports after `report`, which another
    /// thread may have made during the attempt.
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
