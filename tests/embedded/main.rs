//! The embedded broker on tokio: its handles, its transports, its time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod faults;
mod guards;
mod handles;
mod inspection;
mod plain_thread;
mod pressure;
mod recovery;
mod reviewed;
mod stepped;
mod time;
mod transports;

use std::time::Duration;

use leveret::broker::{Broker, Stream};
use leveret::{Channel, Connection, ConnectionParameters};
use leveret_test_support::client::Client;
use leveret_test_support::endings;

/// A connection within the process, and a channel on it.
async fn open(broker: &Broker) -> (Connection, Channel) {
    let connection = Connection::open_on(broker.connect(), "amqp://localhost").await.unwrap();
    endings::watch(connection.leftovers());
    let channel = connection.open_channel().await.unwrap();
    (connection, channel)
}

/// A client of that broker, on which each octet is a test's.
fn by_hand(broker: &Broker) -> Client<Stream> {
    Client::on(broker.connect(), ConnectionParameters::default())
}

/// Awaits what has to happen; longer is a failure, not a hanging test. It is less than the interval
/// of heartbeats, which wake whatever was forgotten.
async fn soon<F: IntoFuture>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(25), future.into_future()).await.expect("it happens")
}

/// The messages that are ready in a queue.
fn ready(broker: &Broker, queue: &str) -> usize {
    broker.state().queue("/", queue).map_or(0, |queue| queue.ready)
}
