//! Opening where there is no runtime, or one that lacks something.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use leveret::{Connection, ErrorKind};
use leveret_test_support::Peer;
use tokio::runtime::{Builder, Runtime};

use super::client::{Connect as _, parameters};

/// What a future comes to that is polled once, outside any runtime.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn check(error: &leveret::Error, lacks: &str) {
    // With what to do about it.
    let text = format!("{error:?}");
    assert_eq!(error.kind(), ErrorKind::Usage, "{text}");
    assert!(error.is_not_sent() && !error.is_retryable(), "{text}");
    assert!(text.contains(lacks) && text.contains("enable_all") && text.contains("driver_thread"), "{text}");
}

#[test]
fn opening_outside_a_runtime_is_an_error_that_says_what_to_do() {
    for url in ["amqp://localhost", "amqp://localhost?open_timeout=5&stack_timeout=5&connection_timeout=5"] {
        let Poll::Ready(opened) = poll_once(Connection::open(url)) else { panic!("it waits for nothing") };
        check(&opened.unwrap_err(), "no tokio runtime");
    }
    let (transport, _peer) = tokio::io::duplex(1000);
    let Poll::Ready(opened) = poll_once(Connection::open_on(transport, parameters())) else { panic!("it waits") };
    check(&opened.unwrap_err(), "no tokio runtime");
}

/// What opening on this runtime fails with. The panic that tokio tells by is not printed.
fn refused(runtime: &Runtime) -> leveret::Error {
    // A port that nobody needs to listen on: it does not come so far, or not beyond it.
    runtime.block_on(Connection::open("amqp://127.0.0.1:1")).unwrap_err()
}

#[test]
fn opening_on_a_runtime_without_timers_or_io_is_an_error_that_says_what_to_do() {
    check(&refused(&Builder::new_current_thread().enable_io().build().unwrap()), "no timers");
    check(&refused(&Builder::new_current_thread().enable_time().build().unwrap()), "no I/O");
    check(&refused(&Builder::new_current_thread().build().unwrap()), "no ");
    let whole = refused(&Builder::new_current_thread().enable_all().build().unwrap());
    assert_eq!(whole.kind(), ErrorKind::Io, "{whole}");
}

#[test]
fn with_a_driver_thread_no_runtime_is_needed() {
    let parameters = leveret::ConnectionParameters::try_from("amqp://127.0.0.1:1?driver_thread=true").unwrap();
    let bare = Builder::new_current_thread().build().unwrap();
    let error = bare.block_on(Connection::open(parameters)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
}

#[test]
fn handles_may_be_used_and_dropped_where_there_is_no_runtime() {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (connection, channel, peer) = runtime.block_on(Peer::connect_channel(64 * 1024, parameters()));
    let Poll::Ready(published) = poll_once(channel.publish("", "q", "body").into_future()) else { panic!("it waits") };
    published.unwrap();
    assert!(poll_once(channel.queue_declare("q").into_future()).is_pending());
    assert!(poll_once(connection.close()).is_pending());
    drop((channel, connection, peer));
    drop(runtime);
}
