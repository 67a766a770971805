//! What went wrong in other clients: each test has the script of a bug that one of them had.

use std::time::Duration;

use leveret::broker::{Fault, Target};
use leveret::protocol::{ProtocolMethod, basic, channel, confirm, exchange, queue};
use leveret::{ConnectionEvent, ConnectionParameters, FieldTable, FieldValue, Recovery, Requeue};
use tokio::time::{Instant, sleep};

use super::tapped::Way;
use super::{World, long, recovery, settle};
use crate::{ready, soon};

fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().recovery(Recovery::Topology)
}

// java #341: a write failed, and the connection waited for its reader, which hung.
#[tokio::test(start_paused = true)]
async fn the_end_of_either_direction_is_a_loss() {
    for (reads, writes) in [(Way::Hangs, Way::Fails), (Way::Fails, Way::Hangs)] {
        let (world, tap) = World::tapped(parameters()).await;
        soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
        settle().await;
        let (mut events, began) = (world.connection.events(), Instant::now());
        tap.disturb(reads, writes);
        soon(world.channel.publish("", "jobs", "lost")).await.unwrap();
        // What the broker says wakes the reader.
        world.broker.state().block("low on memory");
        assert!(recovery(&mut events).await.is_empty());
        assert!(began.elapsed() < Duration::from_secs(2), "no heartbeat was waited for: {:?}", began.elapsed());
        world.broker.state().unblock();
        drop(events);
        sleep(Duration::from_secs(200)).await;
        world.finish().await;
        assert_eq!((tap.made(), tap.alive()), (2, 0));
    }
}

// dotnet #1767, bunny #376, #377: a connection recovered beside its own old transport. dotnet
// #1857: attempts that failed left their transports.
#[tokio::test(start_paused = true)]
async fn a_transport_is_dropped_before_the_next_is_made() {
    let (world, tap) = World::tapped(parameters().call_timeout(Duration::from_secs(5))).await;
    soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
    let consumer = soon(world.channel.consume("mine")).await.unwrap();
    // It is lost, falls silent, and is lost with attempts that are refused, cut off in the
    // handshake, cut off while they restore, and not answered.
    world.lose().await;
    let mut events = world.connection.events();
    world.broker.state().inject(Target::All, Fault::Silence);
    recovery(&mut events).await;
    sleep(Duration::from_secs(300)).await;
    world.broker.state().refuse_logins(2);
    world.cut();
    recovery(&mut events).await;
    for octets in [4, 400, 700] {
        world.broker.state().inject(Target::Next, Fault::CutInput(octets));
        world.cut();
        recovery(&mut events).await;
        sleep(Duration::from_secs(60)).await;
    }
    world.broker.state().hold_next(queue::Declare::ID);
    world.cut();
    recovery(&mut events).await;
    settle().await;
    assert!(tap.made() > 10, "{}", tap.made());
    assert_eq!((tap.alive(), tap.most()), (1, 1));
    assert_eq!(world.broker.state().connections().len(), 1);
    drop((consumer, events));
    world.finish().await;
    assert_eq!(tap.alive(), 0);
}

