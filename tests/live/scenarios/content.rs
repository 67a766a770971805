//! Bodies and properties arrive as they were sent.

use leveret::protocol::{MethodId, basic, queue};
use leveret::wire::Decimal;
use leveret::{FieldTable, FieldValue, Properties, Result, Timestamp};
use leveret_live_tests::client::{Channel, Connection};
use leveret_live_tests::raw::Raw;
use leveret_live_tests::{exclusive_queue, next, open, parameters, soon, unique, user};

/// Octets that no neighbour shares, frame ends among them.
fn octets(length: usize) -> Vec<u8> {
    (0..=u8::MAX).rev().cycle().take(length).collect()
}

/// Sends bodies of these sizes through a queue and compares what comes, pushed and fetched.
async fn send_and_compare(channel: &Channel, sizes: &[usize]) -> Result<()> {
    let queue = exclusive_queue(channel).await;
    let publisher = soon(channel.confirm_select()).await?;
    for &size in sizes {
        let body = octets(size);
        soon(publisher.publish("", &queue, &body).confirmed()).await?;
        soon(publisher.publish("", &queue, body.clone()).confirmed()).await?;
        let fetched = soon(channel.get(&queue).no_ack(true)).await?.expect("the message");
        assert!(fetched.body() == body, "{size} octets, fetched");
        let mut consumer = soon(channel.consume(&queue)).await?;
        let pushed = next(&mut consumer).await;
        assert!(pushed.body() == body, "{size} octets, pushed");
        pushed.ack().await?;
        soon(consumer.cancel()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn bodies_around_the_size_of_a_frame_arrive_equal() -> Result<()> {
    let (connection, channel) = open().await;
    let frame_max = connection.negotiated().frame_max as usize;
    let payload = frame_max - 8;
    send_and_compare(&channel, &[0, 1, payload - 1, payload, payload + 1, 2 * payload, 2 * payload + 1]).await
}

#[tokio::test]
async fn a_body_of_five_megabytes_arrives_equal() -> Result<()> {
    let (_connection, channel) = open().await;
    send_and_compare(&channel, &[5_000_000]).await
}

#[tokio::test]
async fn bodies_arrive_equal_in_the_smallest_frames_that_every_broker_takes() -> Result<()> {
    let connection = soon(Connection::open(parameters().frame_max(8192))).await?;
    assert_eq!(connection.negotiated().frame_max, 8192);
    let channel = soon(connection.open_channel()).await?;
    send_and_compare(&channel, &[0, 8183, 8184, 8185, 300_000]).await
}

#[tokio::test]
async fn every_property_survives_the_way() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let sent = Properties::default()
        .content_type("application/json")
        .content_encoding("gzip")
        .headers(FieldTable::from([("trace", "abc")]))
        .delivery_mode(2)
        .priority(5)
        .correlation_id("correlation")
        .reply_to("reply-to")
        .expiration("60000")
        .message_id("message")
        .timestamp(Timestamp::from_secs(1_700_000_000))
        .kind("kind")
        .user_id(user())
        .app_id("app");
    soon(channel.publish("", &queue, "with all").properties(&sent)).await?;
    soon(channel.publish("", &queue, "with none")).await?;
    let mut consumer = soon(channel.consume(&queue).no_ack(true)).await?;
    assert_eq!(*next(&mut consumer).await.properties()?, sent);
    assert_eq!(*next(&mut consumer).await.properties()?, Properties::default());
    Ok(())
}

/// One header of every type, their keys in order: some brokers sort them.
fn headers() -> FieldTable {
    let nested = FieldTable::from([("deep", FieldValue::Table(FieldTable::from([("deeper", true)])))]);
    let array = vec![FieldValue::I32(1), FieldValue::from("x"), FieldValue::Bool(true), FieldValue::Void];
    FieldTable::from([
        ("a-bool", FieldValue::Bool(true)),
        ("b-i8", FieldValue::I8(-1)),
        ("c-u8", FieldValue::U8(255)),
        ("d-i16", FieldValue::I16(-300)),
        ("e-u16", FieldValue::U16(60_000)),
        ("f-i32", FieldValue::I32(-70_000)),
        ("g-u32", FieldValue::U32(4_000_000_000)),
        ("h-i64", FieldValue::I64(-5_000_000_000)),
        ("i-f32", FieldValue::F32(1.5)),
        ("j-f64", FieldValue::F64(-0.1)),
        ("k-decimal", FieldValue::Decimal(Decimal { scale: 2, value: 314 })),
        ("l-string", FieldValue::from("not only ASCII: ü")),
        ("m-octets", FieldValue::from(vec![0_u8, 255, 206])),
        ("n-timestamp", FieldValue::Timestamp(Timestamp::from_secs(1_700_000_000))),
        ("o-void", FieldValue::Void),
        ("p-array", FieldValue::Array(array)),
        ("q-table", FieldValue::Table(nested)),
    ])
}

#[tokio::test]
async fn headers_of_every_type_survive_the_way() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let properties = Properties::default().headers(headers());
    soon(channel.publish("", &queue, "with headers").properties(&properties)).await?;
    let mut consumer = soon(channel.consume(&queue).no_ack(true)).await?;
    let received = next(&mut consumer).await.properties()?.headers.clone().expect("headers came");
    assert_eq!(received.len(), headers().len());
    for (key, sent) in &headers() {
        let came = received.get(key.to_string());
        // RabbitMQ 4 reads every float as one of 64 bits, and writes it so.
        let widened =
            matches!((sent, came), (FieldValue::F32(sent), Some(FieldValue::F64(came))) if f64::from(*sent) == *came);
        assert!(came == Some(sent) || widened, "{key}: sent {sent:?}, came {came:?}");
    }
    Ok(())
}

/// Content headers without a body, as octets: property flags and property list.
const UNUSUAL_HEADERS: [&[u8]; 4] = [
    // Headers with a key twice, and an empty one.
    b"\x20\x00\0\0\0\x10\x01aI\0\0\0\x01\x01aI\0\0\0\x02\0V",
    // Headers with a number of type L, and a truth value that is neither 0 nor 1.
    b"\x20\x00\0\0\0\x0f\x01aL\0\0\0\0\0\0\0\x01\x01bt\x05",
    // Headers without any.
    b"\x20\x00\0\0\0\0",
    // A content type of no octets, a message id that is no text, and the reserved property that
    // once was a cluster's id.
    b"\x80\x84\0\x02\xff\xfe\x01c",
];

#[tokio::test]
async fn properties_arrive_octet_for_octet() {
    let mut peer = Raw::open_channel().await;
    let queue = unique("queue");
    peer.call(1, queue::Declare::default().queue(&queue).exclusive(true)).await;
    for properties in UNUSUAL_HEADERS {
        // Class basic, weight 0, no body.
        let header = [b"\0\x3c\0\0\0\0\0\0\0\0\0\0", properties].concat();
        peer.send(1, basic::Publish::default().routing_key(&queue)).await;
        peer.send_frame(2, 1, &header).await;
        peer.send(1, basic::Get::default().queue(&queue).no_ack(true)).await;
        peer.expect::<basic::GetOk>(1).await;
        let frame = peer.take_octets(8 + header.len()).await;
        assert_eq!(frame.get(7..7 + header.len()), Some(&*header));
    }
    peer.close().await;
}

#[tokio::test]
async fn a_header_of_an_unknown_type_closes_the_connection() {
    let mut peer = Raw::open_channel().await;
    peer.send(1, basic::Publish::default().exchange("amq.direct").routing_key("nobody")).await;
    peer.send_frame(2, 1, b"\0\x3c\0\0\0\0\0\0\0\0\0\0\x20\x00\0\0\0\x04\x01aZ\0").await;
    peer.expect_connection_close(541, "INTERNAL_ERROR", MethodId::new(0, 0)).await;
}

#[tokio::test]
async fn empty_headers_are_not_no_headers() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for sent in
        [Properties::default().headers(FieldTable::new()), Properties::default(), Properties::default().app_id("")]
    {
        soon(channel.publish("", &queue, "bare").properties(&sent)).await?;
        let message = soon(channel.get(&queue).no_ack(true)).await?.expect("the message");
        assert_eq!(*message.properties()?, sent);
    }
    Ok(())
}
