//! An in-memory broker for tests and first steps.
//!
//! [`Broker`] takes connections within the process and at TCP ports, from any AMQP 0-9-1 client,
//! many at a time. [`State`] is the broker without I/O, for tests that step client and broker by
//! hand in virtual time. Both inject the faults that a test wants to see its application survive,
//! and show what is in the broker.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
//! use leveret::{Connection, broker::Broker};
//!
//! let broker = Broker::new();
//! let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
//! let channel = connection.open_channel().await?;
//! channel.queue_declare("jobs").await?;
//! let publisher = channel.confirm_select().await?;
//!
//! publisher.publish("", "jobs", "dig").confirmed().await?;
//! assert_eq!(broker.state().messages("/", "jobs")[0].body, "dig");
//!
//! broker.state().nack_next(1);
//! assert!(publisher.publish("", "jobs", "dig deeper").confirmed().await.is_err());
//! # Ok(()) }
//! ```
//!
//! # Beside RabbitMQ
//!
//! It is made to be taken for RabbitMQ 3.10 by a client: the scenarios of `tests/live` run on both,
//! and compare replies, counts, orders, headers, and codes and whole texts of refusals. It is
//! **not** for production: it keeps everything in the memory of one process, of which nothing
//! outlives it.
//!
//! | | RabbitMQ | here |
//! |---|---|---|
//! | exchanges | direct, fanout, topic, headers, plug-ins | direct, fanout, topic, headers; predeclared, internal, auto-delete, alternate exchange, bindings between exchanges |
//! | queues | classic, quorum, streams | classic; any other `x-queue-type` is refused with 540 |
//! | durability | survives a restart | `durable` is kept and compared; nothing survives the process |
//! | queue arguments | | `x-message-ttl`, `x-expires`, `x-max-length`, `x-max-length-bytes`, `x-overflow`, `x-dead-letter-exchange`, `x-dead-letter-routing-key`, `x-max-priority`, `x-single-active-consumer`; `x-queue-mode` and `x-queue-version` are checked, and change nothing |
//! | consumers | | prefetch (of consumer and channel), priority, exclusive, single active, cancel notification, direct reply-to |
//! | publishing | | mandatory, confirms, `CC` and `BCC`, `user_id`, expiration, transactions; `immediate` is refused with 540, as there |
//! | logging in | PLAIN, AMQPLAIN, EXTERNAL, plug-ins, TLS | PLAIN, AMQPLAIN; no TLS |
//! | users, virtual hosts, permissions | | yes; no topic permissions, no tags, no limits |
//! | policies, federation, shovel, clusters, management, metrics | yes | no |
//! | alarms | memory, disk | [`State::block`] |
//! | heartbeats, closes, malformed frames | | as there, silences and resets included |
//! | flow control | credit between its processes, TCP | a connection that does not read gets no more deliveries from 1 MiB on |
//! | order of answers | see below | as there; without [`Settings::late_answers`], that of the calls |
//! | other versions | from 3.10 to 4.x they differ in details | as 3.10 |
//!
//! What it cannot do it does not pretend to do: such a request gets 540 with a sentence.
//!
//! # Order of answers
//!
//! What queues say reaches a channel after everything that its client has sent before, as in
//! RabbitMQ. Of calls that arrive together, `basic.consume` and `basic.cancel` are answered last,
//! whatever was sent behind them; deliveries, and `basic.cancel` of the broker's, follow as well.
//! Whatever arrives behind a `tx.commit` that has put a message into a queue and is not answered
//! yet, a publish or an acknowledgement included, closes the connection with 504
//! (`unexpected command while processing 'tx.commit'`). A consumer that is cancelled before its
//! `basic.consume-ok` has left closes the connection with 541, as in 3.10 and 4.0.
//!
//! A publish that no queue takes is confirmed at once. What queues take is confirmed after
//! everything that arrived with it, and not at all where the channel or the connection is closed
//! first.
//!
//! In RabbitMQ that is a race between processes, which the channel nearly always wins. So one of a
//! hundred answers to `basic.consume`, `basic.cancel` and `tx.commit` arrives in time, in the order
//! of the calls, and harms nothing that is sent behind: [`Settings::in_time_percent`] says how
//! many, and [`Settings::seed`] which ones.
//!
//! Without [`Settings::late_answers`], answers are in the order of the calls, and nothing of this
//! is an error.
//!
//! What arrives together is what one call of [`State::handle_bytes`] gets; its end is the end of
//! the wait.
//!
//! # Determinism
//!
//! [`State`] has no clock and no randomness: maps are ordered, names that the server makes and
//! races are drawn from [`Settings::seed`], and times are what is handed in. The same input gives
//! the same output, octet for octet.

mod event;
mod keys;
mod methods;
mod model;
mod operate;
#[cfg(feature = "tokio")]
mod server;
mod session;
mod settings;
mod state;
mod words;

pub use event::{Event, Transport};
pub use keys::ConnectionId;
pub use model::{Access, Permissions, PermissionsError};
pub use operate::{
    BindingDestination, BindingInfo, ConnectionInfo, ConsumerInfo, ExchangeInfo, Fault, MessageInfo, QueueInfo, Target,
};
#[cfg(feature = "tokio")]
pub use server::{Broker, Listener, StateGuard, Stream};
pub use settings::{Settings, User};
pub use state::State;
