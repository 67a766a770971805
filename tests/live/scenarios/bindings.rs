//! Binding and unbinding: what counts as one binding, how often a message comes, and what goes away
//! with what.

use leveret::protocol::queue;
use leveret::{FieldTable, FieldValue, Properties, ReplyCode, Result};
use leveret_live_tests::{exclusive_queue, open, soon, unique};

use crate::refusal::{assert_channel_refusal, refused_on};
use crate::routed::{another_channel, bodies, bound_queue, exchange};

#[tokio::test]
async fn binding_what_is_missing_is_not_found_and_names_the_exchange_first() -> Result<()> {
    let (connection, channel) = open().await;
    let (here, missing, gone) = (exclusive_queue(&channel).await, unique("missing"), unique("gone"));
    let cases = [
        (&missing, "amq.direct", format!("NOT_FOUND - no queue '{missing}' in vhost '/'")),
        (&here, gone.as_str(), format!("NOT_FOUND - no exchange '{gone}' in vhost '/'")),
        (&missing, gone.as_str(), format!("NOT_FOUND - no exchange '{gone}' in vhost '/'")),
    ];
    for (queue, exchange, text) in cases {
        let error = soon(another_channel(&connection).await.queue_bind(queue, exchange, "key")).await.unwrap_err();
        assert_channel_refusal(&error, "queue.bind", ReplyCode::NOT_FOUND, &text);
    }
    Ok(())
}

#[tokio::test]
async fn binding_exchanges_that_are_missing_is_not_found_and_names_the_source_first() -> Result<()> {
    let (connection, _channel) = open().await;
    let (missing, gone) = (unique("missing"), unique("gone"));
    let cases = [
        (missing.as_str(), "amq.direct", &missing),
        ("amq.direct", gone.as_str(), &gone),
        (missing.as_str(), gone.as_str(), &gone),
    ];
    for (destination, source, named) in cases {
        let error =
            soon(another_channel(&connection).await.exchange_bind(destination, source, "key")).await.unwrap_err();
        let text = format!("NOT_FOUND - no exchange '{named}' in vhost '/'");
        assert_channel_refusal(&error, "exchange.bind", ReplyCode::NOT_FOUND, &text);
    }
    Ok(())
}

#[tokio::test]
async fn a_binding_that_nothing_answers_is_refused_all_the_same() -> Result<()> {
    let (_connection, channel) = open().await;
    let missing = unique("missing");
    let bind = queue::Bind::default().queue(missing.as_str()).exchange("amq.direct").routing_key("key").no_wait(true);
    soon(channel.send(bind)).await?;
    let error = refused_on(&channel).await;
    let text = format!("NOT_FOUND - no queue '{missing}' in vhost '/'");
    assert_channel_refusal(&error, "queue.bind", ReplyCode::NOT_FOUND, &text);
    Ok(())
}

#[tokio::test]
async fn unbinding_what_is_not_bound_or_not_there_is_answered() -> Result<()> {
    let (_connection, channel) = open().await;
    let (queue, missing) = (exclusive_queue(&channel).await, unique("missing"));
    soon(channel.queue_unbind(&queue, "amq.direct", "never bound")).await?;
    soon(channel.queue_unbind(&missing, "amq.direct", "key")).await?;
    soon(channel.queue_unbind(&queue, &missing, "key")).await?;
    soon(channel.exchange_unbind("amq.fanout", "amq.direct", "never bound")).await?;
    soon(channel.exchange_unbind(&missing, "amq.direct", "key")).await?;
    soon(channel.exchange_unbind("amq.direct", &missing, "key")).await?;
    Ok(())
}

