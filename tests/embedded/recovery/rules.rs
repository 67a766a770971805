//! Rules of recovery that no other test of this folder is about.

use std::future::ready as now;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use leveret::broker::{Broker, Fault, Settings, Target};
use leveret::config::{Credentials, EndpointOrder, Provided};
use leveret::protocol::{ProtocolMethod, basic, channel, confirm, exchange, queue, tx};
use leveret::{ChannelState, Connection, ConnectionEvent, ConnectionParameters, ErrorKind, Recovery, ReplyCode};
use leveret_test_support::endings;
use tokio::time::sleep;

use super::tapped::Way;
use super::{World, long, recovery, settle};
use crate::{ready, soon};

fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().recovery(Recovery::Topology)
}

// R2: the next broker allows fewer channels.
#[tokio::test(start_paused = true)]
async fn channels_above_the_limit_of_the_next_transport_are_closed() {
    let (large, mut settings) = (Broker::new(), Settings::default());
    settings.channel_max = 3;
    let small = Broker::with(settings);
    let (dials, brokers) = (AtomicUsize::new(0), [large.clone(), small.clone()]);
    let dial = move || now(Ok(brokers[dials.fetch_add(1, Ordering::Relaxed).min(1)].connect()));
    let connection = soon(Connection::open_with(dial, parameters())).await.unwrap();
    endings::watch(connection.leftovers());
    let mut channels = Vec::new();
    for number in 1..=5 {
        let channel = soon(connection.open_channel()).await.unwrap();
        soon(channel.queue_declare(format!("q{number}")).exclusive(true)).await.unwrap();
        let consumer = soon(channel.consume(format!("q{number}"))).await.unwrap();
        channels.push((channel, consumer));
    }
    let mut events = connection.events();
    large.state().inject(Target::All, Fault::Drop);
    settle().await;
    let opening = tokio::spawn({
        let connection = connection.clone();
        async move { connection.open_channel().await.map(drop) }
    });
    // The queues are the connection's, whichever channel declared them, and one number is kept to
    // declare them.
    assert!(recovery(&mut events).await.is_empty());
    settle().await;
    assert_eq!(small.state().queues("/").len(), 5);
    assert_eq!(small.state().connections()[0].channels, [1, 2]);
    for (channel, consumer) in &mut channels {
        if channel.number() < 3 {
            soon(channel.publish("", format!("q{}", channel.number()), "work")).await.unwrap();
            soon(consumer.try_next()).await.unwrap().unwrap().ack().await.unwrap();
        } else {
            assert_eq!(channel.state(), ChannelState::Closed);
            assert_eq!(channel.closed_by().unwrap().kind(), ErrorKind::ChannelsExhausted);
            assert_eq!(soon(consumer.next()).await.unwrap().unwrap_err().kind(), ErrorKind::ChannelsExhausted);
            assert!(soon(consumer.next()).await.is_none());
        }
    }
    let error = soon(opening).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelsExhausted, "{error}");
    // A number above the limit is not used, although it is free.
    let error = soon(connection.open_channel()).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelsExhausted, "{error}");
    drop((channels.remove(0), events));
    settle().await;
    let again = soon(connection.open_channel()).await.unwrap();
    assert!(again.number() <= 3);
    drop((channels, again));
    long(connection.close()).await.unwrap();
}

