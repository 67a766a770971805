//! Messages that are not kept, in body frames that arrive in pieces: they end where they end, and
//! what follows them counts.

use leveret::ReplyCode;
use leveret::engine::{Confirmation, Failure, Negotiated, Settings, Taken};
use leveret::protocol::basic::{self, Properties};
use leveret::wire::FieldTable;
use leveret_test_support::frames::content_octets;

use crate::memory::{FRAME_MAX, deliver, read};
use crate::session::{Session, negotiated, sent};

/// What is read at a time; a body frame has some 128 KiB.
const CHUNKS: [usize; 4] = [1000, 50_000, 65_536, 1_000_000];

fn session(set: impl FnOnce(&mut Settings)) -> Session {
    Session::with(Negotiated { frame_max: FRAME_MAX, ..negotiated() }, set)
}

fn message(delivery_tag: u64, properties: &Properties, len: usize) -> Vec<u8> {
    content_octets(1, deliver(delivery_tag), properties, &vec![7; len], FRAME_MAX as usize - 8)
}

/// Hands in two messages of which the first is over a limit, and gives what is said of it.
fn refused(set: impl Fn(&mut Settings), properties: &Properties) -> Vec<Taken> {
    let stream = [message(1, properties, 200_000), message(2, &Properties::default(), 5)].concat();
    let refused = CHUNKS.map(|chunk| {
        let mut session = session(&set);
        let key = session.channel();
        let consumer = session.consumer(key, "c", false);
        read(&mut session, &stream, chunk);
        assert_eq!(session.engine.closure(), None, "in pieces of {chunk}");
        assert_eq!(session.sent(), [sent(1, basic::Reject::default().delivery_tag(1).requeue(false))]);
        let waiter = session.waiter();
        let (none, report) = session.take_deliveries(consumer, waiter);
        let (deliveries, _) = session.take_deliveries(consumer, waiter);
        assert_eq!((none.len(), deliveries.len()), (0, 1));
        assert_eq!(deliveries[0].delivery_tag, 2);
        report
    });
    refused.into()
}

#[test]
fn a_large_body_over_its_limit_ends_with_its_last_frame() {
    let reports = refused(|settings| settings.max_message_size = 100_000, &Properties::default());
    let report = Taken::Oversize(Failure::MessageTooLarge { size: 200_000, limit: 100_000 });
    assert_eq!(reports, [(); CHUNKS.len()].map(|()| report.clone()));
}

#[test]
fn a_large_body_behind_a_header_over_its_limit_ends_with_its_last_frame() {
    let mut headers = FieldTable::new();
    headers.insert("k", "v".repeat(140_000));
    let reports = refused(|settings| settings.max_header_size = 1000, &Properties::default().headers(headers));
    assert!(reports.iter().all(|it| matches!(it, Taken::Oversize(Failure::HeaderTooLarge { .. }))), "{reports:?}");
}

#[test]
fn a_large_delivery_on_a_closing_channel_does_not_hide_the_confirm_behind_it() {
    let stream = message(1, &Properties::default(), 200_000);
    for chunk in CHUNKS {
        let mut session = session(|_| {});
        let key = session.confirming();
        session.consumer(key, "c", true);
        let published = session.publish(key, "m").unwrap();
        session.engine.close_channel(key, ReplyCode::REPLY_SUCCESS, "", None, session.now).unwrap();
        session.sent();
        read(&mut session, &stream, chunk);
        session.ack(1, 1, false);
        assert!(matches!(session.confirmation(published), Confirmation::Ack), "in pieces of {chunk}");
    }
}
