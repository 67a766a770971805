//! What the program does not want back after a loss.

use leveret::broker::BindingDestination;
use leveret::{ConnectionParameters, ErrorKind, Recovery};

use super::{World, settle};
use crate::soon;

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_not_recorded_stays_away() {
    let world = World::new().await;
    soon(world.channel.queue_declare("mine").exclusive(true).recorded(false)).await.unwrap();
    soon(world.channel.queue_declare("kept").exclusive(true).recorded(true)).await.unwrap();
    world.lose().await;
    settle().await;
    assert!(world.broker.state().queue("/", "mine").is_none());
    assert!(world.broker.state().queue("/", "kept").is_some());
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_is_not_recorded_stays_away() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.queue_declare("own").exclusive(true)).await.unwrap();
    // They go with their last binding, which goes with the queue.
    soon(channel.exchange_declare("mine", "fanout").auto_delete(true).recorded(false)).await.unwrap();
    soon(channel.exchange_declare("kept", "fanout").auto_delete(true)).await.unwrap();
    soon(channel.queue_bind("own", "mine", "").recorded(false)).await.unwrap();
    soon(channel.queue_bind("own", "kept", "")).await.unwrap();
    world.lose().await;
    settle().await;
    let exchanges = world.broker.state().exchanges("/");
    assert!(!exchanges.iter().any(|exchange| exchange.name == "mine"));
    assert!(exchanges.iter().any(|exchange| exchange.name == "kept"));
}

#[tokio::test(start_paused = true)]
async fn a_binding_of_a_queue_that_is_not_recorded_stays_away() {
    let world = World::new().await;
    soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
    soon(world.channel.queue_bind("mine", "amq.topic", "kept")).await.unwrap();
    let before = world.broker.state().bindings("/").len();
    soon(world.channel.queue_bind("mine", "amq.topic", "dropped").recorded(false)).await.unwrap();
    world.lose().await;
    settle().await;
    assert_eq!(world.broker.state().bindings("/").len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_binding_of_an_exchange_that_is_not_recorded_stays_away() {
    let world = World::new().await;
    // It goes with its last binding, so that bindings to it are lost with the connection.
    soon(world.channel.exchange_declare("mine", "fanout").auto_delete(true)).await.unwrap();
    soon(world.channel.queue_declare("own").exclusive(true)).await.unwrap();
    soon(world.channel.queue_bind("own", "mine", "")).await.unwrap();
    soon(world.channel.exchange_bind("mine", "amq.topic", "kept")).await.unwrap();
    let before = world.broker.state().bindings("/");
    soon(world.channel.exchange_bind("mine", "amq.topic", "dropped").recorded(false)).await.unwrap();
    assert_eq!(world.broker.state().bindings("/").len(), before.len() + 1);
    world.lose().await;
    settle().await;
    assert_eq!(world.broker.state().bindings("/"), before);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_not_recorded_ends_with_the_loss() {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let mut ended = soon(world.channel.consume("jobs").consumer_tag("ended").recorded(false)).await.unwrap();
    let _kept = soon(world.channel.consume("jobs").consumer_tag("kept")).await.unwrap();
    assert_eq!(world.connection.topology().consumers().count(), 1);
    world.lose().await;
    settle().await;
    assert_eq!(soon(ended.try_next()).await.unwrap_err().kind(), ErrorKind::ConnectionClosed);
    assert!(soon(ended.try_next()).await.unwrap().is_none());
    let consumers = world.broker.state().consumers("/");
    assert_eq!(consumers.iter().map(|consumer| consumer.tag.to_string()).collect::<Vec<_>>(), ["kept"]);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_not_recorded_keeps_its_auto_delete_queue_while_it_runs() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.queue_declare("passing").auto_delete(true)).await.unwrap();
    let mut first = soon(channel.consume("passing").recorded(false)).await.unwrap();
    let mut second = soon(channel.consume("passing")).await.unwrap();
    soon(second.cancel()).await.unwrap();
    assert_eq!(world.connection.topology().queues().count(), 1, "the first still keeps it");
    // The loss ended it, and not the program.
    world.lose().await;
    settle().await;
    assert!(soon(first.try_next()).await.is_err());
    assert_eq!(world.connection.topology().queues().count(), 1);
    assert!(world.broker.state().queue("/", "passing").is_some());
    let mut last = soon(channel.consume("passing").recorded(false)).await.unwrap();
    soon(last.cancel()).await.unwrap();
    assert_eq!(world.connection.topology().queues().count(), 0, "the program ended the last one");
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_the_recovery_keep_their_wish() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.queue_declare("jobs").durable(true)).await.unwrap();
    world.cut_off();
    settle().await;
    let waiting = async {
        tokio::join!(
            channel.queue_declare("mine").exclusive(true).recorded(false).into_future(),
            channel.consume("jobs").recorded(false).into_future(),
        )
    };
    let reach = async {
        settle().await;
        world.reach();
    };
    let ((declared, consumer), ()) = super::long(async { tokio::join!(waiting, reach) }).await;
    declared.unwrap();
    let mut consumer = consumer.unwrap();
    world.lose().await;
    settle().await;
    assert!(world.broker.state().queue("/", "mine").is_none());
    assert!(soon(consumer.try_next()).await.is_err());
    assert!(world.broker.state().consumers("/").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_empty_name_means_the_latest_queue_although_it_is_not_recorded() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.queue_declare("first").durable(true)).await.unwrap();
    let second = soon(channel.queue_declare("").exclusive(true).recorded(false)).await.unwrap().queue;
    soon(channel.queue_bind("", "amq.fanout", "").recorded(false)).await.unwrap();
    let bindings = world.broker.state().bindings("/");
    assert!(
        bindings.iter().any(|binding| binding.source == "amq.fanout"
            && binding.destination == BindingDestination::Queue(second.clone()))
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_recorded_topology_the_wish_changes_nothing() {
    let world = World::with(ConnectionParameters::default().recovery(Recovery::Connection)).await;
    let channel = &world.channel;
    soon(channel.queue_declare("mine").durable(true).recorded(false)).await.unwrap();
    let mut consumer = soon(channel.consume("mine").recorded(true)).await.unwrap();
    world.lose().await;
    settle().await;
    assert!(soon(consumer.try_next()).await.is_err());
    assert!(world.broker.state().queue("/", "mine").is_some());
}
