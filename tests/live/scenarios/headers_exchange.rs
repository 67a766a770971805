//! Which headers a headers exchange takes.

use leveret::wire::Decimal;
use leveret::{FieldTable, FieldValue, Properties, ReplyCode, Result, Timestamp};
use leveret_live_tests::{exclusive_queue, open, soon};

use crate::refusal::assert_channel_refusal;
use crate::routed::{another_channel, bodies, bound_queue_with, exchange};

/// Numbered headers, and the numbers of those that a binding with these arguments takes.
struct Case<'a> {
    arguments: FieldTable,
    takes: &'a [usize],
}

fn case<'a, const COUNT: usize>(arguments: [(&str, FieldValue); COUNT], takes: &'a [usize]) -> Case<'a> {
    Case { arguments: FieldTable::from(arguments), takes }
}

/// Publishes with each of the headers and asserts what came by each binding, all of one headers
/// exchange.
async fn assert_matches(headers: &[FieldTable], cases: &[Case<'_>]) -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "headers").await;
    let mut queues = Vec::new();
    for case in cases {
        queues.push(bound_queue_with(&channel, &exchange, "ignored", case.arguments.clone()).await);
    }
    for (number, headers) in headers.iter().enumerate() {
        let properties = Properties::default().headers(headers.clone());
        soon(channel.publish(&exchange, "another key", number.to_string()).properties(&properties)).await?;
    }
    for (case, queue) in cases.iter().zip(queues) {
        let takes: Vec<_> = case.takes.iter().map(ToString::to_string).collect();
        assert_eq!(bodies(&channel, &queue).await, takes, "by {:?}", case.arguments);
    }
    Ok(())
}

#[tokio::test]
async fn all_takes_what_has_every_header_and_any_what_has_one() -> Result<()> {
    let headers = [
        FieldTable::new(),
        FieldTable::from([("a", 1)]),
        FieldTable::from([("b", 2)]),
        FieldTable::from([("a", 1), ("b", 2)]),
        FieldTable::from([("b", 2), ("c", 3), ("a", 1)]),
        FieldTable::from([("a", 1), ("b", 3)]),
        FieldTable::from([("A", 1), ("B", 2)]),
    ];
    let all = case([("x-match", "all".into()), ("a", 1.into()), ("b", 2.into())], &[3, 4]);
    let any = case([("x-match", "any".into()), ("a", 1.into()), ("b", 2.into())], &[1, 2, 3, 4, 5]);
    let unsaid = case([("a", 1.into()), ("b", 2.into())], &[3, 4]);
    assert_matches(&headers, &[all, any, unsaid]).await
}

#[tokio::test]
async fn without_headers_to_match_all_takes_everything_and_any_nothing() -> Result<()> {
    let headers = [FieldTable::new(), FieldTable::from([("a", 1)])];
    let all = case([("x-match", "all".into())], &[0, 1]);
    let any = case([("x-match", "any".into())], &[]);
    assert_matches(&headers, &[all, any, case([], &[0, 1])]).await
}

#[tokio::test]
async fn a_message_without_headers_is_taken_where_none_are_asked_for() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "headers").await;
    let nothing = bound_queue_with(&channel, &exchange, "", FieldTable::new()).await;
    let something = bound_queue_with(&channel, &exchange, "", FieldTable::from([("a", FieldValue::Void)])).await;
    soon(channel.publish(&exchange, "", "bare")).await?;
    assert_eq!(bodies(&channel, &nothing).await, ["bare"]);
    assert_eq!(bodies(&channel, &something).await, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn headers_that_begin_with_x_count_only_where_that_is_asked_for() -> Result<()> {
    let headers = [
        FieldTable::from([("a", 1)]),
        FieldTable::from([("x-y", 1)]),
        FieldTable::from([("a", 1), ("x-y", 1)]),
        FieldTable::from([("a", 1), ("x-y", 2)]),
    ];
    let both = |how: &str| [("x-match", how.into()), ("a", 1.into()), ("x-y", 1.into())];
    let one = |how: &str| [("x-match", how.into()), ("x-y", 1.into())];
    assert_matches(
        &headers,
        &[
            case(both("all"), &[0, 2, 3]),
            case(both("any"), &[0, 2, 3]),
            case(both("all-with-x"), &[2]),
            case(both("any-with-x"), &[0, 1, 2, 3]),
            case(one("all"), &[0, 1, 2, 3]),
            case(one("any"), &[]),
            case(one("all-with-x"), &[1, 2]),
            case(one("any-with-x"), &[1, 2]),
        ],
    )
    .await
}

/// A header of each type, all numbers among them being one.
fn values() -> [FieldValue; 17] {
    [
        FieldValue::I8(1),
        FieldValue::U8(1),
        FieldValue::I16(1),
        FieldValue::U16(1),
        FieldValue::I32(1),
        FieldValue::U32(1),
        FieldValue::I64(1),
        FieldValue::F32(1.0),
        FieldValue::F64(1.0),
        FieldValue::Timestamp(Timestamp::from_secs(1)),
        FieldValue::Bool(true),
        FieldValue::from("1"),
        FieldValue::from(b"1".to_vec()),
        FieldValue::Void,
        FieldValue::Decimal(Decimal { scale: 0, value: 1 }),
        FieldValue::Array(vec![FieldValue::I32(1)]),
        FieldValue::Table(FieldTable::from([("a", 1)])),
    ]
}

#[tokio::test]
async fn numbers_are_equal_whatever_their_type_and_text_to_its_octets() -> Result<()> {
    let headers = values().map(|value| FieldTable::from([("a", value)]));
    let numbers: &[usize] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    let cases = values().into_iter().enumerate().map(|(number, value)| match number {
        0..=9 => case([("a", value)], numbers),
        10 => case([("a", value)], &[10]),
        11 | 12 => case([("a", value)], &[11, 12]),
        // A binding without a value asks for the header alone.
        13 => case([("a", value)], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
        14 => case([("a", value)], &[14]),
        15 => case([("a", value)], &[15]),
        _ => case([("a", value)], &[16]),
    });
    assert_matches(&headers, &cases.collect::<Vec<_>>()).await
}

#[tokio::test]
async fn a_binding_without_a_value_asks_only_for_the_header() -> Result<()> {
    let headers = [
        FieldTable::from([("a", FieldValue::I32(5))]),
        FieldTable::from([("a", FieldValue::Void)]),
        FieldTable::from([("b", FieldValue::Void)]),
        FieldTable::from([("b", FieldValue::I32(1))]),
        FieldTable::new(),
    ];
    let all = case([("a", FieldValue::Void)], &[0, 1]);
    let any = case([("x-match", "any".into()), ("a", FieldValue::Void), ("b", 1.into())], &[0, 1, 3]);
    assert_matches(&headers, &[all, any]).await
}

#[tokio::test]
async fn what_differs_a_little_is_not_equal() -> Result<()> {
    let pair = |first: (&str, i32), second: (&str, i32)| FieldValue::Table(FieldTable::from([first, second]));
    let array = |first: FieldValue, second: FieldValue| FieldValue::Array(vec![first, second]);
    let headers = [
        FieldTable::from([("a", FieldValue::from("X"))]),
        FieldTable::from([("a", FieldValue::from(""))]),
        FieldTable::from([("a", FieldValue::Bool(false))]),
        FieldTable::from([("a", array("x".into(), 1.into()))]),
        FieldTable::from([("a", pair(("q", 2), ("p", 1)))]),
        FieldTable::from([("a", FieldValue::F32(0.5))]),
        FieldTable::from([("A", FieldValue::from("x"))]),
    ];
    let cases = [
        case([("a", "x".into())], &[]),
        case([("a", "".into())], &[1]),
        case([("a", true.into())], &[]),
        case([("a", array(1.into(), "x".into()))], &[]),
        case([("a", array("x".into(), 1.into()))], &[3]),
        case([("a", pair(("p", 1), ("q", 2)))], &[]),
        case([("a", pair(("q", 2), ("p", 1)))], &[4]),
        case([("a", 0.5_f64.into())], &[5]),
        case([("a", 0.25_f64.into())], &[]),
    ];
    assert_matches(&headers, &cases).await
}

#[tokio::test]
async fn another_way_to_match_is_refused() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for (value, shown) in [("ALL", r#"<<"ALL">>"#), ("none", r#"<<"none">>"#), ("", "<<>>")] {
        let arguments = FieldTable::from([("x-match", value)]);
        let bind = another_channel(&connection).await;
        let error = soon(bind.queue_bind(&queue, "amq.headers", "").arguments(arguments.clone())).await.unwrap_err();
        let text = format!(
            "PRECONDITION_FAILED - Invalid x-match field value {shown}; expected all, any, all-with-x, or any-with-x"
        );
        assert_channel_refusal(&error, "queue.bind", ReplyCode::PRECONDITION_FAILED, &text);
        let bind = another_channel(&connection).await;
        let between = bind.exchange_bind("amq.fanout", "amq.match", "").arguments(arguments.clone());
        assert_channel_refusal(
            &soon(between).await.unwrap_err(),
            "exchange.bind",
            ReplyCode::PRECONDITION_FAILED,
            &text,
        );
        soon(channel.queue_unbind(&queue, "amq.headers", "").arguments(arguments)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_way_to_match_is_text() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let cases = [
        (FieldValue::I32(5), "signedint (value 5)"),
        (FieldValue::Bool(true), "bool (value true)"),
        (FieldValue::Void, "void (value undefined)"),
        (FieldValue::from(b"all".to_vec()), r#"binary (value <<"all">>)"#),
    ];
    for (value, shown) in cases {
        let arguments = FieldTable::from([("x-match", value)]);
        let bind = another_channel(&connection).await;
        let error = soon(bind.queue_bind(&queue, "amq.headers", "").arguments(arguments)).await.unwrap_err();
        let text = format!("PRECONDITION_FAILED - Invalid x-match field type {shown}; expected longstr");
        assert_channel_refusal(&error, "queue.bind", ReplyCode::PRECONDITION_FAILED, &text);
    }
    Ok(())
}

#[tokio::test]
async fn other_types_of_exchanges_ignore_the_arguments_of_a_binding() -> Result<()> {
    let (_connection, channel) = open().await;
    for kind in ["direct", "topic", "fanout"] {
        let exchange = exchange(&channel, kind).await;
        let arguments = FieldTable::from([("x-match", FieldValue::from("none")), ("a", 1.into())]);
        let queue = bound_queue_with(&channel, &exchange, "key", arguments).await;
        soon(channel.publish(&exchange, "key", kind)).await?;
        assert_eq!(bodies(&channel, &queue).await, [kind]);
    }
    Ok(())
}
