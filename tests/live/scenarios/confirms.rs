//! Publisher confirms and returned messages.

use leveret::protocol::{Method, basic, confirm, queue};
use leveret::{ErrorKind, FieldTable, FieldValue, Properties, ReplyCode, Result};
use leveret_live_tests::raw::{Raw, Received};
use leveret_live_tests::{exclusive_queue, open, ready_messages, soon, unique};

use crate::messages::queue_with;
use crate::refusal::{assert_channel_refusal, refused_on};
use crate::routed::{another_channel, bodies};

#[tokio::test]
async fn ten_thousand_publishes_are_confirmed_each() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let publisher = soon(channel.confirm_select()).await?;
    let mut confirms = Vec::new();
    for number in 0..10_000_u32 {
        confirms.push(soon(publisher.publish("", &queue, number.to_string())).await?);
    }
    for confirm in confirms {
        soon(confirm).await?;
    }
    assert_eq!(connection.unconfirmed(), 0);
    assert_eq!(ready_messages(&channel, &queue).await, 10_000);
    Ok(())
}

#[tokio::test]
async fn confirms_of_many_tasks_on_one_channel_all_resolve() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let publisher = soon(channel.confirm_select()).await?;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (publisher, queue) = (publisher.clone(), queue.clone());
        tasks.push(tokio::spawn(async move {
            for _ in 0..100 {
                soon(publisher.publish("", &queue, "one of many").confirmed()).await?;
            }
            Ok::<(), leveret::Error>(())
        }));
    }
    for task in tasks {
        soon(task).await.expect("the task ends")?;
    }
    assert_eq!(ready_messages(&channel, &queue).await, 800);
    Ok(())
}

#[tokio::test]
async fn a_mandatory_message_that_no_queue_takes_fails_its_own_confirm() -> Result<()> {
    let (_connection, channel) = open().await;
    let (queue, nobody) = (exclusive_queue(&channel).await, unique("nobody"));
    let publisher = soon(channel.confirm_select()).await?;
    let headers = FieldTable::from([("zebra", 1), ("ant", 2)]);
    let properties = Properties::default().headers(headers).message_id("stray");
    let before = soon(publisher.publish("", &queue, "before").mandatory(true)).await?;
    let stray = soon(publisher.publish("", &nobody, "stray").mandatory(true).properties(&properties)).await?;
    let after = soon(publisher.publish("", &queue, "after").mandatory(true)).await?;

    soon(before).await?;
    let error = soon(stray).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Returned, "{error}");
    assert_eq!(error.reply_code(), Some(ReplyCode::NO_ROUTE));
    let returned = error.returned().expect("the message came back");
    assert_eq!(returned.message.body(), b"stray");
    assert_eq!(returned.message.routing_key(), nobody.as_bytes());
    soon(after).await?;
    assert_eq!(ready_messages(&channel, &queue).await, 2);
    Ok(())
}

#[tokio::test]
async fn a_message_that_comes_back_without_confirms_is_in_the_stream_of_returns() -> Result<()> {
    let (_connection, channel) = open().await;
    let mut returns = channel.returns();
    let nobody = unique("nobody");
    soon(channel.publish("", &nobody, "stray").mandatory(true)).await?;
    let returned = soon(returns.next()).await.expect("it comes back");
    assert_eq!(returned.reply_code, ReplyCode::NO_ROUTE);
    assert_eq!(returned.message.body(), b"stray");
    assert_eq!(returns.lost(), 0);
    soon(channel.close()).await?;
    assert!(soon(returns.next()).await.is_none(), "the stream ends with its channel");
    Ok(())
}

#[tokio::test]
async fn a_message_that_a_full_queue_refuses_is_nacked() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = unique("full");
    let mut arguments = FieldTable::new();
    arguments.insert("x-max-length", 1);
    arguments.insert("x-overflow", "reject-publish");
    soon(channel.queue_declare(&queue).exclusive(true).arguments(arguments)).await?;
    let publisher = soon(channel.confirm_select()).await?;
    soon(publisher.publish("", &queue, "fits").confirmed()).await?;
    let error = soon(publisher.publish("", &queue, "does not").confirmed()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Nacked, "{error}");
    assert_eq!(soon(publisher.settled()).await?.nacked, 1);
    assert_eq!(ready_messages(&channel, &queue).await, 1);
    Ok(())
}