// R4: the first kind comes again, the second does not. A handle takes what waits in its connection
// when it is asked for the first one.
#[tokio::test(start_paused = true)]
async fn what_waits_in_a_consumer_is_dropped_at_the_loss_unless_it_needs_no_acknowledgement() {
    for takes in [false, true] {
        let world = World::new().await;
        for queue in ["acknowledged", "automatic"] {
            soon(world.channel.queue_declare(queue).durable(true)).await.unwrap();
            for _ in 0..300 {
                soon(world.channel.publish("", queue, "work")).await.unwrap();
            }
        }
        let mut acknowledged = soon(world.channel.consume("acknowledged").prefetch(1000)).await.unwrap();
        let mut automatic = soon(world.channel.consume("automatic").no_ack(true)).await.unwrap();
        settle().await;
        let mut stale = Vec::new();
        if takes {
            stale.push(soon(acknowledged.try_next()).await.unwrap().unwrap());
            soon(automatic.try_next()).await.unwrap().unwrap();
        }
        world.lose().await;
        settle().await;
        for number in 0..300 {
            let delivery = soon(acknowledged.try_next()).await.unwrap().unwrap();
            assert!(delivery.is_redelivered() && !delivery.is_stale(), "{number}");
            soon(delivery.ack()).await.unwrap();
        }
        for _ in usize::from(takes)..300 {
            assert!(!soon(automatic.try_next()).await.unwrap().unwrap().is_redelivered());
        }
        let more = tokio::time::timeout(Duration::from_secs(1), async {
            tokio::select! { one = acknowledged.next() => one, one = automatic.next() => one }
        });
        assert!(more.await.is_err(), "each is there once");
        assert!(stale.iter().all(leveret::Delivery::is_stale));
        drop((stale, acknowledged, automatic));
        world.finish().await;
    }
}

// R7: plain publishes that were not handed to the transport are counted.
#[tokio::test(start_paused = true)]
async fn the_loss_says_how_much_of_plain_publishes_was_not_sent() {
    let (world, tap) = World::tapped(parameters()).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    settle().await;
    tap.disturb(Way::Works, Way::Hangs);
    // The first is handed to the transport, and what comes after it is not.
    soon(world.channel.publish("", "jobs", "x".repeat(100))).await.unwrap();
    settle().await;
    for _ in 0..10 {
        soon(world.channel.publish("", "jobs", "x".repeat(100))).await.unwrap();
    }
    let mut events = world.connection.events();
    settle().await;
    world.cut();
    match soon(events.next()).await {
        Some(ConnectionEvent::Lost { unsent_octets, unknown: 0, .. }) => {
            assert!((1000..3000).contains(&unsent_octets), "{unsent_octets}");
        }
        other => panic!("{other:?}"),
    }
    assert!(recovery(&mut events).await.is_empty());
    settle().await;
    assert_eq!(ready(&world.broker, "jobs"), 0, "they are not sent again");
    drop(events);
    world.finish().await;
}

// R23: the program narrows and widens what is recovered.
#[tokio::test(start_paused = true)]
async fn a_program_decides_which_losses_are_recovered() {
    let decide = |error: &leveret::Error| error.reply_code() == Some(ReplyCode::NOT_ALLOWED);
    for (code, recovers) in [(ReplyCode::NOT_ALLOWED, true), (ReplyCode::CONNECTION_FORCED, false)] {
        let world = World::with(parameters().recover_when(decide)).await;
        let mut events = world.connection.events();
        let id = world.broker.state().connections()[0].id;
        world.broker.state().close_connection(id, code, "closed by a test");
        if recovers {
            recovery(&mut events).await;
            drop(events);
            world.finish().await;
        } else {
            assert_eq!(soon(world.connection.closed()).await.reply_code(), Some(code));
        }
    }
}

// R26, java #676: an order that is drawn anew spreads clients at a recovery, too.
/// In real time, because the sockets have a clock of their own.
#[tokio::test]
async fn endpoints_are_shuffled_anew_in_each_recovery() {
    let brokers = [Broker::new(), Broker::new(), Broker::new()];
    let (mut listeners, mut endpoints) = (Vec::new(), Vec::new());
    for broker in &brokers {
        let listener = broker.listen("127.0.0.1:0").await.unwrap();
        endpoints.push(leveret::config::Endpoint::new("127.0.0.1").with_port(listener.address().port()));
        listeners.push(listener);
    }
    let parameters = parameters().endpoints(endpoints.clone()).endpoint_order(EndpointOrder::Shuffled);
    let pause = Duration::from_millis(1);
    let parameters = parameters.recovery_delay(pause).recovery_max_delay(pause);
    let connection = long(Connection::open(parameters)).await.unwrap();
    let place = |broker: &Broker| !broker.state().connections().is_empty();
    let mut at = brokers.iter().position(place).unwrap();
    // How often each followed each.
    let mut followed = [[0; 3]; 3];
    for _ in 0..120 {
        let mut events = connection.events();
        brokers[at].state().inject(Target::All, Fault::Drop);
        let endpoint = loop {
            if let ConnectionEvent::Recovered { endpoint, .. } = long(events.next()).await.unwrap() {
                break endpoint.unwrap();
            }
        };
        let next = endpoints.iter().position(|it| *it == endpoint).unwrap();
        assert_ne!(next, at, "the lost one comes last");
        followed[at][next] += 1;
        at = next;
    }
    // With equal chances, each of the six pairs is expected twenty times, and fewer than three are
    // a chance of one to a million.
    let mut pairs = (0..3).flat_map(|one| (0..3).map(move |other| (one, other))).filter(|(one, other)| one != other);
    assert!(pairs.all(|(one, other)| followed[one][other] >= 3), "{followed:?}");
    long(connection.close()).await.unwrap();
}

