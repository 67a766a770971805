//! Every verb, against the embedded broker at a TCP port.

use leveret::FieldTable;
use leveret::callback::Channel;
use leveret::protocol::{basic, queue};
use leveret_test_support::protocol::Method;

use super::rig::Rig;

type Log = Vec<String>;

/// Makes a call, and waits for its answer.
macro_rules! call {
    ($rig:expr, $log:expr, $call:expr) => {{
        let call = $call;
        $rig.wait(&mut $log, |_, answer| call.then(|_, _, reply| answer.give(reply))).unwrap()
    }};
}

#[test]
fn every_method_of_the_protocol_has_a_call_that_is_answered() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    call!(rig, log, channel.exchange_declare("a", "topic").durable(true).auto_delete(false).internal(false));
    call!(rig, log, channel.exchange_declare("b", "fanout").arguments(FieldTable::new()));
    call!(rig, log, channel.exchange_declare("b", "fanout").passive(true));
    call!(rig, log, channel.exchange_bind("b", "a", "#").arguments(FieldTable::new()));
    let declared = call!(rig, log, channel.queue_declare("q").durable(true).exclusive(false).auto_delete(false));
    assert_eq!(declared.queue, "q");
    call!(rig, log, channel.queue_bind("q", "b", ""));
    assert_eq!(rig.host.broker.state().bindings("/").len(), 2);
    channel.publish("a", "any", "first").send();
    assert_eq!(call!(rig, log, channel.queue_declare("q").passive(true)).message_count, 1);
    call!(rig, log, channel.queue_unbind("q", "b", "").arguments(FieldTable::new()));
    call!(rig, log, channel.exchange_unbind("b", "a", "#"));
    assert_eq!(rig.host.broker.state().bindings("/").len(), 0);
    assert_eq!(call!(rig, log, channel.queue_purge("q")).message_count, 1);
    call!(rig, log, channel.basic_qos().prefetch_count(7).global(true));
    call!(rig, log, channel.basic_recover().requeue(true));
    call!(rig, log, channel.tx_select());
    channel.publish("", "q", "second").send();
    call!(rig, log, channel.tx_commit());
    channel.publish("", "q", "never").send();
    call!(rig, log, channel.tx_rollback());
    assert_eq!(call!(rig, log, channel.call(queue::Declare::default().queue("q").passive(true))).message_count, 1);
    assert_eq!(call!(rig, log, channel.queue_delete("q").if_unused(true).if_empty(false)).message_count, 1);
    call!(rig, log, channel.exchange_delete("a").if_unused(true));
    call!(rig, log, channel.exchange_delete("b"));
    rig.wait(&mut log, |_, answer| {
        connection.update_secret("guest", "it expires", |_, _, told| answer.give(told));
    })
    .unwrap();
    rig.wait(&mut log, |_, answer| channel.close_then(|_, _, closed| answer.give(closed))).unwrap();
    rig.wait(&mut log, |_, answer| connection.close_then(|_, _, closed| answer.give(closed))).unwrap();
    rig.event_loop.run(&mut log).unwrap();
    assert!(!connection.is_open() && connection.closed_by().is_some());
}

/// The queue `q` with these messages.
fn fill(rig: &mut Rig<Log>, log: &mut Log, channel: &Channel<Log>, messages: &[&'static str]) {
    call!(rig, *log, channel.queue_declare("q"));
    let publisher = rig.wait(log, |_, answer| {
        channel.confirm_select(|_, _, publisher| answer.give(publisher.unwrap()));
    });
    for message in messages {
        publisher.publish("", "q", *message).then(|_, _, outcome| outcome.unwrap());
    }
    rig.wait(log, |_, answer| publisher.wait_for_confirms(|_, _, outcome| answer.give(outcome))).unwrap();
}

#[test]
fn a_get_has_a_message_and_how_many_are_left_or_none() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    fill(&mut rig, &mut log, &channel, &["one", "two"]);
    let got = call!(rig, log, channel.get("q")).unwrap();
    assert_eq!((got.delivery.body(), got.message_count), (&b"one"[..], 1));
    got.delivery.ack().unwrap();
    let got = call!(rig, log, channel.get("q").no_ack(true)).unwrap();
    assert_eq!((got.delivery.body(), got.message_count), (&b"two"[..], 0));
    assert!(call!(rig, log, channel.get("q")).is_none());
    rig.until(&mut log, |broker| broker.queue("/", "q").unwrap().unacknowledged == 0);
}

#[test]
fn deliveries_are_settled_in_every_way() {
    use leveret::Requeue::{No, Yes};
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    fill(&mut rig, &mut log, &channel, &["ack", "nack", "reject", "a", "b", "c", "d", "again"]);
    let consumer = channel.consume("q").prefetch(0).on_start(|log: &mut Log, _, tag| log.push(tag.to_string()));
    let consumer = consumer.consumer_tag("c").each(|log: &mut Log, channel, delivery| {
        let body = String::from_utf8_lossy(delivery.body()).into_owned();
        assert_eq!(delivery.channel().number(), channel.number());
        let settled = match body.as_str() {
            "ack" => delivery.ack(),
            "nack" => delivery.nack(No),
            "reject" => delivery.reject(No),
            "b" => delivery.ack_multiple(),
            "d" => delivery.nack_multiple(No),
            "again" if !delivery.is_redelivered() => delivery.nack(Yes),
            "again" => delivery.ack(),
            _ => Ok(()),
        };
        settled.unwrap();
        log.push(body);
        if log.len() == 10 {
            channel.handle().stop();
        }
    });
    rig.event_loop.run(&mut log).unwrap();
    assert_eq!(log, ["c", "ack", "nack", "reject", "a", "b", "c", "d", "again", "again"]);
    assert_eq!(consumer.consumer_tag(), Some("c".into()));
    rig.until(&mut log, |broker| {
        let queue = broker.queue("/", "q").unwrap();
        (queue.ready, queue.unacknowledged) == (0, 0)
    });
}

