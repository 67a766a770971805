//! The parameters of a connection, and their defaults.

use std::time::Duration;

use super::{Credentials, Heartbeat};
use crate::wire::FieldTable;

/// What a connection is opened with.
///
/// Start from the defaults or from a URL, and change what differs: each field has a setter of its name. `Debug` and
/// `Display` never show a secret; `Display` gives a URL.
///
/// What is wrong in a URL is told when it is read; what is wrong in a field is told by [`validate`](Self::validate),
/// which opening a connection calls first.
///
/// ```
/// use leveret::config::ConnectionParameters;
///
/// let parameters = ConnectionParameters::default().host("rabbit.example").connection_name("invoices");
/// assert_eq!(parameters.port, 5672);
/// assert!(parameters.validate().is_ok());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectionParameters {
    /// The broker's name or address; an IPv6 address stands here without brackets. Not empty.
    ///
    /// Default `localhost`; in a URL its host.
    pub host: String,

    /// The broker's TCP port, 1–65535.
    ///
    /// Default 5672; in a URL its port.
    pub port: u16,

    /// The virtual host to open, at most 255 octets. It may be empty.
    ///
    /// Default `/`; in a URL its path.
    pub virtual_host: String,

    /// Who the client is.
    ///
    /// Default `guest` with the password `guest`, whom a broker accepts from its own machine only; in a URL its user
    /// and password.
    pub credentials: Credentials,

    /// The most channels that may be open at a time, 1–65535. The smaller of this and the server's limit holds.
    ///
    /// Default 65535; URL key `channel_max`.
    pub channel_max: u16,

    /// The largest frame in octets, at least 4096. The smaller of this and the server's limit holds; RabbitMQ from 4.1
    /// on refuses less than 8192.
    ///
    /// Default 131072; URL key `frame_max`.
    pub frame_max: u32,

    /// How often heartbeats are sent, and so how soon a dead peer is noticed. The client's choice wins over the
    /// server's.
    ///
    /// Default [`Heartbeat::Server`]; URL key `heartbeat`, in seconds, 0 for none.
    pub heartbeat: Heartbeat,

    /// How long resolving the host and connecting to it by TCP may take; more than 0, a year at most, or none for no
    /// limit.
    ///
    /// Default 10 s; URL key `socket_timeout` in seconds, or `connection_timeout` in milliseconds, either may be
    /// `none`; both together are an error.
    pub connect_timeout: Option<Duration>,

    /// How long opening the connection may take, from the first TCP packet to the open virtual host; more than 0, a
    /// year at most, or none for no limit.
    ///
    /// Default 15 s; URL key `stack_timeout`, in seconds or `none`.
    pub open_timeout: Option<Duration>,

    /// How long a call waits for the broker's reply; more than 0, a year at most, or none for no limit.
    ///
    /// The default is generous, because declaring or deleting a large replicated queue takes a busy cluster its time;
    /// it is there so that nothing waits for ever. Default 60 s; URL key `call_timeout`, in seconds or `none`.
    pub call_timeout: Option<Duration>,

    /// How long closing waits for what is queued to be written and for the broker's answer; more than 0, a year at
    /// most.
    ///
    /// Default 10 s; URL key `close_timeout`, in seconds.
    pub close_timeout: Duration,

    /// The language of the broker's texts, 1–255 octets. RabbitMQ has `en_US` alone.
    ///
    /// Default `en_US`; URL key `locale`.
    pub locale: String,

    /// What the client tells of itself beyond the defaults, or in place of them; see
    /// [`announced_properties`](Self::announced_properties).
    ///
    /// Default none; a URL does not carry them.
    pub client_properties: FieldTable,

    /// What the management page calls this connection. Not empty.
    ///
    /// Default none; URL key `connection_name`.
    pub connection_name: Option<String>,

    /// Octets waiting for the socket at which publishing pauses; at least 1.
    ///
    /// Default 1048576 (1 MiB); URL key `write_high_water`.
    pub write_high_water: usize,

    /// Octets waiting for the socket at which publishing goes on; less than
    /// [`write_high_water`](Self::write_high_water), of which it is half where none is given: see
    /// [`low_water`](Self::low_water).
    ///
    /// Default none; URL key `write_low_water`.
    pub write_low_water: Option<usize>,

    /// Publishes waiting for their confirms at which publishing pauses; at least 1, or none for no limit.
    ///
    /// Default none; URL key `max_unconfirmed`, a number or `none`.
    pub max_unconfirmed: Option<u32>,

    /// The largest inbound message body in octets, at least 1. It bounds what one message can make this process
    /// allocate.
    ///
    /// Default 536870912 (512 MiB), the most that RabbitMQ 3.x can be configured to pass on: lower it where the
    /// application knows better. URL key `max_message_size`.
    pub max_message_size: u64,
}

impl Default for ConnectionParameters {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 5672,
            virtual_host: "/".to_owned(),
            credentials: Credentials::default(),
            channel_max: u16::MAX,
            frame_max: 128 * 1024,
            heartbeat: Heartbeat::Server,
            connect_timeout: Some(Duration::from_secs(10)),
            open_timeout: Some(Duration::from_secs(15)),
            call_timeout: Some(Duration::from_secs(60)),
            close_timeout: Duration::from_secs(10),
            locale: "en_US".to_owned(),
            client_properties: FieldTable::new(),
            connection_name: None,
            write_high_water: 1024 * 1024,
            write_low_water: None,
            max_unconfirmed: None,
            max_message_size: 512 * 1024 * 1024,
        }
    }
}

impl ConnectionParameters {
    /// The low water mark that holds: [`write_low_water`](Self::write_low_water), or half of the high one.
    pub fn low_water(&self) -> usize {
        self.write_low_water.unwrap_or(self.write_high_water / 2)
    }
}