// java #395: a stale tag became 0 with `multiple`, which acknowledges everything. java #343, bunny
// #142, #698, #700: stale tags were sent, and closed the channel.
#[tokio::test(start_paused = true)]
async fn a_settlement_from_before_the_loss_writes_nothing() {
    let (world, tap) = World::tapped(parameters()).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    for _ in 0..12 {
        soon(world.channel.publish("", "jobs", "work")).await.unwrap();
    }
    let mut consumer = soon(world.channel.consume("jobs").prefetch(6)).await.unwrap();
    let mut stale = Vec::new();
    for _ in 0..6 {
        stale.push(soon(consumer.try_next()).await.unwrap().unwrap());
    }
    world.lose().await;
    let mut fresh = Vec::new();
    for _ in 0..6 {
        fresh.push(soon(consumer.try_next()).await.unwrap().unwrap());
    }
    let mut next = || stale.pop().unwrap();
    let (_, acker) = next().into_parts();
    let settlements = [
        next().ack(),
        next().ack_multiple(),
        next().nack(Requeue::Yes),
        next().nack_multiple(Requeue::No),
        next().reject(Requeue::No),
        acker.ack_multiple(),
    ];
    for settlement in settlements {
        let error = soon(settlement).await.unwrap_err();
        assert!(error.is_stale_delivery() && error.is_not_sent(), "{error:?}");
    }
    settle().await;
    for method in [basic::Ack::ID, basic::Nack::ID, basic::Reject::ID] {
        assert_eq!(tap.count(1, method), 0);
    }
    let queue = world.broker.state().queue("/", "jobs").unwrap();
    assert_eq!((queue.ready, queue.unacknowledged), (6, 6));
    assert!(world.channel.is_open());
    soon(fresh.pop().unwrap().ack_multiple()).await.unwrap();
    settle().await;
    assert_eq!(tap.count(1, basic::Ack::ID), 1);
    drop((consumer, fresh));
    world.finish().await;
}

// java #208, aio-pika #423: consumers of closed channels came back. java #266, #129, dotnet #254,
// #1035, #1061: what was declared on a closed channel did not.
#[tokio::test(start_paused = true)]
async fn what_was_declared_on_a_channel_that_is_closed_comes_back_without_its_consumers() {
    for drops in [false, true] {
        let world = World::new().await;
        let other = soon(world.connection.open_channel()).await.unwrap();
        soon(other.exchange_declare("events", "topic").auto_delete(true)).await.unwrap();
        soon(other.queue_declare("mine").exclusive(true)).await.unwrap();
        soon(other.queue_bind("mine", "events", "a")).await.unwrap();
        let consumer = soon(other.consume("mine")).await.unwrap();
        if !drops {
            soon(other.close()).await.unwrap();
        }
        drop((other, consumer));
        settle().await;
        assert_eq!(world.connection.topology().consumers().count(), 0);
        world.lose().await;
        settle().await;
        soon(world.channel.publish("events", "a", "news")).await.unwrap();
        settle().await;
        assert_eq!(ready(&world.broker, "mine"), 1);
        assert!(world.broker.state().consumers("/").is_empty());
        assert_eq!(world.broker.state().connections()[0].channels, [1]);
        world.finish().await;
    }
}

// bunny #704: what one channel had declared came back, although another one had deleted it.
#[tokio::test(start_paused = true)]
async fn what_another_channel_deleted_does_not_come_back() {
    let world = World::new().await;
    let other = soon(world.connection.open_channel()).await.unwrap();
    for queue in ["gone", "kept"] {
        soon(world.channel.queue_declare(queue).exclusive(true)).await.unwrap();
    }
    for exchange in ["gone", "kept"] {
        soon(world.channel.exchange_declare(exchange, "topic")).await.unwrap();
        soon(world.channel.queue_bind("kept", exchange, "a")).await.unwrap();
    }
    soon(world.channel.queue_bind("kept", "kept", "b")).await.unwrap();
    soon(other.queue_delete("gone")).await.unwrap();
    soon(other.exchange_delete("gone")).await.unwrap();
    soon(other.queue_unbind("kept", "kept", "b")).await.unwrap();
    world.broker.state().restart();
    settle().await;
    long(world.connection.recovered()).await.unwrap();
    let state = world.broker.state();
    assert_eq!(state.queues("/").len(), 1);
    assert!(state.exchanges("/").iter().all(|exchange| exchange.name != *"gone"));
    let keys: Vec<String> = state.bindings("/").iter().map(|binding| binding.routing_key.to_string()).collect();
    assert_eq!(keys, ["a"]);
    drop((state, other));
    world.finish().await;
}

