//! What the broker refuses while it is asked for what it lost.

use std::time::Duration;

use leveret::broker::Scope;
use leveret::protocol::{ProtocolMethod, basic, exchange, queue};
use leveret::{ConnectionEvent, Consumer, Delivery, Entity, ReplyCode};
use tokio::time::{Instant, sleep, timeout};

use super::{World, long, recovery, settle};
use crate::soon;

const HOME_NODE: &str = "NOT_FOUND - home node 'rabbit@b' of durable queue 'jobs' in vhost '/' is down or inaccessible";
const IN_USE: &str = "ACCESS_REFUSED - queue 'jobs' in vhost '/' in exclusive use";
const LOCKED: &str = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'";
const ABSENT: &str = "NOT_FOUND - no queue 'jobs' in vhost '/'";

/// A world with a queue of which a consumer was started.
async fn world() -> (World, Consumer) {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let consumer = soon(world.channel.consume("jobs").consumer_tag("mine")).await.unwrap();
    (world, consumer)
}

fn refuse_consume(world: &World, code: ReplyCode, text: &str) {
    world.broker.state().fail_next(basic::Consume::ID, Scope::Channel, code, text);
}

async fn next(world: &World, consumer: &mut Consumer) -> Delivery {
    soon(world.channel.publish("", "jobs", "work")).await.unwrap();
    soon(consumer.try_next()).await.unwrap().unwrap()
}

// R33
#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_refused_for_a_reason_that_passes_stays_open_and_runs_later() {
    for (code, text) in [(ReplyCode::ACCESS_REFUSED, IN_USE), (ReplyCode::NOT_FOUND, HOME_NODE)] {
        let (world, mut consumer) = world().await;
        let mut events = world.connection.events();
        for _ in 0..4 {
            refuse_consume(&world, code, text);
        }
        world.cut();
        assert!(recovery(&mut events).await.is_empty());
        let mut failures = 0;
        loop {
            match long(events.next()).await.unwrap() {
                ConnectionEvent::EntityFailed(Entity::Consumer { .. }, error) => {
                    assert_eq!(error.reply_code(), Some(code));
                    failures += 1;
                }
                ConnectionEvent::EntityRecovered(Entity::Consumer { .. }) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(failures >= 1, "it is reported");
        next(&world, &mut consumer).await.ack().await.unwrap();
        drop((consumer, events));
        world.finish().await;
    }
}

// R33
#[tokio::test(start_paused = true)]
async fn a_consumer_that_another_one_keeps_out_for_long_ends() {
    let (world, mut consumer) = world().await;
    for _ in 0..1000 {
        refuse_consume(&world, ReplyCode::ACCESS_REFUSED, IN_USE);
    }
    world.cut();
    let began = Instant::now();
    let error = timeout(Duration::from_secs(3600), consumer.next()).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error.reply_code(), Some(ReplyCode::ACCESS_REFUSED));
    let heartbeat = u64::from(world.connection.negotiated().heartbeat);
    let after = began.elapsed().as_secs();
    assert!((2 * heartbeat..=5 * heartbeat).contains(&after), "{after} s");
    assert!(world.channel.is_open());
    drop(consumer);
    world.finish().await;
}

// R33
#[tokio::test(start_paused = true)]
async fn a_consumer_whose_queue_is_on_a_node_that_is_down_waits_without_end() {
    let (world, mut consumer) = world().await;
    for _ in 0..100_000 {
        refuse_consume(&world, ReplyCode::NOT_FOUND, HOME_NODE);
    }
    world.cut();
    assert!(timeout(Duration::from_secs(14 * 3600), consumer.next()).await.is_err(), "it is silent and open");
    assert!(world.connection.is_open() && world.channel.is_open());
    drop(consumer);
    sleep(Duration::from_secs(60)).await;
    world.finish().await;
}

// R33: the queue is declared again before its consumer ends.
#[tokio::test(start_paused = true)]
async fn a_consumer_whose_queue_is_absent_gets_it_again() {
    let (world, mut consumer) = world().await;
    refuse_consume(&world, ReplyCode::NOT_FOUND, ABSENT);
    world.lose().await;
    sleep(Duration::from_secs(60)).await;
    next(&world, &mut consumer).await.ack().await.unwrap();
    drop(consumer);
    world.finish().await;
}

// R33
#[tokio::test(start_paused = true)]
async fn a_consumer_whose_queue_stays_absent_ends_with_that_error() {
    let (world, mut consumer) = world().await;
    for _ in 0..2 {
        refuse_consume(&world, ReplyCode::NOT_FOUND, ABSENT);
    }
    world.lose().await;
    let error = soon(consumer.next()).await.unwrap().unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    drop(consumer);
    world.finish().await;
}

// R33: other refusals are final, and concern nobody else.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_may_not_consume_any_more_ends_and_its_neighbours_go_on() {
    let (world, mut consumer) = world().await;
    soon(world.channel.queue_declare("other").durable(true)).await.unwrap();
    let mut other = soon(world.channel.consume("other").consumer_tag("other")).await.unwrap();
    let text = "ACCESS_REFUSED - access to queue 'jobs' in vhost '/' refused for user 'guest'";
    refuse_consume(&world, ReplyCode::ACCESS_REFUSED, text);
    world.lose().await;
    let error = soon(consumer.next()).await.unwrap().unwrap_err();
    assert!(error.is_access_refused(), "{error:?}");
    soon(world.channel.publish("", "other", "work")).await.unwrap();
    soon(other.try_next()).await.unwrap().unwrap().ack().await.unwrap();
    assert_eq!(world.connection.topology().consumers().count(), 1, "it is not tried at the next loss");
    drop((consumer, other));
    world.finish().await;
}

