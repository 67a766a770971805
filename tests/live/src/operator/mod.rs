//! What an operator does to a broker, the same for every broker that the scenarios run on.

mod embedded;
mod rabbitmq;

use std::time::Duration;

use rabbitmq::RabbitMq;

use crate::embedded::{self as brokers, Embedded};
use crate::listing::Listing;
use crate::variable;

/// Somebody who may do everything to one broker. Each method returns when the broker says that it
/// is done.
pub struct Operator(Broker);

enum Broker {
    RabbitMq(RabbitMq),
    Embedded(&'static Embedded),
}

/// One thing that an operator does.
pub(crate) enum Act<'a> {
    AddUser { name: &'a str, password: &'a str },
    DeleteUser { name: &'a str },
    SetPermissions { user: &'a str, virtual_host: &'a str, allowed: Permissions<'a> },
    ClearPermissions { user: &'a str, virtual_host: &'a str },
    AddVirtualHost { name: &'a str },
    DeleteVirtualHost { name: &'a str },
    CloseConnection { name: &'a str, reason: &'a str },
    CloseAllConnections { reason: &'a str },
    CloseAgain { times: u32, pause: Duration },
    LimitUser { name: &'a str, connections: Option<u32>, channels: Option<u32> },
    LimitVirtualHost { name: &'a str, connections: Option<u32> },
    SetConsumerTimeout(Duration),
    StopQueue { name: &'a str },
    Raise(Alarm),
    Clear(Alarm),
    Stop,
    Start,
}

/// What a user may do in a virtual host: regular expressions, searched for in the names of
/// exchanges and queues.
#[derive(Debug, Clone, Copy)]
pub struct Permissions<'a> {
    /// What may be declared and deleted.
    pub configure: &'a str,
    /// What may be published to and bound to something.
    pub write: &'a str,
    /// What may be consumed, purged and bound from.
    pub read: &'a str,
}

/// What a broker can be short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Memory.
    Memory,
    /// Space on disk.
    Disk,
}

impl Permissions<'static> {
    /// Everything.
    pub const ALL: Self = Self { configure: ".*", write: ".*", read: ".*" };
}

impl Operator {
    /// The operator of the broker that all scenarios share, for what none of the others notices.
    pub fn shared() -> Self {
        Self::of("LEVERET_TEST_RABBITMQCTL", brokers::quiet)
    }

    /// The operator of the broker of [`Disturbed`](crate::Disturbed).
    pub(crate) fn disturbed() -> Self {
        Self::of("LEVERET_TEST_DISTURBED_RABBITMQCTL", brokers::disturbed)
    }

    fn of(control: &str, embedded: fn() -> &'static Embedded) -> Self {
        Self(if brokers::is_chosen() {
            Broker::Embedded(embedded())
        } else {
            Broker::RabbitMq(RabbitMq::new(variable(control)))
        })
    }

    /// Adds a user, who may do nothing yet.
    pub async fn add_user(&self, name: &str, password: &str) {
        self.act(Act::AddUser { name, password }).await;
    }

    /// Deletes a user, and closes the connections that this user has.
    pub async fn delete_user(&self, name: &str) {
        self.act(Act::DeleteUser { name }).await;
    }

    /// Gives a user access to a virtual host, and says to what in it.
    pub async fn set_permissions(&self, user: &str, virtual_host: &str, allowed: Permissions<'_>) {
        self.act(Act::SetPermissions { user, virtual_host, allowed }).await;
    }

    /// Takes a user's access to a virtual host away.
    pub async fn clear_permissions(&self, user: &str, virtual_host: &str) {
        self.act(Act::ClearPermissions { user, virtual_host }).await;
    }

    /// Adds a virtual host, which nobody may enter yet.
    pub async fn add_virtual_host(&self, name: &str) {
        self.act(Act::AddVirtualHost { name }).await;
    }

    /// Deletes a virtual host and all that is in it, and closes the connections to it.
    pub async fn delete_virtual_host(&self, name: &str) {
        self.act(Act::DeleteVirtualHost { name }).await;
    }

    /// Limits the connections and channels of a user; the limits that are not given are removed.
    pub async fn limit_user(&self, name: &str, connections: Option<u32>, channels: Option<u32>) {
        self.act(Act::LimitUser { name, connections, channels }).await;
    }

    /// Limits the connections to a virtual host, or removes that limit.
    pub async fn limit_virtual_host(&self, name: &str, connections: Option<u32>) {
        self.act(Act::LimitVirtualHost { name, connections }).await;
    }

    /// Sets how long a client may take to acknowledge, on channels that are opened from now on. The
    /// broker looks every second.
    pub async fn set_consumer_timeout(&self, timeout: Duration) {
        self.act(Act::SetConsumerTimeout(timeout)).await;
    }

    /// Takes a durable queue of the virtual host `/` down, until the broker is started again.
    pub async fn stop_queue(&self, name: &str) {
        self.act(Act::StopQueue { name }).await;
    }

    /// Closes the connection that its client gave this name.
    pub async fn close_connection(&self, name: &str, reason: &str) {
        self.act(Act::CloseConnection { name, reason }).await;
    }

    /// Closes every connection.
    pub async fn close_all_connections(&self, reason: &str) {
        self.act(Act::CloseAllConnections { reason }).await;
    }

    /// Closes every connection, again and again with a pause.
    pub async fn close_again(&self, times: u32, pause: Duration) {
        self.act(Act::CloseAgain { times, pause }).await;
    }

    /// The broker claims to be short of something, and stops taking publishes.
    pub async fn raise(&self, alarm: Alarm) {
        self.act(Act::Raise(alarm)).await;
    }

    /// It has enough of it again.
    pub async fn clear(&self, alarm: Alarm) {
        self.act(Act::Clear(alarm)).await;
    }

    /// It has enough of everything.
    pub(crate) async fn clear_all(&self) {
        match &self.0 {
            Broker::RabbitMq(broker) => broker.clear_all().await,
            Broker::Embedded(broker) => {
                broker.act(Act::Clear(Alarm::Memory)).await;
                broker.act(Act::Clear(Alarm::Disk)).await;
            }
        }
    }

    /// Stops the broker, which closes every connection and takes no more. What is durable is kept.
    pub async fn stop(&self) {
        self.act(Act::Stop).await;
    }

    /// Starts the broker, or does nothing where it runs.
    pub async fn start(&self) {
        self.act(Act::Start).await;
    }

    /// The names that clients gave their connections, of those that are open and have one.
    pub async fn connection_names(&self) -> Vec<String> {
        match &self.0 {
            Broker::RabbitMq(broker) => broker.connection_names().await,
            Broker::Embedded(broker) => broker.connection_names().await,
        }
    }

    /// What the broker lists of a virtual host.
    pub async fn listing(&self, virtual_host: &str) -> Listing {
        match &self.0 {
            Broker::RabbitMq(broker) => broker.listing(virtual_host).await,
            Broker::Embedded(broker) => broker.listing(virtual_host).await,
        }
    }

    async fn act(&self, act: Act<'_>) {
        match &self.0 {
            Broker::RabbitMq(broker) => broker.act(act).await,
            Broker::Embedded(broker) => broker.act(act).await,
        }
    }
}
