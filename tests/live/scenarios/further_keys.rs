//! The headers CC and BCC: further routing keys of a message.

use leveret::{FieldTable, FieldValue, Properties, Result};
use leveret_live_tests::{exclusive_queue, open, soon};

use crate::returns::returned;
use crate::routed::{bodies, bound_queue, exchange, messages};

/// Properties with these headers.
fn with_headers<const COUNT: usize>(headers: [(&str, FieldValue); COUNT]) -> Properties {
    Properties::default().headers(FieldTable::from(headers))
}

/// A header that lists these routing keys.
fn keys(keys: &[&str]) -> FieldValue {
    FieldValue::Array(keys.iter().map(|&key| key.into()).collect())
}

#[tokio::test]
async fn a_message_goes_to_its_further_keys_too_and_once_to_each_queue() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "direct").await;
    let (first, second, third) = (
        bound_queue(&channel, &exchange, "1").await,
        bound_queue(&channel, &exchange, "2").await,
        bound_queue(&channel, &exchange, "3").await,
    );
    let sent =
        with_headers([("z", 1.into()), ("CC", keys(&["2", "1", "2"])), ("BCC", keys(&["3", "2"])), ("a", 2.into())]);
    soon(channel.publish(&exchange, "1", "to all").properties(&sent)).await?;
    let seen = with_headers([("z", 1.into()), ("CC", keys(&["2", "1", "2"])), ("a", 2.into())]);
    for queue in [first, second, third] {
        let messages = messages(&channel, &queue).await;
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].routing_key(), "1", "it keeps the key that it was published with");
        assert_eq!(*messages[0].properties()?, seen, "nobody sees who else got it");
    }
    Ok(())
}

#[tokio::test]
async fn headers_that_held_only_hidden_keys_arrive_empty() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let sent = with_headers([("BCC", keys(&[]))]);
    soon(channel.publish("", &queue, "bare").properties(&sent)).await?;
    let message = messages(&channel, &queue).await.pop().expect("the message");
    assert_eq!(*message.properties()?, Properties::default().headers(FieldTable::new()));
    Ok(())
}

#[tokio::test]
async fn in_a_list_of_further_keys_only_text_counts() -> Result<()> {
    let (_connection, channel) = open().await;
    let (queue, other) = (exclusive_queue(&channel).await, exclusive_queue(&channel).await);
    let list = vec![5.into(), FieldValue::Void, keys(&["nested"]), FieldValue::from(other.as_str())];
    let lower = keys(&[&queue]);
    let sent = with_headers([("CC", FieldValue::Array(list)), ("cc", lower.clone()), ("bcc", lower)]);
    soon(channel.publish("", "nobody", "for the other").properties(&sent)).await?;
    assert_eq!(bodies(&channel, &queue).await, Vec::<String>::new());
    let message = messages(&channel, &other).await.pop().expect("the message");
    assert_eq!(*message.properties()?, sent);
    Ok(())
}

#[tokio::test]
async fn a_message_that_a_further_key_brings_to_a_queue_does_not_come_back() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let publisher = soon(channel.confirm_select()).await?;
    for header in ["CC", "BCC"] {
        let properties = with_headers([(header, keys(&[&queue]))]);
        let publish = publisher.publish("", "nobody", header).mandatory(true).properties(&properties);
        soon(publish.confirmed()).await?;
    }
    assert_eq!(bodies(&channel, &queue).await, ["CC", "BCC"]);
    Ok(())
}

#[tokio::test]
async fn a_message_comes_back_without_its_hidden_keys() -> Result<()> {
    let (_connection, channel) = open().await;
    let sent = with_headers([("z", 1.into()), ("BCC", keys(&["hidden"])), ("CC", keys(&["seen"])), ("a", 2.into())]);
    let seen = with_headers([("z", 1.into()), ("CC", keys(&["seen"])), ("a", 2.into())]);
    assert_eq!(returned(&channel, b"stray".to_vec(), &sent).await.message.properties()?, seen);
    Ok(())
}
