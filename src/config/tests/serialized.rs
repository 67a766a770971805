//! Tests of parameters in configuration files.

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde_json::{Value, from_str, from_value, json, to_value};

use super::{base, everything, from_url, h, plain};
use crate::config::ConnectionParameters;
use crate::config::parameters::Form;
use crate::config::url::keys;

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
        "host": "h", "heartbeat": 30, "call_timeout": 0.25, "open_timeout": 7.0, "driver_thread": true,
        "tcp_nodelay": false, "backpressure_detection": true, "erase_on_connect": true, "connection_name": "n",
        "auth_mechanism": ["external", "plain"], "endpoint_order": "shuffled", "local_address": "::1",
        "tcp_options": { "TCP_KEEPIDLE": 9 },
        "client_properties": { "team": "t", "size": 3, "share": 0.5, "within": { "list": [1, null, true] } },
    });
    let url = "amqp://h?heartbeat=30&call_timeout=0.25&open_timeout=7&driver_thread=true&tcp_nodelay=false\
               &backpressure_detection=t&erase_on_connect=true&connection_name=n&auth_mechanism=external\
               &auth_mechanism=plain&endpoint_order=shuffled&local_address=::1\
               &tcp_options=%7B%22TCP_KEEPIDLE%22:9%7D\
               &client_properties=%7B%22team%22:%22t%22,%22size%22:3,%22share%22:0.5,\
               %22within%22:%7B%22list%22:[1,null,true]%7D%7D";
    assert_same(map, url);
    assert_same(json!({ "host": "h", "auth_mechanism": "external" }), "amqp://h?auth_mechanism=external");
    let map = json!({
        "host": "h", "recovery": "topology", "recovery_delay": 0.5, "recovery_attempts": 3, "recovery_timeout": null,
        "while_down": "buffer", "while_down_buffer": 1000, "resend": "not_sent", "channel_recovery": "ack_timeout",
    });
    let url = "amqp://h?recovery=topology&recovery_delay=0.5&recovery_attempts=3&while_down=buffer&while_down_buffer=1000\
               &resend=not_sent&channel_recovery=ack_timeout";
    assert_same(map, url);
}

#[test]
fn null_is_none_where_there_is_a_none_and_means_elsewhere_that_nothing_is_given() {
    let nulls = [
        "url",
        "host",
        "port",
        "endpoints",
        "user",
        "password",
        "virtual_host",
        "tls",
        "heartbeat",
        "retry_delay",
        "connection_name",
        "client_properties",
        "tcp_options",
        "auth_mechanism",
        "driver_thread",
        "write_low_water",
    ];
    for name in nulls {
        assert_same(json!({ name: null }), "amqp://");
    }
    assert_same(json!({ "url": "amqp://h?connection_name=n", "connection_name": null }), "amqp://h?connection_name=n");
    for none in [json!(null), json!("none")] {
        let map = json!({
            "host": "h", "stack_timeout": none, "socket_timeout": none, "connection_attempt_delay": none,
            "max_unconfirmed": none, "blocked_connection_timeout": none,
        });
        let url = "amqp://h?stack_timeout=none&socket_timeout=none&connection_attempt_delay=none\
                   &max_unconfirmed=none&blocked_connection_timeout=none";
        assert_same(map, url);
    }
    assert_same(json!({ "host": "h", "connection_timeout": null }), "amqp://h?connection_timeout=none");
}

#[test]
fn values_of_another_type_are_refused() {
    let cases = [
        (json!({ "url": 1 }), "url is not valid: give a text"),
        (json!({ "host": 1 }), "host is not valid: give a text"),
        (json!({ "host": ["h"] }), "host is not valid: give a text"),
        (json!({ "user": true }), "user is not valid: give a text"),
        (json!({ "password": 47_114_711 }), "password is not valid: give a text"),
        (json!({ "virtual_host": {} }), "virtual_host is not valid: give a text"),
        (json!({ "port": "5672" }), "port is not valid: give a number"),
        (json!({ "endpoints": [1] }), "endpoints is not valid: give a text, or a list of texts"),
        (json!({ "endpoints": [["h"]] }), "endpoints is not valid: give a text, or a list of texts"),
        (json!({ "heartbeat": "30" }), "heartbeat cannot be \"30\": give a number, allowed is a whole number"),
        (json!({ "heartbeat": "none" }), "heartbeat cannot be \"none\": give a number"),
        (json!({ "heartbeat": 0.5 }), "heartbeat cannot be \"0.5\": allowed is a whole number"),
        (json!({ "call_timeout": true }), "call_timeout cannot be \"true\": give a number"),
        (json!({ "call_timeout": {} }), "call_timeout is not valid: give a number"),
        (json!({ "heartbeat": [1] }), "heartbeat is not valid: give a number"),
        (json!({ "driver_thread": "true" }), "driver_thread cannot be \"true\": give true or false"),
        (json!({ "backpressure_detection": "t" }), "backpressure_detection cannot be \"t\": give true or false"),
        (json!({ "driver_thread": 1 }), "driver_thread cannot be \"1\": give true or false"),
        (json!({ "connection_name": 1 }), "connection_name cannot be \"1\": give a text"),
        (json!({ "connection_name": ["n"] }), "connection_name is not valid: give a text"),
        (json!({ "auth_mechanism": 1 }), "auth_mechanism cannot be \"1\": give a text, or a list of texts"),
        (json!({ "auth_mechanism": [1] }), "auth_mechanism is not valid: give a text, or a list of texts"),
        (json!({ "client_properties": "{}" }), "client_properties is not valid: give a map"),
        (json!({ "tcp_options": [] }), "tcp_options is not valid: give a map"),
    ];
    for (map, expected) in cases {
        let error = read(map.clone()).unwrap_err();
        assert!(error.starts_with(expected) && !error.contains("4711"), "{map}: {error}");
    }
}

