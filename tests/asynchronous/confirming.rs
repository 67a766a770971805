//! Publishing with confirms: who hears of the broker's decisions, and for how long they are waited
//! for.

use std::time::Duration;

use leveret::asynchronous::{Confirmed, Publish, PublishKind};
use leveret::protocol::{basic, channel, confirm, connection};
use leveret::wire::ShortString;
use leveret::{Confirm, Connection, ErrorKind, Properties, Publisher, Requeue};
use leveret_test_support::Peer;

use super::client::{Connect as _, parameters};
use super::steps::publisher;

const CAPACITY: usize = 64 * 1024;

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_for_confirms_gives_up_its_place_to_the_next_who_waits() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let publisher = publisher(&channel, &mut peer).await;
    drop(publisher.publish("", "q", "refused").await.unwrap());
    let first = tokio::time::timeout(Duration::from_secs(1), publisher.wait_for_confirms()).await;
    assert!(first.is_err(), "nothing is decided yet");
    let refuse = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        peer.send(1, basic::Nack::default().delivery_tag(1)).await;
    };
    let (second, ()) = tokio::join!(publisher.wait_for_confirms(), refuse);
    let error = second.expect_err("it waits when the broker decides, and nobody else does");
    assert_eq!((error.kind(), error.settled().map(|settled| settled.nacked)), (ErrorKind::Nacked, Some(1)));
    publisher.wait_for_confirms().await.expect("it is told once");
    assert!(publisher.settled().await.unwrap().is_clean());
}

/// Opens a channel, publishes on it, and gives back nothing but the confirm.
async fn publish_and_go(connection: Connection) -> Confirm {
    let channel = connection.open_channel().await.unwrap();
    let publisher = channel.confirm_select().await.unwrap();
    publisher.publish("", "q", "x").await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_confirm_that_outlives_all_other_handles_still_gets_its_ack() {
    let (connection, mut peer) = Peer::connect(CAPACITY, parameters()).await;
    let open = async {
        peer.open_channel(1).await;
        peer.expect::<confirm::Select>(1).await;
        peer.send(1, confirm::SelectOk::default()).await;
        peer.expect_publish(1).await;
    };
    let (confirm, ()) = tokio::join!(publish_and_go(connection), open);
    peer.expect_silence().await;
    peer.send(1, basic::Ack::default().delivery_tag(1)).await;
    confirm.await.unwrap();
    peer.expect::<channel::Close>(1).await;
    peer.expect::<connection::Close>(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_does_not_wait_gives_a_confirm_or_backpressure() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let publisher = publisher(&channel, &mut peer).await;
    let confirm = publisher.publish("", "q", "goes").try_publish().unwrap();
    assert_eq!(peer.expect_publish(1).await.body, b"goes");
    peer.send(0, connection::Blocked::default().reason("low on memory")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let refused = publisher.publish("", "q", "refused").try_publish().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Backpressure);
    assert!(refused.is_not_sent() && refused.is_retryable());
    assert_eq!(connection.unconfirmed(), 1, "what was refused takes no number");
    peer.send(1, basic::Ack::default().delivery_tag(1)).await;
    confirm.await.unwrap();
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn names_may_be_of_any_type_and_of_any_octets() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let names = [&b"name"[..], &[0xFF, 0x00, 0xFE]];
    for octets in names {
        let declared = ShortString::from(octets);
        channel.publish(&declared, &declared, "x").await.unwrap();
        channel.publish(octets, octets, "x").await.unwrap();
        for _ in 0..2 {
            let published = peer.expect_publish(1).await.publish;
            assert_eq!((published.exchange.as_bytes(), published.routing_key.as_bytes()), (octets, octets));
        }
    }
    let publisher = publisher(&channel, &mut peer).await;
    let text = String::from("name");
    drop(publisher.publish(&text, text.as_str(), "x").await.unwrap());
    let published = peer.expect_publish(1).await.publish;
    assert_eq!((published.exchange, published.routing_key), (ShortString::from("name"), ShortString::from("name")));
    let unsendable = [0xFF; 256];
    assert_eq!(publisher.publish("", &unsendable, "x").await.unwrap_err().kind(), ErrorKind::Encode);
}

#[tokio::test(start_paused = true)]
async fn a_plain_publish_on_a_confirming_channel_is_refused_because_nobody_would_hear_of_a_nack() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let publisher = publisher(&channel, &mut peer).await;
    for refused in [channel.publish("", "q", "x").await, channel.publish("", "q", "x").try_publish()] {
        let error = refused.unwrap_err();
        assert!(error.kind() == ErrorKind::Usage && error.is_not_sent() && error.hint().is_some(), "{error:?}");
    }
    peer.expect_silence().await;
    drop(publisher.publish("", "q", "x").await.unwrap());
    peer.expect_publish(1).await;
}

#[tokio::test(start_paused = true)]
async fn publishes_can_be_collected_returned_and_spawned() {
    /// Returned from where its names and its body were made.
    fn job(publisher: &Publisher, number: usize) -> Publish<'_, Confirmed> {
        let (queue, body) = (format!("jobs.{number}"), format!("job {number}"));
        publisher.publish("", queue, body).properties(Properties::default().persistent(true))
    }

    /// Whether it is confirmed is the caller's.
    async fn passed_on<K: PublishKind>(publish: Publish<'_, K>) -> leveret::Result<K::Output> {
        publish.mandatory(false).await
    }

    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    passed_on(channel.publish("", "plain", "x")).await.unwrap();
    assert_eq!(peer.expect_publish(1).await.publish.routing_key, "plain");
    let publisher = publisher(&channel, &mut peer).await;
    let collected: Vec<_> = (0..2).map(|number| job(&publisher, number)).collect();
    let mut confirms = Vec::new();
    for publish in collected {
        confirms.push(passed_on(publish).await.unwrap());
    }
    let spawned = tokio::spawn(publisher.publish("", "spawned", "x").into_owned().confirmed());
    for queue in ["jobs.0", "jobs.1", "spawned"] {
        let published = peer.expect_publish(1).await;
        assert_eq!(published.publish.routing_key, queue);
        assert_eq!(published.properties.is_persistent(), queue != "spawned");
    }
    peer.send(1, basic::Ack::default().delivery_tag(3).multiple(true)).await;
    for confirm in confirms {
        confirm.await.unwrap();
    }
    spawned.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_names_and_properties_of_a_delivery_republish_as_they_are() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let script = async {
        peer.expect::<basic::Get>(1).await;
        let odd = ShortString::from(&[0xFF, 0xFE]);
        let got = basic::GetOk::default().delivery_tag(1).exchange(odd.clone()).routing_key(&odd).message_count(4);
        peer.send_content(1, got, b"x").await;
        odd
    };
    let (got, odd) = tokio::join!(channel.get("q").into_future(), script);
    let got = got.unwrap().unwrap();
    assert_eq!((got.message_count(), got.consumer_tag().is_empty()), (4, true));
    let publish = channel.publish(got.exchange(), got.routing_key(), got.body());
    publish.properties(got.properties().unwrap()).await.unwrap();
    let published = peer.expect_publish(1).await;
    assert_eq!((&published.publish.exchange, &published.publish.routing_key), (&odd, &odd));
    assert_eq!((&published.properties, &published.body[..]), (got.properties().unwrap(), &b"x"[..]));
    let (message, acker) = got.into_delivery().into_parts();
    assert_eq!((message.body(), acker.delivery_tag()), (&b"x"[..], 1));
    acker.nack(Requeue::No).await.unwrap();
    assert_eq!(peer.expect::<basic::Nack>(1).await, basic::Nack::default().delivery_tag(1));
}
