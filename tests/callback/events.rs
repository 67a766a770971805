//! What the broker says unasked, and Pika's rule of backpressure.

use std::rc::Rc;
use std::time::Duration;

use leveret::callback::{Channel, Connection};
use leveret::protocol::{ProtocolMethod as _, basic, channel, confirm, connection, queue};
use leveret::{ConnectionParameters, ErrorKind, ReplyCode};
use leveret_test_support::{Peer, Received};
use tokio::time::sleep;

use super::world::World;

#[derive(Default)]
struct App {
    log: Vec<String>,
    channel: Option<Channel<App>>,
}

impl App {
    fn note(&mut self, what: impl Into<String>) {
        self.log.push(what.into());
    }

    fn channel(&self) -> &Channel<Self> {
        self.channel.as_ref().unwrap()
    }
}

fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().heartbeat(0).default_prefetch(0)
}

/// A world with a connection and a channel.
struct Stage {
    world: World<App>,
    app: App,
    _connection: Connection<App>,
    peer: Peer,
}

impl Stage {
    async fn new(parameters: ConnectionParameters) -> Self {
        let (world, mut app) = (World::new(), App::default());
        let (connection, mut peer) = world.open(parameters, |_: &mut App, connection, opened| {
            opened.unwrap();
            connection.open_channel(|app: &mut App, _, channel| app.channel = Some(channel.unwrap()));
        });
        let script = async {
            peer.shake_hands().await;
            peer.open_channel(1).await;
        };
        world.run_while(&mut app, script).await;
        world.run_until(&mut app, |app| app.channel.is_some()).await;
        Self { world, app, _connection: connection, peer }
    }

