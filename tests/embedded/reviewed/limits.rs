//! Limits: of connections, of channels, and of the time for an acknowledgement. The texts are those
//! of RabbitMQ 3.10, and that of the limit of a node those of 4.

use std::time::{Duration, Instant};

use leveret::broker::{Fault, Permissions, State, Target};
use leveret::protocol::{Method, MethodId, ReplyCode, basic, channel, connection, queue, tx};
use leveret_test_support::Received;

use super::peer::{Peer, events};
use super::{QUEUE, broker, broker_with, client, counts, fill, names, pass};

/// Somebody opens a virtual host; the refusal, if it is one.
fn open(broker: &mut State, now: Instant, user: &str, host: &str) -> Result<Peer, (ReplyCode, String, MethodId)> {
    let mut peer = Peer::logged_in(broker, now, &format!("\0{user}\0secret"), 0, super::FRAME_MAX);
    peer.say(broker, now, 0, &connection::Open::default().virtual_host(host.to_owned()));
    let heard = peer.hear(broker, now);
    match &heard[..] {
        [Received::Method(0, Method::ConnectionOpenOk(_))] => Ok(peer),
        [Received::Method(0, Method::ConnectionClose(close))] => {
            let blamed = MethodId::new(close.class_id, close.method_id);
            Err((close.reply_code, close.reply_text.to_string(), blamed))
        }
        other => panic!("{other:?}"),
    }
}

fn refusal(text: &str) -> (ReplyCode, String, MethodId) {
    (ReplyCode::NOT_ALLOWED, text.to_owned(), MethodId::new(10, 40))
}

/// A broker with a user and another virtual host.
fn with_hare() -> (State, Instant) {
    let (mut broker, now) = broker();
    broker.add_virtual_host("field");
    for user in ["hare", "fox"] {
        broker.add_user(user, "secret");
        broker.set_permissions(user, "/", Permissions::all());
        broker.set_permissions(user, "field", Permissions::all());
    }
    (broker, now)
}

#[test]
fn a_connection_too_many_of_a_user_is_refused_with_530_until_one_is_closed() {
    let (mut broker, now) = with_hare();
    assert!(broker.limit_connections_of_user("hare", Some(1)));
    assert!(!broker.limit_connections_of_user("nobody", Some(1)));
    let mut first = open(&mut broker, now, "hare", "/").ok().unwrap();
    let text = "NOT_ALLOWED - connection refused for user 'hare': user connection limit (1) is reached";
    assert_eq!(open(&mut broker, now, "hare", "field").err(), Some(refusal(text)));
    assert!(open(&mut broker, now, "fox", "/").is_ok());
    first.say(&mut broker, now, 0, &connection::Close::default());
    assert!(open(&mut broker, now, "hare", "field").is_ok());
    broker.limit_connections_of_user("hare", None);
    assert!(open(&mut broker, now, "hare", "/").is_ok());
    broker.limit_connections_of_user("hare", Some(0));
    assert!(open(&mut broker, now, "hare", "/").is_err());
}

#[test]
fn a_connection_too_many_to_a_virtual_host_or_the_broker_is_refused_with_530() {
    let (mut broker, now) = with_hare();
    assert!(broker.limit_connections_of_virtual_host("field", Some(1)));
    assert!(!broker.limit_connections_of_virtual_host("nowhere", Some(1)));
    let _second = open(&mut broker, now, "fox", "/").ok().unwrap();
    let _first = open(&mut broker, now, "hare", "field").ok().unwrap();
    let text = "NOT_ALLOWED - access to vhost 'field' refused for user 'fox': connection limit (1) is reached";
    assert_eq!(open(&mut broker, now, "fox", "field").err(), Some(refusal(text)));

    broker.limit_connections(Some(2));
    let text = "NOT_ALLOWED - connection refused: node connection limit (2) is reached";
    assert_eq!(open(&mut broker, now, "fox", "/").err(), Some(refusal(text)));
    broker.limit_connections(None);
    assert!(open(&mut broker, now, "fox", "/").is_ok());
}

#[test]
fn a_client_whose_network_failed_is_in_its_own_way_until_it_is_missed() {
    let (mut broker, now) = broker();
    broker.limit_connections_of_user("guest", Some(1));
    let mut lost = Peer::open(&mut broker, now, 10, super::FRAME_MAX);
    broker.inject(Target::Connection(lost.id), Fault::Silence);
    let mut next = Peer::until_tuned(&mut broker, now);
    next.say(&mut broker, now, 0, &connection::Open::default().virtual_host("/"));
    assert_eq!(names(&next.hear(&mut broker, now)), ["connection.close"]);
    pass(&mut broker, &mut lost, now, Duration::from_secs(20));
    let later = now + Duration::from_secs(20);
    let mut next = Peer::until_tuned(&mut broker, later);
    next.say(&mut broker, later, 0, &connection::Open::default().virtual_host("/"));
    assert_eq!(names(&next.hear(&mut broker, later)), ["connection.open-ok"]);
}

