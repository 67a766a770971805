//! Tests of printed parameters: the URL reads back, and no secret is shown.

use std::time::Duration;

use super::{base, everything, from_url, h, plain};
use crate::config::url::keys;
use crate::config::{ChannelRecovery, Credentials, EndpointOrder, Heartbeat, Pem, Resend, Tls, WhileDown};
use crate::wire::Timestamp;

#[test]
fn a_secret_shows_in_no_text() {
    let parameters = from_url("amqp://user:hunter2@h/v?heartbeat=3");
    for text in [format!("{parameters:?}"), format!("{parameters:#?}"), parameters.to_string()] {
        assert!(!text.contains("hunter2") && text.contains("<redacted>"), "{text}");
    }
}

#[test]
fn what_is_printed_reads_back_once_the_password_is_put_in() {
    let cases = [
        (base(), "amqp://guest:<redacted>@localhost/%2F"),
        (h().virtual_host(""), "amqp://guest:<redacted>@h//"),
        (h().virtual_host("a/b +"), "amqp://guest:<redacted>@h/a%2Fb%20%2B"),
        (base().host("::1"), "amqp://guest:<redacted>@[::1]/%2F"),
        (base().host("fe80::1%eth0"), "amqp://guest:<redacted>@[fe80::1%25eth0]/%2F"),
        (base().host("bücher.example"), "amqp://guest:<redacted>@b%C3%BCcher.example/%2F"),
        (plain("@:/", "guest"), "amqp://%40%3A%2F:<redacted>@h/%2F"),
        (h().heartbeat(0), "amqp://guest:<redacted>@h/%2F?heartbeat=0"),
        (h().connect_timeout(None), "amqp://guest:<redacted>@h/%2F?socket_timeout=none"),
        (
            h().connection_name("a&b").call_timeout(Duration::from_millis(20)).locale("x y"),
            "amqp://guest:<redacted>@h/%2F?call_timeout=0.02&locale=x%20y&connection_name=a%26b",
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
    let seconds = Duration::from_secs;
    let other = plain("u", "guest")
        .port(1)
        .endpoint_order(EndpointOrder::Shuffled)
        .virtual_host("v")
        .credentials(Credentials::external().or(Credentials::plain("u", "guest")).erase_on_connect(true))
        .credentials_timeout(seconds(1))
        .connection_attempts(2)
        .retry_delay(Duration::ZERO)
        .connection_attempt_delay(Duration::from_millis(10))
        .connect_timeout(Duration::from_nanos(1))
        .tls_timeout(seconds(3))
        .handshake_timeout(seconds(4))
        .stack_timeout(None)
        .open_timeout(seconds(5))
        .call_timeout(None)
        .close_timeout(Duration::from_millis(1))
        .blocked_connection_timeout(seconds(6))
        .recovery_delay(seconds(15))
        .recovery_max_delay(seconds(16))
        .recovery_stable_after(seconds(17))
        .recovery_attempts(18)
        .recovery_timeout(seconds(19))
        .recovery_refusals(20)
        .recovery_record_limit(21)
        .while_down(WhileDown::Buffer(22))
        .down_timeout(seconds(23))
        .resend(Resend::All)
        .resend_limit(24)
        .channel_recovery(ChannelRecovery::All)
        .channel_max(1)
        .frame_max(8192)
        .heartbeat(1)
        .locale("de_DE")
        .client_properties([("team", "t")])
        .connection_name("n")
        .driver_thread(true)
        .tcp_nodelay(false)
        .tcp_keepalive(true)
        .tcp_keepalive_idle(seconds(7))
        .tcp_keepalive_interval(seconds(8))
        .tcp_keepalive_count(9)
        .tcp_user_timeout(seconds(10))
        .tcp_send_buffer(11)
        .tcp_receive_buffer(12)
        .local_address(std::net::IpAddr::from([127, 0, 0, 1]))
        .read_limit(13)
        .overflow_timeout(seconds(14))
        .write_high_water(3)
        .write_low_water(2)
        .max_unconfirmed(5)
        .write_limit(13)
        .max_message_size(6)
        .max_header_size(14)
        .default_prefetch(7)
        .backpressure_detection(true)
        .backpressure_multiplier(4);
    // Not `recovery`, which excludes `erase_on_connect`: the tests of recovery print it.
    let url = other.to_string();
    let is_about_tls = |name| base().tls(everything_of_tls()).to_string().contains(&format!("{name}="));
    for key in keys().filter(|key| !["connection_timeout", "tcp_options", "ssl_options"].contains(&key.name)) {
        assert!(url.contains(key.name) || is_about_tls(key.name), "{} in {url}", key.name);
    }
    assert_eq!(everything(&from_url(&url.replace("<redacted>", "guest"))), everything(&other));
}

fn everything_of_tls() -> Tls {
    let mut tls = Tls::default()
        .ca(Pem::file("/ca"))
        .certificate(Pem::file("/c"))
        .key(Pem::file("/k"))
        .key_password("hunter2")
        .server_name("n")
        .send_server_name(false)
        .dangerously_skip_verification();
    tls.fail_if_no_peer_cert = Some(true);
    tls
}

#[test]
fn settings_of_tls_are_printed_and_what_is_secret_is_not() {
    let printed = h().tls(everything_of_tls()).to_string();
    assert_eq!(
        printed,
        "amqps://guest:<redacted>@h/%2F?cacertfile=%2Fca&certfile=%2Fc&keyfile=%2Fk&password=<redacted>&verify=verify_none&\
         fail_if_no_peer_cert=true&server_name_indication=n&send_server_name=false"
    );
    let debug = format!("{:?}", h().tls(everything_of_tls().key(Pem::memory("hunter2"))));
    assert!(!debug.contains("hunter2"), "{debug}");
}

#[test]
fn what_text_cannot_carry_is_left_out_of_the_url() {
    let parameters = h().client_properties([("since", Timestamp::from_secs(1))]).heartbeat(Heartbeat::choose(|it| it));
    assert_eq!(parameters.to_string(), "amqp://guest:<redacted>@h/%2F");
    let parameters = h().credentials(Credentials::external());
    assert_eq!(parameters.to_string(), "amqp://h/%2F?auth_mechanism=external");
}
