//! A loop that was not made for this crate: it waits with poll(2), level-triggered, and drives
//! connections by the calls that the crate has for loops.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use leveret::readiness::{Change, Descriptor, Interest, Reactor, Token};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// One loop for the connections of all scenarios.
static REACTOR: LazyLock<Reactor> = LazyLock::new(|| {
    let (waking, woken) = UnixStream::pair().expect("a pair of sockets");
    for socket in [&waking, &woken] {
        socket.set_nonblocking(true).expect("a socket has this option");
    }
    // Where the socket is full, whoever waits is woken already.
    let reactor = Reactor::new(move || drop((&waking).write(&[1])));
    // The thread waits here until the reactor is in its place.
    let run = move || Waiting { reactor: &REACTOR, woken, sources: BTreeMap::new() }.run();
    std::thread::Builder::new().name("foreign loop".to_owned()).spawn(run).expect("a thread for the loop");
    reactor
});

/// What the loop drives.
pub(super) fn reactor() -> &'static Reactor {
    &REACTOR
}

/// The loop.
struct Waiting {
    reactor: &'static Reactor,
    woken: UnixStream,
    sources: BTreeMap<Token, (Descriptor, Interest)>,
}

impl Waiting {
    fn run(mut self) {
        loop {
            while let Some(change) = self.reactor.poll_change() {
                self.follow(change);
            }
            for (token, readable, writable) in self.wait() {
                self.reactor.handle_ready(token, readable, writable);
            }
            self.reactor.turn();
        }
    }

    fn follow(&mut self, change: Change) {
        match change {
            Change::Add(token, descriptor, interest) => {
                self.sources.insert(token, (descriptor, interest));
            }
            Change::Modify(token, interest) => {
                if let Some(source) = self.sources.get_mut(&token) {
                    source.1 = interest;
                }
            }
            Change::Remove(token) => drop(self.sources.remove(&token)),
        }
    }

    /// Waits for what is waited for, and gives which may be read and which written.
    fn wait(&self) -> Vec<(Token, bool, bool)> {
        let awaited: Vec<_> = self.sources.iter().filter(|(_, (_, interest))| !flags(*interest).is_empty()).collect();
        let mut descriptors = vec![PollFd::new(&self.woken, PollFlags::IN)];
        descriptors.extend(awaited.iter().map(|(_, (descriptor, interest))| PollFd::new(descriptor, flags(*interest))));
        let left = self.reactor.deadline().map(|until| until.saturating_duration_since(Instant::now()));
        match poll(&mut descriptors, left.map(timespec).as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
        drain(&self.woken);
        let ready = |(awaited, polled): (&(&Token, _), &PollFd<'_>)| {
            let over = PollFlags::ERR | PollFlags::HUP;
            let may = |way| polled.revents().intersects(over | way);
            (*awaited.0, may(PollFlags::IN), may(PollFlags::OUT))
        };
        awaited.iter().zip(descriptors.iter().skip(1)).map(ready).collect()
    }
}

fn flags(interest: Interest) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, interest.readable);
    flags.set(PollFlags::OUT, interest.writable);
    flags
}

fn timespec(left: Duration) -> Timespec {
    left.try_into().expect("a time that a system can wait")
}

/// Takes the octets that woke the loop.
fn drain(mut woken: &UnixStream) {
    let mut octets = [0; 64];
    while match woken.read(&mut octets) {
        Ok(count) => count > 0,
        Err(error) => error.kind() == ErrorKind::Interrupted,
    } {}
}
