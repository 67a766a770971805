//! Consumers: iterators, with and without a time, and what becomes of messages.

use std::time::{Duration, Instant};

use leveret::ErrorKind;
use leveret::blocking::{Channel, Connection, Received, Requeue};

use super::host::Host;
use super::within::in_time;

/// A queue with so many messages, whose bodies are their numbers.
fn queue(host: &Host, count: u32) -> (Connection, Channel) {
    let connection = host.connect();
    let channel = connection.open_channel().unwrap();
    channel.queue_declare("q").call().unwrap();
    let publisher = connection.open_channel().unwrap().confirm_select().unwrap();
    for number in 0..count {
        publisher.publish("", "q", number.to_string()).send().map(drop).unwrap();
    }
    publisher.wait_for_confirms().unwrap();
    (connection, channel)
}

#[test]
fn a_consumer_is_an_iterator_that_ends_when_it_is_cancelled() {
    in_time(|| {
        let host = Host::new();
        let (_connection, channel) = queue(&host, 100);
        let mut consumer = channel.consume("q").consumer_tag("mine").call().unwrap();
        assert_eq!((consumer.consumer_tag(), consumer.channel().number()), (&"mine".into(), channel.number()));
        for (number, delivery) in consumer.by_ref().take(100).enumerate() {
            let delivery = delivery.unwrap();
            assert_eq!(delivery.body(), number.to_string().as_bytes());
            delivery.ack().unwrap();
        }
        consumer.cancel().unwrap();
        assert!(consumer.next().is_none() && consumer.next().is_none());
        assert!(matches!(consumer.next_timeout(Duration::MAX).unwrap(), Received::Ended));
        channel.close().unwrap();
        assert_eq!(host.messages("q"), (0, 0));
    });
}

#[test]
fn what_had_arrived_before_a_cancel_is_still_handed_out() {
    in_time(|| {
        let host = Host::new();
        let (_connection, channel) = queue(&host, 10);
        let mut consumer = channel.consume("q").call().unwrap();
        host.until(|state| state.queue("/", "q").unwrap().unacknowledged == 10);
        consumer.cancel().unwrap();
        let all: Vec<_> = consumer.map(Result::unwrap).collect();
        assert_eq!(all.len(), 10);
    });
}

#[test]
fn a_consumer_that_is_closed_or_dropped_gives_back_what_it_has_not_handed_out() {
    in_time(|| {
        let host = Host::new();
        let (_connection, channel) = queue(&host, 10);
        for is_dropped in [false, true] {
            let mut consumer = channel.consume("q").call().unwrap();
            host.until(|state| state.queue("/", "q").unwrap().unacknowledged == 10);
            let mine = consumer.next().unwrap().unwrap();
            if is_dropped {
                drop(consumer);
            } else {
                consumer.close().unwrap();
            }
            host.until(|state| state.queue("/", "q").unwrap().ready == 9);
            mine.nack(Requeue::Yes).unwrap();
            host.until_ready("q", 10);
        }
    });
}

#[test]
fn waiting_for_a_time_gives_a_message_as_soon_as_it_comes_and_nothing_afterwards() {
    in_time(|| {
        let host = Host::new();
        let (connection, channel) = queue(&host, 0);
        let mut consumer = channel.consume("q").call().unwrap();
        for limit in [Duration::ZERO, Duration::from_millis(30)] {
            let before = Instant::now();
            assert!(matches!(consumer.next_timeout(limit).unwrap(), Received::Inactive));
            assert!(before.elapsed() >= limit);
        }
        let sending = std::thread::spawn(move || {
            connection.open_channel().unwrap().publish("", "q", "late").send().unwrap();
        });
        // Longer than any clock lasts.
        let Received::Delivery(delivery) = consumer.next_timeout(Duration::MAX).unwrap() else { panic!("it came") };
        assert_eq!(delivery.body(), b"late");
        sending.join().unwrap();
    });
}

