//! Which losses are recovered, how often it is tried, and what ends it.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use leveret::broker::{Broker, Fault, Target};
use leveret::config::Provided;
use leveret::{
    Connection, ConnectionEvent, ConnectionParameters, ConnectionState, Credentials, ErrorKind, Recovery, ReplyCode,
};
use leveret_test_support::endings;
use tokio::time::{Instant, sleep, timeout};

use super::{World, long, recovery, settle};
use crate::soon;

fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().recovery(Recovery::Topology)
}

fn close(world: &World, code: ReplyCode) {
    let mut state = world.broker.state();
    let id = state.connections()[0].id;
    assert!(state.close_connection(id, code, "closed by a test"));
}

// R23
#[tokio::test(start_paused = true)]
async fn what_an_operator_or_a_fault_of_the_broker_ends_is_recovered_and_a_mistake_is_not() {
    for code in [ReplyCode::CONNECTION_FORCED, ReplyCode::INTERNAL_ERROR] {
        let world = World::new().await;
        let mut events = world.connection.events();
        close(&world, code);
        recovery(&mut events).await;
        drop(events);
        world.finish().await;
    }
    for code in [402, 403, 501, 502, 503, 504, 505, 506, 530, 540].map(ReplyCode::new) {
        let world = World::new().await;
        close(&world, code);
        let closed = soon(world.connection.closed()).await;
        assert_eq!(closed.reply_code(), Some(code));
        assert_eq!(world.connection.generation(), 1);
        sleep(Duration::from_secs(120)).await;
        assert!(world.broker.state().connections().is_empty(), "{code:?}");
    }
}

// R23
#[tokio::test(start_paused = true)]
async fn a_provider_is_asked_once_for_credentials_with_the_permission_that_was_missing() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let credentials = Credentials::provided_by(move || {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok(Provided::from(Credentials::plain("guest", "guest"))) }
    });
    let world = World::with(parameters().credentials(credentials)).await;
    for losses in [1, 3] {
        let mut events = world.connection.events();
        close(&world, ReplyCode::ACCESS_REFUSED);
        recovery(&mut events).await;
        assert_eq!(asked.load(Ordering::Relaxed), losses + 1);
        // Another loss in between makes it the first again.
        if losses == 1 {
            close(&world, ReplyCode::CONNECTION_FORCED);
            recovery(&mut events).await;
        }
    }
    close(&world, ReplyCode::ACCESS_REFUSED);
    assert_eq!(soon(world.connection.closed()).await.reply_code(), Some(ReplyCode::ACCESS_REFUSED));
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

// R23
#[tokio::test(start_paused = true)]
async fn a_broker_that_falls_silent_is_recovered() {
    let world = World::new().await;
    let mut events = world.connection.events();
    world.broker.state().inject(Target::All, Fault::Silence);
    loop {
        match long(events.next()).await.unwrap() {
            ConnectionEvent::Lost { cause, .. } => assert!(cause.is_heartbeat_missed()),
            ConnectionEvent::Recovered { .. } => break,
            _ => {}
        }
    }
    drop(events);
    // The broker finds the silent connection lost, too.
    sleep(Duration::from_secs(200)).await;
    world.finish().await;
}

// R23
#[tokio::test(start_paused = true)]
async fn a_broker_that_blocks_for_too_long_is_recovered_after_the_longest_pause() {
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let world = World::with(parameters().blocked_connection_timeout(Duration::from_secs(10))).await;
        soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
        let mut events = world.connection.events();
        world.broker.state().block("low on memory");
        soon(world.channel.publish("", "jobs", "x")).await.unwrap();
        loop {
            match long(events.next()).await.unwrap() {
                ConnectionEvent::Lost { cause, .. } => assert!(cause.is_blocked_too_long()),
                ConnectionEvent::Reconnecting { after, .. } => longest = longest.max(after),
                ConnectionEvent::Recovered { .. } => break,
                _ => {}
            }
        }
        assert_eq!(world.connection.blocked(), None, "the next connection is not blocked yet");
        world.broker.state().unblock();
        drop(events);
        world.finish().await;
    }
    // The pause is drawn from all up to the longest, so one alone says nothing.
    assert!(longest > Duration::from_secs(2), "there is no hurry: {longest:?}");
}

