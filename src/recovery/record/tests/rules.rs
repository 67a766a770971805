//! One test for each rule of the record.

use super::*;
use crate::wire::FieldTable;

#[test]
fn entities_keep_the_order_of_their_first_declarations() {
    let mut record = record();
    apply(&mut record, [queue("late"), queue("early"), exchange("z"), exchange("a")]);
    apply(&mut record, [bind("late", "z", "1"), bind_exchange("a", "z"), bind("early", "a", "2")]);
    apply(&mut record, [consume(2, 1, "late"), consume(1, 2, "early"), queue("late"), exchange("z")]);
    apply(&mut record, [bind("late", "z", "1"), consume(2, 1, "late")]);
    let expected = [
        "the exchange z",
        "the exchange a",
        "the queue late",
        "the queue early",
        "the binding of the queue late to the exchange z by 1",
        "the binding of the exchange a to the exchange z",
        "the binding of the queue early to the exchange a by 2",
        "the consumer tag-2 of the queue late",
        "the consumer tag-1 of the queue early",
    ];
    assert_eq!(shown(&record), expected);
}

/// Bunny and the Java client lose the flag `internal`, bunny-rs the prefetch of a consumer, .NET
/// the arguments of consumers (#1293).
#[test]
fn requests_are_recorded_with_all_that_they_have() {
    let arguments = FieldTable::from([("x-priority", 3)]);
    let declare = exchange::Declare::default().exchange("e").kind("x-random").internal(true).durable(true);
    let declare_queue = queue::Declare::default().queue("q").exclusive(true).arguments(arguments.clone());
    let start = basic::Consume::default().queue("q").consumer_tag("t").exclusive(true).arguments(arguments);
    let mut record = record();
    let started = Change::ConsumerStarted {
        channel: channel(1),
        consumer: consumer(1),
        request: Box::new(start.clone()),
        prefetch: 7,
        recorded: true,
    };
    let declared = Change::QueueDeclared { request: Box::new(declare_queue.clone()), name: name("q") };
    apply(&mut record, [Change::ExchangeDeclared(Box::new(declare.clone())), declared, started]);
    let snapshot = record.snapshot();
    assert!(snapshot.exchanges().eq([&declare]));
    assert!(snapshot.queues().eq([(&name("q"), &declare_queue)]));
    assert!(snapshot.consumers().eq([&start]));
    assert_eq!(snapshot.iter().last().and_then(super::super::Recorded::prefetch), Some(7));
}

#[test]
fn two_consumers_of_a_channel_keep_the_prefetch_of_each() {
    let mut record = record();
    for (slot, prefetch) in [(1, 10), (2, 1)] {
        let request = Box::new(basic::Consume::default().queue("q"));
        let (channel, consumer) = (channel(1), consumer(slot));
        apply(&mut record, [Change::ConsumerStarted { channel, consumer, request, prefetch, recorded: true }]);
    }
    let snapshot = record.snapshot();
    assert!(snapshot.iter().filter_map(super::super::Recorded::prefetch).eq([10, 1]));
}

/// lapin and aio-pika record passive declarations.
#[test]
fn what_the_application_did_not_make_is_not_recorded() {
    let mut record = record();
    let passive = queue::Declare::default().queue("q").passive(true);
    let passive_exchange = exchange::Declare::default().exchange("e").passive(true);
    apply(&mut record, [Change::QueueDeclared { request: Box::new(passive), name: name("q") }]);
    apply(&mut record, [Change::ExchangeDeclared(Box::new(passive_exchange)), exchange("amq.topic"), exchange("")]);
    apply(&mut record, [bind("q", "", "q")]);
    assert_eq!(shown(&record), [""; 0]);
    apply(&mut record, [bind("q", "amq.topic", "q")]);
    assert_eq!(shown(&record), ["the binding of the queue q to the exchange amq.topic by q"]);
}

