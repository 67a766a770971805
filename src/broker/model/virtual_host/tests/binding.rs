//! Bindings: what is refused, what is equal, and what is deleted.

use super::*;

#[test]
fn what_is_missing_is_named_the_source_first() {
    let mut host = host(&[]);
    host.make("x", "direct");
    let check = |source: &str, destination| text(host.check_bind(&source.into(), &destination, &FieldTable::new()));
    let missing = |name: &str| Some(format!("NOT_FOUND - no {name} in vhost '/'"));
    assert_eq!(check("s", queue("d")), missing("exchange 's'"));
    assert_eq!(check("s", exchange("d")), missing("exchange 's'"));
    assert_eq!(check("s", exchange("x")), missing("exchange 's'"));
    assert_eq!(check("x", queue("d")), missing("queue 'd'"));
    assert_eq!(check("x", exchange("d")), missing("exchange 'd'"));
    assert_eq!(check("x", exchange("x")), None);
}

#[test]
fn the_default_exchange_is_neither_bound_nor_unbound() {
    let mut host = host(&["q"]);
    let refused = Err(Refusal::channel(ReplyCode::ACCESS_REFUSED, "operation not permitted on the default exchange"));
    let none = FieldTable::new();
    for (source, destination) in [("", queue("q")), ("", queue("nope")), ("", exchange("nope")), ("nope", exchange(""))]
    {
        assert_eq!(host.bind(&source.into(), &destination, &"k".into(), &none), refused);
        assert_eq!(host.unbind(&source.into(), &destination, &"k".into(), &none).map(drop), refused);
    }
}

#[test]
fn only_a_headers_exchange_looks_at_x_match() {
    let mut host = host(&["q"]);
    let wrong = FieldTable::from([("x-match", "some")]);
    let expected = "Invalid x-match field value <<\"some\">>; expected all, any, all-with-x, or any-with-x";
    for name in ["amq.headers", "amq.match"] {
        assert_eq!(host.bind(&name.into(), &queue("q"), &"".into(), &wrong), Err(Refusal::precondition(expected)));
    }
    for name in ["amq.direct", "amq.fanout", "amq.topic"] {
        assert_eq!(host.bind(&name.into(), &queue("q"), &"".into(), &wrong), Ok(()));
    }
    assert_eq!(host.unbind(&"amq.headers".into(), &queue("q"), &"".into(), &wrong), Ok(Vec::new()));
}

#[test]
fn a_binding_that_exists_is_not_made_twice() {
    let mut host = host(&["q"]);
    host.link("amq.direct", &queue("q"), "k");
    host.link("amq.direct", &queue("q"), "k");
    assert_eq!(host.bindings().count(), 1);
    host.unlink("amq.direct", &queue("q"), "k");
    assert_eq!(host.bindings().count(), 0);
    assert_eq!(host.routed("amq.direct", &["k"]), names(&[]));
}

#[test]
fn a_binding_is_its_key_and_arguments_with_their_types_in_any_order() {
    let mut host = host(&["q"]);
    let source = ShortString::from("amq.direct");
    let arguments = FieldTable::from([("b", 1), ("a", 2)]);
    assert_eq!(host.bind(&source, &queue("q"), &"k".into(), &arguments), Ok(()));
    let others =
        [FieldTable::new(), FieldTable::from([("a", 2_i64), ("b", 1)]), FieldTable::from([("a", 1), ("b", 2)])];
    for other in &others {
        assert!(!host.is_bound(&source, &queue("q"), &"k".into(), other));
        assert_eq!(host.unbind(&source, &queue("q"), &"k".into(), other), Ok(Vec::new()));
    }
    assert!(!host.is_bound(&source, &queue("q"), &"l".into(), &arguments));
    assert!(!host.is_bound(&source, &exchange("q"), &"k".into(), &arguments));
    assert_eq!(host.bindings().count(), 1);
    let sorted = FieldTable::from([("a", 2), ("b", 1)]);
    assert!(host.is_bound(&source, &queue("q"), &"k".into(), &sorted));
    assert!(host.bindings().all(|binding| *binding.arguments == sorted));
    assert_eq!(host.unbind(&source, &queue("q"), &"k".into(), &sorted), Ok(Vec::new()));
    assert_eq!(host.bindings().count(), 0);
}

#[test]
fn bindings_that_differ_in_arguments_go_one_by_one() {
    let mut host = host(&["q"]);
    let (source, other) = (ShortString::from("amq.direct"), FieldTable::from([("a", 1)]));
    host.link("amq.direct", &queue("q"), "k");
    assert_eq!(host.bind(&source, &queue("q"), &"k".into(), &other), Ok(()));
    host.unlink("amq.direct", &queue("q"), "k");
    assert_eq!(host.routed("amq.direct", &["k"]), ["q"]);
    assert_eq!(host.unbind(&source, &queue("q"), &"k".into(), &other), Ok(Vec::new()));
    assert_eq!(host.routed("amq.direct", &["k"]), names(&[]));
}

#[test]
fn removing_what_is_missing_is_no_error() {
    let mut host = host(&["q"]);
    let none = FieldTable::new();
    for (source, destination) in [("nope", queue("q")), ("amq.direct", queue("nope")), ("amq.direct", exchange("nope"))]
    {
        assert_eq!(host.unbind(&source.into(), &destination, &"k".into(), &none), Ok(Vec::new()));
    }
}

#[test]
fn bindings_are_listed_by_source_key_and_destination() {
    let mut host = host(&["a", "b"]);
    host.link("amq.topic", &queue("a"), "k");
    host.link("amq.direct", &exchange("amq.topic"), "l");
    host.link("amq.direct", &queue("b"), "l");
    host.link("amq.direct", &queue("a"), "k");
    let seen: Vec<_> =
        host.bindings().map(|binding| (binding.source, binding.routing_key, binding.destination)).collect();
    let expected = [
        ("amq.direct", "k", queue("a")),
        ("amq.direct", "l", queue("b")),
        ("amq.direct", "l", exchange("amq.topic")),
        ("amq.topic", "k", queue("a")),
    ];
    assert_eq!(seen.len(), expected.len());
    for (seen, expected) in seen.into_iter().zip(&expected) {
        assert_eq!((seen.0, seen.1, seen.2), (&expected.0.into(), &expected.1.into(), &expected.2));
    }
}

#[test]
fn the_bindings_of_a_deleted_exchange_go_both_ways() {
    let mut host = host(&["q"]);
    host.make("x", "fanout");
    host.link("x", &queue("q"), "");
    host.link("amq.fanout", &exchange("x"), "");
    assert_eq!(host.delete_exchange(&"x".into(), false), Ok(names(&["x"])));
    assert_eq!(host.bindings().count(), 0);
    host.make("x", "fanout");
    assert_eq!(host.routed("x", &[""]), names(&[]));
    assert_eq!(host.routed("amq.fanout", &[""]), names(&[]));
}
