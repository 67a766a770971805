//! Content: bodies in any pieces, both ways, and messages over the limit.

use bytes::Bytes;
use leveret::engine::{Completion, Failure, Message, Taken};
use leveret::frame::{Body, Publish};
use leveret::protocol::basic::{self, Properties};
use leveret_test_support::frames::{body_octets, content_octets, header_octets, method_octets, raw_frame};

use crate::session::{Sent, Session, negotiated, sent};

fn deliver(delivery_tag: u64) -> basic::Deliver {
    basic::Deliver::default().consumer_tag("c").delivery_tag(delivery_tag).exchange("ex").routing_key("key")
}

fn body(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}

/// What a consumer gets when these octets come.
fn received(octets: &[u8]) -> Message {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", true);
    session.octets(octets);
    assert_eq!(session.engine.closure(), None);
    let waiter = session.waiter();
    let (mut deliveries, _) = session.take_deliveries(consumer, waiter);
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0).message
}

#[test]
fn a_body_may_come_in_frames_of_any_size() {
    let properties = Properties::default().content_type("text/plain").priority(4);
    for len in [0, 1, 2, 7, 100, 4087, 4088, 4089, 4095, 4096, 4097, 10_000] {
        let body = body(len);
        for piece in [1, 2, 3, 100, 4087, 4088] {
            if len / piece > 3000 {
                continue;
            }
            let message = received(&content_octets(1, deliver(1), &properties, &body, piece));
            assert_eq!(message.body(), body, "{len} octets in pieces of {piece}");
            assert_eq!((message.exchange(), message.routing_key()), (&b"ex"[..], &b"key"[..]));
            assert_eq!(message.properties().unwrap(), properties);
            assert_eq!(message.into_body(), body);
        }
    }
}

#[test]
fn body_frames_may_be_empty() {
    let mut octets = method_octets(1, deliver(1));
    octets.extend(header_octets(1, 4, &Properties::default()));
    for piece in [&b""[..], b"ab", b"", b"", b"cd"] {
        octets.extend(raw_frame(3, 1, piece));
    }
    assert_eq!(received(&octets).body(), b"abcd");
}

#[test]
fn contents_of_several_channels_may_interleave() {
    let mut session = Session::open();
    let consumers = [1, 2].map(|_| {
        let key = session.channel();
        session.consumer(key, "c", true)
    });
    let properties = Properties::default();
    for channel in [1, 2] {
        session.say(channel, deliver(1));
    }
    for channel in [2, 1] {
        session.octets(&header_octets(channel, 6000, &properties));
    }
    let (ones, twos) = (vec![1; 6000], vec![2; 6000]);
    for range in [0..3000, 3000..6000] {
        session.octets(&body_octets(1, &ones[range.clone()], 4088));
        session.octets(&body_octets(2, &twos[range], 4088));
    }
    for (consumer, expected) in consumers.into_iter().zip([ones, twos]) {
        let waiter = session.waiter();
        assert_eq!(session.take_deliveries(consumer, waiter).0[0].message.body(), expected);
    }
}

#[test]
fn a_header_frame_may_be_larger_than_frame_max() {
    let mut headers = leveret::FieldTable::new();
    headers.insert("x", "v".repeat(50_000));
    let properties = Properties::default().headers(headers);
    let message = received(&content_octets(1, deliver(1), &properties, b"body", 4088));
    assert_eq!(message.properties().unwrap(), properties);
}

#[test]
fn properties_that_cannot_be_read_are_the_fault_of_their_message_alone() {
    let mut octets = method_octets(1, deliver(1));
    // Headers whose only value has a type that does not exist.
    let properties = [0x20, 0x00, 0, 0, 0, 3, 1, b'k', b'?'];
    let mut header = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    header.extend(properties);
    octets.extend(raw_frame(2, 1, &header));
    octets.extend(raw_frame(3, 1, b"ok"));
    let message = received(&octets);
    assert!(message.properties().is_err());
    assert_eq!((message.body(), message.property_octets()), (&b"ok"[..], &properties[..]));
}

#[test]
fn a_published_body_is_cut_at_the_negotiated_size_and_an_empty_one_has_no_frame() {
    for len in [0, 1, 4087, 4088, 4089, 8176, 8177, 20_000] {
        for by_reference in [false, true] {
            let mut session = Session::open();
            let key = session.channel();
            let octets = body(len);
            let body = if by_reference { Body::from(Bytes::from(octets.clone())) } else { Body::from(&octets) };
            let properties = Properties::default().delivery_mode(2);
            let publish = Publish {
                exchange: b"ex",
                routing_key: b"key",
                mandatory: false,
                properties: Some(&properties),
                body: &body,
            };
            assert_eq!(session.engine.publish(key, &publish, None), Ok(None));
            let mut frames = session.sent().into_iter();
            let method = basic::Publish::default().exchange("ex").routing_key("key");
            assert_eq!(frames.next(), Some(sent(1, method)));
            assert_eq!(frames.next(), Some(Sent::Header(1, len as u64, properties.clone())));
            let pieces: Vec<Sent> = frames.collect();
            let expected: Vec<Sent> =
                octets.chunks(4088).map(|piece| Sent::Body(1, Bytes::copy_from_slice(piece))).collect();
            assert_eq!(pieces, expected, "{len} octets");
        }
    }
}

