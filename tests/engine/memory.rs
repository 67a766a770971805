//! What messages cost that are kept, and what is reserved for those that are only announced.

use std::io::Read;
use std::task::Poll;

use bytes::{BufMut, Bytes, BytesMut};
use leveret::engine::{Message, Negotiated};
use leveret::frame::Publish;
use leveret::protocol::basic::{self, Properties};
use leveret::wire::FieldTable;
use leveret_test_support::frames::{content_octets, header_octets, method_octets, raw_frame};

use crate::session::{Session, negotiated};

pub(crate) const FRAME_MAX: u32 = 131_072;

pub(crate) fn deliver(delivery_tag: u64) -> basic::Deliver {
    basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag)
}

fn body(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}

/// Bytes of memory that these keep, and that nobody else has.
fn pinned(octets: Bytes) -> usize {
    octets.try_into_mut().expect("nobody shares it").capacity()
}

/// Reads a stream as a driver does: up to `chunk` bytes at a time into one buffer that is used
/// again, or into the buffer of a body.
pub(crate) fn read(session: &mut Session, mut stream: &[u8], chunk: usize) -> Vec<usize> {
    let mut input = BytesMut::with_capacity(chunk);
    let mut lent = Vec::new();
    while !stream.is_empty() {
        let body = if input.is_empty() { session.engine.lend_body() } else { None };
        if let Some(mut body) = body {
            let len = chunk.min(body.room().remaining_mut()).min(stream.len());
            assert!(len > 0, "there is room");
            body.room().put_slice(&stream[..len]);
            assert_eq!(body.appended(), len);
            lent.push(len);
            stream = &stream[len..];
            session.engine.handle_body(body, session.now);
        } else {
            let mut piece = vec![0; chunk];
            let len = stream.read(&mut piece).unwrap();
            input.extend_from_slice(&piece[..len]);
            session.engine.handle_bytes(&mut input, session.now);
        }
    }
    assert!(input.is_empty());
    lent
}

/// What a consumer gets of a stream that is read in chunks.
fn received(stream: &[u8], chunk: usize) -> Vec<Message> {
    let mut session = Session::with(Negotiated { frame_max: FRAME_MAX, ..negotiated() }, |_| {});
    let key = session.channel();
    let consumer = session.consumer(key, "c", true);
    read(&mut session, stream, chunk);
    assert_eq!(session.engine.closure(), None);
    let waiter = session.waiter();
    // Many bytes are taken in parts.
    let parts =
        std::iter::from_fn(|| Some(session.take_deliveries(consumer, waiter).0).filter(|part| !part.is_empty()));
    parts.flatten().map(|delivery| delivery.message).collect()
}

#[test]
fn keeping_some_of_many_messages_costs_at_most_twice_their_size() {
    let mut headers = FieldTable::new();
    headers.insert("x", "y".repeat(3000));
    for properties in [Properties::default(), Properties::default().headers(headers)] {
        for len in [1, 100, 4095, 4096, 20_000, 65_536, 70_000, 300_000, 1_048_577] {
            let sent = body(len);
            let piece = usize::try_from(FRAME_MAX).unwrap() - 8;
            let stream: Vec<u8> =
                (1..=16).flat_map(|tag| content_octets(1, deliver(tag), &properties, &sent, piece)).collect();
            let kept = received(&stream, 65_536).remove(7);
            let size = kept.size();
            assert!(size >= len);
            let properties = kept.properties().unwrap();
            let kept = kept.into_body();
            assert_eq!(kept, sent);
            let pinned = pinned(kept);
            assert!(pinned <= 2 * len, "{len} bytes of {size} pin {pinned}");
            drop(properties);
        }
    }
}

