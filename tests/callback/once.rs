//! Each handler is called exactly once, whatever becomes of what it waits for, and is dropped then.

use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use leveret::callback::{Channel, Connection, Publisher};
use leveret::protocol::{basic, channel, confirm, connection, queue};
use leveret::{ConnectionParameters, ReplyCode};
use leveret_test_support::Peer;
use tokio::time::{sleep, timeout};

use super::world::World;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Asks {
    OpenChannel,
    UpdateSecret,
    Declare,
    Get,
    ConfirmSelect,
    Confirm,
    Confirms,
    Consume,
    CancelConsumer,
    CloseChannel,
    CloseConnection,
    ChannelOver,
    ConnectionOver,
}

const ASKS: [Asks; 13] = [
    Asks::OpenChannel,
    Asks::UpdateSecret,
    Asks::Declare,
    Asks::Get,
    Asks::ConfirmSelect,
    Asks::Confirm,
    Asks::Confirms,
    Asks::Consume,
    Asks::CancelConsumer,
    Asks::CloseChannel,
    Asks::CloseConnection,
    Asks::ChannelOver,
    Asks::ConnectionOver,
];

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Becomes {
    Answered,
    ChannelClosed(ReplyCode),
    ConnectionClosed,
    Cut,
    TimedOut,
    LoopDropped,
}

const BECOMES: [Becomes; 7] = [
    Becomes::Answered,
    Becomes::ChannelClosed(ReplyCode::NOT_FOUND),
    Becomes::ChannelClosed(ReplyCode::PRECONDITION_FAILED),
    Becomes::ConnectionClosed,
    Becomes::Cut,
    Becomes::TimedOut,
    Becomes::LoopDropped,
];

#[derive(Default)]
struct App {
    channel: Option<Channel<App>>,
    publisher: Option<Publisher<App>>,
    /// Whether each call that was heard of was an error.
    failed: Vec<bool>,
}

fn parameters() -> ConnectionParameters {
    let limit = Duration::from_secs(10);
    ConnectionParameters::default().heartbeat(0).default_prefetch(0).call_timeout(limit).close_timeout(limit)
}

/// A connection with a channel, which confirms where that is needed.
async fn prepare(world: &World<App>, app: &mut App, confirms: bool) -> (Connection<App>, Peer) {
    let (connection, mut peer) = world.open(parameters(), move |_: &mut App, connection, opened| {
        opened.unwrap();
        connection.open_channel(move |app: &mut App, _, channel| {
            let channel = channel.unwrap();
            if confirms {
                channel.confirm_select(|app: &mut App, _, publisher| app.publisher = Some(publisher.unwrap()));
            }
            app.channel = Some(channel);
        });
    });
    let script = async {
        peer.shake_hands().await;
        peer.open_channel(1).await;
        if confirms {
            peer.expect::<confirm::Select>(1).await;
            peer.send(1, confirm::SelectOk::default()).await;
        }
    };
    world.run_while(app, script).await;
    world.run_until(app, |app| app.channel.is_some() && app.publisher.is_some() == confirms).await;
    (connection, peer)
}

impl Asks {
    /// Asks for it; the handler holds `held`.
    fn ask(self, app: &App, connection: &Connection<App>, held: Rc<Cell<u32>>) {
        let hear = move |app: &mut App, failed: bool| {
            held.set(held.get() + 1);
            app.failed.push(failed);
        };
        let channel = app.channel.as_ref().unwrap();
        match self {
            Self::OpenChannel => connection.open_channel(move |app, _, opened| hear(app, opened.is_err())),
            Self::UpdateSecret => connection.update_secret("s", "r", move |app, _, told| hear(app, told.is_err())),
            Self::Declare => channel.queue_declare("q").then(move |app, _, declared| hear(app, declared.is_err())),
            Self::Get => channel.get("q").then(move |app, _, got| hear(app, got.is_err())),
            Self::ConfirmSelect => channel.confirm_select(move |app, _, selected| hear(app, selected.is_err())),
            Self::Confirm => {
                let publisher = app.publisher.as_ref().unwrap();
                publisher.publish("", "q", "x").then(move |app, _, outcome| hear(app, outcome.is_err()));
            }
            Self::Confirms => {
                let publisher = app.publisher.as_ref().unwrap();
                publisher.publish("", "q", "x").then(|_, _, _| {});
                publisher.wait_for_confirms(move |app, _, outcome| hear(app, outcome.is_err()));
            }
            Self::Consume => {
                channel.consume("q").on_end(move |app, _, why| hear(app, why.is_some())).each(|_, _, _| {});
            }
            Self::CancelConsumer => {
                let consumer = channel.consume("q").consumer_tag("c");
                let consumer = consumer.on_end(move |app, _, why| hear(app, why.is_some())).each(|_, _, _| {});
                consumer.cancel();
            }
            Self::CloseChannel => channel.close_then(move |app, _, closed| hear(app, closed.is_err())),
            Self::CloseConnection => connection.close_then(move |app, _, closed| hear(app, closed.is_err())),
            Self::ChannelOver => channel.on_close(move |app, _, _| hear(app, true)),
            Self::ConnectionOver => connection.on_close(move |app, _, _| hear(app, true)),
        }
    }