// R24
#[tokio::test(start_paused = true)]
async fn a_close_wins_at_every_step_of_a_recovery() {
    // The step of the recovery at which the application closes is given by the bytes that the
    // broker has received since.
    for octets in (0..1200).step_by(7) {
        let world = World::new().await;
        soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
        soon(world.channel.queue_bind("mine", "amq.topic", "a")).await.unwrap();
        let mut consumer = soon(world.channel.consume("mine")).await.unwrap();
        world.broker.state().inject(Target::Next, Fault::CutInput(octets));
        world.cut();
        sleep(Duration::from_secs(1)).await;
        for _ in 0..octets % 40 {
            tokio::task::yield_now().await;
        }
        let _ = long(world.connection.close()).await;
        assert_eq!(world.connection.state(), ConnectionState::Closed);
        sleep(Duration::from_secs(200)).await;
        assert!(world.broker.state().connections().is_empty(), "after {octets}");
        assert!(soon(consumer.next()).await.is_none_or(|end| end.is_err()));
    }
}

// R24
#[tokio::test(start_paused = true)]
async fn a_close_wins_after_every_turn_of_a_recovery() {
    let mut recovered = 0;
    for turns in 0..200 {
        let world = World::new().await;
        soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
        let consumer = soon(world.channel.consume("mine")).await.unwrap();
        let mut events = world.connection.events();
        world.cut();
        while !matches!(long(events.next()).await, Some(ConnectionEvent::Reconnecting { .. })) {}
        // The pause is over when the broker has another connection.
        while world.broker.state().connections().is_empty() {
            sleep(Duration::from_millis(1)).await;
            if world.connection.is_open() {
                break;
            }
        }
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        recovered += u32::from(world.connection.is_open());
        drop((events, consumer));
        world.finish().await;
    }
    assert!(recovered > 0);
}

// R24: the last handle of a connection that is down closes it.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_down_ends_with_its_last_handle() {
    for restoring in [false, true] {
        let World { broker, connection, channel, reachable } = World::new().await;
        let leftovers = connection.leftovers();
        soon(channel.queue_declare("mine").exclusive(true)).await.unwrap();
        if restoring {
            let declare = <leveret::protocol::queue::Declare as leveret::protocol::ProtocolMethod>::ID;
            broker.state().hold_next(declare);
        } else {
            reachable.store(false, Ordering::Relaxed);
        }
        broker.state().inject(Target::All, Fault::Drop);
        while restoring && broker.state().held().is_empty() {
            sleep(Duration::from_millis(100)).await;
        }
        settle().await;
        drop((channel, connection));
        settle().await;
        broker.state().release_held();
        reachable.store(true, Ordering::Relaxed);
        sleep(Duration::from_secs(120)).await;
        assert!(broker.state().connections().is_empty());
        let (left, waiters) = leftovers().expect("it is over");
        assert_eq!((left.to_string(), waiters), (String::new(), 0));
    }
}

// R24: closing a channel and dropping its handle while down is local.
#[tokio::test(start_paused = true)]
async fn channels_that_are_closed_or_dropped_while_down_do_not_come_back() {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let closed = soon(world.connection.open_channel()).await.unwrap();
    let dropped = soon(world.connection.open_channel()).await.unwrap();
    let mut consumer = soon(closed.consume("jobs")).await.unwrap();
    let abandoned = soon(world.channel.consume("jobs")).await.unwrap();
    world.cut_off();
    settle().await;
    let began = Instant::now();
    closed.close().await.unwrap();
    drop((dropped, abandoned));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(soon(consumer.next()).await.is_none_or(|end| end.is_err()));
    world.reach();
    long(world.connection.recovered()).await.unwrap();
    settle().await;
    assert_eq!(world.broker.state().connections()[0].channels, [1]);
    assert!(world.broker.state().consumers("/").is_empty());
    drop((closed, consumer));
    world.finish().await;
}

