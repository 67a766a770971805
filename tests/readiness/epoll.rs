//! A loop around epoll, in each of its modes, and one that reports late and wrongly.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use leveret::readiness::{Change, Descriptor, Interest, Reactor, Token};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::random::Random;
use super::session::Polled;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Level,
    /// Edges of both directions, all the time.
    Edge,
    /// Nothing more after an event, until it is armed anew.
    OneShot,
}

pub(crate) struct Loop {
    pub(crate) reactor: Arc<Reactor>,
    mode: Mode,
    epoll: OwnedFd,
    woken: PipeReader,
    sources: BTreeMap<Token, Waited>,
    /// The clock of the reactor, where a test turns it: nothing else moves it.
    time: Option<Arc<Mutex<Instant>>>,
    lies: Option<Lies>,
    pub(crate) turns: usize,
}

struct Waited {
    descriptor: Descriptor,
    registered: bool,
}

/// Readiness that is held back, and choices of what to say instead.
struct Lies {
    random: Random,
    held: BTreeMap<Token, (bool, bool)>,
}

/// What a wait came to.
#[derive(Default)]
struct Looked {
    ready: Vec<(Token, bool, bool)>,
    is_woken: bool,
}

/// No source has this name.
const WOKEN: u64 = 0;

impl Loop {
    pub(crate) fn new(mode: Mode) -> Self {
        Self::with(mode, None)
    }

    /// One whose time is turned by the test.
    pub(crate) fn timeless(mode: Mode) -> Self {
        Self::with(mode, Some(Arc::new(Mutex::new(Instant::now()))))
    }

    /// One that reports late, twice, and what is not so.
    pub(crate) fn lying(seed: u64) -> Self {
        let lies = Lies { random: Random(seed), held: BTreeMap::new() };
        Self { lies: Some(lies), ..Self::new(Mode::Level) }
    }

    fn with(mode: Mode, time: Option<Arc<Mutex<Instant>>>) -> Self {
        let (woken, wake) = io::pipe().unwrap();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        epoll::add(&epoll, &woken, epoll::EventData::new_u64(WOKEN), epoll::EventFlags::IN).unwrap();
        let clock = time.clone();
        let now = move || clock.as_ref().map_or_else(Instant::now, |time| *time.lock().unwrap());
        let reactor = Arc::new(Reactor::with_clock(now, move || (&wake).write_all(&[0]).unwrap()));
        Self { reactor, mode, epoll, woken, sources: BTreeMap::new(), time, lies: None, turns: 0 }
    }

    pub(crate) fn now(&self) -> Instant {
        self.time.as_ref().map_or_else(Instant::now, |time| *time.lock().unwrap())
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.time.as_ref().unwrap().lock().unwrap() += time;
    }

    /// How many sources are waited for.
    pub(crate) fn sources(&self) -> usize {
        self.sources.len()
    }

