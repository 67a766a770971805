//! Exchanges: which are predeclared, what is refused, and what is equal.

use super::*;
use crate::broker::words::Scope;

#[test]
fn the_predeclared_exchanges_are_there() {
    let host = host(&[]);
    let seen: Vec<_> = host
        .exchanges()
        .map(|exchange| (exchange.name().to_string(), exchange.kind().as_str(), exchange.internal()))
        .collect();
    let expected = [
        ("", "direct", false),
        ("amq.direct", "direct", false),
        ("amq.fanout", "fanout", false),
        ("amq.headers", "headers", false),
        ("amq.match", "headers", false),
        ("amq.rabbitmq.trace", "topic", true),
        ("amq.topic", "topic", false),
    ];
    assert_eq!(seen, expected.map(|(name, kind, internal)| (name.to_owned(), kind, internal)));
    assert!(host.exchanges().all(|exchange| exchange.durable() && !exchange.auto_delete()));
}

#[test]
fn an_exchange_keeps_what_it_was_declared_with() {
    let mut host = host(&[]);
    let arguments = FieldTable::from([("alternate-exchange", "ae"), ("x-other", "1")]);
    host.declare(
        &Declare::default()
            .exchange("x")
            .kind("topic")
            .durable(true)
            .auto_delete(true)
            .internal(true)
            .arguments(arguments.clone()),
    );
    let seen =
        host.exchange(&"x".into()).map(|x| (x.kind(), x.durable(), x.auto_delete(), x.internal(), x.arguments()));
    assert_eq!(seen, Some((ExchangeKind::Topic, true, true, true, &arguments)));
}

#[test]
fn an_unknown_type_closes_the_connection_whatever_else_is_wrong() {
    let mut host = host(&[]);
    for (name, kind) in [("x", "x-delayed-message"), ("", "Direct"), ("amq.x", "nope"), ("amq.direct", "nope")] {
        let refusal = host.declare_exchange(&Declare::default().exchange(name).kind(kind));
        let expected = format!("unknown exchange type '{kind}'");
        assert_eq!(refusal, Err(Refusal::connection(ReplyCode::COMMAND_INVALID, expected)));
    }
    let refusal = host.declare_exchange(&Declare::default().exchange("x"));
    assert_eq!(text(refusal).as_deref(), Some("COMMAND_INVALID - invalid exchange type ''"));
    assert!(!host.has("x"));
}

#[test]
fn the_default_exchange_is_not_declared() {
    let expected = Err(Refusal::channel(ReplyCode::ACCESS_REFUSED, "operation not permitted on the default exchange"));
    let mut host = host(&[]);
    assert_eq!(host.declare_exchange(&Declare::default().kind("direct").durable(true)), expected);
    assert_eq!(host.declare_exchange(&Declare::default().passive(true)), expected);
    assert_eq!(host.delete_exchange(&"".into(), true).map(drop), expected);
}

#[test]
fn reserved_names_are_refused_unless_they_exist() {
    let mut host = host(&[]);
    for name in ["amq.foo", "amq."] {
        let refusal = host.declare_exchange(&alternate(name, "direct", "x"));
        let expected = format!("ACCESS_REFUSED - exchange name '{name}' contains reserved prefix 'amq.*'");
        assert_eq!(text(refusal), Some(expected));
    }
    host.make("amq", "direct");
    host.declare(&Declare::default().exchange("amq.direct").kind("direct").durable(true));
}

#[test]
fn a_passive_declaration_asks_for_the_name_alone() {
    let mut host = host(&[]);
    host.declare(&Declare::default().exchange("amq.direct").kind("nope").passive(true));
    let refusal = host.declare_exchange(&Declare::default().exchange("x").passive(true));
    assert_eq!(text(refusal).as_deref(), Some("NOT_FOUND - no exchange 'x' in vhost '/'"));
    assert!(!host.has("x"));
}

#[test]
fn the_first_attribute_that_differs_is_named() {
    let mut host = host(&[]);
    host.declare(&alternate("x", "direct", "q"));
    let declare = |kind: &str, durable, auto_delete, internal, alternate: &str| {
        let arguments = FieldTable::from([("alternate-exchange", alternate)]);
        let declare = Declare::default().exchange("x").kind(kind).durable(durable).auto_delete(auto_delete);
        declare.internal(internal).arguments(arguments)
    };
    let steps = [
        (declare("topic", true, true, true, "p"), "'type'", "'topic' but current is 'direct'"),
        (declare("direct", true, true, true, "p"), "'durable'", "'true' but current is 'false'"),
        (declare("direct", false, true, true, "p"), "'auto_delete'", "'true' but current is 'false'"),
        (declare("direct", false, false, true, "p"), "'internal'", "'true' but current is 'false'"),
        (declare("direct", false, false, false, "p"), "'alternate-exchange'", "'p' but current is 'q'"),
    ];
    for (declare, attribute, difference) in steps {
        let expected = format!("inequivalent arg {attribute} for exchange 'x' in vhost '/': received {difference}");
        assert_eq!(host.declare_exchange(&declare), Err(Refusal::precondition(expected)));
    }
    host.declare(&declare("direct", false, false, false, "q"));
}

