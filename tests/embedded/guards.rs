//! Guards of the broker's state: several on one thread, and what else runs on that thread
//! meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use leveret::broker::Broker;
use leveret::{Connection, Initiator};
use tokio::runtime::{Builder, Runtime};

use super::{open, soon};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The text of the panic that it is to end with.
fn panic_of<R>(run: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(run)) else { panic!("it is to panic") };
    payload.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| payload.downcast_ref().cloned()).unwrap()
}

/// Runs it on a thread of its own: one that waits for itself is a failure, and not a hanging test.
fn within_seconds<R: Send + 'static>(run: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(run()));
    result.recv_timeout(Duration::from_secs(10)).expect("it ends")
}

async fn declare(broker: &Broker, queue: &str) -> Connection {
    let (connection, channel) = open(broker).await;
    channel.queue_declare(queue).await.unwrap();
    connection
}

#[tokio::test]
async fn guards_of_one_thread_read_side_by_side() {
    let broker = Broker::new();
    let _connection = declare(&broker, "q").await;
    assert_eq!(broker.state().queues("/").len(), broker.state().connections().len());
    let (first, second) = (broker.state(), broker.state());
    drop(first);
    let third = broker.state();
    assert_eq!(second.queues("/"), third.queues("/"));
}

#[tokio::test]
async fn a_guard_changes_nothing_while_its_thread_holds_another_one() {
    let broker = Broker::new();
    let _connection = declare(&broker, "q").await;
    let mut first = broker.state();
    let mut second = broker.state();
    for guard in [&mut first, &mut second] {
        let said = panic_of(|| guard.delete_queue("/", "q"));
        assert!(said.contains("another guard"), "{said}");
        assert!(guard.queue("/", "q").is_some());
    }
    drop(first);
    assert!(second.delete_queue("/", "q"));
    drop(second);
    assert!(broker.state().queue("/", "q").is_none());
}

#[test]
fn a_second_guard_beside_one_that_changed_something_is_a_panic_and_not_a_deadlock() {
    within_seconds(|| {
        let broker = Broker::new();
        let mut guard = broker.state();
        guard.nack_next(1);
        let said = panic_of(|| broker.state().queues("/").len());
        assert!(said.contains("holds a guard"), "{said}");
        guard.nack_next(1);
        drop(guard);
        assert!(broker.state().queues("/").is_empty());
    });
}

#[test]
fn other_threads_wait_until_the_last_guard_of_a_thread_is_dropped() {
    let broker = Broker::new();
    for first_goes_first in [true, false] {
        let (first, second) = (broker.state(), broker.state());
        let (got, one_got) = mpsc::channel();
        let other = thread::spawn({
            let broker = broker.clone();
            move || {
                let guard = broker.state();
                got.send(guard.queues("/").len()).unwrap();
            }
        });
        let (gone, left) = if first_goes_first { (first, second) } else { (second, first) };
        drop(gone);
        one_got.recv_timeout(Duration::from_millis(50)).unwrap_err();
        assert!(broker.state().queues("/").is_empty(), "and this one may still ask, though the other waits");
        drop(left);
        assert_eq!(one_got.recv_timeout(Duration::from_secs(10)).unwrap(), 0);
        other.join().unwrap();
    }
}

#[tokio::test]
async fn a_guard_over_an_await_loses_connections_and_not_the_process() {
    let broker = Broker::new();
    let (connection, channel) = open(&broker).await;
    let guard = broker.state();
    let error = soon(channel.queue_declare("q")).await.unwrap_err();
    assert_eq!(error.initiator(), Some(Initiator::Transport), "{error}");
    assert_eq!(guard.connections().len(), 1, "the broker stands still");
    drop(guard);
    assert!(broker.state().connections().is_empty());
    assert!(!connection.is_open());
    let _connection = declare(&broker, "q").await;
}

#[test]
fn a_runtime_that_is_dropped_while_a_guard_lives_takes_its_connections_along_afterwards() {
    let broker = Broker::new();
    let runtime = runtime();
    let _connection = runtime.block_on(declare(&broker, "q"));
    let guards = (broker.state(), broker.state());
    drop(runtime);
    assert_eq!(guards.0.connections().len(), 1);
    drop(guards.0);
    assert_eq!(guards.1.connections().len(), 1);
    drop(guards.1);
    assert!(broker.state().connections().is_empty());
}

#[tokio::test]
async fn until_can_be_dropped_while_a_guard_lives() {
    let broker = Broker::new();
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting = Box::pin(broker.until(|_| false));
    assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
    let guard = broker.state();
    drop(waiting);
    drop(guard);
    soon(broker.until(|state| state.queues("/").is_empty())).await;
}

#[test]
fn until_that_is_asked_for_while_a_guard_lives_is_a_panic_and_not_a_deadlock() {
    within_seconds(|| {
        let broker = Broker::new();
        let _guard = broker.state();
        let said = panic_of(|| runtime().block_on(broker.until(|_| true)));
        assert!(said.contains("holds a guard"), "{said}");
    });
}

#[test]
fn a_predicate_may_read_by_way_of_the_handle() {
    within_seconds(|| {
        let broker = Broker::new();
        runtime().block_on(async {
            let mut declared = pin!(broker.until(|_| broker.state().queue("/", "q").is_some()));
            let mut context = Context::from_waker(Waker::noop());
            assert_eq!(declared.as_mut().poll(&mut context), Poll::Pending);
            let _connection = declare(&broker, "q").await;
            soon(declared).await;
        });
    });
}

#[test]
fn a_predicate_that_changes_the_state_or_fails_is_a_panic_that_leaves_the_broker_as_it_was() {
    within_seconds(|| {
        let broker = Broker::new();
        let _connection = runtime().block_on(async {
            let connection = declare(&broker, "q").await;
            let changing = tokio::spawn({
                let broker = broker.clone();
                async move { broker.until(|_| broker.state().delete_queue("/", "q")).await }
            });
            assert!(soon(changing).await.unwrap_err().is_panic());
            let failing = tokio::spawn({
                let broker = broker.clone();
                async move { broker.until(|state| state.messages("/", "q")[0].redelivered).await }
            });
            assert!(soon(failing).await.unwrap_err().is_panic());
            assert!(broker.state().queue("/", "q").is_some());
            connection
        });
        thread::spawn(move || assert!(broker.state().connections().is_empty())).join().unwrap();
    });
}

#[test]
fn a_connection_that_finds_no_runtime_for_it_never_was() {
    let broker = Broker::new();
    drop(panic_of(|| broker.connect()));
    let timeless = Builder::new_current_thread().enable_io().build().unwrap();
    drop(panic_of(|| timeless.block_on(async { broker.connect() })));
    assert!(broker.state().connections().is_empty());
}

#[tokio::test]
async fn a_connection_that_is_asked_for_while_a_guard_lives_never_was() {
    let broker = Broker::new();
    let guard = broker.state();
    let said = panic_of(|| broker.connect());
    assert!(said.contains("holds a guard"), "{said}");
    drop(guard);
    assert!(broker.state().connections().is_empty());
}
