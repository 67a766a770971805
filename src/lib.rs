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
//! [`Channel::publish`] resolves when the message is queued, which is before it is sent: a program that ends right after it
//! may end before the message has left. Await [`Connection::close`], which waits until all that is queued has been written,
//! or have the broker [confirm](Channel::confirm_select) each message.
//!
//! # The rooms
//!
//! Data flows one way, and each room uses only those above it:
//!
//! | room | what it does |
//! |---|---|
//! | [`wire`] | octets ↔ primitive values |
//! | [`protocol`] | the methods, properties and constants, generated from the specification in `spec/` |
//! | [`frame`] | octets ↔ frames |
//! | [`config`] | connection parameters, URLs, credentials, TLS settings |
//! | [`engine`] | the connection as a state machine, without I/O |
//! | `driver` | octets and time between an engine and a transport |
//! | [`asynchronous`] | the async API, re-exported here |
//! | `broker` | an in-memory broker for tests and first steps (feature `broker`); of the rooms above it uses `wire`, `protocol` and `frame` alone |
//!
//! What the client makes of a broker that breaks the protocol, or stretches it, is in one table: [`engine::Violation`].
//!
//! # Features
//!
//! * `broker`: an in-memory broker for the tests of applications, in the module `broker`.
//! * `tls`: connections over TLS (`amqps`), by rustls.
//! * `serde`: `Serialize` and `Deserialize` for the values of [`wire`] and for [`Properties`].
//!
//! # Platforms
//!
//! Whatever tokio runs on: Linux, macOS, Windows and others, of 32 bits or more. It is developed and tested on Linux,
//! `x86_64`. The minimum supported Rust version is 1.95.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// Unit tests share their scripted broker with tests/, where the crate has this name.
#[cfg(test)]
extern crate self as leveret;

pub mod asynchronous;
#[cfg(feature = "broker")]
#[cfg_attr(docsrs, doc(cfg(feature = "broker")))]
pub mod broker;
pub mod config;
mod driver;
pub mod engine;
mod error;
pub mod frame;
pub mod protocol;
pub mod wire;

pub use asynchronous::{
    Acker, Channel, ChannelEvent, Confirm, Connection, ConnectionEvent, Consumer, Delivery, GetMessage, Publisher,
    Requeue, Returns,
};
pub use config::{ConnectionParameters, Credentials};
pub use driver::{Attempt, Phase};
pub use engine::{ChannelState, ConnectionState, Fate, Initiator, Message, Negotiated, Reason, Returned, Settled};
pub use error::{Error, ErrorKind, Result};
pub use frame::Body;
pub use protocol::{DeliveryMode, ExchangeKind, Expiration, ReplyCode, basic::Properties};
pub use wire::{FieldTable, FieldValue, LongString, Name, ShortString, Timestamp};

/// The programs of the README compile; one of them is about the embedded broker.
#[cfg(all(doctest, feature = "broker"))]
#[doc = include_str!("../README.md")]
struct Readme;
