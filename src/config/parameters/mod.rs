//! The table of parameters: every field of [`ConnectionParameters`] with its meaning, default and
//! URL keys.

mod endpoint;
mod heartbeat;
mod properties;
mod table;
mod validate;
mod values;

use std::net::IpAddr;
use std::time::Duration;

use crate::config::url::{
    AUTH_MECHANISM, CA_FILE, CERTIFICATE_FILE, CLIENT_PROPERTIES, CONNECTION_TIMEOUT, ERASE_ON_CONNECT,
    FAIL_IF_NO_PEER_CERT, KEY_FILE, KEY_PASSWORD, SEND_SERVER_NAME, SERVER_NAME, SOCKET_TIMEOUT, SSL_OPTIONS,
    TCP_OPTIONS, VERIFY,
};
use crate::config::{Credentials, Setting, Tls};
use crate::wire::FieldTable;
use table::{Row, parameters};
use values::{
    ADDRESS, ANY_U16, ATTEMPT_DELAY, DEADLINE, DEADLINE_OR_NONE, DELAY, DELAY_OR_NONE, FRAME_MAX, HEARTBEAT, LIMIT,
    LOCALE, MARK, NAME, ORDER, POSITIVE_U16, POSITIVE_U32, POSITIVE_U64, POSITIVE_USIZE, PROBES, SOCKET_MILLISECONDS,
    SOCKET_OCTETS, SOCKET_SECONDS, T_OR_F, TRUE_OR_FALSE,
};

pub use endpoint::{Endpoint, EndpointOrder};
pub use heartbeat::Heartbeat;

pub(super) use table::{Access, Form, Key};
pub(super) use validate::{ALLOWED_HOST, ALLOWED_PORT};
pub(super) use values::{NONE, Refusal, either, is_deadline, optional, print_seconds, seconds, whole};