#[test]
fn a_consumer_that_is_cancelled_ends_without_an_error_after_what_it_was_sent() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    fill(&mut rig, &mut log, &channel, &["one", "two", "three"]);
    let consumer = channel.consume("q").no_ack(true).exclusive(true).arguments(FieldTable::new());
    let consumer = consumer
        .on_end(|log: &mut Log, _, why| log.push(format!("{why:?}")))
        .each(|log: &mut Log, _, delivery| log.push(String::from_utf8_lossy(delivery.body()).into_owned()));
    rig.until(&mut log, |broker| broker.queue("/", "q").unwrap().ready == 0);
    consumer.cancel();
    rig.event_loop.run_until(&mut log, |log| log.len() == 4).unwrap();
    assert_eq!(log, ["one", "two", "three", "None"]);
    assert_eq!(consumer.channel().number(), channel.number());
    assert!(channel.is_open() && rig.host.broker.state().consumers("/").is_empty());
}

#[test]
fn a_consumer_that_is_closed_gives_back_what_it_was_sent() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    fill(&mut rig, &mut log, &channel, &["one", "two", "three"]);
    let consumer = channel.consume("q").on_end(|log: &mut Log, _, why| log.push(format!("{why:?}"))).each(
        |log: &mut Log, channel, delivery| {
            log.push(String::from_utf8_lossy(delivery.body()).into_owned());
            delivery.ack().unwrap();
            channel.handle().stop();
        },
    );
    rig.event_loop.run(&mut log).unwrap();
    assert_eq!(log, ["one"], "a stop is heard after the handler that asks for it");
    consumer.close();
    rig.event_loop.run_until(&mut log, |log| log.len() == 2).unwrap();
    assert_eq!(log, ["one", "None"]);
    rig.until(&mut log, |broker| broker.queue("/", "q").unwrap().ready == 2);
}

#[test]
fn a_consumer_that_cannot_start_ends_with_the_reason() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    let consume = channel.consume("nowhere").on_start(|log: &mut Log, _, _| log.push("started".to_owned()));
    let why = rig.wait(&mut log, |_, answer| {
        consume.on_end(|_, _, why| answer.give(why)).each(|_, _, _| panic!("there is no queue"));
    });
    assert_eq!(why.unwrap().reply_code().map(|code| code.code()), Some(404));
    assert!(log.is_empty() && !channel.is_open());
}

#[test]
fn a_channel_that_the_broker_closes_says_why_to_all_that_wait_on_it() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    channel.on_close(|log: &mut Log, _, why| log.push(format!("closed {:?}", why.reply_code())));
    channel.queue_declare("nowhere").passive(true).then(|log: &mut Log, channel, declared| {
        log.push(format!("declared {:?}", declared.unwrap_err().reply_code()));
        channel.get("q").then(|log: &mut Log, _, got| log.push(format!("got {:?}", got.unwrap_err().reply_code())));
    });
    rig.event_loop.run_until(&mut log, |log| log.len() == 3).unwrap();
    log.sort();
    let names: Vec<_> = log.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["closed", "declared", "got"]);
    assert!(log.iter().all(|line| line.contains("404")), "{log:?}");
    assert!(connection.is_open());
}

#[test]
fn the_outcome_of_each_confirmed_publish_is_heard() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    fill(&mut rig, &mut log, &channel, &[]);
    let publisher = rig.wait(&mut log, |_, answer| {
        channel.confirm_select(|_, _, publisher| answer.give(publisher.unwrap()));
    });
    let mut publish = |queue: &str| {
        let publish = publisher.publish("", queue, "x").mandatory(true);
        let outcome = rig.wait(&mut log, |_, answer| publish.then(|_, _, outcome| answer.give(outcome)));
        outcome.map_err(|error| error.kind())
    };
    assert_eq!(publish("q"), Ok(()));
    assert_eq!(publish("nowhere"), Err(leveret::ErrorKind::Returned));
    rig.host.broker.state().nack_next(1);
    let outcome = rig.wait(&mut log, |_, answer| {
        publisher.publish("", "q", "x").then(|_, _, outcome| answer.give(outcome));
    });
    assert_eq!(outcome.unwrap_err().kind(), leveret::ErrorKind::Nacked);
}

#[test]
fn a_plain_mandatory_publish_comes_back_to_the_handler_of_returns() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    channel.on_return(|log: &mut Log, channel, returned| {
        log.push(String::from_utf8_lossy(returned.message.body()).into_owned());
        channel.handle().stop();
    });
    channel.publish("", "nowhere", "x").mandatory(true).properties(leveret::Properties::default()).send();
    rig.event_loop.run(&mut log).unwrap();
    assert_eq!(log, ["x"]);
}

#[test]
fn a_method_that_nothing_answers_is_sent() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let connection = rig.connect(&mut log);
    let channel = rig.channel(&mut log, &connection);
    let declare = queue::Declare::default().queue("q").no_wait(true);
    assert!(matches!(Method::from(declare.clone()), Method::QueueDeclare(_)));
    channel.send(declare).send().unwrap();
    rig.until(&mut log, |broker| broker.queue("/", "q").is_some());
    channel.basic_recover_async().requeue(true).send().unwrap();
    call!(rig, log, channel.call(basic::Qos::default().prefetch_count(1)));
}
