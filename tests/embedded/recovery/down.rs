//! Requests while a connection is down.

use std::time::Duration;

use leveret::protocol::{ProtocolMethod, queue};
use leveret::{ConnectionParameters, ErrorKind, Recovery, WhileDown};
use tokio::time::{Instant, sleep};

use super::{World, long, settle};
use crate::{ready, soon};

#[tokio::test(start_paused = true)]
async fn calls_and_publishes_wait_and_are_sent_in_order() {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    world.cut_off();
    settle().await;
    let channel = world.channel.clone();
    let waiting = tokio::spawn(async move {
        channel.publish("", "jobs", "one").await?;
        channel.publish("", "jobs", "two").await?;
        channel.queue_declare("more").await
    });
    settle().await;
    assert!(!waiting.is_finished());
    world.reach();
    long(waiting).await.unwrap().unwrap();
    settle().await;
    assert_eq!(ready(&world.broker, "jobs"), 2);
    assert!(world.broker.state().queue("/", "more").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_down_timeout_and_no_longer() {
    let world = World::new().await;
    world.cut_off();
    settle().await;
    let began = Instant::now();
    let error = long(world.channel.queue_declare("jobs")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recovering);
    assert!(error.is_not_sent());
    assert_eq!(began.elapsed().as_secs(), 60);
    let error = long(world.channel.publish("", "jobs", "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recovering);
    assert_eq!(began.elapsed().as_secs(), 120);
    world.reach();
    long(world.connection.recovered()).await.unwrap();
    assert!(world.broker.state().queue("/", "jobs").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_future_is_dropped_is_not_sent() {
    let world = World::new().await;
    world.cut_off();
    settle().await;
    let declare = tokio::time::timeout(Duration::from_secs(1), world.channel.queue_declare("dropped").into_future());
    assert!(declare.await.is_err());
    let open = tokio::time::timeout(Duration::from_secs(1), world.connection.open_channel());
    assert!(open.await.is_err());
    world.reach();
    long(world.connection.recovered()).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(world.broker.state().queue("/", "dropped").is_none());
    assert_eq!(world.broker.state().connections()[0].channels, [1]);
}

// Found by the simulation (seed 140895): it waited for ever, and was not sent.
#[tokio::test(start_paused = true)]
async fn a_publish_gives_up_in_time_although_the_one_before_it_was_dropped() {
    let world = World::new().await;
    world.cut_off();
    settle().await;
    let first =
        tokio::time::timeout(Duration::from_secs(1), world.channel.publish("", "jobs", "first").into_future()).await;
    assert!(first.is_err());
    let began = Instant::now();
    let error = long(world.channel.publish("", "jobs", "second")).await.unwrap_err();
    assert!(error.is_recovering() && error.is_not_sent(), "{error:?}");
    assert_eq!((began.elapsed() + Duration::from_millis(500)).as_secs(), 60);
    world.reach();
    long(world.connection.recovered()).await.unwrap();
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_opened_while_down_opens_later() {
    let world = World::new().await;
    world.cut_off();
    settle().await;
    let opening = tokio::spawn({
        let connection = world.connection.clone();
        async move { connection.open_channel().await }
    });
    settle().await;
    world.reach();
    let channel = long(opening).await.unwrap().unwrap();
    soon(channel.queue_declare("jobs")).await.unwrap();
}

// Found by the simulation (seed 757): what waited for the recovery waited for ever after the close.
#[tokio::test(start_paused = true)]
async fn a_close_while_down_ends_what_waits() {
    let world = World::new().await;
    world.cut_off();
    settle().await;
    let channel = world.channel.clone();
    let declare = tokio::spawn(async move { channel.queue_declare("never").await });
    let channel = world.channel.clone();
    let publish = tokio::spawn(async move { channel.publish("", "never", "x").await });
    let connection = world.connection.clone();
    let open = tokio::spawn(async move { connection.open_channel().await.map(drop) });
    settle().await;
    soon(world.connection.close()).await.unwrap();
    let errors = [
        soon(declare).await.unwrap().unwrap_err(),
        soon(publish).await.unwrap().unwrap_err(),
        soon(open).await.unwrap().unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.is_not_sent() && error.is_requested()), "{errors:?}");
}

// R13: a publish and a delete in the wrong order would lose the message.
#[tokio::test(start_paused = true)]
async fn calls_and_publishes_that_wait_together_are_sent_in_the_order_in_which_they_were_made() {
    let world = World::new().await;
    world.cut_off();
    settle().await;
    let (mut tasks, channel) = (Vec::new(), &world.channel);
    for number in 0..5 {
        let (declaring, publishing, queue) = (channel.clone(), channel.clone(), format!("q{number}"));
        let name = queue.clone();
        tasks.push(tokio::spawn(async move { declaring.queue_declare(&name).await.map(drop) }));
        settle().await;
        tasks.push(tokio::spawn(async move { publishing.publish("", &queue, "x").await }));
        settle().await;
    }
    let purging = channel.clone();
    tasks.push(tokio::spawn(async move { purging.queue_purge("q0").await.map(drop) }));
    settle().await;
    world.reach();
    for task in tasks {
        long(task).await.unwrap().unwrap();
    }
    settle().await;
    assert_eq!([0, 1, 2, 3, 4].map(|number| ready(&world.broker, &format!("q{number}"))), [0, 1, 1, 1, 1]);
}

fn while_down(while_down: WhileDown) -> ConnectionParameters {
    ConnectionParameters::default().recovery(Recovery::Topology).while_down(while_down)
}

/// The bodies of the messages in a queue, in their order.
fn bodies(world: &World) -> Vec<String> {
    let messages = world.broker.state().messages("/", "jobs");
    messages.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
}

// R13
#[tokio::test(start_paused = true)]
async fn requests_fail_at_once_if_the_program_wants_that() {
    let world = World::with(while_down(WhileDown::Fail)).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher_channel = soon(world.connection.open_channel()).await.unwrap();
    let publisher = soon(publisher_channel.confirm_select()).await.unwrap();
    world.cut_off();
    settle().await;
    let began = Instant::now();
    for error in [
        world.channel.publish("", "jobs", "x").await.unwrap_err(),
        publisher.publish("", "jobs", "x").confirmed().await.unwrap_err(),
        world.channel.queue_declare("other").await.unwrap_err(),
        world.channel.consume("jobs").await.map(drop).unwrap_err(),
        world.channel.get("jobs").await.map(drop).unwrap_err(),
        world.connection.open_channel().await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Recovering, "{error:?}");
        assert!(error.is_not_sent() && error.is_recovering());
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    world.reach();
    long(world.connection.recovered()).await.unwrap();
    settle().await;
    assert_eq!(ready(&world.broker, "jobs"), 0);
    assert!(world.broker.state().queue("/", "other").is_none());
    drop((publisher, publisher_channel));
    world.finish().await;
}

// R13
#[tokio::test(start_paused = true)]
async fn buffered_publishes_are_done_at_once_and_sent_before_those_that_wait() {
    let world = World::with(while_down(WhileDown::Buffer(100))).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    world.cut_off();
    settle().await;
    soon(world.channel.publish("", "jobs", "first")).await.expect("it is stored");
    let waiting = tokio::spawn({
        let channel = world.channel.clone();
        async move { channel.publish("", "jobs", "x".repeat(50)).await }
    });
    settle().await;
    assert!(!waiting.is_finished(), "there is no room for it");
    world.reach();
    long(waiting).await.unwrap().unwrap();
    settle().await;
    assert_eq!(bodies(&world), ["first".to_owned(), "x".repeat(50)]);
    world.finish().await;
}

// R13: what was stored is sent, however long the outage lasts.
#[tokio::test(start_paused = true)]
async fn buffered_publishes_outlast_the_time_for_waiting_and_more_losses() {
    let world = World::with(while_down(WhileDown::Buffer(10_000))).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    world.cut_off();
    settle().await;
    soon(world.channel.publish("", "jobs", "stored")).await.unwrap();
    sleep(Duration::from_secs(200)).await;
    // The next transport is lost before the gate opens.
    world.broker.state().hold_next(queue::Declare::ID);
    world.reach();
    while world.broker.state().held().is_empty() {
        sleep(Duration::from_secs(1)).await;
    }
    world.cut_off();
    sleep(Duration::from_secs(200)).await;
    world.reach();
    long(world.connection.recovered()).await.unwrap();
    settle().await;
    assert_eq!(bodies(&world), ["stored"]);
    world.finish().await;
}

// R13
#[tokio::test(start_paused = true)]
async fn a_buffer_keeps_its_size_over_several_losses() {
    let world = World::with(while_down(WhileDown::Buffer(200))).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    for round in 0..5 {
        world.cut_off();
        settle().await;
        for _ in 0..2 {
            soon(world.channel.publish("", "jobs", "stored")).await.unwrap();
        }
        world.reach();
        long(world.connection.recovered()).await.unwrap();
        settle().await;
        assert_eq!(ready(&world.broker, "jobs"), 2 * (round + 1));
    }
    world.finish().await;
}

// R13
#[tokio::test(start_paused = true)]
async fn what_does_not_wait_says_that_the_connection_is_recovered() {
    for policy in [WhileDown::Wait, WhileDown::Fail] {
        let world = World::with(while_down(policy)).await;
        soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
        world.cut_off();
        settle().await;
        let error = world.channel.publish("", "jobs", "x").try_publish().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Recovering, "{error:?}");
        assert!(error.is_not_sent());
        world.reach();
        long(world.connection.recovered()).await.unwrap();
        world.channel.publish("", "jobs", "x").try_publish().unwrap();
        settle().await;
        assert_eq!(ready(&world.broker, "jobs"), 1);
        world.finish().await;
    }
}

// R13: the time for waiting does not begin again with each transport that is lost.
#[tokio::test(start_paused = true)]
async fn what_waits_ends_in_time_although_transports_come_and_go() {
    let world = World::with(while_down(WhileDown::Wait).call_timeout(Duration::from_secs(600))).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    world.cut_off();
    settle().await;
    let began = Instant::now();
    let publish = tokio::spawn({
        let channel = world.channel.clone();
        async move { (channel.publish("", "jobs", "x").await, Instant::now()) }
    });
    let call = tokio::spawn({
        let channel = world.channel.clone();
        async move { (channel.queue_declare("other").await.map(drop), Instant::now()) }
    });
    settle().await;
    // Each transport is lost before the gate opens.
    while began.elapsed() < Duration::from_secs(90) {
        world.broker.state().hold_next(queue::Declare::ID);
        world.reach();
        while world.broker.state().held().is_empty() {
            sleep(Duration::from_secs(1)).await;
        }
        world.cut_off();
        sleep(Duration::from_secs(1)).await;
    }
    for ended in [soon(publish).await.unwrap(), soon(call).await.unwrap()] {
        let (result, at) = ended;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Recovering);
        assert_eq!((at - began).as_secs(), 60);
    }
    world.reach();
    long(world.connection.recovered()).await.unwrap();
    world.finish().await;
}

// R13: it ends in time also if the transport is there and the broker does not answer.
#[tokio::test(start_paused = true)]
async fn what_waits_ends_in_time_although_the_broker_does_not_answer() {
    let parameters = while_down(WhileDown::Wait).down_timeout(Duration::from_secs(5));
    let world = World::with(parameters).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    world.broker.state().hold_next(queue::Declare::ID);
    world.cut();
    while world.broker.state().held().is_empty() {
        sleep(Duration::from_millis(100)).await;
    }
    let began = Instant::now();
    let (publish, call) =
        tokio::join!(async { (world.channel.publish("", "jobs", "x").await, began.elapsed()) }, async {
            (world.channel.queue_declare("other").await.map(drop), began.elapsed())
        },);
    for (result, after) in [publish, call] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Recovering);
        assert_eq!(after.as_secs(), 5);
    }
    world.broker.state().release_held();
    long(world.connection.recovered()).await.unwrap();
    assert!(world.broker.state().queue("/", "other").is_none());
    world.finish().await;
}

/// What a program can await on a connection that is recovered.
fn everything(world: &World) -> Vec<(&'static str, Box<dyn Future<Output = ()> + '_>)> {
    let channel = &world.channel;
    vec![
        ("publish", Box::new(async { drop(channel.publish("", "jobs", "dropped").await) })),
        ("declare", Box::new(async { drop(channel.queue_declare("dropped").await) })),
        ("delete", Box::new(async { drop(channel.queue_delete("jobs").await) })),
        ("bind", Box::new(async { drop(channel.queue_bind("jobs", "amq.topic", "dropped").await) })),
        ("consume", Box::new(async { drop(channel.consume("jobs").await) })),
        ("get", Box::new(async { drop(channel.get("jobs").await) })),
        ("open", Box::new(async { drop(world.connection.open_channel().await) })),
        ("confirm", Box::new(async { drop(channel.confirm_select().await) })),
        ("recovered", Box::new(async { drop(world.connection.recovered().await) })),
        ("events", Box::new(async { drop(world.connection.events().next().await) })),
        ("closed", Box::new(async { drop(world.connection.closed().await) })),
    ]
}

// R40
#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_future_that_is_dropped_while_down_or_restoring() {
    for place in 0..everything(&World::new().await).len() {
        for restoring in [false, true] {
            let world = World::new().await;
            soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
            world.broker.state().hold_next(queue::Declare::ID);
            if restoring {
                world.cut();
                while world.broker.state().held().is_empty() {
                    sleep(Duration::from_millis(100)).await;
                }
            } else {
                world.cut_off();
                settle().await;
            }
            let (name, future) = everything(&world).swap_remove(place);
            let mut future = Box::into_pin(future);
            let polled = tokio::time::timeout(Duration::from_millis(1), &mut future).await;
            assert!(polled.is_err() || name == "events", "{name}");
            drop(future);
            world.reach();
            world.broker.state().release_held();
            sleep(Duration::from_secs(60)).await;
            world.broker.state().release_held();
            long(world.connection.recovered()).await.unwrap();
            settle().await;
            assert_eq!(ready(&world.broker, "jobs"), 0, "{name}");
            assert_eq!(world.broker.state().queues("/").len(), 1, "{name}");
            assert!(world.broker.state().bindings("/").is_empty() && world.broker.state().consumers("/").is_empty());
            assert_eq!(world.broker.state().connections()[0].channels, [1], "{name}");
            soon(world.channel.publish("", "jobs", "after")).await.unwrap();
            settle().await;
            assert_eq!(ready(&world.broker, "jobs"), 1, "{name}");
            world.finish().await;
        }
    }
}
