//! Requests that end the connection.

use super::recording::{bind, consume, exchange, queue};
use super::*;

/// dotnet #1993: a consume that took too long was skipped. go-rabbitmq #211: one failure ended a
/// consumer for good.
#[test]
fn what_was_outstanding_at_a_loss_comes_last_and_alone_and_the_second_time_it_is_set_aside() {
    let mut run = Run::new([queue("a"), queue("bad"), queue("b"), bind("a", "e", ""), bind("bad", "e", "")]);
    run.send();
    run.answer();
    let suspects = run.replay.connection_lost(&loss());

    let mut run = Run::of(run.record, suspects);
    assert_eq!(run.send(), ["queue a", "queue b", "bind a e "]);
    run.answer();
    run.answer();
    assert_eq!(run.send(), [""; 0]);
    run.answer();
    assert_eq!(run.send(), ["queue bad"]);
    assert!(!run.replay.is_settled());
    let suspects = run.replay.connection_lost(&loss());

    let mut run = Run::of(run.record, suspects);
    run.settle_all();
    assert_eq!(run.made, ["queue a", "queue b", "bind a e "]);
    assert_eq!(run.failures(), ["the queue bad", "the binding of the queue bad to the exchange e"]);
    assert!(run.replay.is_finished());
}

#[test]
fn a_suspect_that_is_answered_is_none_any_more() {
    let mut run = Run::new([queue("a"), queue("b")]);
    run.send();
    let suspects = run.replay.connection_lost(&loss());
    let mut run = Run::of(run.record, suspects).refuse("queue a", away(), 1);
    run.settle();
    assert_eq!(run.sent, ["queue b", "queue a"]);
    assert_eq!(run.failures(), ["the queue a?"]);
    let suspects = run.replay.connection_lost(&loss());
    let mut run = Run::of(run.record, suspects);
    run.settle();
    assert_eq!(run.sent, ["queue a", "queue b"]);
}

#[test]
fn a_step_that_takes_too_long_is_suspected_whatever_else_is_outstanding() {
    let mut run = Run::new([exchange("a"), exchange("b"), exchange("c")]);
    run.send();
    let second = run.outstanding.get(1).map(|step| step.id);
    let suspects = second.map(|id| run.replay.timed_out(id, &loss())).unwrap_or_default();
    let mut run = Run::of(run.record, suspects);
    run.settle();
    assert_eq!(run.made, ["exchange a", "exchange c", "exchange b"]);
}

/// The broker handles channels side by side.
#[test]
fn the_first_outstanding_consumer_of_each_channel_is_suspected() {
    let mut run = Run::new((1..=4).map(|slot| consume(slot, if slot < 3 { 1 } else { 2 }, "amq.rabbitmq.reply-to")));
    run.replay.begin(Phase::ReplyTo);
    run.send();
    let suspects = run.replay.connection_lost(&loss());
    let mut run = Run::of(run.record, suspects);
    run.settle_phase(Phase::ReplyTo);
    let tags: Vec<_> = run.made.iter().filter_map(|made| made.rsplit(' ').next()).collect();
    assert_eq!(tags, ["tag-2", "tag-4", "tag-1", "tag-3"]);
}

#[test]
fn the_check_of_a_queue_is_suspected_too() {
    let mut run = Run::new([consume(1, 1, "a"), consume(2, 1, "b")]);
    run.replay.begin(Phase::Consumers);
    run.send();
    let suspects = run.replay.connection_lost(&loss());
    let mut run = Run::of(run.record, suspects);
    run.settle_all();
    assert_eq!(run.sent.first().map(String::as_str), Some("check b"));
    assert_eq!(run.sent.get(2).map(String::as_str), Some("check a"));
    let mut run = Run::of(run.record, Suspects::default());
    run.settle_all();
    assert_eq!(run.sent.first().map(String::as_str), Some("check a"));
}
