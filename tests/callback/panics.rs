//! A handler that panics unwinds out of the run, which can be repeated: nothing else is lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use leveret::callback::{Connection, EventLoop};

use super::guard::Guard;
use super::rig::Rig;

type Log = Vec<&'static str>;

/// Runs until a handler panics.
fn run_into_panic(event_loop: &mut EventLoop<Log>, log: &mut Log) {
    let panicked = catch_unwind(AssertUnwindSafe(|| event_loop.run(log))).unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"a handler's"));
}

fn panic_once(log: &mut Log) {
    log.push("panics");
    std::panic::panic_any("a handler's");
}

#[test]
fn a_timer_or_a_job_that_panics_keeps_no_other_one_from_being_called() {
    let mut event_loop = EventLoop::new().unwrap();
    let _guard = Guard::new();
    let mut log = Log::new();
    let handle = event_loop.handle();
    handle.call_later(Duration::ZERO, |log, _| panic_once(log));
    handle.call_later(Duration::ZERO, |log, _| log.push("timer"));
    handle.remote().call(|log, _| panic_once(log));
    handle.remote().call(|log, _| log.push("job"));
    run_into_panic(&mut event_loop, &mut log);
    run_into_panic(&mut event_loop, &mut log);
    event_loop.run(&mut log).unwrap();
    assert_eq!(log, ["panics", "timer", "panics", "job"]);
}

#[test]
fn a_reply_whose_handler_panics_counts_as_handled() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    channel.queue_declare("q").then(|log: &mut Log, _, _| panic_once(log));
    channel.queue_declare("q").then(|log: &mut Log, channel, _| {
        log.push("next");
        channel.handle().stop();
    });
    run_into_panic(&mut rig.event_loop, &mut log);
    rig.event_loop.run(&mut log).unwrap();
    assert_eq!(log, ["panics", "next"]);
    assert!(channel.is_open());
}

#[test]
fn a_consumer_whose_handlers_panic_goes_on_with_the_next_message() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    channel.queue_declare("q").forget();
    (0..3).for_each(|_| channel.publish("", "q", "x").send());
    let consumer = channel.consume("q").on_start(|log: &mut Log, _, _| panic_once(log));
    let consumer = consumer.on_end(|log: &mut Log, _, _| panic_once(log)).each(|log: &mut Log, channel, delivery| {
        delivery.ack().unwrap();
        match log.iter().filter(|line| **line == "panics").count() {
            1 => panic_once(log),
            _ => log.push("delivery"),
        }
        if log.len() == 4 {
            channel.handle().stop();
        }
    });
    run_into_panic(&mut rig.event_loop, &mut log);
    run_into_panic(&mut rig.event_loop, &mut log);
    rig.event_loop.run(&mut log).unwrap();
    assert_eq!(log, ["panics", "panics", "delivery", "delivery"]);
    consumer.cancel();
    run_into_panic(&mut rig.event_loop, &mut log);
    assert_eq!(log.len(), 5);
    connection.close();
    rig.event_loop.run(&mut log).unwrap();
    assert_eq!(log.len(), 5, "the end is told once");
}

#[test]
fn handlers_of_events_and_ends_that_panic_leave_the_connection_to_others() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let url = rig.host.url.clone();
    let connection =
        Connection::open(&mut rig.event_loop, url.as_str(), |log: &mut Log, _, _| panic_once(log)).unwrap();
    run_into_panic(&mut rig.event_loop, &mut log);
    assert!(connection.is_open());
    connection.on_event(|log, _, _| panic_once(log));
    connection.on_close(|log, _, _| panic_once(log));
    connection.on_close(|log, _, _| log.push("closed"));
    connection.close_then(|log, _, _| panic_once(log));
    for _ in 0..3 {
        run_into_panic(&mut rig.event_loop, &mut log);
    }
    rig.event_loop.run(&mut log).unwrap();
    assert_eq!(log.iter().filter(|line| **line == "panics").count(), 4);
    assert_eq!(log.iter().filter(|line| **line == "closed").count(), 1);
}