/// aio-pika keeps one binding for each pair of exchanges, and no arguments.
#[test]
fn bindings_differ_by_kind_ends_key_and_arguments() {
    let with = |names: [&str; 2]| {
        let arguments = FieldTable::from(names.map(|name| (name, 1)));
        Change::QueueBound(Box::new(queue::Bind::default().queue("q").exchange("e").arguments(arguments)))
    };
    let mut record = record();
    apply(&mut record, [bind("q", "e", ""), bind("q", "e", "k"), bind("q", "f", ""), bind_exchange("q", "e")]);
    apply(&mut record, [with(["a", "b"])]);
    assert_eq!(record.len(), 5);
    // The broker does not see the order of arguments.
    apply(&mut record, [with(["b", "a"])]);
    assert_eq!(record.len(), 5);
    let arguments = FieldTable::from([("b", 1), ("a", 1)]);
    let request = queue::Unbind::default().queue("q").exchange("e").arguments(arguments);
    apply(&mut record, [Change::QueueUnbound(Box::new(request)), unbind("q", "e", "none")]);
    assert_eq!(record.len(), 4);
}

/// java #280 #1593: bindings of deleted exchanges stayed, and their failure stopped the rest.
#[test]
fn an_exchange_that_is_deleted_takes_its_bindings_on_both_sides() {
    let mut record = record();
    apply(&mut record, [exchange("e"), exchange("f"), queue("q")]);
    apply(&mut record, [bind("q", "e", "1"), bind_exchange("f", "e"), bind_exchange("e", "f"), bind("q", "f", "2")]);
    apply(&mut record, [delete_exchange("e")]);
    let expected = ["the exchange f", "the queue q", "the binding of the queue q to the exchange f by 2"];
    assert_eq!(shown(&record), expected);
}

/// bunny #704, java #266 #129, dotnet #1061 #1035 #254: an entity that was deleted on one channel
/// came back by the record of another.
#[test]
fn a_queue_that_is_deleted_takes_its_bindings_and_consumers_on_all_channels() {
    let mut record = record();
    apply(&mut record, [queue("q"), queue("other"), bind("q", "amq.topic", ""), consume(1, 1, "q")]);
    apply(&mut record, [consume(2, 2, "q"), consume(3, 2, "other"), delete_queue("q")]);
    assert_eq!(shown(&record), ["the queue other", "the consumer tag-3 of the queue other"]);
    // The cancels of its consumers come after it.
    apply(&mut record, [Change::ConsumerEnded(consumer(1)), Change::ConsumerEnded(consumer(2))]);
    assert_eq!(record.len(), 2);
}

/// java #20, go #368, dotnet #1905: auto-delete entities or their bindings came back.
#[test]
fn auto_delete_entities_leave_with_the_last_use_along_the_whole_chain() {
    let mut record = record();
    apply(&mut record, [auto_delete_exchange("a"), auto_delete_exchange("b"), auto_delete_queue("q")]);
    apply(&mut record, [bind_exchange("b", "a"), bind("q", "b", "")]);
    apply(&mut record, [consume(1, 1, "q"), consume(2, 2, "q"), Change::ConsumerEnded(consumer(1))]);
    assert_eq!(record.len(), 6);
    apply(&mut record, [Change::ConsumerEnded(consumer(2))]);
    assert_eq!(shown(&record), [""; 0]);
}

#[test]
fn an_auto_delete_entity_that_was_never_used_stays() {
    let mut record = record();
    apply(&mut record, [auto_delete_exchange("a"), auto_delete_queue("q"), exchange("b"), bind_exchange("a", "b")]);
    apply(&mut record, [delete_exchange("b"), consume(1, 1, "other"), Change::ConsumerEnded(consumer(1))]);
    assert_eq!(shown(&record), ["the exchange a", "the queue q"]);
}

