//! What queues say reaches a channel after what its client has sent before.

use std::time::Instant;

use leveret::broker::{State, Transport};
use leveret::protocol::{Method, ReplyCode, basic, channel, confirm, exchange, queue, tx};
use leveret_test_support::Received;

use super::peer::{Peer, content, frame};
use super::{QUEUE, broker_with, client, counts, fill, names};

const COMMIT: &str = "CHANNEL_ERROR - unexpected command while processing 'tx.commit'";

fn late_broker() -> (State, Instant) {
    broker_with(|settings| settings.in_time_percent = 0)
}

fn consume(tag: &str) -> Vec<u8> {
    frame(basic::Consume::default().queue(QUEUE).consumer_tag(tag))
}

fn cancel(tag: &str) -> Vec<u8> {
    frame(basic::Cancel::default().consumer_tag(tag))
}

fn passive() -> Vec<u8> {
    frame(queue::Declare::default().queue(QUEUE).passive(true))
}

fn publish() -> Vec<u8> {
    content("", QUEUE, &basic::Properties::default(), b"hello").concat()
}

/// Hands these in at once, and gives the names of what is heard.
fn exchanged(broker: &mut State, now: Instant, peer: &mut Peer, together: &[Vec<u8>]) -> Vec<&'static str> {
    peer.say_octets(broker, now, &together.concat());
    names(&peer.hear(broker, now))
}

/// Every other method that is answered, and its answer.
fn calls() -> Vec<(Vec<u8>, &'static str)> {
    let bound = queue::Bind::default().queue(QUEUE).exchange("amq.direct").routing_key("key");
    let unbound = queue::Unbind::default().queue(QUEUE).exchange("amq.direct").routing_key("key");
    vec![
        (passive(), "queue.declare-ok"),
        (frame(bound), "queue.bind-ok"),
        (frame(unbound), "queue.unbind-ok"),
        (frame(queue::Purge::default().queue(QUEUE)), "queue.purge-ok"),
        (frame(exchange::Declare::default().exchange("made").kind("fanout")), "exchange.declare-ok"),
        (frame(exchange::Bind::default().destination("made").source("amq.topic")), "exchange.bind-ok"),
        (frame(exchange::Unbind::default().destination("made").source("amq.topic")), "exchange.unbind-ok"),
        (frame(exchange::Delete::default().exchange("made")), "exchange.delete-ok"),
        (frame(basic::Qos::default()), "basic.qos-ok"),
        (frame(basic::Get::default().queue(QUEUE)), "basic.get-empty"),
        (frame(basic::Recover::default().requeue(true)), "basic.recover-ok"),
        (frame(channel::Flow::default().active(true)), "channel.flow-ok"),
        (frame(tx::Select::default()), "tx.select-ok"),
        (frame(tx::Rollback::default()), "tx.rollback-ok"),
        (frame(tx::Commit::default()), "tx.commit-ok"),
    ]
}

#[test]
fn consume_and_cancel_are_answered_after_every_other_call_that_arrives_with_them() {
    let (mut broker, now) = late_broker();
    let mut peer = client(&mut broker, now);
    for (call, answer) in calls() {
        let heard = exchanged(&mut broker, now, &mut peer, &[consume("a"), call.clone()]);
        assert_eq!(heard, [answer, "basic.consume-ok"]);
        let heard = exchanged(&mut broker, now, &mut peer, &[cancel("a"), call]);
        assert_eq!(heard, [answer, "basic.cancel-ok"]);
    }
    let mut peer = client(&mut broker, now);
    let heard = exchanged(&mut broker, now, &mut peer, &[consume("a"), frame(confirm::Select::default())]);
    assert_eq!(heard, ["confirm.select-ok", "basic.consume-ok"]);
}

#[test]
fn other_calls_are_answered_in_order() {
    let (mut broker, now) = late_broker();
    let mut peer = client(&mut broker, now);
    let (calls, answers): (Vec<_>, Vec<_>) = calls().into_iter().unzip();
    assert_eq!(exchanged(&mut broker, now, &mut peer, &calls), answers);
}

#[test]
fn consumers_are_answered_in_the_order_of_their_calls() {
    let (mut broker, now) = late_broker();
    let mut peer = client(&mut broker, now);
    peer.say_octets(&mut broker, now, &[consume("a"), consume("b"), passive()].concat());
    let heard = peer.hear(&mut broker, now);
    let [_, Received::Method(1, Method::BasicConsumeOk(a)), Received::Method(1, Method::BasicConsumeOk(b))] =
        &heard[..]
    else {
        panic!("{heard:?}")
    };
    assert_eq!((a.consumer_tag.as_bytes(), b.consumer_tag.as_bytes()), (&b"a"[..], &b"b"[..]));
}

