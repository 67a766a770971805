//! Any split of the inbound stream gives the same events: one long scenario, recorded, told in
//! pieces of every kind.

use std::fmt::Write as _;

use leveret::ReplyCode;
use leveret::engine::{ChannelKey, Completion, ConsumerKey, Negotiated};
use leveret::protocol::basic::{self, Properties};
use leveret::protocol::{channel, connection, queue};
use leveret_test_support::frames::{content_octets, method_octets, raw_frame};

use crate::session::{Session, negotiated};

/// What the application does before the broker says anything: two channels, each kind of thing that
/// can wait.
fn prepare() -> (Session, [ChannelKey; 2], [ConsumerKey; 2]) {
    let negotiated = Negotiated { frame_max: 32_768, ..negotiated() };
    let mut session = Session::with(negotiated, |settings| settings.max_message_size = 20_000);
    let keys = [session.confirming(), session.channel()];
    let consumer = session.consumer(keys[0], "c", false);
    let other = session.consumer(keys[1], "d", true);
    let waiter = session.waiter();
    session.take_deliveries(consumer, waiter);
    session.call(keys[0], queue::Declare::default().queue("a"));
    session.call(keys[0], basic::Get::default().queue("a"));
    session.call(keys[0], basic::Get::default().queue("a"));
    session.call(keys[1], queue::Declare::default().queue("b"));
    for body in ["one", "two", "three"] {
        session.publish_mandatory(keys[0], body);
    }
    let listener = session.waiter();
    session.engine.listen_for_returns(keys[1], listener);
    session.sent();
    (session, keys, [consumer, other])
}

/// What the broker says then, frame by frame in one stream. Some body frames are so large that they
/// are taken in pieces.
fn stream() -> Vec<u8> {
    let mut headers = leveret::FieldTable::new();
    headers.insert("x", "y".repeat(300));
    let rich = Properties::default().headers(headers).content_type("text/plain");
    let plain = Properties::default();
    let deliver = |tag: &str, delivery_tag| basic::Deliver::default().consumer_tag(tag).delivery_tag(delivery_tag);
    let back = basic::Return::default().reply_code(ReplyCode::NO_ROUTE).routing_key("key");
    let large: Vec<u8> = (0..9500_usize).map(|index| (index % 253) as u8).collect();
    [
        raw_frame(8, 0, &[]),
        method_octets(1, queue::DeclareOk::default().queue("a").message_count(5)),
        content_octets(1, deliver("c", 1), &rich, b"small", 2),
        content_octets(1, deliver("c", 2), &plain, &large, 30_000),
        content_octets(1, basic::GetOk::default().delivery_tag(3).exchange("e"), &rich, &large[..4096], 30_000),
        method_octets(0, connection::Blocked::default().reason("low on memory")),
        content_octets(2, deliver("d", 1), &plain, b"", 1),
        content_octets(1, back.clone(), &plain, b"two", 3),
        method_octets(1, basic::Ack::default().delivery_tag(2)),
        content_octets(1, deliver("c", 4), &plain, &vec![0; 20_001], 10_000),
        method_octets(1, basic::GetEmpty::default()),
        method_octets(0, connection::Unblocked::default()),
        content_octets(2, back, &rich, b"unasked", 4),
        method_octets(1, basic::Nack::default().delivery_tag(1)),
        method_octets(1, basic::Cancel::default().consumer_tag("c")),
        raw_frame(8, 0, &[]),
        method_octets(2, channel::Close::default().reply_code(ReplyCode::NOT_FOUND).reply_text("gone")),
    ]
    .concat()
}

/// Everything that can be seen from outside, as text: what the application hears and what the
/// broker gets.
fn outcome(octets: &[u8], cuts: impl IntoIterator<Item = usize>) -> String {
    let (mut session, keys, consumers) = prepare();
    let mut from = 0;
    let mut told = 0;
    let mut text = String::new();
    for cut in cuts.into_iter().chain([octets.len()]) {
        session.octets(&octets[from..cut]);
        from = cut;
        // How often a standing waiter is told depends on when it looks, and not on the pieces,
        // since it never looks.
        told += session.readable().len();
        for (waiter, completion) in session.completions() {
            write!(text, "{waiter:?} {completion:?} {}; ", body_of(&completion)).unwrap();
        }
    }
    // What is queued when the broker closes does not go out any more.
    let mut sent = session.sent();
    session.say(0, connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED).reply_text("bye"));
    told += session.readable().len();
    for (waiter, completion) in session.completions() {
        write!(text, "{waiter:?} {completion:?} {}; ", body_of(&completion)).unwrap();
    }
    sent.extend(session.sent());
    for consumer in consumers {
        let waiter = session.waiter();
        for _ in 0..3 {
            let (deliveries, taken) = session.take_deliveries(consumer, waiter);
            for delivery in deliveries {
                write!(text, "{delivery:?} {}; ", digest(delivery.message.body())).unwrap();
            }
            write!(text, "{taken:?}; ").unwrap();
        }
    }
    write!(text, "told {told}; sent {sent:?}; ").unwrap();
    write!(
        text,
        "closures {:?} {:?}",
        session.engine.channel_closure(keys[0]),
        session.engine.channel_closure(keys[1])
    )
    .unwrap();
    assert!(session.engine.is_finished());
    text
}

fn body_of(completion: &Completion) -> u64 {
    match completion {
        Completion::Reply(reply) => reply.content.as_ref().map_or(0, |content| digest(content.body())),
        _ => 0,
    }
}

/// Tells bodies apart in a few digits.
fn digest(octets: &[u8]) -> u64 {
    octets.iter().fold(octets.len() as u64, |digest, octet| digest.wrapping_mul(31).wrapping_add(u64::from(*octet)))
}

#[test]
fn the_recorded_scenario_is_what_it_is_meant_to_be() {
    let text = outcome(&stream(), []);
    let expected = [
        "Confirmed(Returned",
        "Confirmed(Nack)",
        "BasicGetEmpty",
        "BasicGetOk",
        "BasicReject",
        "Oversize",
        "CancelledByBroker",
        "delivery_tag: 2",
        "told 3",
        "CONNECTION_FORCED",
        "NOT_FOUND",
    ];
    for expected in expected {
        assert!(text.contains(expected), "{expected} is missing in {text}");
    }
}

#[test]
fn the_stream_may_be_cut_anywhere_in_two() {
    let octets = stream();
    let whole = outcome(&octets, []);
    // Everywhere in the short frames, and at places around every power of two in the long ones.
    let cuts = (0..octets.len()).filter(|cut| *cut < 1500 || cut % 61 == 0 || octets.len() - cut < 300);
    for cut in cuts {
        assert_eq!(outcome(&octets, [cut]), whole, "cut at {cut}");
    }
}

#[test]
fn the_stream_may_come_in_pieces_of_any_size() {
    let octets = stream();
    let whole = outcome(&octets, []);
    for piece in [1, 2, 3, 5, 7, 8, 13, 64, 1000, 4095, 4096, 4097] {
        assert_eq!(outcome(&octets, (1..=octets.len() / piece).map(|index| index * piece)), whole, "pieces of {piece}");
    }
}
