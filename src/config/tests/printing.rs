//! Parameters as text: a URL that reads back, and no secret anywhere.

use std::time::Duration;

use super::{base, everything, from_url, h, plain, refused};
use crate::config::keys::KEYS;
use crate::wire::Timestamp;

#[test]
fn a_secret_shows_in_no_text() {
    let parameters = from_url("amqp://user:hunter2@h/v?heartbeat=3");
    for text in [format!("{parameters:?}"), format!("{parameters:#?}"), parameters.to_string()] {
        assert!(!text.contains("hunter2") && text.contains("<redacted>"), "{text}");
    }
    let mistakes = [
        "user:hunter2@h",
        "user:hunter2://h@h",
        "amqps://user:hunter2@h",
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
        "amqp://user:hunter2@h?password=hunter2",
    ];
    for url in mistakes {
        let error = refused(url);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}: {error:?}");
    }
}

#[test]
fn what_is_printed_reads_back_once_the_password_is_put_in() {
    let cases = [
        (base(), "amqp://guest:<redacted>@localhost:5672/%2F"),
        (h().virtual_host(""), "amqp://guest:<redacted>@h:5672//"),
        (h().virtual_host("a/b +"), "amqp://guest:<redacted>@h:5672/a%2Fb%20%2B"),
        (base().host("::1"), "amqp://guest:<redacted>@[::1]:5672/%2F"),
        (base().host("fe80::1%eth0"), "amqp://guest:<redacted>@[fe80::1%25eth0]:5672/%2F"),
        (base().host("bücher.example"), "amqp://guest:<redacted>@b%C3%BCcher.example:5672/%2F"),
        (plain("@:/", "guest"), "amqp://%40%3A%2F:<redacted>@h:5672/%2F"),
        (h().heartbeat(0), "amqp://guest:<redacted>@h:5672/%2F?heartbeat=0"),
        (h().connect_timeout(None), "amqp://guest:<redacted>@h:5672/%2F?socket_timeout=none"),
        (
            h().connection_name("a&b").call_timeout(Duration::from_millis(20)).locale("x y"),
            "amqp://guest:<redacted>@h:5672/%2F?call_timeout=0.02&locale=x%20y&connection_name=a%26b",
        ),
    ];
    for (parameters, expected) in cases {
        let url = parameters.to_string();
        assert_eq!(url, expected);
        assert_eq!(everything(&from_url(&url.replace("<redacted>", "guest"))), everything(&parameters), "{url}");
    }
}

#[test]
fn every_field_that_text_can_carry_survives_printing() {
    let other = plain("u", "guest")
        .port(1)
        .virtual_host("v")
        .channel_max(1)
        .frame_max(8192)
        .heartbeat(1)
        .connect_timeout(Duration::from_nanos(1))
        .open_timeout(None)
        .call_timeout(None)
        .close_timeout(Duration::from_millis(1))
        .locale("de_DE")
        .connection_name("n")
        .write_high_water(3)
        .write_low_water(2)
        .max_unconfirmed(5)
        .max_message_size(6);
    let url = other.to_string();
    for key in KEYS.iter().filter(|key| key.name != "connection_timeout") {
        assert!(url.contains(key.name), "{} in {url}", key.name);
    }
    assert_eq!(everything(&from_url(&url.replace("<redacted>", "guest"))), everything(&other));
}

#[test]
fn client_properties_are_left_out_of_the_url() {
    let parameters = h().client_properties([("since", Timestamp::from_secs(1))]);
    assert_eq!(parameters.to_string(), "amqp://guest:<redacted>@h:5672/%2F");
}
