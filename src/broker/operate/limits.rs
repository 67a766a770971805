//! Limits of connections and channels, and of the time for an acknowledgement.

use std::time::Duration;

use crate::broker::keys::{ChannelKey, ConnectionId};
use crate::broker::session::{Connection, Phase};
use crate::broker::state::State;
use crate::broker::words::Refusal;
use crate::protocol::ReplyCode;
use crate::wire::ShortString;

/// Limits.
///
/// They concern what is opened later; what is open stays. A connection counts from
/// `connection.open-ok` until it is closed, or until the broker finds out that its transport is
/// lost: a client whose network failed is in its own way for up to two heartbeat intervals.
impl State {
    /// Limits the connections of the whole broker. `None` removes the limit, and 0 admits nobody.
    /// One too many is refused with 530 in answer to `connection.open`, as by RabbitMQ 4.
    pub fn limit_connections(&mut self, limit: Option<u32>) {
        self.settings.max_connections = limit;
    }

    /// Limits the connections of a user in all virtual hosts together, as `rabbitmqctl
    /// set_user_limits` does. `None` removes the limit, and 0 admits none. One too many is refused
    /// with 530 in answer to `connection.open`. Returns `false` if there is no such user.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
    /// use leveret::{Connection, ReplyCode, broker::Broker};
    ///
    /// let broker = Broker::new();
    /// broker.state().limit_connections_of_user("guest", Some(1));
    /// let first = Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// let error = Connection::open_on(broker.connect(), "amqp://localhost").await.unwrap_err();
    /// assert_eq!(error.reply_code(), Some(ReplyCode::NOT_ALLOWED));
    ///
    /// first.close().await?;
    /// Connection::open_on(broker.connect(), "amqp://localhost").await?;
    /// # Ok(()) }
    /// ```
    pub fn limit_connections_of_user(&mut self, user: &str, limit: Option<u32>) -> bool {
        self.users.get_mut(user).map(|user| user.max_connections = limit).is_some()
    }

    /// Limits the channels of a user on all connections together. `None` removes the limit. One too
    /// many closes its connection with 530. Returns `false` if there is no such user.
    pub fn limit_channels_of_user(&mut self, user: &str, limit: Option<u32>) -> bool {
        self.users.get_mut(user).map(|user| user.max_channels = limit).is_some()
    }

    /// Limits the connections to a virtual host, as `rabbitmqctl set_vhost_limits` does. `None`
    /// removes the limit, and 0 admits none. One too many is refused with 530 in answer to
    /// `connection.open`. Returns `false` if there is no such virtual host.
    pub fn limit_connections_of_virtual_host(&mut self, name: &str, limit: Option<u32>) -> bool {
        let host = self.virtual_hosts.get_mut(&ShortString::from(name));
        host.map(|host| host.limit_connections(limit)).is_some()
    }

    /// Changes [`Settings::consumer_timeout`](crate::broker::Settings::consumer_timeout). It counts
    /// for deliveries that were made before, too.
    pub fn set_consumer_timeout(&mut self, timeout: Option<Duration>) {
        self.settings.consumer_timeout = timeout;
        let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
        ids.into_iter().for_each(|id| self.watch(id));
        self.settle(self.now);
    }

    /// Refuses with 530 a connection that is one too many for the broker, or for the virtual host.
    pub(in crate::broker) fn check_limits_of_host(
        &self,
        user: &ShortString,
        host: &ShortString,
    ) -> Result<(), Refusal> {
        if let Some(limit) = self.settings.max_connections
            && self.is_reached(limit, |_| true)
        {
            return Err(not_allowed(format!("connection refused: node connection limit ({limit}) is reached")));
        }
        if let Some(limit) = self.virtual_hosts.get(host).and_then(|host| host.max_connections())
            && self.is_reached(limit, |connection| connection.virtual_host == *host)
        {
            let text =
                format!("access to vhost '{host}' refused for user '{user}': connection limit ({limit}) is reached");
            return Err(not_allowed(text));
        }
        Ok(())
    }

    /// Refuses with 530 a connection that is one too many for the user.
    pub(in crate::broker) fn check_limit_of_user(&self, user: &ShortString) -> Result<(), Refusal> {
        let limit = self.users.get(user.to_str().unwrap_or_default()).and_then(|user| user.max_connections);
        if let Some(limit) = limit
            && self.is_reached(limit, |connection| connection.user == *user)
        {
            let text = format!("connection refused for user '{user}': user connection limit ({limit}) is reached");
            return Err(not_allowed(text));
        }
        Ok(())
    }

    /// Refuses with 530 a channel that is one too many for the user.
    pub(in crate::broker) fn check_channels_of_user(&self, key: ChannelKey) -> Result<(), Refusal> {
        let Some(connection) = self.connections.get(&key.connection) else { return Ok(()) };
        let user = &connection.user;
        let limit = self.users.get(user.to_str().unwrap_or_default()).and_then(|user| user.max_channels);
        let Some(limit) = limit else { return Ok(()) };
        let own = self.connections.values().filter(|connection| connection.user == *user);
        let open: usize = own.map(|connection| connection.channels.len()).sum();
        if open < usize::try_from(limit).unwrap_or(usize::MAX) {
            return Ok(());
        }
        let text = format!(
            "number of channels opened for user '{user}' has reached the maximum allowed user limit of ({limit})"
        );
        Err(not_allowed(text).without_blame())
    }

    /// Whether as many connections of this kind are open as the limit allows.
    fn is_reached(&self, limit: u32, mut counts: impl FnMut(&Connection) -> bool) -> bool {
        let connections = self.connections.values();
        let open = connections.filter(|connection| connection.phase == Phase::Running && counts(connection));
        open.count() >= usize::try_from(limit).unwrap_or(usize::MAX)
    }
}

fn not_allowed(text: String) -> Refusal {
    Refusal::connection(ReplyCode::NOT_ALLOWED, text)
}
