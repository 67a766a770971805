//! What was declared, after the broker lost it.

use std::time::Duration;

use leveret::protocol::{ProtocolMethod, basic};
use tokio::time::sleep;

use super::{World, long, recovery, settle};
use crate::soon;

#[tokio::test(start_paused = true)]
async fn exclusive_queues_bindings_and_consumers_come_back() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.exchange_declare("events", "topic").auto_delete(true)).await.unwrap();
    soon(channel.queue_declare("mine").exclusive(true)).await.unwrap();
    soon(channel.queue_bind("mine", "events", "a.*")).await.unwrap();
    let mut consumer = soon(channel.consume("mine").prefetch(7).consumer_tag("tag")).await.unwrap();
    let before = (world.broker.state().bindings("/"), world.broker.state().exchanges("/"));
    world.lose().await;
    settle().await;
    assert_eq!((world.broker.state().bindings("/"), world.broker.state().exchanges("/")), before);
    let consumers = world.broker.state().consumers("/");
    assert_eq!(consumers.len(), 1);
    assert_eq!(consumers[0].tag, "tag");
    soon(channel.publish("events", "a.b", "news")).await.unwrap();
    let delivery = soon(consumer.try_next()).await.unwrap().unwrap();
    assert_eq!(delivery.body(), b"news");
    soon(delivery.ack()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_the_broker_named_has_one_name_at_a_time_over_three_losses() {
    let world = World::new().await;
    let channel = &world.channel;
    let queue = soon(channel.queue_declare("").exclusive(true)).await.unwrap().queue;
    soon(channel.queue_bind("", "amq.fanout", "")).await.unwrap();
    let mut consumer = soon(channel.consume("")).await.unwrap();
    for round in 0..3 {
        world.lose().await;
        settle().await;
        let queues = world.broker.state().queues("/");
        assert_eq!(queues.len(), 1, "{queues:?}");
        assert_ne!(queues[0].name, queue);
        soon(channel.publish("amq.fanout", "", format!("round {round}"))).await.unwrap();
        let delivery = soon(consumer.try_next()).await.unwrap().unwrap();
        assert_eq!(delivery.body(), format!("round {round}").as_bytes());
        soon(delivery.ack()).await.unwrap();
        // The empty name goes on to mean it.
        soon(channel.queue_purge("")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_does_not_come_back() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.queue_declare("kept").exclusive(true)).await.unwrap();
    soon(channel.queue_declare("gone").exclusive(true)).await.unwrap();
    soon(channel.queue_delete("gone")).await.unwrap();
    let mut consumer = soon(channel.consume("kept")).await.unwrap();
    soon(consumer.cancel()).await.unwrap();
    world.lose().await;
    settle().await;
    assert!(world.broker.state().queue("/", "gone").is_none());
    assert!(world.broker.state().queue("/", "kept").is_some());
    assert!(world.broker.state().consumers("/").is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_consumers_of_a_channel_keep_their_prefetches() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.queue_declare("jobs").durable(true)).await.unwrap();
    let _first = soon(channel.consume("jobs").prefetch(10).consumer_tag("first")).await.unwrap();
    let _second = soon(channel.consume("jobs").prefetch(1).consumer_tag("second")).await.unwrap();
    world.lose().await;
    settle().await;
    for _ in 0..20 {
        soon(channel.publish("", "jobs", "work")).await.unwrap();
    }
    settle().await;
    assert_eq!(world.broker.state().queue("/", "jobs").unwrap().unacknowledged, 11);
    long(world.connection.close()).await.unwrap();
}

// Bug 41 of the peers: a consumer whose queue's node is down for a while was gone for good.
#[tokio::test(start_paused = true)]
async fn a_consumer_whose_queue_goes_down_comes_back_with_the_queue() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.queue_declare("jobs").durable(true)).await.unwrap();
    let mut consumer = soon(channel.consume("jobs")).await.unwrap();
    world.broker.state().set_queue_down("/", "jobs", true);
    assert!(tokio::time::timeout(Duration::from_secs(100), consumer.next()).await.is_err());
    world.broker.state().set_queue_down("/", "jobs", false);
    soon(channel.publish("", "jobs", "work")).await.unwrap();
    let delivery = long(consumer.try_next()).await.unwrap().unwrap();
    assert_eq!(delivery.body(), b"work");
    soon(delivery.ack()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_consumer_whose_queue_is_deleted_ends() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.queue_declare("jobs").durable(true)).await.unwrap();
    let mut consumer = soon(channel.consume("jobs")).await.unwrap();
    world.broker.state().delete_queue("/", "jobs");
    let error = soon(consumer.try_next()).await.unwrap_err();
    assert_eq!(error.kind(), leveret::ErrorKind::ConsumerCancelled);
    assert!(soon(consumer.try_next()).await.unwrap().is_none());
    assert!(channel.is_open(), "only the client's own question was refused");
}

