//! What a program does in each recovery.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use leveret::broker::{Fault, Target};
use leveret::{ConnectionEvent, ConnectionParameters, ErrorKind, Recovering, Recovery};

use super::{World, long, recovery, settle};
use crate::soon;

fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().recovery(Recovery::Topology)
}

// R31, R36
#[tokio::test(start_paused = true)]
async fn the_hook_sees_the_topology_and_precedes_what_waits_and_the_consumers() {
    let hook = |recovering: Recovering| async move {
        let channel = recovering.channel();
        let declared = channel.queue_declare("mine").passive(true).await?;
        assert_eq!((declared.message_count, declared.consumer_count), (0, 0));
        channel.queue_declare("of the hook").exclusive(true).await?;
        channel.publish("", "mine", format!("hook {}", recovering.generation())).await
    };
    let world = World::with(parameters().on_recovered(hook)).await;
    soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
    let mut consumer = soon(world.channel.consume("mine")).await.unwrap();
    for generation in 1..=2 {
        let mut events = world.connection.events();
        world.cut();
        settle().await;
        let waiting = tokio::spawn({
            let channel = world.channel.clone();
            async move { channel.publish("", "mine", "waiting").await }
        });
        settle().await;
        assert!(recovery(&mut events).await.is_empty());
        soon(waiting).await.unwrap().unwrap();
        for body in [format!("hook {generation}"), "waiting".to_owned()] {
            let delivery = soon(consumer.try_next()).await.unwrap().unwrap();
            assert_eq!(delivery.body(), body.as_bytes());
            soon(delivery.ack()).await.unwrap();
        }
        assert!(world.broker.state().queue("/", "of the hook").is_some());
        assert_eq!(world.broker.state().connections()[0].channels, [1], "its channel is gone");
        let recorded = world.connection.topology();
        assert!(!format!("{recorded:?}").contains("of the hook"), "{recorded:?}");
    }
    drop(consumer);
    world.finish().await;
}

// R25, R36
#[tokio::test(start_paused = true)]
async fn a_hook_that_fails_or_takes_too_long_is_called_again_on_the_next_transport() {
    let calls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&calls);
    let hook = move |recovering: Recovering| {
        let call = count.fetch_add(1, Ordering::Relaxed);
        async move {
            match call {
                0 => recovering.channel().queue_declare("absent").passive(true).await.map(drop),
                1 => pending().await,
                _ => Ok(()),
            }
        }
    };
    let world = World::with(parameters().call_timeout(Duration::from_secs(5)).on_recovered(hook)).await;
    let mut events = world.connection.events();
    world.cut();
    let (mut reconnecting, mut lost) = (0, 0);
    loop {
        match long(events.next()).await.unwrap() {
            ConnectionEvent::Reconnecting { .. } => reconnecting += 1,
            ConnectionEvent::Lost { .. } => lost += 1,
            ConnectionEvent::Recovered { .. } => break,
            _ => {}
        }
    }
    assert_eq!((calls.load(Ordering::Relaxed), reconnecting, lost), (3, 3, 3));
    drop(events);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_hook_is_not_called_at_the_open_and_is_without_a_topology_too() {
    let calls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&calls);
    let hook = move |recovering: Recovering| {
        count.fetch_add(1, Ordering::Relaxed);
        async move { recovering.channel().queue_declare("of the hook").await.map(drop) }
    };
    let world = World::with(parameters().recovery(Recovery::Connection).on_recovered(hook)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    world.lose().await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert!(world.broker.state().queue("/", "of the hook").is_some());
    world.finish().await;
}

// R25
#[tokio::test(start_paused = true)]
async fn a_loss_while_the_hook_runs_drops_its_future_and_its_channel_is_closed() {
    struct Dropped(Arc<AtomicU32>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (dropped, kept) = (Arc::new(AtomicU32::new(0)), Arc::new(std::sync::Mutex::new(None)));
    let (drops, keeps) = (Arc::clone(&dropped), Arc::clone(&kept));
    let hook = move |recovering: Recovering| {
        let first = recovering.generation() == 1;
        let (guard, keeps) = (Dropped(Arc::clone(&drops)), Arc::clone(&keeps));
        async move {
            let _guard = guard;
            if first {
                *keeps.lock().unwrap() = Some(recovering.channel().clone());
                pending::<()>().await;
            }
            Ok(())
        }
    };
    let world = World::with(parameters().on_recovered(hook)).await;
    let mut events = world.connection.events();
    world.cut();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    world.broker.state().inject(Target::All, Fault::Drop);
    recovery(&mut events).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 2);
    let old = kept.lock().unwrap().take().unwrap();
    assert_eq!(soon(old.queue_declare("late")).await.unwrap_err().kind(), ErrorKind::ChannelClosed);
    drop((old, events));
    world.finish().await;
}
