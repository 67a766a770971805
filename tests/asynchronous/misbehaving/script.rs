//! The peer's side at each stage of a connection: how it gets there, and what it owes the client.

use leveret::protocol::{basic, channel, connection, queue};
use leveret_test_support::transport::Transport;
use leveret_test_support::{Peer, start, tune};

use super::case::When;
use super::octets::{body, header, method};

/// The body of the message that the client gets or is delivered.
pub(crate) const BODY: &[u8] = b"0123456789";

/// The peer's part before a stage: all steps of the handshake before this one, or the request that
/// the client makes.
pub(super) async fn lead_to<T: Transport>(when: When, peer: &mut Peer<T>) {
    match when {
        When::Start => peer.expect_protocol_header().await,
        When::Tune => {
            peer.expect_protocol_header().await;
            peer.send(0, start("AMQPLAIN PLAIN")).await;
            peer.expect::<connection::StartOk>(0).await;
        }
        When::OpenOk => {
            Box::pin(lead_to(When::Tune, peer)).await;
            peer.send(0, tune()).await;
            peer.expect::<connection::TuneOk>(0).await;
            peer.expect::<connection::Open>(0).await;
        }
        When::Open | When::Consuming => {}
        When::ChannelOpening => {
            peer.expect::<channel::Open>(1).await;
        }
        When::Calling => {
            peer.expect::<queue::Declare>(1).await;
        }
        When::Getting => {
            peer.expect::<basic::Get>(1).await;
        }
        When::Subscribing => {
            peer.expect::<basic::Consume>(1).await;
        }
        When::HeaderDue => peer.send(1, deliver(1)).await,
        When::BodyDue => peer.send_octets(&[method(1, deliver(1)), header(1, 10)].concat()).await,
        When::BodyBegun => {
            peer.send_octets(&[method(1, deliver(1)), header(1, 10), body(1, &BODY[..4])].concat()).await;
        }
        When::Confirming => {
            peer.expect_publish(1).await;
        }
        When::ChannelClosing => {
            peer.expect::<channel::Close>(1).await;
        }
        When::Closing => {
            peer.expect::<connection::Close>(0).await;
        }
    }
}

/// What the peer owes the client at a stage: what was asked for, and the rest of the handshake.
pub(super) async fn oblige<T: Transport>(when: When, peer: &mut Peer<T>) {
    match when {
        When::Start => {
            peer.send(0, start("PLAIN")).await;
            peer.expect::<connection::StartOk>(0).await;
            Box::pin(oblige(When::Tune, peer)).await;
        }
        When::Tune => {
            peer.send(0, tune()).await;
            peer.expect::<connection::TuneOk>(0).await;
            peer.expect::<connection::Open>(0).await;
            Box::pin(oblige(When::OpenOk, peer)).await;
        }
        When::OpenOk => peer.send(0, connection::OpenOk::default()).await,
        When::Open => {}
        When::ChannelOpening => peer.send(1, channel::OpenOk::default()).await,
        When::Calling => peer.send(1, queue::DeclareOk::default().queue("q")).await,
        When::Getting => peer.send_content(1, basic::GetOk::default().delivery_tag(1), BODY).await,
        When::Subscribing => peer.send(1, basic::ConsumeOk::default().consumer_tag("d")).await,
        When::Consuming => peer.send_content(1, deliver(1), BODY).await,
        When::HeaderDue => peer.send_octets(&[header(1, 10), body(1, BODY)].concat()).await,
        When::BodyDue => peer.send_octets(&body(1, BODY)).await,
        When::BodyBegun => peer.send_octets(&body(1, &BODY[4..])).await,
        When::Confirming => peer.send(1, basic::Ack::default().delivery_tag(1)).await,
        When::ChannelClosing => peer.send(1, channel::CloseOk::default()).await,
        When::Closing => {
            peer.send(0, connection::CloseOk::default()).await;
            peer.expect_end().await;
        }
    }
}

/// A delivery for the consumer `c`.
pub(super) fn deliver(delivery_tag: u64) -> basic::Deliver {
    basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag).routing_key("q")
}