#[tokio::test(start_paused = true)]
async fn a_filter_decides_what_comes_back_and_a_consumer_that_does_not_ends() {
    let parameters =
        leveret::ConnectionParameters::default().recovery(leveret::Recovery::Topology).recovery_filter(|recorded| {
            let named = |name: &leveret::ShortString| name == "scratch" || name == "ended";
            match recorded.entity() {
                leveret::Entity::Queue(name) => !named(&name),
                leveret::Entity::Consumer { tag, .. } => !named(&tag),
                _ => true,
            }
        });
    let world = World::with(parameters).await;
    let channel = &world.channel;
    soon(channel.queue_declare("scratch").exclusive(true)).await.unwrap();
    soon(channel.queue_declare("kept").exclusive(true)).await.unwrap();
    let mut ended = soon(channel.consume("kept").consumer_tag("ended")).await.unwrap();
    let _kept = soon(channel.consume("kept").consumer_tag("kept")).await.unwrap();
    world.lose().await;
    settle().await;
    assert!(world.broker.state().queue("/", "scratch").is_none());
    assert_eq!(world.broker.state().consumers("/").len(), 1);
    assert_eq!(soon(ended.try_next()).await.unwrap_err().kind(), leveret::ErrorKind::ConnectionClosed);
    assert!(soon(ended.try_next()).await.unwrap().is_none());
}

// Found by the simulation (seed 1726).
#[tokio::test(start_paused = true)]
async fn a_consumer_whose_queue_is_gone_after_the_loss_ends_and_is_reported() {
    let world = World::new().await;
    let other = soon(leveret::Connection::open_on(world.broker.connect(), "amqp://localhost")).await.unwrap();
    let foreign = soon(other.open_channel()).await.unwrap();
    soon(foreign.queue_declare("foreign").exclusive(false)).await.unwrap();
    let mut consumer = soon(world.channel.consume("foreign")).await.unwrap();
    let mut events = world.connection.events();
    world.cut_off();
    world.broker.state().delete_queue("/", "foreign");
    settle().await;
    world.reach();
    let entity = loop {
        match long(events.next()).await.unwrap() {
            leveret::ConnectionEvent::EntityFailed(entity, error) => break (entity, error.reply_code()),
            leveret::ConnectionEvent::Closed(error) => panic!("{error}"),
            _ => {}
        }
    };
    assert!(matches!(entity, (leveret::Entity::Consumer { .. }, Some(leveret::ReplyCode::NOT_FOUND))), "{entity:?}");
    assert!(soon(consumer.try_next()).await.unwrap_err().is_not_found());
    assert!(world.channel.is_open());
}

// Found by the simulation (seed 4009).
#[tokio::test(start_paused = true)]
async fn a_refused_request_of_the_application_closes_its_channel_while_consumers_start_again() {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let mut consumer = soon(world.channel.consume("jobs")).await.unwrap();
    world.cut_off();
    settle().await;
    let channel = world.channel.clone();
    let refused = tokio::spawn(async move { channel.consume("missing").await.map(drop) });
    settle().await;
    world.reach();
    assert!(long(refused).await.unwrap().unwrap_err().is_not_found());
    assert!(!world.channel.is_open());
    assert!(long(consumer.try_next()).await.is_err());
    assert!(world.connection.is_open());
}

// Found by the simulation (seed 4135).
#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_dropped_while_it_starts_again_is_gone() {
    for turns in 0..20 {
        let world = World::new().await;
        soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
        let consumer = soon(world.channel.consume("jobs").consumer_tag("tag")).await.unwrap();
        let connection = world.broker.state().connections()[0].id;
        assert!(world.broker.state().cancel_consumer(connection, 1, "tag", true));
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        let World { broker, connection, channel, .. } = world;
        let leftovers = connection.leftovers();
        drop((consumer, channel, connection));
        settle().await;
        assert!(broker.state().consumers("/").is_empty(), "after {turns} turns");
        let (left, waiters) = leftovers().expect("it has ended");
        assert!(left.without_handles().is_empty(), "{left} after {turns} turns");
        assert_eq!(waiters, 0, "after {turns} turns");
        assert!(!left.to_string().contains("consumers"), "{left} after {turns} turns");
    }
}

// Found by the simulation (seed 239159): the consumer was neither started nor ended.
#[tokio::test(start_paused = true)]
async fn a_consumer_whose_queue_is_deleted_before_it_starts_again_ends() {
    let world = World::new().await;
    let other = soon(world.connection.open_channel()).await.unwrap();
    soon(world.channel.queue_declare("jobs").durable(true).recorded(false)).await.unwrap();
    let mut consumer = soon(world.channel.consume("jobs")).await.unwrap();
    world.cut_off();
    settle().await;
    let deleting = tokio::spawn(async move { other.queue_delete("jobs").await });
    settle().await;
    world.reach();
    long(deleting).await.unwrap().unwrap();
    let error = soon(consumer.try_next()).await.unwrap_err();
    assert_eq!(error.kind(), leveret::ErrorKind::ConsumerCancelled);
    drop(consumer);
    world.finish().await;
}