#[test]
fn of_the_arguments_only_the_alternate_exchange_counts() {
    let mut host = host(&[]);
    host.declare(&alternate("with", "direct", "q"));
    host.make("without", "direct");
    let mut with = |name: &str, value: Option<FieldValue>| {
        let mut arguments = FieldTable::from([("x-other", "1")]);
        arguments.extend(value.map(|value| ("alternate-exchange", value)));
        let refusal =
            text(host.declare_exchange(&Declare::default().exchange(name).kind("direct").arguments(arguments)));
        let prefix = format!(
            "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange '{name}' in vhost '/': received "
        );
        refusal.map(|text| text.strip_prefix(&prefix).map_or(text.clone(), str::to_owned))
    };
    assert_eq!(with("with", Some("q".into())), None);
    assert_eq!(with("with", Some(FieldValue::ByteArray(b"q".as_slice().into()))), None);
    assert_eq!(with("without", None), None);
    assert_eq!(with("with", None).as_deref(), Some("none but current is the value 'q' of type 'longstr'"));
    assert_eq!(with("with", Some(5.into())).as_deref(), Some("'5' but current is 'q'"));
    assert_eq!(
        with("without", Some("q".into())).as_deref(),
        Some("the value 'q' of type 'longstr' but current is none")
    );
    assert_eq!(
        with("without", Some(5.into())).as_deref(),
        Some("the value '5' of type 'signedint' but current is none")
    );
}

#[test]
fn an_alternate_exchange_is_named_by_a_string() {
    let mut host = host(&[]);
    let arguments = FieldTable::from([("alternate-exchange", true)]);
    let refusal = host.declare_exchange(&Declare::default().exchange("x").kind("direct").arguments(arguments));
    let expected = "invalid type 'bool' for arg 'alternate-exchange' in exchange 'x' in vhost '/'";
    assert_eq!(refusal, Err(Refusal::precondition(expected)));
    assert!(!host.has("x"));
}

#[test]
fn line_ends_are_no_part_of_a_name_that_is_declared_bound_or_deleted() {
    let mut host = host(&["q"]);
    host.make("a\r\nb", "fanout");
    assert!(host.has("ab"));
    host.link("a\nb", &queue("\rq"), "");
    assert_eq!(host.routed("ab", &[""]), ["q"]);
    assert!(text(host.check_publish(&"a\nb".into())).is_some());
    assert!(host.is_bound(&"ab\n".into(), &queue("q\n"), &"".into(), &FieldTable::new()));
    assert_eq!(host.delete_exchange(&"\nab".into(), false), Ok(names(&["ab"])));
}

#[test]
fn the_brokers_own_exchanges_are_not_deleted() {
    for name in ["amq.direct", "amq.nope", "amq."] {
        let expected = format!("deletion of system exchange '{name}' in vhost '/' not allowed");
        let refusal = host(&[]).delete_exchange(&name.into(), true);
        assert_eq!(refusal, Err(Refusal::channel(ReplyCode::ACCESS_REFUSED, expected)));
    }
}

#[test]
fn an_exchange_that_bindings_lead_from_is_in_use() {
    let mut host = host(&["q"]);
    host.make("x", "direct");
    host.make("y", "direct");
    host.link("x", &exchange("y"), "k");
    let refusal = host.delete_exchange(&"x".into(), true);
    assert_eq!(refusal, Err(Refusal::precondition("exchange 'x' in vhost '/' in use")));
    assert_eq!(host.delete_exchange(&"y".into(), true), Ok(names(&["y"])), "to be a destination is not to be in use");
    assert_eq!(host.delete_exchange(&"x".into(), true), Ok(names(&["x"])));
    assert_eq!(host.delete_exchange(&"x".into(), true), Ok(Vec::new()), "a missing one is deleted already");
}

#[test]
fn refusals_close_the_channel_alone_but_for_an_unknown_type() {
    let mut host = host(&[]);
    let mut scope = |declare: Declare| host.declare_exchange(&declare).err().map(|refusal| refusal.scope);
    assert_eq!(scope(Declare::default().exchange("x").kind("nope")), Some(Scope::Connection));
    assert_eq!(scope(Declare::default().kind("direct")), Some(Scope::Channel));
    assert_eq!(scope(Declare::default().exchange("x").passive(true)), Some(Scope::Channel));
    assert_eq!(scope(Declare::default().exchange("amq.x").kind("direct")), Some(Scope::Channel));
    assert_eq!(scope(Declare::default().exchange("amq.direct").kind("topic")), Some(Scope::Channel));
}