// dotnet #1293: consumers came back without their arguments.
#[tokio::test(start_paused = true)]
async fn a_consumer_comes_back_with_all_that_it_was_started_with() {
    let world = World::new().await;
    let other = soon(world.connection.open_channel()).await.unwrap();
    soon(world.channel.queue_declare("one").durable(true)).await.unwrap();
    soon(world.channel.queue_declare("two").durable(true)).await.unwrap();
    let arguments = FieldTable::from_iter([("x-priority", FieldValue::from(7)), ("own", "text".into())]);
    let first = soon(other.consume("one").arguments(arguments).consumer_tag("first")).await.unwrap();
    let second = soon(world.channel.consume("two").exclusive(true).no_ack(true)).await.unwrap();
    let consumers = || {
        let mut consumers = world.broker.state().consumers("/");
        let connection = consumers[0].connection;
        assert!(consumers.iter().all(|consumer| consumer.connection == connection));
        consumers.sort_by_key(|consumer| consumer.queue.to_string());
        let of = |it: leveret::broker::ConsumerInfo| (it.channel, it.tag, it.exclusive, it.no_ack, it.arguments);
        consumers.into_iter().map(of).collect::<Vec<_>>()
    };
    let before = consumers();
    assert_eq!((before.len(), before[0].4.len(), before[1].2, before[1].3), (2, 2, true, true));
    for _ in 0..2 {
        world.lose().await;
        settle().await;
        assert_eq!(consumers(), before);
    }
    drop((first, second, other));
    world.finish().await;
}

// dotnet #510, #1238, amqp (ruby) #204: queues were declared twice in an outage, and a
// server-named one with its consumer went round in a loop.
#[tokio::test(start_paused = true)]
async fn each_entity_is_declared_once_in_an_outage() {
    let (world, tap) = World::tapped(parameters()).await;
    soon(world.channel.exchange_declare("x", "topic")).await.unwrap();
    soon(world.channel.queue_declare("").exclusive(true)).await.unwrap();
    soon(world.channel.queue_bind("", "x", "a")).await.unwrap();
    // The same again, and on another channel, is still one entity.
    let other = soon(world.connection.open_channel()).await.unwrap();
    soon(world.channel.exchange_declare("x", "topic")).await.unwrap();
    soon(other.exchange_declare("x", "topic")).await.unwrap();
    soon(world.channel.queue_bind("", "x", "a")).await.unwrap();
    let consumer = soon(world.channel.consume("")).await.unwrap();
    for transport in 1..=3 {
        world.lose().await;
        sleep(Duration::from_secs(100)).await;
        for method in [exchange::Declare::ID, queue::Declare::ID, queue::Bind::ID, basic::Consume::ID] {
            assert_eq!(tap.count(transport, method), 1, "{method:?} on transport {transport}");
        }
        assert_eq!(tap.count(transport, channel::Open::ID), 3, "two and the private one");
    }
    drop((consumer, other));
    world.finish().await;
}

// dotnet #1076, #1140: deliveries came before the new channel was in place, and their
// acknowledgements vanished.
#[tokio::test(start_paused = true)]
async fn what_waits_in_the_queues_at_the_recovery_is_delivered_and_acknowledged() {
    let world = World::new().await;
    let mut tasks = Vec::new();
    for number in 0..3 {
        let (channel, queue) = (soon(world.connection.open_channel()).await.unwrap(), format!("q{number}"));
        soon(channel.queue_declare(&queue).durable(true)).await.unwrap();
        let mut consumer = soon(channel.consume(&queue).prefetch(50)).await.unwrap();
        tasks.push(tokio::spawn(async move {
            for _ in 0..200 {
                long(consumer.try_next()).await.unwrap().unwrap().ack().await.unwrap();
            }
            (channel, consumer)
        }));
    }
    world.cut_off();
    settle().await;
    let by_hand = leveret::Connection::open_on(world.broker.connect(), "amqp://localhost");
    let other = soon(by_hand).await.unwrap();
    let foreign = soon(other.open_channel()).await.unwrap();
    for number in 0..600 {
        soon(foreign.publish("", format!("q{}", number % 3), "work")).await.unwrap();
    }
    soon(other.close()).await.unwrap();
    world.reach();
    let mut kept = Vec::new();
    for task in tasks {
        kept.push(long(task).await.unwrap());
    }
    settle().await;
    for queue in world.broker.state().queues("/") {
        assert_eq!((queue.ready, queue.unacknowledged), (0, 0), "{}", queue.name);
    }
    drop((kept, foreign, other));
    world.finish().await;
}

