//! What a program's steps look like on the wire, and what the handles promise at compile time.

use std::pin::Pin;

use futures_core::Stream;
use leveret::protocol::{basic, channel, confirm, connection, exchange, queue, tx};
use leveret::{
    Channel, Confirm, Connection, ConnectionParameters, Consumer, Credentials, Delivery, Error, ErrorKind, FieldTable,
    Properties, Publisher, Returns,
};
use leveret_test_support::{Peer, start};

use super::client::{Connect as _, parameters};

const CAPACITY: usize = 64 * 1024;

#[tokio::test(start_paused = true)]
async fn the_first_program_speaks_exactly_these_frames() {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let program = async {
        let connection = Connection::open_on(transport, parameters()).await?;
        let channel = connection.open_channel().await?;
        channel.queue_declare("hello").durable(true).await?;
        channel.publish("", "hello", "Hello, world!").await?;
        let mut consumer = channel.consume("hello").await?;
        let delivery = consumer.try_next().await?.expect("a delivery");
        assert_eq!((delivery.body(), delivery.delivery_tag()), (&b"Hello, world!"[..], 1));
        delivery.ack().await?;
        connection.close().await
    };
    let script = async {
        peer.shake_hands().await;
        peer.open_channel(1).await;
        let declare = peer.expect::<queue::Declare>(1).await;
        assert_eq!(declare, queue::Declare::default().queue("hello").durable(true));
        peer.send(1, queue::DeclareOk::default().queue("hello")).await;
        let published = peer.expect_publish(1).await;
        assert_eq!(published.publish, basic::Publish::default().routing_key("hello"));
        assert_eq!(published.body, b"Hello, world!");
        let consume = peer.expect::<basic::Consume>(1).await;
        assert_eq!(consume, basic::Consume::default().queue("hello"));
        peer.send(1, basic::ConsumeOk::default().consumer_tag("ctag")).await;
        let deliver = basic::Deliver::default().consumer_tag("ctag").delivery_tag(1).routing_key("hello");
        peer.send_content(1, deliver, b"Hello, world!").await;
        assert_eq!(peer.expect::<basic::Ack>(1).await, basic::Ack::default().delivery_tag(1));
        peer.agree_to_close().await;
    };
    let (done, ()) = tokio::join!(program, script);
    done.unwrap();
}

#[tokio::test(start_paused = true)]
async fn friendly_methods_write_the_methods_of_their_names() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let arguments: FieldTable = [("x-max-length", 5)].into_iter().collect();
    let client = async {
        channel.exchange_declare("logs", "topic").durable(true).await?;
        channel.queue_bind("q", "logs", "kern.*").arguments(arguments.clone()).await?;
        channel.basic_qos().prefetch_count(100).await?;
        channel.tx_select().await?;
        channel.queue_purge("q").await
    };
    let script = async {
        let declare = peer.expect::<exchange::Declare>(1).await;
        assert_eq!(declare, exchange::Declare::default().exchange("logs").kind("topic").durable(true));
        peer.send(1, exchange::DeclareOk::default()).await;
        let bind = queue::Bind::default().queue("q").exchange("logs").routing_key("kern.*");
        assert_eq!(peer.expect::<queue::Bind>(1).await, bind.arguments(arguments.clone()));
        peer.send(1, queue::BindOk::default()).await;
        assert_eq!(peer.expect::<basic::Qos>(1).await, basic::Qos::default().prefetch_count(100));
        peer.send(1, basic::QosOk::default()).await;
        peer.expect::<tx::Select>(1).await;
        peer.send(1, tx::SelectOk::default()).await;
        assert_eq!(peer.expect::<queue::Purge>(1).await, queue::Purge::default().queue("q"));
        peer.send(1, queue::PurgeOk::default().message_count(7)).await;
    };
    let (purged, ()) = tokio::join!(client, script);
    assert_eq!(purged.unwrap().message_count, 7);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nothing_would_answer_cannot_be_called() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let error = channel.call(queue::Declare::default().queue("q").no_wait(true)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.is_not_sent() && !error.is_unknown());
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_answer_nobody_would_take_cannot_be_sent() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let error = channel.send(queue::Declare::default().queue("q")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let error = channel.send(basic::Consume::default().queue("q").no_wait(true)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "a consumer without a tag could never be found");
    peer.expect_silence().await;
    channel.send(queue::Declare::default().queue("q").no_wait(true)).await.unwrap();
    assert!(peer.expect::<queue::Declare>(1).await.no_wait);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_is_a_stream_that_ends_when_it_is_cancelled() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let script = async {
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
        for delivery_tag in 1..=3 {
            let deliver = basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag);
            peer.send_content(1, deliver, b"x").await;
        }
        peer.expect::<basic::Cancel>(1).await;
        peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
    };
    let client = async {
        let mut consumer = channel.consume("q").await.unwrap();
        assert_eq!(item(&mut consumer).await, Some(1));
        consumer.cancel().await.unwrap();
        assert_eq!([item(&mut consumer).await, item(&mut consumer).await], [Some(2), Some(3)]);
        assert_eq!([item(&mut consumer).await, item(&mut consumer).await], [None, None]);
    };
    tokio::join!(client, script);
}

