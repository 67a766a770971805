//! Connections and channels.

use std::fmt::{Debug, Display};
use std::sync::Arc;
use std::time::Duration;

use leveret::{Channel, Connection, ConnectionParameters, Recovery};

use super::{Application, Client, Outcome, Slot, outcome};
use crate::script::{Step, Verb};

impl Application {
    pub(super) fn connect(self: &Arc<Self>, step: &Step) -> bool {
        let (number, place) = (step.get("client"), step.get("channel"));
        match step.verb {
            Verb::Open => self.open(step),
            Verb::Close => {
                let connection = self.with(number, |client| client.connection.clone()).flatten();
                let Some(connection) = connection else { return false };
                let closing = async move { outcome(connection.close().await, |()| "closed".to_owned()) };
                self.spawn(step.to_string(), step.polls, Box::pin(closing));
                true
            }
            Verb::Forget => self.forget(number),
            Verb::ChannelOpen => self.open_channel(step),
            Verb::ChannelClose => {
                let Some(channel) = self.channel(step) else { return false };
                let closing = async move { outcome(channel.close().await, |()| "closed".to_owned()) };
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
    async fn dial(&self, number: u32) -> Result<Connection, Outcome> {
        let recovery = match self.settings.recovery {
            0 => {
                let stream = self.network.dial(number as usize).map_err(|error| Outcome::Refused(error.to_string()))?;
                return Connection::open_on(stream, self.parameters()).await.map_err(Outcome::Failed);
            }
            1 => Recovery::Topology,
            _ => Recovery::Connection,
        };
        let network = self.network.clone();
        let connector = move || std::future::ready(network.dial(number as usize));
        Connection::open_with(connector, self.parameters().recovery(recovery)).await.map_err(Outcome::Failed)
    }

    fn parameters(&self) -> ConnectionParameters {
        let blocked = self.settings.blocked;
        let heartbeat = u16::try_from(self.settings.heartbeat).unwrap_or(u16::MAX);
        ConnectionParameters::default()
            .heartbeat(heartbeat)
            .call_timeout(Duration::from_secs(20))
            .down_timeout(Duration::from_secs(15))
            .recovery_delay(Duration::from_millis(200))
            .recovery_max_delay(Duration::from_secs(2))
            .recovery_stable_after(Duration::from_secs(2))
            .recovery_refusals(1000)
            .blocked_connection_timeout((blocked > 0).then(|| Duration::from_secs(blocked.into())))
    }

    /// Notes the events of a connection, and keeps what says what it leaves behind.
    fn watch(self: &Arc<Self>, number: u32, connection: &Connection) {
        let leftovers = connection.leftovers();
        let look = move || leftovers().map(|(left, waiters)| describe(&left.to_string(), waiters));
        self.with(number, |client| client.leftovers.push(Box::new(look)));
        let (mut events, this) = (connection.events(), Arc::clone(self));
        let watching = async move {
            while let Some(event) = events.next().await {
                this.happened(number, &event, &event);
            }
            Outcome::Done("no more events".to_owned())
        };
        self.spawn(format!("stream of events client={number}"), None, Box::pin(watching));
    }

    /// Notes the events of a channel.
    fn watch_channel(self: &Arc<Self>, number: u32, channel: &Channel) {
        let (mut events, this) = (channel.events(), Arc::clone(self));
        let watching = async move {
            while let Some(event) = events.next().await {
                this.happened(number, &event, &event);
            }
            Outcome::Done("no more events".to_owned())
        };
        self.spawn(format!("stream of events of a channel client={number}"), None, Box::pin(watching));
    }

    fn happened(&self, number: u32, event: &dyn Debug, text: &dyn Display) {
        let name = format!("{event:?}");
        let name: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
        self.ledger().count(format!("event {name}"));
        self.note(&format!("client={number} {text}"));
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

fn describe(left: &str, waiters: usize) -> String {
    if waiters == 0 { left.to_owned() } else { format!("{left}{waiters} waiters") }
}
