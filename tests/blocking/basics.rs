//! What the API does when nothing goes wrong.

use std::time::Duration;

use leveret::blocking::Received;

use super::host::Host;
use super::within::in_time;

#[test]
fn a_message_goes_out_and_comes_back() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("hello").call().unwrap();
        channel.publish("", "hello", "Hello, world!").send().unwrap();
        let mut consumer = channel.consume("hello").call().unwrap();
        let delivery = consumer.try_next().unwrap().unwrap();
        assert_eq!(delivery.body(), b"Hello, world!");
        delivery.ack().unwrap();
        assert!(matches!(consumer.next_timeout(Duration::ZERO).unwrap(), Received::Inactive));
        consumer.cancel().unwrap();
        assert!(matches!(consumer.next_timeout(Duration::ZERO).unwrap(), Received::Ended));
        connection.close().unwrap();
    });
}

#[test]
fn many_confirmed_messages_are_confirmed() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let publisher = connection.open_channel().unwrap().confirm_select().unwrap();
        publisher.channel().queue_declare("jobs").call().unwrap();
        let confirms: Vec<_> =
            (0..10_000).map(|n: u32| publisher.publish("", "jobs", n.to_string()).send().unwrap()).collect();
        for confirm in confirms {
            confirm.wait().unwrap();
        }
        publisher.publish("", "jobs", "last").confirmed().unwrap();
        assert_eq!(host.broker.state().queue("/", "jobs").unwrap().ready, 10_001);
    });
}
