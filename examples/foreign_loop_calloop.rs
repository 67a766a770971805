//! A connection in an event loop of calloop, as a few of its sources.
//!
//! `cargo run --no-default-features --features callback,broker --example foreign_loop_calloop`
//! connects to the broker in `AMQP_URL`, or to an embedded one.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

#[path = "support/broker.rs"]
mod broker;
#[path = "support/session.rs"]
mod session;

use std::collections::BTreeMap;
use std::error::Error;

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventLoop, LoopHandle, Mode, PostAction, RegistrationToken, ping};
use leveret::callback::{Connection, Handlers};
use leveret::readiness::{Change, Descriptor, Interest, Reactor, Token};
use session::Session;

/// The state that the callbacks of the loop share.
struct App {
    client: Client,
    session: Session,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut event_loop = EventLoop::<App>::try_new()?;
    let client = Client::new(event_loop.handle())?;
    let mut app = App { client, session: Session::default() };
    Connection::open_in(app.client.handlers.handle(), broker::url()?, session::on_open)?;

    let signal = event_loop.get_signal();
    // Other sources of the application would be in this loop too. The client takes its turn after
    // each round of the loop, whatever caused it.
    app.client.prepare_wait()?;
    event_loop.run(None, &mut app, |app| {
        app.client.reactor.turn();
        app.client.handlers.pass(&mut app.session);
        if app.client.handlers.is_idle() || app.client.prepare_wait().is_err() {
            signal.stop();
        }
    })?;
    app.session.finish()
}

/// The client in a loop.
struct Client {
    reactor: Reactor,
    handlers: Handlers<Session>,
    event_loop: LoopHandle<'static, App>,
    sources: BTreeMap<Token, Waited>,
    timer: Option<RegistrationToken>,
}

/// A descriptor, and its source in the loop, if it has one.
struct Waited {
    descriptor: Descriptor,
    source: Option<RegistrationToken>,
}

impl Client {
    fn new(event_loop: LoopHandle<'static, App>) -> Result<Self, Box<dyn Error>> {
        // The callback does nothing: the ping only has to end the wait.
        let (ping, pinged) = ping::make_ping()?;
        event_loop.insert_source(pinged, |(), (), _| {}).map_err(|error| error.error)?;
        let reactor = Reactor::new(move || ping.ping());
        let handlers = Handlers::new(&reactor);
        Ok(Self { reactor, handlers, event_loop, sources: BTreeMap::new(), timer: None })
    }

    /// Sets what the loop waits for, and until when.
    fn prepare_wait(&mut self) -> calloop::Result<()> {
        while let Some(change) = self.reactor.poll_change() {
            self.apply(change)?;
        }
        if let Some(timer) = self.timer.take() {
            self.event_loop.remove(timer);
        }
        // Get the deadlines last, when nothing more can be done without waiting.
        if let Some(deadline) = self.reactor.deadline().into_iter().chain(self.handlers.deadline()).min() {
            let timer = Timer::from_deadline(deadline);
            // The callback does nothing: the timer only has to end the wait.
            let timer = self.event_loop.insert_source(timer, |_, (), _| TimeoutAction::Drop);
            self.timer = Some(timer.map_err(|error| error.error)?);
        }
        Ok(())
    }

    fn apply(&mut self, change: Change) -> calloop::Result<()> {
        match change {
            Change::Add(token, descriptor, interest) => {
                self.sources.insert(token, Waited { descriptor, source: None });
                self.wait_for(token, interest)
            }
            Change::Modify(token, interest) => self.wait_for(token, interest),
            Change::Remove(token) => {
                // Remove the source from the loop first, then drop the descriptor.
                self.wait_for(token, Interest::default())?;
                self.sources.remove(&token);
                Ok(())
            }
        }
    }

    /// Replaces the source of the loop by one for this interest; none if the interest is empty, so
    /// that the loop does not spin on a hang-up that the reactor does not read.
    fn wait_for(&mut self, token: Token, interest: Interest) -> calloop::Result<()> {
        let Some(waited) = self.sources.get_mut(&token) else { return Ok(()) };
        if let Some(source) = waited.source.take() {
            self.event_loop.remove(source);
        }
        if interest.is_empty() {
            return Ok(());
        }
        let Interest { readable, writable } = interest;
        let source = Generic::new(waited.descriptor.clone(), calloop::Interest { readable, writable }, Mode::Level);
        let inserted = self.event_loop.insert_source(source, move |ready, _, app| {
            // An error counts as both: the next attempt finds out what it is.
            let (readable, writable) = (ready.readable || ready.error, ready.writable || ready.error);
            app.client.reactor.handle_ready(token, readable, writable);
            Ok(PostAction::Continue)
        });
        waited.source = Some(inserted.map_err(|error| error.error)?);
        Ok(())
    }
}

#[test]
fn the_session_runs_to_its_end() {
    assert!(main().is_ok());
}
