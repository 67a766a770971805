//! The applications: clients that perform the steps of a script by the public API.
//!
//! Each request runs in a task of its own. Its future is dropped after some polls if the step says
//! so. What it resolves with is noted in the [`Ledger`].

mod connecting;
mod consuming;
mod declaring;
mod observing;
mod operating;
mod publishing;
mod settling;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use leveret::{Channel, Connection, Delivery, Error, ErrorKind, Publisher};

pub use self::connecting::Record;
use self::consuming::Listener;
use crate::ledger::Ledger;
use crate::network::{Network, now};
use crate::script::{Settings, Step, Verb};

/// The clients of a run, and what they did.
pub struct Application {
    /// The network to the broker.
    pub network: Network,
    settings: Settings,
    started: Instant,
    ledger: Mutex<Ledger>,
    clients: Mutex<Vec<Client>>,
}

/// What one client holds.
#[derive(Default)]
struct Client {
    /// How often everything was dropped. What was requested before is not kept any more.
    life: u64,
    connection: Option<Connection>,
    channels: BTreeMap<u32, Slot>,
    deliveries: Vec<Delivery>,
    /// What each connection of this client has left behind, and whether it was reported closed.
    leftovers: Vec<Leftovers>,
}

/// Says after the end of a connection what it holds; nothing is an empty text.
type Leftovers = Box<dyn Fn() -> Option<String> + Send>;

/// A channel, and what was started on it.
struct Slot {
    channel: Channel,
    /// A number that no other channel of the run has.
    serial: u64,
    publisher: Option<Publisher>,
    listeners: BTreeMap<u32, Listener>,
}

/// What a request resolved with.
enum Outcome {
    Done(String),
    Failed(Error),
    /// The network refused to connect.
    Refused(String),
}

type Request = Pin<Box<dyn Future<Output = Outcome> + Send>>;

impl Application {
    /// Creates the clients of a run, which are not connected.
    pub fn new(settings: Settings, network: Network, keep_log: bool) -> Arc<Self> {
        let mut ledger = Ledger::default();
        ledger.log = keep_log.then(Vec::new);
        let clients = (0..settings.clients.max(1)).map(|_| Client::default()).collect();
        let (ledger, clients) = (Mutex::new(ledger), Mutex::new(clients));
        Arc::new(Self { network, settings, started: now(), ledger, clients })
    }

    /// Locks what was done so far.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the settings of the run.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Changes what a client holds. Nothing of leveret is dropped while it is locked.
    fn with<R>(&self, client: u32, change: impl FnOnce(&mut Client) -> R) -> Option<R> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.get_mut(client as usize).map(change)
    }

    /// Performs a step. Returns `false` if there is nothing that it could be done to.
    pub fn perform(self: &Arc<Self>, step: &Step) -> bool {
        let performed = match step.verb {
            Verb::Open | Verb::Close | Verb::Forget | Verb::ChannelOpen | Verb::ChannelClose | Verb::ChannelDrop => {
                self.connect(step)
            }
            Verb::Publish | Verb::PublishConfirmed | Verb::Request | Verb::WaitForConfirms | Verb::Confirm => {
                self.publish(step)
            }
            Verb::Consume | Verb::ReplyTo | Verb::Cancel | Verb::ConsumerDrop | Verb::Get => self.consume(step),
            Verb::Ack | Verb::AckMultiple | Verb::Nack | Verb::NackMultiple | Verb::Reject | Verb::DeliveryDrop => {
                self.settle(step)
            }
            Verb::Cut | Verb::Delay | Verb::Silence | Verb::Trickle | Verb::Heal | Verb::Refuse => {
                self.network.apply(step)
            }
            Verb::Wait | Verb::Rest | Verb::Turns => true,
            _ => self.declare(step).unwrap_or_else(|| self.operate(step)),
        };
        if performed {
            self.ledger().count(step.verb.name());
        }
        performed
    }

    /// Runs a request in a task, and notes what it resolves with.
    fn spawn(self: &Arc<Self>, what: String, polls: Option<u32>, request: Request) {
        let id = {
            let mut ledger = self.ledger();
            let id = ledger.tick();
            ledger.unresolved.insert(id, what.clone());
            id
        };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = Polled { future: Some(request), left: polls }.await;
            let line = match &outcome {
                Some(Outcome::Done(text)) => format!("{what}: {text}"),
                Some(Outcome::Refused(text)) => format!("{what}: refused: {text}"),
                Some(Outcome::Failed(error)) => format!("{what}: {:?} {:?} {error}", error.kind(), error.fate()),
                None => format!("{what}: dropped"),
            };
            let mut ledger = this.ledger();
            ledger.unresolved.remove(&id);
            count(&mut ledger, &what, &outcome);
            drop(ledger);
            this.note(&line);
        });
    }

    /// Adds a line to the history.
    fn note(&self, line: &str) {
        let at = now().duration_since(self.started).as_millis();
        self.ledger().note(at, line);
    }

    /// The channel of a step.
    fn channel(&self, step: &Step) -> Option<Channel> {
        self.with(step.get("client"), |client| {
            client.channels.get(&step.get("channel")).map(|slot| slot.channel.clone())
        })?
    }
}

/// A future that is dropped after so many polls.
struct Polled<F> {
    future: Option<F>,
    left: Option<u32>,
}

impl<F: Future + Unpin> Future for Polled<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let this = &mut *self;
        if this.left == Some(0) {
            this.future = None;
            return Poll::Ready(None);
        }
        this.left = this.left.map(|left| left - 1);
        let Some(future) = &mut this.future else { return Poll::Ready(None) };
        if let Poll::Ready(output) = Pin::new(future).poll(context) {
            this.future = None;
            return Poll::Ready(Some(output));
        }
        if this.left == Some(0) {
            this.future = None;
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

/// Counts what a request resolved with, and what the loss of its connection made of it.
fn count(ledger: &mut Ledger, what: &str, outcome: &Option<Outcome>) {
    match outcome {
        Some(Outcome::Done(_)) => ledger.count("outcome ok"),
        Some(Outcome::Refused(_)) => ledger.count("outcome refused by the network"),
        None => ledger.count("outcome dropped"),
        Some(Outcome::Failed(error)) => {
            ledger.count(format!("error {:?}", error.kind()));
            let verb = what.split(' ').next().unwrap_or_default();
            if error.reply_text().is_some_and(|text| text.contains("is stopped by supervisor")) {
                ledger.count("refused because a queue is down");
            }
            if error.is_timeout() {
                ledger.count("not answered in time");
            }
            if let (ErrorKind::ConnectionClosed, Some(fate)) = (error.kind(), error.fate()) {
                ledger.count(format!("lost {verb} {fate:?}"));
            }
        }
    }
}

/// What a request of `leveret` resolved with.
fn outcome<T>(result: leveret::Result<T>, done: impl FnOnce(T) -> String) -> Outcome {
    result.map_or_else(Outcome::Failed, |value| Outcome::Done(done(value)))
}