    /// Runs until nothing happens any more.
    async fn rest(&mut self) {
        self.world.run_while(&mut self.app, sleep(Duration::from_millis(100))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn blocked_and_unblocked_are_heard_by_all_who_asked_be_it_before_the_open() {
    let (world, mut app) = (World::new(), App::default());
    let (connection, mut peer) = world.open(parameters(), |_: &mut App, _, opened| opened.unwrap());
    connection.on_blocked(|app, _, reason| app.note(format!("blocked: {reason}")));
    connection.on_unblocked(|app, _| app.note("unblocked"));
    world.run_while(&mut app, peer.shake_hands()).await;
    world.run_until(&mut app, |_| connection.is_open()).await;
    connection.on_blocked(|app, _, _| app.note("blocked too"));
    peer.send(0, connection::Blocked::default().reason("low on memory")).await;
    world.run_while(&mut app, sleep(Duration::from_secs(1))).await;
    assert_eq!(connection.blocked().as_deref(), Some("low on memory"));
    peer.send(0, connection::Unblocked::default()).await;
    world.run_while(&mut app, sleep(Duration::from_secs(1))).await;
    assert_eq!(app.log, ["blocked: low on memory", "blocked too", "unblocked"]);
}

#[tokio::test(start_paused = true)]
async fn publishes_wait_in_line_while_the_channel_is_stopped() {
    let mut stage = Stage::new(parameters()).await;
    stage.app.channel().on_flow(|app, _, flows| app.note(format!("flow {flows}")));
    stage.peer.send(1, channel::Flow::default().active(false)).await;
    stage.rest().await;
    stage.peer.expect::<channel::FlowOk>(1).await;
    let channel = stage.app.channel().clone();
    channel.publish("", "q", "1").then(|app, _, queued| app.note(format!("1 {}", queued.is_ok())));
    channel.publish("", "q", "2").send();
    channel.publish("", "q", "3").then(|app, _, queued| app.note(format!("3 {}", queued.is_ok())));
    assert_eq!(channel.publish("", "q", "4").try_send().unwrap_err().kind(), ErrorKind::Backpressure);
    stage.rest().await;
    assert_eq!(stage.app.log, ["flow false"]);
    stage.peer.send(1, channel::Flow::default().active(true)).await;
    stage.rest().await;
    stage.peer.expect::<channel::FlowOk>(1).await;
    for expected in ["1", "2", "3"] {
        assert_eq!(stage.peer.expect_publish(1).await.body, expected.as_bytes());
    }
    stage.app.log.sort();
    assert_eq!(stage.app.log, ["1 true", "3 true", "flow false", "flow true"]);
}

#[tokio::test(start_paused = true)]
async fn returns_are_heard_by_the_last_handler_and_the_one_before_is_dropped() {
    let mut stage = Stage::new(parameters()).await;
    let held = Rc::new(());
    let weak = Rc::downgrade(&held);
    let channel = stage.app.channel().clone();
    channel.on_return(move |_, _, _| drop(Rc::clone(&held)));
    stage.rest().await;
    channel.on_return(|app, channel, returned| {
        app.note(format!("{} {} {}", channel.number(), returned.reply_code.code(), returned.message.body().len()));
    });
    stage.rest().await;
    assert!(weak.upgrade().is_none());
    let returned = basic::Return::default().reply_code(ReplyCode::NO_ROUTE).reply_text("NO_ROUTE").routing_key("q");
    stage.peer.send_content(1, returned, b"back").await;
    stage.rest().await;
    assert_eq!(stage.app.log, ["1 312 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_the_broker_cancels_is_told_by_its_tag_and_by_its_end() {
    let mut stage = Stage::new(parameters()).await;
    let channel = stage.app.channel().clone();
    channel.on_cancel(|app, _, tag| app.note(format!("cancelled {tag}")));
    channel
        .consume("q")
        .on_end(|app, _, why| app.note(format!("end {:?}", why.map(|why| why.kind()))))
        .each(|app, _, delivery| app.note(format!("{:?}", delivery.body())));
    let script = async {
        stage.peer.expect::<basic::Consume>(1).await;
        stage.peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
        let deliver = basic::Deliver::default().consumer_tag("c").delivery_tag(1);
        stage.peer.send_content(1, deliver, &[7]).await;
        stage.peer.send(1, basic::Cancel::default().consumer_tag("c").no_wait(true)).await;
    };
    stage.world.run_while(&mut stage.app, script).await;
    stage.rest().await;
    stage.app.log.sort();
    assert_eq!(stage.app.log, ["[7]", "cancelled c", "end Some(ConsumerCancelled)"]);
    assert!(channel.is_open());
}

#[tokio::test(start_paused = true)]
async fn each_confirmed_publish_has_the_outcome_that_the_broker_gives_it() {
    let mut stage = Stage::new(parameters()).await;
    stage.app.channel().confirm_select(|_: &mut App, _, publisher| {
        let publisher = publisher.unwrap();
        for body in ["ack", "nack", "return", "lost"] {
            let publish = publisher.publish("", "q", body).mandatory(true);
            publish.then(move |app, _, outcome| {
                app.note(format!("{body} {:?}", outcome.map_err(|error| (error.kind(), error.is_unknown()))));
            });
        }
    });
    let peer = &mut stage.peer;
    let script = async {
        peer.expect::<confirm::Select>(1).await;
        peer.send(1, confirm::SelectOk::default()).await;
        let mut published = Vec::new();
        for _ in 0..4 {
            published.push(peer.expect_publish(1).await);
        }
        peer.send(1, basic::Ack::default().delivery_tag(1)).await;
        peer.send(1, basic::Nack::default().delivery_tag(2)).await;
        let returned = basic::Return::default().reply_code(ReplyCode::NO_ROUTE).routing_key("q");
        peer.send_content_with(1, returned, &published[2].properties, &published[2].body).await;
        peer.send(1, basic::Ack::default().delivery_tag(3)).await;
        peer.cut_after(0);
        peer.send_heartbeat().await;
    };
    stage.world.run_while(&mut stage.app, script).await;
    stage.rest().await;
    let expected = [
        "ack Ok(())",
        "nack Err((Nacked, false))",
        "return Err((Returned, false))",
        "lost Err((ConnectionClosed, true))",
    ];
    assert_eq!(stage.app.log, expected);
}

#[tokio::test(start_paused = true)]
async fn requests_go_out_in_the_order_of_the_calls_before_any_is_answered() {
    let mut stage = Stage::new(parameters()).await;
    let channel = stage.app.channel().clone();
    channel.queue_declare("q").forget();
    channel.publish("", "q", "1").send();
    channel.consume("q").consumer_tag("c").each(|_, _, _| {});
    channel.publish("", "q", "2").then(|_, _, _| {});
    channel.get("q").then(|_, _, _| {});
    channel.queue_bind("q", "amq.fanout", "").forget();
    channel.publish("", "q", "3").try_send().unwrap();
    channel.confirm_select(|_, _, _| {});
    channel.close();
    stage.rest().await;
    let mut heard = Vec::new();
    while heard.last() != Some(&channel::Close::NAME) {
        match stage.peer.receive().await {
            Some(Received::Method(1, method)) => heard.push(method.name()),
            Some(Received::Header(..) | Received::Body(..)) => {}
            other => panic!("{other:?}"),
        }
    }
    let expected = [
        queue::Declare::NAME,
        basic::Publish::NAME,
        basic::Consume::NAME,
        basic::Publish::NAME,
        basic::Get::NAME,
        queue::Bind::NAME,
        basic::Publish::NAME,
        confirm::Select::NAME,
        channel::Close::NAME,
    ];
    assert_eq!(heard, expected);
}

/// By Pika's rule, how much waits with each frame at which it speaks: `drained` frames went out at
/// once, one by one, and the others wait.
fn speaks(multiplier: u64, drained: &[u64], waiting: &[u64]) -> Vec<u64> {
    let (mut frames, mut octets, mut queued) = (0, 0, 0);
    let mut spoken = Vec::new();
    for (number, length) in drained.iter().chain(waiting).enumerate() {
        frames += 1;
        octets += length;
        queued = if number < drained.len() { *length } else { queued * u64::from(number > drained.len()) + length };
        if queued * frames > octets * multiplier && number >= drained.len() {
            spoken.push(queued);
        }
    }
    spoken
}

#[test]
fn the_rule_of_this_test_is_that_of_the_table() {
    assert_eq!(speaks(10, &[], &[8; 13]), [88, 96, 104]);
    assert_eq!(speaks(2, &[], &[8; 4]), [24, 32]);
    assert_eq!(speaks(10, &[8; 20], &[1008]), [1008]);
    assert_eq!(speaks(10, &[], &[40, 22, 131_072, 131_072, 37_858]), [0; 0]);
}

/// What was heard, by how much waited, and the lengths of the frames: those that went out before
/// and those that were queued at once, which are `publishes` of a message of so many octets.
async fn publish_at_once(
    multiplier: Option<u32>,
    publishes: usize,
    size: usize,
) -> (Vec<u64>, Vec<u64>, Vec<u64>, usize) {
    let (world, mut heard) = (World::new(), (Vec::new(), 0));
    let parameters = parameters().backpressure_detection(true);
    let (connection, mut peer) = world.open(parameters, move |_: &mut (Vec<u64>, usize), connection, opened| {
        opened.unwrap();
        connection.open_channel(move |_, _, channel| {
            let channel = channel.unwrap();
            (0..publishes).for_each(|_| channel.publish("", "q", vec![7; size]).send());
            let kept = channel.clone();
            channel.on_close(move |_, _, _| drop(kept));
        });
    });
    assert!(connection.set_backpressure_multiplier(1).is_err(), "it is not open");
    // In whatever order they are given, the one who hears of the relief hears of it last.
    connection.on_relieved(|heard, _| heard.1 = heard.0.len());
    connection.on_backpressure(|heard, _, queued| heard.0.push(queued));
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let length = |frame: Option<leveret_test_support::frames::Frame>| frame.unwrap().payload.len() as u64 + 8;
    let script = async {
        // Frames of the handshake are not counted.
        peer.shake_hands().await;
        before.push(length(peer.receive_frame().await));
        if let Some(multiplier) = multiplier {
            connection.set_backpressure_multiplier(multiplier).unwrap();
        }
        peer.send(1, channel::OpenOk::default()).await;
        let pieces = if size == 0 { 0 } else { size.div_ceil(131_064) };
        for _ in 0..publishes * (2 + pieces) {
            after.push(length(peer.receive_frame().await));
        }
    };
    world.run_while(&mut heard, script).await;
    world.run_while(&mut heard, sleep(Duration::from_secs(1))).await;
    (heard.0, before, after, heard.1)
}

#[tokio::test(start_paused = true)]
async fn backpressure_is_heard_at_each_frame_that_pikas_rule_names_and_then_that_it_is_relieved() {
    for (multiplier, publishes, size) in [(None, 100, 1), (Some(2), 5, 10), (Some(1), 3, 300_000), (None, 1, 300_000)] {
        let (heard, before, after, relieved) = publish_at_once(multiplier, publishes, size).await;
        let expected = speaks(multiplier.unwrap_or(10).into(), &before, &after);
        assert_eq!(heard, expected, "{multiplier:?} {publishes} {size}");
        assert_eq!(relieved, expected.len(), "{multiplier:?} {publishes} {size}");
    }
}
