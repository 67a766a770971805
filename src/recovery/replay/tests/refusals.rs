//! What the broker refuses.

use super::recording::{bind, bind_exchange, channel, consume, consumer, exchange, queue, server_named_queue};
use super::*;

fn exclusive_consumer(slot: u32, number: u16) -> Change {
    let request = basic::Consume::default().queue("q").consumer_tag(format!("tag-{slot}")).exclusive(true);
    let (channel, consumer) = (channel(number), consumer(slot));
    Change::ConsumerStarted { channel, consumer, request: Box::new(request), prefetch: 10, recorded: true }
}

/// lapin stops at the first refusal, and bunny-rs waits for ever.
#[test]
fn of_n_entities_with_k_bad_ones_the_others_are_made_and_k_are_reported() {
    let mut run = Run::new((0..200).map(|number| queue(&format!("q{number}"))));
    for number in (0..200).step_by(7) {
        run = run.refuse(&format!("queue q{number}"), forbidden(), 1);
    }
    run.finish();
    let expected: Vec<_> = (0..200).filter(|number| number % 7 != 0).map(|number| format!("queue q{number}")).collect();
    assert_eq!(run.made, expected);
    let expected: Vec<_> = (0..200).step_by(7).map(|number| format!("the queue q{number}")).collect();
    assert_eq!(run.failures(), expected);
    assert_eq!(run.closes, 0);
}

/// java #677: a retry mended one entity, and not what it needs or what depends on it.
#[test]
fn a_missing_queue_is_declared_again_with_its_bindings() {
    let mut run = Run::new([exchange("e"), queue("q"), bind("q", "e", "1"), bind("q", "e", "2"), consume(1, 1, "q")])
        .refuse("bind q e 2", no_queue(), 1);
    run.finish();
    let expected =
        ["exchange e", "queue q", "bind q e 1", "queue q", "bind q e 1", "bind q e 2", "1: qos 10, consume q tag-1"];
    assert_eq!(run.made, expected);
    assert_eq!(run.failures(), [""; 0]);
}

#[test]
fn a_missing_exchange_is_declared_again_once() {
    let mut run = Run::new([exchange("e"), exchange("f"), bind_exchange("f", "e"), queue("q"), bind("q", "f", "")])
        .refuse("bind exchange f e", no_exchange(), 9);
    run.finish();
    assert_eq!(run.made, ["exchange e", "exchange f", "queue q", "exchange e", "exchange f", "bind q f "]);
    assert_eq!(run.failures(), ["the binding of the exchange f to the exchange e"]);
}

/// java #1593: the failure of a binding stopped what came after it.
#[test]
fn a_binding_to_what_others_deleted_is_reported() {
    let mut run = Run::new([queue("q"), bind("q", "e", ""), bind("q", "f", "")]).refuse("bind q e ", no_exchange(), 1);
    run.finish();
    assert_eq!(run.made, ["queue q", "bind q f "]);
    assert_eq!(run.failures(), ["the binding of the queue q to the exchange e"]);
}

/// spring #2333 #1034, dotnet #379: a queue whose node was away ended its consumer for good.
#[test]
fn a_queue_whose_node_is_away_is_tried_without_end_and_what_depends_on_it_waits() {
    let mut run = Run::new([queue("q"), bind("q", "e", ""), consume(1, 1, "q"), queue("r"), consume(2, 1, "r")])
        .refuse("queue q", away(), 100);
    run.settle_all();
    assert_eq!(run.made, ["queue r", "1: qos 10, consume r tag-2"]);
    assert_eq!(run.failures(), ["the queue q?"]);
    assert!(!run.replay.is_finished());
    let begun = run.now;
    while run.retry() {}
    // Its delays grow to 15 s on average.
    assert!(run.now - begun > Duration::from_secs(100 * 10));
    assert_eq!(
        run.made.get(2..),
        Some(["queue q", "bind q e ", "1: qos 10, consume q tag-1"].map(String::from).as_slice())
    );
    assert_eq!(run.recovered, ["the queue q"]);
    assert_eq!((run.failures().len(), run.closes), (0, 0));
}

#[test]
fn what_is_back_before_anybody_asks_is_not_reported() {
    let mut run = Run::new([queue("q")]).refuse("queue q", away(), 1);
    run.finish();
    assert_eq!(run.failures(), [""; 0]);
    assert_eq!(run.recovered, [""; 0]);
}