#[test]
fn a_cancel_that_no_queue_has_to_be_asked_about_is_answered_in_order() {
    let (mut broker, now) = late_broker();
    let mut peer = client(&mut broker, now);
    let heard = exchanged(&mut broker, now, &mut peer, &[cancel("nobody"), passive()]);
    assert_eq!(heard, ["basic.cancel-ok", "queue.declare-ok"]);
    let replies = basic::Consume::default().queue("amq.rabbitmq.reply-to").no_ack(true).consumer_tag("r");
    let heard = exchanged(&mut broker, now, &mut peer, &[frame(replies), passive(), cancel("r"), passive()]);
    assert_eq!(heard, ["basic.consume-ok", "queue.declare-ok", "basic.cancel-ok", "queue.declare-ok"]);
}

#[test]
fn input_that_arrives_octet_by_octet_is_answered_in_order_and_at_once() {
    let (mut broker, now) = late_broker();
    let mut peer = client(&mut broker, now);
    let mut heard = Vec::new();
    for octet in [consume("a"), passive(), cancel("a"), passive()].concat() {
        peer.say_octets(&mut broker, now, &[octet]);
        heard.extend(names(&peer.hear(&mut broker, now)));
    }
    assert_eq!(heard, ["basic.consume-ok", "queue.declare-ok", "basic.cancel-ok", "queue.declare-ok"]);
}

#[test]
fn deliveries_stand_between_the_answers_to_consume_and_cancel() {
    let (mut broker, now) = late_broker();
    fill(&mut broker, now, 2);
    let mut peer = client(&mut broker, now);
    let heard = exchanged(&mut broker, now, &mut peer, &[consume("a"), passive()]);
    assert_eq!(heard, ["queue.declare-ok", "basic.consume-ok", "basic.deliver", "basic.deliver"]);
    let heard = exchanged(&mut broker, now, &mut peer, &[publish(), cancel("a"), passive()]);
    assert_eq!(heard, ["queue.declare-ok", "basic.deliver", "basic.cancel-ok"]);
    assert_eq!(counts(&broker), (0, 3));
}

#[test]
fn a_consumer_takes_its_messages_at_once_and_hears_of_them_after_a_get() {
    let (mut broker, now) = late_broker();
    fill(&mut broker, now, 2);
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &basic::Qos::default().prefetch_count(1));
    peer.hear(&mut broker, now);
    let get = frame(basic::Get::default().queue(QUEUE));
    peer.say_octets(&mut broker, now, &[consume("a"), get.clone(), get].concat());
    let heard = peer.hear(&mut broker, now);
    assert_eq!(names(&heard), ["basic.get-ok", "basic.get-empty", "basic.consume-ok", "basic.deliver"]);
    let tags = heard.iter().filter_map(|heard| match heard {
        Received::Method(_, Method::BasicGetOk(ok)) => Some(ok.delivery_tag),
        Received::Method(_, Method::BasicDeliver(deliver)) => Some(deliver.delivery_tag),
        _ => None,
    });
    assert_eq!(tags.collect::<Vec<_>>(), [1, 2], "numbered as they leave");
    peer.say(&mut broker, now, 1, &basic::Ack::default().delivery_tag(2).multiple(true));
    assert_eq!(counts(&broker), (0, 0));
}

#[test]
fn a_queue_that_is_deleted_ends_its_consumers_after_the_answer() {
    let (mut broker, now) = late_broker();
    let mut peer = client(&mut broker, now);
    let delete = frame(queue::Delete::default().queue(QUEUE));
    let heard = exchanged(&mut broker, now, &mut peer, &[consume("a"), delete, frame(basic::Qos::default())]);
    assert_eq!(heard, ["queue.delete-ok", "basic.qos-ok", "basic.consume-ok", "basic.cancel"]);
}

#[test]
fn a_channel_that_closes_is_told_no_more_and_its_messages_go_back() {
    for end in [frame(channel::Close::default()), frame(queue::Declare::default().queue("missing").passive(true))] {
        let (mut broker, now) = late_broker();
        fill(&mut broker, now, 2);
        let mut peer = client(&mut broker, now);
        let heard = exchanged(&mut broker, now, &mut peer, &[consume("a"), end]);
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(heard[0].starts_with("channel.close"), "{heard:?}");
        assert_eq!(counts(&broker), (2, 0));
        assert!(broker.consumers("/").is_empty());
    }
}

