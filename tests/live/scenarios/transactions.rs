//! Transactions of a channel, and publishing in them.

use leveret::protocol::{basic, tx};
use leveret::{FieldTable, Properties, ReplyCode, Result};
use leveret_live_tests::raw::Raw;
use leveret_live_tests::{exclusive_queue, open, ready_messages, soon, unique};

use crate::messages::queue_with;
use crate::refusal::{assert_channel_refusal, refused_on};
use crate::routed::{another_channel, bodies, bound_queue, exchange};

#[tokio::test]
async fn a_commit_publishes_and_a_rollback_does_not() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.tx_select()).await?;
    soon(channel.publish("", &queue, "kept")).await?;
    assert!(soon(channel.get(&queue)).await?.is_none(), "nothing is there before the commit");
    soon(channel.tx_commit()).await?;
    soon(channel.publish("", &queue, "discarded")).await?;
    soon(channel.tx_rollback()).await?;
    assert_eq!(ready_messages(&channel, &queue).await, 1);
    Ok(())
}

#[tokio::test]
async fn a_commit_or_rollback_without_a_transaction_closes_the_channel() -> Result<()> {
    let (connection, channel) = open().await;
    let text = "PRECONDITION_FAILED - channel is not transactional";
    let error = soon(channel.tx_commit()).await.unwrap_err();
    assert_channel_refusal(&error, "tx.commit", ReplyCode::PRECONDITION_FAILED, text);
    let error = soon(another_channel(&connection).await.tx_rollback()).await.unwrap_err();
    assert_channel_refusal(&error, "tx.rollback", ReplyCode::PRECONDITION_FAILED, text);
    Ok(())
}

#[tokio::test]
async fn a_channel_becomes_transactional_once() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.tx_select()).await?;
    soon(channel.publish("", &queue, "kept")).await?;
    soon(channel.tx_select()).await?;
    assert!(soon(channel.get(&queue)).await?.is_none(), "selecting again commits nothing");
    soon(channel.tx_commit()).await?;
    soon(channel.tx_commit()).await?;
    soon(channel.tx_rollback()).await?;
    assert_eq!(bodies(&channel, &queue).await, ["kept"]);
    Ok(())
}

#[tokio::test]
async fn what_is_published_in_a_transaction_is_in_order_and_nowhere_before_its_commit() -> Result<()> {
    let (connection, channel) = open().await;
    let (queue, other) = (exclusive_queue(&channel).await, exclusive_queue(&channel).await);
    let watching = another_channel(&connection).await;
    soon(channel.tx_select()).await?;
    for body in ["1", "2", "3"] {
        soon(channel.publish("", &queue, body)).await?;
        soon(channel.publish("", &other, body)).await?;
    }
    assert!(soon(channel.get(&queue)).await?.is_none());
    assert!(soon(watching.get(&queue)).await?.is_none());
    soon(channel.tx_commit()).await?;
    assert_eq!(bodies(&watching, &queue).await, ["1", "2", "3"]);
    assert_eq!(bodies(&watching, &other).await, ["1", "2", "3"]);
    Ok(())
}

#[tokio::test]
async fn a_mandatory_message_of_a_transaction_comes_back_at_its_commit() {
    let mut peer = Raw::open_channel().await;
    peer.call(1, tx::Select::default()).await;
    for commits in [false, true] {
        for body in ["first", "second"] {
            peer.send(1, basic::Publish::default().exchange("amq.direct").routing_key("nobody").mandatory(true)).await;
            peer.send_header(1, body.len()).await;
            peer.send_body(1, body.as_bytes()).await;
        }
        // The answer to this one shows that nothing has come back yet.
        peer.call(1, basic::Qos::default()).await;
        if !commits {
            peer.call(1, tx::Rollback::default()).await;
            continue;
        }
        peer.send(1, tx::Commit::default()).await;
        for body in ["first", "second"] {
            let returned: basic::Return = peer.expect(1).await;
            assert_eq!(returned.reply_code, ReplyCode::NO_ROUTE);
            assert_eq!(peer.expect_content(1).await.body, body.as_bytes());
        }
        peer.expect::<tx::CommitOk>(1).await;
    }
    peer.close().await;
}