// R33: our own lost connection holds the exclusive queue until the broker finds it lost.
#[tokio::test(start_paused = true)]
async fn an_exclusive_queue_that_is_locked_is_declared_again_until_it_is_free() {
    let world = World::new().await;
    soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
    soon(world.channel.queue_bind("mine", "amq.topic", "a")).await.unwrap();
    let mut consumer = soon(world.channel.consume("mine")).await.unwrap();
    for _ in 0..5 {
        world.broker.state().fail_next(queue::Declare::ID, Scope::Channel, ReplyCode::RESOURCE_LOCKED, LOCKED);
    }
    world.cut();
    long(world.connection.recovered()).await.unwrap();
    settle().await;
    sleep(Duration::from_secs(180)).await;
    soon(world.channel.publish("amq.topic", "a", "work")).await.unwrap();
    soon(consumer.try_next()).await.unwrap().unwrap().ack().await.unwrap();
    drop(consumer);
    world.finish().await;
}

// R33: the broker still knows our lost connection, as after a silence.
#[tokio::test(start_paused = true)]
async fn after_a_silence_the_exclusive_queue_comes_back_when_the_broker_has_noticed() {
    let world = World::new().await;
    soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
    soon(world.channel.queue_bind("mine", "amq.topic", "a")).await.unwrap();
    let mut consumer = soon(world.channel.consume("mine").exclusive(true)).await.unwrap();
    world.broker.state().inject(leveret::broker::Target::All, leveret::broker::Fault::Silence);
    sleep(Duration::from_secs(900)).await;
    assert!(world.connection.is_open());
    soon(world.channel.publish("amq.topic", "a", "work")).await.unwrap();
    soon(consumer.try_next()).await.unwrap().unwrap().ack().await.unwrap();
    assert_eq!(world.broker.state().queues("/").len(), 1);
    drop(consumer);
    world.finish().await;
}

// R33: what exists otherwise is never deleted, and what depends on it goes on.
#[tokio::test(start_paused = true)]
async fn what_exists_otherwise_is_reported_and_its_consumer_goes_on() {
    let (world, mut consumer) = world().await;
    let text = "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'jobs' in vhost '/'";
    world.broker.state().fail_next(queue::Declare::ID, Scope::Channel, ReplyCode::PRECONDITION_FAILED, text);
    let mut events = world.connection.events();
    world.cut();
    let failed = recovery(&mut events).await;
    assert_eq!(failed.len(), 1);
    assert!(failed[0].1.is_precondition_failed());
    next(&world, &mut consumer).await.ack().await.unwrap();
    drop((consumer, events));
    world.finish().await;
}

// R32
#[tokio::test(start_paused = true)]
async fn of_many_entities_those_that_are_refused_are_reported_and_all_others_are_there() {
    let world = World::new().await;
    for number in 0..100 {
        soon(world.channel.exchange_declare(format!("x{number}"), "fanout").auto_delete(true)).await.unwrap();
        soon(world.channel.queue_declare(format!("q{number}")).exclusive(true)).await.unwrap();
        soon(world.channel.queue_bind(format!("q{number}"), format!("x{number}"), "")).await.unwrap();
    }
    let mut events = world.connection.events();
    for method in [exchange::Declare::ID, queue::Declare::ID, queue::Bind::ID] {
        for _ in 0..7 {
            let text = "ACCESS_REFUSED - not today";
            world.broker.state().fail_next(method, Scope::Channel, ReplyCode::ACCESS_REFUSED, text);
        }
    }
    world.cut();
    let failed = recovery(&mut events).await;
    settle().await;
    let kinds = |wanted: fn(&Entity) -> bool| failed.iter().filter(|(entity, _)| wanted(entity)).count();
    assert_eq!(kinds(|entity| matches!(entity, Entity::Exchange(_))), 7);
    assert_eq!(kinds(|entity| matches!(entity, Entity::Queue(_))), 7, "{failed:?}");
    assert!(kinds(|entity| matches!(entity, Entity::Binding { .. })) >= 7);
    assert_eq!(world.broker.state().queues("/").len(), 93);
    let bindings = world.broker.state().bindings("/").len();
    assert_eq!(bindings, 100 - kinds(|entity| matches!(entity, Entity::Binding { .. })));
    drop(events);
    world.finish().await;
}

// R33: the broker counts the consumers of a queue, and those that are ours are not in the way.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_was_blamed_for_a_held_queue_does_not_wait_for_our_own_consumers() {
    let world = World::new().await;
    let other = soon(world.connection.open_channel()).await.unwrap();
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let blamed = soon(world.channel.consume("jobs").consumer_tag("blamed")).await.unwrap();
    let beside = soon(other.consume("jobs").consumer_tag("beside")).await.unwrap();
    let text = "cannot obtain exclusive access to locked queue 'another' in vhost '/'";
    let consume = <basic::Consume as ProtocolMethod>::ID;
    world.broker.state().fail_next(consume, Scope::Channel, ReplyCode::RESOURCE_LOCKED, text);
    world.lose().await;
    sleep(Duration::from_secs(30)).await;
    let mut tags: Vec<_> =
        world.broker.state().consumers("/").iter().map(|consumer| consumer.tag.to_string()).collect();
    tags.sort_unstable();
    assert_eq!(tags, ["beside", "blamed"]);
    drop((blamed, beside, other));
    world.finish().await;
}
