//! Channels, calls, confirms and deliveries over a loss.

use leveret::{ConnectionEvent, ConnectionState, Error, ErrorKind};

use super::{World, long, settle};
use crate::{ready, soon};

#[tokio::test(start_paused = true)]
async fn a_channel_goes_on_with_its_handle_after_a_loss() {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    world.lose().await;
    assert!(world.connection.is_open() && world.channel.is_open());
    soon(world.channel.publish("", "jobs", "after")).await.unwrap();
    soon(world.channel.queue_declare("jobs").passive(true)).await.unwrap();
    assert_eq!(ready(&world.broker, "jobs"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_told_in_order() {
    let world = World::new().await;
    let mut events = world.connection.events();
    world.cut();
    let mut told = Vec::new();
    while told.last() != Some(&"recovered") {
        told.push(match long(events.next()).await {
            Some(ConnectionEvent::Lost { cause, unknown: 0, .. }) if cause.kind() == ErrorKind::ConnectionClosed => {
                "lost"
            }
            Some(ConnectionEvent::Reconnecting { attempt: 1, .. }) => "reconnecting",
            Some(ConnectionEvent::Recovered { .. }) => "recovered",
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(told, ["lost", "reconnecting", "recovered"]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_confirms_confirms_again_from_one() {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher = soon(world.channel.confirm_select()).await.unwrap();
    for _ in 0..3 {
        soon(publisher.publish("", "jobs", "before").confirmed()).await.unwrap();
    }
    world.lose().await;
    for _ in 0..3 {
        soon(publisher.publish("", "jobs", "after").confirmed()).await.unwrap();
    }
    assert_eq!(ready(&world.broker, "jobs"), 6);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_from_before_the_loss_is_stale_and_comes_again() {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    soon(world.channel.publish("", "jobs", "work")).await.unwrap();
    let mut consumer = soon(world.channel.consume("jobs")).await.unwrap();
    let stale = soon(consumer.try_next()).await.unwrap().unwrap();
    assert!(!stale.is_stale() && !stale.is_redelivered());
    world.lose().await;
    assert!(stale.is_stale());
    let again = soon(consumer.try_next()).await.unwrap().unwrap();
    assert!(again.is_redelivered() && !again.is_stale());
    assert_eq!(again.delivery_tag(), stale.delivery_tag(), "tags begin again");
    let error: Error = soon(stale.ack()).await.unwrap_err();
    assert!(error.is_stale_delivery() && error.is_not_sent());
    soon(again.ack()).await.unwrap();
    settle().await;
    assert_eq!(ready(&world.broker, "jobs"), 0);
    assert_eq!(world.broker.state().queue("/", "jobs").unwrap().unacknowledged, 0);
}

#[tokio::test(start_paused = true)]
async fn a_close_while_down_wins() {
    let world = World::new().await;
    world.cut_off();
    settle().await;
    assert_eq!(world.connection.state(), ConnectionState::Recovering);
    assert!(world.connection.is_recovering() && !world.connection.is_open());
    soon(world.connection.close()).await.unwrap();
    assert_eq!(world.connection.state(), ConnectionState::Closed);
    world.reach();
    tokio::time::sleep(std::time::Duration::from_secs(120)).await;
    assert!(world.broker.state().connections().is_empty());
}
