//! What becomes of what is in flight, wherever in the stream the transport is lost.

use leveret::broker::{Fault, Target};
use leveret::{ConnectionParameters, Error, Recovery, Settled};

use super::{World, long, settle};
use crate::{ready, soon};

/// What the future of a request said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Done,
    NotSent,
    Unknown,
}

fn said<T: std::fmt::Debug>(result: &Result<T, Error>) -> Said {
    match result {
        Ok(_) => Said::Done,
        Err(error) if error.is_not_sent() => Said::NotSent,
        Err(error) if error.is_unknown() => Said::Unknown,
        Err(error) => panic!("neither done nor lost: {error:?}"),
    }
}

/// What a request that says this has done, by the broker's view.
fn check(said: Said, carried_out: bool, what: &str) {
    match said {
        Said::Done => assert!(carried_out, "{what} was done, and the broker has not seen it"),
        Said::NotSent => assert!(!carried_out, "{what} was not sent, and the broker has seen it"),
        Said::Unknown => {}
    }
}

/// Runs a script once for each byte after which its transport can be lost, until the script ends
/// before the loss. Returns the number of runs.
async fn sweep<F: Future<Output = bool>>(fault: fn(u64) -> Fault, script: impl Fn(Fault) -> F) -> u64 {
    for octets in 0..20_000 {
        if !script(fault(octets)).await {
            return octets;
        }
    }
    panic!("the script has no end");
}

async fn world() -> World {
    World::with(ConnectionParameters::default().recovery(Recovery::Topology)).await
}

/// Waits for the recovery, and ends a fault that was not reached by another loss. Returns whether
/// there was a loss before that.
pub(super) async fn recover(world: &World) -> bool {
    settle().await;
    long(world.connection.recovered()).await.unwrap();
    let lost = world.connection.generation() > 0;
    world.lose().await;
    settle().await;
    lost
}

/// Calls of every kind in flight at once, and what the broker has of them.
async fn calls(fault: Fault) -> bool {
    let world = world().await;
    let channel = &world.channel;
    let other = soon(world.connection.open_channel()).await.unwrap();
    let closing = soon(world.connection.open_channel()).await.unwrap();
    for queue in ["bound", "deleted", "purged", "kept"] {
        soon(channel.queue_declare(queue).durable(true)).await.unwrap();
    }
    soon(channel.queue_bind("bound", "amq.topic", "old")).await.unwrap();
    let mut consumer = soon(channel.consume("kept").consumer_tag("cancelled")).await.unwrap();
    world.broker.state().inject(Target::All, fault);
    let (declared, bound, unbound, deleted, started, cancelled, closed) = tokio::join!(
        long(other.queue_declare("declared").durable(true)),
        long(other.queue_bind("bound", "amq.topic", "new")),
        long(channel.queue_unbind("bound", "amq.topic", "old")),
        long(channel.queue_delete("deleted")),
        long(other.consume("kept").consumer_tag("started")),
        long(consumer.cancel()),
        long(closing.close()),
    );
    let seen = |queue: &str| world.broker.state().queue("/", queue).is_some();
    let keys: Vec<String> =
        world.broker.state().bindings("/").iter().map(|binding| binding.routing_key.to_string()).collect();
    check(said(&declared), seen("declared"), "the declaration");
    check(said(&bound), keys.contains(&"new".to_owned()), "the binding");
    check(said(&unbound), !keys.contains(&"old".to_owned()), "the unbinding");
    check(said(&deleted), !seen("deleted"), "the deletion");
    cancelled.expect("a loss cancels a consumer, too");
    closed.expect("a loss closes a channel, too");
    // What was to be removed does not come back, and what is not known to be there does not either.
    let topology = world.connection.topology();
    let queues: Vec<String> = topology.queues().map(|(name, _)| name.to_string()).collect();
    let bindings: Vec<String> = topology.queue_bindings().map(|bind| bind.routing_key.to_string()).collect();
    let has = |names: &[String], name: &str| names.iter().any(|known| known == name);
    assert_eq!(has(&queues, "declared"), declared.is_ok());
    assert_eq!(has(&bindings, "new"), bound.is_ok());
    assert!(!has(&queues, "deleted") || said(&deleted) == Said::NotSent);
    assert!(!has(&bindings, "old") || said(&unbound) == Said::NotSent);
    let tags: Vec<String> = topology.consumers().map(|consume| consume.consumer_tag.to_string()).collect();
    assert_eq!(tags, if started.is_ok() { vec!["started".to_owned()] } else { Vec::new() });
    let lost = recover(&world).await;
    let running: Vec<String> =
        world.broker.state().consumers("/").iter().map(|consumer| consumer.tag.to_string()).collect();
    assert_eq!(running, tags, "the consumers that run are those that are recorded");
    assert_eq!(said(&soon(consumer.cancel()).await), Said::Done);
    drop((other, closing, consumer, started));
    world.finish().await;
    lost
}