#[test]
fn a_header_that_is_kept_does_not_pin_the_body() {
    let mut headers = FieldTable::new();
    headers.insert("x", "kept");
    let properties = Properties::default().headers(headers);
    let message = received(&content_octets(1, deliver(1), &properties, &body(4000), 4088), 65_536).remove(0);
    let mut table = message.properties().unwrap().headers.unwrap();
    drop(message);
    let Some(leveret::FieldValue::LongString(kept)) = table.remove("x") else { panic!("the header is there") };
    drop(table);
    let kept = Bytes::from(kept);
    assert_eq!(kept, "kept");
    assert!(pinned(kept) < 100);
}

#[test]
fn a_large_body_is_read_into_its_own_buffer_whatever_the_chunks() {
    let sent = body(300_000);
    let stream: Vec<u8> =
        (1..=3).flat_map(|tag| content_octets(1, deliver(tag), &Properties::default(), &sent, 131_064)).collect();
    for chunk in [1000, 4096, 40_000, 65_536, 200_000, 1_000_000] {
        for message in received(&stream, chunk) {
            assert_eq!(message.body(), sent, "chunks of {chunk}");
        }
    }
}

#[test]
fn much_of_a_large_body_is_not_copied() {
    let mut session = Session::with(Negotiated { frame_max: FRAME_MAX, ..negotiated() }, |_| {});
    let key = session.channel();
    session.consumer(key, "c", true);
    let stream = content_octets(1, deliver(1), &Properties::default(), &body(1_000_000), 131_064);
    let lent: usize = read(&mut session, &stream, 65_536).iter().sum();
    assert!(lent > 400_000, "{lent} bytes were read in place");
}

#[test]
fn a_channel_that_closes_while_a_buffer_is_lent_leaves_the_stream_in_step() {
    let mut session = Session::with(Negotiated { frame_max: FRAME_MAX, ..negotiated() }, |_| {});
    let key = session.channel();
    session.consumer(key, "c", true);
    let other = session.channel();
    let consumer = session.consumer(other, "d", true);
    let stream = content_octets(1, deliver(1), &Properties::default(), &body(100_000), 131_064);
    let (begin, rest) = stream.split_at(20_000);
    session.octets(begin);
    let mut lent = session.engine.lend_body().expect("most of a body is due");
    session.engine.release_channel(key);
    session.octets(&[]);
    lent.room().put_slice(&rest[..30_000]);
    session.engine.handle_body(lent, session.now);
    session.octets(&rest[30_000..]);
    session.deliver(2, "d", 1, "next");
    assert_eq!(session.engine.closure(), None);
    let waiter = session.waiter();
    assert_eq!(session.take_deliveries(consumer, waiter).0[0].message.body(), b"next");
}

#[test]
fn a_large_frame_without_its_end_breaks_the_protocol_wherever_it_is_cut() {
    let mut stream = content_octets(1, deliver(1), &Properties::default(), &body(10_000), 131_064);
    *stream.last_mut().unwrap() = 0;
    for cut in [stream.len() - 1, stream.len() - 2, 5000, 0] {
        let mut session = Session::with(Negotiated { frame_max: FRAME_MAX, ..negotiated() }, |_| {});
        let key = session.channel();
        session.consumer(key, "c", true);
        session.octets(&stream[..cut]);
        session.octets(&stream[cut..]);
        let text = session.engine.closure().expect("the stream is out of step").to_string();
        assert!(text.contains("frame ends with"), "{text}");
    }
}

#[test]
fn a_body_frame_that_is_too_long_is_refused_at_its_head() {
    let mut session = Session::with(Negotiated { frame_max: FRAME_MAX, ..negotiated() }, |_| {});
    let key = session.channel();
    session.consumer(key, "c", true);
    session.say(1, deliver(1));
    session.octets(&header_octets(1, 100_000, &Properties::default()));
    session.octets(&[3, 0, 1, 0, 0x01, 0x86, 0xa1]);
    let text = session.engine.closure().expect("more body than declared").to_string();
    assert!(text.contains("more body"), "{text}");
}

