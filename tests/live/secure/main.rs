//! TLS, on the TLS ports of the private broker. `tests/run` runs these; they fail where they are
//! run without it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod challenges;
mod external;
mod files;
mod identity;
mod ports;
mod relay;
mod traffic;
mod trust;

use leveret::{ConnectionParameters, Error, ErrorKind, Phase};
use leveret_live_tests::client::{Channel, Connection};
use leveret_live_tests::{exclusive_queue, next, soon};

/// Opens a connection and shows that it works: a message goes to the broker and comes back.
async fn works(parameters: ConnectionParameters) -> Connection {
    let connection = soon(Connection::open(parameters)).await.expect("the connection opens");
    let channel = soon(connection.open_channel()).await.expect("a channel opens");
    round_trip(&channel, b"there and back".to_vec()).await;
    connection
}

/// Publishes a message, confirmed, and consumes it.
async fn round_trip(channel: &Channel, body: Vec<u8>) {
    let publisher = soon(channel.confirm_select()).await.expect("the channel confirms");
    let queue = exclusive_queue(channel).await;
    let mut consumer = soon(channel.consume(&queue)).await.expect("the queue can be consumed");
    soon(publisher.publish("", &queue, body.clone()).confirmed()).await.expect("the broker confirms");
    let delivery = next(&mut consumer).await;
    assert!(delivery.body() == body.as_slice(), "{} octets came for {}", delivery.body().len(), body.len());
    soon(delivery.ack()).await.expect("the acknowledgement is queued");
}

/// The error of a connection that does not come about.
async fn refused(parameters: ConnectionParameters) -> Error {
    match soon(Connection::open(parameters)).await {
        Ok(_) => panic!("the connection opens"),
        Err(error) => error,
    }
}

/// The error of one that TLS does not let come about.
async fn refused_by_tls(parameters: ConnectionParameters) -> Error {
    let error = refused(parameters).await;
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.is_not_sent() && !error.is_retryable(), "{error}");
    error
}

/// The only attempt came as far as the handshake of TLS, and the error says why no further.
#[track_caller]
fn assert_failed_in_tls(error: &Error, why: &str) {
    let phases: Vec<Phase> = error.attempts().iter().map(|attempt| attempt.phase()).collect();
    assert_eq!(phases, [Phase::Tls], "{error}");
    assert!(error.to_string().contains(why), "{why:?} is not in: {error}");
}
