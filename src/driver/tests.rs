//! The rules of the lock: where code outside the crate runs, and what is left.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;

use leveret_test_support::attention::{Attention, drop_after, in_turn, let_others_run_once};
use leveret_test_support::frames::method_octets;
use leveret_test_support::protocol::{basic, channel};
use leveret_test_support::{Peer, endings, oblige, tune};

use super::Driver;
use super::tokio::{OnTokioRuntime, agree as open_on, drive};
use crate::link::Shared;
use crate::protocol::{Method, Request, basic::Consume};
use crate::transport::Stream;
use crate::{Channel, Connection, ConnectionParameters, ErrorKind, Publisher};

/// Parameters for which scripts need to answer no additional requests.
pub(super) fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().heartbeat(0).default_prefetch(0)
}

/// How often the foreign code of the test ran, with the lock free and with the lock held.
#[derive(Debug, Default)]
struct Touched {
    free: AtomicUsize,
    held: AtomicUsize,
}

/// Foreign code, which checks the lock whenever it is woken, and when it is dropped.
struct Witness {
    shared: Arc<Shared>,
    touched: Arc<Touched>,
}

impl Witness {
    fn look(&self) {
        let count = if self.shared.is_unlocked() { &self.touched.free } else { &self.touched.held };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wake for Witness {
    fn wake(self: Arc<Self>) {
        self.look();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.look();
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.look();
    }
}

impl Touched {
    fn waker(self: &Arc<Self>, shared: &Arc<Shared>) -> Waker {
        Waker::from(Arc::new(Witness { shared: Arc::clone(shared), touched: Arc::clone(self) }))
    }

    fn body(self: &Arc<Self>, shared: &Arc<Shared>, len: usize) -> Bytes {
        let witness = Witness { shared: Arc::clone(shared), touched: Arc::clone(self) };
        Bytes::from_owner(Owner { octets: vec![0; len], _witness: witness })
    }

    fn counts(&self) -> (usize, usize) {
        (self.free.load(Ordering::Relaxed), self.held.load(Ordering::Relaxed))
    }
}

/// A body of the application.
struct Owner {
    octets: Vec<u8>,
    _witness: Witness,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.octets
    }
}

/// A connection to a scripted broker, with what operations need.
struct World {
    connection: Connection,
    channel: Channel,
    publisher: Publisher,
}

impl World {
    async fn new(capacity: usize, high_water: usize) -> Self {
        let (transport, mut peer) = Peer::new(capacity);
        let opening = Connection::open_on(transport, parameters().write_high_water(high_water));
        let (connection, ()) = tokio::join!(opening, peer.shake_hands());
        let connection = connection.unwrap();
        endings::watch(connection.leftovers());
        oblige(peer);
        let channel = connection.open_channel().await.unwrap();
        let publisher = connection.open_channel().await.unwrap().confirm_select().await.unwrap();
        Self { connection, channel, publisher }
    }

    fn lose(&self) {
        self.connection.shared().with(|state| state.engine.handle_transport_lost(None));
    }
}

/// Everything that waits for something.
#[derive(Debug, Clone, Copy)]
enum Operation {
    OpenChannel,
    Call,
    Publish,
    PublishAtTheGate,
    Confirmed,
    WaitForConfirms,
    ConfirmSelect,
    Consume,
    Next,
    Cancel,
    Get,
    NextReturned,
    CloseChannel,
    CloseConnection,
}

impl Operation {
    const ALL: [Self; 14] = [
        Self::OpenChannel,
        Self::Call,
        Self::Publish,
        Self::PublishAtTheGate,
        Self::Confirmed,
        Self::WaitForConfirms,
        Self::ConfirmSelect,
        Self::Consume,
        Self::Next,
        Self::Cancel,
        Self::Get,
        Self::NextReturned,
        Self::CloseChannel,
        Self::CloseConnection,
    ];