/// A connection whose dials are counted; after the first they succeed, fail or last for ever.
async fn counted(parameters: ConnectionParameters, lasts: bool) -> (Broker, Connection, Arc<AtomicU32>) {
    let (broker, dials) = (Broker::new(), Arc::new(AtomicU32::new(0)));
    let dial = {
        let (broker, dials) = (broker.clone(), Arc::clone(&dials));
        move || {
            let first = dials.fetch_add(1, Ordering::Relaxed) == 0;
            let stream = first.then(|| broker.connect());
            async move {
                if stream.is_none() && lasts {
                    pending::<()>().await;
                }
                stream.ok_or_else(|| std::io::ErrorKind::ConnectionRefused.into())
            }
        }
    };
    let connection = soon(Connection::open_with(dial, parameters)).await.unwrap();
    endings::watch(connection.leftovers());
    (broker, connection, dials)
}

// R28
#[tokio::test(start_paused = true)]
async fn after_the_last_attempt_the_connection_ends_for_the_loss() {
    let (broker, connection, dials) = counted(parameters().recovery_attempts(3), false).await;
    let channel = soon(connection.open_channel()).await.unwrap();
    let mut events = connection.events();
    broker.state().inject(Target::All, Fault::Drop);
    settle().await;
    let waiting = tokio::spawn(async move { channel.queue_declare("jobs").await.map(drop) });
    let mut failed = 0;
    let closed = loop {
        match long(events.next()).await.unwrap() {
            ConnectionEvent::ReconnectFailed { attempt, .. } => {
                failed += 1;
                assert_eq!(attempt, failed);
            }
            ConnectionEvent::Closed(error) => break error,
            _ => {}
        }
    };
    assert_eq!((failed, dials.load(Ordering::Relaxed)), (3, 4));
    assert_eq!(closed.kind(), ErrorKind::ConnectionClosed);
    let error = soon(waiting).await.unwrap().unwrap_err();
    assert!(error.is_not_sent(), "{error:?}");
    assert!(soon(connection.recovered()).await.is_err());
}

// R28: attempts are counted per outage.
#[tokio::test(start_paused = true)]
async fn attempts_of_earlier_outages_do_not_count() {
    let world = World::with(parameters().recovery_attempts(1)).await;
    for _ in 0..5 {
        world.lose().await;
        sleep(Duration::from_secs(60)).await;
    }
    world.finish().await;
}

// R28: also if an attempt lasts longer than that.
#[tokio::test(start_paused = true)]
async fn a_recovery_ends_after_its_time() {
    for lasts in [false, true] {
        let (broker, connection, _) = counted(parameters().recovery_timeout(Duration::from_secs(8)), lasts).await;
        broker.state().inject(Target::All, Fault::Drop);
        settle().await;
        let began = Instant::now();
        let closed = long(connection.closed()).await;
        assert_eq!(closed.kind(), ErrorKind::ConnectionClosed);
        assert_eq!((began.elapsed() + Duration::from_millis(500)).as_secs(), 8, "an attempt lasts: {lasts}");
    }
}

// R28: also if the broker takes the connection and does not answer.
#[tokio::test(start_paused = true)]
async fn a_recovery_ends_after_its_time_although_something_is_being_restored() {
    let world = World::with(parameters().recovery_timeout(Duration::from_secs(8))).await;
    soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
    let declare = <leveret::protocol::queue::Declare as leveret::protocol::ProtocolMethod>::ID;
    world.broker.state().hold_next(declare);
    world.cut();
    settle().await;
    let began = Instant::now();
    let _closed = long(world.connection.closed()).await;
    assert_eq!((began.elapsed() + Duration::from_millis(500)).as_secs(), 8);
    sleep(Duration::from_secs(60)).await;
    assert!(world.broker.state().connections().is_empty());
}

