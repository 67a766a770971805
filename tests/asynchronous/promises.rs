//! What types promise at compile time, and how large the futures are.
#![allow(clippy::print_stdout, reason = "the sizes are there to be read")]

use std::fmt::Debug;

use leveret::asynchronous::{
    ChannelEvents, Closed, Confirmed, ConfirmedFuture, ConnectionEvents, ConsumeFuture, GetFuture, MessageProperties,
    Plain, Publish, PublishFuture, SettleFuture,
};
use leveret::wire::Name;
use leveret::{
    Acker, Body, Channel, ChannelEvent, ChannelState, Confirm, Connection, ConnectionEvent, ConnectionParameters,
    ConnectionState, Consumer, Credentials, Delivery, DeliveryMode, Error, ErrorKind, ExchangeKind, Expiration, Fate,
    FieldTable, FieldValue, GetMessage, Initiator, Message, Negotiated, Phase, Properties, Publisher, Reason,
    ReplyCode, Requeue, Returned, Returns, Settled, ShortString, Timestamp, Violation,
};
use leveret_test_support::Peer;

use super::client::{Connect as _, parameters};

/// Any thread may have it, and anybody may print it.
fn goes_anywhere<T: Debug + Send + Sync>() {}

#[test]
fn everything_goes_to_any_thread_and_prints() {
    goes_anywhere::<(Connection, Channel, Publisher, Consumer, Returns)>();
    goes_anywhere::<(ConnectionEvents, ChannelEvents, Closed, ConnectionEvent, ChannelEvent)>();
    goes_anywhere::<(Delivery, GetMessage, Acker, Message, Returned, Confirm, Settled, Negotiated)>();
    goes_anywhere::<(Error, ErrorKind, Fate, Initiator, Reason, Violation, Phase)>();
    goes_anywhere::<(ConnectionParameters, Credentials, ConnectionState, ChannelState)>();
    goes_anywhere::<(Properties, DeliveryMode, Expiration, ExchangeKind, ReplyCode, Requeue)>();
    goes_anywhere::<(FieldTable, FieldValue, ShortString, Timestamp, Name<'_>, Body<'_>, MessageProperties<'_>)>();
    goes_anywhere::<(Publish<'_, Plain>, Publish<'_, Confirmed>, PublishFuture<'_>, PublishFuture<'_, Confirmed>)>();
    goes_anywhere::<(ConfirmedFuture<'_>, ConsumeFuture<'_>, GetFuture<'_>, SettleFuture)>();
}

/// Bytes of a future that nobody has polled.
fn size<F: IntoFuture>(what: &str, future: F) -> usize {
    let size = size_of_val(&future.into_future());
    println!("{size:>5} {what}");
    size
}

#[tokio::test(start_paused = true)]
async fn futures_are_no_larger_than_they_need_to_be() {
    let (connection, channel, _peer) = Peer::connect_channel(64 * 1024, parameters()).await;
    let small = [
        size("open_channel", connection.open_channel()),
        size("queue_declare", channel.queue_declare("q")),
        size("publish", channel.publish("", "q", "x")),
        size("confirm_select", channel.confirm_select()),
        size("consume", channel.consume("q")),
        size("get", channel.get("q")),
        size("Channel::close", channel.close()),
        size("Connection::close", connection.close()),
    ];
    // A caller's own future holds it.
    assert!(small.into_iter().all(|size| size <= 512), "{small:?}");
    println!("{:>5} ack", size_of::<SettleFuture>());
    println!("{:>5} confirmed", size_of::<ConfirmedFuture<'_>>());
    println!("{:>5} Delivery", size_of::<Delivery>());
    assert!(size_of::<SettleFuture>() <= 64 && size_of::<ConfirmedFuture<'_>>() <= 320 && size_of::<Delivery>() <= 144);
    let _ = size("Connection::open", Connection::open("amqp://localhost"));
}
