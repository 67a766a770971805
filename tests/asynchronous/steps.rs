//! Steps that many scripts have in common, all on channel 1.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use leveret::asynchronous::Consume;
use leveret::protocol::{basic, confirm};
use leveret::{Channel, Consumer, Publisher};
use leveret_test_support::Peer;

/// A consumer of the tag `c`, which nobody has sent anything.
pub(super) async fn consumer(channel: &Channel, peer: &mut Peer) -> Consumer {
    started(channel.consume("q"), peer).await
}

/// The same, asked for in this way.
pub(super) async fn started(consume: Consume<'_>, peer: &mut Peer) -> Consumer {
    let script = async {
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
    };
    let (consumer, ()) = tokio::join!(consume.into_future(), script);
    consumer.unwrap()
}

/// The channel confirms what is published on it from here on.
pub(super) async fn publisher(channel: &Channel, peer: &mut Peer) -> Publisher {
    let script = async {
        peer.expect::<confirm::Select>(1).await;
        peer.send(1, confirm::SelectOk::default()).await;
    };
    let (publisher, ()) = tokio::join!(channel.confirm_select(), script);
    publisher.unwrap()
}

/// A message arrives for the consumer of this tag.
pub(super) async fn deliver(peer: &mut Peer, consumer_tag: &str, delivery_tag: u64, body: &[u8]) {
    let deliver = basic::Deliver::default().consumer_tag(consumer_tag).delivery_tag(delivery_tag);
    peer.send_content(1, deliver, body).await;
}

/// What a consumer hands out next: the tag of a delivery, and its body.
pub(super) async fn next(consumer: &mut Consumer) -> Option<(u64, Vec<u8>)> {
    let delivery = consumer.try_next().await.unwrap()?;
    Some((delivery.delivery_tag(), delivery.body().to_vec()))
}

/// Polls a future once; gives its output where that is there.
pub(super) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Option<F::Output> {
    match poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
