//! Tests of parameters that are set by field: bounds and effects.

use std::time::Duration;

use super::{base, plain};
use crate::config::ParametersErrorKind::{Empty, Malformed, OutOfRange};
use crate::config::{ConnectionParameters, Credentials, Endpoint, Exchange, Heartbeat, Mechanism, Pem, Tls, WhileDown};
use crate::wire::{FieldTable, FieldValue};

/// A mechanism whose name no broker can offer.
struct Spaced;

impl Mechanism for Spaced {
    fn name(&self) -> &str {
        "a b"
    }

    fn begin(&self) -> Box<dyn Exchange> {
        panic!("it is never begun")
    }
}

#[test]
fn fields_are_checked_like_keys() {
    let cases = [
        (base().host(""), Malformed, "host"),
        (base().host("a b"), Malformed, "host"),
        (base().host("[::1]"), Malformed, "host"),
        (base().host("h:5672"), Malformed, "host"),
        (base().port(0), OutOfRange, "port"),
        (base().virtual_host("v".repeat(256)), OutOfRange, "virtual_host"),
        (plain("a\0b", "p"), Malformed, "user"),
        (plain("a", "\0"), Malformed, "password"),
        (base().channel_max(0), OutOfRange, "channel_max"),
        (base().frame_max(0), OutOfRange, "frame_max"),
        (base().connect_timeout(Duration::ZERO), OutOfRange, "socket_timeout"),
        (base().stack_timeout(Duration::ZERO), OutOfRange, "stack_timeout"),
        (base().open_timeout(Duration::ZERO), OutOfRange, "open_timeout"),
        (base().tls_timeout(Duration::ZERO), OutOfRange, "tls_timeout"),
        (base().handshake_timeout(Duration::ZERO), OutOfRange, "handshake_timeout"),
        (base().credentials_timeout(Duration::ZERO), OutOfRange, "credentials_timeout"),
        (base().blocked_connection_timeout(Duration::MAX), OutOfRange, "blocked_connection_timeout"),
        (base().retry_delay(Duration::MAX), OutOfRange, "retry_delay"),
        (base().connection_attempt_delay(Duration::from_millis(9)), OutOfRange, "connection_attempt_delay"),
        (base().connection_attempts(0), OutOfRange, "connection_attempts"),
        (base().tcp_keepalive_idle(Duration::from_millis(1500)), OutOfRange, "tcp_keepalive_idle"),
        (base().tcp_user_timeout(Duration::from_micros(1)), OutOfRange, "tcp_user_timeout"),
        (base().tcp_send_buffer(0), OutOfRange, "tcp_send_buffer"),
        (base().backpressure_multiplier(0), OutOfRange, "backpressure_multiplier"),
        (base().endpoints([] as [Endpoint; 0]), Empty, "host"),
        (base().credentials(Credentials::mechanism(Spaced)), Malformed, "auth_mechanism"),
        #[cfg(feature = "tls")]
        (base().tls(Tls::default().ca(Pem::file(""))), Empty, "cacertfile"),
        #[cfg(feature = "tls")]
        (base().tls(Tls::default().server_name("")), Empty, "server_name_indication"),
        #[cfg(feature = "tls")]
        (base().tls(Tls::default().server_name("disable")), Malformed, "server_name_indication"),
        (base().call_timeout(Duration::MAX), OutOfRange, "call_timeout"),
        (base().close_timeout(Duration::ZERO), OutOfRange, "close_timeout"),
        (base().recovery_delay(Duration::ZERO), OutOfRange, "recovery_delay"),
        (base().recovery_max_delay(Duration::MAX), OutOfRange, "recovery_max_delay"),
        (base().recovery_stable_after(Duration::ZERO), OutOfRange, "recovery_stable_after"),
        (base().recovery_attempts(0), OutOfRange, "recovery_attempts"),
        (base().recovery_timeout(Duration::ZERO), OutOfRange, "recovery_timeout"),
        (base().recovery_refusals(0), OutOfRange, "recovery_refusals"),
        (base().recovery_record_limit(0), OutOfRange, "recovery_record_limit"),
        (base().while_down(WhileDown::Buffer(0)), OutOfRange, "while_down_buffer"),
        (base().down_timeout(Duration::ZERO), OutOfRange, "down_timeout"),
        (base().resend_limit(0), OutOfRange, "resend_limit"),
        (base().locale(""), OutOfRange, "locale"),
        (base().locale("l".repeat(256)), OutOfRange, "locale"),
        (base().connection_name(""), OutOfRange, "connection_name"),
        (base().write_high_water(0), OutOfRange, "write_high_water"),
        (base().write_low_water(1024 * 1024), OutOfRange, "write_low_water"),
        (base().write_limit(0), OutOfRange, "write_limit"),
        (base().max_unconfirmed(0), OutOfRange, "max_unconfirmed"),
        (base().max_message_size(0), OutOfRange, "max_message_size"),
        (base().max_header_size(0), OutOfRange, "max_header_size"),
        (base().read_limit(0), OutOfRange, "read_limit"),
        (base().overflow_timeout(Duration::ZERO), OutOfRange, "overflow_timeout"),
        (base().overflow_timeout(Duration::MAX), OutOfRange, "overflow_timeout"),
    ];
    for (parameters, kind, key) in cases {
        let error = parameters.validate().unwrap_err();
        assert_eq!((error.kind(), error.key()), (kind, key), "{error}");
    }
    let largest = base().virtual_host("v".repeat(255)).locale("l".repeat(255)).host("::1").port(65535);
    assert_eq!(largest.validate(), Ok(()));
}

