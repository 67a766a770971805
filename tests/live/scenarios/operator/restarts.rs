//! What a broker has after it was stopped and started.

use leveret::protocol::{MethodId, basic, exchange, queue};
use leveret::{FieldTable, Properties, Result};
use leveret_live_tests::raw::{Close, Raw};
use leveret_live_tests::{Disturbed, next, soon, unique};

const NO_METHOD: MethodId = Close::NO_METHOD;

fn durable(name: &str) -> queue::Declare {
    queue::Declare::default().queue(name).durable(true)
}

fn persistent() -> Properties {
    Properties::default().persistent(true)
}

/// Stops the broker and starts it, and gives another connection to it.
async fn restart(broker: &Disturbed, mut peer: Raw) -> Raw {
    broker.stop().await;
    let text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
    loop {
        let close = peer.expect_close().await;
        assert_eq!(close, Close::connection(320, text, NO_METHOD));
        if close.channel == 0 {
            break;
        }
    }
    broker.start().await;
    broker.open_raw().await
}

/// A method on a channel of its own is refused with 404.
async fn expect_missing(peer: &mut Raw, method: impl Into<leveret::protocol::Method>, text: &str) {
    let method = method.into();
    let id = method.id();
    peer.call(2, leveret::protocol::channel::Open::default()).await;
    peer.send(2, method).await;
    peer.expect_channel_close(2, 404, text, id).await;
}

/// The bodies in a queue and whether each is redelivered, which are taken out of it.
async fn drain(peer: &mut Raw, queue: &str, count: u32) -> Vec<(String, bool)> {
    assert_eq!(peer.call(1, durable(queue).passive(true)).await.message_count, count);
    let mut all = Vec::new();
    for _ in 0..count {
        peer.send(1, basic::Get::default().queue(queue).no_ack(true)).await;
        let got = peer.expect::<basic::GetOk>(1).await;
        let body = peer.expect_content(1).await.body;
        all.push((String::from_utf8_lossy(&body).into_owned(), got.redelivered));
    }
    all
}

#[tokio::test]
async fn persistent_messages_stay_in_order_and_those_that_were_delivered_are_redelivered() -> Result<()> {
    let broker = Disturbed::broker().await;
    let queue = unique("kept");
    let mut peer = broker.open_raw().await;
    peer.call(1, durable(&queue)).await;
    let (connection, channel) = broker.open().await;
    let publisher = soon(channel.confirm_select()).await?;
    for body in ["p0", "t1", "p2", "p3", "t4"] {
        let properties = if body.starts_with('p') { persistent() } else { Properties::default() };
        soon(publisher.publish("", &queue, body).properties(properties).confirmed()).await?;
    }
    let mut consumer = soon(channel.consume(&queue).prefetch(3)).await?;
    let _first = next(&mut consumer).await;
    let _second = next(&mut consumer).await;
    next(&mut consumer).await.ack().await?;
    // The next delivery shows that the broker has read the acknowledgement.
    let _third = next(&mut consumer).await;

    let mut peer = restart(&broker, peer).await;
    assert!(!connection.is_open());
    let kept = drain(&mut peer, &queue, 2).await;
    assert_eq!(kept, [("p0".to_owned(), true), ("p3".to_owned(), true)]);
    peer.call(1, queue::Delete::default().queue(&*queue)).await;
    peer.close().await;
    Ok(())
}

#[tokio::test]
async fn what_was_never_delivered_is_not_redelivered_and_priorities_hold() {
    let broker = Disturbed::broker().await;
    let queue = unique("kept");
    let mut peer = broker.open_raw().await;
    peer.call(1, durable(&queue).arguments(FieldTable::from([("x-max-priority", 5)]))).await;
    for priority in 0..3 {
        let properties = persistent().priority(priority);
        peer.publish_with(1, "", &queue, &properties, priority.to_string()).await;
    }
    peer.call(1, basic::Qos::default()).await;
    let mut peer = restart(&broker, peer).await;
    let kept = drain(&mut peer, &queue, 3).await;
    assert_eq!(kept, ["2", "1", "0"].map(|body| (body.to_owned(), false)));
    peer.call(1, queue::Delete::default().queue(&*queue)).await;
    peer.close().await;
}

#[tokio::test]
async fn what_is_not_durable_is_gone_and_no_auto_delete_exchange_goes_with_it() {
    let broker = Disturbed::broker().await;
    let [kept, lost, own, used, source, last, fleeting] =
        ["kept", "lost", "own", "used", "source", "last", "fleeting"].map(unique);
    let mut peer = broker.open_raw().await;
    peer.call(1, durable(&kept)).await;
    peer.call(1, queue::Declare::default().queue(&*lost)).await;
    peer.call(1, durable(&own).exclusive(true)).await;
    peer.call(1, durable(&used).auto_delete(true)).await;
    peer.call(1, basic::Consume::default().queue(&*used).consumer_tag("c")).await;
    let direct = |name: &str| exchange::Declare::default().exchange(name).kind("direct");
    peer.call(1, direct(&source).durable(true)).await;
    peer.call(1, direct(&last).durable(true).auto_delete(true)).await;
    peer.call(1, direct(&fleeting)).await;
    let bind = |queue: &str, exchange: &str| queue::Bind::default().queue(queue).exchange(exchange).routing_key("k");
    for (queue, exchange) in [(&kept, &source), (&kept, &fleeting), (&lost, &source), (&lost, &last)] {
        peer.call(1, bind(queue, exchange)).await;
    }
    peer.call(1, exchange::Bind::default().destination(&*fleeting).source(&*source).routing_key("k")).await;

    let mut peer = restart(&broker, peer).await;
    for name in [&lost, &own, &used] {
        let text = format!("NOT_FOUND - no queue '{name}' in vhost '/'");
        expect_missing(&mut peer, durable(name).passive(true), &text).await;
    }
    let text = format!("NOT_FOUND - no exchange '{fleeting}' in vhost '/'");
    expect_missing(&mut peer, direct(&fleeting).passive(true), &text).await;
    peer.call(1, direct(&last).passive(true)).await;
    peer.publish(1, &source, "k", "routed").await;
    peer.call(1, basic::Qos::default()).await;
    assert_eq!(drain(&mut peer, &kept, 1).await, [("routed".to_owned(), false)]);

    peer.call(1, direct(&fleeting)).await;
    peer.send(1, basic::Publish::default().exchange(&*fleeting).routing_key("k").mandatory(true)).await;
    peer.send_header(1, 0).await;
    peer.expect::<basic::Return>(1).await;
    peer.expect_content(1).await;
    peer.call(1, queue::Delete::default().queue(&*kept)).await;
    for exchange in [&source, &last, &fleeting] {
        peer.call(1, exchange::Delete::default().exchange(exchange.as_str())).await;
    }
    peer.close().await;
}
