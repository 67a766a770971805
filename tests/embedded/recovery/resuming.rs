//! Consumers whose queue is deleted, and which go on.

use std::time::Duration;

use leveret::broker::{Permissions, Scope};
use leveret::protocol::{ProtocolMethod, queue};
use leveret::{ErrorKind, ReplyCode};

use super::{World, long, recovery, settle};
use crate::soon;

// R20
#[tokio::test(start_paused = true)]
async fn a_consumer_that_resumes_gets_its_queue_and_bindings_back() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.queue_declare("mine").durable(true)).await.unwrap();
    soon(channel.queue_bind("mine", "amq.topic", "a.*")).await.unwrap();
    let mut consumer = soon(channel.consume("mine").consumer_tag("tag").resume_when_cancelled(true)).await.unwrap();
    for round in 0..3 {
        assert!(world.broker.state().delete_queue("/", "mine"));
        settle().await;
        soon(channel.publish("amq.topic", "a.b", format!("round {round}"))).await.unwrap();
        let delivery = long(consumer.try_next()).await.unwrap().unwrap();
        assert_eq!(delivery.body(), format!("round {round}").as_bytes());
        soon(delivery.ack()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(consumer.consumer_tag(), "tag");
    drop(consumer);
    world.finish().await;
}

// R20
#[tokio::test(start_paused = true)]
async fn it_is_tried_again_with_pauses_while_the_broker_refuses_the_queue() {
    let world = World::new().await;
    soon(world.channel.queue_declare("mine")).await.unwrap();
    let mut consumer = soon(world.channel.consume("mine").resume_when_cancelled(true)).await.unwrap();
    // Each try asks whether it is there, and declares it.
    for code in [ReplyCode::NOT_FOUND, ReplyCode::RESOURCE_LOCKED, ReplyCode::NOT_FOUND, ReplyCode::ACCESS_REFUSED] {
        let text = if code == ReplyCode::NOT_FOUND { "no queue 'mine' in vhost '/'" } else { "not now" };
        world.broker.state().fail_next(queue::Declare::ID, Scope::Channel, code, text);
    }
    assert!(world.broker.state().delete_queue("/", "mine"));
    tokio::time::sleep(Duration::from_secs(120)).await;
    soon(world.channel.publish("", "mine", "work")).await.unwrap();
    soon(long(consumer.try_next()).await.unwrap().unwrap().ack()).await.unwrap();
    drop(consumer);
    world.finish().await;
}

// R20
#[tokio::test(start_paused = true)]
async fn without_it_or_without_its_queue_in_the_record_it_ends() {
    for (resumes, recorded) in [(false, true), (true, false)] {
        let world = World::new().await;
        soon(world.channel.queue_declare("mine").recorded(recorded)).await.unwrap();
        let consume = world.channel.consume("mine").resume_when_cancelled(resumes);
        let mut consumer = soon(consume).await.unwrap();
        assert!(world.broker.state().delete_queue("/", "mine"));
        let error = long(consumer.try_next()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConsumerCancelled);
        assert!(world.broker.state().queue("/", "mine").is_none());
        drop(consumer);
        world.finish().await;
    }
}

// R19: what the application has deleted stays away.
#[tokio::test(start_paused = true)]
async fn a_queue_that_the_application_deletes_is_not_declared_again() {
    let world = World::new().await;
    soon(world.channel.queue_declare("mine")).await.unwrap();
    let mut consumer = soon(world.channel.consume("mine").resume_when_cancelled(true)).await.unwrap();
    soon(world.channel.queue_delete("mine")).await.unwrap();
    assert_eq!(long(consumer.try_next()).await.unwrap_err().kind(), ErrorKind::ConsumerCancelled);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(world.broker.state().queue("/", "mine").is_none());
    drop(consumer);
    world.finish().await;
}

// Found on a broker: the cancel that answers the broker's was taken for one of the program's.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_cancelled_just_before_its_connection_is_closed_comes_back() {
    for resumes in [true, false] {
        let world = World::new().await;
        soon(world.channel.queue_declare("mine").durable(true)).await.unwrap();
        let consume = world.channel.consume("mine").consumer_tag("tag").resume_when_cancelled(resumes);
        let mut consumer = soon(consume).await.unwrap();
        let mut events = world.connection.events();
        // It deletes the queue, and closes the connection at once.
        world.broker.state().delete_virtual_host("/");
        settle().await;
        world.broker.state().add_virtual_host("/");
        world.broker.state().set_permissions("guest", "/", Permissions::all());
        assert!(recovery(&mut events).await.is_empty());
        soon(world.channel.publish("", "mine", "work")).await.unwrap();
        let delivery = soon(consumer.try_next()).await.unwrap().expect("it goes on");
        assert_eq!(delivery.consumer_tag(), "tag");
        soon(delivery.ack()).await.unwrap();
        drop((consumer, events));
        world.finish().await;
    }
}