    /// Runs until a future is done.
    pub(crate) fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = Polled::new(future);
        loop {
            if let Some(output) = future.poll() {
                return output;
            }
            self.round(!future.is_woken());
        }
    }

    /// Runs until nothing is due. Whatever comes later comes from outside.
    pub(crate) fn settle(&mut self) {
        while self.is_due() {
            self.round(false);
        }
    }

    /// Something is to be done now: readiness is reported, or a turn is due.
    pub(crate) fn is_due(&mut self) -> bool {
        self.apply_changes();
        let is_late = self.reactor.deadline().is_some_and(|deadline| deadline <= self.now());
        let looked = self.look(Some(Duration::ZERO));
        // Looked at, and not used up: edges come once.
        for (token, readable, writable) in &looked.ready {
            self.reactor.handle_ready(*token, *readable, *writable);
        }
        is_late || looked.is_woken || !looked.ready.is_empty()
    }

    /// Waits, if it may, and takes a turn.
    pub(crate) fn round(&mut self, may_wait: bool) {
        self.apply_changes();
        let deadline = self.reactor.deadline();
        let limit = match deadline {
            _ if !may_wait || self.lies.as_mut().is_some_and(Lies::goes_on) => Some(Duration::ZERO),
            Some(deadline) if deadline <= self.now() => Some(Duration::ZERO),
            Some(deadline) if self.time.is_none() => Some(deadline - self.now() + Duration::from_micros(999)),
            // Time does not pass while this waits.
            _ => None,
        };
        let looked = self.look(limit);
        let is_due = deadline.is_some_and(|deadline| deadline <= self.now());
        let has_cause = looked.is_woken || !looked.ready.is_empty() || is_due || limit == Some(Duration::ZERO);
        assert!(has_cause, "a wait ended without a cause");
        match &mut self.lies {
            Some(lies) => lies.report(&self.reactor, looked.ready),
            None => looked.ready.iter().for_each(|(token, r, w)| self.reactor.handle_ready(*token, *r, *w)),
        }
        self.turn();
    }

    pub(crate) fn turn(&mut self) {
        self.reactor.turn();
        self.turns += 1;
    }

    fn look(&mut self, limit: Option<Duration>) -> Looked {
        let limit = limit.map(|limit| Timespec::try_from(limit).unwrap());
        let mut events = Vec::with_capacity(64);
        epoll::wait(&self.epoll, spare_capacity(&mut events), limit.as_ref()).unwrap();
        let mut looked = Looked::default();
        for event in events {
            if event.data.u64() == WOKEN {
                self.woken.read_exact(&mut [0]).unwrap();
                looked.is_woken = true;
                continue;
            }
            let both = epoll::EventFlags::ERR | epoll::EventFlags::HUP;
            // Copied: it is packed.
            let flags = event.flags;
            let token = Token(usize::try_from(event.data.u64()).unwrap());
            let readable = flags.intersects(epoll::EventFlags::IN | both);
            looked.ready.push((token, readable, flags.intersects(epoll::EventFlags::OUT | both)));
        }
        looked
    }

    fn apply_changes(&mut self) {
        while let Some(change) = self.reactor.poll_change() {
            match change {
                Change::Add(token, descriptor, interest) => {
                    let before = self.sources.insert(token, Waited { descriptor, registered: false });
                    assert!(before.is_none(), "{token:?} was there before");
                    self.register(token, interest);
                }
                Change::Modify(token, interest) if self.mode != Mode::Edge => self.register(token, interest),
                Change::Modify(token, _) => assert!(self.sources.contains_key(&token)),
                Change::Remove(token) => {
                    let waited = self.sources.remove(&token).unwrap();
                    if waited.registered {
                        epoll::delete(&self.epoll, &waited.descriptor).unwrap();
                    }
                }
            }
        }
    }

    fn register(&mut self, token: Token, interest: Interest) {
        let waited = self.sources.get_mut(&token).unwrap();
        let is_wanted = self.mode == Mode::Edge || !interest.is_empty();
        let (data, flags) = (epoll::EventData::new_u64(token.0 as u64), flags(self.mode, interest));
        match (waited.registered, is_wanted) {
            (false, true) => epoll::add(&self.epoll, &waited.descriptor, data, flags).unwrap(),
            (true, true) => epoll::modify(&self.epoll, &waited.descriptor, data, flags).unwrap(),
            (true, false) => epoll::delete(&self.epoll, &waited.descriptor).unwrap(),
            (false, false) => {}
        }
        waited.registered = is_wanted;
    }
}

fn flags(mode: Mode, interest: Interest) -> epoll::EventFlags {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN, interest.readable || mode == Mode::Edge);
    flags.set(epoll::EventFlags::OUT, interest.writable || mode == Mode::Edge);
    flags.set(epoll::EventFlags::ET, mode == Mode::Edge);
    flags.set(epoll::EventFlags::ONESHOT, mode == Mode::OneShot);
    flags
}

impl Lies {
    /// It does not wait this time.
    fn goes_on(&mut self) -> bool {
        !self.held.is_empty() || self.random.one_in(8)
    }

    /// Reports what is ready sooner or later, and more.
    fn report(&mut self, reactor: &Reactor, ready: Vec<(Token, bool, bool)>) {
        for (token, readable, writable) in ready {
            let held = self.held.entry(token).or_default();
            *held = (held.0 || readable, held.1 || writable);
        }
        let Self { random, held } = self;
        for (token, (readable, writable)) in held.extract_if(.., |_, _| !random.one_in(3)).collect::<Vec<_>>() {
            reactor.handle_ready(token, readable, writable);
            if random.one_in(4) {
                reactor.turn();
                reactor.handle_ready(token, readable, writable);
            }
        }
        // Sources that are there, that are gone, and that there never will be.
        let nonsense = Token(random.below(40));
        reactor.handle_ready(nonsense, random.one_in(2), random.one_in(2));
        if random.one_in(8) {
            reactor.turn();
        }
    }
}