#[tokio::test]
async fn waiting_for_confirms_waits_for_all_published_before() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let publisher = soon(channel.confirm_select()).await?;
    for _ in 0..500 {
        drop(soon(publisher.publish("", &queue, "awaited together")).await?);
    }
    soon(publisher.wait_for_confirms()).await?;
    assert_eq!(connection.unconfirmed(), 0);
    assert_eq!(ready_messages(&channel, &queue).await, 500);
    Ok(())
}

#[tokio::test]
async fn a_confirming_channel_does_not_become_transactional() -> Result<()> {
    let (_connection, channel) = open().await;
    soon(channel.confirm_select()).await?;
    let error = soon(channel.tx_select()).await.unwrap_err();
    let text = "PRECONDITION_FAILED - cannot switch from confirm to tx mode";
    assert_channel_refusal(&error, "tx.select", ReplyCode::PRECONDITION_FAILED, text);
    Ok(())
}

#[tokio::test]
async fn a_transactional_channel_does_not_confirm() -> Result<()> {
    let (connection, channel) = open().await;
    soon(channel.tx_select()).await?;
    let error = soon(channel.confirm_select()).await.unwrap_err();
    let text = "PRECONDITION_FAILED - cannot switch from tx to confirm mode";
    assert_channel_refusal(&error, "confirm.select", ReplyCode::PRECONDITION_FAILED, text);

    let channel = another_channel(&connection).await;
    soon(channel.tx_select()).await?;
    soon(channel.send(confirm::Select::default().no_wait(true))).await?;
    let error = refused_on(&channel).await;
    assert_channel_refusal(&error, "confirm.select", ReplyCode::PRECONDITION_FAILED, text);
    Ok(())
}

#[tokio::test]
async fn a_confirming_channel_neither_commits_nor_rolls_back() -> Result<()> {
    let (connection, channel) = open().await;
    let text = "PRECONDITION_FAILED - channel is not transactional";
    soon(channel.confirm_select()).await?;
    let error = soon(channel.tx_commit()).await.unwrap_err();
    assert_channel_refusal(&error, "tx.commit", ReplyCode::PRECONDITION_FAILED, text);
    let channel = another_channel(&connection).await;
    soon(channel.confirm_select()).await?;
    let error = soon(channel.tx_rollback()).await.unwrap_err();
    assert_channel_refusal(&error, "tx.rollback", ReplyCode::PRECONDITION_FAILED, text);
    Ok(())
}

/// The next thing is the confirm of this one publish.
async fn expect_ack(peer: &mut Raw, tag: u64) {
    assert_eq!(peer.expect::<basic::Ack>(1).await, basic::Ack::default().delivery_tag(tag));
}

#[tokio::test]
async fn confirms_count_from_one_on_each_channel_and_go_on_when_asked_for_again() {
    let mut peer = Raw::open_channel().await;
    let queue = unique("queue");
    peer.call(1, queue::Declare::default().queue(queue.as_str()).exclusive(true)).await;
    peer.publish(1, "", &queue, "without confirms").await;
    peer.call(1, confirm::Select::default()).await;
    peer.publish(1, "", &queue, "one").await;
    expect_ack(&mut peer, 1).await;
    peer.call(1, confirm::Select::default()).await;
    peer.send(1, confirm::Select::default().no_wait(true)).await;
    peer.publish(1, "", "nobody", "two").await;
    expect_ack(&mut peer, 2).await;
    peer.publish(1, "", &queue, "three").await;
    expect_ack(&mut peer, 3).await;
    peer.close().await;
}

#[tokio::test]
async fn a_message_comes_back_before_it_is_confirmed() {
    let mut peer = Raw::open_channel().await;
    peer.call(1, confirm::Select::default()).await;
    for tag in 1..=3 {
        peer.send(1, basic::Publish::default().exchange("amq.direct").routing_key("nobody").mandatory(true)).await;
        peer.send_header(1, 5).await;
        peer.send_body(1, b"stray").await;
        let returned: basic::Return = peer.expect(1).await;
        assert_eq!((returned.reply_code, &*returned.reply_text.to_string()), (ReplyCode::NO_ROUTE, "NO_ROUTE"));
        assert_eq!((&*returned.exchange.to_string(), &*returned.routing_key.to_string()), ("amq.direct", "nobody"));
        assert_eq!(peer.expect_content(1).await.body, b"stray");
        expect_ack(&mut peer, tag).await;
    }
    peer.close().await;
}

