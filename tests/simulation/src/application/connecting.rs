//! Connections and channels.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use leveret::config::Provided;
use leveret::{ChannelRecovery, Connection, ConnectionParameters, Credentials, Recovery, WhileDown};

use super::observing::STABLE;
use super::{Application, Client, Outcome, Slot, outcome};
use crate::ledger::Owner;
use crate::script::{Settings, Step, Verb};
use crate::tap::Dialled;
use crate::topology::Topology;

/// A connection that is open, and what it has recorded.
pub struct Record {
    /// The connection.
    pub owner: Owner,
    /// What it has recorded.
    pub topology: Topology,
}

impl Application {
    pub(super) fn connect(self: &Arc<Self>, step: &Step) -> bool {
        let (number, place) = (step.get("client"), step.get("channel"));
        match step.verb {
            Verb::Open => self.open(step),
            Verb::Close => {
                let connection = self.with(number, |client| client.connection.clone()).flatten();
                let Some(connection) = connection else { return false };
                let this = Arc::clone(self);
                let closing = async move {
                    let is_down = connection.is_recovering();
                    let closed = connection.close().await;
                    if closed.is_ok() && is_down {
                        this.ledger().count("closed while it is down");
                    }
                    outcome(closed, |()| "closed".to_owned())
                };
                self.spawn(step.to_string(), step.polls, Box::pin(closing));
                true
            }
            Verb::Forget => self.forget(number),
            Verb::ChannelOpen => self.open_channel(step),
            Verb::ChannelClose => {
                let Some(channel) = self.channel(step) else { return false };
                let this = Arc::clone(self);
                let closing = async move {
                    let closed = channel.close().await;
                    if closed.is_ok() && channel.connection().is_recovering() {
                        this.ledger().count("channel closed while its connection is down");
                    }
                    outcome(closed, |()| "closed".to_owned())
                };
                self.spawn(step.to_string(), step.polls, Box::pin(closing));
                true
            }
            _ => self.with(number, |client| client.channels.remove(&place)).flatten().is_some(),
        }
    }

    fn open(self: &Arc<Self>, step: &Step) -> bool {
        let (this, number) = (Arc::clone(self), step.get("client"));
        self.forget(number);
        let life = self.with(number, |client| client.life);
        let opening = async move {
            match this.dial(number).await {
                Ok(connection) => {
                    this.watch(number, &connection);
                    let dropped = this.with(number, |client| match Some(client.life) == life {
                        true => client.connection.replace(connection),
                        false => Some(connection),
                    });
                    drop(dropped);
                    Outcome::Done("open".to_owned())
                }
                Err(refused) => refused,
            }
        };
        self.spawn(step.to_string(), step.polls, Box::pin(opening));
        true
    }

    /// Connects to the broker. This is the only place where a client does so.
    async fn dial(self: &Arc<Self>, number: u32) -> Result<Connection, Outcome> {
        let connection = self.ledger().tick();
        let dialled = Dialled { connection, before: 0 };
        let recovery = match self.settings.recovery {
            0 => {
                let stream = self.network.dial(number as usize, dialled);
                let stream = stream.map_err(|error| Outcome::Refused(error.to_string()))?;
                return Connection::open_on(stream, self.parameters()).await.map_err(Outcome::Failed);
            }
            1 => Recovery::Topology,
            _ => Recovery::Connection,
        };
        let network = self.network.clone();
        let dials = AtomicU32::new(0);
        let connector = move || {
            let before = dials.fetch_add(1, Ordering::Relaxed);
            std::future::ready(network.dial(number as usize, Dialled { before, ..dialled }))
        };
        Connection::open_with(connector, self.parameters().recovery(recovery)).await.map_err(Outcome::Failed)
    }

    fn parameters(self: &Arc<Self>) -> ConnectionParameters {
        let Settings { blocked, heartbeat, down, channels, record, attempts, provider, .. } = self.settings;
        let heartbeat = u16::try_from(heartbeat).unwrap_or(u16::MAX);
        let parameters = ConnectionParameters::default()
            .heartbeat(heartbeat)
            .call_timeout(Duration::from_secs(20))
            .down_timeout(Duration::from_secs(15))
            .recovery_delay(Duration::from_millis(200))
            .recovery_max_delay(Duration::from_secs(2))
            .recovery_stable_after(STABLE)
            .recovery_refusals(1000)
            .recovery_attempts((attempts > 0).then_some(attempts))
            .recovery_record_limit(if record > 0 { record as usize } else { 65_536 })
            .while_down([WhileDown::Wait, WhileDown::Fail, WhileDown::Buffer(2000)][down as usize % 3])
            .channel_recovery(
                [ChannelRecovery::None, ChannelRecovery::AckTimeout, ChannelRecovery::All][channels as usize % 3],
            )
            .blocked_connection_timeout((blocked > 0).then(|| Duration::from_secs(blocked.into())));
        if provider == 0 { parameters } else { parameters.credentials(self.provided()) }
    }

