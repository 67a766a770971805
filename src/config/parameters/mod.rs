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

use crate::config::recovery::{CHANNEL_RECOVERY, RECOVERY, RESEND, WHILE_DOWN, WHILE_DOWN_BUFFER};
use crate::config::url::{
    AUTH_MECHANISM, CA_FILE, CERTIFICATE_FILE, CLIENT_PROPERTIES, CONNECTION_TIMEOUT, ERASE_ON_CONNECT,
    FAIL_IF_NO_PEER_CERT, KEY_FILE, KEY_PASSWORD, SEND_SERVER_NAME, SERVER_NAME, SOCKET_TIMEOUT, SSL_OPTIONS,
    TCP_OPTIONS, VERIFY,
};
use crate::config::{
    ChannelRecovery, Credentials, OnRecovered, RecoverWhen, Recovery, RecoveryFilter, Resend, Setting, Tls, WhileDown,
};
use crate::wire::FieldTable;
use table::{Row, parameters};
use values::{
    ADDRESS, ANY_U16, ATTEMPT_DELAY, DEADLINE, DEADLINE_OR_NONE, DELAY, DELAY_OR_NONE, FRAME_MAX, HEARTBEAT, LIMIT,
    LOCALE, MARK, NAME, ORDER, POSITIVE_U16, POSITIVE_U32, POSITIVE_U64, POSITIVE_USIZE, PROBES, SOCKET_MILLISECONDS,
    SOCKET_OCTETS, SOCKET_SECONDS, T_OR_F, TRUE_OR_FALSE,
};

pub use endpoint::{Endpoint, EndpointOrder};
pub use heartbeat::Heartbeat;

pub(super) use table::{Access, Codec, Form, Key};
pub(super) use validate::{ALLOWED_HOST, ALLOWED_PORT};
pub(super) use values::{NONE, Refusal, either, is_deadline, optional, print_seconds, seconds, whole};