#[tokio::test]
async fn the_empty_queue_name_means_nothing_before_a_queue_is_declared() -> Result<()> {
    let (connection, _channel) = open().await;
    let text = "NOT_FOUND - no previously declared queue";
    let error = soon(another_channel(&connection).await.queue_bind("", "amq.direct", "key")).await.unwrap_err();
    assert_channel_refusal(&error, "queue.bind", ReplyCode::NOT_FOUND, text);
    let error = soon(another_channel(&connection).await.queue_unbind("", "amq.direct", "key")).await.unwrap_err();
    assert_channel_refusal(&error, "queue.unbind", ReplyCode::NOT_FOUND, text);
    let error = soon(another_channel(&connection).await.queue_purge("")).await.unwrap_err();
    assert_channel_refusal(&error, "queue.purge", ReplyCode::NOT_FOUND, text);
    let error = soon(another_channel(&connection).await.queue_delete("")).await.unwrap_err();
    assert_channel_refusal(&error, "queue.delete", ReplyCode::NOT_FOUND, text);
    Ok(())
}

#[tokio::test]
async fn with_neither_name_nor_key_the_last_declared_queue_is_bound_by_its_name() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "direct").await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.queue_bind("", &exchange, "")).await?;
    soon(channel.publish(&exchange, "", "by no key")).await?;
    soon(channel.publish(&exchange, &queue, "by its name")).await?;
    assert_eq!(bodies(&channel, &queue).await, ["by its name"]);
    soon(channel.queue_bind("", &exchange, "key")).await?;
    soon(channel.queue_bind(&queue, &exchange, "")).await?;
    soon(channel.publish(&exchange, "", "by no key")).await?;
    soon(channel.publish(&exchange, "key", "by a key")).await?;
    assert_eq!(bodies(&channel, &queue).await, ["by no key", "by a key"]);
    Ok(())
}

#[tokio::test]
async fn a_queue_that_is_bound_twice_is_bound_once() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "direct").await;
    let queue = bound_queue(&channel, &exchange, "key").await;
    let _other = bound_queue(&channel, &exchange, "other").await;
    soon(channel.queue_bind(&queue, &exchange, "key")).await?;
    soon(channel.publish(&exchange, "key", "once")).await?;
    soon(channel.queue_unbind(&queue, &exchange, "key")).await?;
    soon(channel.publish(&exchange, "key", "not at all")).await?;
    assert_eq!(bodies(&channel, &queue).await, ["once"]);
    Ok(())
}

#[tokio::test]
async fn a_message_that_matches_many_bindings_of_a_queue_comes_once() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "topic").await;
    let queue = bound_queue(&channel, &exchange, "a.*").await;
    soon(channel.queue_bind(&queue, &exchange, "a.#")).await?;
    soon(channel.queue_bind(&queue, &exchange, "*.b")).await?;
    soon(channel.queue_bind(&queue, &exchange, "*.b").arguments(FieldTable::from([("x", 1)]))).await?;
    soon(channel.publish(&exchange, "a.b", "once")).await?;
    assert_eq!(bodies(&channel, &queue).await, ["once"]);
    Ok(())
}

#[tokio::test]
async fn bindings_with_other_arguments_are_other_bindings() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "direct").await;
    let queue = bound_queue(&channel, &exchange, "key").await;
    let _other = bound_queue(&channel, &exchange, "other").await;
    let arguments = FieldTable::from([("x", 1), ("y", 2)]);
    soon(channel.queue_bind(&queue, &exchange, "key").arguments(arguments)).await?;
    soon(channel.queue_unbind(&queue, &exchange, "key")).await?;
    soon(channel.publish(&exchange, "key", "by the one with arguments")).await?;

    for wrong in [
        FieldTable::new(),
        FieldTable::from([("x", 1)]),
        FieldTable::from([("x", 1), ("y", 3)]),
        FieldTable::from([("x", FieldValue::I64(1)), ("y", FieldValue::I64(2))]),
    ] {
        soon(channel.queue_unbind(&queue, &exchange, "key").arguments(wrong)).await?;
    }
    soon(channel.publish(&exchange, "key", "still by that one")).await?;
    let in_another_order = FieldTable::from([("y", 2), ("x", 1)]);
    soon(channel.queue_unbind(&queue, &exchange, "key").arguments(in_another_order)).await?;
    soon(channel.publish(&exchange, "key", "not at all")).await?;
    assert_eq!(bodies(&channel, &queue).await, ["by the one with arguments", "still by that one"]);
    Ok(())
}