// dotnet #2038, aio-pika #570, #622: a handler that declared something stopped the recovery for
// good.
#[tokio::test(start_paused = true)]
async fn a_program_that_declares_at_each_event_stops_no_recovery() {
    let world = World::new().await;
    let renamed = soon(world.channel.queue_declare("").exclusive(true)).await.unwrap().queue;
    let (mut events, channel) = (world.connection.events(), world.channel.clone());
    let program = tokio::spawn(async move {
        let (mut declared, mut recovered) = (0, 0);
        while recovered < 3 {
            let event = long(events.next()).await.unwrap();
            recovered += u32::from(matches!(event, ConnectionEvent::Recovered { .. }));
            long(channel.queue_declare(format!("event {declared}")).exclusive(true)).await.unwrap();
            declared += 1;
        }
        declared
    });
    for _ in 0..3 {
        world.cut_off();
        sleep(Duration::from_secs(10)).await;
        world.reach();
        long(world.connection.recovered()).await.unwrap();
        sleep(Duration::from_secs(40)).await;
    }
    let declared = long(program).await.unwrap();
    assert!(declared > 9, "{declared}");
    let queues = world.broker.state().queues("/");
    assert_eq!(queues.len(), declared + 1);
    assert!(queues.iter().all(|queue| queue.name != renamed));
    world.finish().await;
}

// go-rabbitmq #186: a channel was used before it was in confirm mode again.
#[tokio::test(start_paused = true)]
async fn nothing_is_published_before_its_channel_confirms_again() {
    let (world, tap) = World::tapped(parameters()).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher = soon(world.channel.confirm_select()).await.unwrap();
    world.broker.state().hold_next(confirm::Select::ID);
    world.cut();
    settle().await;
    let waiting = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.publish("", "jobs", "work").confirmed().await }
    });
    sleep(Duration::from_secs(10)).await;
    assert!(!world.broker.state().held().is_empty());
    assert_eq!((tap.count(1, confirm::Select::ID), tap.count(1, basic::Publish::ID)), (1, 0));
    world.broker.state().release_held();
    soon(waiting).await.unwrap().unwrap();
    assert_eq!(ready(&world.broker, "jobs"), 1);
    drop(publisher);
    world.finish().await;
}

// bunny-rs: the close of the application was recovered like a loss.
#[tokio::test(start_paused = true)]
async fn a_close_is_no_loss_whether_or_not_the_broker_answers_it() {
    for fault in [None, Some(Fault::Silence), Some(Fault::CutInput(5)), Some(Fault::CutOutput(5))] {
        let (world, tap) = World::tapped(parameters()).await;
        soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
        let mut consumer = soon(world.channel.consume("jobs")).await.unwrap();
        if let Some(fault) = fault {
            world.broker.state().inject(Target::All, fault);
        }
        let closed = long(world.connection.close()).await;
        assert_eq!(closed.is_ok(), fault.is_none(), "{closed:?}");
        assert!(soon(consumer.next()).await.is_none_or(|end| end.is_err()));
        sleep(Duration::from_secs(300)).await;
        assert_eq!((tap.made(), tap.alive(), world.connection.generation()), (1, 0, 0), "{fault:?}");
        assert!(world.broker.state().connections().iter().all(|connection| !connection.open), "{fault:?}");
    }
}
