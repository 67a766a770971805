//! What a dropped consumer gives back where its channel has other consumers: all of its own, and
//! nothing of theirs.

use std::collections::BTreeSet;

use leveret::engine::{ChannelKey, ConsumerKey, Settings, Settle};
use leveret::protocol::{Method, basic};

use crate::session::{Sent, Session, negotiated, sent};

/// Bytes of a nack on the wire.
const NACK: usize = 21;

/// A channel with two consumers; messages go to the one named by each letter, with delivery tags
/// from 1 on.
fn interleaved(pattern: impl IntoIterator<Item = char>) -> (Session, ChannelKey, [ConsumerKey; 2]) {
    let mut session = Session::open();
    let key = session.channel();
    let consumers = ["a", "b"].map(|tag| session.consumer(key, tag, false));
    for (delivery_tag, letter) in (1..).zip(pattern) {
        session.deliver(1, letter.encode_utf8(&mut [0; 4]), delivery_tag, "m");
    }
    (session, key, consumers)
}

/// Drops the consumer `a`; gives what is nacked after the broker agrees.
fn drop_a(session: &mut Session, a: ConsumerKey) -> Vec<basic::Nack> {
    session.engine.drop_consumer(a, [], None);
    assert_eq!(session.sent(), [sent(1, basic::Cancel::default().consumer_tag("a"))]);
    session.say(1, basic::CancelOk::default().consumer_tag("a"));
    let nacks = session.sent().into_iter().map(|sent| match sent {
        Sent::Method(1, Method::BasicNack(nack)) if nack.requeue => nack,
        other => panic!("{other:?} instead of a nack with requeue"),
    });
    nacks.collect()
}

/// What the broker takes back at these nacks, of which each has to be of something that is
/// unsettled.
fn taken_back(unsettled: &mut BTreeSet<u64>, nacks: &[basic::Nack]) -> BTreeSet<u64> {
    let mut back = BTreeSet::new();
    for nack in nacks {
        assert!(unsettled.contains(&nack.delivery_tag), "{nack:?}");
        let taken =
            unsettled.extract_if(.., |tag| *tag == nack.delivery_tag || nack.multiple && *tag < nack.delivery_tag);
        back.extend(taken);
    }
    back
}

#[test]
fn a_consumer_that_is_dropped_takes_nothing_of_anothers_with_it_however_their_messages_alternate() {
    const MESSAGES: u32 = 9;
    for pattern in 0..1_u32 << MESSAGES {
        let letters: Vec<char> = (0..MESSAGES).map(|bit| if pattern >> bit & 1 == 0 { 'a' } else { 'b' }).collect();
        let tags_of = |letter| (1..).zip(&letters).filter(move |(_, it)| **it == letter).map(|(tag, _)| tag);
        let (mut session, key, [a, _]) = interleaved(letters.iter().copied());
        let mut unsettled: BTreeSet<u64> = (1..=u64::from(MESSAGES)).collect();
        let nacks = drop_a(&mut session, a);
        assert!(taken_back(&mut unsettled, &nacks).into_iter().eq(tags_of('a')), "{letters:?}: {nacks:?}");
        // The other one's can still be settled, each by itself.
        for tag in tags_of('b') {
            assert_eq!(session.engine.settle(key, tag, Settle::Ack { multiple: false }), Ok(()), "{letters:?}");
        }
        assert!(unsettled.into_iter().eq(tags_of('b')));
    }
}

#[test]
fn those_before_the_first_of_another_consumer_go_back_together_and_the_others_one_by_one() {
    let (mut session, _, [a, _]) = interleaved("aaaabaabba".chars());
    let nack = |delivery_tag| basic::Nack::default().delivery_tag(delivery_tag).requeue(true);
    let expected = [nack(4).multiple(true), nack(6), nack(7), nack(10)];
    assert_eq!(drop_a(&mut session, a), expected);
}

#[test]
fn what_another_consumer_has_settled_is_in_nobodys_way() {
    let (mut session, key, [a, _]) = interleaved("baba".chars());
    for tag in [1, 3] {
        session.engine.settle(key, tag, Settle::Ack { multiple: false }).unwrap();
    }
    session.sent();
    let all = basic::Nack::default().delivery_tag(4).multiple(true).requeue(true);
    assert_eq!(drop_a(&mut session, a), [all]);
}