#[test]
fn every_key_has_the_type_that_its_documentation_says() {
    for key in keys() {
        let says = |word| key.allowed.contains(word);
        let expected = match key.access.form {
            Form::Object => says("a JSON object"),
            Form::Flag { no: "f", .. } => says("t or f"),
            Form::Flag { .. } => says("true or false"),
            Form::NumberOrNone => (says("number") || says("seconds")) && says("or none"),
            Form::Number => (says("a whole number") || says("seconds")) && !says("or none"),
            Form::Text => !["number", "seconds", "true or", "or none", "object"].into_iter().any(says),
        };
        assert!(expected, "{}: {:?}, {}", key.name, key.access.form, key.allowed);
    }
}

#[test]
fn lists_have_an_element_at_least_and_none_that_is_empty() {
    let cases = [
        (json!({ "endpoints": [] }), "endpoints is empty: give one at least"),
        (json!({ "endpoints": ["a", ""] }), "endpoints is empty"),
        (json!({ "endpoints": "" }), "endpoints is empty"),
        (json!({ "auth_mechanism": [] }), "auth_mechanism is empty: give one at least"),
        (json!({ "auth_mechanism": ["plain", ""] }), "auth_mechanism is empty"),
        (json!({ "auth_mechanism": "" }), "auth_mechanism is empty"),
    ];
    for (map, expected) in cases {
        let error = read(map.clone()).unwrap_err();
        assert!(error.starts_with(expected), "{map}: {error}");
    }
    // An element is one endpoint.
    let error = read(json!({ "endpoints": ["a", "b:x"] })).unwrap_err();
    assert!(error.contains("(endpoint 2)"), "{error}");
    read(json!({ "endpoints": ["a,b"] })).unwrap_err();
}

