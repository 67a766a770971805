//! A loop of its own, and a broker at a TCP port, in real time.

use std::cell::RefCell;
use std::rc::Rc;

use leveret::broker::State;
use leveret::callback::{Channel, Connection, EventLoop};

use super::guard::Guard;
use super::host::Host;

pub(crate) struct Rig<S: 'static> {
    pub(crate) event_loop: EventLoop<S>,
    pub(crate) host: Host,
    _guard: Guard,
}

/// What somebody waits for.
pub(crate) struct Answer<T>(Rc<RefCell<Option<T>>>);

impl<T> Answer<T> {
    pub(crate) fn give(self, value: T) {
        self.0.replace(Some(value));
    }
}

impl<S: 'static> Rig<S> {
    pub(crate) fn new() -> Self {
        Self { event_loop: EventLoop::new().unwrap(), host: Host::new(), _guard: Guard::new() }
    }

    /// Asks for something, and runs until it is there.
    pub(crate) fn wait<T: 'static>(&mut self, state: &mut S, ask: impl FnOnce(&mut EventLoop<S>, Answer<T>)) -> T {
        let answer = Rc::new(RefCell::new(None));
        ask(&mut self.event_loop, Answer(Rc::clone(&answer)));
        self.event_loop.run_until(state, |_| answer.borrow().is_some()).unwrap();
        answer.take().expect("it was answered before the loop had nothing to do")
    }

    /// A connection that is open.
    pub(crate) fn connect(&mut self, state: &mut S) -> Connection<S> {
        let url = self.host.url.clone();
        self.wait(state, |event_loop, answer| {
            Connection::open(event_loop, url.as_str(), |_, connection, opened| {
                opened.unwrap();
                answer.give(connection.clone());
            })
            .unwrap();
        })
    }

    /// A channel that is open.
    pub(crate) fn channel(&mut self, state: &mut S, connection: &Connection<S>) -> Channel<S> {
        self.wait(state, |_, answer| connection.open_channel(|_, _, channel| answer.give(channel.unwrap())))
    }

    /// Runs passes until the broker says so.
    pub(crate) fn until(&mut self, state: &mut S, done: impl Fn(&State) -> bool) {
        while !done(&self.host.broker.state()) {
            self.event_loop.pass(state, Some(std::time::Duration::from_millis(1))).unwrap();
        }
    }
}
