//! What comes after a close of either side, of a channel or the connection, or after a violation;
//! and what may come then.

use leveret::ReplyCode;
use leveret::protocol::{basic, channel, connection, queue, tx};

use super::case::When::{Calling, ChannelClosing, Closing, Confirming, Open};
use super::case::{Case, NO_METHOD, Reaction, Says, sends};
use super::octets::{body, header, method, raw_method};
use super::play;
use super::script::{BODY, deliver};

pub(super) fn table() -> Vec<Case> {
    [closing_a_channel(), closing(), afterwards(), borne()].into_iter().flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_a_close_is_discarded_and_what_may_come_is_borne() {
    play(table()).await;
}

/// After `channel.close`, whatever comes on the channel is discarded but close and close-ok.
fn closing_a_channel() -> Vec<Case> {
    let message = [header(1, 10), body(1, BODY)].concat();
    let rows = [
        ("a reply that nobody asked for", method(1, queue::DeclareOk::default())),
        ("open-ok again", method(1, channel::OpenOk::default())),
        ("a method of the client's", method(1, queue::Declare::default())),
        ("a method that does not exist", raw_method(1, (60, 999), &[])),
        ("an ack of what was not published", method(1, basic::Ack::default().delivery_tag(9))),
        ("a nack of what was not published", method(1, basic::Nack::default().delivery_tag(9))),
        ("a delivery for an unknown consumer", [method(1, deliver(1)), message.clone()].concat()),
        ("a message that nobody wanted", [method(1, basic::GetOk::default()), message.clone()].concat()),
        ("content without a method", message),
        ("a delivery that is broken off", [method(1, deliver(1)), header(1, 10), method(1, deliver(2))].concat()),
        ("a delivery without its content", method(1, deliver(1))),
        ("channel.flow", method(1, channel::Flow::default())),
        ("the end of a consumer", method(1, basic::Cancel::default().consumer_tag("c"))),
    ];
    let mut cases: Vec<Case> =
        rows.into_iter().map(|(name, octets)| sends(ChannelClosing, name, octets).passes()).collect();
    let close_ok = method(1, channel::CloseOk::default());
    cases.push(
        sends(ChannelClosing, "close-ok twice", close_ok.repeat(2))
            .completes(Says::Close(ReplyCode::CHANNEL_ERROR, NO_METHOD)),
    );
    cases.push(
        sends(ChannelClosing, "a delivery behind close-ok", [close_ok, method(1, deliver(1))].concat())
            .completes(Says::Close(ReplyCode::CHANNEL_ERROR, NO_METHOD)),
    );
    cases
}

/// After `connection.close`, whatever comes is discarded but close and close-ok.
fn closing() -> Vec<Case> {
    let rows = [
        ("a reply that nobody asked for", method(1, queue::DeclareOk::default())),
        ("a reply on a channel that is not open", method(9, queue::DeclareOk::default())),
        ("a delivery for an unknown consumer", method(1, deliver(1))),
        ("a header without a method", header(1, 10)),
        ("a body on channel 0", body(0, BODY)),
        ("open-ok again", method(0, connection::OpenOk::default())),
        ("blocked", method(0, connection::Blocked::default())),
        ("a method that does not exist", raw_method(1, (60, 999), &[])),
        ("a method of the client's", method(0, connection::Open::default())),
        ("an ack of what was not published", method(1, basic::Ack::default().delivery_tag(9))),
    ];
    let mut cases: Vec<Case> = rows.into_iter().map(|(name, octets)| sends(Closing, name, octets).passes()).collect();
    let close_ok = method(0, connection::CloseOk::default());
    let more = [close_ok.clone(), method(0, connection::Close::default()), method(1, deliver(1))].concat();
    cases.extend([
        sends(Closing, "close-ok twice", close_ok.repeat(2)).completes(Says::Ends),
        sends(Closing, "more behind close-ok", more).completes(Says::Ends),
    ]);
    cases
}

/// What comes behind a method out of order: the client has said why it goes, and looks for nothing
/// but the end.
fn afterwards() -> Vec<Case> {
    let stray = || method(1, tx::SelectOk::default());
    let row = |name, octets: Vec<u8>| sends(Calling, name, octets).breaks(ReplyCode::COMMAND_INVALID, (90, 11));
    let declared = method(1, queue::DeclareOk::default());
    let garbage = [stray(), b"garbage".to_vec()].concat();
    vec![
        row("a hundred strays at once", stray().repeat(100)),
        row("a stray, and then the reply", [stray(), declared].concat()),
        row("a stray, and no agreement to the close of it", stray()).then(Reaction::Ignores),
        row("a stray, and a close of the broker's own", stray()).then(Reaction::Closes),
        // Nothing that it says could be told from garbage any more.
        row("a stray, and garbage", garbage).and_then(Says::Ends),
    ]
}

/// Unusual, and allowed.
fn borne() -> Vec<Case> {
    let blocked = || method(0, connection::Blocked::default().reason("memory"));
    let unblocked = || method(0, connection::Unblocked::default());
    let flow = |active| method(1, channel::Flow::default().active(active));
    let own_close = method(1, channel::Close::default().reply_code(ReplyCode::NOT_FOUND));
    vec![
        sends(Open, "blocked twice", blocked().repeat(2)).passes(),
        sends(Open, "unblocked while it is not blocked", unblocked()).passes(),
        sends(Confirming, "blocked while a confirm is awaited", blocked()).passes(),
        sends(Calling, "blocked while a reply is awaited", blocked()).passes(),
        sends(Closing, "blocked and unblocked", [blocked(), unblocked()].concat()).passes(),
        sends(Open, "flow on", flow(true)).draws([(1, "channel.flow-ok")]),
        sends(Calling, "flow off", flow(false)).draws([(1, "channel.flow-ok")]),
        sends(Calling, "a message that comes back", [method(1, basic::Return::default()), header(1, 0)].concat())
            .passes(),
        sends(ChannelClosing, "a close of its own at the same time", own_close)
            .closes_channel(ReplyCode::NOT_FOUND)
            .and_what_was_due(),
    ]
}