parameters! {
    /// The parameters of a connection.
    ///
    /// Start from the defaults or from a URL, and change what differs: each field has a setter with
    /// the same name. `Debug` and `Display` never show a secret. `Display` prints a URL.
    ///
    /// Errors in a URL are reported when it is read. Errors in a field are reported by
    /// [`validate`](Self::validate), which is called when a connection is opened.
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
        "The host and port of the broker, or of the brokers of a cluster, at least one. Every address that a name resolves to \
         is tried. In a URL: `host:port`, or several, as in `a:5672,b:5673`.",
        set |endpoints: impl IntoIterator<Item = impl Into<Endpoint>>| endpoints.into_iter().map(Into::into).collect(),
        keys {}

    endpoint_order: EndpointOrder = EndpointOrder::InOrder, "`in_order`",
        "The order in which the endpoints are tried. Each has a head start of `connection_attempt_delay` over the next.",
        set |endpoint_order: EndpointOrder| endpoint_order,
        keys { "endpoint_order" "in_order or shuffled" codec ORDER; }

    virtual_host: String = "/".to_owned(), "`/`",
        "The virtual host to open, at most 255 bytes. It may be empty. In a URL: the path.",
        set |virtual_host: impl Into<String>| virtual_host.into(),
        keys {}

    credentials: Credentials = Credentials::default(), "`guest` with the password `guest`, by PLAIN",
        "How the client authenticates itself. RabbitMQ accepts `guest` only from the machine that it runs on. In a URL: \
         `user:password@`.",
        set |credentials: Credentials| credentials,
        keys {
            "auth_mechanism" "plain, amqplain or external, several times in order of preference" access AUTH_MECHANISM;
            "erase_on_connect" "true or false: whether the password is erased after use" access ERASE_ON_CONNECT;
        }

    credentials_timeout: Option<Duration> = Some(Duration::from_secs(10)), "10 s",
        "How long a provider of credentials may take.",
        set |credentials_timeout: impl Into<Option<Duration>>| credentials_timeout.into(),
        keys {
            "credentials_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year), or none" codec DEADLINE_OR_NONE;
        }

    tls: Option<Tls> = None, "none",
        "TLS and its settings. In a URL: the scheme `amqps`, which the keys here require.",
        set |tls: impl Into<Option<Tls>>| tls.into(),
        keys {
            "cacertfile" "the path of a PEM file with the authorities that are trusted, or the broker's own certificate" access CA_FILE;
            "certfile" "the path of a PEM file with the client's certificate" access CERTIFICATE_FILE;
            "keyfile" "the path of a PEM file with the certificate's private key" access KEY_FILE;
            "password" "the password of the private key" access KEY_PASSWORD;
            "verify" "verify_peer or verify_none (which accepts any certificate)" access VERIFY;
            "fail_if_no_peer_cert" "true or false, without effect: a broker always has to present one"
                access FAIL_IF_NO_PEER_CERT;
            "server_name_indication" "the name that the broker's certificate is for, or disable to send none"
                access SERVER_NAME;
            "send_server_name" "true or false: whether that name is sent" access SEND_SERVER_NAME;
            "ssl_options" "a JSON object of ca_certs (or cafile), certfile, keyfile, password and server_hostname" access SSL_OPTIONS;
        }

    connection_attempts: u32 = 1, "1",
        "How many times all addresses of all endpoints are tried before opening fails; at least 1. There is no further cycle \
         if no failure of a cycle can heal with time, such as refused credentials.",
        set |connection_attempts: u32| connection_attempts,
        keys { "connection_attempts" "a whole number from 1 to 4294967295" codec POSITIVE_U32; }

    retry_delay: Duration = Duration::from_secs(2), "2 s",
        "The pause between two of these cycles.",
        set |retry_delay: Duration| retry_delay,
        keys { "retry_delay" "seconds from 0, such as 0.25, up to 31536000 (a year)" codec DELAY; }

    connection_attempt_delay: Option<Duration> = Some(Duration::from_millis(250)), "0.25 s",
        "How long an address has to connect before the next one is tried at the same time, as in Happy Eyeballs (RFC 8305). \
         The addresses of all endpoints are tried in their order; those of one name alternate between IPv6 and IPv4. After an \
         address fails, the next one is tried at once. The first address that connects continues with TLS and AMQP alone: no \
         address is started meanwhile, and if it fails, the others continue. With none, or 0, one address is tried after the \
         other.",
        set |connection_attempt_delay: impl Into<Option<Duration>>| connection_attempt_delay.into(),
        keys {
            "connection_attempt_delay" "seconds from 0.01, such as 0.25, up to 31536000 (a year), or 0 or none"
                codec ATTEMPT_DELAY;
        }

    connect_timeout: Option<Duration> = Some(Duration::from_secs(10)), "10 s",
        "How long resolving a name may take, and how long connecting to one address by TCP may take. Giving both keys is an \
         error.",
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
        "How long opening may take as a whole: all attempts and the pauses between them.",
        set |open_timeout: impl Into<Option<Duration>>| open_timeout.into(),
        keys { "open_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year), or none" codec DEADLINE_OR_NONE; }

    call_timeout: Option<Duration> = Some(Duration::from_secs(75)), "75 s",
        "How long a call waits for the broker's reply, so that no call waits for ever. The default is generous, because a busy \
         cluster needs time to declare or delete a large replicated queue, and because RabbitMQ itself waits 65 s for a node \
         that is gone before it reports that.",
        set |call_timeout: impl Into<Option<Duration>>| call_timeout.into(),
        keys { "call_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year), or none" codec DEADLINE_OR_NONE; }

    close_timeout: Duration = Duration::from_secs(10), "10 s",
        "How long closing a connection waits for queued bytes to be written and for the broker's answer.",
        set |close_timeout: Duration| close_timeout,
        keys { "close_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year)" codec DEADLINE; }

    blocked_connection_timeout: Option<Duration> = None, "none: it may last",
        "How long the broker may block the connection before the client gives the connection up.",
        set |blocked_connection_timeout: impl Into<Option<Duration>>| blocked_connection_timeout.into(),
        keys {
            "blocked_connection_timeout" "seconds from 0, such as 0.25, up to 31536000 (a year), or none"
                codec DELAY_OR_NONE;
        }

    recovery: Recovery = Recovery::None, "`none`",
        "What comes back after the connection is lost. With `none`, the loss ends the connection. With `connection`, the client \
         connects again and opens the channels again. With `topology`, the exchanges, queues, bindings and consumers that were \
         made on the connection come back too. The password is needed again, so it cannot go with `erase_on_connect`, except \
         with a provider of credentials.",
        set |recovery: Recovery| recovery,
        keys { "recovery" "none, connection or topology" codec RECOVERY; }

    recovery_delay: Duration = Duration::from_secs(1), "1 s",
        "How long the pause is at most before all addresses of all endpoints are tried for the first time after a loss. Each \
         pause is random, from 0 to its limit, so that clients that lose a broker together do not return together. The limit \
         doubles from pause to pause, up to `recovery_max_delay`.",
        set |recovery_delay: Duration| recovery_delay,
        keys { "recovery_delay" "seconds above 0, such as 0.25, up to 31536000 (a year), and at most recovery_max_delay" codec DEADLINE; }

    recovery_max_delay: Duration = Duration::from_secs(30), "30 s",
        "The largest limit of these pauses. It applies at once after the broker refused the client, and after a loss because \
         of `blocked_connection_timeout`.",
        set |recovery_max_delay: Duration| recovery_max_delay,
        keys { "recovery_max_delay" "seconds above 0, such as 0.25, up to 31536000 (a year)" codec DEADLINE; }

    recovery_stable_after: Duration = Duration::from_secs(30), "30 s",
        "How long a recovered connection has to last until the limit of the pauses is `recovery_delay` again. If three \
         recovered connections in a row are closed sooner, with the same reply code and for the same method, the client gives \
         up, because recovery itself seems to be what the broker refuses.",
        set |recovery_stable_after: Duration| recovery_stable_after,
        keys { "recovery_stable_after" "seconds above 0, such as 0.25, up to 31536000 (a year)" codec DEADLINE; }

    recovery_attempts: Option<u32> = None, "none",
        "How many times all addresses of all endpoints are tried after one loss before the client gives up.",
        set |recovery_attempts: impl Into<Option<u32>>| recovery_attempts.into(),
        keys { "recovery_attempts" "a whole number from 1 to 4294967295, or none" codec LIMIT; }

    recovery_timeout: Option<Duration> = None, "none",
        "How long after a loss the client gives up.",
        set |recovery_timeout: impl Into<Option<Duration>>| recovery_timeout.into(),
        keys { "recovery_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year), or none" codec DEADLINE_OR_NONE; }

    recovery_refusals: u32 = 5, "5",
        "How many times in a row the broker may refuse the client after one loss (its login, its virtual host, its mechanism \
         or TLS) before the client gives up. A refusal can heal: a limit on connections counts the lost one for a while, and \
         an authentication server may start later than the broker.",
        set |recovery_refusals: u32| recovery_refusals,
        keys { "recovery_refusals" "a whole number from 1 to 4294967295" codec POSITIVE_U32; }

    recovery_record_limit: usize = 65_536, "65536",
        "How many exchanges, queues, bindings and consumers of the connection are recorded with `recovery=topology`, together. \
         What is made beyond that does not come back.",
        set |recovery_record_limit: usize| recovery_record_limit,
        keys { "recovery_record_limit" "a whole number, at least 1" codec POSITIVE_USIZE; }

    recover_when: Option<RecoverWhen> = None, "none: the cause decides",
        "Decides by its error whether the client recovers from a loss, in place of the rule for that. The end of a connection \
         that the program closes or drops is no loss.",
        keys {}

    recovery_filter: Option<RecoveryFilter> = None, "none: everything",
        "Decides about each recorded exchange, queue, binding and consumer whether it comes back.",
        keys {}

    on_recovered: Option<OnRecovered> = None, "none",
        "What the program does in each recovery, on a channel of its own, before its other requests go on.",
        keys {}

    while_down: WhileDown = WhileDown::Wait, "`wait`",
        "What a publish or a call does between a loss and the recovery: it waits up to `down_timeout`, it fails, or it is \
         stored if it is a publish. The second key is the number of bytes that are stored at most; without it, that is 8 MiB.",
        set |while_down: WhileDown| while_down,
        keys {
            "while_down" "wait, fail or buffer" access WHILE_DOWN;
            "while_down_buffer" "a whole number of bytes, at least 1, with while_down=buffer" access WHILE_DOWN_BUFFER;
        }

    down_timeout: Duration = Duration::from_secs(60), "60 s",
        "How long a publish or a call waits for the recovery; for a call, `call_timeout` applies as well.",
        set |down_timeout: Duration| down_timeout,
        keys { "down_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year)" codec DEADLINE; }

    resend: Resend = Resend::None, "`none`",
        "Which of the publishes that wait for their confirms when the connection is lost are sent again after its recovery. \
         With `all`, messages may arrive twice.",
        set |resend: Resend| resend,
        keys { "resend" "none, not_sent or all" codec RESEND; }

    resend_limit: usize = 8 * 1024 * 1024, "8388608 (8 MiB)",
        "How many bytes of publishes are kept at most until they are confirmed, so that they can be sent again. Publishes \
         beyond that are not sent again.",
        set |resend_limit: usize| resend_limit,
        keys { "resend_limit" "a whole number of bytes, at least 1" codec POSITIVE_USIZE; }

    channel_recovery: ChannelRecovery = ChannelRecovery::None, "`none`",
        "Which channels are opened again if the broker closes them and the connection remains. Without `recovery`, it has no \
         effect.",
        set |channel_recovery: ChannelRecovery| channel_recovery,
        keys { "channel_recovery" "none, ack_timeout or all" codec CHANNEL_RECOVERY; }

    channel_max: u16 = u16::MAX, "65535",
        "The largest number of channels that may be open at the same time. The smaller of this and the server's limit applies. \
         With recovery, one of them is kept for restoring, unless there is only one.",
        set |channel_max: u16| channel_max,
        keys { "channel_max" "a whole number from 1 to 65535" codec POSITIVE_U16; }

    frame_max: u32 = 128 * 1024, "131072",
        "The largest frame in bytes. The smaller of this and the server's limit applies. RabbitMQ from 4.1 on refuses less \
         than 8192.",
        set |frame_max: u32| frame_max,
        keys { "frame_max" "a whole number from 4096 to 4294967295" codec FRAME_MAX; }

    heartbeat: Heartbeat = Heartbeat::Server, "the server's",
        "The interval of heartbeats, which bounds how soon a dead peer is noticed. The client's value takes precedence over \
         the server's.",
        set |heartbeat: impl Into<Heartbeat>| heartbeat.into(),
        keys { "heartbeat" "a whole number of seconds from 0 (no heartbeats) to 65535" codec HEARTBEAT; }

    locale: String = "en_US".to_owned(), "`en_US`",
        "The language of the broker's texts. RabbitMQ has only `en_US`.",
        set |locale: impl Into<String>| locale.into(),
        keys { "locale" "a name of 1 to 255 bytes, such as en_US" codec LOCALE; }

    client_properties: FieldTable = FieldTable::new(), "none",
        "Properties that the client sends to the broker in addition to the defaults, or that replace them: see \
         [`announced_properties`](ConnectionParameters::announced_properties). Values that JSON cannot express, such as \
         timestamps, are left out of a printed URL.",
        set |client_properties: impl Into<FieldTable>| client_properties.into(),
        keys { "client_properties" "a JSON object" access CLIENT_PROPERTIES; }

    connection_name: Option<String> = None, "none",
        "The name of this connection on the management page.",
        set |connection_name: impl Into<Setting<String>>| connection_name.into().into_option(),
        keys { "connection_name" "a name of at least one character" codec NAME; }

    driver_thread: bool = false, "false",
        "Whether a thread of its own drives the connection, so that heartbeats are sent even if the program's tasks block \
         their runtime.",
        set |driver_thread: bool| driver_thread,
        keys { "driver_thread" "true or false" codec TRUE_OR_FALSE; }

    tcp_nodelay: bool = true, "true",
        "Whether a single frame is sent at once (TCP_NODELAY). Frames that wait together are written together in either case.",
        set |tcp_nodelay: bool| tcp_nodelay,
        keys { "tcp_nodelay" "true or false" codec TRUE_OR_FALSE; }

    tcp_keepalive: bool = false, "false",
        "Whether TCP probes an idle connection (SO_KEEPALIVE). Each of the three settings below turns it on too.",
        set |tcp_keepalive: bool| tcp_keepalive,
        keys {
            "tcp_keepalive" "true or false" codec TRUE_OR_FALSE;
            "tcp_options" "a JSON object of TCP_KEEPIDLE, TCP_KEEPINTVL (both in seconds), TCP_KEEPCNT and \
                           TCP_USER_TIMEOUT (in milliseconds)" access TCP_OPTIONS;
        }

    tcp_keepalive_idle: Option<Duration> = None, "the system's",
        "How long a connection is idle before the first probe (TCP_KEEPIDLE), in whole seconds.",
        set |tcp_keepalive_idle: impl Into<Option<Duration>>| tcp_keepalive_idle.into(),
        keys { "tcp_keepalive_idle" "a whole number of seconds from 1 to 32767" codec SOCKET_SECONDS; }

    tcp_keepalive_interval: Option<Duration> = None, "the system's",
        "The interval between two probes (TCP_KEEPINTVL), in whole seconds.",
        set |tcp_keepalive_interval: impl Into<Option<Duration>>| tcp_keepalive_interval.into(),
        keys { "tcp_keepalive_interval" "a whole number of seconds from 1 to 32767" codec SOCKET_SECONDS; }

    tcp_keepalive_count: Option<u32> = None, "the system's",
        "How many probes may stay unanswered before the connection is lost (TCP_KEEPCNT).",
        set |tcp_keepalive_count: impl Into<Option<u32>>| tcp_keepalive_count.into(),
        keys { "tcp_keepalive_count" "a whole number from 1 to 127" codec PROBES; }

    tcp_user_timeout: Option<Duration> = None, "the system's",
        "How long sent bytes may stay unacknowledged before the connection is lost (TCP_USER_TIMEOUT, Linux only), in whole \
         milliseconds. It can end a connection that the broker has blocked.",
        set |tcp_user_timeout: impl Into<Option<Duration>>| tcp_user_timeout.into(),
        keys { "tcp_user_timeout" "seconds from 0.001, such as 0.25, to 2147483.647" codec SOCKET_MILLISECONDS; }

    tcp_send_buffer: Option<usize> = None, "the system's",
        "The size in bytes of the socket's send buffer (SO_SNDBUF).",
        set |tcp_send_buffer: impl Into<Option<usize>>| tcp_send_buffer.into(),
        keys { "tcp_send_buffer" "a whole number of bytes from 1 to 2147483647" codec SOCKET_OCTETS; }

    tcp_receive_buffer: Option<usize> = None, "the system's",
        "The size in bytes of the socket's receive buffer (SO_RCVBUF).",
        set |tcp_receive_buffer: impl Into<Option<usize>>| tcp_receive_buffer.into(),
        keys { "tcp_receive_buffer" "a whole number of bytes from 1 to 2147483647" codec SOCKET_OCTETS; }

    local_address: Option<IpAddr> = None, "the system's",
        "The address of this machine to connect from. Addresses of the broker in the other family are skipped.",
        set |local_address: impl Into<Option<IpAddr>>| local_address.into(),
        keys { "local_address" "an IPv4 or IPv6 address, without brackets" codec ADDRESS; }

    write_high_water: usize = 1024 * 1024, "1048576 (1 MiB)",
        "The number of bytes waiting for the socket at which publishing pauses.",
        set |write_high_water: usize| write_high_water,
        keys { "write_high_water" "a whole number of bytes, at least 1" codec POSITIVE_USIZE; }

    write_low_water: Option<usize> = None, "half of `write_high_water`",
        "The number of bytes waiting for the socket at which publishing resumes: see \
         [`low_water`](ConnectionParameters::low_water).",
        set |write_low_water: impl Into<Option<usize>>| write_low_water.into(),
        keys { "write_low_water" "a whole number of bytes, less than write_high_water" codec MARK; }

    write_limit: usize = 16 * 1024 * 1024, "16777216 (16 MiB)",
        "The most bytes other than publishes that may wait for the socket, for a broker that does not read. The default is \
         enough for some 800 000 acknowledgements. Over it, a call fails with \
         [`ErrorKind::Backpressure`](crate::ErrorKind::Backpressure) and nothing of it is sent, and an acknowledgement of a \
         `Delivery` waits until there is room. If the client's answers to the broker add the same amount again, the client \
         stops reading until the broker reads.",
        set |write_limit: usize| write_limit,
        keys { "write_limit" "a whole number of bytes, at least 1" codec POSITIVE_USIZE; }

    max_unconfirmed: Option<u32> = None, "none",
        "The number of publishes waiting for their confirms at which publishing pauses.",
        set |max_unconfirmed: impl Into<Option<u32>>| max_unconfirmed.into(),
        keys { "max_unconfirmed" "a whole number from 1 to 4294967295, or none" codec LIMIT; }

    max_message_size: u64 = 512 * 1024 * 1024, "536870912 (512 MiB)",
        "The largest body in bytes of an inbound message. It bounds how much memory one message can make this process \
         allocate. The default is the largest limit that RabbitMQ 3.x can be configured to; set less if the application's \
         messages are smaller.",
        set |max_message_size: u64| max_message_size,
        keys { "max_message_size" "a whole number of bytes, at least 1" codec POSITIVE_U64; }

    max_header_size: usize = 16 * 1024 * 1024, "16777216 (16 MiB)",
        "The largest content header in bytes of an inbound message: all its properties, including its headers. Brokers do not \
         limit headers to `frame_max`, because dead-lettering adds to them. A header that fits into a frame of the negotiated \
         size is always accepted. A message whose header is larger than both is rejected like a message over \
         `max_message_size`. The default is as much as RabbitMQ 4 accepts for a whole message.",
        set |max_header_size: usize| max_header_size,
        keys { "max_header_size" "a whole number of bytes, at least 1" codec POSITIVE_USIZE; }

    default_prefetch: u16 = 250, "250",
        "How many unsettled messages (neither acknowledged nor rejected) the broker sends at most to a consumer if neither the \
         consumer nor its channel has a limit; 0 means no limit. It bounds how much a slow consumer holds, and leaves messages \
         for other consumers of the queue. A program that collects more messages than this before it settles them has to set a \
         higher limit; otherwise it waits for ever. Pika and lapin have no default limit, so that one process may hold a whole \
         queue. RabbitMQ's guide to consumers finds that 100 to 300 usually give the best throughput, and that more gains \
         little.",
        set |default_prefetch: u16| default_prefetch,
        keys { "default_prefetch" "a whole number from 0 to 65535" codec ANY_U16; }

    read_limit: usize = 128 * 1024 * 1024, "134217728 (128 MiB)",
        "The most bytes of messages that may wait for their consumers on one connection. It is for programs that take messages \
         more slowly than the broker sends them, with `no_ack` or without a prefetch. Over it, the client does not read, so \
         that TCP holds the broker back, until consumers have taken some. It still reads while it awaits something that only \
         reading can bring: the answer to a call or to a close, the confirm of a publish, the answer to a new secret, the end \
         of a block of publishes. It also reads for a moment when a heartbeat of the broker is due. At twice the limit, the \
         consumer with the most bytes waiting ends at once, as it otherwise does after `overflow_timeout`. A message counts \
         with its properties and some 100 bytes for its place. A message that was rejected because it was over \
         `max_message_size` or `max_header_size` counts with 32 bytes until its consumer has received the error. The first \
         message that waits for a consumer does not count, whatever its size. Messages that a consumer has already taken from \
         the connection, some 64 KiB or one larger message at a time, do not count either.",
        set |read_limit: usize| read_limit,
        keys { "read_limit" "a whole number of bytes, at least 1" codec POSITIVE_USIZE; }

    overflow_timeout: Duration = Duration::from_secs(15), "15 s",
        "How long more than `read_limit` may wait before the consumer with the most bytes waiting ends with \
         `ErrorKind::ConsumerOverflowed`, and reading resumes for the others. The time starts again whenever the limit is no \
         longer exceeded. The messages that wait for that consumer return to the queue; with `no_ack` they are still given to \
         the program, and messages that arrive later are lost. RabbitMQ resets a connection that is not read for 30 s, so this \
         has to be shorter.",
        set |overflow_timeout: Duration| overflow_timeout,
        keys { "overflow_timeout" "seconds above 0, such as 0.25, up to 31536000 (a year)" codec DEADLINE; }

    backpressure_detection: bool = false, "off",
        "Whether the backpressure detector of Pika 0.x is on: it reports an [event](crate::ConnectionEvent::Backpressure) for \
         each frame that is queued while more than `backpressure_multiplier` average frames wait. It pauses nothing. A large \
         message after small ones is a false alarm of its rule.",
        set |backpressure_detection: bool| backpressure_detection,
        keys { "backpressure_detection" "t or f" codec T_OR_F; }

    backpressure_multiplier: u32 = 10, "10",
        "How many average frames may wait before the detector reports an event.",
        set |backpressure_multiplier: u32| backpressure_multiplier,
        keys { "backpressure_multiplier" "a whole number from 1 to 4294967295" codec POSITIVE_U32; }
}

