//! What operators and faults do to the broker.

use std::time::Duration;

use leveret::ReplyCode;
use leveret::broker::{Permissions, Scope};
use leveret::protocol::{MethodId, ProtocolMethod, basic, channel, confirm, connection, exchange, queue, tx};

use super::Application;
use super::declaring::queue_of;
use crate::script::{Step, Verb};
use crate::topology::queue_name;

/// Codes with which a broker closes connections, unknown ones included.
const CONNECTION_CODES: &[u16] = &[320, 402, 403, 404, 405, 406, 501, 502, 503, 504, 505, 506, 530, 540, 541, 200, 777];

/// Codes with which a broker closes channels.
const CHANNEL_CODES: &[u16] = &[311, 313, 403, 404, 405, 406, 200, 777];

/// Methods that are refused or held.
const METHODS: &[MethodId] = &[
    queue::Declare::ID,
    queue::Bind::ID,
    queue::Delete::ID,
    exchange::Declare::ID,
    basic::Consume::ID,
    basic::Cancel::ID,
    basic::Get::ID,
    basic::Publish::ID,
    basic::Ack::ID,
    basic::Qos::ID,
    confirm::Select::ID,
    tx::Commit::ID,
    channel::Open::ID,
    channel::Close::ID,
    connection::Open::ID,
];

const HOST: &str = "/";
const USER: &str = "guest";

impl Application {
    pub(super) fn operate(&self, step: &Step) -> bool {
        let done = match step.verb {
            Verb::CloseConnection | Verb::CloseChannel | Verb::CancelConsumer => self.close_by_broker(step),
            Verb::DeleteQueue => {
                let queue = queue_of(step);
                // An operator's deletion happens at once, but the ledger knows windows of time.
                let mut ledger = self.ledger();
                let loss = ledger.may_lose(Some(&queue));
                ledger.loses_no_more(loss);
                ledger.entities.touch(queue_name(&queue), None);
                drop(ledger);
                self.network.world().broker.delete_queue(HOST, &queue)
            }
            Verb::Panic => {
                tokio::spawn(async { panic!("by the script") });
                true
            }
            Verb::MislayQueue => self.network.world().broker.delete_queue(HOST, &queue_of(step)),
            Verb::HostGone => {
                let mut ledger = self.ledger();
                let loss = ledger.may_lose(None);
                ledger.loses_no_more(loss);
                ledger.entities.all_removed = true;
                drop(ledger);
                self.network.world().broker.delete_virtual_host(HOST);
                true
            }
            Verb::Restart | Verb::Crash | Verb::QueueDown | Verb::QueueUp => self.stop(step),
            Verb::FailNext | Verb::HoldNext => self.interfere(step),
            _ => self.disturb(step),
        };
        self.network.wake();
        done
    }

    fn disturb(&self, step: &Step) -> bool {
        let count = step.get("count");
        let broker = &mut self.network.world().broker;
        match step.verb {
            Verb::Alarm => broker.block("low on memory"),
            Verb::AlarmEnds => broker.unblock(),
            Verb::RefuseLogins => broker.refuse_logins(count),
            Verb::NackNext => broker.nack_next(count),
            Verb::ReturnNext => broker.return_next(count),
            Verb::UserGone => broker.delete_user(USER),
            Verb::UserBack | Verb::HostBack => {
                broker.add_virtual_host(HOST);
                broker.add_user(USER, USER);
                broker.set_permissions(USER, HOST, Permissions::all());
            }
            Verb::ReleaseHeld => broker.release_held(),
            Verb::ConsumerTimeout => {
                let timeout = Duration::from_millis(step.get("ms").into());
                broker.set_consumer_timeout(Some(timeout).filter(|timeout| !timeout.is_zero()));
            }
            Verb::LimitConnections => broker.limit_connections(Some(count).filter(|count| *count > 0)),
            _ => return false,
        }
        true
    }

    /// The broker or a queue goes down, or a queue comes up.
    fn stop(&self, step: &Step) -> bool {
        self.ledger().outage();
        let broker = &mut self.network.world().broker;
        let ends = matches!(step.verb, Verb::Restart | Verb::Crash) && broker.connections().iter().any(|it| it.open);
        if ends {
            self.ledger().count("connections ended with the broker");
        }
        match step.verb {
            Verb::Restart => broker.restart(),
            Verb::Crash => broker.crash(),
            verb => return broker.set_queue_down(HOST, &queue_of(step), verb == Verb::QueueDown),
        }
        true
    }

    /// A request is refused, or its answer is held back.
    fn interfere(&self, step: &Step) -> bool {
        let method = METHODS[step.get("method") as usize % METHODS.len()];
        let broker = &mut self.network.world().broker;
        if step.verb == Verb::HoldNext {
            broker.hold_next(method);
            return true;
        }
        let (scope, codes) = match step.get("scope") {
            0 => (Scope::Channel, CHANNEL_CODES),
            _ => (Scope::Connection, CONNECTION_CODES),
        };
        let code = codes[step.get("code") as usize % codes.len()];
        broker.fail_next(method, scope, ReplyCode::from(code), "refused by the script");
        true
    }

    fn close_by_broker(&self, step: &Step) -> bool {
        let Some(channel) = self.number_of_channel(step) else { return false };
        let tag = self.with(step.get("client"), |client| {
            let slot = client.channels.get(&step.get("channel"))?;
            slot.listeners.get(&step.get("place")).map(|listener| listener.tag.clone())
        });
        let mut world = self.network.world();
        let Some(connection) = world.connection_of(step.get("client") as usize) else { return false };
        match step.verb {
            Verb::CloseConnection => {
                let code = CONNECTION_CODES[step.get("code") as usize % CONNECTION_CODES.len()];
                world.broker.close_connection(connection, ReplyCode::from(code), "closed by the script")
            }
            Verb::CloseChannel => {
                let code = CHANNEL_CODES[step.get("code") as usize % CHANNEL_CODES.len()];
                world.broker.close_channel(connection, channel, ReplyCode::from(code), "closed by the script")
            }
            _ => tag.flatten().is_some_and(|tag| world.broker.cancel_consumer(connection, channel, &tag, true)),
        }
    }

    /// The number of the channel of a step; 0 for a step that is about a connection.
    fn number_of_channel(&self, step: &Step) -> Option<u16> {
        if step.verb == Verb::CloseConnection {
            return Some(0);
        }
        self.channel(step).map(|channel| channel.number())
    }

    /// Ends everything that disturbs clients: alarms, refusals, faults of the network.
    pub fn heal(&self) {
        let mut world = self.network.world();
        world.heal();
        world.broker.unblock();
        world.broker.refuse_logins(0);
        world.broker.nack_next(0);
        world.broker.return_next(0);
        world.broker.hold_no_more();
        world.broker.release_held();
        world.broker.set_consumer_timeout(None);
        world.broker.limit_connections(None);
        for queue in world.broker.queues(HOST) {
            world.broker.set_queue_down(HOST, &queue.name.to_string(), false);
        }
        drop(world);
        self.operate(&Step::new(Verb::HostBack, &[]));
    }
}
