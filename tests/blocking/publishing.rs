//! Publishing: queued, confirmed, refused, returned, and held back.

use std::thread;
use std::time::Duration;

use leveret::blocking::{Confirm, Connection, Publisher};
use leveret::protocol::{basic, channel};
use leveret::{ChannelEvent, ConnectionEvent, ConnectionParameters, ErrorKind, Initiator, Properties, ReplyCode};

use super::client::{SocketPeer, connect_channel};
use super::host::Host;
use super::within::in_time;

fn publisher(host: &Host) -> (Connection, Publisher) {
    let connection = host.connect();
    let publisher = connection.open_channel().unwrap().confirm_select().unwrap();
    publisher.channel().queue_declare("q").call().unwrap();
    (connection, publisher)
}

#[test]
fn a_message_arrives_with_its_properties_and_body_whatever_they_are_given_as() {
    in_time(|| {
        let host = Host::new();
        let (_connection, publisher) = publisher(&host);
        let properties = Properties::default().persistent(true).content_type("text/plain");
        let large = vec![7; 1_000_000];
        publisher.publish("", "q", "borrowed").properties(&properties).confirmed().unwrap();
        publisher.publish("", "q".to_owned(), String::from("owned")).properties(properties).confirmed().unwrap();
        publisher.publish("", "q", &large).confirmed().unwrap();
        let messages = host.broker.state().messages("/", "q");
        let bodies: Vec<&[u8]> = messages.iter().map(|message| &message.body[..]).collect();
        assert_eq!(bodies, [&b"borrowed"[..], b"owned", &large]);
        assert_eq!(messages[1].properties.content_type, Some("text/plain".into()));
    });
}

#[test]
fn a_refused_message_fails_its_confirm_and_no_other() {
    in_time(|| {
        let host = Host::new();
        let (_connection, publisher) = publisher(&host);
        host.broker.state().nack_next(1);
        let [one, two] = ["one", "two"].map(|body| publisher.publish("", "q", body).send().unwrap());
        assert_eq!(one.wait().unwrap_err().kind(), ErrorKind::Nacked);
        two.wait().unwrap();
        host.broker.state().nack_next(1);
        let error = publisher.publish("", "q", "three").confirmed().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Nacked);
        let settled = publisher.settled().unwrap();
        assert_eq!((settled.nacked, settled.returned), (2, 0));
        publisher.wait_for_confirms().expect("it was asked for before");
        host.broker.state().nack_next(1);
        drop(publisher.publish("", "q", "four").send().unwrap());
        assert!(publisher.wait_for_confirms().is_err());
    });
}

#[test]
fn a_mandatory_message_without_a_queue_comes_back() {
    in_time(|| {
        let host = Host::new();
        let (connection, publisher) = publisher(&host);
        let error = publisher.publish("", "nowhere", "confirmed").mandatory(true).confirmed().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Returned);
        assert_eq!(error.returned().unwrap().message.body(), b"confirmed");

        let channel = connection.open_channel().unwrap();
        let mut returns = channel.returns();
        assert!(returns.next_timeout(Duration::ZERO).unwrap().is_none());
        channel.publish("", "nowhere", "plain").mandatory(true).send().unwrap();
        channel.publish("", "nowhere", "lost").send().unwrap();
        let returned = returns.next().unwrap();
        assert_eq!((returned.message.body(), returned.reply_code), (&b"plain"[..], ReplyCode::NO_ROUTE));
        assert!(returns.next_timeout(Duration::from_millis(20)).unwrap().is_none());
        assert_eq!(returns.lost(), 0);
        channel.close().unwrap();
        assert!(returns.next().is_none(), "it ends with its channel");
        assert!(returns.next_timeout(Duration::MAX).unwrap().is_none());
    });
}

#[test]
fn a_confirm_is_waited_for_for_a_time_and_told_once() {
    in_time(|| {
        let (_connection, channel, script) = connect_channel(
            |parameters| parameters,
            async |mut peer: SocketPeer| {
                peer.expect::<leveret::protocol::confirm::Select>(1).await;
                peer.send(1, leveret::protocol::confirm::SelectOk::default()).await;
                peer.expect_publish(1).await;
                // The next one says that nobody waits for the first any more.
                peer.expect_publish(1).await;
                peer.send(1, basic::Ack::default().delivery_tag(2).multiple(true)).await;
                peer.agree_to_close().await;
            },
        );
        let publisher = channel.confirm_select().unwrap();
        let mut confirm: Confirm = publisher.publish("", "q", "x").send().unwrap();
        for limit in [Duration::ZERO, Duration::from_millis(20)] {
            assert_eq!(confirm.wait_timeout(limit).unwrap(), None);
        }
        publisher.publish("", "q", "x").confirmed().unwrap();
        assert_eq!(confirm.wait_timeout(Duration::MAX).unwrap(), Some(()));
        assert!(confirm.wait_timeout(Duration::MAX).is_err(), "it is told once");
        confirm.wait().unwrap_err();
        channel.connection().close().unwrap();
        script.end();
    });
}

#[test]
fn a_plain_publish_where_publishes_are_confirmed_is_refused() {
    in_time(|| {
        let host = Host::new();
        let (_connection, publisher) = publisher(&host);
        let confirmed = publisher.channel();
        let sent = confirmed.publish("", "q", "x").send();
        let tried = confirmed.publish("", "q", "x").try_send();
        assert_eq!(sent.map_err(|error| error.kind()), tried.map_err(|error| error.kind()));
    });
}

