//! Publishing: what the broker refuses, and what it takes.

use leveret::protocol::{MethodId, basic, channel};
use leveret::{Error, ErrorKind, FieldTable, FieldValue, Properties, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::raw::{Close, Raw};
use leveret_live_tests::{exclusive_queue, open, soon, unique, user};

use crate::refusal::assert_channel_refusal;
use crate::routed::{another_channel, bodies, bound_queue, messages};

const PUBLISH: MethodId = MethodId::new(60, 40);

/// Publishes, on a channel of its own, what the broker refuses; gives the reason.
async fn refusal_of_publish(
    connection: &Connection,
    exchange: &str,
    routing_key: &str,
    properties: &Properties,
) -> Error {
    let publisher = soon(another_channel(connection).await.confirm_select()).await.expect("the channel confirms");
    let publish = publisher.publish(exchange, routing_key, "refused").properties(properties);
    soon(publish.confirmed()).await.expect_err("the broker refuses it")
}

/// Asserts that publishing with these properties to the default exchange is refused with 406 and
/// this text.
async fn assert_invalid(connection: &Connection, properties: Properties, text: &str) {
    let error = refusal_of_publish(connection, "", "nobody", &properties).await;
    assert_channel_refusal(&error, "basic.publish", ReplyCode::PRECONDITION_FAILED, text);
}

#[tokio::test]
async fn publishing_to_a_missing_exchange_is_not_found() -> Result<()> {
    let (connection, _channel) = open().await;
    let missing = unique("missing");
    let text = format!("NOT_FOUND - no exchange '{missing}' in vhost '/'");
    let error = refusal_of_publish(&connection, &missing, "key", &Properties::default()).await;
    assert_channel_refusal(&error, "basic.publish", ReplyCode::NOT_FOUND, &text);
    let also_wrong = Properties::default().expiration("soon").user_id("nobody").delivery_mode(7);
    let error = refusal_of_publish(&connection, &missing, "key", &also_wrong).await;
    assert_channel_refusal(&error, "basic.publish", ReplyCode::NOT_FOUND, &text);
    Ok(())
}

#[tokio::test]
async fn publishing_to_an_internal_exchange_is_refused() -> Result<()> {
    let (connection, channel) = open().await;
    let internal = unique("internal");
    soon(channel.exchange_declare(&internal, "fanout").internal(true)).await?;
    let also_wrong = Properties::default().expiration("soon").user_id("nobody").delivery_mode(7);
    for exchange in [internal.as_str(), "amq.rabbitmq.trace"] {
        let error = refusal_of_publish(&connection, exchange, "key", &also_wrong).await;
        let text = format!("ACCESS_REFUSED - cannot publish to internal exchange '{exchange}' in vhost '/'");
        assert_channel_refusal(&error, "basic.publish", ReplyCode::ACCESS_REFUSED, &text);
    }
    soon(channel.exchange_delete(&internal)).await?;
    Ok(())
}

#[tokio::test]
async fn a_publish_is_judged_only_once_its_content_is_there() {
    let missing = unique("missing");
    let mut peer = Raw::open_channel().await;
    peer.send(1, basic::Publish::default().exchange(missing.as_str())).await;
    peer.send_header(1, 3).await;
    // What another channel is answered shows that nothing was said yet.
    peer.call(2, channel::Open::default()).await;
    peer.send_body(1, b"abc").await;
    let text = format!("NOT_FOUND - no exchange '{missing}' in vhost '/'");
    peer.expect_channel_close(1, 404, &text, PUBLISH).await;
    peer.close().await;
}

#[tokio::test]
async fn an_immediate_publish_is_not_implemented() {
    for (exchange, body) in [("", ""), ("", "body"), (unique("missing").as_str(), "body")] {
        let mut peer = Raw::open_channel().await;
        peer.send(1, basic::Publish::default().exchange(exchange).immediate(true).mandatory(true)).await;
        peer.send_header(1, body.len()).await;
        if !body.is_empty() {
            peer.send_body(1, body.as_bytes()).await;
        }
        assert_eq!(peer.expect_close().await, Close::connection(540, "NOT_IMPLEMENTED - immediate=true", PUBLISH));
    }
}

#[tokio::test]
async fn a_message_names_no_other_user_than_its_sender() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let own = user();
    for other in ["other", ""] {
        let text =
            format!("PRECONDITION_FAILED - user_id property set to '{other}' but authenticated user was '{own}'");
        assert_invalid(&connection, Properties::default().user_id(other), &text).await;
        let also_wrong = Properties::default().user_id(other).expiration("soon").delivery_mode(7);
        assert_invalid(&connection, also_wrong, &text).await;
    }
    soon(channel.publish("", &queue, "mine").properties(Properties::default().user_id(own))).await?;
    assert_eq!(bodies(&channel, &queue).await, ["mine"]);
    Ok(())
}