/// Takes confirms until each of these publishes has one; gives those that were refused.
async fn refused_among(peer: &mut Raw, mut awaited: Vec<u64>) -> Vec<u64> {
    let mut refused = Vec::new();
    while !awaited.is_empty() {
        let (tag, multiple, nack) = match soon(peer.receive()).await {
            Some(Received::Method(1, Method::BasicAck(ack))) => (ack.delivery_tag, ack.multiple, false),
            Some(Received::Method(1, Method::BasicNack(nack))) => (nack.delivery_tag, nack.multiple, true),
            other => panic!("expected a confirm, got {other:?}"),
        };
        let (settled, left) = awaited.into_iter().partition(|&one: &u64| one == tag || (multiple && one < tag));
        awaited = left;
        if nack {
            refused.extend::<Vec<u64>>(settled);
        }
    }
    refused.sort_unstable();
    refused
}

#[tokio::test]
async fn every_publish_of_a_batch_is_either_confirmed_or_refused() {
    let mut peer = Raw::open_channel().await;
    let (queue, full) = (unique("queue"), unique("full"));
    let mut arguments = FieldTable::from([("x-max-length", 0)]);
    arguments.insert("x-overflow", "reject-publish");
    peer.call(1, queue::Declare::default().queue(queue.as_str()).exclusive(true)).await;
    peer.call(1, queue::Declare::default().queue(full.as_str()).exclusive(true).arguments(arguments)).await;
    peer.call(1, confirm::Select::default()).await;
    for to in [&full, &queue, &full, &full, &queue] {
        peer.publish(1, "", to, "one of a batch").await;
    }
    assert_eq!(refused_among(&mut peer, vec![1, 2, 3, 4, 5]).await, [1, 3, 4]);
    peer.close().await;
}

#[tokio::test]
async fn a_message_is_refused_where_one_of_its_queues_is_full() -> Result<()> {
    let (_connection, channel) = open().await;
    let mut arguments = FieldTable::from([("x-max-length", 0)]);
    arguments.insert("x-overflow", "reject-publish");
    let (full, queue) = (queue_with(&channel, arguments).await, exclusive_queue(&channel).await);
    let copies = FieldTable::from([("CC", vec![FieldValue::from(queue.as_str())])]);
    let properties = Properties::default().headers(copies);
    let publisher = soon(channel.confirm_select()).await?;
    let publish = publisher.publish("", &full, "for both").mandatory(true).properties(&properties);
    let error = soon(publish.confirmed()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Nacked, "{error}");
    assert_eq!(bodies(&channel, &queue).await, ["for both"], "the other queue has it all the same");
    Ok(())
}

#[tokio::test]
async fn a_full_queue_that_drops_its_oldest_confirms_all() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = queue_with(&channel, FieldTable::from([("x-max-length", 1)])).await;
    let publisher = soon(channel.confirm_select()).await?;
    for body in ["1", "2", "3"] {
        soon(publisher.publish("", &queue, body).confirmed()).await?;
    }
    assert_eq!(bodies(&channel, &queue).await, ["3"]);
    Ok(())
}

#[tokio::test]
async fn without_confirms_a_full_queue_drops_what_it_refuses() -> Result<()> {
    let (_connection, channel) = open().await;
    let mut arguments = FieldTable::from([("x-max-length", 1)]);
    arguments.insert("x-overflow", "reject-publish");
    let queue = queue_with(&channel, arguments).await;
    let mut returns = channel.returns();
    for body in ["fits", "does not", "does not either"] {
        soon(channel.publish("", &queue, body).mandatory(true)).await?;
    }
    assert_eq!(bodies(&channel, &queue).await, ["fits"]);
    soon(channel.close()).await?;
    assert!(soon(returns.next()).await.is_none(), "nothing came back");
    Ok(())
}