/// aio-pika #228, metricq #25, amqp-java #398 #399: an exclusive queue is locked by the client's
/// own connection until the broker finds that lost.
#[test]
fn a_locked_queue_is_tried_for_three_heartbeats() {
    let mut run = Run::new([queue("q"), consume(1, 1, "q")]).refuse("queue q", locked(), 10);
    run.finish();
    assert_eq!(run.made, ["queue q", "1: qos 10, consume q tag-1"]);

    let mut run = Run::new([queue("q"), bind("q", "e", ""), consume(1, 1, "q")]).refuse("queue q", locked(), 1000);
    let begun = run.now;
    run.finish();
    assert_eq!(run.made, [""; 0]);
    let waited = run.now - begun;
    assert!(waited >= HELD && waited < HELD + Duration::from_secs(30), "{waited:?}");
    let expected = ["the queue q", "the binding of the queue q to the exchange e", "the consumer tag-1 of the queue q"];
    assert_eq!(run.failures(), expected);
}

#[test]
fn what_depends_on_an_entity_with_other_properties_uses_it() {
    let mut run = Run::new([exchange("e"), queue("q"), bind("q", "e", ""), consume(1, 1, "q")])
        .refuse("queue q", different(), 1)
        .refuse("exchange e", different(), 1);
    run.finish();
    assert_eq!(run.made, ["check q", "bind q e ", "1: qos 10, consume q tag-1"]);
    assert_eq!(run.failures(), ["the exchange e", "the queue q"]);
}

#[test]
fn a_queue_that_cannot_be_declared_and_does_not_exist_closes_no_channel_of_its_consumers() {
    let mut run =
        Run::new([queue("q"), bind("q", "e", ""), consume(1, 1, "q"), server_named_queue("s"), consume(2, 1, "s")])
            .refuse("queue q", different(), 1)
            .refuse("queue ", different(), 1)
            .refuse("check q", no_queue(), 1);
    run.finish();
    assert_eq!((run.made.len(), run.closes), (0, 0));
    let expected = [
        "the queue q",
        "the queue s",
        "the binding of the queue q to the exchange e",
        "the consumer tag-1 of the queue q",
        "the consumer tag-2 of the queue s",
    ];
    assert_eq!(run.failures(), expected);
}

#[test]
fn what_depends_on_an_entity_that_is_forbidden_is_left_out() {
    let mut run = Run::new([exchange("e"), queue("q"), queue("r"), bind("q", "e", ""), bind("r", "e", "")]).refuse(
        "queue q",
        forbidden(),
        1,
    );
    run.finish();
    assert_eq!(run.made, ["exchange e", "queue r", "bind r e "]);
    assert_eq!(run.failures(), ["the queue q", "the binding of the queue q to the exchange e"]);
}

/// go #379 #380: a consumer whose restart failed was neither retried nor ended.
#[test]
fn a_consumer_that_cannot_come_back_ends_with_the_error() {
    let mut run = Run::new([queue("q"), consume(1, 1, "q"), consume(2, 1, "gone"), consume(3, 1, "q")])
        .refuse("check gone", no_queue(), 1)
        .refuse("1: qos 10, consume q tag-3", forbidden(), 1);
    run.finish();
    let failures = run.replay.take_failures();
    let ended: Vec<_> = failures.iter().map(|it| (it.consumer, it.error.reply_code(), it.is_retried)).collect();
    let expected = [(2, ReplyCode::NOT_FOUND), (3, ReplyCode::ACCESS_REFUSED)];
    assert_eq!(ended, expected.map(|(slot, code)| (Some(consumer(slot)), Some(code), false)));
}

#[test]
fn a_refused_consumer_takes_the_others_of_its_channel_along_which_start_again() {
    let mut run =
        Run::new([queue("q"), consume(1, 1, "q"), consume(2, 1, "q"), consume(3, 1, "q"), consume(4, 2, "q")]).refuse(
            "1: qos 10, consume q tag-2",
            forbidden(),
            1,
        );
    run.finish();
    let started: Vec<_> = run.made.iter().filter_map(|made| made.split("tag-").nth(1)).collect();
    assert_eq!(started, ["1", "4", "1", "3"]);
    assert_eq!((run.failures(), run.closes), (vec!["the consumer tag-2 of the queue q".to_owned()], 1));
}

#[test]
fn an_exclusive_consumer_waits_on_the_private_channel_until_the_queue_is_free() {
    let mut run = Run::new([queue("q"), exclusive_consumer(1, 1)]);
    run.consumers("q", 1);
    run.settle_all();
    for _ in 0..3 {
        assert!(run.retry());
    }
    assert_eq!(run.made, ["queue q", "check q", "check q", "check q"]);
    run.consumers("q", 0);
    run.finish();
    assert_eq!(run.made.get(4..), Some(["check q", "1: qos 10, consume q tag-1"].map(String::from).as_slice()));
    assert_eq!((run.failures().len(), run.closes), (0, 0));
}