#[test]
fn the_low_mark_is_half_the_high_one_unless_it_is_given() {
    assert_eq!(base().low_water(), 512 * 1024);
    assert_eq!(base().write_high_water(1).low_water(), 0);
    assert_eq!(base().write_low_water(7).low_water(), 7);
}

#[test]
fn the_clients_heartbeat_wins_over_the_servers() {
    assert_eq!(Heartbeat::Server.interval(60), 60);
    assert_eq!(Heartbeat::every(90).interval(60), 90);
    assert_eq!(Heartbeat::Off.interval(60), 0);
    assert_eq!(Heartbeat::every(0).interval(60), 0);
    assert_eq!(Heartbeat::choose(|proposal| proposal / 2).interval(60), 30);
}

#[test]
fn the_broker_is_told_the_defaults_the_name_and_the_users_properties() {
    let properties = base().connection_name("n").announced_properties();
    let keys: Vec<_> = properties.keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["product", "version", "platform", "capabilities", "connection_name"]);
    let Some(FieldValue::Table(capabilities)) = properties.get("capabilities") else { panic!("{properties:?}") };
    assert_eq!(capabilities.len(), 9);
    assert!(capabilities.values().all(|value| *value == FieldValue::Bool(true)));
}

#[test]
fn what_a_setter_set_can_be_undone() {
    let parameters = base().connection_name("n").tls(Tls::default()).max_unconfirmed(5).open_timeout(None);
    let undone = ConnectionParameters::from(&parameters).connection_name(None).tls(None).max_unconfirmed(None);
    assert_eq!((undone.to_string(), parameters.connection_name.as_deref()), (base().to_string(), Some("n")));
    let name = String::from("n");
    assert_eq!(base().connection_name(&name).connection_name, base().connection_name(Some(name)).connection_name);
    let tls = Tls::default().ca(Pem::file("/c")).key(Pem::file("/k")).key_password("p").server_name("s");
    let undone = tls.ca(None).key(None).key_password(None).server_name(None);
    assert_eq!(format!("{undone:?}"), format!("{:?}", Tls::default()));
}

#[test]
fn the_users_properties_replace_defaults_and_a_capability_at_a_time() {
    let users = FieldTable::from([
        ("product", FieldValue::from("shop")),
        ("connection_name", FieldValue::from("theirs")),
        ("team", FieldValue::from("t")),
        ("capabilities", FieldValue::Table(FieldTable::from([("connection.blocked", false)]))),
    ]);
    let properties = base().connection_name("ours").client_properties(users).announced_properties();
    for (key, expected) in [("product", "shop"), ("platform", "Rust"), ("connection_name", "theirs"), ("team", "t")] {
        assert_eq!(properties.get(key), Some(&FieldValue::from(expected)), "{key}");
    }
    let Some(FieldValue::Table(capabilities)) = properties.get("capabilities") else { panic!("{properties:?}") };
    assert_eq!(capabilities.get("connection.blocked"), Some(&FieldValue::Bool(false)));
    assert_eq!(capabilities.get("basic.nack"), Some(&FieldValue::Bool(true)));
    assert_eq!(capabilities.len(), 9);
}

#[test]
fn endpoints_know_their_ports_and_setters_of_one_field_leave_the_others() {
    let parameters = base().host("a").port(7).host("b");
    assert_eq!(parameters.endpoints, [Endpoint::from(("b", 7))]);
    let parameters = base().endpoints(["a".parse().unwrap(), Endpoint::new("::1").with_port(9)]);
    let ports: Vec<_> = parameters.endpoints.iter().map(|endpoint| parameters.port_of(endpoint)).collect();
    assert_eq!(ports, [5672, 9]);
    let parameters = parameters.tls(Tls::default());
    assert_eq!(parameters.port_of(&Endpoint::new("a")), 5671);
    assert_eq!(Endpoint::new("::1").with_port(9).to_string(), "[::1]:9");
    assert!("a:b:c".parse::<Endpoint>().is_err());
    let zoned = Endpoint::new("fe80::1%eth0").with_port(9);
    assert_eq!(zoned.to_string().parse(), Ok(zoned));
}

#[test]
fn each_setting_of_keepalive_turns_it_on() {
    let second = Duration::from_secs(1);
    assert!(!base().keeps_alive());
    let each = [
        base().tcp_keepalive(true),
        base().tcp_keepalive_idle(second),
        base().tcp_keepalive_interval(second),
        base().tcp_keepalive_count(1),
    ];
    assert!(each.iter().all(ConnectionParameters::keeps_alive));
}
