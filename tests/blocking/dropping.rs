//! Handles that are dropped, and processes that end.

use std::any::Any;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use leveret::ConnectionParameters;
use leveret::blocking::Connection;
use leveret::broker::{Fault, Target};
use leveret::protocol::{Method, basic};
use leveret_test_support::Received;

use super::client::{SocketPeer, connect_channel};
use super::host::Host;
use super::within::{PATIENCE, in_time};

/// Tells a test of this program that it is the process that ends, and where the broker is.
const URL: &str = "LEVERET_TEST_URL";

/// Messages that it publishes: more than a socket takes at once.
const MESSAGES: usize = 2000;
const SIZE: usize = 4096;

/// This program once more, for a single test. It is killed where it has not ended by the end of the
/// test.
struct Process(Child);

impl Process {
    fn run(test: &str, url: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(URL, url).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn expect_success(&mut self) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "the process does not end");
            thread::park_timeout(Duration::from_millis(5));
        };
        assert!(status.success(), "{status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is left alone.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Publishes, drops all handles, and ends the process at once.
fn publish_and_exit(url: &str) -> ! {
    let connection = Connection::open(url).unwrap();
    let channel = connection.open_channel().unwrap();
    for _ in 0..MESSAGES {
        channel.publish("", "q", vec![7; SIZE]).send().unwrap();
    }
    drop(channel);
    drop(connection);
    std::process::exit(0);
}

#[test]
fn a_process_that_ends_right_after_its_last_handle_has_sent_what_was_queued() {
    const NAME: &str = "dropping::a_process_that_ends_right_after_its_last_handle_has_sent_what_was_queued";
    if let Ok(url) = std::env::var(URL) {
        publish_and_exit(&url);
    }
    in_time(|| {
        let host = Host::new();
        host.connect().open_channel().unwrap().queue_declare("q").call().unwrap();
        Process::run(NAME, &host.url).expect_success();
        // The process is gone: nothing more arrives than was in the sockets.
        host.until_left();
        assert_eq!(host.messages("q"), (MESSAGES, 0));
    });
}

#[test]
fn the_last_handle_waits_until_what_was_queued_is_read_and_the_close_agreed_to() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        for _ in 0..MESSAGES {
            channel.publish("", "q", vec![7; SIZE]).send().unwrap();
        }
        drop(connection);
        drop(channel);
        assert_eq!(host.messages("q"), (MESSAGES, 0));
        host.until_left();
    });
}

#[test]
fn the_last_handle_does_not_wait_long_for_a_broker_that_is_away() {
    in_time(|| {
        let host = Host::new();
        let parameters = ConnectionParameters::from_url(&host.url).unwrap().close_timeout(Duration::from_secs(30));
        for queued in [false, true] {
            let connection = Connection::open(parameters.clone()).unwrap();
            let channel = connection.open_channel().unwrap();
            host.broker.state().inject(Target::All, Fault::Silence);
            if queued {
                // More than sockets take.
                for _ in 0..200 {
                    drop(channel.publish("", "q", vec![7; 100_000]).try_send());
                }
            }
            let before = Instant::now();
            drop((connection, channel));
            assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
        }
    });
}

/// Handles of whatever kind.
type Handles = Vec<Box<dyn Any + Send>>;

