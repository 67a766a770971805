//! What the broker refuses about exchanges, word for word.

use leveret::protocol::exchange;
use leveret::wire::Decimal;
use leveret::{FieldTable, FieldValue, ReplyCode, Result, Timestamp};
use leveret_live_tests::{exclusive_queue, open, soon, unique};

use crate::refusal::{assert_channel_refusal, assert_connection_refusal, refused_on};
use crate::routed::{another_channel, exchange_exists};

const DEFAULT_EXCHANGE: &str = "ACCESS_REFUSED - operation not permitted on the default exchange";

#[tokio::test]
async fn the_default_exchange_is_neither_declared_nor_deleted() -> Result<()> {
    let (connection, channel) = open().await;
    let error = soon(channel.exchange_declare("", "direct").durable(true)).await.unwrap_err();
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::ACCESS_REFUSED, DEFAULT_EXCHANGE);
    let error =
        soon(another_channel(&connection).await.exchange_declare("", "direct").passive(true)).await.unwrap_err();
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::ACCESS_REFUSED, DEFAULT_EXCHANGE);
    let error = soon(another_channel(&connection).await.exchange_delete("")).await.unwrap_err();
    assert_channel_refusal(&error, "exchange.delete", ReplyCode::ACCESS_REFUSED, DEFAULT_EXCHANGE);
    let error = soon(another_channel(&connection).await.exchange_delete("").if_unused(true)).await.unwrap_err();
    assert_channel_refusal(&error, "exchange.delete", ReplyCode::ACCESS_REFUSED, DEFAULT_EXCHANGE);
    Ok(())
}

#[tokio::test]
async fn no_queue_is_bound_to_the_default_exchange_or_unbound_from_it() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let error = soon(another_channel(&connection).await.queue_bind(&queue, "", &queue)).await.unwrap_err();
    assert_channel_refusal(&error, "queue.bind", ReplyCode::ACCESS_REFUSED, DEFAULT_EXCHANGE);
    let error = soon(another_channel(&connection).await.queue_bind(unique("missing"), "", "key")).await.unwrap_err();
    assert_channel_refusal(&error, "queue.bind", ReplyCode::ACCESS_REFUSED, DEFAULT_EXCHANGE);
    let error = soon(another_channel(&connection).await.queue_unbind(&queue, "", &queue)).await.unwrap_err();
    assert_channel_refusal(&error, "queue.unbind", ReplyCode::ACCESS_REFUSED, DEFAULT_EXCHANGE);
    Ok(())
}

#[tokio::test]
async fn no_exchange_is_bound_to_the_default_exchange_or_unbound_from_it() -> Result<()> {
    let (connection, _channel) = open().await;
    let missing = unique("missing");
    for (destination, source) in [("", "amq.direct"), ("amq.direct", ""), ("", ""), ("", &missing), (&missing, "")] {
        let error =
            soon(another_channel(&connection).await.exchange_bind(destination, source, "key")).await.unwrap_err();
        assert_channel_refusal(&error, "exchange.bind", ReplyCode::ACCESS_REFUSED, DEFAULT_EXCHANGE);
        let error =
            soon(another_channel(&connection).await.exchange_unbind(destination, source, "key")).await.unwrap_err();
        assert_channel_refusal(&error, "exchange.unbind", ReplyCode::ACCESS_REFUSED, DEFAULT_EXCHANGE);
    }
    Ok(())
}

#[tokio::test]
async fn a_name_that_starts_as_the_brokers_own_do_is_reserved() -> Result<()> {
    let (connection, channel) = open().await;
    let name = unique("reserved").replace("leveret-live", "amq");
    let text = format!("ACCESS_REFUSED - exchange name '{name}' contains reserved prefix 'amq.*'");
    let error = soon(channel.exchange_declare(&name, "direct")).await.unwrap_err();
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::ACCESS_REFUSED, &text);

    let arguments = FieldTable::from([("alternate-exchange", 5)]);
    let declare = another_channel(&connection).await;
    let error = soon(declare.exchange_declare(&name, "direct").arguments(arguments)).await.unwrap_err();
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::ACCESS_REFUSED, &text);

    let text = format!("NOT_FOUND - no exchange '{name}' in vhost '/'");
    let error =
        soon(another_channel(&connection).await.exchange_declare(&name, "direct").passive(true)).await.unwrap_err();
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::NOT_FOUND, &text);
    Ok(())
}