    /// Credentials of which a provider is asked, and how often.
    fn provided(self: &Arc<Self>) -> Credentials {
        let (this, asked) = (Arc::downgrade(self), AtomicU32::new(0));
        Credentials::provided_by(move || {
            if asked.fetch_add(1, Ordering::Relaxed) > 0
                && let Some(this) = this.upgrade()
            {
                this.ledger().count("credentials were asked for again");
            }
            async { Ok(Provided::from(Credentials::default())) }
        })
    }

    fn open_channel(self: &Arc<Self>, step: &Step) -> bool {
        let (number, place) = (step.get("client"), step.get("channel"));
        let found = self.with(number, |client| Some((client.connection.clone()?, client.life)));
        let Some((connection, life)) = found.flatten() else { return false };
        let this = Arc::clone(self);
        let opening = async move {
            match connection.open_channel().await {
                Ok(channel) => {
                    this.watch_channel(number, &channel);
                    let serial = this.ledger().tick();
                    let text = format!("number {}", channel.number());
                    let slot = Slot { channel, serial, publisher: None, listeners: Default::default() };
                    let dropped = this.with(number, |client| match client.life == life {
                        true => client.channels.insert(place, slot),
                        false => Some(slot),
                    });
                    drop(dropped);
                    Outcome::Done(text)
                }
                Err(error) => Outcome::Failed(error),
            }
        };
        self.spawn(step.to_string(), step.polls, Box::pin(opening));
        true
    }

    /// Drops all handles of a client. Returns `false` if it had none.
    pub(super) fn forget(&self, number: u32) -> bool {
        let taken = self.with(number, |client| {
            let (leftovers, life) = (std::mem::take(&mut client.leftovers), client.life + 1);
            let taken = std::mem::take(client);
            *client = Client { leftovers, life, ..Client::default() };
            taken
        });
        taken.is_some_and(|taken| taken.connection.is_some() || !taken.channels.is_empty())
    }

    /// Closes the connections of all clients, and drops all handles.
    pub fn close_all(self: &Arc<Self>) {
        for client in 0..self.settings.clients {
            self.perform(&Step::new(Verb::Close, &[client]));
            self.forget(client);
        }
    }

    /// Returns the connections that are open, with what they have recorded.
    pub fn records(&self) -> Vec<Record> {
        let record = |number| {
            let (connection, life) = self.with(number, |client| Some((client.connection.clone()?, client.life)))??;
            let topology = Topology::of_record(&connection.topology());
            connection.is_open().then_some(Record { owner: (number, life), topology })
        };
        (0..self.settings.clients).filter_map(record).collect()
    }

    /// Returns the clients whose connections are being recovered.
    pub fn recovering(&self) -> Vec<u32> {
        let is_down = |number: &u32| {
            let connection = self.with(*number, |client| client.connection.clone()).flatten();
            connection.is_some_and(|connection| connection.is_recovering())
        };
        (0..self.settings.clients).filter(is_down).collect()
    }

    /// All connections are lost, with what only the broker's memory had if it has a `crash`.
    pub fn lose_all(&self, crash: bool) {
        if crash {
            self.ledger().outage();
            self.network.world().broker.crash();
            return self.network.wake();
        }
        for client in 0..self.settings.clients {
            self.network.apply(&Step::new(Verb::Cut, &[client]));
        }
    }

    /// Returns what connections have left behind.
    pub fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        for number in 0..self.settings.clients {
            self.with(number, |client| {
                for look in &client.leftovers {
                    match look() {
                        None => left.push(format!("a connection of client={number} has not ended")),
                        Some(text) if !text.is_empty() => left.push(format!("client={number} left {text}")),
                        Some(_) => {}
                    }
                }
            });
        }
        left
    }
}