parameters! {
    /// What a connection is opened with.
    ///
    /// Start from the defaults or from a URL, and change what differs: each field has a setter of
    /// its name. `Debug` and `Display` never show a secret; `Display` gives a URL.
    ///
    /// What is wrong in a URL is told when it is read; what is wrong in a field is told by
    /// [`validate`](Self::validate), which opening a connection calls first.
    ///
    /// ```
    /// use leveret::config::{ConnectionParameters, Endpoint};
    ///
    /// let parameters = ConnectionParameters::default().host("rabbit.example").connection_name("invoices");
    /// assert_eq!(parameters.endpoints, [Endpoint::new("rabbit.example")]);
    /// assert!(parameters.validate().is_ok());
    /// ```
    #[derive(Debug, Clone)]
    #[non_exhaustive]
    struct;

    endpoints: Vec<Endpoint> = vec![Endpoint::default()], "`localhost`, port 5672, with TLS 5671",
        "Where the broker is, or the brokers of a cluster, at least one; every address that a name resolves to is tried. \
         In a URL: `host:port`, or several, as in `a:5672,b:5673`.",
        set |endpoints: impl IntoIterator<Item = impl Into<Endpoint>>| endpoints.into_iter().map(Into::into).collect(),
        keys {}

    endpoint_order: EndpointOrder = EndpointOrder::InOrder, "`in_order`",
        "The order in which the endpoints are tried. Each has a head start of `connection_attempt_delay` over the next.",
        set |endpoint_order: EndpointOrder| endpoint_order,
        keys { "endpoint_order" "in_order or shuffled" codec ORDER; }

    virtual_host: String = "/".to_owned(), "`/`",
        "The virtual host to open, at most 255 octets. It may be empty. In a URL: the path.",
        set |virtual_host: impl Into<String>| virtual_host.into(),
        keys {}

    credentials: Credentials = Credentials::default(), "`guest` with the password `guest`, by PLAIN",
        "Who the client is. RabbitMQ lets `guest` in from its own machine only. In a URL: `user:password@`.",
        set |credentials: Credentials| credentials,
        keys {
            "auth_mechanism" "plain, amqplain or external, several times in order of preference" access AUTH_MECHANISM;
            "erase_on_connect" "true or false: whether the password is forgotten after use" access ERASE_ON_CONNECT;
        }

    credentials_timeout: Option<Duration> = Some(Duration::from_secs(10)), "10 s",
        "How long a provider of credentials may take.",
        set |credentials_timeout: impl Into<Option<Duration>>| credentials_timeout.into(),
        keys {
            "credentials_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year), or none" codec DEADLINE_OR_NONE;
        }

    tls: Option<Tls> = None, "none",
        "TLS, and its settings. In a URL: the scheme `amqps`, which the keys here need.",
        set |tls: impl Into<Option<Tls>>| tls.into(),
        keys {
            "cacertfile" "the path of a PEM file with the authorities that are trusted, or the broker's own certificate" access CA_FILE;
            "certfile" "the path of a PEM file with the client's certificate" access CERTIFICATE_FILE;
            "keyfile" "the path of a PEM file with the certificate's private key" access KEY_FILE;
            "password" "the password of the private key" access KEY_PASSWORD;
            "verify" "verify_peer or verify_none (which trusts anybody)" access VERIFY;
            "fail_if_no_peer_cert" "true or false, which make no difference: a broker always shows one"
                access FAIL_IF_NO_PEER_CERT;
            "server_name_indication" "the name that the broker's certificate is for, or disable to tell it none"
                access SERVER_NAME;
            "send_server_name" "true or false: whether the broker is told that name" access SEND_SERVER_NAME;
            "ssl_options" "a JSON object of ca_certs (or cafile), certfile, keyfile, password and server_hostname" access SSL_OPTIONS;
        }

    connection_attempts: u32 = 1, "1",
        "How many times all addresses of all endpoints are tried before opening fails; at least 1. A cycle in which every \
         failure was one that time does not heal, such as refused credentials, is the last.",
        set |connection_attempts: u32| connection_attempts,
        keys { "connection_attempts" "a whole number from 1 to 4294967295" codec POSITIVE_U32; }

    retry_delay: Duration = Duration::from_secs(2), "2 s",
        "The pause between two of these cycles.",
        set |retry_delay: Duration| retry_delay,
        keys { "retry_delay" "seconds from 0, such as 0.25, up to 31536000 (a year)" codec DELAY; }

    connection_attempt_delay: Option<Duration> = Some(Duration::from_millis(250)), "0.25 s",
        "How long an address has to connect before the next one is tried beside it, as in Happy Eyeballs (RFC 8305): the \
         addresses of all endpoints in their order, of one name IPv6 and IPv4 in turn. An address that fails makes way for the \
         next at once. The first that connects goes on to TLS and AMQP alone: nothing starts meanwhile, and if it fails, the \
         others go on. With none, or 0, one address is tried after the other.",
        set |connection_attempt_delay: impl Into<Option<Duration>>| connection_attempt_delay.into(),
        keys {
            "connection_attempt_delay" "seconds from 0.01, such as 0.25, up to 31536000 (a year), or 0 or none"
                codec ATTEMPT_DELAY;
        }

    connect_timeout: Option<Duration> = Some(Duration::from_secs(10)), "10 s",
        "How long resolving a name may take, and how long connecting to one address by TCP. Both keys together are an error.",
        set |connect_timeout: impl Into<Option<Duration>>| connect_timeout.into(),
        keys {
            "socket_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year), or none" access SOCKET_TIMEOUT;
            "connection_timeout" "a whole number of milliseconds from 1 to 31536000000 (a year), or none"
                access CONNECTION_TIMEOUT;
        }

    tls_timeout: Option<Duration> = Some(Duration::from_secs(10)), "10 s",
        "How long the handshake of TLS may take.",
        set |tls_timeout: impl Into<Option<Duration>>| tls_timeout.into(),
        keys { "tls_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year), or none" codec DEADLINE_OR_NONE; }

    handshake_timeout: Option<Duration> = Some(Duration::from_secs(10)), "10 s",
        "How long the handshake of AMQP may take, from the protocol header to the open virtual host.",
        set |handshake_timeout: impl Into<Option<Duration>>| handshake_timeout.into(),
        keys {
            "handshake_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year), or none" codec DEADLINE_OR_NONE;
        }

    stack_timeout: Option<Duration> = Some(Duration::from_secs(15)), "15 s",
        "How long one attempt may take: TCP, TLS and AMQP with one address together.",
        set |stack_timeout: impl Into<Option<Duration>>| stack_timeout.into(),
        keys { "stack_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year), or none" codec DEADLINE_OR_NONE; }

    open_timeout: Option<Duration> = None, "none: the attempts have their own",
        "How long opening may take as a whole: all attempts, and the pauses between.",
        set |open_timeout: impl Into<Option<Duration>>| open_timeout.into(),
        keys { "open_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year), or none" codec DEADLINE_OR_NONE; }

    call_timeout: Option<Duration> = Some(Duration::from_secs(75)), "75 s",
        "How long a call waits for the broker's reply. It is generous, because declaring or deleting a large replicated queue \
         takes a busy cluster its time, and because RabbitMQ itself waits 65 s for a node that is gone before it says so; it \
         is there so that nothing waits for ever.",
        set |call_timeout: impl Into<Option<Duration>>| call_timeout.into(),
        keys { "call_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year), or none" codec DEADLINE_OR_NONE; }

    close_timeout: Duration = Duration::from_secs(10), "10 s",
        "How long closing waits for what is queued to be written and for the broker's answer.",
        set |close_timeout: Duration| close_timeout,
        keys { "close_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year)" codec DEADLINE; }

    blocked_connection_timeout: Option<Duration> = None, "none: it may last",
        "How long the broker may block the connection before it is given up.",
        set |blocked_connection_timeout: impl Into<Option<Duration>>| blocked_connection_timeout.into(),
        keys {
            "blocked_connection_timeout" "seconds from 0, such as 0.25, up to 31536000 (a year), or none"
                codec DELAY_OR_NONE;
        }

    channel_max: u16 = u16::MAX, "65535",
        "The most channels that may be open at a time. The smaller of this and the server's limit holds.",
        set |channel_max: u16| channel_max,
        keys { "channel_max" "a whole number from 1 to 65535" codec POSITIVE_U16; }

    frame_max: u32 = 128 * 1024, "131072",
        "The largest frame in octets. The smaller of this and the server's limit holds; RabbitMQ from 4.1 on refuses less than \
         8192.",
        set |frame_max: u32| frame_max,
        keys { "frame_max" "a whole number from 4096 to 4294967295" codec FRAME_MAX; }

    heartbeat: Heartbeat = Heartbeat::Server, "the server's",
        "How often heartbeats are sent, and so how soon a dead peer is noticed. The client's choice wins over the server's.",
        set |heartbeat: impl Into<Heartbeat>| heartbeat.into(),
        keys { "heartbeat" "a whole number of seconds from 0 (no heartbeats) to 65535" codec HEARTBEAT; }

    locale: String = "en_US".to_owned(), "`en_US`",
        "The language of the broker's texts. RabbitMQ has `en_US` alone.",
        set |locale: impl Into<String>| locale.into(),
        keys { "locale" "a name of 1 to 255 octets, such as en_US" codec LOCALE; }

    client_properties: FieldTable = FieldTable::new(), "none",
        "What the client tells of itself beyond the defaults, or in place of them; see \
         [`announced_properties`](ConnectionParameters::announced_properties). Values that JSON does not have, such as \
         timestamps, are left out of the URL.",
        set |client_properties: impl Into<FieldTable>| client_properties.into(),
        keys { "client_properties" "a JSON object" access CLIENT_PROPERTIES; }

    connection_name: Option<String> = None, "none",
        "What the management page calls this connection.",
        set |connection_name: impl Into<Setting<String>>| connection_name.into().into_option(),
        keys { "connection_name" "a name of at least one character" codec NAME; }

    driver_thread: bool = false, "false",
        "The connection is driven by a thread of its own, for programs whose tasks block their runtime: heartbeats flow \
         whatever they do.",
        set |driver_thread: bool| driver_thread,
        keys { "driver_thread" "true or false" codec TRUE_OR_FALSE; }

    tcp_nodelay: bool = true, "true",
        "A lone frame goes out at once (TCP_NODELAY); what waits is coalesced whatever this says.",
        set |tcp_nodelay: bool| tcp_nodelay,
        keys { "tcp_nodelay" "true or false" codec TRUE_OR_FALSE; }

    tcp_keepalive: bool = false, "false",
        "TCP probes a quiet connection (SO_KEEPALIVE). Each of the three settings below turns it on.",
        set |tcp_keepalive: bool| tcp_keepalive,
        keys {
            "tcp_keepalive" "true or false" codec TRUE_OR_FALSE;
            "tcp_options" "a JSON object of TCP_KEEPIDLE, TCP_KEEPINTVL (both in seconds), TCP_KEEPCNT and \
                           TCP_USER_TIMEOUT (in milliseconds)" access TCP_OPTIONS;
        }

    tcp_keepalive_idle: Option<Duration> = None, "the system's",
        "How long a connection is quiet before the first probe (TCP_KEEPIDLE), in whole seconds.",
        set |tcp_keepalive_idle: impl Into<Option<Duration>>| tcp_keepalive_idle.into(),
        keys { "tcp_keepalive_idle" "a whole number of seconds from 1 to 32767" codec SOCKET_SECONDS; }

    tcp_keepalive_interval: Option<Duration> = None, "the system's",
        "The pause between two probes (TCP_KEEPINTVL), in whole seconds.",
        set |tcp_keepalive_interval: impl Into<Option<Duration>>| tcp_keepalive_interval.into(),
        keys { "tcp_keepalive_interval" "a whole number of seconds from 1 to 32767" codec SOCKET_SECONDS; }

    tcp_keepalive_count: Option<u32> = None, "the system's",
        "How many probes are lost before the connection is (TCP_KEEPCNT).",
        set |tcp_keepalive_count: impl Into<Option<u32>>| tcp_keepalive_count.into(),
        keys { "tcp_keepalive_count" "a whole number from 1 to 127" codec PROBES; }

    tcp_user_timeout: Option<Duration> = None, "the system's",
        "How long sent octets may wait to be acknowledged before the connection is lost (TCP_USER_TIMEOUT, Linux alone), in \
         whole milliseconds. It can kill a connection that the broker has blocked.",
        set |tcp_user_timeout: impl Into<Option<Duration>>| tcp_user_timeout.into(),
        keys { "tcp_user_timeout" "seconds from 0.001, such as 0.25, to 2147483.647" codec SOCKET_MILLISECONDS; }

    tcp_send_buffer: Option<usize> = None, "the system's",
        "Octets of the socket's buffer for what goes out (SO_SNDBUF).",
        set |tcp_send_buffer: impl Into<Option<usize>>| tcp_send_buffer.into(),
        keys { "tcp_send_buffer" "a whole number of octets from 1 to 2147483647" codec SOCKET_OCTETS; }

    tcp_receive_buffer: Option<usize> = None, "the system's",
        "Octets of the socket's buffer for what comes in (SO_RCVBUF).",
        set |tcp_receive_buffer: impl Into<Option<usize>>| tcp_receive_buffer.into(),
        keys { "tcp_receive_buffer" "a whole number of octets from 1 to 2147483647" codec SOCKET_OCTETS; }

    local_address: Option<IpAddr> = None, "the system's",
        "The address of this machine to connect from. Addresses of the broker of the other family are passed over.",
        set |local_address: impl Into<Option<IpAddr>>| local_address.into(),
        keys { "local_address" "an IPv4 or IPv6 address, without brackets" codec ADDRESS; }

    write_high_water: usize = 1024 * 1024, "1048576 (1 MiB)",
        "Octets waiting for the socket at which publishing pauses.",
        set |write_high_water: usize| write_high_water,
        keys { "write_high_water" "a whole number of octets, at least 1" codec POSITIVE_USIZE; }

    write_low_water: Option<usize> = None, "half of `write_high_water`",
        "Octets waiting for the socket at which publishing goes on: see [`low_water`](ConnectionParameters::low_water).",
        set |write_low_water: impl Into<Option<usize>>| write_low_water.into(),
        keys { "write_low_water" "a whole number of octets, less than write_high_water" codec MARK; }

    write_limit: usize = 16 * 1024 * 1024, "16777216 (16 MiB)",
        "The most bytes that may wait for the socket besides publishes, for a broker that does not read: what it takes to \
         acknowledge some 800 000 messages. Over it, a call fails with \
         [`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure) and nothing of it is sent; an acknowledgement of a \
         `Delivery` waits until there is room. When answers to the broker have added as much again, nothing more is read \
         from it until it reads.",
        set |write_limit: usize| write_limit,
        keys { "write_limit" "a whole number of bytes, at least 1" codec POSITIVE_USIZE; }

    max_unconfirmed: Option<u32> = None, "none",
        "Publishes waiting for their confirms at which publishing pauses.",
        set |max_unconfirmed: impl Into<Option<u32>>| max_unconfirmed.into(),
        keys { "max_unconfirmed" "a whole number from 1 to 4294967295, or none" codec LIMIT; }

    max_message_size: u64 = 512 * 1024 * 1024, "536870912 (512 MiB)",
        "The largest inbound message body in octets: it bounds what one message can make this process allocate. The default is \
         the most that RabbitMQ 3.x can be configured to pass on; lower it where the application knows better.",
        set |max_message_size: u64| max_message_size,
        keys { "max_message_size" "a whole number of octets, at least 1" codec POSITIVE_U64; }

    max_header_size: usize = 16 * 1024 * 1024, "16777216 (16 MiB)",
        "The largest content header of an inbound message in bytes: all its properties, headers among them. Brokers do not hold \
         headers to `frame_max`, since dead-lettering adds to them. One that fits a frame as negotiated is taken in any case; a \
         message whose header is larger than both is rejected like one over `max_message_size`. The default is as much as \
         RabbitMQ 4 takes for a whole message.",
        set |max_header_size: usize| max_header_size,
        keys { "max_header_size" "a whole number of bytes, at least 1" codec POSITIVE_USIZE; }

    default_prefetch: u16 = 250, "250",
        "How many unsettled messages the broker sends at most to a consumer for which neither it nor its channel says otherwise; \
         0 for no limit. It bounds what a slow consumer holds, and lets other consumers of the queue have their share. A program \
         that collects more messages than this before it settles them has to ask for more: it would wait for ever. Pika and \
         lapin set no limit where the program sets none, so that all of a queue may lie in one process. RabbitMQ's guide to consumers \
         finds that 100 to 300 usually give the best throughput, and more gains little.",
        set |default_prefetch: u16| default_prefetch,
        keys { "default_prefetch" "a whole number from 0 to 65535" codec ANY_U16; }

    read_limit: usize = 128 * 1024 * 1024, "134217728 (128 MiB)",
        "The most bytes of messages that may wait for their consumers on one connection: for programs that take messages more \
         slowly than the broker sends them, with `no_ack` or without a prefetch. Over it the connection is not read, so that TCP \
         holds the broker back, until consumers have taken some. Reading goes on all the same while something is awaited that \
         only reading can bring: the answer to a call or to a close, the confirm of a publish, the answer to a new secret, the \
         end of a block of publishes; and it goes on for a moment when the broker's heartbeat is due. At twice the limit the \
         consumer for which most waits ends at once, as it else does after `overflow_timeout`. A message counts with its \
         properties and some 100 bytes for its place, and one that was rejected because it was over `max_message_size` or \
         `max_header_size` with 32 bytes, until its consumer has heard of it. The first that waits for a consumer does not \
         count, whatever its size; nor does what a consumer has taken, some 64 KiB or a larger message at a time.",
        set |read_limit: usize| read_limit,
        keys { "read_limit" "a whole number of bytes, at least 1" codec POSITIVE_USIZE; }

    overflow_timeout: Duration = Duration::from_secs(15), "15 s",
        "How long more than `read_limit` may wait before the consumer for which most waits ends with \
         `ErrorKind::ConsumerOverflowed`, and reading goes on for the others. Each time that less waits it begins anew. What \
         waits for that consumer goes back to the queue; with `no_ack` it is handed out, and what still arrives is lost. \
         RabbitMQ resets a connection that is not read for 30 s: this has to be less.",
        set |overflow_timeout: Duration| overflow_timeout,
        keys { "overflow_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year)" codec DEADLINE; }

    backpressure_detection: bool = false, "off",
        "The detector of Pika 0.x: an [event](crate::ConnectionEvent::Backpressure) for each frame that is queued while more \
         than `backpressure_multiplier` average frames wait. It pauses nothing, and a large message after small ones is a false \
         alarm of its rule.",
        set |backpressure_detection: bool| backpressure_detection,
        keys { "backpressure_detection" "t or f" codec T_OR_F; }

    backpressure_multiplier: u32 = 10, "10",
        "How many average frames may wait before the detector speaks.",
        set |backpressure_multiplier: u32| backpressure_multiplier,
        keys { "backpressure_multiplier" "a whole number from 1 to 4294967295" codec POSITIVE_U32; }
}

impl ConnectionParameters {
    /// Sets the one endpoint's host, its port staying the first one's.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        let port = self.endpoints.first().and_then(|endpoint| endpoint.port);
        self.endpoints = vec![Endpoint { host: host.into(), port }];
        self
    }

    /// Sets the port of every endpoint that there is.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        for endpoint in &mut self.endpoints {
            endpoint.port = Some(port);
        }
        self
    }

    /// The port of an endpoint: its own, or the usual one, 5672, with TLS 5671.
    pub fn port_of(&self, endpoint: &Endpoint) -> u16 {
        endpoint.port.unwrap_or(if self.tls.is_some() { 5671 } else { 5672 })
    }

    /// The low water mark that holds: [`write_low_water`](Self::write_low_water), or half of the
    /// high one.
    pub fn low_water(&self) -> usize {
        self.write_low_water.unwrap_or(self.write_high_water / 2)
    }

    /// TCP probes a quiet connection: asked for by itself, or by one of its settings.
    pub fn keeps_alive(&self) -> bool {
        self.tcp_keepalive
            || self.tcp_keepalive_idle.is_some()
            || self.tcp_keepalive_interval.is_some()
            || self.tcp_keepalive_count.is_some()
    }
}