impl ConnectionParameters {
    /// Sets the host of a single endpoint, which replaces all endpoints. Its port is the port of
    /// the first endpoint before.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        let port = self.endpoints.first().and_then(|endpoint| endpoint.port);
        self.endpoints = vec![Endpoint { host: host.into(), port }];
        self
    }

    /// Sets the port of all endpoints.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        for endpoint in &mut self.endpoints {
            endpoint.port = Some(port);
        }
        self
    }

    /// Returns the port of an endpoint: its own, or 5672 by default, or 5671 with TLS.
    pub fn port_of(&self, endpoint: &Endpoint) -> u16 {
        endpoint.port.unwrap_or(if self.tls.is_some() { 5671 } else { 5672 })
    }

    /// Returns the low water mark in effect: [`write_low_water`](Self::write_low_water), or half of
    /// [`write_high_water`](Self::write_high_water) if it is `None`.
    pub fn low_water(&self) -> usize {
        self.write_low_water.unwrap_or(self.write_high_water / 2)
    }

    /// Returns `true` if TCP probes an idle connection (SO_KEEPALIVE): if
    /// [`tcp_keepalive`](Self::tcp_keepalive) or one of its settings is set.
    pub fn keeps_alive(&self) -> bool {
        self.tcp_keepalive
            || self.tcp_keepalive_idle.is_some()
            || self.tcp_keepalive_interval.is_some()
            || self.tcp_keepalive_count.is_some()
    }
}