#[tokio::test]
async fn exchanges_bound_in_a_circle_bring_a_message_once() -> Result<()> {
    let (_connection, channel) = open().await;
    let (first, second) = (exchange(&channel, "fanout").await, exchange(&channel, "fanout").await);
    let (near, far) = (bound_queue(&channel, &first, "").await, bound_queue(&channel, &second, "").await);
    soon(channel.exchange_bind(&second, &first, "")).await?;
    soon(channel.exchange_bind(&first, &second, "")).await?;
    soon(channel.exchange_bind(&first, &first, "")).await?;
    soon(channel.queue_bind(&far, &first, "")).await?;
    soon(channel.publish(&first, "", "once")).await?;
    assert_eq!(bodies(&channel, &near).await, ["once"]);
    assert_eq!(bodies(&channel, &far).await, ["once"]);
    soon(channel.exchange_delete(&first)).await?;
    soon(channel.exchange_delete(&second)).await?;
    Ok(())
}

#[tokio::test]
async fn a_message_that_passed_many_exchanges_names_the_first() -> Result<()> {
    let (_connection, channel) = open().await;
    let (first, last) = (exchange(&channel, "topic").await, unique("internal"));
    soon(channel.exchange_declare(&last, "direct").internal(true).auto_delete(true)).await?;
    let queue = bound_queue(&channel, &last, "a.b").await;
    soon(channel.exchange_bind(&last, &first, "a.*")).await?;
    soon(channel.publish(&first, "a.b", "far")).await?;
    soon(channel.publish(&first, "a.c", "not so far")).await?;
    let delivery = soon(channel.get(&queue).no_ack(true)).await?.expect("the message");
    assert_eq!(
        (&*delivery.exchange().to_string_lossy(), &*delivery.routing_key().to_string_lossy()),
        (first.as_str(), "a.b")
    );
    assert_eq!(bodies(&channel, &queue).await, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_bindings_of_a_deleted_exchange_go_with_it() -> Result<()> {
    let (_connection, channel) = open().await;
    let (exchange, source) = (unique("short-lived"), exchange(&channel, "fanout").await);
    let queue = bound_queue(&channel, &source, "keeps the source").await;
    soon(channel.exchange_declare(&exchange, "fanout")).await?;
    soon(channel.exchange_bind(&exchange, &source, "")).await?;
    soon(channel.queue_bind(&queue, &exchange, "")).await?;
    soon(channel.exchange_delete(&exchange)).await?;
    soon(channel.exchange_declare(&exchange, "fanout")).await?;
    soon(channel.publish(&exchange, "", "nowhere")).await?;
    assert_eq!(bodies(&channel, &queue).await, Vec::<String>::new());

    let other = bound_queue(&channel, &exchange, "").await;
    soon(channel.publish(&source, "", "here alone")).await?;
    assert_eq!(bodies(&channel, &queue).await, ["here alone"]);
    assert_eq!(bodies(&channel, &other).await, Vec::<String>::new());
    soon(channel.exchange_delete(&exchange)).await?;
    Ok(())
}

#[tokio::test]
async fn the_bindings_of_a_deleted_queue_go_with_it() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "fanout").await;
    let (queue, other) = (bound_queue(&channel, &exchange, "").await, bound_queue(&channel, &exchange, "").await);
    soon(channel.queue_delete(&queue)).await?;
    soon(channel.queue_declare(&queue).exclusive(true)).await?;
    soon(channel.publish(&exchange, "", "to the other alone")).await?;
    assert_eq!(bodies(&channel, &queue).await, Vec::<String>::new());
    assert_eq!(bodies(&channel, &other).await, ["to the other alone"]);
    Ok(())
}

