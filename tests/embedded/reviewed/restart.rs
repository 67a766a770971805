//! What a restart of the broker leaves. Where a line says "as seen", RabbitMQ 3.10 was asked.

use std::time::{Duration, Instant};

use leveret::broker::{BindingDestination, Fault, State, Target, Transport};
use leveret::protocol::{Method, ReplyCode, basic, exchange, queue};
use leveret::{FieldTable, Properties};
use leveret_test_support::Received;

use super::peer::{Peer, content, events};
use super::{broker, client, counts, fill, names, pass};

const SHUTDOWN: &str = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";

/// The two ways to end a broker.
const ENDS: [fn(&mut State); 2] = [State::restart, State::crash];

fn declare(broker: &mut State, now: Instant, peer: &mut Peer, declare: &queue::Declare) {
    peer.say(broker, now, 1, declare);
    assert_eq!(names(&peer.hear(broker, now)), ["queue.declare-ok"]);
}

fn durable(name: &str) -> queue::Declare {
    queue::Declare::default().queue(name.to_owned()).durable(true)
}

/// Publishes each body to a queue, persistent where the body begins with `p`.
fn publish(broker: &mut State, now: Instant, peer: &mut Peer, queue: &str, bodies: &[&str]) {
    for body in bodies {
        let properties = Properties::default();
        let properties = if body.starts_with('p') { properties.persistent(true) } else { properties };
        peer.publish(broker, now, queue, &properties, body.as_bytes());
    }
}

/// What waits in a queue: bodies, and whether they count as redelivered.
fn waiting(broker: &State, queue: &str) -> Vec<(String, bool)> {
    let messages = broker.messages("/", queue);
    messages.iter().map(|message| (String::from_utf8_lossy(&message.body).into_owned(), message.redelivered)).collect()
}

#[test]
fn a_restart_closes_every_connection_with_320_and_does_not_wait_for_an_answer() {
    let (mut broker, now) = broker();
    let mut peers = [client(&mut broker, now), client(&mut broker, now)];
    let early = broker.handle_connect(now);
    events(&mut broker);
    broker.restart();
    assert_eq!(events(&mut broker).len(), 3, "each driver is called");
    for peer in &mut peers {
        let heard = peer.hear(&mut broker, now);
        let [Received::Method(0, Method::ConnectionClose(close))] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!((close.reply_code, close.reply_text.to_str()), (ReplyCode::CONNECTION_FORCED, Ok(SHUTDOWN)));
        assert_eq!((close.class_id, close.method_id), (0, 0));
        assert_eq!(broker.transport(peer.id), Transport::Closing);
    }
    assert_eq!(broker.transport(early), Transport::Closing);
    assert!(broker.connections().iter().all(|connection| !connection.open && connection.channels.is_empty()));
    broker.restart();
    client(&mut broker, now);
}

#[test]
fn a_crash_ends_every_transport_without_a_word() {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &basic::Qos::default());
    broker.crash();
    assert!(peer.hear(&mut broker, now).is_empty(), "not even the answer that waited");
    assert_eq!(broker.transport(peer.id), Transport::Gone);
    client(&mut broker, now);
}

