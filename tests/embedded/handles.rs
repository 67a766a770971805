//! Handles to a broker: what they share, waiting for states, what is left when they are dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use leveret::broker::{Broker, Fault, Settings, Target};
use leveret::{Connection, Initiator, ReplyCode};

use super::{open, soon};

#[tokio::test]
async fn clones_are_of_one_broker_and_two_brokers_share_nothing() {
    let (broker, other) = (Broker::new(), Broker::with(Settings::default()));
    let (_connection, channel) = open(&broker).await;
    channel.queue_declare("q").await.unwrap();
    assert!(broker.clone().state().queue("/", "q").is_some());
    assert!(other.state().queue("/", "q").is_none());
}

#[tokio::test]
async fn a_broker_that_is_dropped_loses_its_connections_without_a_word() {
    let broker = Broker::new();
    let listener = broker.listen("127.0.0.1:0").await.unwrap();
    let (inside, _channel) = open(&broker).await;
    let outside = soon(Connection::open(listener.url())).await.unwrap();
    let mut consumers = Vec::new();
    for connection in [&inside, &outside] {
        let channel = connection.open_channel().await.unwrap();
        let queue = channel.queue_declare("").exclusive(true).await.unwrap().queue;
        consumers.push(channel.consume(queue).await.unwrap());
    }

    let clone = broker.clone();
    drop(broker);
    drop(clone);
    let _channel = outside.open_channel().await.expect("the listener is a handle, too");
    drop(listener);
    for mut consumer in consumers {
        let error = soon(consumer.next()).await.expect("the stream ends with an error").unwrap_err();
        assert_eq!(error.initiator(), Some(Initiator::Transport), "{error}");
        assert_eq!(error.reply_code(), None, "{error}");
    }
    assert!(!inside.is_open() && !outside.is_open());
}

#[tokio::test]
async fn a_broker_outlives_its_connections_and_keeps_what_they_left() {
    let broker = Broker::new();
    let (connection, channel) = open(&broker).await;
    channel.queue_declare("kept").await.unwrap();
    channel.queue_declare("gone").exclusive(true).await.unwrap();
    connection.close().await.unwrap();
    soon(broker.until(|state| state.connections().is_empty())).await;
    let names: Vec<_> = broker.state().queues("/").into_iter().map(|queue| queue.name.to_string()).collect();
    assert_eq!(names, ["kept"]);
}

#[test]
fn a_broker_serves_one_runtime_after_the_other() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let broker = Broker::new();
    let first = runtime();
    let (connection, channel) = first.block_on(open(&broker));
    first.block_on(async { channel.queue_declare("q").await.unwrap() });
    assert_eq!(broker.state().connections().len(), 1);
    // Connections are tasks of the runtime that they were made on.
    drop(first);
    assert!(broker.state().connections().is_empty());
    assert!(!connection.is_open());

    runtime().block_on(async {
        let (_connection, channel) = open(&broker).await;
        channel.queue_declare("q").passive(true).await.unwrap();
    });
}

#[tokio::test]
async fn what_a_guard_changed_reaches_the_connections_when_it_is_dropped() {
    let broker = Broker::new();
    let (connection, _channel) = open(&broker).await;
    let mut state = broker.state();
    let [id] = state.connections().iter().map(|connection| connection.id).collect::<Vec<_>>()[..] else {
        panic!("there is one connection")
    };
    state.close_connection(id, ReplyCode::CONNECTION_FORCED, "maintenance");
    drop(state);
    soon(broker.until(|state| state.connections().is_empty())).await;
    let error = soon(connection.open_channel()).await.unwrap_err();
    assert_eq!(error.reply_code(), Some(ReplyCode::CONNECTION_FORCED), "{error}");
}

#[test]
fn a_panic_while_a_guard_is_held_leaves_the_broker_as_it_was() {
    let broker = Broker::new();
    let failed = catch_unwind(AssertUnwindSafe(|| assert!(broker.state().queues("/").len() == 1, "as a test fails")));
    assert!(failed.is_err());
    assert!(broker.state().queues("/").is_empty());
}

#[tokio::test]
async fn until_resolves_at_once_where_the_predicate_holds_and_otherwise_with_the_change() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    soon(broker.until(|_| true)).await;

    let mut asked = 0;
    let declared = broker.until(|state| {
        asked += 1;
        state.queue("/", "q").is_some()
    });
    let (result, ()) = soon(async { tokio::join!(channel.queue_declare("q").into_future(), declared) }).await;
    result.unwrap();
    assert!(asked > 1, "it was asked before, and after the change");
}

#[tokio::test]
async fn until_can_be_dropped_at_any_time_and_others_still_wait() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    let mut kept = pin!(broker.until(|state| state.queue("/", "q").is_some()));
    {
        let mut dropped = pin!(broker.until(|state| state.queue("/", "q").is_some()));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(dropped.as_mut().poll(&mut context), Poll::Pending);
        assert_eq!(kept.as_mut().poll(&mut context), Poll::Pending);
    }
    channel.queue_declare("q").await.unwrap();
    soon(kept).await;
}

#[tokio::test]
async fn until_sees_what_a_guard_changes() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    channel.queue_declare("q").await.unwrap();
    let waiting = tokio::spawn({
        let broker = broker.clone();
        async move { broker.until(|state| state.queue("/", "q").is_none()).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert!(broker.state().delete_queue("/", "q"));
    soon(waiting).await.unwrap();
}

// Found by the simulation (seed 260280 with recovery).
#[tokio::test(start_paused = true)]
async fn a_channel_that_is_dropped_during_the_close_of_its_connection_leaves_nothing() {
    let broker = Broker::new();
    let (connection, channel) = open(&broker).await;
    let leftovers = connection.leftovers();
    broker.state().inject(Target::All, Fault::Delay(Duration::from_secs(1)));
    // The broker closes the channel for this, while the connection is being closed.
    soon(channel.publish("absent", "key", "message")).await.unwrap();
    let closing = tokio::spawn(async move { connection.close().await });
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(channel);
    soon(closing).await.unwrap().unwrap();
    let (left, waiters) = leftovers().expect("it has ended");
    assert_eq!((left.to_string(), waiters), (String::new(), 0));
}
