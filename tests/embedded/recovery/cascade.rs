//! What leaves the record with something else, through real use.

use leveret::protocol::{basic, exchange, queue};
use leveret::{Channel, ConnectionEvent, ConnectionParameters, RecordedTopology, Recovery};
use tokio::time::sleep;

use super::{World, long, settle};
use crate::soon;

/// The names of everything that is recorded.
fn recorded(topology: &RecordedTopology) -> Vec<String> {
    topology.iter().map(|entity| entity.entity().to_string()).collect()
}

/// What the broker has of the client: queues, exchanges, bindings and consumers, in text.
fn there(world: &World) -> Vec<String> {
    let state = world.broker.state();
    let mut all: Vec<String> =
        state.queues("/").iter().map(|queue| format!("{} {}", queue.name, queue.arguments.len())).collect();
    let own = |name: &str| !name.is_empty() && !name.starts_with("amq.");
    all.extend(
        state.exchanges("/").iter().filter(|it| own(&it.name.to_string())).map(|it| format!("{} {}", it.name, it.kind)),
    );
    all.extend(state.bindings("/").iter().map(|it| format!("{} {:?} {}", it.source, it.destination, it.routing_key)));
    all.extend(state.consumers("/").iter().map(|it| format!("{} {} {}", it.queue, it.tag, it.channel)));
    all.sort();
    all
}

/// Loses the connection, and checks that the broker has what it had.
async fn same_after_a_loss(world: &World) {
    settle().await;
    let before = there(world);
    world.broker.state().restart();
    settle().await;
    long(world.connection.recovered()).await.unwrap();
    sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(there(world), before);
}

async fn bound(channel: &Channel) {
    soon(channel.exchange_declare("x", "topic").durable(true)).await.unwrap();
    soon(channel.exchange_declare("y", "fanout").auto_delete(true)).await.unwrap();
    soon(channel.exchange_bind("y", "x", "to.y")).await.unwrap();
    soon(channel.queue_declare("kept").durable(true)).await.unwrap();
    soon(channel.queue_declare("q").exclusive(true)).await.unwrap();
    soon(channel.queue_bind("q", "x", "to.q")).await.unwrap();
    soon(channel.queue_bind("q", "y", "")).await.unwrap();
    soon(channel.queue_bind("kept", "x", "to.kept")).await.unwrap();
}

// R19
#[tokio::test(start_paused = true)]
async fn a_deleted_exchange_takes_its_bindings_of_both_sides() {
    let world = World::new().await;
    bound(&world.channel).await;
    same_after_a_loss(&world).await;
    soon(world.channel.exchange_delete("x")).await.unwrap();
    let topology = world.connection.topology();
    assert_eq!((topology.exchange_bindings().count(), topology.queue_bindings().count()), (0, 1));
    same_after_a_loss(&world).await;
    world.finish().await;
}

// R19: an auto-delete exchange goes with its last binding as source.
#[tokio::test(start_paused = true)]
async fn the_last_binding_takes_its_auto_delete_exchange() {
    for way in 0..3 {
        let world = World::new().await;
        bound(&world.channel).await;
        match way {
            0 => drop(soon(world.channel.queue_unbind("q", "y", "")).await.unwrap()),
            1 => drop(soon(world.channel.queue_delete("q")).await.unwrap()),
            _ => soon(world.channel.send(queue::Delete::default().queue("q").no_wait(true))).await.unwrap(),
        }
        same_after_a_loss(&world).await;
        assert!(world.connection.topology().exchanges().all(|declare| declare.exchange != *"y"));
        world.finish().await;
    }
}

// R19, R20: an auto-delete queue goes with its last consumer, however that ends.
#[tokio::test(start_paused = true)]
async fn the_last_consumer_takes_its_auto_delete_queue() {
    for way in 0..4 {
        let world = World::new().await;
        let other = soon(world.connection.open_channel()).await.unwrap();
        let mut kept = Some(other.clone());
        soon(world.channel.exchange_declare("y", "fanout").auto_delete(true)).await.unwrap();
        soon(world.channel.queue_declare("q").auto_delete(true)).await.unwrap();
        soon(world.channel.queue_bind("q", "y", "")).await.unwrap();
        let mut consumer = soon(other.consume("q").consumer_tag("mine")).await.unwrap();
        same_after_a_loss(&world).await;
        match way {
            0 => soon(consumer.cancel()).await.unwrap(),
            1 => soon(other.close()).await.unwrap(),
            2 => drop(soon(other.call(basic::Cancel::default().consumer_tag("mine"))).await.unwrap()),
            _ => {}
        }
        drop((consumer, other));
        if way == 3 {
            kept = None;
        }
        settle().await;
        assert_eq!(recorded(&world.connection.topology()), Vec::<String>::new(), "way {way}");
        same_after_a_loss(&world).await;
        assert!(there(&world).is_empty());
        drop(kept);
        world.finish().await;
    }
}