    async fn carry_out(self, world: &World) -> crate::Result<()> {
        let World { connection, channel, publisher, .. } = world;
        match self {
            Self::OpenChannel => connection.open_channel().await.map(drop),
            Self::Call => channel.queue_declare("q").await.map(drop),
            Self::Publish => channel.publish("", "q", vec![0; 100_000]).await,
            Self::PublishAtTheGate => {
                channel.publish("", "q", vec![0; 5000]).await?;
                channel.publish("", "q", vec![0; 5000]).await?;
                publisher.publish("", "q", vec![0; 5000]).confirmed().await
            }
            Self::Confirmed => publisher.publish("", "q", "x").confirmed().await,
            Self::WaitForConfirms => {
                let _confirm = publisher.publish("", "q", "x").await?;
                publisher.wait_for_confirms().await
            }
            Self::ConfirmSelect => channel.confirm_select().await.map(drop),
            Self::Consume => channel.consume("q").await.map(drop),
            Self::Next => {
                let mut consumer = channel.consume("q").await?;
                // Two messages come, and no more.
                while let Some(delivery) = consumer.try_next().await? {
                    delivery.ack().await?;
                }
                Ok(())
            }
            Self::Cancel => channel.consume("q").await?.cancel().await,
            Self::Get => channel.get("q").await.map(drop),
            Self::NextReturned => {
                channel.returns().next().await;
                Ok(())
            }
            Self::CloseChannel => channel.close().await,
            Self::CloseConnection => connection.close().await,
        }
    }
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Answered,
    Dropped,
    Lost,
}

impl Ending {
    const ALL: [Self; 3] = [Self::Answered, Self::Dropped, Self::Lost];
}

async fn settle() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn wakers_are_woken_and_dropped_where_the_lock_is_free() {
    in_turn(async {
        for operation in Operation::ALL {
            for (ending, last) in (1..10).flat_map(|last| Ending::ALL.map(|ending| (ending, last))) {
                let world = World::new(1024, 64).await;
                let shared = Arc::clone(world.connection.shared());
                let touched = Arc::new(Touched::default());
                let mut wakers = 0;
                {
                    let mut future = pin!(operation.carry_out(&world));
                    for turn in 0..40 {
                        wakers += 1;
                        // The future keeps it, or drops it: it has no other owner.
                        let waker = touched.waker(&shared);
                        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
                        drop(waker);
                        if polled.is_ready() || (ending == Ending::Dropped && turn == last) {
                            break;
                        }
                        if ending == Ending::Lost && turn == last {
                            world.lose();
                        }
                        if turn < 20 { let_others_run_once().await } else { settle().await }
                    }
                }
                drop(world);
                settle().await;
                let (free, held) = touched.counts();
                assert_eq!(held, 0, "{operation:?} {ending:?} at {last}");
                assert!(free >= wakers, "{operation:?} {ending:?} at {last}: {free} of {wakers} wakers were dropped");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn bodies_are_dropped_where_the_lock_is_free() {
    in_turn(async {
        const LARGE: usize = 10_000;
        for (len, mandatory) in [(10, false), (10, true), (LARGE, false), (LARGE, true)] {
            for ending in Ending::ALL {
                let world = World::new(1024, 25_000).await;
                let shared = Arc::clone(world.connection.shared());
                let touched = Arc::new(Touched::default());
                let (plain, confirmed) = (touched.body(&shared, len), touched.body(&shared, len));
                let (at_the_gate, refused) = (touched.body(&shared, len), touched.body(&shared, len));
                world.channel.publish("", "q", plain).mandatory(mandatory).await.unwrap();
                let confirm = world.publisher.publish("", "q", confirmed).mandatory(mandatory).await.unwrap();
                // This one closes the gate, and the next one waits.
                drop_after(0, Attention::Lost, world.channel.publish("", "q", vec![0; 30_000])).await;
                let turns = if ending == Ending::Dropped { 0 } else { 1 };
                drop_after(turns, Attention::Kept, world.publisher.publish("", "q", at_the_gate)).await;
                if ending == Ending::Lost {
                    world.lose();
                }
                settle().await;
                drop(confirm);
                world.lose();
                world.channel.publish("", "q", refused).await.unwrap_err();
                drop(world);
                settle().await;
                assert_eq!(touched.counts(), (4, 0), "{len} octets, mandatory {mandatory}, {ending:?}");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_mandatory_body_is_dropped_where_the_lock_is_free_when_its_ack_comes() {
    let world = World::new(64 * 1024, 64).await;
    let touched = Arc::new(Touched::default());
    let body = touched.body(world.connection.shared(), 10_000);
    let confirm = world.publisher.publish("", "q", body).mandatory(true).await.unwrap();
    assert_eq!(touched.counts(), (0, 0), "it is kept until the broker has decided");
    confirm.await.unwrap();
    settle().await;
    assert_eq!(touched.counts(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_dropped_at_any_point_leaves_no_slot_behind() {
    in_turn(async {
        for operation in Operation::ALL {
            for turns in 0..32 {
                for attention in [Attention::Kept, Attention::Lost] {
                    let world = World::new(64 * 1024, 64).await;
                    drop_after(turns, attention, operation.carry_out(&world)).await;
                    settle().await;
                    let in_use = world.connection.shared().with(|state| state.waiters.in_use());
                    assert_eq!(in_use, 0, "{operation:?} dropped after {turns} turns, attention {attention:?}");
                }
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_under_the_lock_fails_the_connection_and_nothing_panics_after_it() {
    let world = World::new(64 * 1024, 64).await;
    let shared = Arc::clone(world.connection.shared());
    let mut waiting = pin!(world.channel.queue_declare("q").into_future());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| shared.with(|_| panic!("a bug"))));
    std::panic::set_hook(hook);
    assert!(panicked.is_err());
    let error = world.connection.open_channel().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed);
    assert!(waiting.await.is_err());
    assert!(world.connection.close().await.is_err());
    settle().await;
    // This one, the handles', and that of whoever looks at the end of the test for what is left.
    assert_eq!(Arc::strong_count(&shared), 3, "the driver is gone");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_gives_its_buffers_back_and_takes_them_again() {
    let (transport, mut peer) = Peer::new(1024 * 1024);
    let parameters = parameters();
    let (agreed, ()) = tokio::join!(open_on(transport, &parameters), peer.shake_hands());
    let Ok(agreed) = agreed else { panic!("the handshake fails") };
    let (shared, mut driver) = drive(agreed);
    for _ in 0..2 {
        let now = tokio::time::Instant::now().into_std();
        shared.with(|state| {
            for _ in 0..100 {
                let id = state.waiters.insert();
                state.engine.open_channel(id, now).unwrap();
            }
        });
        peer.send_heartbeat().await;
        assert!(run(&mut driver, Duration::from_secs(1)).await.is_pending());
        assert!(driver.held() > 10_000, "{} octets", driver.held());
        assert!(run(&mut driver, Duration::from_secs(10)).await.is_pending());
        assert!(driver.held() < 3000, "{} octets", driver.held());
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_frame_that_is_only_declared_a_few_times_what_has_arrived_is_reserved() {
    // Four gibibytes less one, in each kind of frame; a body and a header are due.
    let deliver = method_octets(1, basic::Deliver::default().consumer_tag("c").delivery_tag(1));
    let consume_ok = method_octets(1, basic::ConsumeOk::default().consumer_tag("c"));
    let header = [&[2, 0, 1, 0, 0, 0, 14, 0, 60, 0, 0][..], &u64::MAX.to_be_bytes(), &[0, 0, 0xCE]].concat();
    let head = |kind: u8| [&[kind, 0, 1][..], &(u32::MAX - 8).to_be_bytes()].concat();
    let streams = [
        head(1),
        [consume_ok.clone(), deliver.clone(), head(2)].concat(),
        [consume_ok, deliver, header, head(3)].concat(),
    ];
    for stream in streams {
        let (shared, mut driver, mut peer) = unlimited().await;
        peer.send_octets(&stream).await;
        let mut arrived = 0;
        // As the frame arrives, and not ahead of it, room is made.
        for piece in [0, 1, 100, 10_000, 100_000, 1_000_000] {
            peer.send_octets(&vec![0; piece]).await;
            arrived += piece;
            assert!(run(&mut driver, Duration::from_secs(1)).await.is_pending());
            assert_eq!(shared.with(|state| state.engine.closure().cloned()), None);
            let held = driver.held();
            // There is room for as much again, and a buffer that grows doubles.
            assert!(held <= 4 * arrived + 256 * 1024, "{held} bytes are held for {arrived}");
        }
    }
}

/// A driver on a connection whose frames may have up to four gibibytes, with a consumer that starts
/// on channel 1.
async fn unlimited() -> (Arc<Shared>, Driver<impl Stream, OnTokioRuntime>, Peer) {
    let (transport, mut peer) = Peer::new(16 * 1024 * 1024);
    let parameters = parameters().frame_max(u32::MAX);
    let script = async {
        peer.expect_protocol_header().await;
        peer.agree_on(tune().frame_max(u32::MAX)).await
    };
    let (agreed, tuned) = tokio::join!(open_on(transport, &parameters), script);
    let Ok(agreed) = agreed else { panic!("the handshake fails") };
    assert_eq!(tuned.frame_max, u32::MAX);
    let (shared, driver) = drive(agreed);
    let now = tokio::time::Instant::now().into_std();
    shared.with(|state| {
        let (opens, starts) = (state.waiters.insert(), state.waiters.insert());
        let key = state.engine.open_channel(opens, now).unwrap();
        let mut open_ok = bytes::BytesMut::from(&method_octets(1, channel::OpenOk::default())[..]);
        state.engine.handle_bytes(&mut open_ok, now);
        let consume = Method::from(Consume::default().consumer_tag("c"));
        state.engine.call(key, &consume, Consume::REPLIES, starts, now).unwrap();
    });
    (shared, driver, peer)
}

/// Runs a driver for some time.
async fn run(driver: &mut Driver<impl Stream, OnTokioRuntime>, time: Duration) -> Poll<()> {
    match tokio::time::timeout(time, driver).await {
        Ok(()) => Poll::Ready(()),
        Err(_) => Poll::Pending,
    }
}
