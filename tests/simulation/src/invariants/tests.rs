//! Each invariant finds what it is for.

use std::time::Instant;

use leveret::broker::{Settings, State};

use super::*;
use crate::ledger::{Listening, Message, Settlement};
use crate::tap::{Sent, Settled};

/// A ledger in which a message was published to a queue that exists.
fn published(fate: Published) -> Ledger {
    let mut ledger = Ledger::default();
    let issued = ledger.tick();
    ledger.declared("q0", issued);
    let at = ledger.tick();
    let (queue, transient) = (Some("q0".to_owned()), false);
    ledger.messages.insert(at, Message { channel: 1, queue, mandatory: false, is_reply: false, transient, at, fate });
    ledger
}

const MESSAGE: u64 = 3;

fn broker() -> State {
    State::new(Settings::default(), Instant::now())
}

fn settled(how: Settlement) -> Settled {
    Settled { client: 0, channel: 1, tag: 1, message: Some(MESSAGE), messages: vec![MESSAGE], how }
}

fn sent(tag: u64, message: u64) -> Sent {
    Sent { client: 0, consumer: "t".to_owned(), tag, message, redelivered: false }
}

fn got(tag: u64, message: u64) -> Got {
    Got { client: 0, consumer: "t".to_owned(), tag, message: Some(message), redelivered: false }
}

#[test]
fn i1_finds_a_confirmed_message_that_is_nowhere() {
    let (ledger, mut tap) = (published(Published::Confirmed), Tap::default());
    assert_eq!(i1_what_was_confirmed_is_kept(&ledger, &tap, &broker()).len(), 1);
    tap.settled.push(settled(Settlement::nack(false, true)));
    assert_eq!(i1_what_was_confirmed_is_kept(&ledger, &tap, &broker()).len(), 1, "it was requeued");
    tap.settled.push(settled(Settlement::ack(false)));
    assert!(i1_what_was_confirmed_is_kept(&ledger, &tap, &broker()).is_empty(), "it was acknowledged");
}

#[test]
fn i1_knows_what_may_be_lost() {
    let tap = Tap::default();
    for fate in [Published::Unknown, Published::Queued, Published::Unheard, Published::NotSent] {
        assert!(i1_what_was_confirmed_is_kept(&published(fate), &tap, &broker()).is_empty(), "{fate:?}");
    }
    let mut ledger = published(Published::Confirmed);
    let loss = ledger.may_lose(Some("q0"));
    ledger.loses_no_more(loss);
    assert!(i1_what_was_confirmed_is_kept(&ledger, &tap, &broker()).is_empty(), "its queue was purged");
}

#[test]
fn i1_lets_an_outage_lose_transient_messages_alone() {
    let (mut ledger, tap) = (published(Published::Confirmed), Tap::default());
    ledger.outage();
    assert_eq!(i1_what_was_confirmed_is_kept(&ledger, &tap, &broker()).len(), 1);
    ledger.messages.values_mut().for_each(|message| message.transient = true);
    assert!(i1_what_was_confirmed_is_kept(&ledger, &tap, &broker()).is_empty());
}

#[test]
fn i1_finds_what_was_not_sent_and_is_there() {
    let mut tap = Tap::default();
    tap.published.insert((1, 1), vec![MESSAGE]);
    for (fate, wrong) in [(Published::NotSent, 1), (Published::Nacked, 0), (Published::Confirmed, 0)] {
        let found = i1_what_was_not_sent_is_nowhere(&published(fate), &tap, &broker());
        assert_eq!(found.len(), wrong, "{fate:?}: {found:?}");
    }
    let mut ledger = published(Published::Nacked);
    ledger.got.push(got(1, MESSAGE));
    assert_eq!(i1_what_was_not_sent_is_nowhere(&ledger, &tap, &broker()).len(), 1, "refused, and delivered");
    ledger.messages.clear();
    assert_eq!(i1_what_was_not_sent_is_nowhere(&ledger, &tap, &broker()).len(), 2, "nobody published it");
}

#[test]
fn i2_finds_what_is_unresolved_and_lets_streams_wait() {
    let mut ledger = Ledger::default();
    ledger.unresolved.insert(1, "stream of t1".to_owned());
    assert!(i2_every_future_resolves(&ledger, false).is_empty());
    assert_eq!(i2_every_future_resolves(&ledger, true).len(), 1);
    ledger.unresolved.insert(2, "qos client=0".to_owned());
    assert_eq!(i2_every_future_resolves(&ledger, false).len(), 1);
}

#[test]
fn i3_finds_a_settlement_that_nobody_asked_for() {
    let (mut ledger, mut tap) = (Ledger::default(), Tap::default());
    tap.settled.push(settled(Settlement::ack(false)));
    assert_eq!(i3_only_what_was_settled_is_settled(&ledger, &tap).len(), 1);
    ledger.settles.insert((0, 1, 1, Some(MESSAGE), Settlement::ack(false)), 1);
    assert!(i3_only_what_was_settled_is_settled(&ledger, &tap).is_empty());
    tap.settled.push(settled(Settlement::ack(false)));
    assert_eq!(i3_only_what_was_settled_is_settled(&ledger, &tap).len(), 1, "twice, and asked for once");
    tap.settled.truncate(1);
    tap.settled[0].message = Some(MESSAGE + 1);
    assert_eq!(i3_only_what_was_settled_is_settled(&ledger, &tap).len(), 1, "of another message");
}

