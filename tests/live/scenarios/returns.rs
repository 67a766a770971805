//! Messages that no queue takes, and how they come back.

use leveret::{FieldTable, FieldValue, Properties, ReplyCode, Result, Returned, Timestamp};
use leveret_live_tests::client::Channel;
use leveret_live_tests::{exclusive_queue, open, soon, user};

use crate::routed::{bodies, exchange};

/// Publishes what no queue takes and gives it as it came back.
pub(crate) async fn returned(channel: &Channel, body: Vec<u8>, properties: &Properties) -> Returned {
    let mut returns = channel.returns();
    let publish = channel.publish("amq.direct", "nobody at all", body).mandatory(true).properties(properties);
    soon(publish).await.expect("it is published");
    soon(returns.next()).await.expect("it comes back")
}

#[tokio::test]
async fn a_message_comes_back_as_it_was_sent() -> Result<()> {
    let (_connection, channel) = open().await;
    let nested = FieldTable::from([("list", FieldValue::Array(vec![1.into(), FieldValue::Void]))]);
    let sent = Properties::default()
        .headers(FieldTable::from([("z", 1.into()), ("a", FieldValue::Table(nested))]))
        .content_type("text/plain")
        .content_encoding("none")
        .delivery_mode(1)
        .priority(3)
        .correlation_id("correlation")
        .reply_to("reply-to")
        .expiration("5")
        .message_id("message")
        .timestamp(Timestamp::from_secs(5))
        .kind("kind")
        .user_id(user())
        .app_id("app");
    let returned = returned(&channel, b"stray".to_vec(), &sent).await;
    assert_eq!((returned.reply_code, returned.reply_text.to_string()), (ReplyCode::NO_ROUTE, "NO_ROUTE".to_owned()));
    assert_eq!(returned.message.exchange(), b"amq.direct");
    assert_eq!(returned.message.routing_key(), b"nobody at all");
    assert_eq!(returned.message.properties()?, sent);
    assert_eq!(returned.message.body(), b"stray");
    Ok(())
}

#[tokio::test]
async fn a_message_without_a_body_and_one_of_many_frames_come_back_too() -> Result<()> {
    let (connection, channel) = open().await;
    let large = vec![206; connection.negotiated().frame_max as usize * 2 + 1];
    for body in [Vec::new(), large] {
        let returned = returned(&channel, body.clone(), &Properties::default()).await;
        assert!(returned.message.body() == body, "{} octets", body.len());
    }
    Ok(())
}

#[tokio::test]
async fn what_no_queue_takes_is_dropped_unless_it_is_mandatory() -> Result<()> {
    let (_connection, channel) = open().await;
    let mut returns = channel.returns();
    let (exchange, queue) = (exchange(&channel, "direct").await, exclusive_queue(&channel).await);
    soon(channel.publish(&exchange, "nobody", "dropped")).await?;
    soon(channel.publish(&exchange, "nobody", "first").mandatory(true)).await?;
    soon(channel.publish("", &queue, "taken").mandatory(true)).await?;
    soon(channel.publish("", "", "second").mandatory(true)).await?;
    for body in ["first", "second"] {
        let returned = soon(returns.next()).await.expect("it comes back");
        assert_eq!(returned.message.body(), body.as_bytes());
    }
    assert_eq!(bodies(&channel, &queue).await, ["taken"]);
    soon(channel.exchange_delete(&exchange)).await?;
    Ok(())
}