// R29
#[tokio::test(start_paused = true)]
async fn four_refusals_in_a_row_are_survived_and_five_are_not() {
    for (refusals, survives) in [(4, true), (5, false)] {
        let world = World::new().await;
        world.broker.state().refuse_logins(refusals);
        world.cut();
        let began = Instant::now();
        let recovered = timeout(Duration::from_secs(600), world.connection.recovered()).await;
        settle().await;
        if survives {
            while !world.connection.is_open() {
                sleep(Duration::from_secs(1)).await;
                assert!(began.elapsed().as_secs() < 600);
            }
            world.finish().await;
        } else {
            drop(recovered);
            let closed = long(world.connection.closed()).await;
            assert_eq!(closed.kind(), ErrorKind::ConnectionClosed, "{closed:?}");
        }
    }
}

// R30
#[tokio::test(start_paused = true)]
async fn three_generations_in_a_row_that_the_same_close_ends_are_the_last() {
    let world = World::new().await;
    let mut events = world.connection.events();
    close(&world, ReplyCode::INTERNAL_ERROR);
    for _ in 0..2 {
        recovery(&mut events).await;
        settle().await;
        close(&world, ReplyCode::INTERNAL_ERROR);
    }
    recovery(&mut events).await;
    settle().await;
    close(&world, ReplyCode::INTERNAL_ERROR);
    let closed = soon(world.connection.closed()).await;
    assert_eq!(closed.reply_code(), Some(ReplyCode::INTERNAL_ERROR));
}

// R30
#[tokio::test(start_paused = true)]
async fn the_same_close_of_stable_generations_and_of_an_operator_is_recovered_each_time() {
    for (code, pause) in [(ReplyCode::INTERNAL_ERROR, 31), (ReplyCode::CONNECTION_FORCED, 0)] {
        let world = World::new().await;
        let mut events = world.connection.events();
        for _ in 0..6 {
            close(&world, code);
            recovery(&mut events).await;
            sleep(Duration::from_secs(pause)).await;
            settle().await;
        }
        drop(events);
        world.finish().await;
    }
}

// R30
#[tokio::test(start_paused = true)]
async fn consumers_whose_start_ends_the_connection_run_later_or_end() {
    let world = World::new().await;
    let channel = &world.channel;
    for queue in ["good", "bad", "other"] {
        soon(channel.queue_declare(queue).durable(true)).await.unwrap();
    }
    let mut good = soon(channel.consume("good").consumer_tag("good")).await.unwrap();
    let mut bad = soon(channel.consume("bad").consumer_tag("bad")).await.unwrap();
    let mut other = soon(channel.consume("other").consumer_tag("other")).await.unwrap();
    let mut events = world.connection.events();
    world.cut();
    let consume = <leveret::protocol::basic::Consume as leveret::protocol::ProtocolMethod>::ID;
    for _ in 0..2 {
        // It is answered so in two generations, whichever is the first in each.
        let scope = leveret::broker::Scope::Connection;
        world.broker.state().fail_next(consume, scope, ReplyCode::INTERNAL_ERROR, "INTERNAL_ERROR - leader is gone");
        recovery(&mut events).await;
        settle().await;
    }
    sleep(Duration::from_secs(120)).await;
    assert!(world.connection.is_open());
    let mut running: Vec<String> =
        world.broker.state().consumers("/").iter().map(|consumer| consumer.tag.to_string()).collect();
    running.sort_unstable();
    assert!(running.len() >= 2, "{running:?}");
    for (consumer, name) in [(&mut good, "good"), (&mut bad, "bad"), (&mut other, "other")] {
        if running.iter().any(|tag| tag == name) {
            soon(channel.publish("", name, "work")).await.unwrap();
            assert_eq!(soon(consumer.try_next()).await.unwrap().unwrap().body(), b"work");
        } else {
            assert!(soon(consumer.next()).await.is_none_or(|end| end.is_err()), "it does not stay silent");
        }
    }
    drop((good, bad, other, events));
    world.finish().await;
}