/// The delivery tag of the next item, by way of `Stream`.
async fn item(consumer: &mut Consumer) -> Option<u64> {
    let next = std::future::poll_fn(|context| Pin::new(&mut *consumer).poll_next(context)).await;
    next.map(|delivery| delivery.expect("a delivery").delivery_tag())
}

#[tokio::test(start_paused = true)]
async fn a_plain_publish_is_refused_from_the_moment_that_the_channel_asks_for_confirms() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let clone = channel.clone();
    let selecting = tokio::spawn(async move { clone.confirm_select().await });
    peer.expect::<confirm::Select>(1).await;
    // The broker counts what follows the select, before it answers.
    let refused = channel.publish("", "q", "after select, before select-ok").await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Usage && refused.is_not_sent(), "{refused}");
    peer.send(1, confirm::SelectOk::default()).await;
    let publisher = selecting.await.unwrap().unwrap();
    let script = async {
        assert_eq!(peer.expect_publish(1).await.body, b"first");
        peer.send(1, basic::Ack::default().delivery_tag(1)).await;
    };
    let (confirmed, ()) = tokio::join!(publisher.publish("", "q", "first").confirmed(), script);
    confirmed.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_has_a_handle_cannot_be_taken_again() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let script = async {
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
    };
    let (consumer, ()) = tokio::join!(channel.consume("q").consumer_tag("c").into_future(), script);
    let _consumer = consumer.unwrap();
    assert!(channel.consumer("c").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_dropped_leaves_its_tag_to_the_next_one_at_once() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let deliver = |delivery_tag| basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag);
    let script = async {
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
        peer.expect::<basic::Cancel>(1).await;
        peer.expect::<basic::Consume>(1).await;
        peer.send_content(1, deliver(1), b"for the first").await;
        peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
        peer.send_content(1, deliver(2), b"for the second").await;
        assert_eq!(peer.expect::<basic::Nack>(1).await, basic::Nack::default().delivery_tag(1).requeue(true));
    };
    let client = async {
        drop(channel.consume("q").consumer_tag("c").await.unwrap());
        let mut consumer = channel.consume("q").consumer_tag("c").await.unwrap();
        assert_eq!(item(&mut consumer).await, Some(2));
        consumer
    };
    tokio::join!(client, script);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_was_called_for_is_taken_by_its_tag_once() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    channel.send(basic::Consume::default().queue("q").consumer_tag("mine").no_wait(true)).await.unwrap();
    peer.expect::<basic::Consume>(1).await;
    peer.send_content(1, basic::Deliver::default().consumer_tag("mine").delivery_tag(1), b"x").await;
    let mut consumer = channel.consumer("mine").expect("nobody has taken it");
    assert!(channel.consumer("mine").is_none());
    assert_eq!(item(&mut consumer).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn deliveries_that_cross_a_cancel_that_nobody_waits_for_are_handed_out_and_then_the_stream_ends() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    channel.send(basic::Consume::default().queue("q").consumer_tag("c").no_wait(true)).await.unwrap();
    let mut consumer = channel.consumer("c").unwrap();
    channel.send(basic::Cancel::default().consumer_tag("c").no_wait(true)).await.unwrap();
    peer.expect::<basic::Consume>(1).await;
    let cancel = peer.expect::<basic::Cancel>(1).await;
    assert!(!cancel.no_wait, "only the answer tells which delivery is the last");
    peer.send_content(1, basic::Deliver::default().consumer_tag("c").delivery_tag(1), b"x").await;
    peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
    assert_eq!([item(&mut consumer).await, item(&mut consumer).await], [Some(1), None]);
    assert!(channel.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_dropped_gives_back_what_it_has_not_handed_out() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    channel.send(basic::Consume::default().queue("q").consumer_tag("c").no_wait(true)).await.unwrap();
    peer.expect::<basic::Consume>(1).await;
    let mut consumer = channel.consumer("c").unwrap();
    for delivery_tag in 1..=3 {
        peer.send_content(1, basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag), b"x").await;
    }
    let handed_out = consumer.next().await.unwrap().unwrap();
    drop(consumer);
    handed_out.ack().await.unwrap();
    assert_eq!(peer.expect::<basic::Cancel>(1).await.consumer_tag, "c");
    assert_eq!(peer.expect::<basic::Ack>(1).await, basic::Ack::default().delivery_tag(1));
    peer.send(1, basic::CancelOk::default().consumer_tag("c")).await;
    let both = basic::Nack::default().delivery_tag(3).multiple(true).requeue(true);
    assert_eq!(peer.expect::<basic::Nack>(1).await, both);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_closes_channel_and_connection_in_the_background() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    channel.publish("", "q", "last words").await.unwrap();
    // Long after the connection was opened, in the virtual time that the runtime keeps.
    tokio::time::advance(std::time::Duration::from_secs(3600)).await;
    drop((connection, channel));
    assert_eq!(peer.expect_publish(1).await.body, b"last words");
    peer.expect::<channel::Close>(1).await;
    let close = peer.expect::<connection::Close>(0).await;
    assert_eq!(close.reply_code, leveret::ReplyCode::REPLY_SUCCESS);
    peer.expect_silence().await;
    peer.send(1, channel::CloseOk::default()).await;
    peer.send(0, connection::CloseOk::default()).await;
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn debug_shows_no_secrets() {
    let secret = "hunter2";
    let parameters = parameters().credentials(Credentials::plain("user", secret));
    let (connection, channel, _peer) = Peer::connect_channel(CAPACITY, parameters.clone()).await;
    let properties = Properties::default().content_type("text/plain");
    let publish = channel.publish("", "q", "body").properties(&properties);
    let shown = format!("{parameters:?} {connection:?} {channel:?} {publish:?} {:?}", channel.consume("q"));
    assert!(!shown.contains(secret), "{shown}");
    let (transport, mut peer) = Peer::new(CAPACITY);
    let refuse = async {
        peer.expect_protocol_header().await;
        peer.send(0, start("EXTERNAL")).await;
    };
    let (refused, ()) = tokio::join!(Connection::open_on(transport, parameters), refuse);
    let error = refused.unwrap_err();
    assert!(!format!("{error:?} {error}").contains(secret));
}

/// Never called: that it compiles is the test.
#[allow(dead_code, reason = "that it compiles is the test")]
fn handles_and_futures_go_anywhere(connection: &Connection, channel: &Channel, publisher: &Publisher) {
    fn handle<T: Clone + Send + Sync + 'static>() {}
    fn value<T: Send + Sync + 'static>() {}
    fn future<F: IntoFuture>(_: F)
    where
        F::IntoFuture: Send,
    {
    }
    handle::<Connection>();
    handle::<Channel>();
    handle::<Publisher>();
    handle::<Error>();
    value::<Consumer>();
    value::<Delivery>();
    value::<Returns>();
    value::<Confirm>();
    future(Connection::open("amqp://localhost"));
    future(Connection::open(ConnectionParameters::default()));
    future(connection.open_channel());
    future(connection.close());
    future(channel.close());
    future(channel.call(queue::Declare::default()));
    future(channel.send(basic::Ack::default()));
    future(channel.queue_declare("q"));
    future(channel.publish("", "q", "body"));
    future(channel.confirm_select());
    future(channel.consume("q"));
    future(channel.get("q"));
    future(publisher.publish("", "q", "body"));
    future(publisher.publish("", "q", "body").confirmed());
    future(publisher.wait_for_confirms());
    future(publisher.settled());
    let of_values = |mut consumer: Consumer, delivery: Delivery, mut returns: Returns, confirm: Confirm| {
        future(consumer.next());
        future(consumer.cancel());
        future(delivery.ack());
        future(returns.next());
        future(confirm);
    };
    let _ = of_values;
}