#[tokio::test]
async fn a_publish_that_is_refused_ends_its_transaction_at_once() -> Result<()> {
    let (connection, channel) = open().await;
    let (queue, missing) = (exclusive_queue(&channel).await, unique("missing"));
    let transaction = another_channel(&connection).await;
    soon(transaction.tx_select()).await?;
    soon(transaction.publish("", &queue, "lost with it")).await?;
    soon(transaction.publish(&missing, "key", "refused")).await?;
    let error = refused_on(&transaction).await;
    let text = format!("NOT_FOUND - no exchange '{missing}' in vhost '/'");
    assert_channel_refusal(&error, "basic.publish", ReplyCode::NOT_FOUND, &text);

    let transaction = another_channel(&connection).await;
    soon(transaction.tx_select()).await?;
    soon(transaction.publish("", &queue, "lost with it")).await?;
    let wrong = Properties::default().expiration("soon");
    soon(transaction.publish("", &queue, "refused").properties(&wrong)).await?;
    let error = refused_on(&transaction).await;
    let text = "PRECONDITION_FAILED - invalid expiration 'soon': no_integer";
    assert_channel_refusal(&error, "basic.publish", ReplyCode::PRECONDITION_FAILED, text);
    assert!(soon(channel.get(&queue)).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_message_of_a_transaction_is_routed_when_it_is_published() -> Result<()> {
    let (connection, channel) = open().await;
    let transaction = another_channel(&connection).await;
    let exchange = exchange(&channel, "fanout").await;
    let queue = bound_queue(&channel, &exchange, "").await;
    soon(transaction.tx_select()).await?;
    soon(transaction.publish(&exchange, "", "while it was bound").mandatory(true)).await?;
    // The answer shows that the broker has read what was published.
    soon(transaction.basic_qos()).await?;
    soon(channel.exchange_delete(&exchange)).await?;
    soon(transaction.tx_commit()).await?;
    assert_eq!(bodies(&transaction, &queue).await, ["while it was bound"]);
    Ok(())
}

#[tokio::test]
async fn a_message_of_a_transaction_comes_back_where_its_queue_is_gone_by_the_commit() -> Result<()> {
    let (connection, channel) = open().await;
    let (transaction, queue) = (another_channel(&connection).await, exclusive_queue(&channel).await);
    let mut returns = transaction.returns();
    soon(transaction.tx_select()).await?;
    soon(transaction.publish("", &queue, "too late").mandatory(true)).await?;
    soon(transaction.basic_qos()).await?;
    soon(channel.queue_delete(&queue)).await?;
    soon(transaction.tx_commit()).await?;
    let returned = soon(returns.next()).await.expect("it comes back");
    assert_eq!((returned.reply_code, returned.message.body()), (ReplyCode::NO_ROUTE, &b"too late"[..]));
    Ok(())
}

#[tokio::test]
async fn closing_a_channel_rolls_its_transaction_back() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let transaction = another_channel(&connection).await;
    soon(transaction.tx_select()).await?;
    soon(transaction.publish("", &queue, "never committed")).await?;
    soon(transaction.close()).await?;
    assert!(soon(channel.get(&queue)).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_commit_that_a_full_queue_refuses_closes_the_channel_and_keeps_the_rest() -> Result<()> {
    let (connection, channel) = open().await;
    let mut arguments = FieldTable::from([("x-max-length", 0)]);
    arguments.insert("x-overflow", "reject-publish");
    let (full, queue) = (queue_with(&channel, arguments).await, exclusive_queue(&channel).await);
    let transaction = another_channel(&connection).await;
    soon(transaction.tx_select()).await?;
    soon(transaction.publish("", &queue, "before")).await?;
    soon(transaction.publish("", &full, "refused")).await?;
    soon(transaction.publish("", &queue, "after")).await?;
    let error = soon(transaction.tx_commit()).await.unwrap_err();
    let text = "PRECONDITION_FAILED - partial tx completion";
    assert_channel_refusal(&error, "tx.commit", ReplyCode::PRECONDITION_FAILED, text);
    assert_eq!(bodies(&channel, &queue).await, ["before", "after"]);
    Ok(())
}

#[tokio::test]
async fn declaring_binding_and_purging_are_in_no_transaction() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.publish("", &queue, "purged")).await?;
    soon(channel.tx_select()).await?;
    assert_eq!(soon(channel.queue_purge(&queue)).await?.message_count, 1);
    let bound = bound_queue(&channel, "amq.direct", &queue).await;
    soon(channel.tx_rollback()).await?;
    assert!(soon(channel.get(&queue)).await?.is_none());
    soon(channel.publish("amq.direct", &queue, "routed")).await?;
    soon(channel.tx_commit()).await?;
    assert_eq!(bodies(&channel, &bound).await, ["routed"]);
    Ok(())
}
