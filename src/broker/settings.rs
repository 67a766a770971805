//! The settings of an embedded broker.

use std::collections::BTreeMap;
use std::time::Duration;

use super::model::Permissions;
use crate::wire::Timestamp;

/// The initial users and virtual hosts of an embedded broker, its limits, and what it proposes to
/// clients.
///
/// The defaults are those of RabbitMQ: one virtual host `/`, and the user `guest` with the password
/// `guest` and all permissions there. Users and virtual hosts can be changed later: see
/// [`State::add_user`](super::State::add_user) and
/// [`State::add_virtual_host`](super::State::add_virtual_host).
///
/// ```
/// use leveret::broker::{Broker, Permissions, Settings, User};
///
/// let mut settings = Settings::default();
/// settings.virtual_hosts.push("orders".to_owned());
/// settings.users.insert("shop".to_owned(), User::new("secret").permissions("orders", Permissions::all()));
/// settings.heartbeat = 10;
/// let broker = Broker::with(settings);
/// # let _ = broker;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The virtual hosts. Default: `/`.
    pub virtual_hosts: Vec<String>,
    /// The users by name.
    pub users: BTreeMap<String, User>,
    /// The largest number of channels of a connection; 0 stands for no limit but that of the
    /// protocol, 65,535. Default: 2047.
    pub channel_max: u16,
    /// The largest frame in bytes; 0 stands for no limit. Default: 131,072.
    pub frame_max: u32,
    /// The proposed heartbeat interval in seconds. The client's answer counts. Default: 60.
    pub heartbeat: u16,
    /// The largest message in bytes. A larger one closes the channel with 406. Default: 128 MiB.
    pub max_message_size: u64,
    /// The largest number of open connections; one too many is refused with 530. `None` stands for
    /// no limit. Default: `None`.
    pub max_connections: Option<u32>,
    /// How long a client may take to acknowledge a delivery, be it of a consumer or of `basic.get`.
    /// If it takes longer, the channel is closed with 406. `None` stands for no limit. RabbitMQ
    /// checks this once a minute, so up to a minute later than here. Default: 30 minutes.
    pub consumer_timeout: Option<Duration>,
    /// How long a client may take to open the connection. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Whether answers to `basic.consume` and `basic.cancel`, and confirms of queues, arrive after
    /// the answers to what was sent after them, and whether anything that is sent after an
    /// unanswered `tx.commit` closes the connection with 504, as in RabbitMQ: see "Order of
    /// answers" in the [module's documentation](super). If `false`, answers are in the order of the
    /// calls. Default: `true`.
    pub late_answers: bool,
    /// The percentage of answers to `basic.consume`, `basic.cancel` and `tx.commit` that arrive in
    /// the order of the calls despite `late_answers`, as happens in RabbitMQ at times. Which ones
    /// is drawn from the seed; 0 stands for none. Default: 1.
    pub in_time_percent: u8,
    /// The seed from which the names that the server gives to queues and consumers are drawn, and
    /// which late answers arrive in time. The same seed gives the same names and orders. Default:
    /// 0.
    pub seed: u64,
    /// The time at which the broker starts, from which the `time` of `x-death` is computed. If it
    /// is `None`, a [`Broker`](super::Broker) uses the present time, and a [`State`](super::State),
    /// which has no clock, uses 1 January 2020, so that every run is the same. Default: `None`.
    pub started_at: Option<Timestamp>,
}

/// A user that may log in.
///
/// `Debug` does not show the password.
#[derive(Clone)]
#[non_exhaustive]
pub struct User {
    /// The password.
    pub password: String,
    /// The virtual hosts that the user may open, with the permissions there.
    pub permissions: BTreeMap<String, Permissions>,
    /// The largest number of the user's connections; `None` for any number.
    pub max_connections: Option<u32>,
    /// The largest number of channels on all connections of the user; `None` for any number.
    pub max_channels: Option<u32>,
}

impl User {
    /// Creates a user without permissions for any virtual host, and without limits.
    pub fn new(password: impl Into<String>) -> Self {
        Self { password: password.into(), permissions: BTreeMap::new(), max_connections: None, max_channels: None }
    }

    /// Sets the user's permissions in a virtual host, which the user may then open.
    #[must_use]
    pub fn permissions(mut self, virtual_host: impl Into<String>, permissions: Permissions) -> Self {
        self.permissions.insert(virtual_host.into(), permissions);
        self
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("permissions", &self.permissions).finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        let guest = User::new("guest").permissions("/", Permissions::all());
        Self {
            virtual_hosts: vec!["/".to_owned()],
            users: BTreeMap::from([("guest".to_owned(), guest)]),
            channel_max: 2047,
            frame_max: 128 * 1024,
            heartbeat: 60,
            max_message_size: 128 * 1024 * 1024,
            max_connections: None,
            consumer_timeout: Some(Duration::from_secs(30 * 60)),
            handshake_timeout: Duration::from_secs(10),
            late_answers: true,
            in_time_percent: 1,
            seed: 0,
            started_at: None,
        }
    }
}
