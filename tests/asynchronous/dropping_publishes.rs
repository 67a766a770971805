//! Publishes and confirms that are dropped at every point of their way.

use std::time::Duration;

use leveret::protocol::{basic, channel, connection};
use leveret_test_support::Peer;
use leveret_test_support::attention::{Attention, drop_after, in_turn};

use super::client::{Connect as _, parameters};
use super::dropping::{TURNS, World, drop_at_every_point, settle};
use super::steps::publisher;

#[tokio::test(start_paused = true)]
async fn publish_through_an_open_gate() {
    drop_at_every_point!(|world| world.channel.publish("", "q", "body"), |world, _published| {
        assert_eq!(world.heard.count("basic.publish"), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn publish_that_yields() {
    drop_at_every_point!(|world| world.channel.publish("", "q", vec![0; 100_000]), |world, _published| {
        assert_eq!(world.heard.count("basic.publish"), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn publish_that_waits_at_the_gate() {
    drop_at_every_point!(
        |world| async {
            // The mark is below one message: the second one has to wait.
            world.channel.publish("", "q", vec![0; 100]).await.unwrap();
            world.channel.publish("", "q", vec![0; 100]).await
        },
        |world, published| {
            let count = world.heard.count("basic.publish");
            // The message is published in its turn, whether or not the future is polled again
            // before it is dropped.
            assert!(if published.is_some() { count == 2 } else { (1..=2).contains(&count) });
        }
    );
}

#[tokio::test(start_paused = true)]
async fn confirmed_publish() {
    drop_at_every_point!(|world| world.publisher.publish("", "q", "body").confirmed(), |world, _confirmed| {
        assert_eq!(world.heard.count("basic.publish"), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn confirmed_publish_that_waits_at_the_gate() {
    drop_at_every_point!(
        |world| async {
            let first = world.publisher.publish("", "q", "first").await.unwrap();
            world.publisher.publish("", "q", "second").confirmed().await.unwrap();
            first.await
        },
        |world, confirmed| {
            let count = world.heard.count("basic.publish");
            assert!(if confirmed.is_some() { count == 2 } else { (1..=2).contains(&count) });
        }
    );
}

#[tokio::test(start_paused = true)]
async fn confirm_and_wait_for_confirms() {
    drop_at_every_point!(
        |world| async {
            let confirm = world.publisher.publish("", "q", "body").await.unwrap();
            world.publisher.wait_for_confirms().await.unwrap();
            confirm.await
        },
        |world, _confirmed| assert_eq!(world.heard.count("basic.publish"), 1)
    );
}

#[tokio::test(start_paused = true)]
async fn confirm_select() {
    drop_at_every_point!(|world| world.channel.confirm_select(), |world, _selected| {
        // Whether it was waited for or not, publishes count from here on.
        let publisher = world.channel.confirm_select().await.unwrap();
        publisher.publish("", "q", "counted").confirmed().await.unwrap();
    });
}

#[tokio::test(start_paused = true)]
async fn a_confirm_keeps_its_channel_open_until_the_broker_has_decided() {
    let (connection, channel, mut peer) = Peer::connect_channel(64 * 1024, parameters()).await;
    let publisher = publisher(&channel, &mut peer).await;
    let decided = publisher.publish("", "q", "x").await.unwrap();
    let undecided = publisher.publish("", "q", "x").await.unwrap();
    drop((publisher, channel, connection));
    peer.expect_publish(1).await;
    peer.expect_publish(1).await;
    peer.expect_silence().await;
    peer.send(1, basic::Ack::default().delivery_tag(1)).await;
    decided.await.unwrap();
    peer.expect_silence().await;
    drop(undecided);
    peer.expect::<channel::Close>(1).await;
    peer.expect::<connection::Close>(0).await;
    peer.send(1, channel::CloseOk::default()).await;
    peer.send(0, connection::CloseOk::default()).await;
    peer.expect_end().await;
}