/// A peer whose channel confirms.
fn confirming(broker: &mut State, now: Instant) -> Peer {
    let mut peer = client(broker, now);
    peer.say(broker, now, 1, &confirm::Select::default());
    peer.hear(broker, now);
    peer
}

#[test]
fn what_a_queue_takes_is_confirmed_after_the_other_answers_and_what_none_takes_at_once() {
    let (mut broker, now) = late_broker();
    let mut peer = confirming(&mut broker, now);
    let nowhere = content("", "nowhere", &basic::Properties::default(), b"hello").concat();
    let heard = exchanged(&mut broker, now, &mut peer, &[publish(), nowhere, passive()]);
    assert_eq!(heard, ["basic.ack", "queue.declare-ok", "basic.ack"]);
}

#[test]
fn confirms_of_queues_are_lost_with_a_channel_or_connection_that_the_broker_closes() {
    let missing = frame(queue::Declare::default().queue("missing").passive(true));
    let immediate = frame(basic::Publish::default().routing_key(QUEUE).immediate(true));
    let immediate = [immediate, content("", QUEUE, &basic::Properties::default(), b"hello")[1..].concat()].concat();
    for (end, close) in [(missing, "channel.close"), (immediate, "connection.close")] {
        for (late, expected) in [(true, &[close][..]), (false, &["basic.ack", close])] {
            let (mut broker, now) = broker_with(|settings| {
                settings.late_answers = late;
                settings.in_time_percent = 0;
            });
            let mut peer = confirming(&mut broker, now);
            let heard = exchanged(&mut broker, now, &mut peer, &[publish(), end.clone()]);
            assert_eq!(heard, expected, "late: {late}");
        }
    }
}

#[test]
fn cancelling_before_consume_ok_closes_the_connection() {
    let (mut broker, now) = late_broker();
    let mut peer = client(&mut broker, now);
    peer.say_octets(&mut broker, now, &[consume("a"), cancel("a")].concat());
    let heard = peer.hear(&mut broker, now);
    assert_eq!(names(&heard), ["basic.consume-ok", "connection.close"]);
    let Some(Received::Method(0, Method::ConnectionClose(close))) = heard.last() else { panic!("{heard:?}") };
    assert_eq!(close.reply_code, ReplyCode::INTERNAL_ERROR);
}

/// A peer in a transaction with a message that goes to the queue.
fn transaction(broker: &mut State, now: Instant) -> Peer {
    let mut peer = client(broker, now);
    peer.say(broker, now, 1, &tx::Select::default());
    peer.say_octets(broker, now, &publish());
    peer.hear(broker, now);
    peer
}

#[test]
fn whatever_arrives_behind_an_unanswered_commit_closes_the_connection() {
    let commit = frame(tx::Commit::default());
    let mut behind: Vec<_> = calls().into_iter().map(|(call, _)| call).collect();
    let settled = [
        frame(basic::Ack::default().delivery_tag(1)),
        frame(basic::Nack::default().delivery_tag(1)),
        frame(basic::Reject::default().delivery_tag(1)),
    ];
    behind.extend(settled);
    behind.extend([publish(), consume("a"), cancel("a"), commit.clone()]);
    for frames in behind {
        let (mut broker, now) = late_broker();
        let mut peer = transaction(&mut broker, now);
        peer.say_octets(&mut broker, now, &[commit.clone(), frames].concat());
        let heard = peer.hear(&mut broker, now);
        let [Received::Method(0, Method::ConnectionClose(close))] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!((close.reply_code, close.reply_text.as_bytes()), (ReplyCode::CHANNEL_ERROR, COMMIT.as_bytes()));
        assert_eq!(counts(&broker), (1, 0), "what was committed is there");
    }
}

#[test]
fn a_commit_that_waits_for_no_queue_is_answered_in_order() {
    let (mut broker, now) = late_broker();
    let mut peer = client(&mut broker, now);
    let nowhere = content("", "nowhere", &basic::Properties::default(), b"lost").concat();
    let (select, commit) = (frame(tx::Select::default()), frame(tx::Commit::default()));
    let together = [select, nowhere, commit.clone(), passive(), commit, passive()];
    let heard = exchanged(&mut broker, now, &mut peer, &together);
    assert_eq!(heard, ["tx.select-ok", "tx.commit-ok", "queue.declare-ok", "tx.commit-ok", "queue.declare-ok"]);
}