/// Comes to a point, and gives the handles that there are.
fn come_to(point: usize, connection: &Connection) -> Handles {
    let mut handles: Handles = vec![Box::new(connection.clone())];
    let steps: [fn(&Connection) -> Handles; 9] = [
        |connection| vec![Box::new(connection.open_channel().unwrap())],
        |connection| vec![Box::new(connection.events()), Box::new(connection.open_channel().unwrap().events())],
        |connection| vec![Box::new(connection.open_channel().unwrap().returns())],
        |connection| vec![Box::new(connection.open_channel().unwrap().confirm_select().unwrap())],
        |connection| {
            let publisher = connection.open_channel().unwrap().confirm_select().unwrap();
            vec![Box::new(publisher.publish("", "q", "confirm").send().unwrap())]
        },
        |connection| vec![Box::new(connection.open_channel().unwrap().consume("q").prefetch(2).call().unwrap())],
        |connection| {
            let mut consumer = connection.open_channel().unwrap().consume("q").prefetch(2).call().unwrap();
            let delivery = consumer.next().unwrap().unwrap();
            vec![Box::new(delivery), Box::new(consumer)]
        },
        |connection| {
            let mut consumer = connection.open_channel().unwrap().consume("q").prefetch(2).call().unwrap();
            let (message, acker) = consumer.next().unwrap().unwrap().into_parts();
            consumer.cancel().unwrap();
            vec![Box::new(message), Box::new(consumer), Box::new(acker)]
        },
        |connection| vec![Box::new(connection.open_channel().unwrap().get("q").call().unwrap().unwrap())],
    ];
    handles.extend(steps.iter().take(point).flat_map(|step| step(connection)));
    handles
}

#[test]
fn handles_that_are_dropped_at_any_point_and_in_any_order_leave_nothing_behind() {
    in_time(|| {
        let host = Host::new();
        let setup = host.connect();
        setup.open_channel().unwrap().queue_declare("q").call().unwrap();
        let mut messages = 20;
        let publisher = setup.open_channel().unwrap().confirm_select().unwrap();
        for _ in 0..messages {
            publisher.publish("", "q", "x").confirmed().unwrap();
        }
        drop(publisher);
        drop(setup);
        for point in 0..=9 {
            for order in 0..3 {
                let connection = host.connect();
                let leftovers = connection.clone().into_async().leftovers();
                let mut handles = come_to(point, &connection);
                messages += usize::from(point >= 5);
                drop(connection);
                match order {
                    0 => drop(handles),
                    1 => while handles.pop().is_some() {},
                    // Each on another thread.
                    _ => handles.into_iter().for_each(|handle| thread::spawn(|| drop(handle)).join().unwrap()),
                }
                host.until_left();
                host.until_ready("q", messages);
                assert_eq!(leftovers().map(|(_, waiting)| waiting), Some(0), "{point}, {order}");
            }
        }
    });
}

#[test]
fn a_channel_whose_handles_are_gone_is_closed_after_what_was_queued() {
    in_time(|| {
        let (connection, channel, script) = connect_channel(
            |parameters| parameters,
            async |mut peer: SocketPeer| {
                assert_eq!(peer.expect_publish(1).await.body, b"first");
                let close = peer.expect::<leveret::protocol::channel::Close>(1).await;
                assert_eq!(close.reply_text, "dropped");
                peer.send(1, leveret::protocol::channel::CloseOk::default()).await;
                peer.agree_to_close().await;
            },
        );
        channel.publish("", "q", "first").send().unwrap();
        drop(channel);
        connection.close().unwrap();
        script.end();
    });
}

#[test]
fn a_thread_that_gives_a_wait_up_leaves_its_place_to_others() {
    in_time(|| {
        let (connection, channel, script) = connect_channel(
            |parameters| parameters.call_timeout(Duration::from_secs(1)),
            async |mut peer: SocketPeer| {
                // The answer comes after the thread has gone, and the message goes back.
                peer.expect::<basic::Get>(1).await;
                let (_, method) = peer.expect_method().await;
                assert!(matches!(method, Method::QueueDeclare(_)), "{method:?}");
                peer.send_content(1, basic::GetOk::default().delivery_tag(1), b"late").await;
                peer.send(1, leveret::protocol::queue::DeclareOk::default().queue("q")).await;
                let mut nacked = false;
                while let Some(received) = peer.receive().await {
                    match received {
                        Received::Method(1, Method::BasicNack(nack)) => nacked = nack.requeue,
                        Received::Method(0, Method::ConnectionClose(_)) => {
                            peer.send(0, leveret::protocol::connection::CloseOk::default()).await;
                        }
                        _ => {}
                    }
                }
                nacked
            },
        );
        assert!(channel.get("q").call().unwrap_err().is_timeout());
        assert_eq!(channel.queue_declare("q").call().unwrap().queue, "q");
        connection.close().unwrap();
        assert!(script.end(), "the message goes back");
    });
}
