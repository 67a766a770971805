//! Futures that are dropped at every point of their way: the connection stays in step, and what was
//! begun is undone.

use std::time::Duration;

use leveret::protocol::Method;
use leveret::{Channel, Connection, Publisher};
use leveret_test_support::attention::{Attention, drop_after, in_turn};
use leveret_test_support::{Heard, Peer, Received};

use super::client::{connect_obliged, parameters};

/// More turns than anything takes that does not wait for time.
pub(super) const TURNS: usize = 256;

/// Drops a future after every number of turns, on a connection of its own each, until it completes.
macro_rules! drop_at_every_point {
    (|$world:ident| $future:expr, |$after:ident, $output:ident| $check:expr) => {
        in_turn(async move {
            let mut completed = 0;
            for turns in 0..TURNS {
                for attention in [Attention::Kept, Attention::Lost] {
                    #[allow(unused_mut, reason = "some futures borrow the world mutably")]
                    let mut $world = World::new().await;
                    let $output = drop_after(turns, attention, $future).await;
                    completed += usize::from($output.is_some() && attention == Attention::Kept);
                    settle().await;
                    let $after = &mut $world;
                    $check;
                    let in_step = tokio::time::timeout(Duration::from_secs(3600), $after.is_in_step()).await;
                    in_step.expect("nothing waits for ever");
                }
                if completed > 2 {
                    break;
                }
            }
            assert!(completed > 0, "the future never completes");
        })
        .await
    };
}

pub(super) use drop_at_every_point;

/// Everything that can happen without time passing happens, and then some time passes.
pub(super) async fn settle() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// A connection with what the futures need.
pub(super) struct World {
    connection: Connection,
    pub(super) channel: Channel,
    pub(super) publisher: Publisher,
    pub(super) heard: Heard,
}

impl World {
    pub(super) async fn new() -> Self {
        let (connection, heard) =
            connect_obliged(64 * 1024, parameters().write_high_water(64).max_unconfirmed(1)).await;
        let channel = connection.open_channel().await.unwrap();
        let publisher = connection.open_channel().await.unwrap().confirm_select().await.unwrap();
        Self { connection, channel, publisher, heard }
    }

