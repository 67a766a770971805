//! Calls: every method of the protocol, what the broker refuses, and what does not wait.

use leveret::blocking::{Channel, Connection};
use leveret::protocol::{basic, queue};
use leveret::{ChannelState, ConnectionState, ErrorKind, ExchangeKind, Initiator, ReplyCode};

use super::host::Host;
use super::within::in_time;

#[test]
fn every_method_of_the_protocol_is_made_by_a_call() {
    in_time(|| {
        let host = Host::new();
        let channel = host.connect().open_channel().unwrap();
        channel.exchange_declare("source", ExchangeKind::TOPIC).durable(true).call().unwrap();
        channel.exchange_declare("target", ExchangeKind::FANOUT).auto_delete(true).internal(true).call().unwrap();
        channel.exchange_bind("target", "source", "a.*").call().unwrap();
        let declared = channel.queue_declare("q").durable(true).call().unwrap();
        assert_eq!((declared.queue, declared.message_count, declared.consumer_count), ("q".into(), 0, 0));
        channel.queue_bind("q", "target", "").call().unwrap();
        channel.publish("source", "a.b", "through both").send().unwrap();
        assert_eq!(channel.queue_declare("q").passive(true).call().unwrap().message_count, 1);

        channel.queue_unbind("q", "target", "").call().unwrap();
        channel.exchange_unbind("target", "source", "a.*").call().unwrap();
        channel.exchange_delete("source").if_unused(true).call().unwrap();
        assert_eq!(channel.queue_purge("q").call().unwrap().message_count, 1);
        assert_eq!(channel.queue_delete("q").if_empty(true).if_unused(true).call().unwrap().message_count, 0);
        assert!(host.broker.state().queues("/").is_empty());
    });
}

#[test]
fn transactions_qos_and_recovery_are_calls_like_others() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        channel.tx_select().call().unwrap();
        channel.publish("", "q", "rolled back").send().unwrap();
        channel.tx_rollback().call().unwrap();
        channel.publish("", "q", "committed").send().unwrap();
        channel.tx_commit().call().unwrap();
        assert_eq!(host.messages("q"), (1, 0));

        let channel = connection.open_channel().unwrap();
        channel.basic_qos().prefetch_count(1).call().unwrap();
        let first = channel.get("q").call().unwrap().unwrap();
        assert!(!first.is_redelivered());
        channel.basic_recover().requeue(true).call().unwrap();
        assert!(channel.get("q").call().unwrap().unwrap().is_redelivered());
    });
}

#[test]
fn any_method_is_called_or_sent_as_its_struct() {
    in_time(|| {
        let host = Host::new();
        let channel = host.connect().open_channel().unwrap();
        // Nothing answers it; what comes after it does.
        channel.send(queue::Declare::default().queue("q").no_wait(true)).send().unwrap();
        let declared = channel.call(queue::Declare::default().queue("q").passive(true)).call().unwrap();
        assert_eq!(declared.queue, "q");
        channel.publish("", "q", "x").send().unwrap();
        channel.send(basic::Consume::default().queue("q").consumer_tag("c").no_wait(true)).send().unwrap();
        let mut consumer = channel.consumer("c").unwrap();
        assert!(channel.consumer("c").is_none(), "it was taken");
        let delivery = consumer.try_next().unwrap().unwrap();
        channel.send(basic::Ack::default().delivery_tag(delivery.delivery_tag())).send().unwrap();
        channel.close().unwrap();
        assert_eq!(host.messages("q"), (0, 0));
    });
}

#[test]
fn a_refusal_closes_its_channel_and_nothing_else() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let [channel, other] = [(); 2].map(|()| connection.open_channel().unwrap());
        let error = channel.queue_declare("nowhere").passive(true).call().unwrap_err();
        assert_eq!((error.kind(), error.initiator()), (ErrorKind::ChannelClosed, Some(Initiator::Broker)), "{error}");
        assert_eq!((error.reply_code(), error.method()), (Some(ReplyCode::NOT_FOUND), Some("queue.declare")));
        assert_eq!((channel.is_open(), channel.state()), (false, ChannelState::Closed));

        let later = channel.queue_declare("q").call().unwrap_err();
        assert!(later.is_not_sent(), "{later}");
        assert_eq!(channel.closed_by().unwrap().reply_code(), Some(ReplyCode::NOT_FOUND));
        assert_eq!(channel.wait_closed().reply_code(), Some(ReplyCode::NOT_FOUND));
        other.queue_declare("q").call().unwrap();
        assert!(other.is_open() && connection.is_open());
    });
}

#[test]
fn a_message_is_got_or_the_queue_is_empty() {
    in_time(|| {
        let host = Host::new();
        let channel = host.connect().open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        assert!(channel.get("q").call().unwrap().is_none());
        for body in ["one", "two", "three"] {
            channel.publish("", "q", body).send().unwrap();
        }
        let one = channel.get("q").call().unwrap().unwrap();
        assert_eq!((one.body(), one.message_count(), one.routing_key()), (&b"one"[..], 2, "q".into()));
        one.ack().unwrap();
        let two = channel.get("q").no_ack(true).call().unwrap().unwrap();
        assert_eq!((two.body(), two.message_count()), (&b"two"[..], 1));
        let three = channel.get("q").call().unwrap().unwrap().into_delivery();
        three.nack(leveret::blocking::Requeue::Yes).unwrap();
        channel.close().unwrap();
        assert_eq!(host.messages("q"), (1, 0));
    });
}

#[test]
fn a_connection_and_a_channel_say_how_they_are() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let channel = connection.open_channel().unwrap();
        assert_eq!((connection.state(), channel.state()), (ConnectionState::Open, ChannelState::Open));
        assert_eq!((channel.number(), connection.negotiated().channel_max), (1, 2047));
        assert_eq!((connection.blocked(), connection.closed_by().is_none()), (None, true));
        assert_eq!((connection.unconfirmed(), channel.connection().is_open()), (0, true));
        assert!(format!("{connection:?} {channel:?}").contains("open"));
        connection.set_backpressure_multiplier(20);
        connection.close().unwrap();
        assert!(connection.closed_by().unwrap().is_requested());
        assert_eq!((connection.state(), connection.queued()), (ConnectionState::Closed, 0));
        assert!(connection.open_channel().unwrap_err().is_not_sent());
        connection.close().expect("it was closed before, as was asked for");
    });
}

#[test]
fn a_secret_is_updated_by_a_call() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        connection.update_secret("guest", "it is time").unwrap();
        assert!(connection.is_open());
    });
}

#[test]
fn tasks_and_threads_share_a_connection() {
    in_time(|| {
        let host = Host::new();
        let connection = host.connect();
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        let publisher = channel.confirm_select().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let publisher = publisher.clone().into_async();
            publisher.publish("", "q", "of a task").confirmed().await.unwrap();
            let mut consumer = channel.clone().into_async().consume("q").await.unwrap();
            consumer.try_next().await.unwrap().unwrap().ack().await.unwrap();
            connection.clone().into_async().open_channel().await.unwrap();
        });
        publisher.publish("", "q", "of a thread").confirmed().unwrap();
        let back = Connection::from(connection.clone().into_async());
        let channel = Channel::from(channel.into_async());
        assert_eq!(channel.queue_declare("q").passive(true).call().unwrap().queue, "q");
        back.close().unwrap();
        assert!(!connection.is_open());
    });
}
