//! Tests that errors show nothing that may be part of a secret, wherever a URL is wrong.

#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "a test may panic")]

use std::error::Error;

use super::{base, refused};
use crate::config::{ConnectionParameters, ParametersError, Pem, Tls};

/// The same text twice, so that one half stays whole whatever is inserted.
const SECRET: &str = "hunter2hunter2";

/// All forms in which a program can print an error.
fn shown(error: &ParametersError) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {} {:?}", error.key(), error.nearest());
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    text.to_ascii_lowercase()
}

fn check(url: &str) {
    if let Err(error) = ConnectionParameters::from_url(url) {
        let text = shown(&error);
        assert!(!text.contains("hunter2"), "{url}: {text}");
    }
}

#[test]
fn mistakes_around_a_secret_do_not_show_it() {
    let mistakes = [
        // Something is missing, or was not escaped.
        "user:hunter2@h",
        "user:hunter2://h@h",
        "hunter2://h",
        "amqp://user:hunter2/x@h/v",
        "amqp://user:hunter2?x@h",
        "amqp://user:hunter2#x@h",
        "amqp://user:x@hunter2@h",
        "amqp://user:x@y/hunter2@h/v",
        "amqp://user:x@y?hunter2@h",
        "amqp://user:x@y?hunter2=z@h",
        "amqp://user:hunter2%@h",
        "amqp://user:hunter2%00@h",
        "amqp://user:hunter2 @h",
        "amqp://user:hunter2@h:x",
        "amqp://user:hunter2",
        "amqp://user:hunter2,h",
        "amqp://user:1/hunter2/2",
        "amqp://user:1?hunter2",
        "amqp://user?hunter2",
        "amqp://user:1?heartbeat=hunter2",
        "amqp://user:hunter2@h?password=hunter2",
        // No `@`, or one `:` too many: what looks like a host may be a secret.
        "amqp://shop:hunter2:rabbit.example:5672",
        "amqp://[shop:hunter2",
        "amqp://[shop:hunter2]",
        "amqp://[::1]hunter2",
        "amqp://hunter2%2Cx",
        "amqp://hunter2%20x",
        "amqp://user:x@hunter2\\x",
        "amqp://user:x@hunter2:y:5672",
        "amqp://a,b:hunter2",
        // An `&` that was not escaped.
        "amqps://h?password=abc&hunter2",
        "amqps://h?password=abc&hunter2=x",
        "amqps://h?password=abc&heartbeat=hunter2",
        "amqps://h?certfile=c&p%61ssword=abc&hunter2",
        "amqps://h?pasword=abc&hunter2",
        "amqps://h?hunter2&password=abc",
        "amqp://h?client_properties={\"token\":\"abc&hunter2\"}",
        // JSON that is invalid, or has other contents.
        "amqp://h?client_properties={\"token\":\"hunter2\"",
        "amqp://h?client_properties={\"token\":\"hunter2\",\"token\":1}",
        "amqp://h?client_properties=hunter2",
        "amqps://h?certfile=c&password=hunter2&ssl_options=hunter2",
        "amqps://h?ssl_options=hunter2",
        "amqps://h?ssl_options={\"password\":\"hunter2\",\"x\":1}",
        "amqps://h?ssl_options={\"hunter2\":1}",
        "amqps://h?ssl_options={\"password\":\"hunter2\"",
        // The text of a key in place of its path.
        "amqps://h?certfile=c&keyfile=-----BEGIN%20PRIVATE%20KEY-----hunter2",
    ];
    for url in mistakes {
        let text = shown(&refused(url));
        assert!(!text.contains("hunter2"), "{url}: {text}");
    }
    let number = shown(&refused("amqp://shop:8675309"));
    assert!(!number.contains("8675309") && number.contains("port") && number.contains('@'), "{number}");
}

/// Valid URLs, with a secret in each place where one may be.
fn urls() -> Vec<String> {
    [
        "amqp://shop:HERE@rabbit.example:5672/orders?heartbeat=5",
        "amqp://shop:HERE@a:1,b:2",
        "amqp://shop:8HERE",
        "amqps://h/v?heartbeat=5&certfile=c&password=HERE&verify=verify_none",
        "amqps://h?ssl_options={\"certfile\":\"c\",\"password\":\"HERE\"}&heartbeat=5",
        "amqp://h?client_properties={\"token\":\"HERE\",\"a\":1}",
    ]
    .map(|url| url.replace("HERE", SECRET))
    .to_vec()
}

#[test]
fn no_single_slip_shows_a_secret() {
    for url in urls() {
        for (position, letter) in url.char_indices() {
            let (before, after) = url.split_at(position);
            check(before);
            check(after);
            let rest = after.get(letter.len_utf8()..).unwrap();
            check(&format!("{before}{rest}"));
            for inserted in [
                ":", "@", "/", "//", "?", "#", "[", "]", "%", "%zz", "&", "=", ",", "\\", "\"", "{", "}", " ", "\0",
                "x",
            ] {
                check(&format!("{before}{inserted}{after}"));
                check(&format!("{before}{inserted}{rest}"));
            }
        }
    }
}

/// The separators of the parts of a URL.
const DELIMITERS: &str = ":@/?&=,{}\"";

#[test]
fn no_two_slips_show_a_secret() {
    for url in urls() {
        let places: Vec<usize> =
            url.char_indices().filter(|(_, letter)| DELIMITERS.contains(*letter)).map(|(place, _)| place).collect();
        for (index, &first) in places.iter().enumerate() {
            for &second in &places[index + 1..] {
                let (before, between, after) = (&url[..first], &url[first + 1..second], &url[second + 1..]);
                for one in ["", ":", "@", "/", "?", "&", "="] {
                    for other in ["", ":", "@", "/", "?", "&", "="] {
                        check(&format!("{before}{one}{between}{other}{after}"));
                    }
                }
            }
        }
    }
}

#[test]
fn a_value_is_shown_where_no_secret_can_be_in_it() {
    for (url, expected) in [
        ("amqp://u:p@h:5672?heartbeat=x", "\"x\""),
        ("amqp://h?heartbeat=x", "\"x\""),
        // A name that is near a key is a typing mistake.
        ("amqps://h?password=p&hartbeat=1", "\"hartbeat\""),
    ] {
        let error = refused(url);
        assert!(error.to_string().contains(expected) || cfg!(not(feature = "tls")), "{url}: {error}");
    }
    for url in ["amqp://shop:1?hunter2", "amqp://shop?hunter2"] {
        assert_eq!(refused(url).key(), "a key of the query");
    }
}

#[test]
fn fields_that_were_given_something_else_do_not_show_it() {
    let pem = || Pem::file(format!("-----BEGIN PRIVATE KEY-----\n{SECRET}"));
    let wrong = [
        base().host("amqp://shop:hunter2@h"),
        base().host("shop:hunter2"),
        base().virtual_host("hunter2".repeat(40)),
        base().tls(Tls::default().certificate(Pem::file("c")).key(pem())),
        base().tls(Tls::default().ca(pem())),
    ];
    for parameters in wrong {
        let text = shown(&parameters.validate().unwrap_err());
        assert!(!text.contains("hunter2"), "{text}");
    }
    let parameters = base().tls(Tls::default().certificate(pem()).key(pem()));
    let text = format!("{parameters} {parameters:?} {parameters:#?}");
    assert!(!text.contains("hunter2"), "{text}");
}