#[test]
fn a_channel_too_many_of_a_user_closes_its_connection_with_530() {
    let (mut broker, now) = broker();
    assert!(broker.limit_channels_of_user("guest", Some(2)));
    assert!(!broker.limit_channels_of_user("nobody", Some(2)));
    let mut first = client(&mut broker, now);
    let mut second = client(&mut broker, now);
    second.say(&mut broker, now, 2, &channel::Open::default());
    let heard = second.hear(&mut broker, now);
    let [Received::Method(0, Method::ConnectionClose(close))] = &heard[..] else { panic!("{heard:?}") };
    let text =
        "NOT_ALLOWED - number of channels opened for user 'guest' has reached the maximum allowed user limit of (2)";
    assert_eq!((close.reply_code, &*close.reply_text.to_string()), (ReplyCode::NOT_ALLOWED, text));
    first.say(&mut broker, now, 2, &channel::Open::default());
    assert_eq!(names(&first.hear(&mut broker, now)), ["channel.open-ok"], "the channel of the other is gone");
}

/// The close of a channel for a delivery that was not acknowledged in time.
fn overdue(heard: &[Received]) -> (u16, ReplyCode, String, MethodId) {
    let [Received::Method(number, Method::ChannelClose(close))] = heard else { panic!("{heard:?}") };
    (*number, close.reply_code, close.reply_text.to_string(), MethodId::new(close.class_id, close.method_id))
}

#[test]
fn a_delivery_that_is_not_acknowledged_in_time_closes_its_channel_and_goes_back() {
    let get = |peer: &mut Peer, broker: &mut State, now| {
        peer.say(broker, now, 2, &basic::Get::default().queue(QUEUE));
    };
    let consume = |peer: &mut Peer, broker: &mut State, now| {
        peer.say(broker, now, 2, &basic::Consume::default().queue(QUEUE).consumer_tag("c"));
    };
    let ways: [fn(&mut Peer, &mut State, Instant); 2] = [get, consume];
    for way in ways {
        let (mut broker, now) = broker_with(|settings| settings.consumer_timeout = Some(Duration::from_secs(2)));
        fill(&mut broker, now, 1);
        let mut peer = client(&mut broker, now);
        peer.say(&mut broker, now, 2, &channel::Open::default());
        way(&mut peer, &mut broker, now);
        peer.hear(&mut broker, now);
        broker.handle_timeout(now + Duration::from_millis(1999));
        assert_eq!(counts(&broker), (0, 1));
        broker.handle_timeout(now + Duration::from_secs(2));
        let text = "PRECONDITION_FAILED - delivery acknowledgement on channel 2 timed out. \
                    Timeout value used: 2000 ms. \
                    This timeout value can be configured, see consumers doc guide to learn more";
        let expected = (2, ReplyCode::PRECONDITION_FAILED, text.to_owned(), MethodId::new(0, 0));
        assert_eq!(overdue(&peer.hear(&mut broker, now)), expected);
        assert_eq!(counts(&broker), (1, 0));
        assert!(broker.messages("/", QUEUE)[0].redelivered);
        peer.say(&mut broker, now, 1, &basic::Qos::default());
        assert_eq!(names(&peer.hear(&mut broker, now)), ["basic.qos-ok"], "the other channel goes on");
    }
}

#[test]
fn the_oldest_delivery_counts_and_who_acknowledges_in_time_or_need_not_is_safe() {
    let (mut broker, now) = broker_with(|settings| settings.consumer_timeout = Some(Duration::from_secs(10)));
    let at = |seconds| now + Duration::from_secs(seconds);
    let mut peer = client(&mut broker, now);
    let mut free = client(&mut broker, now);
    free.say(&mut broker, now, 1, &queue::Declare::default().queue("free"));
    free.say(&mut broker, now, 1, &basic::Consume::default().queue("free").no_ack(true));
    free.publish(&mut broker, now, "free", &basic::Properties::default(), b"hello");
    peer.say(&mut broker, now, 1, &tx::Select::default());
    peer.say(&mut broker, now, 1, &basic::Consume::default().queue(QUEUE).consumer_tag("c"));
    fill(&mut broker, at(0), 1);
    fill(&mut broker, at(6), 1);
    broker.handle_timeout(at(8));
    peer.say(&mut broker, at(8), 1, &basic::Ack::default().delivery_tag(1_u64));
    broker.handle_timeout(at(15));
    assert!(!names(&peer.hear(&mut broker, at(15))).contains(&"channel.close"), "an uncommitted one counts");
    broker.handle_timeout(at(16));
    assert_eq!(overdue(&peer.hear(&mut broker, at(16))).0, 1);
    assert!(!names(&free.hear(&mut broker, at(16))).contains(&"channel.close"));
}

#[test]
fn the_timeout_is_half_an_hour_and_can_be_changed_for_what_was_delivered_before() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let (mut broker, now) = broker();
    fill(&mut broker, now, 1);
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &basic::Get::default().queue(QUEUE));
    broker.set_consumer_timeout(None);
    broker.handle_timeout(now + minutes(600));
    assert_eq!(counts(&broker), (0, 1));
    broker.set_consumer_timeout(Some(minutes(700)));
    broker.handle_timeout(now + minutes(699));
    assert_eq!(counts(&broker), (0, 1));
    broker.handle_timeout(now + minutes(700));
    assert_eq!(counts(&broker), (1, 0));

    let (mut broker, now) = super::broker();
    fill(&mut broker, now, 1);
    let mut peer = client(&mut broker, now);
    peer.say(&mut broker, now, 1, &basic::Get::default().queue(QUEUE));
    events(&mut broker);
    broker.handle_timeout(now + minutes(30) - Duration::from_millis(1));
    assert_eq!(counts(&broker), (0, 1));
    broker.handle_timeout(now + minutes(30));
    assert_eq!(counts(&broker), (1, 0));
    assert_eq!(events(&mut broker).len(), 1, "the driver is called");
}
