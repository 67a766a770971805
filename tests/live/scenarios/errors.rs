//! Every kind of error, brought about on a broker, and what it tells.

use std::error::Error as _;

use leveret::config::{Pem, Tls};
use leveret::protocol::{basic, queue};
use leveret::{Credentials, Error, ErrorKind, FieldTable, Initiator, ReplyCode, Result};
use leveret_live_tests::client::Connection;
use leveret_live_tests::raw::Raw;
use leveret_live_tests::{connect, exclusive_queue, next, open, parameters, soon, unique};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Opens a connection that cannot be had.
async fn refused(parameters: leveret::ConnectionParameters) -> Error {
    soon(Connection::open(parameters)).await.expect_err("the connection is refused")
}

/// The port of a server on this machine that answers what it is told with `answer`, or with
/// nothing.
async fn server(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = [0; 64];
            let _ = stream.read(&mut heard).await;
            let _ = stream.write_all(answer).await;
            let _ = stream.read(&mut heard).await;
        }
    });
    port
}

/// The errors of connections that cannot be opened.
async fn of_opening() -> Vec<(ErrorKind, Error)> {
    let local = || parameters().host("127.0.0.1");
    let tls = Tls::default().ca(Pem::memory("no certificate"));
    vec![
        (ErrorKind::Parameters, soon(Connection::open("amqp://h?heartbaet=1")).await.unwrap_err()),
        (ErrorKind::Io, refused(local().port(1)).await),
        (ErrorKind::Tls, refused(parameters().tls(tls)).await),
        (ErrorKind::Tls, refused(parameters().tls(Tls::default().dangerously_skip_verification())).await),
        (ErrorKind::TimedOut, {
            let silent = local().port(server(b"").await);
            refused(silent.handshake_timeout(std::time::Duration::from_millis(50))).await
        }),
        (ErrorKind::Protocol, refused(local().port(server(b"HTTP/1.1 400 Bad Request\r\n\r\n").await)).await),
        (ErrorKind::Authentication, refused(parameters().credentials(Credentials::plain("nobody", "any"))).await),
        (ErrorKind::Authentication, refused(parameters().credentials(Credentials::external())).await),
        (ErrorKind::AccessRefused, refused(parameters().virtual_host(unique("missing"))).await),
    ]
}

/// The errors of channels and connections that the broker closes.
async fn of_closing() -> Vec<(ErrorKind, Error)> {
    let (connection, channel) = open().await;
    let missing = soon(channel.queue_declare(unique("missing")).passive(true)).await.unwrap_err();
    assert!(missing.is_not_found() && !missing.is_retryable() && connection.is_open());
    let (_connection, channel) = open().await;
    let unsupported = soon(channel.call(basic::Recover::default().requeue(false))).await.unwrap_err();
    assert_eq!(unsupported.reply_code(), Some(ReplyCode::NOT_IMPLEMENTED));
    for error in [&missing, &unsupported] {
        assert_eq!(error.initiator(), Some(Initiator::Broker));
        assert!(error.reply_text().is_some() && error.method().is_some(), "{error}");
    }
    vec![(ErrorKind::ChannelClosed, missing), (ErrorKind::ConnectionClosed, unsupported)]
}