#[test]
fn a_publish_that_cannot_be_encoded_leaves_nothing_behind() {
    let mut session = Session::open();
    let key = session.confirming();
    let mut headers = leveret::FieldTable::new();
    headers.insert("x", f64::NAN);
    let mut large = leveret::FieldTable::new();
    large.insert("x", "v".repeat(5000));
    let long = [b'k'; 256];
    let cases: [(&[u8], Properties); 3] = [
        (&long, Properties::default()),
        (b"key", Properties::default().headers(headers)),
        (b"key", Properties::default().headers(large)),
    ];
    let body = Body::from(vec![1; 9000]);
    for (routing_key, properties) in &cases {
        let publish =
            Publish { exchange: b"", routing_key, mandatory: true, properties: Some(properties), body: &body };
        let refused = session.engine.publish(key, &publish, None);
        assert!(matches!(refused, Err(Failure::Encode(_))), "{refused:?}");
    }
    assert_eq!((session.engine.queued(), session.engine.unconfirmed()), (0, 0));
    let waiter = session.publish(key, "right").unwrap();
    session.ack(1, 1, false);
    session.confirmation(waiter);
}

#[test]
fn a_message_over_the_limit_is_rejected_without_requeue_and_reported() {
    let mut session = Session::with(negotiated(), |settings| settings.max_message_size = 10);
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    let waiter = session.waiter();
    session.take_deliveries(consumer, waiter);
    session.say_content(1, deliver(1), &Properties::default(), &body(10));
    session.say_content(1, deliver(2), &Properties::default(), &body(9000));
    session.say_content(1, deliver(3), &Properties::default(), &body(3));
    assert_eq!(session.readable(), [waiter]);
    assert_eq!(session.sent(), [sent(1, basic::Reject::default().delivery_tag(2).requeue(false))]);
    let mut tags = Vec::new();
    let mut reports = Vec::new();
    for _ in 0..3 {
        let (deliveries, taken) = session.take_deliveries(consumer, waiter);
        tags.extend(deliveries.iter().map(|delivery| delivery.delivery_tag));
        reports.extend(matches!(taken, Taken::Oversize(_)).then_some(taken));
    }
    assert_eq!(tags, [1, 3]);
    assert_eq!(reports, [Taken::Oversize(Failure::MessageTooLarge { size: 9000, limit: 10 })]);
}

#[test]
fn a_message_over_the_limit_that_needs_no_acknowledgement_is_reported_alone() {
    let mut session = Session::with(negotiated(), |settings| settings.max_message_size = 10);
    let key = session.channel();
    let consumer = session.consumer(key, "c", true);
    session.say_content(1, deliver(1), &Properties::default(), &body(11));
    assert_eq!(session.sent(), []);
    let waiter = session.waiter();
    let (_, taken) = session.take_deliveries(consumer, waiter);
    assert_eq!(taken, Taken::Oversize(Failure::MessageTooLarge { size: 11, limit: 10 }));
}

#[test]
fn a_get_of_a_message_over_the_limit_fails_and_rejects_it() {
    let mut session = Session::with(negotiated(), |settings| settings.max_message_size = 10);
    let key = session.channel();
    for (no_ack, expected) in [(false, 1), (true, 0)] {
        let waiter = session.call(key, basic::Get::default().queue("q").no_ack(no_ack));
        session.sent();
        session.say_content(1, basic::GetOk::default().delivery_tag(8), &Properties::default(), &body(5000));
        let failed = session.heard(waiter);
        assert!(matches!(failed, Completion::Failed(Failure::MessageTooLarge { size: 5000, limit: 10 })));
        let rejects = session.sent();
        assert_eq!(rejects.len(), expected);
        assert!(rejects.iter().all(|it| *it == sent(1, basic::Reject::default().delivery_tag(8))));
    }
}

#[test]
fn a_message_over_the_limit_goes_back_where_its_consumer_was_dropped() {
    let mut session = Session::with(negotiated(), |settings| settings.max_message_size = 10);
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    session.engine.drop_consumer(consumer, [], None);
    session.sent();
    session.say_content(1, deliver(1), &Properties::default(), &body(5000));
    session.say(1, basic::CancelOk::default().consumer_tag("c"));
    let nack = basic::Nack::default().delivery_tag(1).requeue(true);
    assert_eq!(session.sent(), [sent(1, nack)], "another consumer may take what this one never will");
}
