//! Parameters in files of settings.

use serde_json::{Value, from_value, json, to_value};

use super::{base, everything, from_url, h};
use crate::config::ConnectionParameters;

fn read(value: Value) -> Result<ConnectionParameters, String> {
    from_value(value).map_err(|error| error.to_string())
}

/// A map and a URL that mean the same.
#[track_caller]
fn assert_same(map: Value, url: &str) {
    let shown = map.to_string();
    match read(map) {
        Ok(parameters) => assert_eq!(everything(&parameters), everything(&from_url(url)), "{shown}"),
        Err(error) => panic!("{shown}: {error}"),
    }
}

#[test]
fn a_text_is_a_url() {
    assert_same(json!("amqp://u:p@h/v?heartbeat=3"), "amqp://u:p@h/v?heartbeat=3");
    let error = read(json!("amqp://u:hunter2@h?hartbeat=3")).unwrap_err();
    assert!(error.contains("heartbeat") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_map_has_the_parts_of_a_url_as_they_are() {
    assert_same(json!({}), "amqp://");
    let map = json!({ "host": "h", "port": 1, "user": "a:b", "password": "p@ss/w%41rd", "virtual_host": "a/b" });
    assert_same(map, "amqp://a%3Ab:p%40ss%2Fw%2541rd@h:1/a%2Fb");
    assert_same(json!({ "endpoints": ["a:1", "[::1]:2", "b"] }), "amqp://a:1,[::1]:2,b");
    assert_same(json!({ "user": "u" }), "amqp://u@localhost");
    assert_same(json!({ "virtual_host": "" }), "amqp://localhost//");
}

#[test]
fn keys_have_values_as_the_format_has_them() {
    let map = json!({
        "host": "h", "heartbeat": 30, "call_timeout": 0.25, "stack_timeout": null, "driver_thread": true,
        "backpressure_detection": true, "connection_name": "n", "auth_mechanism": ["external", "plain"],
        "client_properties": { "team": "t", "size": 3 },
    });
    let url = "amqp://h?heartbeat=30&call_timeout=0.25&stack_timeout=none&driver_thread=true&backpressure_detection=t\
               &connection_name=n&auth_mechanism=external&auth_mechanism=plain\
               &client_properties=%7B%22team%22:%22t%22,%22size%22:3%7D";
    assert_same(map, url);
}

#[test]
fn what_a_map_has_itself_goes_before_what_its_url_has() {
    let map =
        json!({ "url": "amqp://u:p@h:1/v?heartbeat=3&locale=de_DE", "heartbeat": 4, "host": "i", "password": "q" });
    assert_same(map, "amqp://u:q@i:1/v?heartbeat=4&locale=de_DE");
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_asked_for_by_itself_or_with_its_keys() {
    assert_same(json!({ "host": "h", "tls": true }), "amqps://h");
    assert_same(json!({ "url": "amqps://h", "tls": false }), "amqp://h");
    let map =
        json!({ "host": "h", "tls": { "certfile": "c", "keyfile": "k", "password": "s", "verify": "verify_none" } });
    assert_same(map, "amqps://h?certfile=c&keyfile=k&password=s&verify=verify_none");
    let error = read(json!({ "cacertfile": "ca.pem" })).unwrap_err();
    assert!(error.contains("`tls`"), "{error}");
}

#[test]
fn what_is_wrong_is_named_and_no_secret_is_shown() {
    let cases = [
        (json!({ "hartbeat": 3 }), "the nearest known one is heartbeat"),
        (json!({ "pasword": "hunter2" }), "the nearest known one is password"),
        (json!({ "heartbeat": "often", "password": "hunter2" }), "heartbeat cannot be \"often\""),
        (json!({ "port": 70_000 }), "port is not valid"),
        (json!({ "host": "h", "endpoints": ["a"] }), "endpoints is not valid"),
        (json!({ "heartbeat": [1, 2] }), "the key heartbeat comes twice"),
        (json!({ "password": ["hunter2", "hunter3"] }), "password is not valid"),
        (json!({ "password": "<redacted>" }), "redacted"),
        (json!({ "socket_timeout": 1, "connection_timeout": 1000 }), "sets the same"),
        (json!({ "tls": "hunter2" }), "true, false or a map"),
        (json!(3), "a URL or a map of connection parameters"),
    ];
    for (map, expected) in cases {
        let error = read(map.clone()).unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter"), "{map}: {error}");
    }
}

#[test]
fn parameters_are_written_as_a_url_without_secrets() {
    assert_eq!(to_value(h().heartbeat(3)).unwrap(), "amqp://guest:<redacted>@h/%2F?heartbeat=3");
    let error = read(to_value(base()).unwrap()).unwrap_err();
    assert!(error.contains("redacted"), "{error}");
}