/// The errors of messages and consumers.
async fn of_messages() -> Vec<(ErrorKind, Error)> {
    let (_connection, channel) = open().await;
    let (queue, full) = (exclusive_queue(&channel).await, unique("full"));
    let arguments =
        FieldTable::from([("x-max-length", 0.into()), ("x-overflow", leveret::FieldValue::from("reject-publish"))]);
    soon(channel.queue_declare(&full).exclusive(true).arguments(arguments)).await.unwrap();
    let publisher = soon(channel.confirm_select()).await.unwrap();
    let nacked = soon(publisher.publish("", &full, "x").confirmed()).await.unwrap_err();
    let back = soon(publisher.publish("", unique("nowhere"), "x").mandatory(true).confirmed()).await.unwrap_err();
    assert_eq!((back.reply_code(), back.returned().is_some()), (Some(ReplyCode::NO_ROUTE), true));

    let mut consumer = soon(channel.consume(&queue).no_ack(true)).await.unwrap();
    soon(publisher.publish("", &queue, "x").confirmed()).await.unwrap();
    let nothing_to_settle = next(&mut consumer).await.ack().await.unwrap_err();
    soon(channel.queue_delete(&queue)).await.unwrap();
    let cancelled = soon(consumer.next()).await.unwrap().unwrap_err();
    let unencodable = soon(channel.queue_declare("q".repeat(256))).await.unwrap_err();
    assert!(unencodable.get_ref().is_some() && unencodable.is_not_sent());
    vec![
        (ErrorKind::Nacked, nacked),
        (ErrorKind::Returned, back),
        (ErrorKind::Usage, nothing_to_settle),
        (ErrorKind::ConsumerCancelled, cancelled),
        (ErrorKind::Encode, unencodable),
    ]
}

/// The error of a message whose properties have a flag of no property, which brokers pass on.
async fn of_decoding() -> (ErrorKind, Error) {
    let (_connection, channel) = open().await;
    let queue = unique("undecodable");
    soon(channel.queue_declare(&queue).auto_delete(true)).await.unwrap();
    let mut consumer = soon(channel.consume(&queue)).await.unwrap();
    let mut peer = Raw::open_channel().await;
    peer.call(1, queue::Declare::default().queue(&*queue).passive(true)).await;
    peer.send(1, basic::Publish::default().routing_key(&*queue)).await;
    peer.send_frame(2, 1, b"\0\x3c\0\0\0\0\0\0\0\0\0\0\0\x02").await;
    let delivery = next(&mut consumer).await;
    let undecodable = delivery.properties().unwrap_err();
    delivery.ack().await.unwrap();
    assert!(channel.is_open(), "the connection goes on");
    peer.close().await;
    (ErrorKind::Decode, undecodable)
}

/// The errors of limits that the application set.
async fn of_limits() -> Result<Vec<(ErrorKind, Error)>> {
    let limited = parameters().channel_max(1).max_message_size(3).max_unconfirmed(1);
    let connection = soon(Connection::open(limited)).await?;
    let channel = soon(connection.open_channel()).await?;
    let exhausted = soon(connection.open_channel()).await.unwrap_err();
    let queue = exclusive_queue(&channel).await;
    let publisher = soon(channel.confirm_select()).await?;
    // A driver on another thread may see the broker confirm one before the next is published.
    let mut confirms = Vec::new();
    let paused = loop {
        match publisher.publish("", &queue, "four").try_publish() {
            Ok(confirm) => confirms.push(confirm),
            Err(error) => break error,
        }
    };
    assert!(paused.is_retryable() && paused.is_not_sent());
    assert!(!confirms.is_empty());
    for confirm in confirms {
        soon(confirm).await?;
    }
    let large = soon(channel.get(&queue)).await.unwrap_err();
    Ok(vec![
        (ErrorKind::ChannelsExhausted, exhausted),
        (ErrorKind::Backpressure, paused),
        (ErrorKind::MessageTooLarge, large),
    ])
}

/// The error of a consumer that takes nothing until too much waits for it.
async fn of_overflow() -> Result<(ErrorKind, Error)> {
    let limited = parameters().read_limit(1000).overflow_timeout(std::time::Duration::from_millis(100));
    let connection = soon(Connection::open(limited)).await?;
    let channel = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&channel).await;
    let mut events = channel.events();
    let mut consumer = soon(channel.consume(&queue).no_ack(true)).await?;
    for _ in 0..10 {
        soon(channel.publish("", &queue, vec![0; 1000]).into_future()).await?;
    }
    let event = soon(events.next()).await;
    assert!(matches!(&event, Some(leveret::ChannelEvent::ConsumerOverflowed(_))), "{event:?}");
    loop {
        // What waited is handed out before it.
        if let Err(error) = soon(consumer.next()).await.unwrap() {
            return Ok((ErrorKind::ConsumerOverflowed, error));
        }
    }
}

