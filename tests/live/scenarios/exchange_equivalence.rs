//! Declaring an exchange that is there already: what has to be as it was.

use leveret::protocol::exchange;
use leveret::{FieldTable, FieldValue, ReplyCode, Result};
use leveret_live_tests::{open, soon, unique};

use crate::refusal::assert_channel_refusal;
use crate::routed::{self, another_channel};

#[tokio::test]
async fn asking_whether_an_exchange_is_there_minds_nothing_but_its_name() -> Result<()> {
    let (_connection, channel) = open().await;
    let anything = FieldTable::from([("alternate-exchange", 5)]);
    for kind in ["topic", "x-nonsense", ""] {
        let declare = channel.exchange_declare("amq.direct", kind).passive(true).auto_delete(true).internal(true);
        soon(declare.arguments(anything.clone())).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_exchange_is_declared_again_only_as_it_is() -> Result<()> {
    let (connection, channel) = open().await;
    let name = routed::exchange(&channel, "direct").await;
    soon(channel.exchange_declare(&name, "direct").auto_delete(true)).await?;
    let refusal = |what: &str, received: &str, current: &str| {
        format!(
            "PRECONDITION_FAILED - inequivalent arg '{what}' for exchange '{name}' in vhost '/': \
             received '{received}' but current is '{current}'"
        )
    };

    let error =
        soon(another_channel(&connection).await.exchange_declare(&name, "fanout").auto_delete(true)).await.unwrap_err();
    let text = refusal("type", "fanout", "direct");
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::PRECONDITION_FAILED, &text);
    let durable = another_channel(&connection).await;
    let error = soon(durable.exchange_declare(&name, "direct").auto_delete(true).durable(true)).await.unwrap_err();
    let text = refusal("durable", "true", "false");
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::PRECONDITION_FAILED, &text);
    let error = soon(another_channel(&connection).await.exchange_declare(&name, "direct")).await.unwrap_err();
    let text = refusal("auto_delete", "false", "true");
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::PRECONDITION_FAILED, &text);
    let internal = another_channel(&connection).await;
    let error = soon(internal.exchange_declare(&name, "direct").auto_delete(true).internal(true)).await.unwrap_err();
    let text = refusal("internal", "true", "false");
    assert_channel_refusal(&error, "exchange.declare", ReplyCode::PRECONDITION_FAILED, &text);
    soon(channel.exchange_delete(&name)).await?;
    Ok(())
}

#[tokio::test]
async fn an_exchange_of_the_brokers_own_is_declared_again_only_as_it_is() -> Result<()> {
    let (connection, _channel) = open().await;
    let declare = |exchange: &str, kind: &str| exchange::Declare::default().exchange(exchange).kind(kind).durable(true);
    let cases = [
        (declare("amq.topic", "direct"), "amq.topic", "'type'", "'direct' but current is 'topic'"),
        (declare("amq.match", "headers").durable(false), "amq.match", "'durable'", "'false' but current is 'true'"),
        (
            declare("amq.fanout", "fanout").auto_delete(true),
            "amq.fanout",
            "'auto_delete'",
            "'true' but current is 'false'",
        ),
        (
            declare("amq.headers", "headers").internal(true),
            "amq.headers",
            "'internal'",
            "'true' but current is 'false'",
        ),
        (declare("amq.rabbitmq.trace", "topic"), "amq.rabbitmq.trace", "'internal'", "'false' but current is 'true'"),
    ];
    for (declare, exchange, argument, values) in cases {
        let error = soon(another_channel(&connection).await.call(declare)).await.unwrap_err();
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg {argument} for exchange '{exchange}' in vhost '/': received {values}"
        );
        assert_channel_refusal(&error, "exchange.declare", ReplyCode::PRECONDITION_FAILED, &text);
    }
    Ok(())
}

#[tokio::test]
async fn of_many_differences_the_broker_names_the_first() -> Result<()> {
    let (connection, channel) = open().await;
    let name = unique("different");
    soon(channel.exchange_declare(&name, "direct")).await?;
    let declare = |kind: &str, durable, auto_delete, internal| {
        exchange::Declare::default()
            .exchange(name.as_str())
            .kind(kind)
            .durable(durable)
            .auto_delete(auto_delete)
            .internal(internal)
            .arguments(FieldTable::from([("alternate-exchange", "other")]))
    };
    let cases = [
        (declare("fanout", true, true, true), "type"),
        (declare("direct", true, true, true), "durable"),
        (declare("direct", false, true, true), "auto_delete"),
        (declare("direct", false, false, true), "internal"),
        (declare("direct", false, false, false), "alternate-exchange"),
    ];
    for (declare, named) in cases {
        let error = soon(another_channel(&connection).await.call(declare)).await.unwrap_err();
        let text = error.reply_text().unwrap_or_default();
        let start = format!("PRECONDITION_FAILED - inequivalent arg '{named}' for exchange '{name}' in vhost '/': ");
        assert!(text.starts_with(&start), "{named}: {text}");
    }
    soon(channel.exchange_delete(&name)).await?;
    Ok(())
}

#[tokio::test]
async fn of_the_arguments_of_an_exchange_only_the_alternate_exchange_is_compared() -> Result<()> {
    let (connection, channel) = open().await;
    let (with, without) = (unique("with"), unique("without"));
    let alternate = |value: FieldValue| FieldTable::from([("alternate-exchange", value), ("x-other", 1.into())]);
    soon(channel.exchange_declare(&without, "direct").arguments(FieldTable::from([("x-other", 1)]))).await?;
    soon(channel.exchange_declare(&without, "direct").arguments(FieldTable::from([("x-other", 2)]))).await?;
    soon(channel.exchange_declare(&with, "direct").arguments(alternate("mine".into()))).await?;
    soon(channel.exchange_declare(&with, "direct").arguments(FieldTable::from([("alternate-exchange", "mine")])))
        .await?;
    soon(channel.exchange_declare(&with, "direct").arguments(alternate(b"mine".to_vec().into()))).await?;

    let start = "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange";
    let cases = [
        (&with, FieldTable::new(), "received none but current is the value 'mine' of type 'longstr'"),
        (&with, alternate("yours".into()), "received 'yours' but current is 'mine'"),
        (&with, alternate(5.into()), "received '5' but current is 'mine'"),
        (&without, alternate("mine".into()), "received the value 'mine' of type 'longstr' but current is none"),
        (&without, alternate(5.into()), "received the value '5' of type 'signedint' but current is none"),
    ];
    for (name, arguments, end) in cases {
        let declare = another_channel(&connection).await;
        let error = soon(declare.exchange_declare(name, "direct").arguments(arguments)).await.unwrap_err();
        let text = format!("{start} '{name}' in vhost '/': {end}");
        assert_channel_refusal(&error, "exchange.declare", ReplyCode::PRECONDITION_FAILED, &text);
    }
    soon(channel.exchange_delete(&with)).await?;
    soon(channel.exchange_delete(&without)).await?;
    Ok(())
}
