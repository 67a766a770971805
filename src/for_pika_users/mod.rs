//! For people who come from [Pika](https://pika.readthedocs.io): its names beside ours, and its
//! programs beside their translation. Pika is meant as of 0.12 and of 1.3; where the two differ,
//! both names stand here.
//!
//! * [`names`] has a table for each class of Pika, with every public name of it.
//! * [`programs`] has the programs of Pika's introduction and examples. The translations are
//!   compiled, and run, by the tests of this crate.
//!
//! # Which API instead of which adapter
//!
//! | Pika | here |
//! |---|---|
//! | `BlockingConnection` | [`blocking`]: calls that wait; consumers are iterators |
//! | `SelectConnection` | [`callback`]: handlers on an event loop, on one thread |
//! | `AsyncioConnection`, `TornadoConnection` | the async API at the root of the crate, on tokio |
//! | `TwistedConnection`, `TwistedProtocolConnection` | the async API: a `Deferred` is a future |
//! | `GeventConnection` | [`blocking`] or the async API: threads and tasks in the place of greenlets |
//! | an adapter for a loop of one's own | [`readiness`], with [`callback::Handlers`] or futures |
//!
//! All of them are the same client, with the same parameters, errors and rules. Their handles
//! convert into each other, so that threads and tasks share a connection.
//!
//! # One name for each call
//!
//! A method of AMQP has the same name in each API. Names that it needs are arguments, everything
//! else is set on what they return, and the last word says how to wait:
//!
//! | API | a call | a publish | the messages of a queue |
//! |---|---|---|---|
//! | async | `channel.queue_declare("q").durable(true).await?` | `channel.publish("", "q", body).await?` | `channel.consume("q").await?.try_next().await?` |
//! | [`blocking`] | `channel.queue_declare("q").durable(true).call()?` | `channel.publish("", "q", body).send()?` | `for delivery in channel.consume("q").call()?` |
//! | [`callback`] | `channel.queue_declare("q").durable(true).then(handler)` | `channel.publish("", "q", body).send()` | `channel.consume("q").each(handler)` |
//!
//! # What is different
//!
//! * **Publishing.** `basic_publish` of Pika's `Channel` goes on with a broker that does not read,
//!   and takes memory. Here, a publish waits while more than
//!   [`write_high_water`](crate::ConnectionParameters#structfield.write_high_water) waits for the
//!   socket, or while the broker blocks the connection.
//! * **Confirms.** On a channel that confirms, each publish has an outcome of its own. There are no
//!   delivery tags to count.
//! * **Prefetch.** A consumer has a prefetch of 250 where the program sets none
//!   ([`default_prefetch`](crate::ConnectionParameters#structfield.default_prefetch)); Pika sets no
//!   limit.
//! * **Acknowledging.** A [`Delivery`](crate::Delivery) is acknowledged itself, from any thread or
//!   task, and cannot be acknowledged twice.
//! * **Heartbeats.** With [`blocking`], and with
//!   [`driver_thread`](crate::ConnectionParameters#structfield.driver_thread) in the other APIs, a
//!   thread of the connection's own sends them. A handler that computes for an hour costs no
//!   connection.
//! * **Threads.** Handles of the async and the blocking API work from any thread. There is no
//!   `add_callback_threadsafe` to go through; the event loop of [`callback`] has
//!   [`Remote::call`](callback::Remote::call) for that.
//! * **Errors.** There is one type, [`Error`](crate::Error). It says what became of the request,
//!   whose decision it was and whether a retry may help.
//! * **Headers of an unknown type** make [`Delivery::properties`](crate::Delivery::properties) of
//!   that message fail. The connection goes on.
//! * **Deadlines.** Every call has one
//!   ([`call_timeout`](crate::ConnectionParameters#structfield.call_timeout), 75 s unless set).
//! * **URLs** are read strictly: an unknown key, or a key that is given twice, is an error.
//!
//! # What Pika has and this crate has not
//!
//! Each has a row in [`names`], with another way to the same end:
//!
//! * the number of a channel is not chosen by the program;
//! * reply code and text of a close are not chosen by the program;
//! * `immediate`, and a client's `channel.flow` that stops deliveries: RabbitMQ refuses both;
//! * `add_callback` for any method that the broker sends;
//! * a list of all consumer tags of a channel, and how many messages wait in a consumer;
//! * descriptors of the program's own in the built-in event loop: a loop of somebody else's takes
//!   the connections in;
//! * settings of OpenSSL: TLS is that of rustls.
//!
//! A connection that was lost is not opened again by itself, here as there, unless the parameters
//! say so: see [`recovering`](crate::recovering). [`programs`] shows how a program does it.

pub mod names;
pub mod programs;

#[allow(unused_imports, reason = "the page links to them")]
use crate::{blocking, callback, readiness};
