//! Connections that survive the loss of their transport: what survives, what is lost, what may
//! arrive twice, and how to choose.
//!
//! A connection is lost when the broker restarts or closes it by force, when a node of a cluster
//! fails, or when the network does. Without recovery, which is the default, the connection ends
//! then, and the program opens another. One word turns recovery on:
//!
//! ```
//! # use leveret::{Connection, ConnectionParameters, Recovery, broker::Broker};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret::Result<()> {
//! # let listener = Broker::new().listen("127.0.0.1:0").await.expect("a free port");
//! # let port = listener.address().port();
//! let connection = Connection::open(format!("amqp://127.0.0.1:{port}?recovery=topology")).await?;
//! // The same by field:
//! let parameters = ConnectionParameters::default().port(port).recovery(Recovery::Topology);
//! # let parameters = parameters.host("127.0.0.1");
//! let other = Connection::open(parameters).await?;
//! # connection.close().await?;
//! # other.close().await
//! # }
//! ```
//!
//! The client then connects again, to any of the endpoints, and restores what the broker lost.
//! All handles of the program stay valid. Recovery works in the same way for connections of the
//! async API, of the modules `blocking` and `callback`, and of a reactor, with TLS, with a
//! [provider of credentials](crate::Credentials::provided_by), which is asked again at each
//! attempt, and with
//! [`driver_thread`](crate::ConnectionParameters#structfield.driver_thread).
//!
//! [`Connection::open_on`] is given one transport and cannot make another. To recover a connection
//! over transports of the program, pass a function that makes them to [`Connection::open_with`].
//! The programs on this page do so, because their broker is in memory:
//!
//! ```
//! # use leveret::{Connection, broker::{Broker, Fault, Target}};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> leveret::Result<()> {
//! let broker = Broker::new();
//! let connect = {
//!     let broker = broker.clone();
//!     move || std::future::ready(Ok(broker.connect()))
//! };
//! let connection = Connection::open_with(connect, "amqp://localhost?recovery=topology").await?;
//! # let channel = connection.open_channel().await?;
//! # let mut events = connection.events();
//! # broker.state().inject(Target::All, Fault::Drop);
//! # while !matches!(events.next().await, Some(leveret::ConnectionEvent::Recovered { .. }) | None) {}
//! # channel.queue_declare("jobs").await?;
//! # assert_eq!(connection.generation(), 1);
//! # connection.close().await
//! # }
//! ```
#![doc = include_str!("surviving.md")]
#![doc = include_str!("choosing.md")]
#![doc = include_str!("waiting.md")]

#[allow(unused_imports, reason = "the page links to them")]
use crate::{
    ChannelEvent, Connection, ConnectionEvent, ConnectionParameters, Consumer, Delivery, Error, ErrorKind, Fate,
    Publisher, Recovery, WhileDown,
};
