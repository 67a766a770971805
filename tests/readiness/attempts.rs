//! Streams that are reported while they are tried, and that meddle with the reactor.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, OnceLock, Weak};

use leveret::ConnectionParameters;
use leveret::readiness::{Reactor, Token};

use super::memory::{End, Report, World};
use super::session::session;

/// A stream that first has nothing whenever it has something, and is reported by another thread
/// right then, before the attempt has said so: nothing reports it again.
struct Raced {
    end: End,
    reactor: Weak<Reactor>,
    token: Arc<OnceLock<Token>>,
    has_nothing: bool,
}

impl Read for Raced {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.has_nothing = !self.has_nothing && self.end.has_input();
        if !self.has_nothing {
            return self.end.read(buffer);
        }
        let (reactor, token) = (self.reactor.upgrade().unwrap(), *self.token.get().unwrap());
        // A turn within a turn does nothing, on this thread and on another one.
        reactor.turn();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                reactor.handle_ready(token, true, false);
                reactor.turn();
            });
        });
        Err(ErrorKind::WouldBlock.into())
    }
}

impl Write for Raced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.end.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.end.flush()
    }
}

#[test]
fn what_is_reported_during_an_attempt_is_not_forgotten() {
    let mut world = World::new(64 * 1024, Report::Edge, ConnectionParameters::default());
    let (reactor, token) = (Arc::downgrade(&world.reactor), Arc::new(OnceLock::new()));
    let known = Arc::clone(&token);
    let opening = world.open_as(|end| Raced { end, reactor, token: known, has_nothing: false });
    token.set(world.token()).unwrap();
    let begun = world.now();
    world.run(session(opening, "burrow", 20));
    assert_eq!(world.now(), begun, "no deadline had to help");
}
