//! Tests of the parameters of recovery: what goes together, and that every value survives printing.

use std::time::Duration;

use proptest::prelude::*;

use super::{base, everything, from_url, h, refused};
use crate::config::ParametersErrorKind::{Conflict, OutOfRange};
use crate::config::{ChannelRecovery, ConnectionParameters, Credentials, Provided, Recovery, Resend, WhileDown};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn nothing_is_recovered_unless_it_is_asked_for() {
    let settings = base().recovery_settings();
    assert_eq!(settings.recovery, Recovery::None);
    assert_eq!(settings.resend, Resend::None);
    assert_eq!(settings.channel_recovery, ChannelRecovery::None);
    assert_eq!(from_url("amqp://h?recovery=topology").recovery_settings().recovery, Recovery::Topology);
}

#[test]
fn the_settings_are_what_the_fields_are() {
    let settings = h()
        .recovery(Recovery::Connection)
        .recovery_delay(SECOND)
        .recovery_max_delay(2 * SECOND)
        .recovery_stable_after(3 * SECOND)
        .recovery_attempts(4)
        .recovery_timeout(5 * SECOND)
        .recovery_refusals(6)
        .recovery_record_limit(7)
        .while_down(WhileDown::Buffer(8))
        .down_timeout(9 * SECOND)
        .resend(Resend::NotSent)
        .resend_limit(10)
        .channel_recovery(ChannelRecovery::AckTimeout)
        .recovery_settings();
    let expected = "RecoverySettings { recovery: Connection, delay: 1s, max_delay: 2s, stable_after: 3s, attempts: Some(4), \
                    timeout: Some(5s), refusals: 6, record_limit: 7, while_down: Buffer(8), down_timeout: 9s, \
                    resend: NotSent, resend_limit: 10, channel_recovery: AckTimeout }";
    assert_eq!(format!("{settings:?}"), expected);
}

#[test]
fn the_first_delay_is_at_most_the_longest() {
    let same = h().recovery_delay(30 * SECOND);
    assert_eq!(same.validate(), Ok(()));
    let error = h().recovery_delay(31 * SECOND).validate().unwrap_err();
    assert_eq!((error.kind(), error.key()), (OutOfRange, "recovery_delay"));
    let expected = "recovery_delay cannot be \"1\": allowed is at most recovery_max_delay, which is 0.5 s";
    assert_eq!(refused("amqp://h?recovery_max_delay=0.5").to_string(), expected);
}

#[test]
fn a_password_that_is_erased_after_use_and_recovery_exclude_each_other() {
    for recovery in [Recovery::Connection, Recovery::Topology] {
        let erased = h().recovery(recovery).credentials(Credentials::plain("u", "p").erase_on_connect(true));
        let error = erased.validate().unwrap_err();
        assert_eq!((error.kind(), error.key()), (Conflict, "erase_on_connect"), "{error}");
        assert!(error.to_string().contains("a provider of credentials"), "{error}");
        assert_eq!(erased.recovery(Recovery::None).validate(), Ok(()));
    }
    let error = refused("amqp://u:hunter2@h?erase_on_connect=true&recovery=topology").to_string();
    assert!(error.contains("recovery") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_provider_or_a_mechanism_without_password_allows_recovery_although_passwords_are_erased() {
    let provided = Credentials::provided_by(|| async { Ok(Provided::from(Credentials::plain("u", "p"))) });
    for credentials in [provided.clone(), provided.or(Credentials::plain("u", "p")), Credentials::external()] {
        let parameters = h().recovery(Recovery::Topology).credentials(credentials.erase_on_connect(true));
        assert_eq!(parameters.validate(), Ok(()));
    }
    let fallback = Credentials::external().or(Credentials::plain("u", "p")).erase_on_connect(true);
    assert!(h().recovery(Recovery::Topology).credentials(fallback).validate().is_err());
}

#[test]
fn how_much_is_buffered_is_said_with_the_policy_alone() {
    let buffer = from_url("amqp://h?while_down_buffer=3&while_down=buffer");
    assert_eq!(buffer.while_down, WhileDown::Buffer(3), "the order in the URL does not count");
    assert_eq!(from_url("amqp://h?while_down=buffer").while_down, WhileDown::Buffer(8 * 1024 * 1024));
    let expected = "while_down_buffer is not valid: it is for while_down=buffer: give that too, or leave this out";
    for policy in ["", "&while_down=fail"] {
        assert_eq!(refused(&format!("amqp://h?while_down_buffer=3{policy}")).to_string(), expected);
    }
}

#[test]
fn a_word_that_is_none_of_a_key_is_an_error_that_lists_them() {
    let cases = [
        ("recovery=yes", "recovery cannot be \"yes\": allowed is none, connection or topology"),
        ("while_down=0", "while_down cannot be \"0\": allowed is wait, fail or buffer"),
        ("resend=NotSent", "resend cannot be \"NotSent\": allowed is none, not_sent or all"),
        ("channel_recovery=true", "channel_recovery cannot be \"true\": allowed is none, ack_timeout or all"),
    ];
    for (query, expected) in cases {
        assert_eq!(refused(&format!("amqp://h?{query}")).to_string(), expected);
    }
}

#[test]
fn closures_are_printed_by_their_names_and_not_in_the_url() {
    let with = h().recovery_filter(|_| true).recover_when(|_| true);
    let debug = format!("{with:?}");
    assert!(debug.contains("Some(RecoverWhen(..))") && debug.contains("Some(RecoveryFilter(..))"), "{debug}");
    assert_eq!(with.to_string(), h().to_string());
}

/// Seconds with decimals within the bounds of a deadline.
fn deadline() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (1_u64..1_000_000_000).prop_map(Duration::from_nanos),
        (1_u64..=31_536_000).prop_map(Duration::from_secs),
        (1_u64..31_536_000_000).prop_map(Duration::from_millis),
    ]
}

