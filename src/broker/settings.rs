//! What an embedded broker starts with.

use std::collections::BTreeMap;
use std::time::Duration;

use super::model::Permissions;
use crate::wire::Timestamp;

/// What an embedded broker starts with, and what it proposes to clients.
///
/// The defaults are RabbitMQ's: one virtual host `/`, and the user `guest` with the password
/// `guest` who may do everything there. Users and virtual hosts can be changed later on: see
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
    /// The virtual hosts that there are, `/` unless said otherwise.
    pub virtual_hosts: Vec<String>,
    /// The users by name.
    pub users: BTreeMap<String, User>,
    /// The most channels of a connection, 2047 unless said otherwise; 0 stands for no limit but the
    /// protocol's, 65535.
    pub channel_max: u16,
    /// The largest frame in octets, 131 072 unless said otherwise; 0 stands for no limit.
    pub frame_max: u32,
    /// The heartbeat interval that is proposed, in seconds, 60 unless said otherwise; the client's
    /// answer counts.
    pub heartbeat: u16,
    /// The largest message in octets, 128 MiB unless said otherwise. A larger one closes the
    /// channel with 406.
    pub max_message_size: u64,
    /// How long a client may take to open the connection, 10 s unless said otherwise.
    pub handshake_timeout: Duration,
    /// Answers to `basic.consume` and `basic.cancel`, and the confirms of queues, arrive after the
    /// answers to what was sent behind them, and whatever is sent behind an unanswered `tx.commit`
    /// closes the connection with 504: see "Order of answers" in the [module's
    /// documentation](super). True unless said otherwise, as in RabbitMQ; without, answers are in
    /// the order of the calls.
    pub late_answers: bool,
    /// How many of a hundred answers to `basic.consume`, `basic.cancel` and `tx.commit` arrive in
    /// time all the same, in the order of the calls, as RabbitMQ loses that race at times. One
    /// unless said otherwise. Which ones is drawn from the seed; 0 stands for none.
    pub in_time_percent: u8,
    /// Server-made names of queues and consumers, and which late answers arrive in time, are drawn
    /// from this seed: the same seed, the same names and orders.
    pub seed: u64,
    /// The time of day when the broker starts, from which the `time` of `x-death` is counted. Where
    /// none is said, a [`Broker`](super::Broker) takes the present, and a [`State`](super::State),
    /// which has no clock, the first of January 2020: the same in every run.
    pub started_at: Option<Timestamp>,
}

/// Somebody who may log in.
///
/// The password does not show in `Debug`.
#[derive(Clone)]
#[non_exhaustive]
pub struct User {
    /// What the user has to give.
    pub password: String,
    /// The virtual hosts that the user may enter, and what is allowed there.
    pub permissions: BTreeMap<String, Permissions>,
}

impl User {
    /// A user who may not enter any virtual host yet.
    pub fn new(password: impl Into<String>) -> Self {
        Self { password: password.into(), permissions: BTreeMap::new() }
    }

    /// Lets the user enter a virtual host.
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
            handshake_timeout: Duration::from_secs(10),
            late_answers: true,
            in_time_percent: 1,
            seed: 0,
            started_at: None,
        }
    }
}
