//! What URLs are refused for, and how that is told.

use super::refused;
use crate::config::ParametersErrorKind;
use crate::config::ParametersErrorKind::{
    Conflict, Empty, Malformed, OutOfRange, RepeatedKey, Scheme, UnknownKey, Unsupported,
};

#[test]
fn what_is_wrong_is_told_by_kind_and_key() {
    let cases: &[(&str, ParametersErrorKind, &str)] = &[
        ("", Scheme, "scheme"),
        ("ftp://h", Scheme, "scheme"),
        ("h:5672", Scheme, "scheme"),
        ("amqp:h", Scheme, "scheme"),
        ("amqps://h", Unsupported, "scheme"),
        ("AMQPS://h:5673", Unsupported, "scheme"),
        ("amqp://h:99999", OutOfRange, "port"),
        ("amqp://h:0", OutOfRange, "port"),
        ("amqp://h:abc", Malformed, "port"),
        ("amqp://h:", Empty, "port"),
        ("amqp://h/a/b", Malformed, "virtual_host"),
        ("amqp://h/a/", Malformed, "virtual_host"),
        ("amqp://h/%zz", Malformed, "virtual_host"),
        ("amqp://h/%f", Malformed, "virtual_host"),
        ("amqp://h/%+2", Malformed, "virtual_host"),
        ("amqp://h/%ff", Malformed, "virtual_host"),
        ("amqp://@h", Empty, "user"),
        ("amqp://u%:p@h", Malformed, "user"),
        ("amqp://u:%ff@h", Malformed, "password"),
        ("amqp://u:%00@h", Malformed, "password"),
        ("amqp://u:<redacted>@h", Malformed, "password"),
        ("amqp://a:5672,b:5673/v", Malformed, "host"),
        ("amqp://a,b", Malformed, "host"),
        ("amqp://::1", Malformed, "host"),
        ("amqp://[::1", Malformed, "host"),
        ("amqp://[]", Malformed, "host"),
        ("amqp://[h]", Malformed, "host"),
        ("amqp://[::1]5672", Malformed, "host"),
        ("amqp://a%20b", Malformed, "host"),
        ("amqp://h#f", Malformed, "url"),
        ("amqp://h\n", Malformed, "url"),
        ("amqp://h /", Malformed, "url"),
        ("amqp://u:p@q@h", Malformed, "url"),
        ("amqp://u:p/q@h", Malformed, "url"),
        ("amqp://u:p?q@h", Malformed, "url"),
        ("amqp://h?heartbeat=-1", OutOfRange, "heartbeat"),
        ("amqp://h?heartbeat=1.5", Malformed, "heartbeat"),
        ("amqp://h?heartbeat=65536", OutOfRange, "heartbeat"),
        ("amqp://h?heartbeat=", Empty, "heartbeat"),
        ("amqp://h?heartbeat", Empty, "heartbeat"),
        ("amqp://h?heartbeat=1&heartbeat=1", RepeatedKey, "heartbeat"),
        ("amqp://h?heartbeat=1&%68eartbeat=1", RepeatedKey, "heartbeat"),
        ("amqp://h?Heartbeat=1", UnknownKey, "Heartbeat"),
        ("amqp://h?heartbeat=1&", Empty, "a key of the query"),
        ("amqp://h?=1", Empty, "a key of the query"),
        ("amqp://h?channel_max=0", OutOfRange, "channel_max"),
        ("amqp://h?channel_max=65536", OutOfRange, "channel_max"),
        ("amqp://h?frame_max=4095", OutOfRange, "frame_max"),
        ("amqp://h?socket_timeout=0", OutOfRange, "socket_timeout"),
        ("amqp://h?socket_timeout=nan", Malformed, "socket_timeout"),
        ("amqp://h?socket_timeout=31536001", OutOfRange, "socket_timeout"),
        ("amqp://h?connection_timeout=0", OutOfRange, "connection_timeout"),
        ("amqp://h?connection_timeout=0.25", Malformed, "connection_timeout"),
        ("amqp://h?connection_timeout=99999999999", OutOfRange, "connection_timeout"),
        ("amqp://h?socket_timeout=1&connection_timeout=1000", Conflict, "connection_timeout"),
        ("amqp://h?connection_timeout=1000&socket_timeout=1", Conflict, "socket_timeout"),
        ("amqp://h?close_timeout=none", Malformed, "close_timeout"),
        ("amqp://h?write_high_water=0", OutOfRange, "write_high_water"),
        ("amqp://h?write_low_water=1048576", OutOfRange, "write_low_water"),
        ("amqp://h?max_unconfirmed=0", OutOfRange, "max_unconfirmed"),
        ("amqp://h?max_message_size=0", OutOfRange, "max_message_size"),
        // Keys of Pika's whose parameters this version does not have.
        ("amqp://guest:guest@rabbit-server1:5672/%2F?backpressure_detection=t", UnknownKey, "backpressure_detection"),
        ("amqp://h?connection_attempts=3&retry_delay=5", UnknownKey, "connection_attempts"),
        ("amqp://h?connection_attempts=0", UnknownKey, "connection_attempts"),
        ("amqp://h?blocked_connection_timeout=10.5", UnknownKey, "blocked_connection_timeout"),
    ];
    for (url, kind, key) in cases {
        let error = refused(url);
        assert_eq!((error.kind(), error.key()), (*kind, *key), "{url}: {error}");
    }
}

#[test]
fn an_error_says_what_was_given_and_what_to_do() {
    let cases = [
        ("ftp://h", "scheme cannot be \"ftp\": a URL begins with amqp://"),
        ("amqps://h", "scheme cannot be \"amqps\": this version has no TLS, use amqp://"),
        ("amqp://h:99999", "port cannot be \"99999\": allowed is a whole number from 1 to 65535"),
        ("amqp://h/a/b", "virtual_host cannot be \"a/b\": write a `/` in it as %2F: /a%2Fb"),
        ("amqp://h?channel_max=0", "channel_max cannot be \"0\": allowed is a whole number from 1 to 65535"),
        (
            "amqp://h?max_unconfirmed=x",
            "max_unconfirmed cannot be \"x\": allowed is a whole number from 1 to 4294967295",
        ),
        ("amqp://h?locale=", "locale is empty: allowed is a name of 1 to 255 octets, such as en_US"),
        ("amqp://h?locale=a&locale=b", "the key locale comes twice: give it once"),
    ];
    for (url, expected) in cases {
        assert_eq!(refused(url).to_string(), expected, "{url}");
    }
    let unknown = refused("amqp://h?Heartbeat=1");
    assert_eq!(unknown.nearest(), Some("heartbeat"));
    assert!(
        unknown
            .to_string()
            .starts_with("unknown key \"Heartbeat\", the nearest known one is heartbeat: known keys are channel_max, ")
    );
}

#[test]
fn a_long_value_is_shown_by_its_beginning() {
    let error = refused(&format!("amqp://h?heartbeat={}", "ü".repeat(1000))).to_string();
    assert!(error.starts_with(&format!("heartbeat cannot be \"{}\"…: ", "ü".repeat(60))), "{error}");
}
