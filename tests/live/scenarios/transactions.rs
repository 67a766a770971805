//! Transactions of a channel.

use leveret::{ErrorKind, ReplyCode, Result};
use leveret_live_tests::{assert_closed_by_broker, exclusive_queue, open, ready_messages, soon};

#[tokio::test]
async fn a_commit_publishes_and_a_rollback_does_not() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.tx_select()).await?;
    soon(channel.publish("", &queue, "kept")).await?;
    assert_eq!(ready_messages(&channel, &queue).await, 0, "nothing is there before the commit");
    soon(channel.tx_commit()).await?;
    soon(channel.publish("", &queue, "discarded")).await?;
    soon(channel.tx_rollback()).await?;
    assert_eq!(ready_messages(&channel, &queue).await, 1);
    Ok(())
}

#[tokio::test]
async fn an_acknowledgement_that_is_rolled_back_was_not_made() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.publish("", &queue, "again")).await?;
    soon(channel.tx_select()).await?;
    soon(channel.get(&queue)).await?.expect("the message").ack().await?;
    soon(channel.tx_rollback()).await?;
    soon(channel.close()).await?;

    let channel = soon(connection.open_channel()).await?;
    let again = soon(channel.get(&queue)).await?.expect("the message came back");
    assert!(again.is_redelivered());
    again.ack().await
}

#[tokio::test]
async fn a_commit_without_a_transaction_closes_the_channel() -> Result<()> {
    let (_connection, channel) = open().await;
    let error = soon(channel.tx_commit()).await.unwrap_err();
    assert_closed_by_broker(&error, ErrorKind::ChannelClosed, ReplyCode::PRECONDITION_FAILED);
    assert_eq!(error.method(), Some("tx.commit"));
    Ok(())
}
