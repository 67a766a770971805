//! Declarations: what is refused, and what differs.

use crate::broker::words::Scope;
use crate::protocol::ReplyCode;
use crate::wire::{FieldValue, Timestamp};

use super::*;

/// Why `q` is refused with these arguments.
fn refused(arguments: impl Into<FieldTable>) -> String {
    declare(&with(arguments)).unwrap_err().text()
}

#[track_caller]
fn assert_invalid(name: &str, value: impl Into<FieldValue>, reason: &str) {
    let expected = format!("PRECONDITION_FAILED - invalid arg '{name}' for queue 'q' in vhost '/'{reason}");
    assert_eq!(refused([(name, value)]), expected);
}

#[test]
fn a_number_has_to_be_an_integer_that_is_not_negative() {
    for name in
        ["x-expires", "x-message-ttl", "x-max-length", "x-max-length-bytes", "x-max-priority", "x-queue-version"]
    {
        assert_invalid(name, "5", ": \"expected integer, got longstr\"");
        assert_invalid(name, 1.5, ": \"expected integer, got double\"");
        assert_invalid(name, FieldValue::Void, ": \"expected integer, got void\"");
        assert_invalid(name, -1_i16, ": {value_negative,-1}");
    }
}

#[test]
fn a_time_lasts_ten_years_at_most() {
    for name in ["x-expires", "x-message-ttl"] {
        assert_invalid(name, 315_360_000_001_i64, ": {value_too_large,315360000001}");
        assert!(declare(&with([(name, 315_360_000_000_i64)])).is_ok());
    }
    assert_invalid("x-expires", 0, ": {value_zero,0}");
    assert!(declare(&with([("x-message-ttl", 0)])).is_ok());
}

#[test]
fn there_are_256_levels_of_priority() {
    assert_invalid("x-max-priority", 256, ": {max_value_exceeded,256}");
    assert!(declare(&with([("x-max-priority", 255_u8)])).is_ok());
}

#[test]
fn a_word_that_means_nothing_is_refused() {
    assert_invalid("x-overflow", "drop-tail", ": invalid_overflow");
    assert_invalid("x-queue-mode", "a\"b", ": \"unsupported queue mode 'a\\\"b'\"");
    assert_invalid("x-queue-type", "x", ": \"unsupported queue type 'x'\"");
    assert_invalid("x-queue-version", 3, ": \"unsupported queue version '3'\"");
    assert_invalid("x-dead-letter-routing-key", "k", ": routing_key_but_no_dlx_defined");
}

#[test]
fn a_word_that_erlang_cannot_print_is_a_list_of_its_octets() {
    let octets = "117,110,115,117,112,112,111,114,116,101,100,32,113,117,101,117,101,32,109,111,100,101,32,39,1,39";
    assert_invalid("x-queue-mode", "\u{1}", &format!(": [{octets}]"));
}

#[test]
fn a_value_of_another_type_is_refused() {
    for name in ["x-overflow", "x-queue-mode", "x-queue-type", "x-dead-letter-routing-key", "x-single-active-consumer"]
    {
        assert_invalid(name, 1, ": {unacceptable_type,signedint}");
        assert_invalid(name, 1_u16, ": {unacceptable_type,unsignedshort}");
    }
    let text =
        "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'";
    assert_eq!(refused([("x-dead-letter-exchange", 1)]), text);
}

#[test]
fn an_argument_of_another_type_of_queue_is_refused_and_an_unknown_one_accepted() {
    assert_invalid("x-delivery-limit", 1, " of queue type rabbit_classic_queue");
    assert_invalid("x-max-age", "1D", " of queue type rabbit_classic_queue");
    assert!(declare(&with([("x-unknown", "anything"), ("x-queue-mode", "lazy")])).is_ok());
}

#[test]
fn of_two_wrong_arguments_the_first_in_the_order_of_rabbitmq_is_named() {
    let named = |arguments: &[(&str, i64)]| {
        let text = refused(arguments.iter().copied().collect::<FieldTable>());
        text.split('\'').nth(1).map(String::from)
    };
    assert_eq!(named(&[("x-message-ttl", -1), ("x-expires", 0)]), Some("x-expires".into()));
    assert_eq!(named(&[("x-overflow", 1), ("x-max-priority", 300)]), Some("x-max-priority".into()));
    assert_eq!(named(&[("x-max-age", 1), ("x-max-length", -1)]), Some("x-max-length".into()));
    assert_eq!(named(&[("x-expires", 0), ("x-queue-type", 1)]), Some("x-queue-type".into()));
}

#[test]
fn a_queue_of_another_type_is_not_implemented() {
    let quorum = with([("x-queue-type", "quorum")]).durable(true);
    let refusal = declare(&quorum).unwrap_err();
    assert_eq!((refusal.scope, refusal.code), (Scope::Connection, ReplyCode::NOT_IMPLEMENTED));
    let property = |declared: queue::Declare| declare(&declared).unwrap_err().text();
    let text = |name| format!("PRECONDITION_FAILED - invalid property '{name}' for queue 'q' in vhost '/'");
    assert_eq!(property(quorum.clone().auto_delete(true).exclusive(true)), text("auto-delete"));
    assert_eq!(property(quorum.clone().exclusive(true)), text("exclusive-owner"));
    assert_eq!(property(quorum.durable(false)), text("non-durable"));
}