#[test]
fn eight_thousand_messages_that_wait_go_back_by_one_nack() {
    let (mut session, _, [a, _]) = interleaved(std::iter::repeat_n('a', 8000));
    let all = basic::Nack::default().delivery_tag(8000).multiple(true).requeue(true);
    assert_eq!(drop_a(&mut session, a), [all]);
}

#[test]
fn after_one_message_that_another_consumer_holds_each_goes_back_by_itself_and_within_the_write_limit() {
    let letters = std::iter::once('b').chain(std::iter::repeat_n('a', 8000));
    let (mut session, key, [a, _]) = interleaved(letters);
    session.engine.drop_consumer(a, [], None);
    session.sent();
    session.say(1, basic::CancelOk::default().consumer_tag("a"));
    assert_eq!(session.engine.queued(), 8000 * NACK as u64);
    assert!(8000 * NACK < Settings::default().write_limit / 50);
    let nacks: Vec<_> = session.sent();
    let nack = |delivery_tag| sent(1, basic::Nack::default().delivery_tag(delivery_tag).requeue(true));
    assert_eq!(nacks, (2..=8001).map(nack).collect::<Vec<_>>());
    assert_eq!(session.engine.settle(key, 1, Settle::Ack { multiple: false }), Ok(()));
}

#[test]
fn a_message_takes_more_of_the_read_limit_than_its_nack_takes_of_the_write_limit() {
    let (mut session, _, _) = interleaved("aaa".chars());
    let per_message = session.engine.leftovers().undelivered / 2;
    assert!(per_message >= 4 * NACK as u64, "{per_message} bytes");
    session.lose();
}

#[test]
fn a_peer_that_does_not_read_what_goes_back_is_not_read_until_it_does() {
    let mut session = Session::with(negotiated(), |settings| settings.write_limit = 1000);
    let key = session.channel();
    let [a, _] = ["a", "b"].map(|tag| session.consumer(key, tag, false));
    session.deliver(1, "b", 1, "held");
    (2..=1001).for_each(|tag| session.deliver(1, "a", tag, "m"));
    session.engine.drop_consumer(a, [], None);
    session.sent();
    session.say(1, basic::CancelOk::default().consumer_tag("a"));
    assert!(!session.engine.poll_reading(session.now), "{} bytes wait", session.engine.queued());
    assert_eq!(session.sent().len(), 1000);
    assert!(session.engine.poll_reading(session.now));
}

/// Words of tags that are kept of what a broker goes on sending, and the tags of each.
const MOST_WORDS: u64 = 20 * 1024;
const TAGS_OF_A_WORD: u64 = 64;

#[test]
fn a_broker_that_answers_no_cancel_has_back_what_it_goes_on_sending() {
    let (mut session, _, [a, _]) = interleaved([]);
    session.engine.drop_consumer(a, [], None);
    assert_eq!(session.sent(), [sent(1, basic::Cancel::default().consumer_tag("a"))]);
    let all_up_to = |tag| sent(1, basic::Nack::default().delivery_tag(tag).multiple(true).requeue(true));
    for index in 1..=100_000 {
        // So far apart that each takes as much memory as a tag can: a word.
        session.deliver(1, "a", TAGS_OF_A_WORD * index, "m");
        let is_excess = index % (MOST_WORDS + 1) == 0;
        let expected = if is_excess { vec![all_up_to(TAGS_OF_A_WORD * index)] } else { vec![] };
        assert_eq!(session.sent(), expected, "message {index}");
    }
    session.say(1, basic::CancelOk::default().consumer_tag("a"));
    assert_eq!(session.sent(), [all_up_to(6_400_000)]);
}

#[test]
fn what_goes_back_before_a_cancel_is_answered_takes_less_than_twice_the_write_limit_at_a_time() {
    // Another consumer holds the first message, so that each of the others goes back by itself.
    let (mut session, _, [a, _]) = interleaved(['b']);
    session.engine.drop_consumer(a, [], None);
    session.sent();
    (1..=MOST_WORDS).for_each(|index| session.deliver(1, "a", TAGS_OF_A_WORD * index, "m"));
    assert_eq!(session.engine.queued(), 0, "nothing goes back so far");
    session.deliver(1, "a", TAGS_OF_A_WORD * (MOST_WORDS + 1), "m");
    let of_one_tag_a_word = session.engine.queued();
    assert_eq!(of_one_tag_a_word, (MOST_WORDS + 1) * NACK as u64);
    assert!(of_one_tag_a_word * TAGS_OF_A_WORD < 2 * Settings::default().write_limit as u64);
    assert_eq!(session.sent().len() as u64, MOST_WORDS + 1);
}
