//! Publisher confirms and returned messages.

use leveret::{ErrorKind, FieldTable, Properties, ReplyCode, Result};
use leveret_live_tests::{assert_closed_by_broker, exclusive_queue, open, ready_messages, soon, unique};

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
    soon(publisher.wait_for_confirms()).await?;
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
    assert_closed_by_broker(&error, ErrorKind::ChannelClosed, ReplyCode::PRECONDITION_FAILED);
    Ok(())
}