/// How `q` of one declaration differs from another.
fn difference(current: &queue::Declare, received: &queue::Declare) -> Option<String> {
    let difference = declare(current).unwrap().check_equivalent(received).err()?.text();
    let prefix = "PRECONDITION_FAILED - inequivalent arg ";
    Some(difference.strip_prefix(prefix)?.replace("for queue 'q' in vhost '/': ", ""))
}

fn lengths(current: impl Into<FieldValue>, received: impl Into<FieldValue>) -> Option<String> {
    difference(&with([("x-max-length", current)]), &with([("x-max-length", received)]))
}

#[test]
fn an_argument_that_was_added_or_left_out_is_told_with_its_type() {
    let limited = with([("x-max-length", 5)]);
    let expected = "'x-max-length' received the value '5' of type 'signedint' but current is none";
    assert_eq!(difference(&with([("x-foo", 1)]), &limited).unwrap(), expected);
    let expected = "'x-max-length' received none but current is the value '5' of type 'signedint'";
    assert_eq!(difference(&limited, &with([("x-foo", 2)])).unwrap(), expected);
    let void = with([("x-max-length", FieldValue::Void)]);
    let expected = "'x-max-length' received the value 'undefined' of type 'void' but current is none";
    assert_eq!(difference(&with([("x-foo", 1)]), &void).unwrap(), expected);
}

#[test]
fn values_are_compared_as_erlang_does() {
    assert_eq!(lengths(5, 5_u8), None);
    assert_eq!(lengths(5, Timestamp::from_secs(5)), None);
    assert_eq!(lengths(5, 6).unwrap(), "'x-max-length' received '6' but current is '5'");
    assert_eq!(lengths(5, "5").unwrap(), "'x-max-length' received '5' but current is '5'");
    assert_eq!(lengths(100, 100.0).unwrap(), "'x-max-length' received '100.0' but current is '100'");
    assert_eq!(lengths(1, 1e5).unwrap(), "'x-max-length' received '1.0e5' but current is '1'");
    assert_eq!(lengths(1, 1e22).unwrap(), "'x-max-length' received '1.0e22' but current is '1'");
    assert_eq!(lengths(1, 0.0001).unwrap(), "'x-max-length' received '0.0001' but current is '1'");
    assert_eq!(lengths(1, FieldValue::Void).unwrap(), "'x-max-length' received none but current is '1'");
    assert_eq!(lengths(1, FieldTable::new()).unwrap(), "'x-max-length' received '[]' but current is '1'");
    let table = FieldTable::from([("b", true)]);
    let array = vec![FieldValue::from(1), FieldValue::from("a"), FieldValue::from(table)];
    let expected = "received '[{signedint,1},{longstr,<<\"a\">>},{table,[{<<\"b\">>,bool,true}]}]' but current is '1'";
    assert_eq!(lengths(1, array).unwrap(), format!("'x-max-length' {expected}"));
}

#[test]
fn text_is_the_same_in_a_byte_array_and_no_values_are_the_same_list() {
    // An argument that takes a value of any type.
    let locator = |value: FieldValue| with([("x-queue-master-locator", value)]);
    let is_same = |a: FieldValue, b: FieldValue| difference(&locator(a), &locator(b)).is_none();
    assert!(is_same("a".into(), FieldValue::ByteArray("a".into())));
    assert!(is_same(FieldTable::new().into(), FieldValue::Array(Vec::new())));
    assert!(is_same(1.5.into(), 1.5_f32.into()));
    assert!(!is_same(true.into(), "true".into()) && !is_same(1.into(), true.into()));
}

#[test]
fn saying_classic_and_saying_nothing_is_the_same() {
    let (none, classic) = (with([("x-foo", 1)]), with([("x-queue-type", "classic")]));
    assert_eq!((difference(&none, &classic), difference(&classic, &none)), (None, None));
    let quorum = with([("x-queue-type", "quorum")]);
    let expected = "'x-queue-type' received the value 'quorum' of type 'longstr' but current is none";
    assert_eq!(difference(&none, &quorum).unwrap(), expected);
    assert_eq!(difference(&classic, &quorum).unwrap(), "'x-queue-type' received 'quorum' but current is 'classic'");
}

#[test]
fn flags_are_compared_before_arguments() {
    let current = with([("x-max-length", 1)]).durable(true);
    let received = with([("x-max-length", 2)]).auto_delete(true);
    assert_eq!(difference(&current, &received).unwrap(), "'durable' received 'false' but current is 'true'");
    let received = received.durable(true);
    assert_eq!(difference(&current, &received).unwrap(), "'auto_delete' received 'true' but current is 'false'");
}

#[test]
fn an_exclusive_queue_is_locked_to_others_and_to_declarations_that_are_not_exclusive() {
    let exclusive = queue::Declare::default().exclusive(true).durable(true);
    let queue = declare(&exclusive).unwrap();
    assert!(!queue.durable());
    assert_eq!(queue.check_equivalent(&exclusive.durable(false)), Ok(()));
    assert_eq!(queue.check_access(ConnectionId(1)), Ok(()));
    let locked = queue.check_access(ConnectionId(2)).unwrap_err();
    assert!(locked.text().starts_with(
        "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally \
         declared on another connection"
    ));
    assert_eq!(queue.check_equivalent(&queue::Declare::default()), Err(locked));
}
