//! What counts as a change, and what breaks.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::diff;
use crate::{Source, load};

const OLD: &str = "<amqp major='0' minor='9' revision='1' port='5672'>
<constant name='no-route' value='312' class='soft-error'/>
<domain name='flag' type='bit'/>
<class name='queue' index='50'>
<doc>Work with queues.</doc>
<field name='kind' type='shortstr'/>
<field name='age' type='long'/>
<method name='move' index='60' synchronous='1'>
<chassis name='server' implement='MUST'/>
<response name='move-ok'/>
<field name='from' type='shortstr'/>
<field name='to' type='shortstr'/>
<field name='reserved-1' type='bit' reserved='1'/>
</method>
<method name='move-ok' index='61'><chassis name='client' implement='MUST'/></method>
</class>
</amqp>";

/// Asserts what changes where `from` becomes `to` in the old specification.
#[track_caller]
fn assert_changes(from: &str, to: &str, expected: &[&str]) {
    assert!(OLD.contains(from), "{from}");
    let protocol =
        |text: &str| load(&[Source::new("spec.xml", text)]).unwrap_or_else(|errors| unreachable!("{errors}"));
    let changes = diff(&protocol(OLD), &protocol(&OLD.replace(from, to)));
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, expected);
}

#[test]
fn a_protocol_does_not_differ_from_itself() {
    assert_changes("queue", "queue", &[]);
}

#[test]
fn prose_is_no_change() {
    assert_changes("Work with queues.", "Queues hold messages.", &[]);
}

#[test]
fn another_version_breaks_and_another_port_does_not() {
    assert_changes("minor='9'", "minor='10'", &["breaking   changed protocol `amqp`: version 0-9-1 → 0-10-1"]);
    assert_changes("5672", "5673", &["compatible changed protocol `amqp`: port 5672 → 5673"]);
}

#[test]
fn constants_may_be_added_and_nothing_else() {
    let constant = "<constant name='no-route' value='312' class='soft-error'/>";
    let another = "<constant name='not-found' value='404' class='soft-error'/>";
    assert_changes(constant, &format!("{another}{constant}"), &["compatible added constant `not-found`"]);
    assert_changes(constant, "", &["breaking   removed constant `no-route`"]);
    assert_changes("312", "313", &["breaking   changed constant `no-route`: value 312 → 313"]);
    assert_changes("soft", "hard", &["breaking   changed constant `no-route`: class soft-error → hard-error"]);
}

#[test]
fn a_class_may_be_added_but_neither_removed_nor_renumbered() {
    assert_changes("</class>", "</class><class name='tx' index='90'/>", &["compatible added class `tx`"]);
    assert_changes("index='50'", "index='51'", &["breaking   changed class `queue`: index 50 → 51"]);
    let expected = ["breaking   removed class `queue`", "compatible added class `stream`"];
    assert_changes("class name='queue'", "class name='stream'", &expected);
}

#[test]
fn a_method_may_be_added_but_not_removed() {
    let method = "<method name='move-ok' index='61'><chassis name='client' implement='MUST'/></method>";
    let another = method.replace("move-ok", "moved").replace("61", "62");
    assert_changes(method, &format!("{another}{method}"), &["compatible added method `queue.moved`"]);
    let expected = [
        "breaking   removed method `queue.move-ok`",
        "breaking   changed method `queue.move`: responses move-ok → moved",
        "compatible added method `queue.moved`",
    ];
    assert_changes("move-ok", "moved", &expected);
}

#[test]
fn what_a_method_says_of_itself_is_compared() {
    assert_changes("index='60'", "index='70'", &["breaking   changed method `queue.move`: index 60 → 70"]);
    let responses = "breaking   changed method `queue.move`: responses move-ok → none";
    assert_changes("<response name='move-ok'/>", "", &[responses]);
    let content = "breaking   changed method `queue.move`: content no → yes";
    assert_changes("name='move' ", "name='move' content='1' ", &[content]);
    let synchronous = "compatible changed method `queue.move`: synchronous yes → no";
    assert_changes("synchronous='1'", "", &[synchronous]);
    let deprecated = "compatible changed method `queue.move`: deprecated no → yes";
    assert_changes("name='move' ", "name='move' deprecated='1' ", &[deprecated]);
}