/// What an error of this kind says to do about it, or names.
fn advice(kind: ErrorKind) -> &'static [&'static str] {
    match kind {
        ErrorKind::Parameters => &["the nearest known one is heartbeat"],
        ErrorKind::Io => &["connect: "],
        ErrorKind::Tls => &["cacertfile", "amqp://"],
        ErrorKind::TimedOut => &["handshake_timeout"],
        ErrorKind::Protocol => &["not an AMQP 0-9-1 server"],
        ErrorKind::Authentication => &["check user and password", "the client has EXTERNAL"],
        ErrorKind::AccessRefused => &["check that the virtual host exists"],
        ErrorKind::ConnectionClosed => &["do without it"],
        ErrorKind::ChannelClosed => &["declare what is missing first"],
        ErrorKind::ConsumerCancelled => &["consume again"],
        ErrorKind::ConsumerOverflowed => &["read_limit"],
        ErrorKind::Nacked => &["again later"],
        ErrorKind::Returned => &["bind a queue"],
        ErrorKind::Encode => &["255"],
        ErrorKind::Decode => &["flag"],
        ErrorKind::Usage => &["nothing to settle"],
        ErrorKind::ChannelsExhausted => &["channel_max"],
        ErrorKind::MessageTooLarge => &["max_message_size"],
        ErrorKind::Backpressure => &["await the publish"],
        other => panic!("{other:?} has no place here"),
    }
}

#[tokio::test]
async fn every_kind_of_error_is_met_and_says_what_it_is() -> Result<()> {
    let mut met = of_opening().await;
    met.extend(of_closing().await);
    met.extend(of_messages().await);
    met.push(of_decoding().await);
    met.extend(of_limits().await?);
    met.push(of_overflow().await?);
    for (kind, error) in &met {
        assert_eq!(error.kind(), *kind, "{error}");
        let (text, whole) = (error.to_string(), format!("{error:?}"));
        assert!(advice(*kind).iter().any(|words| whole.contains(words)) && text.lines().count() == 1, "{whole}");
        assert!(whole.starts_with(&text) && format!("{error:#?}").contains(&format!("{kind:?}")));
        // Each source tells something new, and the chain ends.
        let sources: Vec<_> = std::iter::successors(error.source(), |source| (*source).source()).collect();
        let sources: Vec<_> = sources.iter().map(ToString::to_string).collect();
        assert!(
            sources.len() < 8 && sources.iter().all(|source| !source.is_empty() && !text.contains(source)),
            "{sources:?}"
        );
    }
    let mut kinds: Vec<ErrorKind> = met.iter().map(|(kind, _)| *kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    // Those of a recovery are met in the embedded broker's tests of it.
    let of_recovery = [ErrorKind::Recovering, ErrorKind::StaleDelivery, ErrorKind::TransactionLost];
    let all: Vec<_> = ErrorKind::ALL.iter().copied().filter(|kind| !of_recovery.contains(kind)).collect();
    assert_eq!(kinds, all);
    Ok(())
}

#[tokio::test]
async fn no_mechanism_in_common_lists_both_sides() {
    let error = refused(parameters().credentials(Credentials::external())).await;
    assert!(error.is_authentication(), "{error}");
    let text = error.to_string();
    assert!(text.contains("the client has EXTERNAL, the broker offers ") && text.contains("AMQPLAIN"), "{text}");
}

#[tokio::test]
async fn what_failed_because_of_a_close_reports_the_first_cause_for_ever() {
    let (connection, channel) = open().await;
    let first = soon(channel.call(basic::Recover::default().requeue(false))).await.unwrap_err();
    let again = soon(channel.queue_declare("q")).await.unwrap_err();
    let closed = soon(connection.closed()).await;
    let later = soon(connection.open_channel()).await.unwrap_err();
    for error in [&again, &closed, &later] {
        assert_eq!((error.reply_text(), error.method()), (first.reply_text(), first.method()));
    }
    assert!(again.is_not_sent() && later.is_not_sent() && !closed.is_not_sent(), "that one was asked for nothing");
    drop(connect().await);
}