#[test]
fn a_commit_is_answered_when_its_input_is_read_and_the_next_transaction_begins() {
    let (mut broker, now) = late_broker();
    let mut peer = transaction(&mut broker, now);
    let [method, header, body] = content("", QUEUE, &basic::Properties::default(), b"hello");
    // The method of a publish is nothing yet: it counts with its last frame.
    let heard = exchanged(&mut broker, now, &mut peer, &[frame(tx::Commit::default()), method, header]);
    assert_eq!((heard, counts(&broker)), (vec!["tx.commit-ok"], (1, 0)));
    assert!(exchanged(&mut broker, now, &mut peer, &[body]).is_empty());
    assert_eq!(counts(&broker), (1, 0));
    assert_eq!(exchanged(&mut broker, now, &mut peer, &[frame(tx::Commit::default())]), ["tx.commit-ok"]);
    assert_eq!(counts(&broker), (2, 0));
}

#[test]
fn a_channel_may_be_closed_behind_a_commit() {
    let (mut broker, now) = late_broker();
    let mut peer = transaction(&mut broker, now);
    let together = [frame(tx::Commit::default()), frame(channel::Close::default())];
    assert_eq!(exchanged(&mut broker, now, &mut peer, &together), ["channel.close-ok"]);
    assert_eq!((counts(&broker), broker.transport(peer.id)), ((1, 0), Transport::Open));
}

#[test]
fn answers_keep_the_order_of_the_calls_where_a_test_wants_that() {
    let (mut broker, now) = broker_with(|settings| settings.late_answers = false);
    fill(&mut broker, now, 1);
    let mut peer = client(&mut broker, now);
    let heard = exchanged(&mut broker, now, &mut peer, &[consume("a"), passive(), cancel("a"), passive()]);
    let answers = ["basic.consume-ok", "basic.deliver", "queue.declare-ok", "basic.cancel-ok", "queue.declare-ok"];
    assert_eq!(heard, answers);
    let mut peer = transaction(&mut broker, now);
    let heard = exchanged(&mut broker, now, &mut peer, &[frame(tx::Commit::default()), passive()]);
    assert_eq!(heard, ["tx.commit-ok", "queue.declare-ok"]);
}

/// What a broker of this seed answers to each of the calls that race, sent together with another.
fn races(seed: u64, percent: u8) -> [Vec<&'static str>; 3] {
    let (mut broker, now) = broker_with(|settings| {
        settings.seed = seed;
        settings.in_time_percent = percent;
    });
    let mut peer = client(&mut broker, now);
    let started = exchanged(&mut broker, now, &mut peer, &[consume("a"), passive()]);
    let cancelled = exchanged(&mut broker, now, &mut peer, &[cancel("a"), passive()]);
    let mut peer = transaction(&mut broker, now);
    let committed = exchanged(&mut broker, now, &mut peer, &[frame(tx::Commit::default()), passive()]);
    [started, cancelled, committed]
}

const LATE: [&[&str]; 3] =
    [&["queue.declare-ok", "basic.consume-ok"], &["queue.declare-ok", "basic.cancel-ok"], &["connection.close"]];
const IN_TIME: [&[&str]; 3] = [
    &["basic.consume-ok", "queue.declare-ok"],
    &["basic.cancel-ok", "queue.declare-ok"],
    &["tx.commit-ok", "queue.declare-ok"],
];

#[test]
fn few_answers_arrive_in_time_and_the_seed_says_which() {
    let mut in_time = [0; 3];
    for seed in 0..2000 {
        let heard = races(seed, 1);
        assert_eq!(heard, races(seed, 1), "seed {seed}");
        for (at, answers) in heard.iter().enumerate() {
            assert!(answers == LATE[at] || answers == IN_TIME[at], "seed {seed}: {answers:?}");
            in_time[at] += usize::from(answers == IN_TIME[at]);
        }
    }
    assert!(in_time.iter().all(|count| (5..=50).contains(count)), "{in_time:?} of 2000");
}

#[test]
fn all_answers_or_none_arrive_in_time_where_a_test_wants_that() {
    for seed in 0..100 {
        assert_eq!(races(seed, 0), LATE, "seed {seed}");
        assert_eq!(races(seed, 100), IN_TIME, "seed {seed}");
    }
}

#[test]
fn an_answer_in_time_overtakes_nothing_that_queues_said_before() {
    let (mut broker, now) = broker_with(|settings| settings.in_time_percent = 100);
    fill(&mut broker, now, 1);
    let mut peer = client(&mut broker, now);
    let heard = exchanged(&mut broker, now, &mut peer, &[consume("a"), passive(), cancel("a"), passive()]);
    let answers = ["basic.consume-ok", "queue.declare-ok", "queue.declare-ok", "basic.deliver", "basic.cancel-ok"];
    assert_eq!(heard, answers);
    assert_eq!(counts(&broker), (0, 1));
}