#[test]
fn what_is_not_durable_is_gone_with_its_bindings_and_nothing_follows_from_that() {
    for end in ENDS {
        let (mut broker, now) = broker();
        let mut peer = client(&mut broker, now);
        declare(&mut broker, now, &mut peer, &durable("kept"));
        declare(&mut broker, now, &mut peer, &queue::Declare::default().queue("lost"));
        declare(&mut broker, now, &mut peer, &durable("own").exclusive(true));
        let declare = |name: &str, durable: bool| {
            exchange::Declare::default().exchange(name.to_owned()).kind("direct").durable(durable)
        };
        for exchange in [declare("x", true), declare("y", true), declare("fleeting", false)] {
            peer.say(&mut broker, now, 1, &exchange);
        }
        peer.say(&mut broker, now, 1, &declare("last", true).auto_delete(true));
        for (queue, exchange) in
            [("kept", "x"), ("kept", "fleeting"), ("kept", "amq.topic"), ("lost", "x"), ("lost", "last"), ("own", "x")]
        {
            let bind = queue::Bind::default().queue(queue).exchange(exchange).routing_key("k");
            peer.say(&mut broker, now, 1, &bind);
        }
        for (destination, source) in [("y", "x"), ("fleeting", "x"), ("y", "fleeting")] {
            peer.say(&mut broker, now, 1, &exchange::Bind::default().destination(destination).source(source));
        }
        assert!(names(&peer.hear(&mut broker, now)).iter().all(|name| name.ends_with("-ok")));
        assert_eq!(broker.bindings("/").len(), 9);

        end(&mut broker);
        let queues: Vec<_> = broker.queues("/").into_iter().map(|queue| queue.name.to_string()).collect();
        assert_eq!(queues, ["kept"], "an exclusive queue goes although it is durable, as seen");
        let exchanges: Vec<_> = broker.exchanges("/").into_iter().map(|exchange| exchange.name.to_string()).collect();
        assert_eq!(exchanges[7..], ["last", "x", "y"], "the auto-delete exchange stays without a binding, as seen");
        let bindings: Vec<_> = broker
            .bindings("/")
            .into_iter()
            .map(|binding| match binding.destination {
                BindingDestination::Queue(name) => format!("{} to queue {name}", binding.source),
                BindingDestination::Exchange(name) => format!("{} to exchange {name}", binding.source),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(bindings, ["amq.topic to queue kept", "x to exchange y", "x to queue kept"]);

        let mut peer = client(&mut broker, now);
        let publish = content("x", "k", &Properties::default(), b"routed").concat();
        peer.say_octets(&mut broker, now, &publish);
        assert_eq!(waiting(&broker, "kept"), [("routed".to_owned(), false)]);
    }
}

#[test]
fn persistent_messages_stay_in_their_order_and_what_was_delivered_counts_as_redelivered() {
    for (end, crashed) in ENDS.into_iter().zip([false, true]) {
        let (mut broker, now) = broker();
        let mut peer = client(&mut broker, now);
        declare(&mut broker, now, &mut peer, &durable("kept"));
        publish(&mut broker, now, &mut peer, "kept", &["p0", "t1", "p2", "p3", "t4"]);
        for _ in 0..3 {
            peer.say(&mut broker, now, 1, &basic::Get::default().queue("kept"));
        }
        peer.say(&mut broker, now, 1, &basic::Ack::default().delivery_tag(3_u64));
        publish(&mut broker, now, &mut peer, "kept", &["p5"]);
        end(&mut broker);
        let flag = |body: &str, redelivered: bool| (body.to_owned(), redelivered || crashed);
        assert_eq!(waiting(&broker, "kept"), [flag("p0", true), flag("p3", false), flag("p5", false)], "as seen");
        assert_eq!(broker.queue("/", "kept").map(|queue| queue.unacknowledged), Some(0));
    }
}

#[test]
fn priorities_and_times_to_live_survive_and_the_time_of_disuse_begins_anew() {
    let (mut broker, now) = broker();
    let mut peer = client(&mut broker, now);
    let mut arguments = FieldTable::from([("x-max-priority", 5), ("x-message-ttl", 10_000)]);
    arguments.insert("x-expires", 30_000);
    declare(&mut broker, now, &mut peer, &durable("kept").arguments(arguments));
    for priority in 0..3 {
        let properties = Properties::default().persistent(true).priority(priority);
        peer.publish(&mut broker, now, "kept", &properties, &[b'0' + priority]);
    }
    let later = now + Duration::from_secs(9);
    broker.handle_timeout(later);
    broker.restart();
    let bodies = |broker: &State| waiting(broker, "kept").into_iter().map(|(body, _)| body).collect::<String>();
    assert_eq!(bodies(&broker), "210", "as seen");
    broker.handle_timeout(later + Duration::from_secs(1));
    assert_eq!(bodies(&broker), "");
    broker.handle_timeout(later + Duration::from_millis(29_999));
    assert!(broker.queue("/", "kept").is_some());
    broker.handle_timeout(later + Duration::from_secs(30));
    assert!(broker.queue("/", "kept").is_none());
}

#[test]
fn an_auto_delete_queue_with_a_consumer_is_deleted_by_a_restart_and_survives_a_crash() {
    for (end, survives) in ENDS.into_iter().zip([false, true]) {
        let (mut broker, now) = broker();
        let mut peer = client(&mut broker, now);
        declare(&mut broker, now, &mut peer, &durable("used").auto_delete(true));
        declare(&mut broker, now, &mut peer, &durable("unused").auto_delete(true));
        publish(&mut broker, now, &mut peer, "used", &["p0"]);
        publish(&mut broker, now, &mut peer, "unused", &["p0"]);
        peer.say(&mut broker, now, 1, &basic::Consume::default().queue("used").consumer_tag("c"));
        assert_eq!(names(&peer.hear(&mut broker, now)), ["basic.consume-ok", "basic.deliver"]);
        end(&mut broker);
        let expected: &[_] = if survives { &[("p0".to_owned(), true)] } else { &[] };
        assert_eq!(waiting(&broker, "used"), expected, "as seen");
        assert_eq!(broker.queue("/", "used").is_some(), survives, "as seen");
        assert_eq!(waiting(&broker, "unused"), [("p0".to_owned(), survives)], "as seen");

        let mut peer = client(&mut broker, now);
        declare(&mut broker, now, &mut peer, &durable("used").auto_delete(true));
        peer.say(&mut broker, now, 1, &basic::Consume::default().queue("used").consumer_tag("c"));
        assert_eq!(broker.consumers("/").len(), 1, "the tag is free");
    }
}

#[test]
fn no_consumer_gets_what_another_connection_gives_back_on_the_way_down() {
    for end in ENDS {
        let (mut broker, now) = broker();
        let mut first = client(&mut broker, now);
        declare(&mut broker, now, &mut first, &durable("kept"));
        publish(&mut broker, now, &mut first, "kept", &["p0"]);
        let mut second = client(&mut broker, now);
        for peer in [&mut first, &mut second] {
            peer.say(&mut broker, now, 1, &basic::Consume::default().queue("kept").consumer_tag("c"));
            peer.hear(&mut broker, now);
        }
        end(&mut broker);
        assert!(!names(&second.hear(&mut broker, now)).contains(&"basic.deliver"));
        assert_eq!(waiting(&broker, "kept"), [("p0".to_owned(), true)]);
    }
}

#[test]
fn what_is_in_a_transaction_or_half_said_is_lost_and_what_it_acknowledged_is_back() {
    for (end, crashed) in ENDS.into_iter().zip([false, true]) {
        let (mut broker, now) = broker();
        let mut peer = client(&mut broker, now);
        declare(&mut broker, now, &mut peer, &durable("kept"));
        publish(&mut broker, now, &mut peer, "kept", &["p0"]);
        peer.say(&mut broker, now, 1, &leveret::protocol::tx::Select::default());
        peer.say(&mut broker, now, 1, &basic::Get::default().queue("kept"));
        peer.say(&mut broker, now, 1, &basic::Ack::default().delivery_tag(1_u64));
        publish(&mut broker, now, &mut peer, "kept", &["p1"]);
        let [method, header, _body] = content("", "kept", &Properties::default().persistent(true), b"p2");
        peer.say_octets(&mut broker, now, &[method, header].concat());
        end(&mut broker);
        assert_eq!(waiting(&broker, "kept"), [("p0".to_owned(), true)], "{crashed}");
    }
}

#[test]
fn a_client_that_hears_nothing_keeps_a_transport_and_no_queue_over_a_restart() {
    let (mut broker, now) = broker();
    let mut peer = Peer::open(&mut broker, now, 10, super::FRAME_MAX);
    declare(&mut broker, now, &mut peer, &durable("own").exclusive(true));
    broker.inject(Target::Connection(peer.id), Fault::Silence);
    broker.restart();
    assert!(broker.queue("/", "own").is_none());
    assert_eq!(broker.transport(peer.id), Transport::Open);
    let (heard, ended) = pass(&mut broker, &mut peer, now, Duration::from_secs(3600));
    assert!(heard.is_empty() && ended.is_none(), "{heard:?} {ended:?}");
}

#[test]
fn users_hosts_alarms_and_faults_stay() {
    let (mut broker, now) = broker();
    broker.add_user("hare", "secret");
    broker.add_virtual_host("field");
    broker.block("low on memory");
    broker.refuse_logins(1);
    broker.restart();
    assert!(broker.set_permissions("hare", "field", leveret::broker::Permissions::all()));
    assert_eq!(broker.exchanges("field").len(), 7);
    let refused = broker.handle_connect(now);
    assert_eq!(broker.transport(refused), Transport::Open);
    broker.refuse_logins(0);
    let mut peer = client(&mut broker, now);
    declare(&mut broker, now, &mut peer, &durable("kept"));
    publish(&mut broker, now, &mut peer, "kept", &["p0"]);
    assert_eq!(names(&peer.hear(&mut broker, now)), ["connection.blocked"]);
}

#[test]
fn a_fresh_queue_after_a_restart_has_nothing_of_the_one_that_was_lost() {
    let (mut broker, now) = broker();
    fill(&mut broker, now, 3);
    assert_eq!(counts(&broker), (3, 0));
    broker.restart();
    assert!(broker.queue("/", super::QUEUE).is_none());
    let mut peer = client(&mut broker, now);
    declare(&mut broker, now, &mut peer, &queue::Declare::default().queue(super::QUEUE));
    assert_eq!(counts(&broker), (0, 0));
}
