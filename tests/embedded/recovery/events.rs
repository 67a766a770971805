//! What is reported of a loss and a recovery, and in which order.

use leveret::{ChannelEvent, ConnectionEvent};
use tokio::time::sleep;

use super::{World, long, settle};
use crate::soon;

fn name(event: &ConnectionEvent) -> &'static str {
    match event {
        ConnectionEvent::Lost { .. } => "lost",
        ConnectionEvent::Reconnecting { .. } => "reconnecting",
        ConnectionEvent::ReconnectFailed { .. } => "failed",
        ConnectionEvent::QueueRenamed { .. } => "renamed",
        ConnectionEvent::Recovered { .. } => "recovered",
        other => panic!("{other:?}"),
    }
}

// R36
#[tokio::test(start_paused = true)]
async fn events_are_in_order_and_each_outage_has_one_loss_and_one_recovery() {
    let world = World::new().await;
    soon(world.channel.queue_declare("").exclusive(true)).await.unwrap();
    let mut events = world.connection.events();
    world.cut_off();
    sleep(std::time::Duration::from_secs(20)).await;
    world.reach();
    let mut told = Vec::new();
    while told.last() != Some(&"recovered") {
        told.push(name(&long(events.next()).await.unwrap()));
    }
    assert_eq!(told.first(), Some(&"lost"));
    let inner = &told[1..told.len() - 2];
    assert!(
        inner.chunks(2).all(|pair| pair[0] == "reconnecting" && pair.get(1).is_none_or(|it| *it == "failed")),
        "{told:?}"
    );
    assert!(inner.len() >= 3 && inner.last() == Some(&"reconnecting"), "{told:?}");
    assert_eq!(told[told.len() - 2..], ["renamed", "recovered"]);
    drop(events);
    world.finish().await;
}

// R36: nobody has to take the events.
#[tokio::test(start_paused = true)]
async fn events_that_are_not_taken_hold_up_nothing() {
    let world = World::new().await;
    let (mut events, mut of_channel) = (world.connection.events(), world.channel.events());
    for _ in 0..400 {
        world.lose().await;
    }
    assert!(events.lost() > 0, "there were more than 1024");
    let mut last = None;
    while let Ok(Some(event)) = tokio::time::timeout(std::time::Duration::ZERO, events.next()).await {
        last = Some(name(&event));
    }
    assert_eq!(last, Some("recovered"));
    assert!(matches!(soon(of_channel.next()).await, Some(ChannelEvent::Lost)));
    drop((events, of_channel));
    world.finish().await;
}

// R36
#[tokio::test(start_paused = true)]
async fn a_channel_reports_its_loss_its_recovery_and_its_consumers() {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let consumer = soon(world.channel.consume("jobs").consumer_tag("mine")).await.unwrap();
    let mut events = world.channel.events();
    world.lose().await;
    assert!(matches!(soon(events.next()).await, Some(ChannelEvent::Lost)));
    assert!(matches!(soon(events.next()).await, Some(ChannelEvent::Recovered)));
    assert!(matches!(soon(events.next()).await, Some(ChannelEvent::ConsumerRecovered(tag)) if tag == *"mine"));
    settle().await;
    drop((consumer, events));
    world.finish().await;
}

// R7
#[tokio::test(start_paused = true)]
async fn the_loss_says_what_it_cost() {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher = soon(soon(world.connection.open_channel()).await.unwrap().confirm_select()).await.unwrap();
    world.broker.state().hold_next(<leveret::protocol::basic::Publish as leveret::protocol::ProtocolMethod>::ID);
    let confirms = [
        soon(publisher.publish("", "jobs", "one")).await.unwrap(),
        soon(publisher.publish("", "jobs", "two")).await.unwrap(),
    ];
    settle().await;
    let mut events = world.connection.events();
    world.cut();
    match soon(events.next()).await {
        Some(ConnectionEvent::Lost { unknown, unsent_octets, .. }) => assert_eq!((unknown, unsent_octets), (2, 0)),
        other => panic!("{other:?}"),
    }
    for confirm in confirms {
        assert!(soon(confirm).await.unwrap_err().is_unknown());
    }
    long(world.connection.recovered()).await.unwrap();
    drop((publisher, events));
    world.finish().await;
}