#[test]
fn an_exclusive_consumer_of_a_queue_that_stays_in_use_fails_after_three_heartbeats() {
    let mut run =
        Run::new([queue("q"), exclusive_consumer(1, 1)]).refuse("1: qos 10, consume q tag-1", in_exclusive_use(), 9);
    run.consumers("q", 1);
    let begun = run.now;
    run.finish();
    assert!(run.now - begun >= HELD);
    assert_eq!((run.failures(), run.closes), (vec!["the consumer tag-1 of the queue q".to_owned()], 1));
}

#[test]
fn a_consumer_that_an_exclusive_one_keeps_out_waits_for_it() {
    let mut run =
        Run::new([queue("q"), consume(1, 1, "q")]).refuse("1: qos 10, consume q tag-1", in_exclusive_use(), 1);
    run.consumers("q", 1);
    run.settle_all();
    assert_eq!(run.failures(), ["the consumer tag-1 of the queue q?"]);
    run.retry();
    run.consumers("q", 0);
    run.finish();
    assert_eq!(run.made, ["queue q", "check q", "check q", "1: qos 10, consume q tag-1"]);
    assert_eq!((run.recovered, run.closes), (vec!["the consumer tag-1 of the queue q".to_owned()], 1));
}

#[test]
fn a_queue_that_is_lost_before_its_consumer_starts_is_declared_again() {
    let mut run = Run::new([queue("q"), bind("q", "e", ""), consume(1, 1, "q")])
        .refuse("1: qos 10, consume q tag-1", away(), 1)
        .refuse("check q", no_queue(), 1);
    run.finish();
    assert_eq!(run.made, ["queue q", "bind q e ", "queue q", "bind q e ", "1: qos 10, consume q tag-1"]);
}

#[test]
fn a_server_named_queue_is_checked_by_its_name_and_declared_without() {
    let mut run = Run::new([server_named_queue("amq.gen-1"), consume(1, 1, "amq.gen-1")])
        .refuse("1: qos 10, consume amq.gen-new1 tag-1", away(), 1)
        .refuse("check amq.gen-new1", no_queue(), 1);
    run.finish();
    assert_eq!(run.made, ["queue ", "queue ", "1: qos 10, consume amq.gen-new2 tag-1"]);
    assert_eq!(run.renamed, ["amq.gen-1 -> amq.gen-new1", "amq.gen-new1 -> amq.gen-new2"]);
}

/// RabbitMQ 4.3 wants a permission for the check that consumers do not need.
#[test]
fn a_check_that_is_forbidden_decides_nothing() {
    let mut run = Run::new([consume(1, 1, "q")]).refuse("check q", forbidden(), 1);
    run.finish();
    assert_eq!(run.made, ["1: qos 10, consume q tag-1"]);
    assert_eq!(run.failures(), [""; 0]);
}

#[test]
fn consumers_of_a_queue_of_others_that_is_away_are_reported_as_tried_again() {
    let mut run = Run::new([consume(1, 1, "q"), consume(2, 2, "q")]).refuse("check q", away(), 2);
    run.settle_all();
    assert_eq!(run.failures(), ["the consumer tag-1 of the queue q?", "the consumer tag-2 of the queue q?"]);
    run.finish();
    assert_eq!(run.recovered.len(), 2);
    assert_eq!(run.closes, 0);
}

/// dotnet #1647: what was closed while it was tried again came back.
#[test]
fn what_the_application_removes_is_not_tried_again() {
    let mut run = Run::new([queue("q"), bind("q", "e", ""), consume(1, 1, "q")]).refuse("queue q", away(), 1);
    run.settle_all();
    recording::apply(&mut run.record, [Change::QueueDeleted("q".into())]);
    run.finish();
    assert_eq!(run.made, [""; 0]);
}

#[test]
fn a_replica_that_has_not_started_is_waited_for() {
    let text = "PRECONDITION_FAILED - queue 'q' in vhost '/' does not have a running replica on the local node";
    let mut run = Run::new([queue("q"), consume(1, 1, "q")]).refuse(
        "1: qos 10, consume q tag-1",
        refusal(ReplyCode::PRECONDITION_FAILED, text),
        2,
    );
    run.finish();
    assert_eq!(run.made, ["queue q", "check q", "check q", "1: qos 10, consume q tag-1"]);
}
