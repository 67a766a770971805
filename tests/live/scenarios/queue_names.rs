//! Names of queues: which are refused, which the broker makes up, and what the empty one means.

use leveret::protocol::{basic, queue};
use leveret::{ReplyCode, Result};
use leveret_live_tests::{connect, exclusive_queue, open, ready_messages, soon, unique};

use crate::messages::{fill, get};
use crate::refusal::{assert_channel_refusal, no_queue, refused, refused_get};

#[tokio::test]
async fn names_with_the_brokers_prefix_are_refused() {
    let connection = connect().await;
    for name in ["amq.", "amq.x", "amq.gen-x", "amq.direct"] {
        let error = refused(&connection, queue::Declare::default().queue(name).exclusive(true)).await;
        let text = format!("ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'");
        assert_channel_refusal(&error, "queue.declare", ReplyCode::ACCESS_REFUSED, &text);
        let error = refused(&connection, queue::Declare::default().queue(name).passive(true)).await;
        assert_channel_refusal(&error, "queue.declare", ReplyCode::NOT_FOUND, &no_queue(name));
    }
}

#[tokio::test]
async fn a_name_that_the_broker_made_up_is_not_declared_again() -> Result<()> {
    let (connection, channel) = open().await;
    let name = soon(channel.queue_declare("").exclusive(true)).await?.queue.to_string();
    let error = refused(&connection, queue::Declare::default().queue(&name).exclusive(true)).await;
    let text = format!("ACCESS_REFUSED - queue name '{name}' contains reserved prefix 'amq.*'");
    assert_channel_refusal(&error, "queue.declare", ReplyCode::ACCESS_REFUSED, &text);
    assert_eq!(ready_messages(&channel, &name).await, 0, "asking for it is fine");
    Ok(())
}

#[tokio::test]
async fn only_lower_case_with_a_dot_is_the_brokers_prefix() -> Result<()> {
    let (_connection, channel) = open().await;
    for prefix in ["AMQ.", "Amq.", "amq-", "xamq."] {
        let name = format!("{prefix}{}", unique("queue"));
        let declared = soon(channel.queue_declare(&name).exclusive(true)).await?;
        assert_eq!(declared.queue, *name.as_str());
    }
    Ok(())
}

#[tokio::test]
async fn a_reply_text_that_would_be_too_long_is_cut_short() {
    let name = format!("{:x<255}", unique("missing"));
    let error = refused(&connect().await, queue::Declare::default().queue(&name).passive(true)).await;
    assert_eq!(error.reply_text(), Some(format!("NOT_FOUND - no queue '{}...", &name[..230])));
    assert_eq!(error.reply_text().map(|text| text.len()), Some(255));
}

#[tokio::test]
async fn line_ends_in_a_name_are_dropped_when_it_is_declared() -> Result<()> {
    let (connection, channel) = open().await;
    let broken = unique("line\r\nends\n");
    let declared = soon(channel.queue_declare(&broken).exclusive(true)).await?.queue.to_string();
    assert_eq!(declared, broken.replace(['\r', '\n'], ""));
    assert_eq!(ready_messages(&channel, &broken).await, 0, "asking drops them too");
    let error = refused_get(&connection, &broken).await;
    assert_channel_refusal(&error, "basic.get", ReplyCode::NOT_FOUND, &no_queue(&broken));
    Ok(())
}

#[tokio::test]
async fn a_queue_without_a_name_is_another_one_each_time() -> Result<()> {
    let (_connection, channel) = open().await;
    let first = soon(channel.queue_declare("").exclusive(true)).await?.queue.to_string();
    let second = soon(channel.queue_declare("").exclusive(true)).await?.queue.to_string();
    assert_ne!(first, second);
    for name in [&first, &second] {
        assert!(name.starts_with("amq.gen-"), "{name}");
        assert_eq!(name.len(), "amq.gen-".len() + 22, "128 bits in Base64");
        let known = |octet: u8| octet.is_ascii_alphanumeric() || b".-_".contains(&octet);
        assert!(name.bytes().all(known), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn the_empty_name_means_nothing_before_a_queue_was_declared_on_the_channel() {
    let (connection, channel) = open().await;
    exclusive_queue(&channel).await;
    let text = "NOT_FOUND - no previously declared queue";
    let assert_refusal = |error, method| assert_channel_refusal(&error, method, ReplyCode::NOT_FOUND, text);
    let bind = queue::Bind::default().exchange("amq.direct");
    assert_refusal(refused(&connection, bind).await, "queue.bind");
    let unbind = queue::Unbind::default().exchange("amq.direct");
    assert_refusal(refused(&connection, unbind).await, "queue.unbind");
    assert_refusal(refused(&connection, queue::Purge::default()).await, "queue.purge");
    assert_refusal(refused(&connection, queue::Delete::default()).await, "queue.delete");
    assert_refusal(refused(&connection, basic::Consume::default()).await, "basic.consume");
    assert_refusal(refused_get(&connection, "").await, "basic.get");

    let error = refused(&connection, queue::Declare::default().passive(true)).await;
    assert_channel_refusal(&error, "queue.declare", ReplyCode::NOT_FOUND, &no_queue(""));
}

#[tokio::test]
async fn the_empty_name_means_the_queue_that_was_declared_or_asked_for_last() -> Result<()> {
    let (_connection, channel) = open().await;
    let first = exclusive_queue(&channel).await;
    let second = exclusive_queue(&channel).await;
    fill(&channel, &first, &["first"]).await;
    fill(&channel, &second, &["second"]).await;
    assert_eq!(get(&channel, "").await.body(), b"second");
    assert_eq!(ready_messages(&channel, &first).await, 1);
    assert_eq!(get(&channel, "").await.body(), b"first", "asking counts too");
    Ok(())
}

#[tokio::test]
async fn the_empty_name_goes_on_to_mean_a_queue_that_was_deleted() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    soon(channel.queue_delete("")).await?;
    assert_eq!(soon(channel.queue_delete("")).await?.message_count, 0);
    let error = soon(channel.queue_purge("")).await.unwrap_err();
    assert_channel_refusal(&error, "queue.purge", ReplyCode::NOT_FOUND, &no_queue(&name));
    Ok(())
}

#[tokio::test]
async fn binding_without_queue_and_routing_key_takes_the_queues_name_as_the_key() -> Result<()> {
    let (_connection, channel) = open().await;
    let name = exclusive_queue(&channel).await;
    soon(channel.queue_bind("", "amq.direct", "")).await?;
    soon(channel.publish("amq.direct", &name, "by its name")).await?;
    assert_eq!(get(&channel, &name).await.body(), b"by its name");
    Ok(())
}