#[test]
fn a_frame_that_is_only_declared_reserves_nothing() {
    // Four gibibytes, in any kind of frame that may have so many.
    for kind in [1, 2, 3] {
        let mut session = Session::with(Negotiated { frame_max: u32::MAX, ..negotiated() }, |_| {});
        let key = session.channel();
        session.consumer(key, "c", true);
        session.say(1, deliver(1));
        if kind == 3 {
            session.octets(&header_octets(1, 1 << 32, &Properties::default()));
        }
        session.octets(&[kind, 0, 1, 0xff, 0xff, 0xff, 0x00]);
        if let Some(mut lent) = session.engine.lend_body() {
            assert!(lent.room().remaining_mut() <= 65_536);
            session.engine.handle_body(lent, session.now);
        }
        assert!(session.left_over() <= 7);
    }
}

#[test]
fn a_body_that_is_only_declared_reserves_nothing() {
    let mut session = Session::with(Negotiated { frame_max: FRAME_MAX, ..negotiated() }, |_| {});
    let key = session.channel();
    session.consumer(key, "c", true);
    session.say(1, deliver(1));
    session.octets(&header_octets(1, 500_000_000, &Properties::default()));
    session.octets(&[3, 0, 1, 0, 1, 0xff, 0xf8, 7]);
    let mut lent = session.engine.lend_body().expect("most of a frame is due");
    assert!(lent.room().remaining_mut() <= 16_384, "one byte of it has arrived");
}

#[test]
fn an_empty_body_frame_after_an_empty_message_is_ignored() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", true);
    let empty = raw_frame(3, 1, b"");
    for tag in 1..=2 {
        session.say(1, deliver(tag));
        session.octets(&header_octets(1, 0, &Properties::default()));
        session.octets(&empty);
        session.octets(&empty);
    }
    session.octets(&content_octets(1, deliver(3), &Properties::default(), b"full", 4088));
    session.octets(&empty);
    assert_eq!(session.engine.closure(), None);
    let waiter = session.waiter();
    let bodies: Vec<_> =
        session.take_deliveries(consumer, waiter).0.into_iter().map(|delivery| delivery.message.into_body()).collect();
    assert_eq!(bodies, ["", "", "full"]);
}

#[test]
fn an_empty_body_frame_where_a_header_is_due_breaks_the_protocol() {
    let mut session = Session::open();
    let key = session.channel();
    session.consumer(key, "c", true);
    session.octets(&method_octets(1, deliver(1)));
    session.octets(&raw_frame(3, 1, b""));
    assert!(session.engine.closure().is_some());
}

#[test]
fn returned_messages_that_nobody_takes_are_bounded_by_their_bytes() {
    let mut session = Session::with(Negotiated { frame_max: FRAME_MAX, ..negotiated() }, |_| {});
    let key = session.channel();
    let listener = session.waiter();
    session.engine.listen_for_returns(key, listener);
    let back = basic::Return::default().routing_key("key");
    for _ in 0..40 {
        session.octets(&content_octets(1, back.clone(), &Properties::default(), &body(1_000_000), 131_064));
    }
    let mut kept = 0;
    while let Poll::Ready(Some(returned)) = session.engine.take_returned(key, listener) {
        kept += returned.message.size();
    }
    assert!(kept > 8_000_000 && kept <= 16 * 1024 * 1024, "{kept} bytes");
    assert_eq!(session.engine.lost_returns(key) as usize + kept / 1_000_000, 40);
    // One that is larger than the bound is kept for as long as it is the latest.
    session.octets(&content_octets(1, back, &Properties::default(), &body(20_000_000), 131_064));
    let Poll::Ready(Some(latest)) = session.engine.take_returned(key, listener) else { panic!("it is kept") };
    assert_eq!(latest.message.body().len(), 20_000_000);
}

/// A publish of `len` bytes, by reference.
pub(crate) fn publish(session: &mut Session, key: leveret::engine::ChannelKey, len: usize) {
    let body = leveret::Body::from(vec![0; len]);
    let publish = Publish { exchange: b"", routing_key: b"q", mandatory: false, properties: None, body: &body };
    session.engine.publish(key, &publish, None).unwrap();
}
