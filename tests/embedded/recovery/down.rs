//! Requests while a connection is down.

use std::time::Duration;

use leveret::ErrorKind;
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
