//! Handles and channel numbers over a loss.

use leveret::{ChannelState, ConnectionParameters, Error, ErrorKind, Recovery};

use super::{World, long, recovery, settle};
use crate::soon;

// R2
#[tokio::test(start_paused = true)]
async fn channels_keep_their_numbers_and_new_ones_get_free_numbers() {
    let world = World::new().await;
    let two = soon(world.connection.open_channel()).await.unwrap();
    let three = soon(world.connection.open_channel()).await.unwrap();
    soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
    soon(two.close()).await.unwrap();
    drop(two);
    world.lose().await;
    settle().await;
    assert_eq!((world.channel.number(), three.number()), (1, 3));
    assert_eq!(world.broker.state().connections()[0].channels, [1, 3], "the private channel is gone");
    let new = soon(world.connection.open_channel()).await.unwrap();
    soon(new.queue_declare("other").exclusive(true)).await.unwrap();
    assert_ne!(new.number(), 3);
    drop((new, three));
    world.finish().await;
}

// R32
#[tokio::test(start_paused = true)]
async fn one_number_is_kept_free_to_declare_what_the_broker_lost() {
    let parameters = ConnectionParameters::default().recovery(Recovery::Topology).channel_max(3);
    let world = World::with(parameters).await;
    let other = soon(world.connection.open_channel()).await.unwrap();
    let error = soon(world.connection.open_channel()).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelsExhausted);
    assert!(error.to_string().contains("2"), "{error}");
    soon(other.queue_declare("mine").exclusive(true)).await.unwrap();
    let mut consumer = soon(other.consume("mine")).await.unwrap();
    let mut events = world.connection.events();
    world.cut();
    assert!(recovery(&mut events).await.is_empty());
    soon(other.publish("", "mine", "work")).await.unwrap();
    soon(consumer.try_next()).await.unwrap().unwrap().ack().await.unwrap();
    drop((consumer, other, events));
    world.finish().await;
}

// R2, R32: the only number is in use.
#[tokio::test(start_paused = true)]
async fn with_one_number_the_channel_comes_back_with_its_consumer() {
    let parameters = ConnectionParameters::default().recovery(Recovery::Topology).channel_max(1);
    let world = World::with(parameters).await;
    let other = world.channel.clone();
    soon(other.queue_declare("jobs").durable(true)).await.unwrap();
    let mut consumer = soon(other.consume("jobs")).await.unwrap();
    for _ in 0..3 {
        let mut events = world.connection.events();
        world.cut();
        let failed: Vec<(_, Error)> = recovery(&mut events).await;
        assert!(failed.iter().all(|(_, error)| error.kind() == ErrorKind::ChannelsExhausted));
        settle().await;
        assert_eq!((world.channel.state(), other.state()), (ChannelState::Open, ChannelState::Open));
        soon(world.channel.publish("", "jobs", "work")).await.unwrap();
        soon(consumer.try_next()).await.unwrap().unwrap().ack().await.unwrap();
    }
    let error = soon(world.connection.open_channel()).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelsExhausted);
    drop((consumer, other));
    world.finish().await;
}

// R2: channels that are opened while down count, too.
#[tokio::test(start_paused = true)]
async fn channels_that_are_opened_while_down_are_limited_like_others() {
    let parameters = ConnectionParameters::default().recovery(Recovery::Topology).channel_max(3);
    let world = World::with(parameters).await;
    world.cut_off();
    settle().await;
    let opening = tokio::spawn({
        let connection = world.connection.clone();
        async move { connection.open_channel().await }
    });
    settle().await;
    let error = soon(world.connection.open_channel()).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelsExhausted);
    world.reach();
    let second = long(opening).await.unwrap().unwrap();
    assert_eq!(second.number(), 2);
    drop(second);
    world.finish().await;
}
