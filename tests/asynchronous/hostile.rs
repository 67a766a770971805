//! Slow, odd and malicious brokers.

use std::time::Duration;

use leveret::protocol::{basic, channel, confirm, connection, queue, tx};
use leveret::{ErrorKind, Properties, ReplyCode};
use leveret_test_support::Peer;
use leveret_test_support::frames::{BODY, METHOD, header_octets, method_octets, raw_frame};

use super::client::{Connect as _, connect_obliged, parameters};

const CAPACITY: usize = 64 * 1024;

#[tokio::test(start_paused = true)]
async fn a_pipe_of_one_octet_carries_everything() {
    let (connection, heard) = connect_obliged(1, parameters()).await;
    let channel = connection.open_channel().await.unwrap();
    assert_eq!(channel.queue_declare("q").await.unwrap().queue, "q");
    let publisher = channel.confirm_select().await.unwrap();
    publisher.publish("", "q", vec![7; 10_000]).confirmed().await.unwrap();
    let mut consumer = channel.consume("q").await.unwrap();
    let delivery = consumer.next().await.unwrap().unwrap();
    assert_eq!(delivery.body(), b"pushed");
    delivery.ack().await.unwrap();
    assert_eq!(channel.get("q").await.unwrap().unwrap().body(), b"got");
    connection.close().await.unwrap();
    assert_eq!((heard.count("basic.publish"), heard.count("basic.ack")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn large_and_empty_messages_come_whole_however_they_are_split() {
    let (_connection, channel, mut peer) = Peer::connect_channel(777, parameters().frame_max(4096)).await;
    let bodies: Vec<Vec<u8>> = [0, 1, 4087, 4088, 4089, 100_000].map(|len| vec![3; len]).into();
    let script = async {
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
        for (delivery_tag, body) in (1..).zip(&bodies) {
            let deliver = basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag);
            let mut octets = method_octets(1, deliver);
            octets.extend(header_octets(1, body.len(), &Properties::default()));
            // As a broker may: in pieces of any size up to the limit, an empty one among them.
            for piece in body.chunks(4000) {
                octets.extend(raw_frame(BODY, 1, piece));
            }
            peer.send_octets(&octets).await;
        }
    };
    let client = async {
        let mut consumer = channel.consume("q").await.unwrap();
        for body in &bodies {
            assert_eq!(consumer.next().await.unwrap().unwrap().body(), &body[..]);
        }
        consumer
    };
    let (_consumer, ()) = tokio::join!(client, script);
    for body in &bodies {
        let publish = channel.publish("", "q", body).into_future();
        let (published, got) = tokio::join!(publish, peer.expect_publish(1));
        published.unwrap();
        assert_eq!(&got.body, body);
    }
}

/// What breaks the protocol, and the code that the client's close has to tell.
fn violations() -> Vec<(&'static str, Vec<u8>, ReplyCode)> {
    vec![
        ("a frame of a declared 4 GiB", vec![1, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF], ReplyCode::FRAME_ERROR),
        ("a frame one octet over the limit", vec![3, 0, 1, 0, 1, 0xFF, 0xF9], ReplyCode::FRAME_ERROR),
        ("a frame of no known type", vec![9, 0, 0, 0, 0, 0, 0, 0xCE], ReplyCode::FRAME_ERROR),
        ("a frame without its end", vec![8, 0, 0, 0, 0, 0, 0, 0], ReplyCode::FRAME_ERROR),
        ("a reply that nobody asked for", method_octets(1, tx::SelectOk::default()), ReplyCode::COMMAND_INVALID),
        ("a method of the client's", method_octets(1, queue::Declare::default()), ReplyCode::COMMAND_INVALID),
        ("a channel that is not open", method_octets(9, queue::DeclareOk::default()), ReplyCode::CHANNEL_ERROR),
        ("a confirm of nothing", method_octets(1, basic::Ack::default().delivery_tag(1)), ReplyCode::COMMAND_INVALID),
        ("a body without a header", raw_frame(BODY, 1, b"x"), ReplyCode::UNEXPECTED_FRAME),
        ("a method that does not exist", raw_frame(METHOD, 1, &[0, 60, 0, 250]), ReplyCode::NOT_IMPLEMENTED),
        ("arguments that end too soon", raw_frame(METHOD, 1, &[0, 50, 0, 11, 200]), ReplyCode::SYNTAX_ERROR),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_breaks_the_protocol_is_told_so_and_left() {
    for (what, octets, code) in violations() {
        let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
        let script = async {
            peer.expect::<queue::Declare>(1).await;
            peer.send_octets(&octets).await;
            let close = peer.expect::<connection::Close>(0).await;
            assert_eq!(close.reply_code, code, "{what}: {}", close.reply_text);
            peer.send(0, connection::CloseOk::default()).await;
            peer.expect_end().await;
        };
        let (called, ()) = tokio::join!(channel.queue_declare("q").into_future(), script);
        let error = called.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{what}: {error:?}");
        assert!(error.is_unknown() && !error.is_retryable(), "{what}: {error:?}");
        assert!(!connection.is_open());
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_channels_are_opened_and_dropped_and_their_numbers_used_again() {
    let (connection, heard) = connect_obliged(CAPACITY, parameters()).await;
    let opening: Vec<_> = (0..1000)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move { connection.open_channel().await })
        })
        .collect();
    let mut channels = Vec::new();
    for opened in opening {
        channels.push(opened.await.unwrap().unwrap());
    }
    let mut numbers: Vec<u16> = channels.iter().map(leveret::Channel::number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
    drop(channels);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(heard.count("channel.close"), 1000);
    assert_eq!(connection.open_channel().await.unwrap().number(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_channels_are_opened_than_were_negotiated() {
    let (connection, _heard) = connect_obliged(CAPACITY, parameters().channel_max(2)).await;
    let _one = connection.open_channel().await.unwrap();
    let two = connection.open_channel().await.unwrap();
    let error = connection.open_channel().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ChannelsExhausted);
    assert!(error.is_not_sent());
    two.close().await.unwrap();
    assert_eq!(connection.open_channel().await.unwrap().number(), 2);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_publishes_are_confirmed_by_one_ack() {
    let (connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let script = async {
        peer.expect::<confirm::Select>(1).await;
        peer.send(1, confirm::SelectOk::default()).await;
        for _ in 0..10_000 {
            peer.expect_publish(1).await;
        }
        peer.send(1, basic::Ack::default().delivery_tag(10_000).multiple(true)).await;
    };
    let client = async {
        let publisher = channel.confirm_select().await.unwrap();
        let mut confirms = Vec::new();
        for _ in 0..10_000 {
            confirms.push(publisher.publish("", "q", "x").await.unwrap());
        }
        for confirm in confirms {
            confirm.await.unwrap();
        }
    };
    tokio::join!(client, script);
    assert_eq!(connection.unconfirmed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_is_rejected_and_reported_and_the_consumer_goes_on() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters().max_message_size(10)).await;
    let script = async {
        peer.expect::<basic::Consume>(1).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
        for (delivery_tag, len) in [(1, 11), (2, 10)] {
            let deliver = basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag);
            peer.send_content(1, deliver, &vec![0; len]).await;
        }
        assert_eq!(peer.expect::<basic::Reject>(1).await, basic::Reject::default().delivery_tag(1));
    };
    let client = async {
        let mut consumer = channel.consume("q").await.unwrap();
        let error = consumer.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MessageTooLarge);
        assert_eq!(consumer.next().await.unwrap().unwrap().delivery_tag(), 2);
        consumer
    };
    tokio::join!(client, script);
}

#[tokio::test(start_paused = true)]
async fn a_mandatory_message_that_comes_back_is_told_to_its_confirm_and_others_to_the_stream() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let mut returns = channel.returns();
    let back = |routing_key: &str| {
        basic::Return::default().reply_code(ReplyCode::NO_ROUTE).reply_text("NO_ROUTE").routing_key(routing_key)
    };
    channel.publish("", "plain", "plain").mandatory(true).await.unwrap();
    peer.expect_publish(1).await;
    peer.send_content(1, back("plain"), b"plain").await;
    assert_eq!(returns.next().await.unwrap().message.body(), b"plain");
    let script = async {
        peer.expect::<confirm::Select>(1).await;
        peer.send(1, confirm::SelectOk::default()).await;
        peer.expect_publish(1).await;
        peer.send_content(1, back("nowhere"), b"body").await;
        peer.send(1, basic::Ack::default().delivery_tag(1)).await;
        peer.send(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND)).await;
    };
    let client = async {
        let publisher = channel.confirm_select().await.unwrap();
        let error = publisher.publish("", "nowhere", "body").mandatory(true).confirmed().await.unwrap_err();
        assert_eq!((error.kind(), error.reply_code()), (ErrorKind::Returned, Some(ReplyCode::NO_ROUTE)));
        assert_eq!(error.returned().unwrap().message.body(), b"body");
        assert!(returns.next().await.is_none(), "the stream ends with the channel");
    };
    tokio::join!(client, script);
}

#[tokio::test(start_paused = true)]
async fn a_later_stream_of_returns_takes_over_and_the_earlier_one_ends() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let mut earlier = channel.returns();
    let waiting = tokio::spawn(async move { earlier.next().await.is_none() });
    tokio::task::yield_now().await;
    let mut later = channel.returns();
    peer.send_content(1, basic::Return::default().reply_code(ReplyCode::NO_ROUTE), b"x").await;
    assert_eq!(later.next().await.unwrap().message.body(), b"x");
    let ended = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert!(ended.expect("it does not wait for ever").unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_returns_that_was_replaced_takes_nothing_from_its_successor() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let (mut earlier, mut later) = (channel.returns(), channel.returns());
    peer.send_content(1, basic::Return::default().reply_code(ReplyCode::NO_ROUTE), b"x").await;
    // The answer comes behind the message.
    let script = async {
        peer.expect::<basic::Qos>(1).await;
        peer.send(1, basic::QosOk::default()).await;
    };
    let (answer, ()) = tokio::join!(channel.call(basic::Qos::default()), script);
    answer.unwrap();
    assert!(earlier.next().await.is_none());
    assert_eq!(later.next().await.unwrap().message.body(), b"x");
}

#[tokio::test(start_paused = true)]
async fn messages_that_came_back_before_a_close_are_still_given_after_it() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let mut returns = channel.returns();
    let back = || basic::Return::default().reply_code(ReplyCode::NO_ROUTE);
    let script = async {
        peer.send_content(1, back(), b"before").await;
        peer.expect::<channel::Close>(1).await;
        peer.send_content(1, back(), b"meanwhile").await;
        peer.send(1, channel::CloseOk::default()).await;
    };
    let (closed, ()) = tokio::join!(channel.close(), script);
    closed.unwrap();
    assert_eq!(returns.next().await.unwrap().message.body(), b"before");
    assert_eq!(returns.next().await.unwrap().message.body(), b"meanwhile");
    assert!(returns.next().await.is_none(), "the stream ends with the channel");
    assert!(channel.returns().next().await.is_none(), "a later stream ends at once");
}

#[tokio::test(start_paused = true)]
async fn how_many_returned_messages_were_lost_is_told_after_the_close_too() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters().max_message_size(10)).await;
    let returns = channel.returns();
    let script = async {
        peer.send_content(1, basic::Return::default().reply_code(ReplyCode::NO_ROUTE), &[0; 11]).await;
        peer.expect::<channel::Close>(1).await;
        peer.send(1, channel::CloseOk::default()).await;
    };
    let (closed, ()) = tokio::join!(channel.close(), script);
    closed.unwrap();
    assert_eq!(returns.lost(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_get_that_met_a_message_over_the_limit_was_sent_all_the_same() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters().max_message_size(10)).await;
    let script = async {
        peer.expect::<basic::Get>(1).await;
        peer.send_content(1, basic::GetOk::default().delivery_tag(1), &[0; 11]).await;
        assert_eq!(peer.expect::<basic::Reject>(1).await, basic::Reject::default().delivery_tag(1));
    };
    let (got, ()) = tokio::join!(channel.get("q").into_future(), script);
    let error = got.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MessageTooLarge);
    assert!(!error.is_not_sent() && !error.is_unknown());
}
