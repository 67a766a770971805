//! The order of requests.

use super::recording::{
    auto_delete_queue, bind, bind_exchange, channel, consume, consumer, exchange, queue, server_named_queue,
};
use super::*;
use crate::engine::steps::steps_of;

/// .NET takes deliveries before a channel is in place (#1140, #1076); go-rabbitmq #186 and others
/// publish before what they publish to is there.
#[test]
fn exchanges_queues_and_bindings_come_before_reply_consumers_and_those_before_all_others() {
    let mut run = Run::new([
        consume(1, 1, "q"),
        consume(2, 2, "amq.rabbitmq.reply-to"),
        bind("q", "e", "k"),
        bind_exchange("f", "e"),
        bind("q", "f", ""),
        queue("q"),
        exchange("e"),
        exchange("f"),
    ]);
    run.settle();
    let topology = ["exchange e", "exchange f", "queue q", "bind q e k", "bind exchange f e", "bind q f "];
    assert_eq!(run.sent, topology);
    assert!(!run.replay.is_finished());
    run.sent.clear();
    run.settle_phase(Phase::ReplyTo);
    assert_eq!(run.sent, ["2: qos 10, consume amq.rabbitmq.reply-to tag-2"]);
    run.sent.clear();
    run.settle_phase(Phase::Consumers);
    assert_eq!(run.sent, ["1: qos 10, consume q tag-1"]);
    assert!(run.replay.is_finished() && run.failures().is_empty());
}

/// The Java client and others restore the last prefetch for all consumers of a channel.
#[test]
fn each_consumer_starts_with_its_own_prefetch() {
    let start = |slot, prefetch| Change::ConsumerStarted {
        channel: channel(1),
        consumer: consumer(slot),
        request: Box::new(basic::Consume::default().queue("q").consumer_tag(slot.to_string()).no_wait(true)),
        prefetch,
        recorded: true,
    };
    let mut run = Run::new([queue("q"), start(1, 10), start(2, 1)]);
    run.replay.begin(Phase::Consumers);
    run.settle();
    assert_eq!(run.sent, ["queue q", "1: qos 10, consume q 1", "1: qos 1, consume q 2"]);
}

#[test]
fn every_request_is_answered() {
    let declare = queue::Declare::default().queue("q").no_wait(true);
    let change = Change::QueueDeclared { request: Box::new(declare), name: "q".into() };
    let mut run = Run::new([change]);
    let step = run.replay.next(&run.record, run.now).map(|step| step.request);
    assert_eq!(step, Some(Request::Private(Box::new(queue::Declare::default().queue("q").into()))));
}

/// dotnet #1238 #510, amqp(ruby) #204: a queue for each outage, and consumers of the old name.
#[test]
fn what_names_a_server_named_queue_waits_for_its_new_name() {
    let changes = [
        server_named_queue("amq.gen-1"),
        bind("amq.gen-1", "amq.direct", "amq.gen-1"),
        bind("amq.gen-1", "amq.topic", "k"),
        consume(1, 1, "amq.gen-1"),
    ];
    let mut run = Run::new(changes);
    run.replay.begin(Phase::Consumers);
    assert_eq!(run.send(), ["queue "]);
    run.answer();
    let expected = [
        "bind amq.gen-new1 amq.direct amq.gen-new1",
        "bind amq.gen-new1 amq.topic k",
        "1: qos 10, consume amq.gen-new1 tag-1",
    ];
    assert_eq!(run.send(), expected);
    run.settle();
    assert_eq!(run.renamed, ["amq.gen-1 -> amq.gen-new1"]);
    // Two more outages.
    for outage in 2..=3 {
        let named = run.named;
        run = Run::of(run.record, Suspects::default());
        run.named = named;
        run.settle_all();
        assert_eq!(run.renamed, [format!("amq.gen-new{named} -> amq.gen-new{outage}")]);
        let declared: Vec<_> = run.made.iter().filter(|made| made.starts_with("queue ")).collect();
        assert_eq!(declared, ["queue "]);
        assert_eq!(run.record.len(), 4);
    }
}

#[test]
fn at_most_64_requests_are_outstanding() {
    let mut run = Run::new((0..200).map(|number| queue(&format!("q{number}"))));
    assert_eq!(run.send().len(), 64);
    run.answer();
    assert_eq!(run.send(), ["queue q64"]);
    run.settle();
    assert_eq!((run.made.len(), run.most), (200, 64));
}

/// bunny-rs does not record exclusive queues, but their bindings and consumers, which fail.
#[test]
fn a_consumer_of_a_queue_that_others_declared_starts_after_a_check() {
    let mut run = Run::new([consume(1, 1, "a"), consume(2, 2, "a"), consume(3, 1, "b"), queue("b")]);
    run.settle_all();
    let expected = [
        "queue b",
        "check a",
        "1: qos 10, consume b tag-3",
        "1: qos 10, consume a tag-1",
        "2: qos 10, consume a tag-2",
    ];
    assert_eq!(run.sent, expected);
}

/// dotnet #1647 and others: what was closed while recovery went on came back.
#[test]
fn what_the_application_removes_during_the_replay_does_not_come_back() {
    let mut run = Run::new([queue("q"), bind("q", "e", ""), consume(1, 1, "q"), queue("other")]);
    recording::apply(&mut run.record, [Change::QueueDeleted("q".into())]);
    run.settle_all();
    assert_eq!(run.sent, ["queue other"]);
    assert!(run.replay.is_finished() && run.failures().is_empty());
}

#[test]
fn a_full_record_is_replayed_in_steps_that_do_not_grow_with_it() {
    let queues = (0..20_000).map(|number| auto_delete_queue(&format!("q{number}")));
    let bindings = (0..20_000).map(|number| bind(&format!("q{number}"), "e", ""));
    let consumers = (0..20_000).map(|number| consume(number, 1, &format!("q{}", 19_999 - number)));
    let mut run = Run::new(queues.chain(bindings).chain(consumers)).refuse("queue q7", away(), 2);
    let (steps, ()) = steps_of(|| run.finish());
    assert_eq!(run.made.len(), 60_000);
    assert!(steps < 60_000 + 10 * 64, "{steps} steps");
}
