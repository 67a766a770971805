//! Handles that are dropped, at each point, and loops with everything in flight.

use std::rc::Rc;
use std::time::Duration;

use leveret::callback::{Channel, Connection, Handle};
use leveret::protocol::{basic, channel, connection};
use leveret::{ConnectionParameters, ErrorKind};
use leveret_test_support::{Peer, oblige};
use tokio::time::sleep;

use super::rig::Rig;
use super::world::World;

type Log = Vec<String>;

fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().heartbeat(0).default_prefetch(0)
}

/// Opens a connection on which a channel is made, and kept nowhere.
fn open(world: &World<Log>, then: impl FnOnce(&mut Log, Channel<Log>) + 'static) -> (Connection<Log>, Peer) {
    world.open(parameters(), |_: &mut Log, connection, opened| {
        opened.unwrap();
        connection.open_channel(|log, _, channel| then(log, channel.unwrap()));
    })
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_has_any_more_opens_is_heard_of_and_closes() {
    let (world, mut log) = (World::new(), Log::new());
    let (connection, mut peer) = world.open(parameters(), |log: &mut Log, _, opened| {
        opened.unwrap();
        log.push("open".to_owned());
    });
    connection.on_close(|log, _, why| log.push(format!("{:?}", why.kind())));
    drop(connection);
    let script = async {
        peer.shake_hands().await;
        peer.agree_to_close().await;
    };
    world.run_while(&mut log, script).await;
    world.run(&mut log).await;
    assert_eq!(log, ["open", "ConnectionClosed"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_of_a_channel_closes_it_after_what_was_queued() {
    let (world, mut log) = (World::new(), Log::new());
    let (_connection, mut peer) = open(&world, |_, channel| {
        channel.on_event(|log, _, event| log.push(event.to_string()));
        channel.publish("", "q", "x").send();
    });
    let script = async {
        peer.shake_hands().await;
        peer.open_channel(1).await;
        peer.expect_publish(1).await;
        peer.expect::<channel::Close>(1).await;
        peer.send(1, channel::CloseOk::default()).await;
    };
    world.run_while(&mut log, script).await;
    world.run_until(&mut log, |log| !log.is_empty()).await;
    assert_eq!(log.len(), 1, "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_and_a_call_keep_their_channel_whose_handles_are_dropped() {
    let (world, mut log) = (World::new(), Log::new());
    let (_connection, peer) = open(&world, |_, channel| {
        // The consumer's handle is dropped too, and the deliveries unsettled.
        channel.consume("q").each(|log, _, delivery| log.push(String::from_utf8_lossy(delivery.body()).into()));
        channel.get("q").then(|log, _, got| log.push(format!("{}", got.unwrap().is_some())));
    });
    let heard = world.run_while(&mut log, async {
        let mut peer = peer;
        peer.shake_hands().await;
        oblige(peer)
    });
    let heard = heard.await;
    world.run_while(&mut log, sleep(Duration::from_secs(1))).await;
    log.sort();
    assert_eq!(log, ["pushed", "pushed", "true"]);
    assert_eq!((heard.count("channel.close"), heard.count("basic.ack"), heard.count("basic.nack")), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_is_dropped_with_everything_in_flight_leaves_nothing_of_its_handlers() {
    let (world, mut log) = (World::new(), Log::new());
    let held = Rc::new(());
    let holds = Rc::clone(&held);
    let (connection, mut peer) = open(&world, move |log, channel| {
        hold_everywhere(&channel, &holds);
        let (handle, holds) = (channel.handle().clone(), Rc::clone(&holds));
        handle.call_later(Duration::from_secs(3600), move |_, _| drop(holds));
        log.push("all".to_owned());
    });
    let holds = Rc::clone(&held);
    connection.on_event(move |_, _, _| drop(Rc::clone(&holds)));
    world
        .run_while(&mut log, async {
            peer.shake_hands().await;
            peer.open_channel(1).await;
        })
        .await;
    world.run_until(&mut log, |log| !log.is_empty()).await;
    let (opening, _silent) = world.open(parameters(), {
        let holds = Rc::clone(&held);
        move |_, _, _| drop(holds)
    });
    let holds = Rc::clone(&held);
    opening.on_close(move |_, _, _| drop(holds));
    assert!(Rc::strong_count(&held) > 10);
    let handle = world.handle().clone();
    drop(world);
    assert_eq!(Rc::strong_count(&held), 2, "the list of a connection that is being opened goes with its handle");
    drop(opening);
    assert_eq!(Rc::strong_count(&held), 1);
    // What is asked of what is left is dropped as well.
    ask_when_gone(&handle, &connection, &held);
    assert_eq!(Rc::strong_count(&held), 1);
    assert!(!connection.is_open());
}

/// A handler of each kind that waits on a channel.
fn hold_everywhere(channel: &Channel<Log>, held: &Rc<()>) {
    let hold = || Rc::clone(held);
    let (one, two, three) = (hold(), hold(), hold());
    channel.consume("q").on_start(move |_, _, _| drop(one)).on_end(move |_, _, _| drop(two)).each(move |_, _, _| {
        drop(Rc::clone(&three));
    });
    let (one, two, three) = (hold(), hold(), hold());
    channel.on_return(move |_, _, _| drop(Rc::clone(&one)));
    channel.on_close(move |_, _, _| drop(two));
    channel.on_event(move |_, _, _| drop(Rc::clone(&three)));
    let (one, two, three) = (hold(), hold(), hold());
    channel.queue_declare("q").then(move |_, _, _| drop(one));
    channel.get("q").then(move |_, _, _| drop(two));
    channel.publish("", "q", "x").then(move |_, _, _| drop(three));
    let (one, two) = (hold(), hold());
    channel.confirm_select(move |_, _, _| drop(one));
    channel.close_then(move |_, _, _| drop(two));
}

/// The same where the loop is gone.
fn ask_when_gone(handle: &Handle<Log>, connection: &Connection<Log>, held: &Rc<()>) {
    let hold = || Rc::clone(held);
    let (one, two, three) = (hold(), hold(), hold());
    connection.open_channel(move |_, _, _| drop(one));
    connection.close_then(move |_, _, _| drop(two));
    connection.on_close(move |_, _, _| drop(three));
    let (one, two, three) = (hold(), hold(), hold());
    connection.on_event(move |_, _, _| drop(Rc::clone(&one)));
    handle.call_later(Duration::ZERO, move |_, _| drop(two));
    let opened = Connection::open_in(handle, "amqp://localhost", move |_, _, _| drop(three)).unwrap();
    assert!(!opened.is_open() && opened.closed_by().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_handles_of_a_loop_that_is_gone_ask_for_fails_where_it_can_say_so() {
    let (world, mut log) = (World::new(), Log::new());
    let (connection, mut peer) = world.open(parameters(), |_: &mut Log, _, opened| opened.unwrap());
    world.run_while(&mut log, peer.shake_hands()).await;
    world.run_until(&mut log, |_| connection.is_open()).await;
    drop(world);
    assert_eq!(connection.closed_by().unwrap().kind(), ErrorKind::ConnectionClosed);
    peer.expect::<connection::Close>(0).await;
    peer.expect_end().await;
    connection.close();
}

#[tokio::test(start_paused = true)]
async fn what_was_queued_when_the_loop_is_dropped_still_goes_out() {
    let (world, mut log) = (World::new(), Log::new());
    let (_connection, mut peer) = open(&world, |log, channel| {
        channel.publish("", "q", "the last").send();
        log.push("published".to_owned());
        channel.handle().stop();
    });
    world
        .run_while(&mut log, async {
            peer.shake_hands().await;
            peer.expect::<channel::Open>(1).await
        })
        .await;
    peer.send(1, channel::OpenOk::default()).await;
    world.run(&mut log).await;
    assert_eq!(log, ["published"]);
    drop(world);
    assert_eq!(peer.expect_publish(1).await.body, b"the last");
}

#[test]
fn deliveries_are_settled_on_other_threads() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    channel.queue_declare("q").forget();
    (0..100).for_each(|_| channel.publish("", "q", "x").send());
    let (sends, receives) = std::sync::mpsc::channel::<leveret::Delivery>();
    let settles = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        receives.into_iter().take(100).for_each(|delivery| runtime.block_on(delivery.ack()).unwrap());
    });
    channel.consume("q").each(move |log, _, delivery| {
        log.push(String::new());
        sends.send(delivery.into_async()).unwrap();
    });
    rig.event_loop.run_until(&mut log, |log| log.len() == 100).unwrap();
    rig.until(&mut log, |broker| broker.queue("/", "q").unwrap().unacknowledged == 0);
    settles.join().unwrap();
    assert!(channel.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_outlives_its_loop_says_that_it_cannot_be_settled() {
    let (world, mut log) = (World::new(), Log::new());
    let kept = Rc::new(std::cell::RefCell::new(None));
    let keeps = Rc::clone(&kept);
    let (connection, mut peer) = open(&world, move |_, channel| {
        channel.consume("q").consumer_tag("c").each(move |_, channel, delivery| {
            keeps.borrow_mut().replace(delivery);
            channel.handle().stop();
        });
    });
    let script = async {
        peer.shake_hands().await;
        peer.open_channel(1).await;
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
        peer.send_content(1, basic::Deliver::default().consumer_tag("c").delivery_tag(1), b"x").await;
    };
    world.run_while(&mut log, script).await;
    world.run(&mut log).await;
    drop((world, connection));
    let delivery = kept.borrow_mut().take().unwrap();
    assert_eq!(delivery.body(), b"x");
    assert!(delivery.ack().is_err());
    while let Some(received) = peer.receive().await {
        assert!(
            !matches!(received, leveret_test_support::Received::Method(_, ref method) if method.name() == "basic.ack")
        );
    }
    peer.send(0, connection::CloseOk::default()).await;
}