// R5, R6, R12
#[tokio::test(start_paused = true)]
async fn calls_say_what_became_of_them_wherever_the_client_is_cut() {
    let runs = sweep(Fault::CutInput, calls).await;
    assert!(runs > 200, "{runs}");
}

// R5, R6, R12
#[tokio::test(start_paused = true)]
async fn calls_say_what_became_of_them_wherever_the_broker_is_cut() {
    let runs = sweep(Fault::CutOutput, calls).await;
    assert!(runs > 60, "{runs}");
}

/// The number of messages with this body that the broker has.
fn copies(world: &World, body: &str) -> usize {
    world.broker.state().messages("/", "jobs").iter().filter(|message| message.body == body.as_bytes()).count()
}

/// Confirmed publishes of every kind in flight at once, and plain ones beside them.
async fn publishes(fault: Fault) -> bool {
    let world = world().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let plain = soon(world.connection.open_channel()).await.unwrap();
    let publisher = soon(world.channel.confirm_select()).await.unwrap();
    world.broker.state().inject(Target::All, fault);
    let long_body = "x".repeat(40);
    let (one, two, nowhere, large, told) = tokio::join!(
        long(publisher.publish("", "jobs", "one").confirmed()),
        long(publisher.publish("", "jobs", "two").mandatory(true).confirmed()),
        long(publisher.publish("", "nowhere", "nowhere").mandatory(true).confirmed()),
        long(publisher.publish("", "jobs", long_body.as_str()).confirmed()),
        long(plain.publish("", "jobs", "plain")),
    );
    settle().await;
    for (said, body) in [(said(&one), "one"), (said(&two), "two"), (said(&large), &long_body)] {
        assert!(copies(&world, body) <= 1);
        check(said, copies(&world, body) == 1, body);
    }
    let error = nowhere.expect_err("no queue accepts it");
    assert!(error.returned().is_some() || error.is_not_sent() || error.is_unknown(), "{error:?}");
    told.expect("a plain publish is done when it is queued");
    assert!(copies(&world, "plain") <= 1);
    assert_eq!(world.connection.unconfirmed(), 0);
    let lost = recover(&world).await;
    soon(publisher.publish("", "jobs", "after").confirmed()).await.unwrap();
    assert_eq!(copies(&world, "after"), 1);
    assert!(lost || ready(&world.broker, "jobs") == 5);
    drop((publisher, plain));
    world.finish().await;
    lost
}

// R7, R8
#[tokio::test(start_paused = true)]
async fn confirmed_publishes_say_what_became_of_them_wherever_the_client_is_cut() {
    let runs = sweep(Fault::CutInput, publishes).await;
    assert!(runs > 200, "{runs}");
}

// R7, R8
#[tokio::test(start_paused = true)]
async fn confirmed_publishes_say_what_became_of_them_wherever_the_broker_is_cut() {
    let runs = sweep(Fault::CutOutput, publishes).await;
    assert!(runs > 60, "{runs}");
}

