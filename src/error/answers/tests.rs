//! Texts that brokers really send, and their rows. Each row of the table is met.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::{Answer, TABLE, fits};
use crate::protocol::ReplyCode;

/// Code, text, whether the reason is temporary, and words of the hint.
type Said = (u16, &'static str, bool, &'static str);

#[rustfmt::skip]
const SAID: &[Said] = &[
    (311, "CONTENT_TOO_LARGE", false, "less at a time"),
    (312, "NO_ROUTE", false, "bind a queue"),
    (313, "NO_CONSUMERS", true, "when there is a consumer"),
    (320, "CONNECTION_FORCED - credential expired", true, "fresh credentials"),
    (320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", true, "an operator"),
    (320, "CONNECTION_FORCED - Closed via management plugin", true, "an operator"),
    (320, "CONNECTION_FORCED - vhost 'shop' is down", true, "an operator"),
    (320, "CONNECTION_FORCED - user 'shop' is deleted", true, "an operator"),
    (402, "INVALID_PATH - unknown", false, "virtual host"),
    (403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.", false, "user and password"),
    (403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", false, "amq. are the broker's"),
    (403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'", false, "amq. are the broker's"),
    (403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", true, "another consumer"),
    (403, "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed", false, "cannot be deleted"),
    (403, "ACCESS_REFUSED - operation not permitted on the default exchange", false, "default exchange"),
    (403, "ACCESS_REFUSED - cannot publish to internal exchange 'i' in vhost '/'", false, "bound to"),
    (403, "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'shop'", false, "lacks a permission"),
    (403, "ACCESS_REFUSED - configure access to queue 'q' in vhost '/' refused for user 'shop'", false, "lacks a permission"),
    (403, "ACCESS_REFUSED - write access to topic 'a.b' in exchange 'x' in vhost '/' refused for user 'shop'", false, "lacks a permission"),
    (403, "ACCESS_REFUSED - because", false, "does not allow"),
    (404, "NOT_FOUND - failed to perform operation on queue 'q' in vhost '/' due to timeout", true, "after a pause"),
    (404, "NOT_FOUND - failed to perform operation on queue 'q' in vhost '/': its leader rabbit@b may be stopping or being demoted", true, "after a pause"),
    (404, "NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible", true, "after a pause"),
    (404, "NOT_FOUND - queue 'q' in vhost '/' process is stopped by supervisor", true, "after a pause"),
    (404, "NOT_FOUND - queue 'q' in vhost '/' has crashed and failed to restart", true, "after a pause"),
    (404, "NOT_FOUND - no previously declared queue", false, "name"),
    (404, "NOT_FOUND - no queue 'q' in vhost '/'", false, "declare what is missing"),
    (404, "NOT_FOUND - no exchange 'due to timeout' in vhost '/'", false, "declare what is missing"),
    (405, "RESOURCE_LOCKED - cannot obtain access to locked queue 'q' in vhost '/'. basic.get operations are not supported by quorum queues with single active consumer", false, "consume instead"),
    (405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", true, "another connection"),
    (406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000 ms. This timeout value can be configured, see consumers doc guide to learn more", true, "consumer_timeout"),
    (406, "PRECONDITION_FAILED - stream queue 's' in vhost '/' does not have a running replica on the local node", true, "after a pause"),
    (406, "PRECONDITION_FAILED - queue 's' in vhost '/' does not have a running replica on the local node", true, "after a pause"),
    (406, "PRECONDITION_FAILED - failed consuming from stream queue 's' in vhost '/': noproc", true, "after a pause"),
    (406, "PRECONDITION_FAILED - message size 134217729 is larger than configured max size 134217728", false, "max_message_size"),
    (406, "PRECONDITION_FAILED - message size 16777217 is larger than max size 16777216", false, "max_message_size"),
    (406, "PRECONDITION_FAILED - unknown delivery tag 99", false, "settle each delivery once"),
    (406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'", false, "another name"),
    (406, "PRECONDITION_FAILED - invalid expiration 'soon': no_integer", false, "milliseconds"),
    (406, "PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}", false, "properties or headers"),
    (406, "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'shop'", false, "user_id"),
    (406, "PRECONDITION_FAILED - consumer prefetch count is not set for 'queue 's' in vhost '/''", false, "basic_qos"),
    (406, "PRECONDITION_FAILED - consumer prefetch count is not set for stream queue 's' in vhost '/'", false, "basic_qos"),
    (406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode", false, "another one"),
    (406, "PRECONDITION_FAILED - channel is not transactional", false, "tx_select"),
    (406, "PRECONDITION_FAILED - transaction has reached the maximum of 65536 uncommitted publishes", false, "commit"),
    (406, "PRECONDITION_FAILED - partial tx completion", false, "a part may be done"),
    (406, "PRECONDITION_FAILED - queue 'q' in vhost '/' in use", false, "consumers"),
    (406, "PRECONDITION_FAILED - exchange 'x' in vhost '/' in use", false, "bound"),
    (406, "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty", false, "purge"),
    (406, "PRECONDITION_FAILED - fast reply consumer does not exist", false, "amq.rabbitmq.reply-to"),
    (406, "PRECONDITION_FAILED - reply consumer already set", false, "amq.rabbitmq.reply-to"),
    (406, "PRECONDITION_FAILED - reply consumer cannot acknowledge", false, "no_ack"),
    (406, "PRECONDITION_FAILED - unknown exchange type 'x-nonsense'", false, "plugin"),
    (406, "PRECONDITION_FAILED - invalid exchange type ''", false, "plugin"),
    (406, "PRECONDITION_FAILED - cannot declare queue 'q': queue limit in vhost '/' (10) is reached", false, "raise the limit"),
    (406, "PRECONDITION_FAILED - cannot declare exchange 'x' in vhost '/': exchange limit of 10 is reached", false, "raise the limit"),
    (406, "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue", false, "a name"),
    (406, "PRECONDITION_FAILED - Invalid x-match field type longstr; expected longstr", false, "arguments"),
    (406, "PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'q' in vhost '/' of queue type rabbit_classic_queue", false, "arguments"),
    (406, "PRECONDITION_FAILED - something new", false, "request what exists"),
    (501, "FRAME_ERROR - Malformed UTF-8 in shortstr", false, "UTF-8"),
    (501, "FRAME_ERROR - type 4, all octets = <<>>: unknown_frame", false, "report it"),
    (502, "SYNTAX_ERROR", false, "report it"),
    (503, "COMMAND_INVALID - unknown exchange type 'DIRECT'", false, "plugin"),
    (503, "COMMAND_INVALID - invalid exchange type ''", false, "plugin"),
    (503, "COMMAND_INVALID - unimplemented method", false, "correct"),
    (504, "CHANNEL_ERROR - unexpected command while processing 'tx.commit'", false, "before the answer"),
    (504, "CHANNEL_ERROR - second 'channel.open' seen", false, "report it"),
    (505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead", false, "report it"),
    (506, "RESOURCE_ERROR - partial tx completion", false, "a part may be done"),
    (506, "RESOURCE_ERROR - Stream coordinator unavailable for queue 's' in vhost '/'", true, "after a pause"),
    (530, "NOT_ALLOWED - vhost  not found", false, "%2F"),
    (530, "NOT_ALLOWED - access to vhost '' refused for user 'shop'", false, "%2F"),
    (530, "NOT_ALLOWED - access to vhost 'shop' refused for user 'shop': connection limit (10) is reached", true, "limit"),
    (530, "NOT_ALLOWED - access to vhost 'shop' refused for user 'shop': connection limit cannot be queried, timeout", true, "limit"),
    (530, "NOT_ALLOWED - connection refused for user 'shop': user connection limit (1) is reached", true, "limit"),
    (530, "NOT_ALLOWED - connection refused: node connection limit (10) is reached", true, "limit"),
    (530, "NOT_ALLOWED - access to vhost 'shop' refused for user 'shop': vhost 'shop' is down", true, "down"),
    (530, "NOT_ALLOWED - access to vhost 'shop' refused for user 'shop'", false, "that the user may access it"),
    (530, "NOT_ALLOWED - vhost shop not found", false, "exists"),
    (530, "NOT_ALLOWED - number of channels opened (3) has reached the negotiated channel_max (3)", false, "channel_max"),
    (530, "NOT_ALLOWED - number of channels opened on node 'rabbit@a' has reached the maximum allowed limit of 100", true, "other channels"),
    (530, "NOT_ALLOWED - number of channels opened for user 'shop' has reached the maximum allowed user limit of (2)", true, "other channels"),
    (530, "NOT_ALLOWED - attempt to reuse consumer tag 'mine'", false, "another tag"),
    (530, "NOT_ALLOWED - reached maximum (1000) of consumers per channel", false, "further channels"),
    (530, "NOT_ALLOWED - New secret was refused by one of the backends", false, "secret"),
    (530, "NOT_ALLOWED - Secret update failed", false, "secret"),
    (530, "NOT_ALLOWED - something new", false, "correct"),
    (540, "NOT_IMPLEMENTED - immediate=true", false, "without immediate"),
    (540, "NOT_IMPLEMENTED - prefetch_size!=0 (1)", false, "prefetch_count"),
    (540, "NOT_IMPLEMENTED - basic.get not supported by stream queues queue 's' in vhost '/'", false, "stream"),
    (540, "NOT_IMPLEMENTED - basic.nack and basic.reject not supported by stream queues queue 's' in vhost '/'", false, "stream"),
    (540, "NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queue 's' in vhost '/'", false, "stream"),
    (540, "NOT_IMPLEMENTED - active=false", false, "do without"),
    (541, "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\nIts use is not permitted per the configuration", false, "permit it"),
    (541, "INTERNAL_ERROR - Feature `global_qos` is removed; its use is not possible anymore.\n", false, "replaces it"),
    (541, "INTERNAL_ERROR - access to vhost 'shop' refused for user 'shop': vhost 'shop' is down", true, "down"),
    (541, "INTERNAL_ERROR - vhost 'shop' is down", true, "down"),
    (541, "INTERNAL_ERROR - Could not declare queue 'q' in vhost '/' on node 'rabbit@a' because the metadata store operation timed out", true, "majority"),
    (541, "INTERNAL_ERROR - Cannot get a message from queue 'q': {nodedown,rabbit@b}", true, "see its log"),
    (541, "INTERNAL_ERROR", true, "see its log"),
];

#[test]
fn each_text_of_a_broker_is_known_for_what_it_is() {
    for (code, text, passes, hint) in SAID {
        let answer = Answer::find(ReplyCode::new(*code), text).unwrap();
        assert!(answer.passes == *passes && answer.hint.contains(hint), "{code} {text}: {answer:?}");
    }
}

#[test]
fn each_row_is_the_answer_to_something() {
    for row in TABLE {
        let is_met = |(code, text, ..): &Said| Answer::find(ReplyCode::new(*code), text) == Some(row);
        assert!(SAID.iter().any(is_met), "never met: {row:?}");
    }
}

#[test]
fn hints_are_half_sentences() {
    for Answer { hint, .. } in TABLE {
        assert!(!hint.is_empty() && !hint.ends_with('.') && !hint.contains('\n') && hint.is_ascii(), "{hint}");
        assert!(hint.starts_with(|first: char| first.is_ascii_lowercase()), "{hint}");
    }
}

#[test]
fn a_code_without_a_row_is_no_answer_of_a_broker() {
    for code in [0, 200, 999] {
        assert_eq!(Answer::find(ReplyCode::new(code), "anything"), None);
    }
}

#[test]
fn a_pattern_fits_from_the_beginning_on() {
    assert!(fits("queue 'q' in use", "queue '*in use") && fits("anything", ""));
    assert!(!fits("no queue 'q' in use", "queue '*in use") && !fits("queue 'q'", "queue '*in use"));
    assert!(fits("queue 'in use' not empty", "queue '*in use*empty") && !fits("queue", "queue '*"));
}
