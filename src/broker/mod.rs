//! An in-memory broker for tests and first steps.
//!
//! [`Broker`] accepts connections within the process and on TCP ports, from any number of AMQP
//! 0-9-1 clients. [`State`] is the broker without I/O, for tests that step client and broker in
//! virtual time. Both can inject the faults that an application has to survive, and show what the
//! broker contains.
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
//! # Comparison with RabbitMQ
//!
//! To a client it behaves like RabbitMQ 3.10: the scenarios of `tests/live` run on both, and
//! compare replies, counts, orders, headers, and the codes and complete texts of refusals. It is
//! **not** for production: everything is in the memory of one process, and nothing survives that
//! process.
//!
//! | | RabbitMQ | here |
//! |---|---|---|
//! | exchanges | direct, fanout, topic, headers, plug-ins | direct, fanout, topic, headers; predeclared, internal, auto-delete, alternate exchange, bindings between exchanges |
//! | queues | classic, quorum, streams | classic; any other `x-queue-type` is refused with 540 |
//! | durability | survives a restart | survives [`State::restart`] and [`State::crash`]; nothing survives the process |
//! | queue arguments | the same, and more | `x-message-ttl`, `x-expires`, `x-max-length`, `x-max-length-bytes`, `x-overflow`, `x-dead-letter-exchange`, `x-dead-letter-routing-key`, `x-max-priority`, `x-single-active-consumer`; `x-queue-mode` and `x-queue-version` are checked, and have no effect |
//! | consumers | the same | acknowledgement timeout, prefetch (of consumer and channel), priority, exclusive, single active, cancel notification, direct reply-to |
//! | publishing | the same | mandatory, confirms, `CC` and `BCC`, `user_id`, expiration, transactions; `immediate` is refused with 540, as in RabbitMQ |
//! | authentication | PLAIN, AMQPLAIN, EXTERNAL, plug-ins, TLS | PLAIN, AMQPLAIN; no TLS |
//! | users, virtual hosts, permissions | yes | yes; no topic permissions, no tags; limits of connections and channels |
//! | policies, federation, shovel, clusters, management, metrics | yes | no |
//! | alarms | memory, disk | [`State::block`] |
//! | heartbeats, closes, malformed frames | yes | as in RabbitMQ, including closes without a message and resets |
//! | flow control | credit between its processes, TCP | a connection that does not read gets no more deliveries from 1 MiB on |
//! | order of answers | see below | as in RabbitMQ; without [`Settings::late_answers`], in the order of the calls |
//! | other versions | 3.10 to 4.x differ in details | as 3.10 |
//!
//! A request that it does not support is refused with 540 (`NOT_IMPLEMENTED`) and a text that names
//! the reason.
//!
//! # Faults and operations for tests
//!
//! An application's own tests can let happen what the application has to survive:
//!
//! | | |
//! |---|---|
//! | [`State::restart`], [`State::crash`] | the broker stops and starts again, in an orderly way or as by `kill -9` |
//! | [`State::fail_next`] | the next request with a given method closes its channel or connection |
//! | [`State::hold_next`], [`State::release_held`] | the answer to a request does not arrive, or arrives late |
//! | [`State::inject`] | a transport is lost, silent, slow, or cut after some bytes |
//! | [`State::close_connection`], [`State::close_channel`], [`State::cancel_consumer`] | the broker closes or cancels something |
//! | [`State::nack_next`], [`State::return_next`], [`State::refuse_logins`] | publishes and logins are refused |
//! | [`State::block`] | an alarm |
//! | [`State::set_queue_down`] | a durable queue is down for a time |
//! | [`State::set_consumer_timeout`] | deliveries have to be acknowledged in time |
//! | [`State::limit_connections`], [`State::limit_connections_of_user`], [`State::limit_connections_of_virtual_host`], [`State::limit_channels_of_user`] | a connection or a channel is one too many |
//! | [`State::add_user`], [`State::delete_user`], [`State::set_permissions`] | users, at any time |
//! | [`State::add_virtual_host`], [`State::delete_virtual_host`], [`State::delete_queue`] | virtual hosts and queues, at any time |
//!
//! # Order of answers
//!
//! As in RabbitMQ, what a queue sends to a channel arrives after the answers to everything that the
//! client has sent before. Of calls that arrive together, `basic.consume` and `basic.cancel` are
//! answered last, whatever was sent after them; deliveries, and a `basic.cancel` from the broker,
//! follow. Anything that arrives after a `tx.commit` that has put a message into a queue and is not
//! answered yet, including a publish or an acknowledgement, closes the connection with 504
//! (`unexpected command while processing 'tx.commit'`). A consumer that is cancelled before its
//! `basic.consume-ok` was sent closes the connection with 541, as in 3.10 and 4.0.
//!
//! A publish that no queue accepts is confirmed at once. A publish that queues accept is confirmed
//! after everything that arrived together with it, and not at all if the channel or the connection
//! is closed before.
//!
//! In RabbitMQ this order is the result of a race between processes, which the channel nearly
//! always wins. So one in a hundred answers to `basic.consume`, `basic.cancel` and `tx.commit`
//! arrives in the order of the calls, and does not affect what is sent after the call.
//! [`Settings::in_time_percent`] sets how many, and [`Settings::seed`] determines which.
//!
//! Without [`Settings::late_answers`], answers are in the order of the calls, and none of this is
//! an error.
//!
//! What is handed to one call of [`State::handle_bytes`] arrives together. The late answers follow
//! at the end of that call.
//!
//! # Determinism
//!
//! [`State`] has no clock and no random numbers of its own: maps are ordered, names that the server
//! chooses and the outcomes of races are drawn from [`Settings::seed`], and times are arguments.
//! The same input gives the same output, byte for byte.

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
pub use words::Scope;
