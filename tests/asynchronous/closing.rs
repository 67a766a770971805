//! Closes from either side, in time and with their first cause.

use std::time::Duration;

use leveret::protocol::{basic, channel, connection, queue};
use leveret::{Channel, Connection, ErrorKind, Initiator, ReplyCode};
use leveret_test_support::Peer;

use super::client::{Connect as _, parameters};
use super::steps::consumer;

const CAPACITY: usize = 64 * 1024;

/// A pipe that is full with less than the message of [`stall`].
const NARROW: usize = 1000;

/// A message that fills the pipe, so that whatever follows is stalled.
async fn stall(channel: &Channel) {
    channel.publish("", "q", vec![0; 5000]).await.unwrap();
    tokio::task::yield_now().await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_broker_closes_its_channel_and_nothing_else() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let (other, ()) = tokio::join!(connection.open_channel(), peer.open_channel(2));
    let other = other.unwrap();
    let script = async {
        peer.expect::<queue::Declare>(1).await;
        let close = channel::Close::default().reply_code(ReplyCode::NOT_FOUND).reply_text("no queue");
        peer.send(1, close.class_id(50).method_id(10)).await;
        peer.expect::<channel::CloseOk>(1).await;
        peer.expect::<queue::Declare>(2).await;
        peer.send(2, queue::DeclareOk::default()).await;
    };
    let client = async {
        let refused = channel.queue_declare("q").passive(true).await.unwrap_err();
        assert!(!refused.is_unknown() && !refused.is_not_sent(), "the broker answered: {refused:?}");
        for error in [refused, channel.queue_declare("q").await.unwrap_err(), channel.closed_by().unwrap()] {
            assert_eq!((error.kind(), error.initiator()), (ErrorKind::ChannelClosed, Some(Initiator::Broker)));
            assert_eq!((error.reply_text().as_deref(), error.method()), (Some("no queue"), Some("queue.declare")));
            assert!(error.is_not_found());
        }
        other.queue_declare("q").await.unwrap();
        assert!(connection.is_open() && other.is_open() && !channel.is_open());
    };
    tokio::join!(client, script);
    let (reopened, ()) = tokio::join!(connection.open_channel(), peer.open_channel(1));
    assert!(reopened.unwrap().is_open() && !channel.is_open());
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_of_an_earlier_incarnation_is_never_sent() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let mut consumer = consumer(&channel, &mut peer).await;
    peer.send_content(1, basic::Deliver::default().consumer_tag("c").delivery_tag(1), b"x").await;
    let delivery = consumer.next().await.unwrap().unwrap();
    peer.send(1, channel::Close::default().reply_code(ReplyCode::PRECONDITION_FAILED)).await;
    peer.expect::<channel::CloseOk>(1).await;
    let (reopened, ()) = tokio::join!(connection.open_channel(), peer.open_channel(1));
    let _reopened = reopened.unwrap();
    let error = delivery.ack().await.unwrap_err();
    assert!(error.is_not_sent() && error.is_precondition_failed());
    peer.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn closes_that_nobody_answers_end_in_time() {
    let parameters = parameters().call_timeout(Duration::from_secs(5)).close_timeout(Duration::from_secs(7));
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters).await;
    let before = tokio::time::Instant::now();
    let error = channel.close().await.unwrap_err();
    assert!(error.is_timeout() && error.to_string().contains("within call_timeout"), "{error}");
    assert_eq!(before.elapsed().as_secs(), 5);
    assert!(!channel.is_open());
    let error = connection.close().await.unwrap_err();
    assert!(error.is_timeout() && error.to_string().contains("within close_timeout"), "{error}");
    assert_eq!(before.elapsed().as_secs(), 12);
    peer.expect::<channel::Close>(1).await;
    peer.expect::<connection::Close>(0).await;
    peer.expect_end().await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_both_sides_close_at_once_is_over_when_the_broker_agrees_and_its_error_is_heard() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let script = async {
        peer.expect::<channel::Close>(1).await;
        peer.send(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND)).await;
        peer.expect::<channel::CloseOk>(1).await;
        peer.open_channel(2).await;
        peer.send(1, channel::CloseOk::default()).await;
        peer.open_channel(1).await;
    };
    let client = async {
        let (closed, opened) = tokio::join!(channel.close(), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            connection.open_channel().await
        });
        let error = closed.unwrap_err();
        assert!(error.is_not_found() && error.is_unknown(), "{error}");
        let _second = opened.unwrap();
        assert_eq!(connection.open_channel().await.unwrap().number(), 1);
    };
    tokio::join!(client, script);
}

#[tokio::test(start_paused = true)]
async fn closing_twice_and_by_clones_is_one_close() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let (connection_clone, channel_clone) = (connection.clone(), channel.clone());
    let script = async {
        peer.expect::<channel::Close>(1).await;
        peer.send(1, channel::CloseOk::default()).await;
        peer.agree_to_close().await;
    };
    let client = async {
        let (one, two) = tokio::join!(channel.close(), channel_clone.close());
        one.and(two).and(channel.close().await).unwrap();
        let (one, two) = tokio::join!(connection.close(), connection_clone.close());
        one.and(two).and(connection.close().await).unwrap();
    };
    tokio::join!(client, script);
    assert_eq!(connection.closed_by().unwrap().initiator(), Some(Initiator::Client));
}

