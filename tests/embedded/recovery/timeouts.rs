//! Steps of a recovery that the broker does not answer.

use std::time::Duration;

use leveret::protocol::{ProtocolMethod, basic, channel, confirm, queue};
use leveret::{ConnectionEvent, ConnectionParameters, Recovery};
use tokio::time::{Instant, sleep};

use super::{World, long, settle};
use crate::soon;

/// A world in which calls are answered within five seconds.
async fn world() -> World {
    let parameters = ConnectionParameters::default().recovery(Recovery::Topology);
    World::with(parameters.call_timeout(Duration::from_secs(5))).await
}

// R34
#[tokio::test(start_paused = true)]
async fn a_step_that_is_not_answered_in_time_is_made_on_another_transport() {
    for held in [channel::Open::ID, queue::Declare::ID, queue::Bind::ID, confirm::Select::ID, basic::Consume::ID] {
        let world = world().await;
        let other = soon(world.connection.open_channel()).await.unwrap();
        let publisher = soon(other.confirm_select()).await.unwrap();
        soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
        soon(world.channel.queue_bind("mine", "amq.topic", "a")).await.unwrap();
        let mut consumer = soon(world.channel.consume("mine").consumer_tag("mine")).await.unwrap();
        world.broker.state().hold_next(held);
        let mut events = world.connection.events();
        world.cut();
        let began = Instant::now();
        let mut losses = 0;
        while losses < 2 {
            match long(events.next()).await.unwrap() {
                ConnectionEvent::Lost { .. } => losses += 1,
                ConnectionEvent::Closed(error) => panic!("{error}"),
                _ => {}
            }
        }
        assert!((5..8).contains(&began.elapsed().as_secs()), "{:?} {:?}", held, began.elapsed());
        sleep(Duration::from_secs(60)).await;
        long(world.connection.recovered()).await.unwrap();
        settle().await;
        let consumers = world.broker.state().consumers("/");
        assert_eq!(consumers.len(), 1, "there is no consumer of a lost transport: {consumers:?}");
        assert_eq!(world.broker.state().connections().len(), 1);
        soon(publisher.publish("amq.topic", "a", "work").confirmed()).await.unwrap();
        soon(consumer.try_next()).await.unwrap().unwrap().ack().await.unwrap();
        drop((events, consumer, publisher, other));
        world.finish().await;
    }
}

// R34: consumers of which the consume is not answered twice are set aside, and end.
#[tokio::test(start_paused = true)]
async fn a_consume_that_is_never_answered_does_not_keep_the_connection_from_recovering() {
    let world = world().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let mut consumer = soon(world.channel.consume("jobs")).await.unwrap();
    for _ in 0..50 {
        world.broker.state().hold_next(basic::Consume::ID);
    }
    world.cut();
    let error = long(consumer.next()).await.unwrap().unwrap_err();
    assert!(!error.is_requested(), "{error:?}");
    sleep(Duration::from_secs(30)).await;
    assert!(world.connection.is_open());
    let generation = world.connection.generation();
    sleep(Duration::from_secs(300)).await;
    assert_eq!(world.connection.generation(), generation, "it is stable");
    drop(consumer);
    world.finish().await;
}