#[tokio::test]
async fn an_exchange_of_the_brokers_own_is_not_deleted() -> Result<()> {
    let (connection, _channel) = open().await;
    let missing = unique("missing").replace("leveret-live", "amq");
    for name in ["amq.direct", "amq.rabbitmq.trace", &missing] {
        let text = format!("ACCESS_REFUSED - deletion of system exchange '{name}' in vhost '/' not allowed");
        let error = soon(another_channel(&connection).await.exchange_delete(name)).await.unwrap_err();
        assert_channel_refusal(&error, "exchange.delete", ReplyCode::ACCESS_REFUSED, &text);
        let error = soon(another_channel(&connection).await.exchange_delete(name).if_unused(true)).await.unwrap_err();
        assert_channel_refusal(&error, "exchange.delete", ReplyCode::ACCESS_REFUSED, &text);
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_type_of_exchange_closes_the_connection() -> Result<()> {
    for name in
        [unique("new"), "amq.direct".to_owned(), unique("reserved").replace("leveret-live", "amq"), String::new()]
    {
        let (connection, channel) = open().await;
        let error = soon(channel.exchange_declare(&name, "x-nonsense")).await.unwrap_err();
        let text = "COMMAND_INVALID - unknown exchange type 'x-nonsense'";
        assert_connection_refusal(&error, "exchange.declare", ReplyCode::COMMAND_INVALID, text);
        assert!(!connection.is_open());
    }
    Ok(())
}

#[tokio::test]
async fn the_type_of_an_exchange_is_neither_empty_nor_in_capitals() -> Result<()> {
    let (_connection, channel) = open().await;
    let error = soon(channel.exchange_declare(unique("typeless"), "")).await.unwrap_err();
    let text = "COMMAND_INVALID - invalid exchange type ''";
    assert_connection_refusal(&error, "exchange.declare", ReplyCode::COMMAND_INVALID, text);
    let (_connection, channel) = open().await;
    let error = soon(channel.exchange_declare(unique("loud"), "DIRECT")).await.unwrap_err();
    let text = "COMMAND_INVALID - unknown exchange type 'DIRECT'";
    assert_connection_refusal(&error, "exchange.declare", ReplyCode::COMMAND_INVALID, text);
    Ok(())
}

#[tokio::test]
async fn asking_for_a_missing_exchange_is_not_found() -> Result<()> {
    let (connection, channel) = open().await;
    let name = unique("missing");
    let text = format!("NOT_FOUND - no exchange '{name}' in vhost '/'");
    let error = soon(channel.exchange_declare(&name, "direct").passive(true)).await.unwrap_err();
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::NOT_FOUND, &text);
    let error =
        soon(another_channel(&connection).await.exchange_declare(&name, "x-nonsense").passive(true)).await.unwrap_err();
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::NOT_FOUND, &text);
    Ok(())
}

#[tokio::test]
async fn an_alternate_exchange_is_named_by_text_alone() -> Result<()> {
    let (connection, _channel) = open().await;
    let name = unique("misnamed");
    let cases = [
        (FieldValue::Bool(true), "bool"),
        (FieldValue::I8(1), "byte"),
        (FieldValue::U8(1), "unsignedbyte"),
        (FieldValue::I16(1), "short"),
        (FieldValue::U16(1), "unsignedshort"),
        (FieldValue::I32(1), "signedint"),
        (FieldValue::U32(1), "unsignedint"),
        (FieldValue::I64(1), "long"),
        (FieldValue::F32(1.0), "float"),
        (FieldValue::F64(1.0), "double"),
        (FieldValue::Decimal(Decimal { scale: 0, value: 1 }), "decimal"),
        (FieldValue::from(b"name".to_vec()), "binary"),
        (FieldValue::Timestamp(Timestamp::from_secs(1)), "timestamp"),
        (FieldValue::Void, "void"),
        (FieldValue::Table(FieldTable::new()), "table"),
        (FieldValue::Array(vec!["name".into()]), "array"),
    ];
    for (value, kind) in cases {
        let arguments = FieldTable::from([("alternate-exchange", value)]);
        let declare = another_channel(&connection).await;
        let error = soon(declare.exchange_declare(&name, "direct").arguments(arguments)).await.unwrap_err();
        let text = format!(
            "PRECONDITION_FAILED - invalid type '{kind}' for arg 'alternate-exchange' in exchange '{name}' in vhost '/'"
        );
        assert_channel_refusal(&error, "exchange.declare", ReplyCode::PRECONDITION_FAILED, &text);
    }
    assert!(!exchange_exists(&another_channel(&connection).await, &name).await);
    Ok(())
}

#[tokio::test]
async fn a_declaration_that_nothing_answers_is_refused_all_the_same() -> Result<()> {
    let (connection, channel) = open().await;
    let declare = exchange::Declare::default().exchange("amq.direct").kind("topic").durable(true).no_wait(true);
    soon(channel.send(declare)).await?;
    let text = "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.direct' in vhost '/': \
                received 'topic' but current is 'direct'";
    let error = refused_on(&channel).await;
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::PRECONDITION_FAILED, text);
    assert!(connection.is_open());
    Ok(())
}

#[tokio::test]
async fn a_reply_text_that_is_too_long_ends_in_dots() -> Result<()> {
    let (connection, _channel) = open().await;
    // 216 octets fill the 255 that a short string holds.
    let fits = "m".repeat(216);
    let error = soon(another_channel(&connection).await.exchange_declare(&fits, "").passive(true)).await.unwrap_err();
    let text = format!("NOT_FOUND - no exchange '{fits}' in vhost '/'");
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::NOT_FOUND, &text);
    for length in [217, 255] {
        let long = "m".repeat(length);
        let error =
            soon(another_channel(&connection).await.exchange_declare(&long, "").passive(true)).await.unwrap_err();
        let text = format!("NOT_FOUND - no exchange '{long}' in vhost '/'");
        assert_channel_refusal(&error, "exchange.declare", ReplyCode::NOT_FOUND, &format!("{}...", &text[..252]));
    }
    Ok(())
}