#[test]
fn a_publish_waits_while_the_broker_blocks_and_goes_out_afterwards() {
    in_time(|| {
        let host = Host::new();
        let (connection, publisher) = publisher(&host);
        let mut events = connection.events();
        host.broker.state().block("low on memory");
        // RabbitMQ blocks those that publish.
        let first = publisher.publish("", "q", "first").send().unwrap();
        let blocked = events.next().unwrap();
        assert!(matches!(&blocked, ConnectionEvent::Blocked(reason) if reason == "low on memory"), "{blocked:?}");
        assert_eq!(connection.blocked().as_deref(), Some("low on memory"));
        let refused = publisher.publish("", "q", "now or never").try_send().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Backpressure);
        assert!(refused.is_not_sent() && refused.is_retryable());
        let waiting = thread::spawn({
            let publisher = publisher.clone();
            move || publisher.publish("", "q", "waits").confirmed()
        });
        // Everything else goes on meanwhile, on connections that do not publish.
        assert_eq!(host.connect().open_channel().unwrap().queue_declare("other").call().unwrap().message_count, 0);
        host.broker.state().unblock();
        assert!(matches!(events.next().unwrap(), ConnectionEvent::Unblocked));
        waiting.join().unwrap().unwrap();
        first.wait().unwrap();
        publisher.publish("", "q", "at once").try_send().unwrap().wait().unwrap();
        assert_eq!((host.messages("q"), connection.blocked()), ((3, 0), None));
    });
}

#[test]
fn a_block_that_lasts_ends_the_connection_where_that_is_asked_for() {
    in_time(|| {
        let host = Host::new();
        let limit = Duration::from_millis(200);
        let parameters = ConnectionParameters::from_url(&host.url).unwrap().blocked_connection_timeout(limit);
        let connection = Connection::open(parameters).unwrap();
        let channel = connection.open_channel().unwrap();
        host.broker.state().block("low on disk");
        channel.publish("", "q", "first").send().unwrap();
        let mut events = connection.events();
        while !matches!(events.next().unwrap(), ConnectionEvent::Blocked(_)) {}
        let error = channel.publish("", "q", "waits").send().unwrap_err();
        assert_eq!((error.kind(), error.initiator()), (ErrorKind::ConnectionClosed, Some(Initiator::Client)));
        assert!(error.is_not_sent() && error.is_retryable(), "{error}");
        assert!(error.to_string().contains("low on disk"), "{error}");
        assert!(matches!(events.next(), Some(ConnectionEvent::Closed(_))));
        assert!(events.next().is_none());
        assert_eq!(events.lost(), 0);
    });
}

#[test]
fn publishers_wait_while_more_than_a_mark_waits_for_the_socket() {
    const MESSAGES: usize = 200;
    const SIZE: usize = 100_000;
    in_time(|| {
        let (read, may_read) = std::sync::mpsc::channel::<()>();
        let (connection, channel, script) = connect_channel(
            |parameters| parameters.write_high_water(1_000_000),
            async move |mut peer: SocketPeer| {
                may_read.recv().unwrap();
                let mut count = 0;
                while count < MESSAGES {
                    assert_eq!(peer.expect_publish(1).await.body.len(), SIZE);
                    count += 1;
                }
                peer.agree_to_close().await;
            },
        );
        let body = vec![0; SIZE];
        let mut sent = 0;
        let refused = loop {
            match channel.publish("", "q", &body).try_send() {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind(), ErrorKind::Backpressure);
        // The driver goes on writing meanwhile: how much waits now says nothing.
        assert!(sent >= 10, "{sent}");
        let rest = thread::spawn(move || {
            for _ in sent..MESSAGES {
                channel.publish("", "q", &body).send().unwrap();
            }
            channel
        });
        read.send(()).unwrap();
        let _open = rest.join().unwrap();
        connection.close().unwrap();
        script.end();
    });
}

#[test]
fn the_limit_on_unconfirmed_publishes_holds_a_publisher_back() {
    in_time(|| {
        let host = Host::new();
        let parameters = ConnectionParameters::from_url(&host.url).unwrap().max_unconfirmed(3);
        let connection = Connection::open(parameters).unwrap();
        let publisher = connection.open_channel().unwrap().confirm_select().unwrap();
        publisher.channel().queue_declare("q").call().unwrap();
        let mut confirms = Vec::new();
        for _ in 0..500 {
            confirms.push(publisher.publish("", "q", "x").send().unwrap());
            assert!(connection.unconfirmed() <= 3);
        }
        confirms.into_iter().for_each(|confirm| confirm.wait().unwrap());
        assert_eq!(host.messages("q"), (500, 0));
    });
}

#[test]
fn a_channel_tells_of_its_flow_and_its_end() {
    in_time(|| {
        let (begin, begins) = std::sync::mpsc::channel();
        let (_connection, channel, script) = connect_channel(
            |parameters| parameters,
            async move |mut peer: SocketPeer| {
                begins.recv().unwrap();
                for active in [false, true] {
                    peer.send(1, channel::Flow::default().active(active)).await;
                    assert_eq!(peer.expect::<channel::FlowOk>(1).await.active, active);
                }
                assert_eq!(peer.expect_publish(1).await.body, b"goes on");
                peer.expect::<channel::Close>(1).await;
                peer.send(1, channel::CloseOk::default()).await;
                peer.agree_to_close().await;
            },
        );
        let mut events = channel.events();
        begin.send(()).unwrap();
        let told = [events.next_timeout(Duration::MAX).unwrap(), events.next()];
        let told = told.map(|event| format!("{:?}", event.unwrap()));
        assert_eq!(told, ["Stopped", "Resumed"]);
        channel.publish("", "q", "goes on").send().unwrap();
        channel.close().unwrap();
        assert!(matches!(events.next(), Some(ChannelEvent::Closed(why)) if why.is_requested()));
        assert!(events.next().is_none() && events.next_timeout(Duration::MAX).unwrap().is_none());
        channel.connection().close().unwrap();
        script.end();
    });
}
