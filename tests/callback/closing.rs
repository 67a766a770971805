//! Closing: once, with its reason, from wherever it is asked for.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use leveret::callback::{Channel, Connection, EventLoop};
use leveret::protocol::connection;
use leveret::{ConnectionEvent, ConnectionParameters, Initiator, ReplyCode};
use leveret_test_support::Peer;
use leveret_test_support::transport::{Blocking, run_blocking};

use super::rig::Rig;

type Log = Vec<String>;

/// From where the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum From {
    Open,
    Channel,
    Reply,
    Start,
    Delivery,
    Confirm,
    Return,
    Event,
    ChannelEnd,
    Timer,
    Job,
}

const FROM: [From; 11] = [
    From::Open,
    From::Channel,
    From::Reply,
    From::Start,
    From::Delivery,
    From::Confirm,
    From::Return,
    From::Event,
    From::ChannelEnd,
    From::Timer,
    From::Job,
];

/// Has a handler of this kind close the connection.
fn arrange(from: From, connection: &Connection<Log>, channel: &Channel<Log>) {
    let close = {
        let connection = connection.clone();
        move |log: &mut Log| {
            log.push("close".to_owned());
            connection.close();
        }
    };
    match from {
        From::Open => unreachable!("it is open"),
        From::Channel => connection.open_channel(move |log, _, _| close(log)),
        From::Reply => channel.queue_declare("q").then(move |log, _, _| close(log)),
        From::Start => drop(channel.consume("q").on_start(move |log, _, _| close(log)).each(|_, _, _| {})),
        From::Delivery => {
            channel.publish("", "q", "x").send();
            channel.consume("q").each(move |log, _, _| close(log));
        }
        From::Confirm => channel.confirm_select(move |_, _, publisher| {
            publisher.unwrap().publish("", "q", "x").then(move |log, _, _| close(log));
        }),
        From::Return => {
            channel.on_return(move |log, _, _| close(log));
            channel.publish("", "nowhere", "x").mandatory(true).send();
        }
        From::Event => {
            connection.on_event(move |log, _, event| {
                if matches!(event, ConnectionEvent::SecretUpdated) {
                    close(log);
                }
            });
            connection.update_secret("guest", "it expires", |_, _, _| {});
        }
        From::ChannelEnd => {
            channel.on_close(move |log, _, _| close(log));
            channel.queue_declare("nowhere").passive(true).forget();
        }
        From::Timer => drop(connection.handle().call_later(Duration::ZERO, move |log, _| close(log))),
        From::Job => {
            // A job is sent; what it closes is found where it runs.
            channel.handle().remote().call(|log: &mut Log, handle| {
                log.push("close".to_owned());
                handle.stop();
            });
        }
    }
}

#[test]
fn a_connection_can_be_closed_from_a_handler_of_each_kind() {
    for from in FROM {
        let (mut rig, mut log) = (Rig::new(), Log::new());
        let reason = Rc::new(RefCell::new(Vec::new()));
        let hears = Rc::clone(&reason);
        if from == From::Open {
            let url = rig.host.url.clone();
            let connection =
                Connection::open(&mut rig.event_loop, url.as_str(), |log: &mut Log, connection, opened| {
                    opened.unwrap();
                    log.push("close".to_owned());
                    connection.close();
                });
            connection.unwrap().on_close(move |_, _, why| hears.borrow_mut().push(why.initiator()));
        } else {
            let connection = rig.connect(&mut log);
            let channel = rig.channel(&mut log, &connection);
            channel.queue_declare("q").forget();
            connection.on_close(move |_, _, why| hears.borrow_mut().push(why.initiator()));
            arrange(from, &connection, &channel);
            if from == From::Job {
                rig.event_loop.run(&mut log).unwrap();
                connection.close();
            }
        }
        rig.event_loop.run(&mut log).unwrap();
        assert_eq!(log, ["close"], "{from:?}");
        assert_eq!(*reason.borrow(), [Some(Initiator::Client)], "{from:?}");
        rig.until(&mut log, |broker| broker.connections().is_empty());
    }
}

#[test]
fn a_close_by_the_broker_is_heard_once_with_its_code_by_the_connection_and_its_channels() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    connection.on_close(|log: &mut Log, _, why| log.push(format!("connection {:?}", why.reply_code())));
    channel.on_close(|log: &mut Log, _, why| log.push(format!("channel {:?}", why.reply_code())));
    let id = rig.host.broker.state().connections()[0].id;
    assert!(rig.host.broker.state().close_connection(id, ReplyCode::CONNECTION_FORCED, "an operator's"));
    rig.event_loop.run(&mut log).unwrap();
    log.sort();
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log.iter().all(|line| line.contains("320")), "{log:?}");
    // Whoever asks later hears of it too.
    connection.on_close(|log: &mut Log, _, _| log.push("later".to_owned()));
    connection.close_then(|log: &mut Log, _, closed| log.push(format!("{}", closed.is_ok())));
    rig.event_loop.run(&mut log).unwrap();
    assert_eq!(log.len(), 4, "{log:?}");
}

#[test]
fn closes_that_are_asked_for_twice_are_both_answered() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    for _ in 0..2 {
        channel.close_then(|log: &mut Log, channel, closed| {
            log.push(format!("{:?} {}", closed.is_ok(), channel.is_open()));
        });
        connection.close_then(|log: &mut Log, _, closed| log.push(format!("{:?}", closed.is_ok())));
    }
    rig.event_loop.run(&mut log).unwrap();
    log.sort();
    assert_eq!(log.len(), 4, "{log:?}");
    assert_eq!(log[..2], ["true", "true"], "{log:?}");
}

#[test]
fn a_connection_that_is_lost_closes_its_socket_although_its_loop_is_kept() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = std::thread::spawn(move || {
        let stream = Blocking(listener.accept().unwrap().0);
        let mut peer = Peer::on(stream).patience(Duration::from_secs(30));
        run_blocking(async {
            peer.shake_hands().await;
            // Not answered: the client gives the connection up.
            peer.expect::<connection::Close>(0).await;
            peer.expect_end().await;
        });
    });
    let parameters = ConnectionParameters::default().host("127.0.0.1").port(port);
    let parameters = parameters.heartbeat(0).close_timeout(Duration::from_millis(50));
    let mut event_loop = EventLoop::<Log>::new().unwrap();
    let mut log = Log::new();
    let opened = Connection::open(&mut event_loop, parameters, |_, connection, opened| {
        opened.unwrap();
        connection.close_then(|log, _, closed| log.push(closed.unwrap_err().kind().to_string()));
    });
    event_loop.run(&mut log).unwrap();
    assert_eq!(log, ["timed_out"]);
    // Nothing runs the loop from here on.
    peer.join().unwrap();
    drop((opened, event_loop));
}