#[test]
fn one_more_sender_breaks_nothing_and_another_one_does() {
    let server = "<chassis name='server' implement='MUST'/>";
    let client = "<chassis name='client' implement='MUST'/>\n<response";
    let both = "compatible changed method `queue.move`: sent by client → both";
    assert_changes(server, &format!("{server}<chassis name='client' implement='MAY'/>"), &[both]);
    let other = "breaking   changed method `queue.move`: sent by client → server";
    assert_changes(&format!("{server}\n<response"), client, &[other]);
}

#[test]
fn an_argument_cannot_be_added_or_removed_without_breaking() {
    let to = "<field name='to' type='shortstr'/>\n";
    let reserved = "<field name='reserved-1' type='bit' reserved='1'/>";
    let another = format!("{reserved}<field name='fast' type='bit'/>");
    assert_changes(reserved, &another, &["breaking   added field `queue.move.fast`"]);
    assert_changes(to, "", &["breaking   removed field `queue.move.to`"]);
}

#[test]
fn the_order_of_arguments_is_compared() {
    let (from, to) = ("<field name='from' type='shortstr'/>\n", "<field name='to' type='shortstr'/>\n");
    let expected =
        "breaking   changed method `queue.move`: order of fields from, to, reserved-1 → to, from, reserved-1";
    assert_changes(&format!("{from}{to}"), &format!("{to}{from}"), &[expected]);
}

#[test]
fn the_type_of_a_field_is_compared_and_its_domain_by_name_only() {
    let long = "breaking   changed field `queue.move.to`: type shortstr → longstr";
    assert_changes("name='to' type='shortstr'", "name='to' type='longstr'", &[long]);
    let domain = "compatible changed field `queue.move.reserved-1`: domain none → flag";
    assert_changes("type='bit' reserved", "domain='flag' reserved", &[domain]);
}

#[test]
fn another_name_for_a_field_breaks_programs_unless_it_was_reserved() {
    let renamed = "breaking   changed field `queue.move.to`: name to → into";
    assert_changes("name='to'", "name='into'", &[renamed]);
    let expected = [
        "compatible changed field `queue.move.reserved-1`: name reserved-1 → fast",
        "compatible changed field `queue.move.fast`: reserved yes → no",
    ];
    assert_changes("name='reserved-1' type='bit' reserved='1'", "name='fast' type='bit'", &expected);
}

#[test]
fn a_field_that_turns_reserved_is_one_change_whatever_it_is_called_then() {
    let reserved = "breaking   changed field `queue.move.to`: reserved no → yes";
    assert_changes("name='to' type='shortstr'", "name='reserved-2' type='shortstr' reserved='1'", &[reserved]);
    assert_changes("name='to' type='shortstr'", "name='to' type='shortstr' reserved='1'", &[reserved]);
}

#[test]
fn a_name_with_spaces_is_the_same_name() {
    assert_changes("name='move-ok' index='61'", "name='move ok' index='61'", &[]);
    assert_changes(
        "name='no-route' value='312' class='soft-error'",
        "name='no route' value='312' class='soft error'",
        &[],
    );
}

#[test]
fn a_version_without_a_revision_is_written_without_one() {
    assert_changes("minor='9' revision='1'", "minor='9'", &["breaking   changed protocol `amqp`: version 0-9-1 → 0-9"]);
    assert_changes("minor='9' revision='1'", "minor='91'", &[]);
}

#[test]
fn a_property_may_be_added_after_all_others_alone() {
    let age = "<field name='age' type='long'/>";
    let size = "<field name='size' type='longlong'/>";
    assert_changes(age, &format!("{age}{size}"), &["compatible added property `queue.size`"]);
    assert_changes(age, &format!("{size}{age}"), &["breaking   added property `queue.size`"]);
    assert_changes(age, "", &["breaking   removed property `queue.age`"]);
}