#[test]
fn an_unbind_of_the_last_binding_removes_an_auto_delete_exchange_and_what_hangs_on_it() {
    let mut record = record();
    apply(&mut record, [exchange("root"), auto_delete_exchange("a"), queue("q"), bind_exchange("a", "root")]);
    apply(&mut record, [bind("q", "a", "1"), bind("q", "a", "2"), unbind("q", "a", "1")]);
    assert_eq!(record.len(), 5);
    apply(&mut record, [unbind("q", "a", "2")]);
    assert_eq!(shown(&record), ["the exchange root", "the queue q"]);
}

/// java #208, aio-pika #423: consumers of closed channels came back.
#[test]
fn a_channel_that_is_closed_takes_its_consumers_and_no_other_entity() {
    let mut record = record();
    apply(&mut record, [queue("q"), auto_delete_queue("a"), auto_delete_queue("b")]);
    apply(&mut record, [consume(1, 1, "q"), consume(2, 1, "a"), consume(3, 1, "b"), consume(4, 2, "b")]);
    apply(&mut record, [Change::ChannelClosed(channel(1))]);
    assert_eq!(shown(&record), ["the queue q", "the queue b", "the consumer tag-4 of the queue b"]);
}

/// java #1310, dotnet #1808: the record grew without end.
#[test]
fn the_record_has_a_limit_that_is_reported_once() {
    let mut record = Topology::new(4);
    apply(&mut record, [queue("a"), exchange("b"), bind("a", "b", ""), consume(1, 1, "a")]);
    assert_eq!(record.apply(queue("c")), Outcome::LimitReached);
    apply(&mut record, [queue("d"), exchange("c"), bind("a", "b", "2"), consume(2, 1, "a")]);
    assert_eq!(record.len(), 4);
    assert!(record.is_recorded(consumer(1)) && !record.is_recorded(consumer(2)));
    // What is recorded can still change.
    apply(&mut record, [queue("a"), exchange("b"), bind("a", "b", ""), consume(1, 1, "a")]);
    // Room for one more is no reason to report the next.
    apply(&mut record, [unbind("a", "b", ""), queue("c"), queue("e")]);
    assert_eq!(shown(&record), ["the exchange b", "the queue a", "the queue c", "the consumer tag-1 of the queue a"]);
    apply(&mut record, [delete_queue("a"), queue("f"), queue("g")]);
    assert_eq!(record.apply(queue("h")), Outcome::LimitReached);
}

#[test]
fn an_application_removes_from_the_record_what_has_expired() {
    let mut record = record();
    apply(&mut record, [exchange("e"), queue("q"), bind("q", "e", ""), consume(1, 1, "q")]);
    assert!(record.forget_queue(&name("q")) && !record.forget_queue(&name("q")));
    assert_eq!(shown(&record), ["the exchange e"]);
    assert!(record.forget_exchange(&name("e")) && !record.forget_exchange(&name("e")));
    assert_eq!(record.len(), 0);
}

/// Bug of the Java client prevented for consumers that opt out: an auto-delete queue came back
/// after its last consumer had ended.
#[test]
fn a_consumer_that_does_not_come_back_still_keeps_its_auto_delete_queue() {
    let mut record = record();
    apply(&mut record, [auto_delete_queue("q"), consume(1, 1, "q"), consume_once(2, 1, "q")]);
    apply(&mut record, [Change::ConsumerEnded(consumer(1))]);
    assert_eq!(shown(&record), ["the queue q"]);
    apply(&mut record, [Change::ConsumerEnded(consumer(2))]);
    assert_eq!(record.len(), 0);
}

#[test]
fn the_loss_of_a_connection_ends_the_use_of_no_queue() {
    let mut record = record();
    apply(&mut record, [auto_delete_queue("q"), consume_once(1, 1, "q")]);
    record.handle_connection_lost();
    // That its stream ends with the loss is reported too.
    apply(&mut record, [Change::ConsumerEnded(consumer(1))]);
    assert_eq!(shown(&record), ["the queue q"]);
    apply(&mut record, [consume(2, 1, "q"), Change::ConsumerEnded(consumer(2))]);
    assert_eq!(record.len(), 0);
}