fn delays() -> impl Strategy<Value = (Duration, Duration)> {
    (deadline(), deadline()).prop_map(|(one, other)| (one.min(other), one.max(other)))
}

fn while_down() -> impl Strategy<Value = WhileDown> {
    prop_oneof![Just(WhileDown::Wait), Just(WhileDown::Fail), (1..=usize::MAX).prop_map(WhileDown::Buffer)]
}

prop_compose! {
    fn parameters()(
        recovery in prop::sample::select(vec![Recovery::None, Recovery::Connection, Recovery::Topology]),
        (delay, max_delay) in delays(),
        stable_after in deadline(),
        attempts in prop::option::of(1..=u32::MAX),
        timeout in prop::option::of(deadline()),
        refusals in 1..=u32::MAX,
        record_limit in 1..=usize::MAX,
        while_down in while_down(),
        down_timeout in deadline(),
        resend in prop::sample::select(vec![Resend::None, Resend::NotSent, Resend::All]),
        resend_limit in 1..=usize::MAX,
        channel_recovery in
            prop::sample::select(vec![ChannelRecovery::None, ChannelRecovery::AckTimeout, ChannelRecovery::All]),
    ) -> ConnectionParameters {
        h()
            .recovery(recovery)
            .recovery_delay(delay)
            .recovery_max_delay(max_delay)
            .recovery_stable_after(stable_after)
            .recovery_attempts(attempts)
            .recovery_timeout(timeout)
            .recovery_refusals(refusals)
            .recovery_record_limit(record_limit)
            .while_down(while_down)
            .down_timeout(down_timeout)
            .resend(resend)
            .resend_limit(resend_limit)
            .channel_recovery(channel_recovery)
    }
}

proptest! {
    #[test]
    fn every_combination_of_valid_values_reads_back_from_the_url_that_it_is_printed_as(parameters in parameters()) {
        prop_assert_eq!(parameters.validate(), Ok(()));
        let read = from_url(&parameters.to_string().replace("<redacted>", "guest"));
        prop_assert_eq!(read.recovery_settings(), parameters.recovery_settings());
        prop_assert_eq!(everything(&read), everything(&parameters));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn every_combination_of_valid_values_is_written_and_read_by_serde(parameters in parameters()) {
        let url = serde_json::to_value(&parameters).unwrap();
        let map = serde_json::json!({ "url": url, "password": "guest" });
        let read: ConnectionParameters = serde_json::from_value(map).unwrap();
        prop_assert_eq!(everything(&read), everything(&parameters));
    }
}