/// Deliveries in flight, one at a time acknowledged.
async fn deliveries(fault: Fault) -> bool {
    let world = world().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    for body in ["one", "two", "three"] {
        soon(world.channel.publish("", "jobs", body)).await.unwrap();
    }
    settle().await;
    world.broker.state().inject(Target::All, fault);
    let started = long(world.channel.consume("jobs").prefetch(2)).await;
    let Ok(mut consumer) = started else {
        assert_eq!(said(&started), Said::Unknown);
        long(world.connection.recovered()).await.unwrap();
        assert_eq!(world.broker.state().queue("/", "jobs").unwrap().unacknowledged, 0);
        assert_eq!(ready(&world.broker, "jobs"), 3, "nothing was acknowledged");
        world.finish().await;
        return true;
    };
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 3 {
        let delivery = long(consumer.try_next()).await.unwrap().unwrap();
        let (body, again) = (delivery.body().to_vec(), delivery.is_redelivered());
        let was_acknowledged = acknowledged.contains(&body);
        assert!(again || !was_acknowledged, "a first delivery is never one that was acknowledged");
        let is_stale = delivery.is_stale();
        match soon(delivery.ack()).await {
            Ok(()) if was_acknowledged => {}
            Ok(()) => acknowledged.push(body),
            Err(error) => assert!(error.is_stale_delivery() && error.is_not_sent() || !is_stale, "{error:?}"),
        }
    }
    settle().await;
    long(world.connection.recovered()).await.unwrap();
    settle().await;
    // An acknowledgement that was lost brings its message again.
    while let Ok(Ok(Some(again))) = tokio::time::timeout(std::time::Duration::from_secs(1), consumer.try_next()).await {
        assert!(again.is_redelivered());
        soon(again.ack()).await.unwrap();
    }
    settle().await;
    let queue = world.broker.state().queue("/", "jobs").unwrap();
    assert_eq!((queue.ready, queue.unacknowledged, queue.consumers), (0, 0, 1));
    let lost = recover(&world).await;
    drop(consumer);
    world.finish().await;
    lost
}

// R3, R4, R5
#[tokio::test(start_paused = true)]
async fn deliveries_come_again_wherever_the_client_is_cut() {
    let runs = sweep(Fault::CutInput, deliveries).await;
    assert!(runs > 80, "{runs}");
}

// R3, R4, R5
#[tokio::test(start_paused = true)]
async fn deliveries_come_again_wherever_the_broker_is_cut() {
    let runs = sweep(Fault::CutOutput, deliveries).await;
    assert!(runs > 150, "{runs}");
}

// R10
#[tokio::test(start_paused = true)]
async fn who_waits_for_all_confirms_over_a_loss_fails_once() {
    let world = world().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher = soon(world.channel.confirm_select()).await.unwrap();
    world.broker.state().hold_next(<leveret::protocol::basic::Publish as leveret::protocol::ProtocolMethod>::ID);
    let confirm = soon(publisher.publish("", "jobs", "one")).await.unwrap();
    drop(confirm);
    let waiting = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.wait_for_confirms().await }
    });
    settle().await;
    assert!(!waiting.is_finished(), "the confirm is held back");
    world.lose().await;
    assert!(soon(waiting).await.unwrap().unwrap_err().is_unknown());
    soon(publisher.wait_for_confirms()).await.expect("it has been told");
    drop(publisher);
    world.finish().await;
}

// R10
#[tokio::test(start_paused = true)]
async fn confirms_that_nobody_awaited_are_told_to_the_next_who_asks() {
    let world = world().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher = soon(world.channel.confirm_select()).await.unwrap();
    world.broker.state().hold_next(<leveret::protocol::basic::Publish as leveret::protocol::ProtocolMethod>::ID);
    drop(soon(publisher.publish("", "jobs", "one")).await.unwrap());
    drop(soon(publisher.publish("", "jobs", "two")).await.unwrap());
    world.lose().await;
    assert_eq!(soon(publisher.settled()).await.unwrap(), unknown(2));
    assert_eq!(soon(publisher.settled()).await.unwrap(), unknown(0));
    drop(publisher);
    world.finish().await;
}

fn unknown(unknown: u64) -> Settled {
    Settled { unknown, ..Settled::default() }
}

// R10: each publish is reported to somebody, also those after what a waiter waits for.
#[tokio::test(start_paused = true)]
async fn confirms_behind_those_that_somebody_waits_for_are_told_to_the_next_who_asks() {
    let world = world().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher = soon(world.channel.confirm_select()).await.unwrap();
    world.broker.state().hold_next(<leveret::protocol::basic::Publish as leveret::protocol::ProtocolMethod>::ID);
    drop(soon(publisher.publish("", "jobs", "one")).await.unwrap());
    let waiting = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.settled().await }
    });
    settle().await;
    drop(soon(publisher.publish("", "jobs", "two")).await.unwrap());
    world.lose().await;
    assert!(soon(waiting).await.unwrap().unwrap_err().is_unknown());
    assert_eq!(soon(publisher.settled()).await.unwrap(), unknown(1));
    drop(publisher);
    world.finish().await;
}
