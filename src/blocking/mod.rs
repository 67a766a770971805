//! The blocking API, for threads (feature `blocking`): the names of the [async
//! API](crate::asynchronous), with calls that wait.
//!
//! ```no_run
//! use leveret::blocking::Connection;
//!
//! # fn main() -> leveret::Result<()> {
//! let connection = Connection::open("amqp://localhost")?;
//! let channel = connection.open_channel()?;
//! channel.queue_declare("hello").durable(true).call()?;
//! channel.publish("", "hello", "Hello, world!").send()?; // queued, and not yet sent
//!
//! for delivery in channel.consume("hello").call()? {
//!     let delivery = delivery?;
//!     println!("{}", String::from_utf8_lossy(delivery.body()));
//!     delivery.ack()?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The shape of a call
//!
//! What takes options is set up first, as in the async API, and then made with one word that says
//! what is waited for:
//!
//! | word | what it waits for |
//! |---|---|
//! | [`call()`](Call::call) | the broker's answer: `queue_declare`, `consume`, `get`, … |
//! | [`send()`](Publish::send) | until it is queued: a publish, and methods that nothing answers |
//! | [`confirmed()`](Publish::confirmed) | until the broker has confirmed the publish |
//!
//! What has no options, such as [`Delivery::ack`] or [`Connection::close`], is a plain method.
//!
//! # Who drives the connection
//!
//! A thread of its own, which moves octets and keeps time: heartbeats flow and the connection lives
//! whatever the threads of the application do. They encode what they publish themselves, under a
//! lock that is held briefly, so that a publish costs what it costs in the async API. No tokio is
//! needed.
//!
//! Handles are cheap to clone and work from any thread, all at once: one that consumes hands
//! deliveries to others, and those acknowledge. Every wait has the deadline that the parameters
//! have for it, such as `call_timeout`; a wait that must have one of its own has a method that
//! takes it, such as [`Consumer::next_timeout`]. Each call ends when the connection does.
//!
//! # Beside async code
//!
//! A handle stands for the same thing as one of the async API, and [converts](Channel::into_async)
//! into it and back, so that threads and tasks share connections and channels. A thread of a
//! runtime may use this API where it may block, as in `spawn_blocking`; a task of a runtime holds
//! up all others of its thread while it waits.

mod call;
mod channel;
mod connection;
mod consumer;
mod delivery;
mod dispatcher;
mod events;
mod get;
mod publish;
mod publisher;
mod requests;
mod returns;
mod wait;

pub use call::{Call, SendMethod};
pub use channel::Channel;
pub use connection::Connection;
pub use consumer::{Consume, Consumer, IterTimeout, Received};
pub use delivery::{Acker, Delivery};
pub use dispatcher::{Control, Dispatcher, Stopper, Timer};
pub use events::{ChannelEvents, ConnectionEvents};
pub use get::{Get, GetMessage};
pub use publish::Publish;
pub use publisher::{Confirm, Publisher};
pub use returns::Returns;

pub use crate::asynchronous::Requeue;
