//! Virtual time: the broker's clock is the runtime's, whatever a test does with that.

use std::time::Duration;

use leveret::broker::{Broker, Fault, Target};
use leveret::{Channel, Connection, ErrorKind, FieldTable, Initiator, Properties};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::{by_hand, open, ready, soon};

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_an_idle_connection_for_a_day() {
    let broker = Broker::new();
    let (connection, channel) = open(&broker).await;
    assert_eq!(connection.negotiated().heartbeat, 60);
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    channel.queue_declare("q").await.unwrap();
    assert_eq!(broker.state().connections().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_any_more_is_given_up_after_two_heartbeats() {
    let broker = Broker::new();
    // The stream lives, and nobody moves it on the client's side: a runtime of its own that does
    // not run.
    let client = by_hand(&broker);
    let began = Instant::now();
    let tune_ok = client.tune_ok().heartbeat(10);
    let _client = client.open_with(tune_ok).await;
    broker.until(|state| state.connections().is_empty()).await;
    let took = began.elapsed();
    assert!((20..=30).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_goes_silent_is_found_out_by_its_client() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    let queue = channel.queue_declare("").exclusive(true).await.unwrap().queue;
    let mut consumer = channel.consume(queue).await.unwrap();
    broker.state().inject(Target::All, Fault::Silence);
    let began = Instant::now();
    let error = consumer.next().await.unwrap().unwrap_err();
    assert_eq!(error.initiator(), Some(Initiator::Client), "{error}");
    assert!(began.elapsed() >= Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_delay_holds_every_answer_back_by_as_much() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    broker.state().inject(Target::All, Fault::Delay(Duration::from_secs(3)));
    for _ in 0..2 {
        let began = Instant::now();
        channel.queue_declare("q").await.unwrap();
        assert!((3000..3100).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    }
}

/// Publishes a message that moves to the queue `dead` when it expires.
async fn expiring(channel: &Channel, milliseconds: u32) {
    let arguments = FieldTable::from([("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", "dead")]);
    channel.queue_declare("q").arguments(arguments).await.unwrap();
    let publisher = channel.confirm_select().await.unwrap();
    let properties = Properties::default().expiration(milliseconds.to_string());
    publisher.publish("", "q", "x").properties(&properties).confirmed().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_expire_while_nobody_is_connected() {
    let broker = Broker::new();
    let (connection, channel) = open(&broker).await;
    channel.queue_declare("dead").await.unwrap();
    expiring(&channel, 60_000).await;
    connection.close().await.unwrap();
    broker.until(|state| state.connections().is_empty()).await;

    let began = Instant::now();
    broker.until(|state| state.queue("/", "dead").is_some_and(|queue| queue.ready == 1)).await;
    let took = began.elapsed();
    assert!((59_000..60_100).contains(&took.as_millis()), "{took:?}");
    assert_eq!(ready(&broker, "q"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_guard_shows_what_is_due_even_where_no_task_has_seen_to_it() {
    let broker = Broker::new();
    let (connection, channel) = open(&broker).await;
    channel.queue_declare("q").arguments(FieldTable::from([("x-expires", 60_000)])).await.unwrap();
    connection.close().await.unwrap();
    broker.until(|state| state.connections().is_empty()).await;
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(broker.state().queue("/", "q").is_none());
}

#[tokio::test(start_paused = true)]
async fn the_timer_of_a_connection_that_is_gone_is_kept_by_the_others() {
    let broker = Broker::new();
    let (_idle, channel) = open(&broker).await;
    channel.queue_declare("dead").await.unwrap();
    let mut consumer = channel.consume("dead").await.unwrap();
    let (connection, channel) = open(&broker).await;
    expiring(&channel, 5_000).await;
    connection.close().await.unwrap();
    let began = Instant::now();
    consumer.next().await.unwrap().unwrap();
    assert!(began.elapsed() <= Duration::from_secs(6), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_one_connection_publishes_reaches_the_consumer_of_another_at_once() {
    let broker = Broker::new();
    let (_consuming, channel) = open(&broker).await;
    channel.queue_declare("q").await.unwrap();
    let mut consumer = channel.consume("q").await.unwrap();
    let (_publishing, channel) = open(&broker).await;
    let began = Instant::now();
    for _ in 0..3 {
        channel.publish("", "q", "x").await.unwrap();
        consumer.next().await.unwrap().unwrap().ack().await.unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn connections_learn_at_once_that_the_broker_is_gone() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    let queue = channel.queue_declare("").exclusive(true).await.unwrap().queue;
    let mut consumer = channel.consume(queue).await.unwrap();
    let began = Instant::now();
    drop(broker);
    let error = consumer.next().await.unwrap().unwrap_err();
    assert_eq!(error.initiator(), Some(Initiator::Transport), "{error}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_guard_wakes_the_connections_that_it_concerns_when_it_is_dropped() {
    let broker = Broker::new();
    let (_connection, channel) = open(&broker).await;
    let queue = channel.queue_declare("").exclusive(true).await.unwrap().queue;
    let mut consumer = channel.consume(queue.clone()).await.unwrap();
    let began = Instant::now();
    assert!(broker.state().delete_queue("/", queue.to_str().unwrap()));
    let error = consumer.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConsumerCancelled, "{error}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_begins_is_shown_the_door() {
    let broker = Broker::new();
    let _stream = broker.connect();
    let began = Instant::now();
    broker.until(|state| state.connections().is_empty()).await;
    assert_eq!(began.elapsed().as_secs(), 10, "Settings::handshake_timeout");
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_is_told_at_once() {
    let broker = Broker::new();
    let began = Instant::now();
    let error = Connection::open_on(broker.connect(), "amqp://guest:wrong@localhost").await.err().unwrap();
    assert!(error.is_authentication(), "{error}");
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_end_its_side_is_left_after_a_while() {
    let broker = Broker::new();
    let mut stream = broker.connect();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let began = Instant::now();
    soon(broker.until(|state| state.connections().is_empty())).await;
    assert_eq!(began.elapsed().as_secs(), 5);
}