    /// Old and new channels answer what they are asked, publishes pass, and nothing is left over.
    pub(super) async fn is_in_step(&mut self) {
        for name in ["first", "second"] {
            assert_eq!(self.channel.queue_declare(name).await.unwrap().queue, name);
        }
        self.publisher.publish("", "q", vec![0; 100]).confirmed().await.unwrap();
        self.publisher.publish("", "q", vec![0; 100]).confirmed().await.unwrap();
        assert_eq!(self.publisher.settled().await.unwrap(), leveret::engine::Settled::default());
        let another = self.connection.open_channel().await.unwrap();
        assert_eq!(another.number(), 3, "the numbers of channels that were given up are free again");
        assert_eq!(another.queue_declare("third").await.unwrap().queue, "third");
        assert_eq!((self.connection.queued(), self.connection.unconfirmed()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn open_channel() {
    drop_at_every_point!(|world| world.connection.open_channel(), |world, opened| {
        let stays = usize::from(opened.is_some());
        drop(opened);
        settle().await;
        assert_eq!(world.heard.count("channel.close"), 1, "it is closed whether it was handed out or not: {stays}");
    });
}

#[tokio::test(start_paused = true)]
async fn call() {
    drop_at_every_point!(|world| world.channel.queue_declare("dropped"), |world, declared| {
        if let Some(declared) = declared {
            assert_eq!(declared.unwrap().queue, "dropped");
        }
        assert_eq!(world.heard.count("queue.declare"), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn consume() {
    drop_at_every_point!(|world| world.channel.consume("q"), |world, consumer| {
        drop(consumer);
        settle().await;
        assert_eq!(world.heard.count("basic.cancel"), 1);
        assert_eq!(world.heard.requeued(), [1, 2]);
    });
}

#[tokio::test(start_paused = true)]
async fn next_delivery() {
    drop_at_every_point!(
        |world| async {
            let mut consumer = world.channel.consume("q").await.unwrap();
            let first = consumer.next().await.unwrap().unwrap().delivery_tag();
            (first, consumer.next().await.unwrap().unwrap().delivery_tag())
        },
        |world, seen| {
            settle().await;
            assert_eq!(world.heard.count("basic.cancel"), 1);
            let seen = seen.map_or(0, |(_, second)| second);
            assert!(world.heard.requeued().len() as u64 <= 2 - seen);
        }
    );
}

#[tokio::test(start_paused = true)]
async fn next_delivery_alone() {
    in_turn(async {
        for turns in 0..8 {
            for attention in [Attention::Kept, Attention::Lost] {
                let mut world = World::new().await;
                let mut consumer = world.channel.consume("q").await.unwrap();
                let first = drop_after(turns, attention, consumer.next()).await;
                let first = match first {
                    Some(first) => first,
                    None => consumer.next().await,
                };
                assert_eq!(first.unwrap().unwrap().delivery_tag(), 1, "no message is lost");
                assert_eq!(consumer.next().await.unwrap().unwrap().delivery_tag(), 2);
                tokio::time::timeout(Duration::from_secs(3600), world.is_in_step())
                    .await
                    .expect("nothing waits for ever");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn cancel() {
    drop_at_every_point!(
        |world| async {
            let mut consumer = world.channel.consume("q").await.unwrap();
            consumer.cancel().await
        },
        |world, _cancelled| {
            assert!((1..=2).contains(&world.heard.count("basic.cancel")));
            assert_eq!(world.heard.requeued(), [1, 2]);
        }
    );
}

#[tokio::test(start_paused = true)]
async fn get() {
    drop_at_every_point!(|world| world.channel.get("q"), |world, got| {
        let given_back: &[u64] = if got.is_some() { &[] } else { &[1] };
        assert_eq!(world.heard.requeued(), given_back);
    });
}

#[tokio::test(start_paused = true)]
async fn update_secret() {
    drop_at_every_point!(|world| world.connection.update_secret("fresh", "it is time"), |world, _updated| {
        assert_eq!(world.heard.count("connection.update-secret"), 1);
        world.connection.update_secret("fresher", "it is time again").await.unwrap();
    });
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_end_and_for_events() {
    in_turn(async {
        for turns in 0..8 {
            for attention in [Attention::Kept, Attention::Lost] {
                let mut world = World::new().await;
                let (mut events, mut of_channel) = (world.connection.events(), world.channel.events());
                assert!(drop_after(turns, attention, world.connection.closed()).await.is_none());
                assert!(drop_after(turns, attention, world.channel.closed()).await.is_none());
                assert!(drop_after(turns, attention, events.next()).await.is_none());
                assert!(drop_after(turns, attention, of_channel.next()).await.is_none());
                let in_step = tokio::time::timeout(Duration::from_secs(3600), world.is_in_step()).await;
                in_step.expect("nothing waits for ever");
                world.channel.close().await.unwrap();
                world.connection.close().await.unwrap();
                // What nobody was there for is heard by who comes back.
                assert!(of_channel.next().await.is_some() && of_channel.next().await.is_none());
                assert!(events.next().await.is_some() && events.next().await.is_none());
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn close_of_a_channel() {
    drop_at_every_point!(
        |world| async {
            let channel = world.connection.open_channel().await.unwrap();
            channel.close().await
        },
        |world, _closed| assert_eq!(world.heard.count("channel.close"), 1)
    );
}

#[tokio::test(start_paused = true)]
async fn close_of_a_connection() {
    in_turn(async {
        for turns in 0..TURNS {
            for attention in [Attention::Kept, Attention::Lost] {
                let world = World::new().await;
                let closed = drop_after(turns, attention, world.connection.close()).await;
                settle().await;
                assert!(!world.connection.is_open());
                assert_eq!(world.heard.count("connection.close"), 1);
                let error = world.connection.open_channel().await.unwrap_err();
                assert!(error.is_not_sent());
                if let Some(closed) = closed {
                    return closed.unwrap();
                }
            }
        }
        panic!("it never closes");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn open() {
    in_turn(async {
        for turns in 0..TURNS {
            let (transport, mut peer) = Peer::new(64 * 1024);
            let script = tokio::spawn(async move {
                peer.shake_hands_as_far_as_it_goes().await;
                peer.receive().await
            });
            let opened = drop_after(turns, Attention::Kept, Connection::open_on(transport, parameters())).await;
            let completed = opened.is_some();
            // The last handle of a connection that was opened is dropped at once.
            drop(opened);
            let last = tokio::time::timeout(Duration::from_secs(1), script).await;
            let last = last.expect("the transport is gone").unwrap();
            let closes = matches!(last, Some(Received::Method(0, Method::ConnectionClose(_))));
            assert_eq!(closes, completed, "it leaves nothing behind but a closed transport: {last:?}");
            if completed {
                return;
            }
        }
        panic!("it never opens");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_on_many_threads_drop_what_they_like() {
    let (connection, heard) = connect_obliged(100, parameters().write_high_water(64).max_unconfirmed(3)).await;
    let tasks: Vec<_> = (0..16_usize)
        .map(|task| {
            let connection = connection.clone();
            tokio::spawn(async move {
                let channel = connection.open_channel().await.unwrap();
                let publisher = connection.open_channel().await.unwrap().confirm_select().await.unwrap();
                for turn in 0..40 {
                    let turns = (task * 7 + turn * 5) % 12;
                    let attention = if turn % 2 == 0 { Attention::Kept } else { Attention::Lost };
                    drop_after(turns, attention, channel.queue_declare("dropped")).await;
                    drop_after(turns, attention, publisher.publish("", "q", "x").confirmed()).await;
                    drop_after(turns, attention, channel.get("q")).await;
                    drop_after(turns, attention, connection.open_channel()).await;
                    assert_eq!(channel.queue_declare("in step").await.unwrap().queue, "in step");
                    publisher.publish("", "q", "x").confirmed().await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(60), task).await.expect("nothing waits for ever").unwrap();
    }
    connection.close().await.unwrap();
    assert_eq!(heard.count("connection.close"), 1);
}
