//! The blocking API, for threads (feature `blocking`). It has the names of the [async
//! API](crate::asynchronous), with calls that wait. It needs no tokio.
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
//! # Making a call
//!
//! A call that has options is a builder, as in the async API. The last method of the builder makes
//! the call, and its name says what it waits for:
//!
//! | method | waits until |
//! |---|---|
//! | [`call()`](Call::call) | the broker has answered: `queue_declare`, `consume`, `get`, … |
//! | [`send()`](Publish::send) | the message or method is queued: a publish, and methods without a reply |
//! | [`confirmed()`](Publish::confirmed) | the broker has confirmed the publish |
//!
//! A call without options, such as [`Delivery::ack`] or [`Connection::close`], is a plain method.
//!
//! # The driver of a connection
//!
//! Each connection has a thread that moves its bytes and observes its deadlines. Heartbeats are
//! sent, and the connection stays open, whatever the threads of the application do. These encode
//! what they publish themselves, under a lock that is held briefly, so that a publish costs as much
//! as in the async API.
//!
//! A thread that has to wait drives the connection itself while no other thread does: it writes its
//! request and waits for the socket, so that a call costs no switch to another thread and back.
//! Meanwhile, and for 250 µs after each such call, the connection's own thread sleeps. What is
//! queued, or arrives, within that time while no thread waits is written or read up to 250 µs
//! later.
//!
//! Handles are cheap to clone and can be used from any number of threads at the same time: one
//! thread can consume and pass deliveries to other threads, which acknowledge them. The deadlines
//! of the parameters, such as `call_timeout`, bound the waits that they are for. Where a wait needs
//! its own limit there is a method that takes one, such as [`Consumer::next_timeout`]. All calls
//! return when the connection ends.
//!
//! # Handlers
//!
//! A [`Dispatcher`] calls handlers of messages, events and timers, on the thread that asks for it
//! and only then: Pika's `process_data_events` and `start_consuming`.
//!
//! # Together with async code
//!
//! A handle [converts](Channel::into_async) into the async API's handle of the same connection or
//! channel and back, so that threads and tasks share connections and channels. A thread of a
//! runtime may use this API where it may block, as in `spawn_blocking`. A task that waits here
//! blocks all other tasks of its thread.

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
mod recovery;
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