#[test]
fn a_name_that_comes_twice_is_refused_by_name_wherever_it_stands() {
    let cases = [
        (r#"{ "host": "a", "host": "b" }"#, "host"),
        (r#"{ "heartbeat": null, "heartbeat": 3 }"#, "heartbeat"),
        (r#"{ "auth_mechanism": "plain", "auth_mechanism": "external" }"#, "auth_mechanism"),
        (r#"{ "tls": { "certfile": "a", "certfile": "b" } }"#, "certfile"),
        (r#"{ "client_properties": { "team": 1, "team": 2 } }"#, "team"),
        (r#"{ "client_properties": { "within": [{ "line\n": 1, "line\n": 2 }] } }"#, "line\\n"),
    ];
    for (map, name) in cases {
        let error = from_str::<ConnectionParameters>(map).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the key {name} is given twice: give it once")), "{map}: {error}");
    }
}

#[test]
fn numbers_that_keep_all_their_digits_are_numbers() {
    // The form of serde_json with its feature `arbitrary_precision`.
    let number = |digits: &str| json!({ "$serde_json::private::Number": digits });
    let map = json!({
        "host": "h", "port": number("1"), "call_timeout": number("0.25"), "client_properties": { "n": number("3") },
    });
    assert_same(map, "amqp://h:1?call_timeout=0.25&client_properties=%7B%22n%22:3%7D");
    read(json!({ "host": "h", "port": number("one") })).unwrap_err();
}

#[test]
fn what_a_map_has_itself_goes_before_what_its_url_has() {
    let map =
        json!({ "url": "amqp://u:p@h:1/v?heartbeat=3&locale=de_DE", "heartbeat": 4, "host": "i", "password": "q" });
    assert_same(map, "amqp://u:q@i:1/v?heartbeat=4&locale=de_DE");
    let map = json!({ "url": "amqp://h?while_down=buffer&while_down_buffer=5", "while_down": "buffer" });
    assert_same(map, "amqp://h?while_down=buffer&while_down_buffer=5");
    let map = json!({ "url": "amqp://h?while_down=buffer", "while_down_buffer": 5 });
    assert_same(map, "amqp://h?while_down=buffer&while_down_buffer=5");
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
        (json!({ "password": ["hunter2", "hunter3"] }), "password is not valid"),
        (json!({ "password": "<redacted>" }), "redacted"),
        (json!({ "socket_timeout": 1, "connection_timeout": 1000 }), "sets the same"),
        (json!({ "tls": "hunter2" }), "true, false or a map"),
        (json!({ "tls": ["hunter2"] }), "true, false or a map"),
        (json!({ "client_properties": "hunter2" }), "client_properties is not valid"),
        (json!(3), "a URL or a map of connection parameters"),
    ];
    for (map, expected) in cases {
        let error = read(map.clone()).unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter"), "{map}: {error}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn what_is_about_tls_has_values_of_its_own_types_too() {
    let map =
        json!({ "host": "h", "tls": { "verify": null, "send_server_name": false, "server_name_indication": "n" } });
    assert_same(map, "amqps://h?server_name_indication=n&send_server_name=false");
    let map = json!({ "host": "h", "tls": { "ssl_options": { "certfile": "c", "keyfile": "k", "password": "s" } } });
    assert_same(map, "amqps://h?certfile=c&keyfile=k&password=s");
    for tls in [json!({ "password": 4711 }), json!({ "ssl_options": "4711" }), json!({ "certfile": ["4711"] })] {
        let error = read(json!({ "tls": tls })).unwrap_err();
        assert!(error.contains("is not valid: give a") && !error.contains("4711"), "{error}");
    }
    let error = read(json!({ "tls": { "heartbeat": 3 } })).unwrap_err();
    assert!(error.starts_with("unknown key \"heartbeat\""), "{error}");
}

#[test]
fn parameters_are_written_as_a_url_without_secrets() {
    assert_eq!(to_value(h().heartbeat(3)).unwrap(), "amqp://guest:<redacted>@h/%2F?heartbeat=3");
    let error = read(to_value(base()).unwrap()).unwrap_err();
    assert!(error.contains("redacted"), "{error}");
}

#[test]
fn what_is_written_reads_back_where_the_password_stands_beside_it() {
    let parameters = plain("a:b", "p@ss/word").heartbeat(3);
    let url = to_value(&parameters).unwrap();
    let read_back = read(json!({ "url": url, "password": "p@ss/word" })).unwrap();
    assert_eq!(everything(&read_back), everything(&parameters));
    // The user's name alone is no secret.
    let error = read(json!({ "url": url, "user": "c" })).unwrap_err();
    assert!(error.starts_with("password is not valid: it was redacted"), "{error}");
}

#[cfg(feature = "tls")]
#[test]
fn the_password_of_a_private_key_stands_beside_what_is_written_too() {
    let parameters = from_url("amqps://u:p@h?certfile=c&keyfile=k&password=s");
    let url = to_value(&parameters).unwrap();
    let read_back = read(json!({ "url": url, "password": "p", "tls": { "password": "s" } })).unwrap();
    let key_password = |parameters: &ConnectionParameters| {
        let password = parameters.tls.as_ref().and_then(|tls| tls.key_password.as_ref());
        password.map(|password| password.expose(str::to_owned))
    };
    assert_eq!(everything(&read_back), everything(&parameters));
    assert_eq!(key_password(&read_back).as_deref(), Some("s"));
    for beside in [json!({ "url": url, "password": "p" }), json!({ "url": url, "tls": { "password": "s" } })] {
        let error = read(beside).unwrap_err();
        assert!(error.starts_with("password is not valid: it was redacted"), "{error}");
    }
}

/// A format that is neither human-readable nor self-describing.
struct Binary<'a>(&'a str);

impl<'de> Deserializer<'de> for Binary<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("it has to be told what to read"))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.0)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.0.to_owned())
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[test]
fn a_format_that_is_not_for_people_has_the_url() {
    let url = "amqp://u:p@h/v?heartbeat=3";
    let read = ConnectionParameters::deserialize(Binary(url)).unwrap();
    assert_eq!(everything(&read), everything(&from_url(url)));
    let error = ConnectionParameters::deserialize(Binary("amqp://u:hunter2@h?hartbeat=3")).unwrap_err().to_string();
    assert!(error.contains("heartbeat") && !error.contains("hunter2"), "{error}");
}
