//! Recovery of the connection alone, and the modes of channels.

use leveret::broker::{Fault, Target};
use leveret::{ChannelState, ConnectionEvent, ConnectionParameters, Recovery, ReplyCode};

use super::{World, long, settle};
use crate::{ready, soon};

// R37
#[tokio::test(start_paused = true)]
async fn without_the_topology_channels_come_back_and_entities_and_consumers_do_not() {
    let world = World::with(ConnectionParameters::default().recovery(Recovery::Connection)).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
    let publisher = soon(soon(world.connection.open_channel()).await.unwrap().confirm_select()).await.unwrap();
    let mut consumer = soon(world.channel.consume("jobs")).await.unwrap();
    assert!(world.connection.topology().is_empty());
    world.lose().await;
    settle().await;
    assert!(soon(consumer.next()).await.unwrap().is_err(), "it ends with the loss");
    assert!(world.broker.state().queue("/", "mine").is_none());
    assert!(world.broker.state().consumers("/").is_empty());
    soon(publisher.publish("", "jobs", "after").confirmed()).await.unwrap();
    let mut again = soon(world.channel.consume("jobs")).await.unwrap();
    soon(again.try_next()).await.unwrap().unwrap().ack().await.unwrap();
    assert_eq!(world.broker.state().connections()[0].channels, [1, 2]);
    drop((publisher, consumer, again));
    world.finish().await;
}

// R38
#[tokio::test(start_paused = true)]
async fn a_channel_that_an_error_closed_is_not_revived_by_a_later_loss() {
    for recovery in [Recovery::Connection, Recovery::Topology] {
        let world = World::with(ConnectionParameters::default().recovery(recovery)).await;
        let other = soon(world.connection.open_channel()).await.unwrap();
        soon(other.queue_declare("mine").exclusive(true)).await.unwrap();
        let mut consumer = soon(other.consume("mine")).await.unwrap();
        let error = soon(other.queue_declare("nothing").passive(true)).await.unwrap_err();
        assert!(error.is_not_found());
        assert!(soon(consumer.next()).await.unwrap().is_err());
        world.lose().await;
        settle().await;
        assert_eq!(other.state(), ChannelState::Closed);
        assert_eq!(other.closed_by().unwrap().reply_code(), Some(ReplyCode::NOT_FOUND));
        assert_eq!(world.broker.state().connections()[0].channels, [1]);
        assert!(world.broker.state().consumers("/").is_empty());
        let is_there = world.broker.state().queue("/", "mine").is_some();
        assert_eq!(is_there, recovery == Recovery::Topology, "the queue belongs to the connection");
        drop((other, consumer));
        world.finish().await;
    }
}

// R25: a loss at every byte of the next transport, in both directions.
#[tokio::test(start_paused = true)]
async fn a_loss_at_any_byte_of_the_replay_voids_it_and_the_same_outage_goes_on() {
    for fault in [Fault::CutInput as fn(u64) -> Fault, Fault::CutOutput] {
        let mut octets = 0;
        while lost_again(fault(octets)).await {
            octets += 3;
            assert!(octets < 10_000);
        }
        assert!(octets > 500, "{octets}");
    }
}

/// Loses the connection, and the next one by this fault. Returns whether the fault was reached.
async fn lost_again(fault: Fault) -> bool {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let queue = soon(world.channel.queue_declare("").exclusive(true)).await.unwrap().queue;
    soon(world.channel.queue_bind("", "amq.topic", "a")).await.unwrap();
    let mut mine = soon(world.channel.consume("").prefetch(3).consumer_tag("mine")).await.unwrap();
    let other = soon(world.connection.open_channel()).await.unwrap();
    let mut jobs = soon(other.consume("jobs").consumer_tag("jobs")).await.unwrap();
    let publisher = soon(soon(world.connection.open_channel()).await.unwrap().confirm_select()).await.unwrap();
    world.broker.state().inject(Target::Next, fault);
    let mut events = world.connection.events();
    world.cut();
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    long(world.connection.recovered()).await.unwrap();
    settle().await;
    let mut attempts = 0;
    while let Ok(Some(event)) = tokio::time::timeout(std::time::Duration::ZERO, events.next()).await {
        match event {
            ConnectionEvent::Reconnecting { .. } => attempts += 1,
            ConnectionEvent::Recovered { failed, .. } => assert!(failed.is_empty(), "{failed:?}"),
            ConnectionEvent::Closed(error) => panic!("{error}"),
            _ => {}
        }
    }
    let again = attempts > 1;
    // Another loss ends a fault that was not reached.
    world.lose().await;
    settle().await;
    let queues = world.broker.state().queues("/");
    assert_eq!(queues.len(), 2, "{queues:?}");
    assert!(queues.iter().all(|it| it.name != queue));
    let mut tags: Vec<_> = world.broker.state().consumers("/").iter().map(|it| it.tag.to_string()).collect();
    tags.sort();
    assert_eq!(tags, ["jobs", "mine"]);
    assert_eq!(world.broker.state().connections().len(), 1);
    soon(publisher.publish("amq.topic", "a", "news").confirmed()).await.unwrap();
    soon(publisher.publish("", "jobs", "work").confirmed()).await.unwrap();
    soon(mine.try_next()).await.unwrap().unwrap().ack().await.unwrap();
    soon(jobs.try_next()).await.unwrap().unwrap().ack().await.unwrap();
    settle().await;
    assert_eq!(ready(&world.broker, "jobs"), 0);
    drop((mine, jobs, other, publisher, events));
    world.finish().await;
    again
}

// R14
#[tokio::test(start_paused = true)]
async fn direct_reply_to_works_again_after_a_loss() {
    use leveret::protocol::basic::Properties;
    let world = World::new().await;
    soon(world.channel.queue_declare("requests").durable(true)).await.unwrap();
    let mut replies = soon(world.channel.consume("amq.rabbitmq.reply-to").no_ack(true)).await.unwrap();
    let server = soon(world.connection.open_channel()).await.unwrap();
    let mut requests = soon(server.consume("requests").no_ack(true)).await.unwrap();
    for _ in 0..3 {
        world.lose().await;
        let request = Properties::default().reply_to("amq.rabbitmq.reply-to");
        soon(world.channel.publish("", "requests", "question").properties(request)).await.unwrap();
        let question = soon(requests.try_next()).await.unwrap().unwrap();
        let to = question.properties().unwrap().reply_to.clone().unwrap();
        soon(server.publish("", to, "answer")).await.unwrap();
        assert_eq!(soon(replies.try_next()).await.unwrap().unwrap().body(), b"answer");
    }
    drop((replies, requests, server));
    world.finish().await;
}
