//! Handlers on the thread of the application.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use leveret::blocking::Dispatcher;
use leveret::{ConnectionEvent, ErrorKind};

use crate::host::Host;
use crate::within::in_time;

#[test]
fn handlers_are_called_by_the_thread_that_asks_and_at_no_other_time() {
    in_time(|| {
        let host = Host::new();
        let channel = host.connect().open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        let handled = RefCell::new(Vec::new());
        let mut dispatcher = Dispatcher::new();
        dispatcher.consume(channel.consume("q").call().unwrap(), |delivery, control| {
            let delivery = delivery.unwrap();
            handled.borrow_mut().push(delivery.body().to_vec());
            // A handler may wait for the broker.
            delivery.channel().queue_declare("q").passive(true).call().unwrap();
            delivery.ack().unwrap();
            if handled.borrow().len() == 3 {
                control.stop_consuming();
            }
        });
        for body in ["1", "2", "3"] {
            channel.publish("", "q", body).send().unwrap();
        }
        host.connect().open_channel().unwrap();
        assert!(handled.borrow().is_empty());
        dispatcher.start_consuming().unwrap();
        assert_eq!(*handled.borrow(), [b"1", b"2", b"3"]);
        assert_eq!(dispatcher.process_events(Duration::ZERO).unwrap(), 0);
    });
}

#[test]
fn process_events_waits_for_the_first_call_or_for_the_limit() {
    in_time(|| {
        let host = Host::new();
        let channel = host.connect().open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        let mut dispatcher = Dispatcher::new();
        dispatcher.consume(channel.consume("q").no_ack(true).call().unwrap(), |delivery, _| drop(delivery.unwrap()));
        let began = Instant::now();
        assert_eq!(dispatcher.process_events(Duration::from_millis(30)).unwrap(), 0);
        assert!(began.elapsed() >= Duration::from_millis(30));
        let publisher = channel;
        let later = std::thread::spawn(move || {
            std::thread::park_timeout(Duration::from_millis(20));
            publisher.publish("", "q", "x").send().unwrap();
        });
        assert_eq!(dispatcher.process_events(Duration::from_secs(60)).unwrap(), 1);
        later.join().unwrap();
    });
}

#[test]
fn timers_are_called_in_their_order_and_can_be_cancelled() {
    let called = RefCell::new(Vec::new());
    let mut dispatcher = Dispatcher::new();
    let control = dispatcher.control().clone();
    let cancelled = control.call_later(Duration::ZERO, |_| called.borrow_mut().push("cancelled"));
    control.call_later(Duration::from_millis(5), |_| called.borrow_mut().push("last"));
    control.call_later(Duration::ZERO, |control| {
        called.borrow_mut().push("first");
        control.call_later(Duration::ZERO, |_| called.borrow_mut().push("next"));
    });
    assert!(control.cancel(cancelled));
    assert!(!control.cancel(cancelled));
    dispatcher.start_consuming().unwrap();
    assert_eq!(*called.borrow(), ["first", "next", "last"]);
}

#[test]
fn another_thread_can_stop_it_before_it_starts_and_while_it_waits() {
    in_time(|| {
        let host = Host::new();
        let channel = host.connect().open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        let mut dispatcher = Dispatcher::new();
        dispatcher.consume(channel.consume("q").call().unwrap(), |_, _| panic!("nothing arrives"));
        let stopper = dispatcher.control().stopper();
        stopper.stop_consuming();
        dispatcher.start_consuming().unwrap();
        // It drives the connection, or waits for whoever does.
        for _ in 0..50 {
            let stopper = stopper.clone();
            let later = std::thread::spawn(move || {
                std::thread::park_timeout(Duration::from_millis(2));
                stopper.stop_consuming();
            });
            dispatcher.start_consuming().unwrap();
            later.join().unwrap();
        }
    });
}

#[test]
fn a_consumer_that_fails_passes_its_error_last_and_ends_the_run() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        let (kinds, events) = (RefCell::new(Vec::new()), RefCell::new(0));
        let mut dispatcher = Dispatcher::new();
        dispatcher.consume(channel.consume("q").call().unwrap(), |delivery, _| {
            kinds.borrow_mut().push(delivery.unwrap_err().kind());
        });
        dispatcher.on_connection_event(&connection, |event, _| {
            assert!(matches!(event, ConnectionEvent::Closed(_)));
            *events.borrow_mut() += 1;
        });
        host.broker.state().delete_queue("/", "q");
        dispatcher.start_consuming().unwrap();
        assert_eq!((&*kinds.borrow(), dispatcher.consumers()), (&vec![ErrorKind::ConsumerCancelled], 0));
        connection.close().unwrap();
        while dispatcher.process_events(Duration::from_secs(60)).unwrap() == 0 {}
        assert_eq!(*events.borrow(), 1);
    });
}
