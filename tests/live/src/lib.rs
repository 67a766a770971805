//! How the scenarios reach their brokers, and what they share.
//!
//! `tests/run` (or, for one scenario, `tests/broker/with-node`) starts the brokers and names them
//! in the environment:
//!
//! | variable | what it names |
//! |---|---|
//! | `LEVERET_TEST_ADAPTER` | the way into the crate that the scenarios take, [`client::Adapter`]; `task` where it is not set |
//! | `LEVERET_TEST_BROKER` | the kind of both brokers: `rabbitmq` or `embedded` |
//! | `LEVERET_TEST_AMQP_URL` | the broker that all scenarios share |
//! | `LEVERET_TEST_RABBITMQCTL` | the `rabbitmqctl` of that one, where it is RabbitMQ |
//! | `LEVERET_TEST_LOG` | the log of that one, where it is RabbitMQ |
//! | `LEVERET_TEST_DISTURBED_AMQP_URL` | a private one that raises alarms and closes connections |
//! | `LEVERET_TEST_DISTURBED_RABBITMQCTL` | the `rabbitmqctl` of that one, where it is RabbitMQ |
//! | `LEVERET_TEST_AMQPS_URL` | the TLS port of the shared broker, where it is RabbitMQ; `tests/broker/tls.sh` says what it shows and wants |
//! | `LEVERET_TEST_TLS12_AMQPS_URL` | such a port that speaks TLS 1.2 alone, and whose certificate is for `localhost` and for no address |
//! | `LEVERET_TEST_CERTIFICATES` | the folder of certificates and keys that `tests/certificates` made |
//! | `LEVERET_TEST_PYTHON` | a Python that imports `pika` |
//! | `LEVERET_TEST_NODE_MODULES` | a folder in which `node` finds `amqplib` |
//!
//! The commands of Debian's amqp-tools are on PATH.
//!
//! A scenario fails where one is missing: it is never skipped.

#![allow(clippy::panic, clippy::expect_used, reason = "what is missing has to fail the scenario that needs it")]

pub mod adapters;
pub mod client;
mod command;
mod disturbed;
mod embedded;
pub mod listing;
mod operator;
pub mod raw;
pub mod secure;
pub mod survivor;

use std::env;
use std::future::Future;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use leveret::{ConnectionParameters, Error, ErrorKind, FieldValue, Initiator, ReplyCode};
// The names that generated code has for them.
use leveret::{protocol, wire};

use client::{Channel, Connection, Consumer, Delivery};

pub use command::{amqp_tools_job, amqplib_job, pika, pika_job};
pub use disturbed::Disturbed;
pub use operator::{Alarm, Operator, Permissions};

/// How long anything may take that a healthy broker does at once.
const SOON: Duration = Duration::from_secs(30);

/// The value of a variable that `tests/run` sets.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: these scenarios need a real broker; run tests/run, or tests/broker/with-node COMMAND"
        )
    })
}

/// The broker that all scenarios share.
pub fn url() -> String {
    if embedded::is_chosen() { embedded::quiet().url.clone() } else { variable("LEVERET_TEST_AMQP_URL") }
}

/// The broker of [`Disturbed`].
fn disturbed_url() -> String {
    if embedded::is_chosen() { embedded::disturbed().url.clone() } else { variable("LEVERET_TEST_DISTURBED_AMQP_URL") }
}

/// The parameters of that broker, for scenarios that change some.
pub fn parameters() -> ConnectionParameters {
    ConnectionParameters::from_url(&url()).expect("LEVERET_TEST_AMQP_URL is an AMQP URL")
}

/// The version of that broker where it is RabbitMQ, such as `4.0`; none of an embedded one.
pub async fn rabbitmq_version() -> Option<String> {
    let start: protocol::connection::Start = raw::Raw::connect().await.until_start().await;
    let property = |name| start.server_properties.get(name).and_then(FieldValue::as_str);
    let version = property("version").filter(|_| property("product") == Some("RabbitMQ"))?;
    Some(version.split('.').take(2).collect::<Vec<_>>().join("."))
}

/// That broker is RabbitMQ, of this version or a later one.
pub async fn rabbitmq_is_at_least(major: u32, minor: u32) -> bool {
    rabbitmq_version().await.is_some_and(|version| is_at_least(&version, (major, minor)))
}

/// Compares numbers, since `4.10` is after `4.9`.
fn is_at_least(version: &str, least: (u32, u32)) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().expect("a version is made of numbers"));
    let mut number = || numbers.next().expect("a version has two numbers");
    (number(), number()) >= least
}

/// The user of that broker, which a message may name as its sender.
pub fn user() -> String {
    parameters().credentials.user().to_owned()
}

/// The password of that user.
pub fn password() -> String {
    parameters().credentials.password().expose(str::to_owned)
}

/// Where the broker of these parameters listens.
fn address(parameters: &ConnectionParameters) -> (String, u16) {
    let endpoint = parameters.endpoints.first().expect("parameters have an endpoint");
    (endpoint.host.clone(), parameters.port_of(endpoint))
}

/// A connection to that broker.
pub async fn connect() -> Connection {
    soon(Connection::open(url())).await.expect("the broker takes a connection")
}

/// A connection of its own, and a channel on it.
pub async fn open() -> (Connection, Channel) {
    let connection = connect().await;
    let channel = soon(connection.open_channel()).await.expect("the broker opens a channel");
    (connection, channel)
}

/// A name that no other scenario and no other run has.
pub fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    format!("leveret-live.{what}.{}.{now}.{count}", process::id())
}

/// A queue that goes away with its connection; gives its name.
pub async fn exclusive_queue(channel: &Channel) -> String {
    let name = unique("queue");
    let declared = soon(channel.queue_declare(&name).exclusive(true).into_future()).await.expect("a queue is declared");
    assert_eq!(declared.queue, *name.as_str(), "the broker takes the name that it is given");
    name
}

/// Awaits what a healthy broker does at once; longer is a failure, not a hanging test.
pub async fn soon<F: IntoFuture>(future: F) -> F::Output {
    match tokio::time::timeout(SOON, future.into_future()).await {
        Ok(output) => output,
        Err(_) => panic!("nothing happened within {SOON:?}"),
    }
}

/// Asks again and again until the answer is there: for what the broker does in its own time and
/// reports to nobody.
pub async fn eventually<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    soon(async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

/// The next message of a consumer that has one to come.
pub async fn next(consumer: &mut Consumer) -> Delivery {
    let delivery = soon(consumer.next()).await.expect("the stream goes on");
    delivery.expect("a delivery comes")
}

/// Messages that wait in a queue, not counting those that are delivered and unsettled.
pub async fn ready_messages(channel: &Channel, queue: &str) -> u32 {
    let declared = soon(channel.queue_declare(queue).passive(true)).await.expect("the queue is there");
    declared.message_count
}

/// The broker closed a channel, or the connection, for this reason.
#[track_caller]
pub fn assert_closed_by_broker(error: &Error, kind: ErrorKind, code: ReplyCode) {
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.reply_code(), Some(code), "{error}");
    assert_eq!(error.initiator(), Some(Initiator::Broker), "{error}");
}

#[cfg(test)]
mod tests {
    use super::is_at_least;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for version in ["4.3", "4.4", "4.10", "4.30", "5.0", "10.0"] {
            assert!(is_at_least(version, (4, 3)), "{version}");
        }
        for version in ["3.10", "3.13", "4.0", "4.2"] {
            assert!(!is_at_least(version, (4, 3)), "{version}");
        }
    }
}