    /// The peer hears of it.
    async fn heard(self, peer: &mut Peer) {
        match self {
            Self::OpenChannel => {
                peer.expect::<channel::Open>(2).await;
            }
            Self::UpdateSecret => {
                peer.expect::<connection::UpdateSecret>(0).await;
            }
            Self::Declare => {
                peer.expect::<queue::Declare>(1).await;
            }
            Self::Get => {
                peer.expect::<basic::Get>(1).await;
            }
            Self::ConfirmSelect => {
                peer.expect::<confirm::Select>(1).await;
            }
            Self::Confirm | Self::Confirms => {
                peer.expect_publish(1).await;
            }
            Self::Consume => {
                peer.expect::<basic::Consume>(1).await;
            }
            Self::CancelConsumer => {
                peer.expect::<basic::Consume>(1).await;
                peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
                peer.expect::<basic::Cancel>(1).await;
            }
            Self::CloseChannel => {
                peer.expect::<channel::Close>(1).await;
            }
            Self::CloseConnection => {
                peer.expect::<connection::Close>(0).await;
            }
            Self::ChannelOver | Self::ConnectionOver => {}
        }
    }

    async fn answer(self, peer: &mut Peer) {
        match self {
            Self::OpenChannel => peer.send(2, channel::OpenOk::default()).await,
            Self::UpdateSecret => peer.send(0, connection::UpdateSecretOk::default()).await,
            Self::Declare => peer.send(1, queue::DeclareOk::default().queue("q")).await,
            Self::Get => peer.send(1, basic::GetEmpty::default()).await,
            Self::ConfirmSelect => peer.send(1, confirm::SelectOk::default()).await,
            Self::Confirm | Self::Confirms => peer.send(1, basic::Ack::default().delivery_tag(1)).await,
            Self::Consume => peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await,
            Self::CancelConsumer => peer.send(1, basic::CancelOk::default().consumer_tag("c")).await,
            Self::CloseChannel => peer.send(1, channel::CloseOk::default()).await,
            Self::CloseConnection => peer.send(0, connection::CloseOk::default()).await,
            Self::ChannelOver | Self::ConnectionOver => {}
        }
    }

    /// The answer alone is what its handler hears of.
    fn is_answered(self) -> bool {
        !matches!(self, Self::Consume | Self::ChannelOver | Self::ConnectionOver)
    }
}

/// What came of a case: how often the handler was called, whether the first call was an error, and
/// whether the handler is still there.
async fn play(asks: Asks, becomes: Becomes) -> (u32, Option<bool>, Weak<Cell<u32>>) {
    let world = World::new();
    let mut app = App::default();
    let (connection, mut peer) = prepare(&world, &mut app, matches!(asks, Asks::Confirm | Asks::Confirms)).await;
    let calls = Rc::new(Cell::new(0));
    asks.ask(&app, &connection, Rc::clone(&calls));
    world.run_while(&mut app, asks.heard(&mut peer)).await;
    let soon = Duration::from_secs(1);
    match becomes {
        Becomes::Answered => asks.answer(&mut peer).await,
        Becomes::ChannelClosed(code) => peer.send(1, channel::Close::default().reply_code(code)).await,
        Becomes::ConnectionClosed => {
            peer.send(0, connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED)).await;
        }
        Becomes::Cut => peer.cut_after(0),
        Becomes::TimedOut => world.run_while(&mut app, sleep(20 * soon)).await,
        Becomes::LoopDropped => {
            drop(world);
            let weak = Rc::downgrade(&calls);
            return (Rc::try_unwrap(calls).map_or(u32::MAX, |calls| calls.get()), None, weak);
        }
    }
    world.run_while(&mut app, sleep(soon)).await;
    if becomes == Becomes::Answered && asks.is_answered() {
        assert_eq!(app.failed, [false], "{asks:?}");
    }
    // Whatever is left ends with the connection, and with it all that could happen.
    drop(peer);
    timeout(Duration::from_secs(3600), world.run(&mut app)).await.expect("the loop is idle");
    let weak = Rc::downgrade(&calls);
    (calls.get(), app.failed.first().copied(), weak)
}

#[tokio::test(start_paused = true)]
async fn each_handler_is_called_once_whatever_happens_and_dropped_then() {
    for asks in ASKS {
        for becomes in BECOMES {
            let (calls, failed, handler) = play(asks, becomes).await;
            let expected = u32::from(becomes != Becomes::LoopDropped);
            assert_eq!(calls, expected, "{asks:?} {becomes:?}");
            assert!(handler.upgrade().is_none(), "{asks:?} {becomes:?}: the handler is still there");
            let ends = matches!(becomes, Becomes::Cut | Becomes::ConnectionClosed);
            let agrees = matches!(asks, Asks::CloseConnection);
            assert!(!ends || agrees || failed == Some(true), "{asks:?} {becomes:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_fails_with_the_reason_that_closed_its_channel() {
    for code in [ReplyCode::NOT_FOUND, ReplyCode::PRECONDITION_FAILED] {
        let world = World::new();
        let mut app = App::default();
        let (_connection, mut peer) = prepare(&world, &mut app, false).await;
        let heard = Rc::new(Cell::new(None));
        let hears = Rc::clone(&heard);
        let channel = app.channel.clone().unwrap();
        channel.queue_declare("q").passive(true).then(move |_, channel, declared| {
            hears.set(Some((declared.unwrap_err().reply_code(), channel.is_open())));
        });
        let script = async {
            peer.expect::<queue::Declare>(1).await;
            peer.send(1, channel::Close::default().reply_code(code)).await;
            peer.expect::<channel::CloseOk>(1).await;
        };
        world.run_while(&mut app, script).await;
        assert_eq!(heard.get(), Some((Some(code), false)));
    }
}
