//! What URLs give.

use std::time::Duration;

use super::{base, everything, from_url, h, plain};
use crate::config::{ConnectionParameters, Heartbeat};

#[test]
fn a_url_gives_the_parameters_that_it_names() {
    let cases = [
        ("amqp://", base()),
        ("amqp:///", base()),
        ("amqp:///%2f", base()),
        ("amqp://h", h()),
        ("amqp://h/", h()),
        ("amqp://h/%2F", h()),
        ("amqp://h/%2f", h()),
        ("amqp://h//", h().virtual_host("")),
        ("amqp://h/a%2Fb", h().virtual_host("a/b")),
        ("amqp://h/a%25b", h().virtual_host("a%b")),
        ("amqp://h/a+b", h().virtual_host("a+b")),
        ("amqp://h/vh%20x", h().virtual_host("vh x")),
        ("AMQP://H", h()),
        ("amqp://h:5673", h().port(5673)),
        ("amqp://:10000", base().port(10000)),
        ("amqp://h?", h()),
        ("amqp://h%2Dost.example", base().host("h-ost.example")),
        ("amqp://bücher.example", base().host("bücher.example")),
        ("amqp://:@h", plain("", "")),
        ("amqp://u:@h", plain("u", "")),
        ("amqp://u@h", plain("u", "guest")),
        ("amqp://u:p:q@h", plain("u", "p:q")),
        ("amqp://u:p@", plain("u", "p").host("localhost")),
        ("amqp://%40%40:%2F%2F@h", plain("@@", "//")),
        ("amqp://u+v:p%2Bq@h", plain("u+v", "p+q")),
        ("amqp://u:p%3Aq@h", plain("u", "p:q")),
        ("amqp://us%65r:%c3%bc@h", plain("user", "ü")),
        ("amqp://[::1]:5672/", base().host("::1")),
        ("amqp://[::1]", base().host("::1")),
        ("amqp://u:p@[2001:db8::1]:1/v", plain("u", "p").host("2001:db8::1").port(1).virtual_host("v")),
        ("amqp://[fe80::1%25eth0]", base().host("fe80::1%eth0")),
    ];
    for (url, expected) in cases {
        assert_eq!(everything(&from_url(url)), everything(&expected), "{url}");
    }
}

#[test]
fn each_key_sets_its_field() {
    let seconds = Duration::from_secs;
    let cases = [
        ("channel_max=7", h().channel_max(7)),
        ("frame_max=4096", h().frame_max(4096)),
        ("frame_max=4294967295", h().frame_max(u32::MAX)),
        ("heartbeat=7", h().heartbeat(7)),
        ("heartbeat=0", h().heartbeat(Heartbeat::Off)),
        ("socket_timeout=0.25", h().connect_timeout(Duration::from_millis(250))),
        ("socket_timeout=none", h().connect_timeout(None)),
        ("connection_timeout=250", h().connect_timeout(Duration::from_millis(250))),
        ("connection_timeout=none", h().connect_timeout(None)),
        ("stack_timeout=3", h().open_timeout(seconds(3))),
        ("call_timeout=none", h().call_timeout(None)),
        ("call_timeout=31536000", h().call_timeout(seconds(31_536_000))),
        ("close_timeout=1.5", h().close_timeout(Duration::from_millis(1500))),
        ("locale=en+UK", h().locale("en UK")),
        ("connection_name=a%26b%2B%C3%BC", h().connection_name("a&b+ü")),
        ("write_high_water=1", h().write_high_water(1)),
        (
            "write_low_water=9999999&write_high_water=10000000",
            h().write_low_water(9_999_999).write_high_water(10_000_000),
        ),
        ("max_unconfirmed=1", h().max_unconfirmed(1)),
        ("max_message_size=18446744073709551615", h().max_message_size(u64::MAX)),
        ("%68eartbeat=7", h().heartbeat(7)),
    ];
    for (query, expected) in cases {
        assert_eq!(everything(&from_url(&format!("amqp://h?{query}"))), everything(&expected), "{query}");
    }
}

#[test]
fn parameters_convert_from_strings_of_every_kind() {
    let url = "amqp://h".to_owned();
    let expected = everything(&h());
    assert_eq!(everything(&url.parse().unwrap()), expected);
    assert_eq!(everything(&ConnectionParameters::try_from(url.as_str()).unwrap()), expected);
    assert_eq!(everything(&ConnectionParameters::try_from(&url).unwrap()), expected);
    assert_eq!(everything(&ConnectionParameters::try_from(url).unwrap()), expected);
}