#[tokio::test]
async fn exchanges_that_are_bound_twice_are_bound_once_for_each_key_and_arguments() -> Result<()> {
    let (_connection, channel) = open().await;
    let (source, destination) = (unique("source"), exchange(&channel, "fanout").await);
    soon(channel.exchange_declare(&source, "direct")).await?;
    let queue = bound_queue(&channel, &destination, "").await;
    let arguments = FieldTable::from([("x", 1)]);
    soon(channel.exchange_bind(&destination, &source, "key")).await?;
    soon(channel.exchange_bind(&destination, &source, "key")).await?;
    soon(channel.exchange_bind(&destination, &source, "key").arguments(arguments.clone())).await?;
    soon(channel.publish(&source, "key", "once")).await?;
    soon(channel.exchange_unbind(&destination, &source, "key")).await?;
    soon(channel.publish(&source, "key", "by the one with arguments")).await?;
    soon(channel.exchange_unbind(&destination, &source, "key").arguments(arguments)).await?;
    soon(channel.publish(&source, "key", "not at all")).await?;
    assert_eq!(bodies(&channel, &queue).await, ["once", "by the one with arguments"]);
    soon(channel.exchange_delete(&source)).await?;
    Ok(())
}

#[tokio::test]
async fn each_exchange_on_the_way_looks_at_the_headers_and_all_the_keys() -> Result<()> {
    let (_connection, channel) = open().await;
    let (by_headers, by_key) = (exchange(&channel, "headers").await, exchange(&channel, "topic").await);
    let queue = bound_queue(&channel, &by_key, "k.*").await;
    soon(channel.exchange_bind(&by_key, &by_headers, "").arguments(FieldTable::from([("a", 1)]))).await?;
    let headers = |value: i32, copy: &str| {
        let copies = FieldValue::Array(vec![copy.into()]);
        Properties::default().headers(FieldTable::from([("a", FieldValue::I32(value)), ("CC", copies)]))
    };
    for (key, properties, body) in [
        ("k.1", headers(1, "other"), "by its key"),
        ("other", headers(1, "k.2"), "by its further key"),
        ("other", headers(1, "other"), "by neither"),
        ("k.1", headers(2, "k.2"), "by no header"),
    ] {
        soon(channel.publish(&by_headers, key, body).properties(&properties)).await?;
    }
    assert_eq!(bodies(&channel, &queue).await, ["by its key", "by its further key"]);
    soon(channel.exchange_delete(&by_headers)).await?;
    Ok(())
}

#[tokio::test]
async fn line_breaks_in_names_are_dropped_except_where_a_message_is_published() -> Result<()> {
    let (connection, channel) = open().await;
    let (exchange, queue) = (unique("broken"), unique("broken"));
    soon(channel.exchange_declare(format!("{exchange}\r\n"), "fanout").auto_delete(true)).await?;
    let declared = soon(channel.queue_declare(format!("\n{queue}\r")).exclusive(true)).await?;
    assert_eq!(declared.queue, *queue.as_str());
    soon(channel.queue_bind(format!("{queue}\n"), format!("\r{exchange}"), "")).await?;
    soon(channel.publish(&exchange, "", "arrives")).await?;
    assert_eq!(bodies(&channel, &queue).await, ["arrives"]);

    let broken = format!("{exchange}\r\n");
    let publisher = soon(another_channel(&connection).await.confirm_select()).await?;
    let error = soon(publisher.publish(&broken, "", "lost").confirmed()).await.unwrap_err();
    let text = format!("NOT_FOUND - no exchange '{broken}' in vhost '/'");
    assert_channel_refusal(&error, "basic.publish", ReplyCode::NOT_FOUND, &text);
    Ok(())
}