#[tokio::test]
async fn an_expiration_is_a_whole_number_of_milliseconds_within_ten_years() -> Result<()> {
    let (connection, channel) = open().await;
    let cases = [
        ("soon", "no_integer"),
        ("", "no_integer"),
        (" 5000", "no_integer"),
        ("-1", "{value_negative,-1}"),
        ("1.5", r#"{leftover_string,".5"}"#),
        ("1e3", r#"{leftover_string,"e3"}"#),
        ("5000 ", r#"{leftover_string," "}"#),
        ("0x10", r#"{leftover_string,"x10"}"#),
        ("315360000001", "{value_too_large,315360000001}"),
    ];
    for (expiration, why) in cases {
        let text = format!("PRECONDITION_FAILED - invalid expiration '{expiration}': {why}");
        assert_invalid(&connection, Properties::default().expiration(expiration), &text).await;
    }
    let queue = exclusive_queue(&channel).await;
    for expiration in ["60000", "+60000", "060000", "4294967296", "315360000000"] {
        let properties = Properties::default().expiration(expiration);
        soon(channel.publish("", &queue, expiration).properties(&properties)).await?;
        let kept = messages(&channel, &queue).await.pop().expect("it is kept");
        assert_eq!(kept.properties()?.expiration.clone().expect("it came along"), *expiration);
    }
    Ok(())
}

#[tokio::test]
async fn a_message_is_either_transient_or_persistent() -> Result<()> {
    let (connection, channel) = open().await;
    for mode in [0, 3, 255] {
        let text = format!("PRECONDITION_FAILED - invalid message: {{delivery_mode_unknown,{mode}}}");
        assert_invalid(&connection, Properties::default().delivery_mode(mode), &text).await;
    }
    let queue = exclusive_queue(&channel).await;
    for mode in [1, 2] {
        let properties = Properties::default().delivery_mode(mode);
        soon(channel.publish("", &queue, mode.to_string()).properties(&properties)).await?;
    }
    assert_eq!(bodies(&channel, &queue).await, ["1", "2"]);
    Ok(())
}

#[tokio::test]
async fn any_priority_is_taken_by_a_queue_without_priorities() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for priority in [9, 0, 255, 1] {
        let properties = Properties::default().priority(priority);
        soon(channel.publish("", &queue, priority.to_string()).properties(&properties)).await?;
    }
    assert_eq!(bodies(&channel, &queue).await, ["9", "0", "255", "1"]);
    Ok(())
}

#[tokio::test]
async fn further_routing_keys_are_a_list() -> Result<()> {
    let (connection, _channel) = open().await;
    let cases = [
        ("CC", FieldValue::from("key"), "longstr"),
        ("BCC", FieldValue::from("key"), "longstr"),
        ("CC", FieldValue::I32(7), "signedint"),
        ("BCC", FieldValue::Void, "void"),
        ("CC", FieldValue::Bool(true), "bool"),
        ("CC", FieldValue::Table(FieldTable::new()), "table"),
        ("CC", FieldValue::from(b"key".to_vec()), "binary"),
    ];
    for (header, value, kind) in cases {
        let text =
            format!("PRECONDITION_FAILED - invalid message: {{unacceptable_type_in_header,\"{header}\",{kind}}}");
        assert_invalid(&connection, Properties::default().headers(FieldTable::from([(header, value)])), &text).await;
    }
    Ok(())
}

#[tokio::test]
async fn names_and_keys_of_a_publish_are_any_octets() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = bound_queue(&channel, "amq.topic", "#.no text \u{1}").await;
    let mut returns = channel.returns();
    soon(channel.publish("amq.topic", b"\xff\xfe", "stray").mandatory(true)).await?;
    let returned = soon(returns.next()).await.expect("it comes back");
    assert_eq!(returned.message.routing_key(), b"\xff\xfe");
    soon(channel.publish("amq.topic", b"\xff.no text \x01", "taken").mandatory(true)).await?;
    let message = messages(&channel, &queue).await.pop().expect("the message");
    assert_eq!(message.message().routing_key(), b"\xff.no text \x01");

    let publisher = soon(another_channel(&connection).await.confirm_select()).await?;
    let error = soon(publisher.publish(b"\xff", "key", "refused").confirmed()).await.unwrap_err();
    assert_eq!(error.reply_code(), Some(ReplyCode::NOT_FOUND));
    Ok(())
}

#[tokio::test]
async fn a_message_of_more_than_128_mebibytes_is_refused_once_it_is_there() {
    const LIMIT: usize = 128 * 1024 * 1024;
    let (mut peer, piece) = (Raw::open_channel().await, vec![0; 128 * 1024 - 8]);
    peer.send(1, basic::Publish::default().exchange("amq.direct").routing_key("nobody")).await;
    peer.send_header(1, LIMIT + 1).await;
    let mut left = LIMIT + 1;
    while left > 0 {
        let length = left.min(piece.len());
        peer.send_body(1, &piece[..length]).await;
        left -= length;
    }
    let text = "PRECONDITION_FAILED - message size 134217729 is larger than configured max size 134217728";
    peer.expect_channel_close(1, 406, text, PUBLISH).await;
    peer.close().await;
}

#[tokio::test]
async fn what_was_published_before_a_refusal_stays_and_what_came_after_is_lost() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let publisher = soon(another_channel(&connection).await.confirm_select()).await?;
    soon(publisher.publish("", &queue, "before").confirmed()).await?;
    let refused = soon(publisher.publish(unique("missing"), "key", "refused")).await?;
    // The broker may have closed the channel already.
    let after = soon(publisher.publish("", &queue, "after")).await;
    assert_eq!(soon(refused).await.unwrap_err().reply_code(), Some(ReplyCode::NOT_FOUND));
    let after = match after {
        Ok(confirm) => soon(confirm).await.unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(after.kind(), ErrorKind::ChannelClosed, "{after}");
    assert_eq!(bodies(&channel, &queue).await, ["before"]);
    Ok(())
}