#[test]
fn inactivity_is_told_each_time_and_ends_nothing() {
    in_time(|| {
        let host = Host::new();
        let (_connection, channel) = queue(&host, 2);
        let mut consumer = channel.consume("q").no_ack(true).call().unwrap();
        let (mut bodies, mut pauses) = (Vec::new(), 0);
        for delivery in consumer.iter_timeout(Duration::from_millis(50)) {
            match delivery.unwrap() {
                Some(delivery) => bodies.push(String::from_utf8_lossy(delivery.body()).into_owned()),
                None if bodies.len() == 2 && pauses == 0 => {
                    pauses += 1;
                    channel.publish("", "q", "after a while").send().unwrap();
                }
                // The message may take longer than that on its way.
                None if bodies.len() == 3 => {
                    pauses += 1;
                    break;
                }
                None => {}
            }
        }
        assert_eq!((bodies, pauses), (["0", "1", "after a while"].map(str::to_owned).to_vec(), 2));
        consumer.cancel().unwrap();
        assert!(consumer.iter_timeout(Duration::MAX).next().is_none());
    });
}

#[test]
fn a_consumer_that_the_broker_ends_says_why_once() {
    in_time(|| {
        let host = Host::new();
        let (_connection, channel) = queue(&host, 0);
        let [mut consumer, mut other] = [(); 2].map(|()| channel.consume("q").call().unwrap());
        assert!(host.broker.state().delete_queue("/", "q"));
        let error = consumer.try_next().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConsumerCancelled);
        assert!(consumer.try_next().unwrap().is_none());
        let kinds: Vec<_> = other.iter_timeout(Duration::MAX).map(|next| next.unwrap_err().kind()).collect();
        assert_eq!(kinds, [ErrorKind::ConsumerCancelled]);
        assert!(channel.is_open());
    });
}

#[test]
fn options_of_a_consumer_reach_the_broker() {
    in_time(|| {
        let host = Host::new();
        let (connection, channel) = queue(&host, 5);
        let mut arguments = leveret::FieldTable::new();
        arguments.insert("x-priority", 7);
        let consumer = channel.consume("q").prefetch(2).exclusive(true).arguments(arguments).call().unwrap();
        host.until(|state| state.queue("/", "q").unwrap().unacknowledged == 2);
        let listed = host.broker.state().consumers("/");
        assert_eq!((listed.len(), listed[0].exclusive, listed[0].priority), (1, true, 7));
        let error = connection.open_channel().unwrap().consume("q").call().unwrap_err();
        assert_eq!(error.reply_code(), Some(leveret::ReplyCode::ACCESS_REFUSED));
        consumer.close().unwrap();
        host.until_ready("q", 5);
    });
}

#[test]
fn each_settlement_does_what_it_says() {
    in_time(|| {
        let host = Host::new();
        let (_connection, channel) = queue(&host, 9);
        let mut consumer = channel.consume("q").call().unwrap();
        let mut take = || consumer.next().unwrap().unwrap();
        take().ack().unwrap();
        let _first = take();
        take().ack_multiple().unwrap();
        take().reject(Requeue::No).unwrap();
        let _first = take();
        take().nack_multiple(Requeue::No).unwrap();
        let (message, acker) = take().into_parts();
        assert_eq!((message.body().len(), acker.channel().number()), (1, channel.number()));
        assert_eq!(acker.delivery_tag(), 7);
        acker.nack(Requeue::No).unwrap();
        let _first = take();
        take().into_parts().1.ack_multiple().unwrap();
        channel.close().unwrap();
        assert_eq!(host.messages("q"), (0, 0));
    });
}

#[test]
fn threads_that_work_acknowledge_what_another_consumes() {
    const MESSAGES: u32 = 2000;
    in_time(|| {
        let host = Host::new();
        let (_connection, channel) = queue(&host, MESSAGES);
        let (sender, receiver) = std::sync::mpsc::sync_channel::<leveret::blocking::Delivery>(10);
        let receiver = std::sync::Mutex::new(receiver);
        let consumer = channel.consume("q").prefetch(50).call().unwrap();
        let handled = std::thread::scope(|scope| {
            let work = || {
                let mut handled = 0;
                loop {
                    let Ok(delivery) = receiver.lock().unwrap().recv() else { return handled };
                    delivery.ack().unwrap();
                    handled += 1;
                }
            };
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            for delivery in consumer.take(MESSAGES as usize) {
                sender.send(delivery.unwrap()).unwrap();
            }
            drop(sender);
            workers.into_iter().map(|worker| worker.join().unwrap()).sum::<u32>()
        });
        assert_eq!(handled, MESSAGES);
        channel.close().unwrap();
        assert_eq!(host.messages("q"), (0, 0));
    });
}
