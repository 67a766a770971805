//! Content headers that are larger than a frame, and those that are larger than their limit.

use leveret::engine::{Completion, Failure, Taken};
use leveret::protocol::basic::{self, Properties};
use leveret::wire::FieldTable;
use leveret_test_support::frames::{content_octets, method_octets};

use crate::memory::deliver;
use crate::session::{Sent, Session, negotiated, sent};

fn properties(len: usize) -> Properties {
    let mut headers = FieldTable::new();
    headers.insert("k", "v".repeat(len));
    Properties::default().headers(headers)
}

fn limited() -> Session {
    Session::with(negotiated(), |settings| settings.max_header_size = 10_000)
}

fn rejected(delivery_tag: u64) -> Sent {
    sent(1, basic::Reject::default().delivery_tag(delivery_tag).requeue(false))
}

#[test]
fn a_header_frame_of_more_than_128_kibibytes_is_taken() {
    let mut session = Session::open();
    let key = session.channel();
    let consumer = session.consumer(key, "c", false);
    let dead = properties(131_039 + 400);
    session.octets(&content_octets(1, deliver(1), &dead, b"dead", 4088));
    let waiter = session.waiter();
    let deliveries = session.take_deliveries(consumer, waiter).0;
    assert_eq!(deliveries[0].message.properties().unwrap(), dead);
    assert_eq!(session.sent(), []);
}

#[test]
fn a_message_whose_header_is_over_the_limit_is_rejected_alone_however_it_arrives() {
    for len in [0, 5, 4096, 9000] {
        let body = vec![7; len];
        let stream: Vec<u8> = [
            content_octets(1, deliver(1), &properties(9000), &body, 4088),
            content_octets(1, deliver(2), &properties(50_000), &body, 4088),
            content_octets(1, deliver(3), &properties(9000), &body, 4088),
        ]
        .concat();
        for piece in [1, 7, 1000, 20_000, stream.len()] {
            let mut session = limited();
            let key = session.channel();
            let consumer = session.consumer(key, "c", false);
            for piece in stream.chunks(piece) {
                session.octets(piece);
                // What is skipped is not buffered.
                assert!(session.left_over() <= 10_000, "{}", session.left_over());
            }
            assert_eq!(session.sent(), [rejected(2)]);
            let waiter = session.waiter();
            let mut tags = Vec::new();
            let mut reports = Vec::new();
            for _ in 0..3 {
                let (deliveries, taken) = session.take_deliveries(consumer, waiter);
                tags.extend(deliveries.iter().map(|delivery| delivery.delivery_tag));
                reports.extend(matches!(taken, Taken::Oversize(_)).then_some(taken));
            }
            assert_eq!(tags, [1, 3]);
            let [Taken::Oversize(Failure::HeaderTooLarge { size, limit: 10_000 })] = reports[..] else {
                panic!("{reports:?}")
            };
            assert!((50_000..50_100).contains(&size), "{size}");
        }
    }
}

#[test]
fn a_get_of_a_message_whose_header_is_over_the_limit_fails_and_rejects_it() {
    let mut session = limited();
    let key = session.channel();
    let waiter = session.call(key, basic::Get::default().queue("q"));
    session.sent();
    session.octets(&content_octets(1, basic::GetOk::default().delivery_tag(8), &properties(20_000), b"got", 4088));
    let failed = session.heard(waiter);
    assert!(matches!(failed, Completion::Failed(Failure::HeaderTooLarge { limit: 10_000, .. })), "{failed:?}");
    assert_eq!(session.sent(), [rejected(8)]);
}

#[test]
fn a_message_that_needs_no_acknowledgement_is_not_rejected() {
    let mut session = limited();
    let key = session.channel();
    let consumer = session.consumer(key, "c", true);
    session.octets(&content_octets(1, deliver(1), &properties(20_000), b"", 4088));
    assert_eq!(session.sent(), []);
    let waiter = session.waiter();
    assert!(matches!(session.take_deliveries(consumer, waiter).1, Taken::Oversize(_)));
}

#[test]
fn a_header_that_fits_a_frame_is_taken_whatever_the_limit() {
    let mut session = Session::with(negotiated(), |settings| settings.max_header_size = 1);
    let key = session.channel();
    let consumer = session.consumer(key, "c", true);
    session.octets(&content_octets(1, deliver(1), &properties(4000), b"", 4088));
    let waiter = session.waiter();
    assert_eq!(session.take_deliveries(consumer, waiter).0.len(), 1);
}

#[test]
fn a_header_over_the_limit_where_none_is_due_still_breaks_the_protocol() {
    let stream = content_octets(1, deliver(1), &properties(50_000), b"", 4088);
    let method = method_octets(1, deliver(1)).len();
    let mut session = limited();
    let key = session.channel();
    session.consumer(key, "c", true);
    session.octets(&stream[method..method + 100]);
    assert!(session.engine.closure().is_some());
}
