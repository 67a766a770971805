//! A durable queue that is down, and comes up again when the broker restarts.

use leveret::protocol::{Method, ProtocolMethod, basic, channel, queue};
use leveret::{ErrorKind, Properties, ReplyCode, Result};
use leveret_live_tests::raw::Raw;
use leveret_live_tests::{Disturbed, next, soon, unique};

fn declare(name: &str) -> queue::Declare {
    queue::Declare::default().queue(name).durable(true)
}

#[tokio::test]
async fn a_queue_that_goes_down_cancels_its_consumers_nacks_publishes_and_keeps_its_messages() -> Result<()> {
    let broker = Disturbed::broker().await;
    let (connection, channel) = broker.open().await;
    let [name, other] = ["down", "other"].map(unique);
    soon(channel.queue_declare(&name).durable(true)).await?;
    soon(channel.queue_declare(&other).exclusive(true)).await?;
    for queue in [&name, &other] {
        soon(channel.queue_bind(queue, "amq.fanout", "")).await?;
    }
    let publisher = soon(soon(connection.open_channel()).await?.confirm_select()).await?;
    let persistent = Properties::default().persistent(true);
    soon(publisher.publish("", &name, "kept").properties(&persistent).confirmed()).await?;
    let mut consumer = soon(channel.consume(&name)).await?;
    let held = next(&mut consumer).await;

    broker.stop_queue(&name).await;
    let error = soon(consumer.next()).await.expect("the cause comes first").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConsumerCancelled, "{error}");
    soon(held.ack()).await?;
    // The broker has read the acknowledgement, and has nothing against it.
    soon(channel.queue_bind(&other, "amq.fanout", "again")).await?;
    for exchange in ["", "amq.fanout"] {
        let publish = publisher.publish(exchange, &name, "refused").properties(&persistent).mandatory(true);
        assert_eq!(soon(publish.confirmed()).await.unwrap_err().kind(), ErrorKind::Nacked);
    }
    let taken = soon(channel.get(&other).no_ack(true)).await?.expect("the other queue took it");
    assert_eq!(taken.body(), b"refused");
    let error = soon(channel.consume(&name)).await.unwrap_err();
    assert_eq!(error.reply_code(), Some(ReplyCode::NOT_FOUND), "{error}");

    broker.stop().await;
    broker.start().await;
    let (connection, channel) = broker.open().await;
    let kept = soon(channel.get(&name)).await?.expect("the message is there");
    assert_eq!((kept.body(), kept.is_redelivered()), (&b"kept"[..], true));
    assert_eq!(kept.message_count(), 0, "what was nacked is not there");
    soon(channel.queue_delete(&name)).await?;
    soon(connection.close()).await
}

/// What the broker answers to a method on a channel of its own: the answer, or code and text of a
/// close.
async fn outcome(peer: &mut Raw, number: u16, method: Method) -> std::result::Result<Method, (u16, String)> {
    peer.call(number, channel::Open::default()).await;
    peer.send(number, method).await;
    match peer.receive().await {
        Some(leveret_live_tests::raw::Received::Method(_, Method::ChannelClose(close))) => {
            peer.send(number, channel::CloseOk::default()).await;
            Err((close.reply_code.code(), close.reply_text.to_string()))
        }
        Some(leveret_live_tests::raw::Received::Method(_, method)) => Ok(method),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_needs_a_queue_that_is_down_is_refused_with_404_and_the_rest_works() {
    let broker = Disturbed::broker().await;
    let mut peer = broker.open_raw().await;
    let name = unique("down");
    peer.call(1, declare(&name)).await;
    broker.stop_queue(&name).await;
    let text = format!("NOT_FOUND - queue '{name}' in vhost '/' process is stopped by supervisor");
    let refused: [Method; 5] = [
        declare(&name).passive(true).into(),
        declare(&name).into(),
        basic::Consume::default().queue(&*name).into(),
        basic::Get::default().queue(&*name).into(),
        queue::Purge::default().queue(&*name).into(),
    ];
    for (number, method) in (2..).zip(refused) {
        assert_eq!(outcome(&mut peer, number, method).await, Err((404, text.clone())));
    }
    let (code, _) = outcome(&mut peer, 10, declare(&name).durable(false).into()).await.unwrap_err();
    assert_eq!(code, 406);
    let bind = queue::Bind::default().queue(&*name).exchange("amq.topic").routing_key("k");
    assert_eq!(outcome(&mut peer, 11, bind.into()).await, Ok(queue::BindOk::default().into()));
    let unbind = queue::Unbind::default().queue(&*name).exchange("amq.topic").routing_key("k");
    assert_eq!(outcome(&mut peer, 12, unbind.into()).await, Ok(queue::UnbindOk::default().into()));
    let deleted = outcome(&mut peer, 13, queue::Delete::default().queue(&*name).into()).await;
    assert_eq!(deleted, Ok(queue::DeleteOk::default().into()));
    peer.send(1, declare(&name).passive(true)).await;
    let text = format!("NOT_FOUND - no queue '{name}' in vhost '/'");
    peer.expect_channel_close(1, 404, &text, queue::Declare::ID).await;
    peer.close().await;
}