// Found by the simulation (seed 298944): why a channel ended that no handle has was kept.
#[tokio::test(start_paused = true)]
async fn a_loss_while_a_queue_is_asked_for_leaves_nothing_wherever_it_is() {
    for octets in 1..200 {
        let world = World::new().await;
        soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
        let consumer = soon(world.channel.consume("jobs").consumer_tag("tag")).await.unwrap();
        let mut events = world.connection.events();
        world.broker.state().inject(leveret::broker::Target::All, leveret::broker::Fault::CutOutput(octets));
        assert!(world.broker.state().delete_queue("/", "jobs"));
        settle().await;
        // Where the cut has not been reached.
        world.cut();
        recovery(&mut events).await;
        settle().await;
        drop((consumer, events));
        world.finish().await;
    }
}

// Found by the simulation (seed 121586): the consumer that goes on was started twice, and ended.
#[tokio::test(start_paused = true)]
async fn a_consumer_goes_on_although_another_one_of_its_channel_is_dropped_before_it_starts_again() {
    let world = World::new().await;
    // The queue is checked before its consumers start, because others declared it.
    let others = soon(leveret::Connection::open_on(world.broker.connect(), "amqp://localhost")).await.unwrap();
    let channel = soon(others.open_channel()).await.unwrap();
    soon(channel.queue_declare("jobs").durable(true)).await.unwrap();
    drop((channel, others));
    let mut goes_on = soon(world.channel.consume("jobs").consumer_tag("goes on")).await.unwrap();
    let dropped = soon(world.channel.consume("jobs").consumer_tag("dropped")).await.unwrap();
    assert!(world.broker.state().set_queue_down("/", "jobs", true));
    world.lose().await;
    world.broker.state().hold_next(<basic::Cancel as ProtocolMethod>::ID);
    drop(dropped);
    settle().await;
    world.broker.state().set_queue_down("/", "jobs", false);
    sleep(Duration::from_secs(60)).await;
    world.broker.state().release_held();
    let consumers = world.broker.state().consumers("/");
    assert_eq!(consumers.iter().map(|consumer| consumer.tag.to_string()).collect::<Vec<_>>(), ["goes on"]);
    soon(world.channel.publish("", "jobs", "work")).await.unwrap();
    assert!(soon(goes_on.try_next()).await.unwrap().is_some(), "it goes on");
    drop(goes_on);
    world.finish().await;
}

// Found by the simulation (seed 533): a close of the private channel with 200 refuses as well.
#[tokio::test(start_paused = true)]
async fn a_declaration_that_is_refused_with_any_code_is_reported_and_the_others_come_back() {
    for code in [leveret::ReplyCode::REPLY_SUCCESS, leveret::ReplyCode::ACCESS_REFUSED] {
        let world = World::new().await;
        let channel = &world.channel;
        soon(channel.queue_declare("refused").exclusive(true)).await.unwrap();
        soon(channel.queue_declare("kept").exclusive(true)).await.unwrap();
        let mut events = world.connection.events();
        let declare = <leveret::protocol::queue::Declare as ProtocolMethod>::ID;
        world.broker.state().fail_next(declare, leveret::broker::Scope::Channel, code, "refused");
        world.cut();
        let failed = loop {
            match long(events.next()).await.unwrap() {
                leveret::ConnectionEvent::Recovered { failed, .. } => break failed,
                leveret::ConnectionEvent::Closed(error) => panic!("{error}"),
                _ => {}
            }
        };
        let failed: Vec<_> =
            failed.into_iter().map(|(entity, error)| (entity.to_string(), error.reply_code())).collect();
        assert_eq!(failed, [("the queue refused".to_owned(), Some(code))]);
        assert!(world.broker.state().queue("/", "kept").is_some());
        soon(world.connection.close()).await.unwrap();
    }
}

// R32: the channel on which the topology is declared needs a number.
#[tokio::test(start_paused = true)]
async fn without_a_free_channel_number_what_cannot_be_declared_is_reported() {
    let parameters = leveret::ConnectionParameters::default().recovery(leveret::Recovery::Topology).channel_max(1);
    let world = World::with(parameters).await;
    soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
    let mut events = world.connection.events();
    world.cut();
    let failed = loop {
        match long(events.next()).await.unwrap() {
            leveret::ConnectionEvent::Recovered { failed, .. } => break failed,
            leveret::ConnectionEvent::Closed(error) => panic!("{error}"),
            _ => {}
        }
    };
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].1.kind(), leveret::ErrorKind::ChannelsExhausted);
    assert!(world.channel.is_open());
    soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
}

// Found on a broker: the question after a cancelled consumer's queue ended the close beside it.
#[tokio::test(start_paused = true)]
async fn a_close_beside_a_cancelled_consumer_is_polite() {
    for turns in 0..20 {
        let world = World::new().await;
        soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
        let mut consumer = soon(world.channel.consume("jobs")).await.unwrap();
        world.broker.state().delete_queue("/", "jobs");
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        soon(world.connection.close()).await.unwrap();
        assert!(world.connection.closed_by().unwrap().is_requested(), "after {turns} turns");
        let ended = soon(consumer.next()).await;
        let cancelled = leveret::ErrorKind::ConsumerCancelled;
        assert!(ended.is_none_or(|end| end.is_err_and(|error| error.kind() == cancelled)), "after {turns} turns");
    }
}