#[test]
fn i4_finds_a_delivery_that_was_repeated_or_never_sent() {
    let (mut ledger, mut tap) = (Ledger::default(), Tap::default());
    ledger.got.push(got(1, MESSAGE));
    assert_eq!(i4_no_delivery_is_repeated_unflagged(&ledger, &tap).len(), 1, "it was not sent");
    tap.deliveries.push(sent(1, MESSAGE));
    assert!(i4_no_delivery_is_repeated_unflagged(&ledger, &tap).is_empty());
    ledger.got.push(got(2, MESSAGE));
    tap.deliveries.push(sent(2, MESSAGE));
    assert_eq!(i4_no_delivery_is_repeated_unflagged(&ledger, &tap).len(), 1, "it came first twice");
}

#[test]
fn i5_finds_a_queue_and_a_consumer_that_are_gone() {
    let mut ledger = published(Published::Queued);
    assert_eq!(i5_topology_is_what_the_application_made(&ledger, &broker()).len(), 1);
    let listening = Listening { client: 0, channel: 1, no_ack: false, exclusive: false, arguments: "{}".to_owned() };
    ledger.listening.insert("t1".to_owned(), listening);
    assert_eq!(i5_topology_is_what_the_application_made(&ledger, &broker()).len(), 2);
    ledger.may_lose(Some("q0"));
    ledger.listening.clear();
    assert!(i5_topology_is_what_the_application_made(&ledger, &broker()).is_empty());
}

#[test]
fn i5_finds_a_record_that_is_not_what_the_broker_has_or_the_program_made() {
    use crate::topology::{Queue, queue_name};
    let owner = (0, 1);
    let queue = Queue { durable: true, auto_delete: false, exclusive: false, arguments: "{}".to_owned() };
    let has = Topology { queues: BTreeMap::from([("q0".to_owned(), queue)]), ..Topology::default() };
    let lacks = Topology::default();
    let mut entities = crate::ledger::Entities::default();
    entities.make(queue_name("q0"), owner, true);
    let found = |entities: &_, broker: &Topology, record: &Topology| {
        let record = Record { owner, topology: record.clone() };
        i5_records_are_what_the_broker_has(entities, broker, &[record], true).0.len()
    };
    assert_eq!(found(&entities, &has, &has), 0);
    assert_eq!(found(&entities, &lacks, &has), 1, "it was deleted, and is recorded");
    assert_eq!(found(&entities, &has, &lacks), 1, "it was made, and is not recorded");
    entities.touch(queue_name("q0"), Some((1, 1)));
    assert_eq!(found(&entities, &lacks, &has), 0, "another client has deleted it");
    entities.touch(queue_name("q0"), Some(owner));
    assert_eq!(found(&entities, &has, &lacks), 0, "it was deleted, and is there for some reason");
}

#[test]
fn i6_finds_messages_that_overtook_others() {
    let (mut ledger, mut tap) = (published(Published::Queued), Tap::default());
    let second = ledger.messages[&MESSAGE].clone();
    ledger.messages.insert(4, second);
    tap.published.insert((1, 1), vec![MESSAGE, 4]);
    tap.deliveries.extend([sent(1, MESSAGE), sent(2, 4)]);
    ledger.got.extend([got(1, MESSAGE), got(2, 4)]);
    assert!(i6_order_is_kept(&ledger, &tap).is_empty());
    ledger.got.reverse();
    assert_eq!(i6_order_is_kept(&ledger, &tap).len(), 1, "at a consumer");
    ledger.got.clear();
    tap.published.insert((1, 1), vec![4, MESSAGE]);
    assert_eq!(i6_order_is_kept(&ledger, &tap).len(), 1, "at the broker");
}

#[test]
fn i7_finds_a_connection_too_many() {
    assert!(i7_one_connection_for_each_client([0, 1].into_iter(), 2, 2).is_empty());
    assert_eq!(i7_one_connection_for_each_client([0, 0].into_iter(), 2, 2).len(), 1);
    assert_eq!(i7_one_connection_for_each_client([0].into_iter(), 1, 2).len(), 1);
    assert!(i7_no_connection_after_close(0, 0).is_empty());
    assert_eq!((i7_no_connection_after_close(1, 0).len(), i7_no_connection_after_close(0, 1).len()), (1, 1));
}

#[test]
fn i8_finds_what_is_left() {
    assert!(i8_nothing_is_left(Vec::new()).is_empty());
    assert_eq!(i8_nothing_is_left(vec!["client=0 left 1 channels".to_owned()]).len(), 1);
}
