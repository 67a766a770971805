//! A RabbitMQ (AMQP 0-9-1) client.
//!
//! ```no_run
//! # async fn example() -> leveret::Result<()> {
//! use leveret::Connection;
//!
//! let connection = Connection::open("amqp://localhost").await?;
//! let channel = connection.open_channel().await?;
//! channel.queue_declare("hello").durable(true).await?;
//! channel.publish("", "hello", "Hello, world!").await?; // queued, and not yet sent
//!
//! let mut consumer = channel.consume("hello").await?;
//! while let Some(delivery) = consumer.try_next().await? {
//!     println!("{}", String::from_utf8_lossy(delivery.body()));
//!     delivery.ack().await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! It needs `leveret` and `tokio` with the features `rt` and `macros`.
//!
//! # Connect
//!
//! [`Connection::open`] takes a URL or [`ConnectionParameters`], which have a setter for every
//! option: several brokers, deadlines, TLS, credentials, limits. [`Connection::events`] reports
//! what happens to a connection, and [`Connection::closed`] why it ended.
//! [`Connection::open_channel`] opens a [`Channel`], which has the methods for everything else.
//! Both are cheap to clone and can be used from any task.
//!
//! # Declare
//!
//! Every method of the protocol is a method of [`Channel`]:
//! [`queue_declare`](Channel::queue_declare), [`exchange_declare`](Channel::exchange_declare),
//! [`queue_bind`](Channel::queue_bind), … Required names are arguments. Each method returns a
//! builder with a setter for every other field; awaiting the builder makes the call.
//!
//! # Publish
//!
//! [`Channel::publish`] resolves when the message is queued, which is before it is sent. If the
//! program ends right after that, leveret still writes what is queued, for at most 3 s, but the
//! program does not learn whether it arrived. There are two ways to learn it. [`Connection::close`]
//! returns `Ok` when the broker has read everything that was queued. [`Channel::confirm_select`]
//! makes the broker confirm each message, and returns a [`Publisher`]; each of its publishes gives
//! a [`Confirm`].
//!
//! [`Properties`] are sent with a message, [`persistent`](Properties::persistent) among them.
//!
//! # Consume
//!
//! [`Channel::consume`] starts a [`Consumer`]. [`Consumer::try_next`] returns the next
//! [`Delivery`]: acknowledge it with [`ack`](Delivery::ack), or return it with
//! [`nack`](Delivery::nack). [`Channel::get`] fetches one message on demand.
//!
//! # When something fails
//!
//! An [`Error`] has a [`kind`](Error::kind). It reports what became of the request
//! ([`fate`](Error::fate)), which side caused it ([`initiator`](Error::initiator)), whether a retry
//! can help ([`is_retryable`](Error::is_retryable)) and what to do about it
//! ([`hint`](Error::hint)). Futures are cancel-safe: the documentation of each says what becomes of
//! its request when the future is dropped.
//!
//! With `recovery=topology`, a connection survives the loss of its transport: it connects again,
//! and restores what the broker lost. The module `recovering` says what survives, what is lost,
//! what may arrive twice, and how to choose.
//!
//! # Other ways in
//!
//! The same client is there without async and without tokio: for threads in the module `blocking`,
//! with handlers on an event loop in the module `callback`, and in an event loop of the program in
//! the module `readiness`. Each is a feature of the same name.
//!
//! # Test
//!
//! The feature `broker` adds an embedded broker. It runs in memory, behaves as RabbitMQ does, and
//! fails in the ways that a test asks for: see the module `broker`.
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | [`asynchronous`] | the async API, re-exported here, with the builders and futures that its methods give |
//! | [`config`] | connection parameters, URLs, credentials, TLS settings |
//! | [`protocol`] | the methods, properties and constants, generated from the specification in `spec/` |
//! | [`wire`] | the primitive values: strings, names, tables, timestamps |
//! | `blocking` | the API for threads, with calls that wait (feature `blocking`) |
//! | `callback` | the API of callbacks, on an event loop (feature `callback`) |
//! | `readiness` | connections in an event loop of the program (feature `readiness`) |
//! | `broker` | the embedded broker (feature `broker`) |
#![cfg_attr(
    feature = "tokio",
    doc = "| [`recovering`] | connections that survive losses: what survives, what is lost, how to choose |"
)]
#![cfg_attr(
    all(feature = "tokio", feature = "blocking", feature = "callback"),
    doc = "| [`for_pika_users`] | for people who come from Pika: its names and programs beside ours |"
)]
//! | `engine`, `frame` | the connection as a state machine without I/O, and its frames (shown with the feature `engine`) |
//!
//! [`Violation`] has a table of what the client does when a broker deviates from the protocol.
//!
//! # Features
//!
//! * `tokio` (on by default): the async API, and connections to the embedded broker.
//! * `blocking`: the API for threads, in the module `blocking`. It does not use tokio.
//! * `callback`: the API of callbacks, in the module `callback`. It does not use tokio.
//! * `readiness`: connections in an event loop of the program, in the module `readiness`. It does
//!   not use tokio.
//! * `broker`: an in-memory broker for the tests of applications, in the module `broker`.
//! * `tls`: connections over TLS (`amqps`), by rustls.
//! * `serde`: `Serialize` and `Deserialize` for the values of [`wire`], for [`Properties`] and for
//!   [`ConnectionParameters`].
//! * `engine`: shows the modules `engine` and `frame` in the documentation. **They are unstable**:
//!   any release may change them.
//!
//! # Platforms
//!
//! Every platform of tokio with 32 bits or more: Linux, macOS, Windows and others. It is developed
//! and tested on Linux, `x86_64`. The minimum supported Rust version is 1.95.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(all(feature = "tokio", feature = "blocking", feature = "callback")),
    allow(dead_code, unused_imports, reason = "the adapters use what is in the rooms below")
)]