// R27, dotnet #1639: a timer for the credentials was left by each recovery.
#[tokio::test(start_paused = true)]
async fn credentials_are_renewed_once_however_often_the_connection_was_lost() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let credentials = Credentials::provided_by(move || {
        counts.fetch_add(1, Ordering::Relaxed);
        async { Ok(Provided::from(Credentials::plain("guest", "guest")).valid_for(Duration::from_secs(1000))) }
    });
    let world = World::with(parameters().credentials(credentials)).await;
    for _ in 0..5 {
        world.lose().await;
        sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 6, "once for each transport");
    // While it is down, nobody is asked.
    world.cut_off();
    sleep(Duration::from_secs(2000)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 6);
    world.reach();
    long(world.connection.recovered()).await.unwrap();
    settle().await;
    assert_eq!(asked.load(Ordering::Relaxed), 7);
    for renewals in 1..=3 {
        sleep(Duration::from_secs(800)).await;
        settle().await;
        assert_eq!(asked.load(Ordering::Relaxed), 7 + renewals);
    }
    world.finish().await;
}

// R31
#[tokio::test(start_paused = true)]
async fn everything_is_restored_in_its_order_on_the_wire() {
    let (world, tap) = World::tapped(parameters()).await;
    let transacts = soon(world.connection.open_channel()).await.unwrap();
    // Not in the order in which they have to come back.
    let late = soon(world.channel.consume("amq.rabbitmq.reply-to").no_ack(true)).await.unwrap();
    soon(world.channel.queue_declare("mine").exclusive(true)).await.unwrap();
    let consumer = soon(transacts.consume("mine").prefetch(5)).await.unwrap();
    soon(transacts.tx_select()).await.unwrap();
    soon(world.channel.queue_bind("mine", "amq.topic", "a")).await.unwrap();
    soon(world.channel.exchange_declare("x", "topic")).await.unwrap();
    soon(world.channel.exchange_bind("x", "amq.topic", "b")).await.unwrap();
    let publisher = soon(world.channel.confirm_select()).await.unwrap();
    world.cut_off();
    settle().await;
    let waiting = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.publish("", "mine", "work").confirmed().await }
    });
    settle().await;
    world.reach();
    long(waiting).await.unwrap().unwrap();
    sleep(Duration::from_secs(1)).await;
    let restored: Vec<_> = tap.methods(1).into_iter().filter(|(channel, _)| *channel != 0).collect();
    let private = restored[0].0;
    assert!(private > 2);
    assert_eq!(
        restored[..13],
        [
            (private, channel::Open::ID),
            (private, exchange::Declare::ID),
            (private, queue::Declare::ID),
            (private, queue::Bind::ID),
            (private, exchange::Bind::ID),
            (1, channel::Open::ID),
            (1, confirm::Select::ID),
            (2, channel::Open::ID),
            (2, tx::Select::ID),
            (1, basic::Consume::ID),
            (1, basic::Publish::ID),
            (2, basic::Qos::ID),
            (2, basic::Consume::ID),
        ]
    );
    drop((late, consumer, publisher, transacts));
    world.finish().await;
}
