//! What connections and channels report, and what that shows of the rules of recovery.

use std::fmt::{Debug, Display};
use std::sync::Arc;
use std::time::Duration;

use leveret::broker::ConnectionId;
use leveret::{Channel, ChannelEvent, ChannelState, Connection, ConnectionEvent, Error, ReplyCode};
use tokio::time::Instant;

use super::{Application, Outcome};
use crate::topology::name_of;

/// What is known of a connection from its events.
#[derive(Default)]
struct Life {
    recovered_at: Option<Instant>,
    /// By which code the broker has closed how many transports in a row, soon after each was
    /// recovered.
    closed_soon: (Option<ReplyCode>, u32),
    /// How many attempts of the present outage have failed.
    failed: u32,
    /// Transports of the present outage that were lost before everything was restored.
    void: u32,
    is_down: bool,
}

/// When a recovered connection is stable, as [`Application::parameters`] has it.
pub(super) const STABLE: Duration = Duration::from_secs(2);

impl Application {
    /// Notes the events of a connection, and keeps what says what it leaves behind.
    pub(super) fn watch(self: &Arc<Self>, number: u32, connection: &Connection) {
        let leftovers = connection.leftovers();
        let look = move || leftovers().map(|(left, waiters)| describe(&left.to_string(), waiters));
        self.with(number, |client| client.leftovers.push(Box::new(look)));
        let (mut events, this) = (connection.events(), Arc::clone(self));
        let watching = async move {
            let mut life = Life::default();
            while let Some(event) = events.next().await {
                this.happened(number, &event, &event);
                this.observe(number, &mut life, &event);
            }
            Outcome::Done("no more events".to_owned())
        };
        self.spawn(format!("stream of events client={number}"), None, Box::pin(watching));
    }

    /// Notes the events of a channel.
    pub(super) fn watch_channel(self: &Arc<Self>, number: u32, channel: &Channel) {
        let (mut events, this, opened_as) = (channel.events(), Arc::clone(self), channel.number());
        // The handle does not keep the channel open.
        let looked_at = number;
        let watching = async move {
            let mut lost_on = None;
            while let Some(event) = events.next().await {
                this.happened(number, &event, &event);
                match &event {
                    ChannelEvent::Lost => lost_on = this.transport(looked_at),
                    ChannelEvent::Recovered => this.observe_recovered(number, opened_as, lost_on),
                    ChannelEvent::Closed(error) if error.initiator() == Some(leveret::Initiator::Broker) => {
                        this.ledger().count("channel closed by the broker");
                    }
                    _ => {}
                }
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

    /// The transport of a client that the broker serves.
    fn transport(&self, number: u32) -> Option<ConnectionId> {
        self.network.world().connection_of(number as usize)
    }

    fn observe_recovered(&self, number: u32, opened_as: u16, lost_on: Option<ConnectionId>) {
        if lost_on.is_some() && lost_on == self.transport(number) {
            self.ledger().count("channel recovered alone");
        }
        // The broker has it under the number that the handle has had from the beginning.
        let world = self.network.world();
        let transport = world.connection_of(number as usize);
        let connections = world.broker.connections();
        let known = connections.iter().filter(|it| Some(it.id) == transport).any(|it| it.channels.contains(&opened_as));
        drop(world);
        if known {
            self.ledger().count("channel recovered with its number");
        }
    }

    fn observe(&self, number: u32, life: &mut Life, event: &ConnectionEvent) {
        match event {
            ConnectionEvent::Lost { cause, .. } => {
                self.observe_end("lost", life, cause);
                life.void += u32::from(life.is_down);
                life.is_down = true;
            }
            ConnectionEvent::ReconnectFailed { .. } => life.failed += 1,
            ConnectionEvent::Recovered { failed, .. } => {
                let mut ledger = self.ledger();
                ledger.entities.failed.extend(failed.iter().map(|(entity, _)| name_of(entity)));
                if !failed.is_empty() {
                    ledger.count("recovered although something was refused");
                }
                if life.void > 0 {
                    ledger.count("recovered after a transport that was lost while restoring");
                }
                drop(ledger);
                (life.failed, life.void, life.is_down, life.recovered_at) = (0, 0, false, Some(Instant::now()));
                self.look_at_closed_channels(number);
            }
            ConnectionEvent::QueueRenamed { from, to, .. } => {
                self.ledger().entities.renames.insert(from.to_string(), to.to_string());
            }
            ConnectionEvent::EntityFailed(entity, error) => {
                let mut ledger = self.ledger();
                ledger.entities.failed.insert(name_of(entity));
                if error.reply_text().is_some_and(|text| text.contains("is stopped by supervisor")) {
                    ledger.count("put off because a queue is down");
                }
            }
            ConnectionEvent::Closed(error) => {
                self.observe_end("closed", life, error);
                let limit = self.settings.attempts;
                if limit > 0 && life.failed == limit {
                    self.ledger().count("gave up after the last attempt");
                }
                let (_, soon) = life.closed_soon;
                if soon >= 3 && self.settings.recovery > 0 && life.failed == 0 {
                    self.ledger().count("gave up after three closes alike");
                }
            }
            _ => {}
        }
    }

    /// Why a transport or a connection has ended.
    fn observe_end(&self, how: &str, life: &mut Life, cause: &Error) {
        let code = cause.reply_code().filter(|_| cause.initiator() == Some(leveret::Initiator::Broker));
        let soon = life.recovered_at.take().is_some_and(|at| at.elapsed() < STABLE);
        life.closed_soon = match (code, life.closed_soon) {
            (Some(code), (Some(before), count)) if soon && code == before => (Some(code), count + 1),
            (Some(code), _) if soon => (Some(code), 1),
            _ => (None, 0),
        };
        let mut ledger = self.ledger();
        match code {
            Some(code) => ledger.count(format!("{how} by the broker with {}", u16::from(code))),
            None if cause.is_heartbeat_missed() => ledger.count(format!("{how} by missed heartbeats")),
            None if cause.is_blocked_too_long() => ledger.count(format!("{how} by a long block")),
            None => ledger.count(format!("{how} by {:?}", cause.kind())),
        }
        let text = cause.reply_text().unwrap_or_default();
        if text.ends_with("is deleted") {
            ledger.count(format!("{how} with its user or virtual host"));
        }
        if cause.to_string().contains("was not restored") {
            ledger.count("a step of the recovery was not answered");
        }
    }

    /// After a recovery: a channel that is closed stays closed.
    fn look_at_closed_channels(&self, number: u32) {
        let closed = self.with(number, |client| {
            client.channels.values().filter(|slot| slot.channel.state() == ChannelState::Closed).count()
        });
        if closed.is_some_and(|closed| closed > 0) {
            self.ledger().count("channel stayed closed over a recovery");
        }
    }
}

fn describe(left: &str, waiters: usize) -> String {
    if waiters == 0 { left.to_owned() } else { format!("{left}{waiters} waiters") }
}