#[tokio::test(start_paused = true)]
async fn closing_ends_in_time_when_the_peer_reads_nothing() {
    // Sooner than anything else that the driver's timer is set to.
    let limit = Duration::from_secs(2);
    let (connection, channel, mut peer) = Peer::connect_channel(NARROW, parameters().close_timeout(limit)).await;
    stall(&channel).await;
    let before = tokio::time::Instant::now();
    let error = connection.close().await.unwrap_err();
    assert!(error.is_timeout());
    assert!((limit..limit + Duration::from_millis(50)).contains(&before.elapsed()), "{:?}", before.elapsed());
    assert_eq!(peer.take_octets(10_000).await.len(), NARROW, "the transport is gone");
}

#[tokio::test(start_paused = true)]
async fn a_brokers_close_ends_in_time_when_it_does_not_read_the_answer() {
    let limit = Duration::from_secs(7);
    let (connection, channel, mut peer) = Peer::connect_channel(NARROW, parameters().close_timeout(limit)).await;
    stall(&channel).await;
    peer.send(0, connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED)).await;
    tokio::time::sleep(limit + Duration::from_secs(1)).await;
    assert!(!connection.is_open());
    assert_eq!(peer.take_octets(10_000).await.len(), NARROW, "the transport is gone");
}

/// The transport goes, in both directions.
async fn cut(peer: &mut Peer) {
    peer.cut_after(0);
    peer.send_octets(&[]).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_whose_transport_dies_with_octets_unwritten_is_an_error() {
    let (connection, channel, mut peer) = Peer::connect_channel(NARROW, parameters()).await;
    stall(&channel).await;
    let script = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cut(&mut peer).await;
    };
    let (channel_closed, closed, ()) = tokio::join!(channel.close(), connection.close(), script);
    for error in [closed.unwrap_err(), channel_closed.unwrap_err()] {
        assert_eq!((error.kind(), error.initiator()), (ErrorKind::ConnectionClosed, Some(Initiator::Transport)));
        assert!(error.is_unknown());
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_of_a_channel_whose_connection_is_lost_before_close_ok_is_an_error() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let script = async {
        peer.expect::<channel::Close>(1).await;
        cut(&mut peer).await;
    };
    let (closed, ()) = tokio::join!(channel.close(), script);
    let error = closed.unwrap_err();
    assert_eq!((error.kind(), error.initiator()), (ErrorKind::ConnectionClosed, Some(Initiator::Transport)));
    assert!(error.is_unknown());
}

#[tokio::test(start_paused = true)]
async fn closing_after_the_broker_broke_the_protocol_is_an_error() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    peer.send(0, connection::OpenOk::default()).await;
    let close = peer.expect::<connection::Close>(0).await;
    assert_eq!(close.reply_code, ReplyCode::COMMAND_INVALID);
    let agree = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        peer.send(0, connection::CloseOk::default()).await;
    };
    // Before the broker has agreed, and after.
    let (during, ()) = tokio::join!(connection.close(), agree);
    for closed in [during, connection.close().await, channel.close().await] {
        assert_eq!(closed.unwrap_err().kind(), ErrorKind::Protocol);
    }
}

#[tokio::test(start_paused = true)]
async fn each_who_closes_a_channel_has_a_deadline_of_its_own() {
    let parameters = parameters().call_timeout(Duration::from_secs(5));
    let (_connection, channel, _peer) = Peer::connect_channel(CAPACITY, parameters).await;
    let before = tokio::time::Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let closed = channel.close().await;
        (closed, before.elapsed().as_secs())
    };
    let first = async { (channel.close().await, before.elapsed().as_secs()) };
    let both = tokio::time::timeout(Duration::from_secs(3600), async { tokio::join!(first, later) });
    let ((first, at), (later, later_at)) = both.await.expect("neither waits for ever");
    assert!(first.unwrap_err().is_timeout() && later.unwrap_err().is_timeout());
    assert_eq!((at, later_at), (5, 8));
    let again = tokio::time::timeout(Duration::from_secs(3600), channel.close()).await;
    assert!(again.expect("it does not wait for ever").unwrap_err().is_timeout());
    assert_eq!(before.elapsed().as_secs(), 13);
}

/// A transport that never finishes shutting down, as one over TLS whose peer does not answer.
struct Lingering(tokio::io::DuplexStream, #[allow(dead_code, reason = "it is counted")] std::sync::Arc<()>);

mod lingering {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::Lingering;

    impl AsyncRead for Lingering {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Lingering {
        fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(context, octets)
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(context)
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_does_not_shut_down_is_dropped_in_time() {
    let limit = Duration::from_secs(7);
    let (transport, mut peer) = Peer::new(NARROW);
    let held = std::sync::Arc::new(());
    let transport = Lingering(transport, std::sync::Arc::clone(&held));
    let opening = Connection::open_on(transport, parameters().close_timeout(limit));
    let (connection, ()) = tokio::join!(opening, peer.shake_hands());
    let connection = connection.unwrap();
    let script = async {
        peer.expect::<connection::Close>(0).await;
        peer.send(0, connection::CloseOk::default()).await;
    };
    let (closed, ()) = tokio::join!(connection.close(), script);
    closed.unwrap();
    assert_eq!(std::sync::Arc::strong_count(&held), 2);
    tokio::time::sleep(limit + Duration::from_secs(1)).await;
    assert_eq!(std::sync::Arc::strong_count(&held), 1, "the transport is gone");
}