// R19: also while the connection is down.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_cancelled_while_down_takes_its_auto_delete_queue() {
    for closes in [false, true] {
        let world = World::new().await;
        let other = soon(world.connection.open_channel()).await.unwrap();
        soon(world.channel.queue_declare("q").auto_delete(true)).await.unwrap();
        let mut consumer = soon(other.consume("q")).await.unwrap();
        world.cut_off();
        settle().await;
        if closes {
            soon(other.close()).await.unwrap();
        } else {
            soon(consumer.cancel()).await.unwrap();
        }
        world.reach();
        long(world.connection.recovered()).await.unwrap();
        settle().await;
        assert!(there(&world).is_empty(), "{:?}", there(&world));
        drop((consumer, other));
        world.finish().await;
    }
}

// R19: a deletion that is refused leaves the record as it was.
#[tokio::test(start_paused = true)]
async fn a_refused_deletion_forgets_nothing() {
    let world = World::new().await;
    let other = soon(world.connection.open_channel()).await.unwrap();
    soon(world.channel.queue_declare("q").exclusive(true)).await.unwrap();
    soon(world.channel.publish("", "q", "work")).await.unwrap();
    let error = soon(other.queue_delete("q").if_empty(true)).await.unwrap_err();
    assert!(error.is_precondition_failed());
    world.lose().await;
    assert!(world.broker.state().queue("/", "q").is_some());
    drop(other);
    world.finish().await;
}

// R16: what is declared by a general call or sent without waiting is recorded as well.
#[tokio::test(start_paused = true)]
async fn everything_is_recorded_whichever_way_it_was_requested() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.call(exchange::Declare::default().exchange("x").kind("fanout"))).await.unwrap();
    soon(channel.send(queue::Declare::default().queue("q").exclusive(true).no_wait(true))).await.unwrap();
    soon(channel.send(queue::Bind::default().queue("q").exchange("x").no_wait(true))).await.unwrap();
    soon(channel.call(queue::Declare::default().queue("r").exclusive(true))).await.unwrap();
    soon(channel.call(queue::Bind::default().exchange("x"))).await.unwrap();
    soon(channel.queue_declare("q").passive(true)).await.unwrap();
    same_after_a_loss(&world).await;
    assert_eq!(there(&world).len(), 5, "{:?}", there(&world));
    world.finish().await;
}

// R17
#[tokio::test(start_paused = true)]
async fn an_empty_name_is_the_queue_that_it_meant() {
    let world = World::new().await;
    soon(world.channel.queue_declare("first").exclusive(true)).await.unwrap();
    soon(world.channel.queue_bind("", "amq.topic", "")).await.unwrap();
    soon(world.channel.queue_bind("", "amq.topic", "key")).await.unwrap();
    soon(world.channel.queue_declare("second").exclusive(true)).await.unwrap();
    same_after_a_loss(&world).await;
    soon(world.channel.queue_bind("", "amq.topic", "later")).await.unwrap();
    let keys = |queue: &str| {
        let to = leveret::broker::BindingDestination::Queue(queue.into());
        world.broker.state().bindings("/").iter().filter(|it| it.destination == to).count()
    };
    assert_eq!((keys("first"), keys("second")), (2, 1));
    soon(world.channel.queue_delete("second")).await.unwrap();
    same_after_a_loss(&world).await;
    world.finish().await;
}

// R21
#[tokio::test(start_paused = true)]
async fn above_its_limit_the_record_says_so_once_and_can_be_shortened() {
    let parameters = ConnectionParameters::default().recovery(Recovery::Topology).recovery_record_limit(2);
    let world = World::with(parameters).await;
    let mut events = world.connection.events();
    for queue in ["a", "b", "c", "d"] {
        soon(world.channel.queue_declare(queue).exclusive(true)).await.unwrap();
    }
    assert!(matches!(soon(events.next()).await, Some(ConnectionEvent::RecordFull)));
    assert_eq!(world.connection.topology().len(), 2);
    assert!(world.connection.forget_queue("a"));
    soon(world.channel.queue_declare("e").exclusive(true)).await.unwrap();
    drop(events);
    world.lose().await;
    settle().await;
    assert_eq!(there(&world), ["b 0", "e 0"]);
    world.finish().await;
}

// Found by the simulation (seed 106091): its stream never ended.
#[tokio::test(start_paused = true)]
async fn a_consumer_whose_queue_the_program_deletes_before_it_starts_again_ends() {
    let world = World::new().await;
    // The queue is checked before its consumers start, because others declared it.
    let others = soon(leveret::Connection::open_on(world.broker.connect(), "amqp://localhost")).await.unwrap();
    soon(soon(others.open_channel()).await.unwrap().queue_declare("jobs").durable(true)).await.unwrap();
    drop(others);
    let other = soon(world.connection.open_channel()).await.unwrap();
    let mut consumer = soon(other.consume("jobs").consumer_tag("mine")).await.unwrap();
    world.cut_off();
    settle().await;
    let deleting = world.channel.queue_delete("jobs");
    world.reach();
    long(deleting).await.unwrap();
    let ended = long(consumer.next()).await;
    assert!(ended.is_none_or(|it| it.is_err()));
    assert!(world.connection.topology().is_empty());
    assert!(world.connection.is_open() && other.is_open());
    drop((consumer, other));
    world.finish().await;
}
