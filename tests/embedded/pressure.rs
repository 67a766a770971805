//! Clients that do not read, and more than fits.

use std::time::Duration;

use leveret::broker::{Broker, Fault, Target};
use leveret::protocol::basic;
use leveret::{Connection, Initiator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{by_hand, open, ready, soon};

/// Octets in the bodies of these tests.
const BODY: usize = 64 * 1024;

/// A message count whose bodies are many times what any buffer on the way may hold.
const MESSAGES: usize = 400;

/// A client's connection whose octets pass a pipe that is not drained until it is told to.
async fn stalled(broker: &Broker) -> (Connection, tokio::sync::oneshot::Sender<()>) {
    let (client, ours) = tokio::io::duplex(4096);
    let (go, went) = tokio::sync::oneshot::channel::<()>();
    let (mut from_broker, mut to_broker) = tokio::io::split(broker.connect());
    let (mut from_client, mut to_client) = tokio::io::split(ours);
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_broker).await });
    tokio::spawn(async move {
        // The replies of the handshake, of channel.open, basic.consume and the like are short.
        let mut passed = 0;
        let mut octets = [0; 512];
        while passed < 2048 {
            let Ok(count @ 1..) = from_broker.read(&mut octets).await else { return };
            to_client.write_all(&octets[..count]).await.unwrap();
            passed += count;
        }
        let _ = went.await;
        let _ = tokio::io::copy(&mut from_broker, &mut to_client).await;
    });
    (Connection::open_on(client, "amqp://localhost").await.unwrap(), go)
}

/// Fills a queue with more than any buffer holds.
async fn fill(broker: &Broker) -> (Connection, leveret::Channel) {
    let (connection, channel) = open(broker).await;
    channel.queue_declare("q").await.unwrap();
    let publisher = channel.confirm_select().await.unwrap();
    for _ in 0..MESSAGES {
        drop(publisher.publish("", "q", vec![0; BODY]).await.unwrap());
    }
    soon(publisher.wait_for_confirms()).await.unwrap();
    (connection, channel)
}

#[tokio::test(start_paused = true)]
async fn what_a_client_does_not_read_stays_in_the_queue_but_for_a_bounded_part() {
    let broker = Broker::new();
    let (_connection, _channel) = fill(&broker).await;
    let (connection, go) = stalled(&broker).await;
    let channel = connection.open_channel().await.unwrap();
    let mut consumer = channel.consume("q").await.unwrap();
    // Whatever can move has moved when the clock of an idle runtime moves on.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let taken = MESSAGES - ready(&broker, "q");
    assert!(taken > 0, "some are on their way");
    assert!(taken * BODY <= 4 * 1024 * 1024, "{taken} messages were taken out of the queue");

    go.send(()).unwrap();
    for _ in 0..MESSAGES {
        soon(consumer.next()).await.unwrap().unwrap().ack().await.unwrap();
    }
    soon(broker.until(|state| state.queue("/", "q").is_some_and(|queue| queue.ready + queue.unacknowledged == 0)))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_holds_nobody_up_and_can_be_dropped() {
    let broker = Broker::new();
    let (_connection, channel) = fill(&broker).await;
    let (stuck, _go) = stalled(&broker).await;
    let _consumer = stuck.open_channel().await.unwrap().consume("q").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;

    // Others work on.
    let mut got = 0;
    while let Some(delivery) = soon(channel.get("q")).await.unwrap() {
        delivery.ack().await.unwrap();
        got += 1;
    }
    assert!(got > MESSAGES / 2, "{got} were left");

    // The one that is stuck has the rest, and loses it with its transport.
    assert_eq!(ready(&broker, "q"), 0);
    let id = broker.state().connections().last().unwrap().id;
    broker.state().inject(Target::Connection(id), Fault::Drop);
    soon(broker.until(|state| state.queue("/", "q").is_some_and(|queue| queue.ready == MESSAGES - got))).await;
    soon(broker.until(|state| state.connections().len() == 1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_blocked_publisher_is_not_read_and_goes_on_when_it_is_unblocked() {
    let broker = Broker::new();
    let (connection, channel) = open(&broker).await;
    channel.queue_declare("q").await.unwrap();
    let publisher = channel.confirm_select().await.unwrap();
    broker.state().block("low on memory");
    let confirm = publisher.publish("", "q", "x").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(connection.blocked().as_deref(), Some("low on memory"));
    broker.state().unblock();
    soon(confirm).await.unwrap();
    assert_eq!(connection.blocked(), None);
}

#[tokio::test(start_paused = true)]
async fn what_a_blocked_client_says_waits_in_its_transport() {
    let broker = Broker::new();
    let mut client = by_hand(&broker).open_channel().await;
    broker.state().block("low on memory");
    // It publishes, to nobody, and is not read from the header of the content on.
    client.send(1, basic::Publish::default().routing_key("q")).await;
    client.send_header(1, 1).await;
    soon(broker.until(|state| state.connections().iter().any(|connection| connection.blocked))).await;
    let more = client.send_octets(&[0; 1024 * 1024]);
    assert!(tokio::time::timeout(Duration::from_secs(1), more).await.is_err(), "a megabyte was taken");
}

#[tokio::test(start_paused = true)]
async fn output_that_is_cut_arrives_up_to_there_and_no_further() {
    let broker = Broker::new();
    broker.state().inject(Target::Next, Fault::CutOutput(100));
    let mut stream = broker.connect();
    stream.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
    let mut said = Vec::new();
    soon(stream.read_to_end(&mut said)).await.unwrap();
    assert_eq!(said.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn input_that_is_cut_is_a_lost_connection_in_the_middle_of_a_frame() {
    let broker = Broker::new();
    broker.state().inject(Target::Next, Fault::CutInput(20));
    let error = soon(Connection::open_on(broker.connect(), "amqp://localhost")).await.err().unwrap();
    assert_ne!(error.initiator(), Some(Initiator::Client), "{error}");
    soon(broker.until(|state| state.connections().is_empty())).await;
}
