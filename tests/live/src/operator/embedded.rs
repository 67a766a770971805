//! An operator of an embedded broker, through its state.

use std::sync::Mutex;

use leveret::broker::{self, Broker};

use super::{Act, Alarm, Permissions};
use crate::embedded::Embedded;
use crate::listing::Listing;

/// The alarms that are on, at the only broker that has any.
static ALARMS: Mutex<Vec<Alarm>> = Mutex::new(Vec::new());

impl Embedded {
    pub(super) async fn act(&self, act: Act<'_>) {
        match act {
            Act::AddUser { name, password } => self.broker.state().add_user(name, password),
            Act::DeleteUser { name } => self.broker.state().delete_user(name),
            Act::SetPermissions { user, virtual_host, allowed } => {
                assert!(self.broker.state().set_permissions(user, virtual_host, patterns(allowed)), "no user {user}");
            }
            Act::ClearPermissions { user, virtual_host } => {
                self.broker.state().clear_permissions(user, virtual_host);
            }
            Act::AddVirtualHost { name } => self.broker.state().add_virtual_host(name),
            Act::DeleteVirtualHost { name } => self.broker.state().delete_virtual_host(name),
            Act::LimitUser { name, connections, channels } => {
                let mut state = self.broker.state();
                assert!(state.limit_connections_of_user(name, connections), "no user {name}");
                assert!(state.limit_channels_of_user(name, channels), "no user {name}");
            }
            Act::LimitVirtualHost { name, connections } => {
                let limited = self.broker.state().limit_connections_of_virtual_host(name, connections);
                assert!(limited, "no virtual host {name}");
            }
            Act::SetConsumerTimeout(timeout) => self.broker.state().set_consumer_timeout(Some(timeout)),
            Act::StopQueue { name } => {
                assert!(self.broker.state().set_queue_down("/", name, true), "no durable queue {name}");
            }
            Act::CloseConnection { name, reason } => {
                self.close_connections(&format!("CONNECTION_FORCED - {reason}"), |other| other == Some(name));
            }
            Act::CloseAllConnections { reason } => {
                self.close_connections(&format!("CONNECTION_FORCED - {reason}"), |_| true);
            }
            Act::CloseAgain { times, pause } => {
                for _ in 0..times {
                    self.close_connections("CONNECTION_FORCED - again", |_| true);
                    tokio::time::sleep(pause).await;
                }
            }
            Act::Raise(alarm) => set(&self.broker, |alarms| alarms.push(alarm)),
            Act::Clear(alarm) => set(&self.broker, |alarms| alarms.retain(|other| *other != alarm)),
            Act::Stop => self.stop().await,
            Act::Start => self.resume().await,
        }
    }

    #[allow(clippy::unused_async, reason = "it is called as its counterpart is")]
    pub(super) async fn connection_names(&self) -> Vec<String> {
        let connections = self.broker.state().connections();
        connections.into_iter().filter(|connection| connection.open).filter_map(|connection| connection.name).collect()
    }

    /// It does not say how many messages a consumer may have.
    #[allow(clippy::unused_async, reason = "it is called as its counterpart is")]
    pub(super) async fn listing(&self, virtual_host: &str) -> Listing {
        let state = self.broker.state();
        let exchanges = state.exchanges(virtual_host).iter().map(|exchange| format!("{exchange:?}")).collect();
        let bindings = state.bindings(virtual_host).iter().map(|binding| format!("{binding:?}")).collect();
        let queues = state.queues(virtual_host).into_iter().map(|queue| {
            let flags = (queue.durable, queue.auto_delete, queue.exclusive.is_some());
            format!("{}: durable, auto-delete, exclusive {flags:?}, {:?}", queue.name, queue.arguments)
        });
        let consumers = state.consumers(virtual_host).into_iter().map(|consumer| {
            let flags = (consumer.active, consumer.exclusive, consumer.no_ack);
            let (queue, tag) = (consumer.queue, consumer.tag);
            format!("{queue}, {tag}: active, exclusive, no-ack {flags:?}, {:?}", consumer.arguments)
        });
        Listing::new([exchanges, queues.collect(), bindings, consumers.collect()])
    }
}

/// Changes the set of alarms. The broker is blocked as long as there is any, for the reasons in
/// RabbitMQ's words.
fn set(broker: &Broker, change: impl FnOnce(&mut Vec<Alarm>)) {
    let mut alarms = ALARMS.lock().expect("no scenario fails while it changes alarms");
    change(&mut alarms);
    let word = |alarm: &Alarm| match alarm {
        Alarm::Memory => "memory",
        Alarm::Disk => "disk",
    };
    let words: Vec<_> = alarms.iter().map(word).collect();
    if words.is_empty() {
        broker.state().unblock();
    } else {
        broker.state().block(format!("low on {}", words.join(" & ")));
    }
}

fn patterns(allowed: Permissions<'_>) -> broker::Permissions {
    broker::Permissions::new(allowed.configure, allowed.write, allowed.read).expect("these are regular expressions")
}