#[cfg(feature = "_handles")]
#[cfg_attr(docsrs, doc(cfg(any(feature = "tokio", feature = "readiness", feature = "blocking", feature = "callback"))))]
pub mod asynchronous;
#[cfg(feature = "blocking")]
#[cfg_attr(docsrs, doc(cfg(feature = "blocking")))]
pub mod blocking;
#[cfg(feature = "broker")]
#[cfg_attr(docsrs, doc(cfg(feature = "broker")))]
pub mod broker;
#[cfg(feature = "callback")]
#[cfg_attr(docsrs, doc(cfg(feature = "callback")))]
pub mod callback;
pub mod config;
#[cfg(feature = "_handles")]
mod driver;
#[cfg_attr(not(feature = "engine"), doc(hidden))]
pub mod engine;
mod error;
// Its programs run on the embedded broker, so that is needed to test it, and not to read it.
#[cfg(all(feature = "tokio", feature = "blocking", feature = "callback", any(feature = "broker", not(doctest))))]
#[cfg_attr(docsrs, doc(cfg(all(feature = "tokio", feature = "blocking", feature = "callback"))))]
pub mod for_pika_users;
#[cfg_attr(not(feature = "engine"), doc(hidden))]
pub mod frame;
#[cfg(feature = "_handles")]
mod link;
pub mod protocol;
// Its programs run on the embedded broker, so that is needed to test it, and not to read it.
#[cfg(all(feature = "tokio", any(feature = "broker", not(doctest))))]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub mod recovering;
#[cfg(feature = "_handles")]
mod recovery;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "_handles")]
mod transport;
pub mod wire;

#[cfg(feature = "tokio")]
pub use asynchronous::{
    Acker, Channel, Confirm, Connection, Connector, Consumer, Delivery, GetMessage, Publisher, Recovering, Requeue,
    Returns,
};
pub use config::{ChannelRecovery, ConnectionParameters, Credentials, Recovery, Resend, WhileDown};
#[cfg(feature = "readiness")]
#[cfg_attr(docsrs, doc(cfg(feature = "readiness")))]
pub use driver::readiness;
pub use engine::{
    ChannelState, ConnectionState, Entity, Fate, Initiator, Message, Negotiated, Reason, Returned, Settled, Violation,
};
pub use error::{Attempt, ChannelEvent, ConnectionEvent, Error, ErrorKind, Phase, Result};
pub use frame::Body;
pub use protocol::{DeliveryMode, ExchangeKind, Expiration, ReplyCode, basic::Properties};
#[cfg(feature = "_handles")]
pub use recovery::{Recorded, RecordedTopology};
pub use wire::{FieldTable, FieldValue, LongString, Name, ShortString, Timestamp};

/// The programs of the README compile; one of them is about the embedded broker.
#[cfg(all(doctest, feature = "broker", feature = "blocking"))]
#[doc = include_str!("../README.md")]
struct Readme;
