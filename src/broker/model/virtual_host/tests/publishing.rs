//! The routing of messages.

use super::*;

#[test]
fn missing_and_internal_exchanges_take_no_messages() {
    let mut host = host(&[]);
    host.declare(&Declare::default().exchange("i").kind("fanout").internal(true));
    let check = |name: &str| text(host.check_publish(&name.into()));
    assert_eq!(check("x").as_deref(), Some("NOT_FOUND - no exchange 'x' in vhost '/'"));
    assert_eq!(check("i").as_deref(), Some("ACCESS_REFUSED - cannot publish to internal exchange 'i' in vhost '/'"));
    assert_eq!((check(""), check("amq.direct")), (None, None));
    assert_eq!(host.routed("x", &["k"]), names(&[]));
}

#[test]
fn the_default_exchange_routes_by_the_names_of_queues() {
    let host = host(&["a", "b", "c"]);
    assert_eq!(host.routed("", &["b"]), ["b"]);
    assert_eq!(host.routed("", &["c", "a", "nope", "a"]), ["a", "c"]);
    assert_eq!(host.routed("", &[""]), names(&[]));
}

#[test]
fn a_direct_exchange_wants_the_very_key() {
    let mut host = host(&["a", "b", "c"]);
    host.link("amq.direct", &queue("a"), "k");
    host.link("amq.direct", &queue("b"), "k");
    host.link("amq.direct", &queue("b"), "l");
    host.link("amq.direct", &queue("c"), "#");
    assert_eq!(host.routed("amq.direct", &["k"]), ["a", "b"]);
    assert_eq!(host.routed("amq.direct", &["l", "#"]), ["b", "c"]);
    assert_eq!(host.routed("amq.direct", &["K"]), names(&[]));
}

#[test]
fn a_fanout_exchange_ignores_keys() {
    let mut host = host(&["a", "b", "c"]);
    host.link("amq.fanout", &queue("a"), "k");
    host.link("amq.fanout", &queue("b"), "l");
    assert_eq!(host.routed("amq.fanout", &["x"]), ["a", "b"]);
}

#[test]
fn a_topic_exchange_matches_any_of_the_keys() {
    let mut host = host(&["a", "b", "c"]);
    host.link("amq.topic", &queue("a"), "x.*");
    host.link("amq.topic", &queue("b"), "#.y");
    host.link("amq.topic", &queue("c"), "");
    assert_eq!(host.routed("amq.topic", &["x.y"]), ["a", "b"]);
    assert_eq!(host.routed("amq.topic", &["x", "y"]), ["b"]);
    assert_eq!(host.routed("amq.topic", &["z", ""]), ["c"]);
}

#[test]
fn a_headers_exchange_matches_headers_and_ignores_keys() {
    let mut host = host(&["a", "b"]);
    let arguments = FieldTable::from([("x-match", FieldValue::from("any")), ("a", 1.into()), ("b", 2.into())]);
    assert_eq!(host.bind(&"amq.match".into(), &queue("a"), &"k".into(), &arguments), Ok(()));
    host.link("amq.match", &queue("b"), "k");
    let routed = |headers: Option<&FieldTable>| host.route(&"amq.match".into(), &names(&["k"]), headers);
    assert!(routed(Some(&FieldTable::from([("b", 2)]))).iter().eq(["a", "b"]));
    assert!(routed(None).iter().eq(["b"]));
}

#[test]
fn a_queue_gets_a_message_once_whatever_ways_lead_to_it() {
    let mut host = host(&["q"]);
    for key in ["#", "a.*", "*.b"] {
        host.link("amq.topic", &queue("q"), key);
    }
    host.link("amq.topic", &exchange("amq.fanout"), "#");
    host.link("amq.fanout", &queue("q"), "");
    assert_eq!(host.routed("amq.topic", &["a.b", "a.b", "a.c"]), ["q"]);
}

#[test]
fn messages_follow_bindings_from_exchange_to_exchange_even_in_circles() {
    let mut host = host(&["a", "b"]);
    host.declare(&Declare::default().exchange("i").kind("topic").internal(true));
    host.link("amq.direct", &exchange("i"), "x.y");
    host.link("i", &exchange("amq.fanout"), "x.*");
    host.link("amq.fanout", &exchange("amq.direct"), "");
    host.link("amq.fanout", &exchange("amq.fanout"), "");
    host.link("amq.fanout", &queue("b"), "");
    host.link("i", &queue("a"), "*.y");
    assert_eq!(host.routed("amq.direct", &["x.y"]), ["a", "b"]);
    assert_eq!(host.routed("amq.direct", &["x.z"]), names(&[]));
    assert_eq!(host.routed("amq.fanout", &["x.y"]), ["a", "b"]);
    assert_eq!(host.routed("amq.fanout", &["x.z"]), ["b"]);
}

#[test]
fn what_is_routed_nowhere_goes_to_the_alternate_exchange() {
    let mut host = host(&["a", "b"]);
    host.declare(&alternate("x", "direct", "y"));
    host.declare(&alternate("y", "direct", "amq.fanout"));
    host.link("x", &queue("a"), "k");
    host.link("y", &queue("a"), "l");
    host.link("amq.fanout", &queue("b"), "");
    assert_eq!(host.routed("x", &["k"]), ["a"]);
    assert_eq!(host.routed("x", &["l"]), ["a"]);
    assert_eq!(host.routed("x", &["m"]), ["b"]);
    assert_eq!(host.routed("x", &["m", "k"]), ["a"]);
}

#[test]
fn a_binding_to_an_exchange_that_leads_nowhere_is_a_route() {
    let mut host = host(&["q"]);
    host.declare(&alternate("x", "fanout", "amq.fanout"));
    host.link("amq.fanout", &queue("q"), "");
    assert_eq!(host.routed("x", &["k"]), ["q"]);
    host.link("x", &exchange("amq.direct"), "");
    assert_eq!(host.routed("x", &["k"]), names(&[]));
}

#[test]
fn alternate_exchanges_may_be_missing_or_go_in_circles() {
    let mut host = host(&["q"]);
    host.declare(&alternate("missing", "direct", "nope"));
    host.declare(&alternate("default", "direct", ""));
    host.declare(&alternate("self", "direct", "self"));
    host.declare(&alternate("one", "direct", "other"));
    host.declare(&alternate("other", "direct", "one"));
    for name in ["missing", "default", "self", "one", "other"] {
        assert_eq!(host.routed(name, &["q"]), names(&[]), "{name}");
    }
}

#[test]
fn a_missing_alternate_exchange_stops_no_other_way() {
    let mut host = host(&["q"]);
    host.declare(&alternate("dead", "direct", "nope"));
    host.make("x", "fanout");
    host.link("x", &exchange("amq.fanout"), "");
    host.link("x", &exchange("dead"), "");
    host.link("amq.fanout", &queue("q"), "");
    assert_eq!(host.routed("x", &["k"]), ["q"]);
}
