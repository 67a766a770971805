//! What the API does when nothing goes wrong.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use leveret::callback::{Channel, Connection, EventLoop};

use super::host::Host;

/// What handlers note.
type Log = Vec<String>;

fn on_channel(log: &mut Log, _: &Connection<Log>, channel: leveret::Result<Channel<Log>>) {
    log.push("channel".to_owned());
    let channel = channel.unwrap();
    channel.queue_declare("hello").then(|log: &mut Log, channel, declared| {
        log.push(format!("declared {}", declared.unwrap().queue));
        channel.publish("", "hello", "Hello, world!").send();
        channel.consume("hello").on_end(|log: &mut Log, _, why| log.push(format!("end {why:?}"))).each(
            |log: &mut Log, channel, delivery| {
                log.push(String::from_utf8_lossy(delivery.body()).into_owned());
                delivery.ack().unwrap();
                channel.handle().stop();
            },
        );
    });
}

#[test]
fn the_program_of_the_introduction_runs_until_it_is_stopped_and_again_until_it_is_closed() {
    let host = Host::new();
    let mut event_loop = EventLoop::new().unwrap();
    let mut log = Log::new();
    let connection = Connection::open(&mut event_loop, host.url.as_str(), |log: &mut Log, connection, opened| {
        opened.unwrap();
        log.push("open".to_owned());
        connection.on_close(|log: &mut Log, _, why| log.push(why.to_string()));
        connection.open_channel(on_channel);
    })
    .unwrap();
    assert!(!connection.is_open());
    event_loop.run(&mut log).unwrap();
    assert_eq!(log, ["open", "channel", "declared hello", "Hello, world!"]);
    connection.close();
    event_loop.run(&mut log).unwrap();
    assert_eq!(log.len(), 6, "{log:?}");
    assert!(!connection.is_open());
}

#[test]
fn timers_are_called_in_their_order_and_can_be_cancelled_by_others_of_the_same_pass() {
    let mut event_loop = EventLoop::<Log>::new().unwrap();
    let handle = event_loop.handle().clone();
    let second = Rc::new(RefCell::new(None));
    let cancelled = Rc::clone(&second);
    handle.call_later(Duration::ZERO, move |log, handle| {
        log.push("first".to_owned());
        assert!(handle.cancel(cancelled.borrow_mut().take().unwrap()));
        handle.call_later(Duration::ZERO, |log, _| log.push("third".to_owned()));
    });
    second.replace(Some(handle.call_later(Duration::ZERO, |log, _| log.push("second".to_owned()))));
    let mut log = Log::new();
    event_loop.pass(&mut log, Some(Duration::ZERO)).unwrap();
    assert_eq!(log, ["first"]);
    event_loop.run(&mut log).unwrap();
    assert_eq!(log, ["first", "third"]);
}