/// dotnet #43: a rename deleted the bindings. dotnet #1238: consumers kept the old name.
#[test]
fn a_rename_reaches_bindings_expanded_routing_keys_and_consumers() {
    let mut record = record();
    apply(&mut record, [queue("q"), server_named_queue("amq.gen-1"), server_named_queue("amq.gen-x")]);
    apply(&mut record, [bind("amq.gen-1", "e", "amq.gen-1"), bind("amq.gen-1", "e", "k")]);
    apply(&mut record, [bind("q", "e", "amq.gen-1"), consume(1, 1, "amq.gen-1"), consume(2, 1, "q")]);
    record.rename_queue(&name("amq.gen-1"), &name("amq.gen-2"));
    record.rename_queue(&name("amq.gen-2"), &name("amq.gen-2"));
    let expected = [
        "the queue q",
        "the queue amq.gen-2",
        "the queue amq.gen-x",
        "the binding of the queue amq.gen-2 to the exchange e by amq.gen-2",
        "the binding of the queue amq.gen-2 to the exchange e by k",
        "the binding of the queue q to the exchange e by amq.gen-1",
        "the consumer tag-1 of the queue amq.gen-2",
        "the consumer tag-2 of the queue q",
    ];
    assert_eq!(shown(&record), expected);
    assert!(record.snapshot().queues().skip(1).all(|(_, request)| request.queue.is_empty()));
    // What is removed later is found by the new name, and its exclusive queue with it.
    apply(&mut record, [unbind("amq.gen-2", "e", "amq.gen-2"), delete_queue("amq.gen-2"), delete_queue("amq.gen-x")]);
    assert_eq!(record.len(), 3);
}

/// lapin: the name that the broker chose was declared, which it refuses with 403.
#[test]
fn a_server_named_queue_that_is_declared_by_its_name_is_still_server_named() {
    let mut record = record();
    apply(&mut record, [server_named_queue("amq.gen-1"), queue("amq.gen-1")]);
    let snapshot = record.snapshot();
    assert!(snapshot.queues().eq([(&name("amq.gen-1"), &queue::Declare::default())]));
}

#[test]
fn a_name_that_two_queues_are_given_harms_nothing() {
    let mut record = record();
    apply(&mut record, [server_named_queue("x"), server_named_queue("y")]);
    apply(&mut record, [bind("x", "e", ""), bind("y", "e", ""), consume(1, 1, "x"), consume(2, 1, "y")]);
    record.rename_queue(&name("x"), &name("y"));
    assert_eq!(record.snapshot().queues().count(), 1);
    apply(&mut record, [unbind("y", "e", ""), delete_queue("y")]);
    assert_eq!(record.len(), 0);
}

/// RabbitMQ removes line breaks from names.
#[test]
fn names_are_compared_as_the_broker_stores_them() {
    let mut record = record();
    apply(&mut record, [queue("q"), exchange("e"), bind("q\n", "e\r", ""), consume(1, 1, "q\n")]);
    apply(&mut record, [queue("q\r\n"), exchange("e\n"), bind("q", "e", "")]);
    assert_eq!(record.len(), 4);
    apply(&mut record, [delete_queue("\nq"), delete_exchange("e\n")]);
    assert_eq!(record.len(), 0);
}

#[test]
fn a_snapshot_does_not_change_with_the_record() {
    let mut record = record();
    apply(&mut record, [server_named_queue("a"), bind("a", "e", "a"), consume(1, 1, "a")]);
    let snapshot = record.snapshot();
    let before = snapshot.clone();
    record.rename_queue(&name("a"), &name("b"));
    assert_eq!(snapshot, before);
    assert_ne!(record.snapshot(), before);
    assert!(snapshot.queue_bindings().all(|bind| bind.queue == "a"));
}
