//! Methods whose arguments cannot be read: cut short, too long, with strings that reach beyond
//! them.

use leveret::ReplyCode;
use leveret::protocol::{basic, channel, connection, queue};

use super::case::When::{
    Calling, ChannelClosing, ChannelOpening, Closing, Confirming, Consuming, Getting, Open, Subscribing,
};
use super::case::{Case, When, sends};
use super::octets::{method, raw_method};
use super::play;
use super::script::deliver;

pub(super) fn table() -> Vec<Case> {
    [cut_short(), too_long(), strings(), odd()].into_iter().flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn arguments_that_cannot_be_read_are_an_error_of_syntax_that_names_the_method() {
    play(table()).await;
}

/// Where a method is due, its name, ids and channel, and its arguments.
type Row = (When, &'static str, (u16, u16), u16, Vec<u8>);

/// Methods as they should be.
fn right() -> Vec<Row> {
    let arguments = |octets: Vec<u8>| octets[11..octets.len() - 1].to_vec();
    let close = channel::Close::default().reply_code(ReplyCode::NOT_FOUND).reply_text("text");
    let closing = connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED).reply_text("text");
    let ack = basic::Ack::default().delivery_tag(1);
    let nack = basic::Nack::default().delivery_tag(1);
    let got = basic::GetOk::default().delivery_tag(1).routing_key("q");
    let back = basic::Return::default().reply_code(ReplyCode::NO_ROUTE).routing_key("q");
    vec![
        (Open, "connection.close", (10, 50), 0, arguments(method(0, closing))),
        (Open, "connection.blocked", (10, 60), 0, arguments(method(0, connection::Blocked::default().reason("why")))),
        (ChannelOpening, "channel.open-ok", (20, 11), 1, arguments(method(1, channel::OpenOk::default()))),
        (Open, "channel.flow", (20, 20), 1, arguments(method(1, channel::Flow::default()))),
        (Calling, "channel.close", (20, 40), 1, arguments(method(1, close))),
        (Calling, "queue.declare-ok", (50, 11), 1, arguments(method(1, queue::DeclareOk::default().queue("q")))),
        (Subscribing, "basic.consume-ok", (60, 21), 1, arguments(method(1, basic::ConsumeOk::default()))),
        (Consuming, "basic.cancel", (60, 30), 1, arguments(method(1, basic::Cancel::default().consumer_tag("c")))),
        (Confirming, "basic.return", (60, 50), 1, arguments(method(1, back))),
        (Consuming, "basic.deliver", (60, 60), 1, arguments(method(1, deliver(1)))),
        (Getting, "basic.get-ok", (60, 71), 1, arguments(method(1, got))),
        (Getting, "basic.get-empty", (60, 72), 1, arguments(method(1, basic::GetEmpty::default()))),
        (Confirming, "basic.ack", (60, 80), 1, arguments(method(1, ack))),
        (Confirming, "basic.nack", (60, 120), 1, arguments(method(1, nack))),
    ]
}

fn cut_short() -> Vec<Case> {
    let breaks = |(at, name, ids, channel, arguments): Row| {
        let octets = raw_method(channel, ids, &arguments[..arguments.len() - 1]);
        sends(at, format!("{name} cut short"), octets).breaks(ReplyCode::SYNTAX_ERROR, ids)
    };
    right().into_iter().map(breaks).collect()
}

fn too_long() -> Vec<Case> {
    // Methods without arguments can be too long as well.
    let bare = [
        (ChannelClosing, "channel.close-ok", (20, 41), 1, vec![]),
        (Open, "connection.unblocked", (10, 61), 0, vec![]),
        (Calling, "queue.bind-ok", (50, 21), 1, vec![]),
        (Confirming, "confirm.select-ok", (85, 11), 1, vec![]),
    ];
    let breaks = |(at, name, ids, channel, mut arguments): Row| {
        arguments.push(0);
        let octets = raw_method(channel, ids, &arguments);
        sends(at, format!("{name} with an octet too many"), octets).breaks(ReplyCode::SYNTAX_ERROR, ids)
    };
    right().into_iter().chain(bare).map(breaks).collect()
}

/// Strings that are longer than what is left.
fn strings() -> Vec<Case> {
    let rows = [
        (Calling, "a queue's name of 255 octets, of which two came", (50, 11), vec![255, b'q', b'q']),
        (Consuming, "a consumer tag longer than the delivery", (60, 60), [vec![40, b'c'], vec![0; 11]].concat()),
        (Consuming, "an exchange longer than the delivery", (60, 60), [vec![1, b'c'], vec![0; 9], vec![9]].concat()),
        (Consuming, "a delivery without a routing key", (60, 60), [vec![1, b'c'], vec![0; 10]].concat()),
        (Consuming, "a delivery without arguments", (60, 60), vec![]),
        (Getting, "a routing key longer than get-ok", (60, 71), [vec![0; 10], vec![8, b'q', 0, 0, 0, 0]].concat()),
        (Calling, "a close whose text is longer than it", (20, 40), vec![1, 0x94, 200, b'n', b'o', 0, 50, 0, 10]),
    ];
    rows.into_iter()
        .map(|(at, name, ids, octets)| {
            sends(at, name, raw_method(1, ids, &octets)).breaks(ReplyCode::SYNTAX_ERROR, ids)
        })
        .collect()
}

/// Strange arguments that can be read.
fn odd() -> Vec<Case> {
    let declared = [&[2, 0xFF, 0xFE][..], &[0xFF; 8]].concat();
    let text = [&[1, 0x40, 3, 0xFF, b'n', 0xFE][..], &[0; 4]].concat();
    let with_spare_bits = [&[1, b'c'][..], &[0, 0, 0, 0, 0, 0, 0, 1], &[0xFF], &[0, 1, b'q']].concat();
    let delivery = [
        raw_method(1, (60, 60), &with_spare_bits),
        super::octets::header(1, 10),
        super::octets::body(1, b"0123456789"),
    ];
    vec![
        sends(Calling, "a queue's name that is not UTF-8", raw_method(1, (50, 11), &declared)).passes().and_no_more(),
        sends(Consuming, "bits that stand for nothing", delivery.concat()).passes().and_no_more(),
        sends(Calling, "a close whose text is not UTF-8", raw_method(0, (10, 50), &text))
            .closes(leveret::ErrorKind::ConnectionClosed, ReplyCode::CONNECTION_FORCED),
        sends(Closing, "arguments that cannot be read", raw_method(1, (50, 11), &[9])).passes(),
        sends(Closing, "a close-ok that cannot be read, and the end of it", {
            [raw_method(0, (10, 51), &[9]), super::octets::frame(9, 0, &[])].concat()
        })
        .breaks_off(),
        sends(ChannelClosing, "arguments that cannot be read", raw_method(1, (50, 11), &[9])).passes(),
    ]
}
