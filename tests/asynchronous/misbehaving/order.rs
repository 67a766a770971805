//! Methods that are right in themselves and wrong where they come.

use leveret::protocol::{basic, channel, confirm, connection, exchange, queue, tx};
use leveret::{ErrorKind, ReplyCode};
use leveret_test_support::{start, tune};

use super::case::When::{Calling, ChannelOpening, Confirming, Consuming, Getting, Open, Subscribing};
use super::case::{Case, NO_METHOD, Says, When, sends};
use super::octets::{body, header, method};
use super::play;
use super::script::{BODY, deliver};

const INVALID: ReplyCode = ReplyCode::COMMAND_INVALID;

const ACK: (u16, u16) = (60, 80);
const DELIVER: (u16, u16) = (60, 60);
const NACK: (u16, u16) = (60, 120);

pub(super) fn table() -> Vec<Case> {
    let tables = [
        unasked(),
        of_the_clients(),
        of_the_connection(),
        wrong_channel(),
        opening(),
        wrong_replies(),
        consuming(),
        confirming(),
    ];
    tables.into_iter().flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn methods_out_of_order_are_answered_with_the_code_of_what_is_wrong() {
    play(table()).await;
}

type Row = (&'static str, (u16, u16), Vec<u8>);

fn invalid(at: When, rows: Vec<Row>) -> Vec<Case> {
    rows.into_iter().map(|(name, ids, octets)| sends(at, name, octets).breaks(INVALID, ids)).collect()
}

/// Every reply of the protocol, where nobody asked for anything.
fn replies() -> Vec<Row> {
    vec![
        ("channel.open-ok", (20, 11), method(1, channel::OpenOk::default())),
        ("channel.flow-ok", (20, 21), method(1, channel::FlowOk::default())),
        ("channel.close-ok", (20, 41), method(1, channel::CloseOk::default())),
        ("exchange.declare-ok", (40, 11), method(1, exchange::DeclareOk::default())),
        ("exchange.delete-ok", (40, 21), method(1, exchange::DeleteOk::default())),
        ("exchange.bind-ok", (40, 31), method(1, exchange::BindOk::default())),
        ("exchange.unbind-ok", (40, 51), method(1, exchange::UnbindOk::default())),
        ("queue.declare-ok", (50, 11), method(1, queue::DeclareOk::default())),
        ("queue.bind-ok", (50, 21), method(1, queue::BindOk::default())),
        ("queue.purge-ok", (50, 31), method(1, queue::PurgeOk::default())),
        ("queue.delete-ok", (50, 41), method(1, queue::DeleteOk::default())),
        ("queue.unbind-ok", (50, 51), method(1, queue::UnbindOk::default())),
        ("basic.qos-ok", (60, 11), method(1, basic::QosOk::default())),
        ("basic.consume-ok", (60, 21), method(1, basic::ConsumeOk::default())),
        ("basic.cancel-ok", (60, 31), method(1, basic::CancelOk::default())),
        // The method alone: the client does not wait for content that nobody wants.
        ("basic.get-ok", (60, 71), method(1, basic::GetOk::default())),
        ("basic.get-empty", (60, 72), method(1, basic::GetEmpty::default())),
        ("basic.recover-ok", (60, 111), method(1, basic::RecoverOk::default())),
        ("confirm.select-ok", (85, 11), method(1, confirm::SelectOk::default())),
        ("tx.select-ok", (90, 11), method(1, tx::SelectOk::default())),
        ("tx.commit-ok", (90, 21), method(1, tx::CommitOk::default())),
        ("tx.rollback-ok", (90, 31), method(1, tx::RollbackOk::default())),
    ]
}

fn unasked() -> Vec<Case> {
    let rest = vec![
        ("basic.ack", ACK, method(1, basic::Ack::default().delivery_tag(1))),
        ("basic.nack", NACK, method(1, basic::Nack::default().delivery_tag(1))),
    ];
    let mut cases = invalid(Open, replies().into_iter().chain(rest).collect());
    // Nobody waits for anything there but for the end of the connection.
    cases.push(sends(Open, "basic.deliver", method(1, deliver(1))).draws([(1, "channel.close")]));
    cases
}

/// What only clients say.
fn of_the_clients() -> Vec<Case> {
    let rows = vec![
        ("connection.start-ok", (10, 11), method(0, connection::StartOk::default())),
        ("connection.secure-ok", (10, 21), method(0, connection::SecureOk::default())),
        ("connection.tune-ok", (10, 31), method(0, connection::TuneOk::default())),
        ("connection.open", (10, 40), method(0, connection::Open::default())),
        ("connection.update-secret", (10, 70), method(0, connection::UpdateSecret::default())),
        ("channel.open", (20, 10), method(1, channel::Open::default())),
        ("exchange.declare", (40, 10), method(1, exchange::Declare::default())),
        ("queue.declare", (50, 10), method(1, queue::Declare::default())),
        ("basic.qos", (60, 10), method(1, basic::Qos::default())),
        ("basic.consume", (60, 20), method(1, basic::Consume::default())),
        ("basic.publish", (60, 40), method(1, basic::Publish::default())),
        ("basic.get", (60, 70), method(1, basic::Get::default())),
        ("basic.reject", (60, 90), method(1, basic::Reject::default())),
        ("basic.recover", (60, 110), method(1, basic::Recover::default())),
        ("confirm.select", (85, 10), method(1, confirm::Select::default())),
        ("tx.commit", (90, 20), method(1, tx::Commit::default())),
        ("queue.purge on channel 0", (50, 30), method(0, queue::Purge::default())),
    ];
    invalid(Calling, rows)
}

/// The handshake again, and what belongs to the connection on a channel (AMQP 0-9-1 §4.2.3: 503,
/// whatever the channel).
fn of_the_connection() -> Vec<Case> {
    let rows = vec![
        ("start again", (10, 10), method(0, start("PLAIN"))),
        ("secure again", (10, 20), method(0, connection::Secure::default())),
        ("tune again", (10, 30), method(0, tune())),
        ("open-ok again", (10, 41), method(0, connection::OpenOk::default())),
        ("connection.close-ok that agrees to nothing", (10, 51), method(0, connection::CloseOk::default())),
        ("update-secret-ok that nobody asked for", (10, 71), method(0, connection::UpdateSecretOk::default())),
        ("connection.close on channel 1", (10, 50), method(1, connection::Close::default())),
        ("connection.close-ok on channel 1", (10, 51), method(1, connection::CloseOk::default())),
        ("connection.blocked on channel 1", (10, 60), method(1, connection::Blocked::default())),
        ("connection.unblocked on channel 1", (10, 61), method(1, connection::Unblocked::default())),
        ("connection.close on a channel that is not open", (10, 50), method(2, connection::Close::default())),
        ("connection.blocked on a channel that is not open", (10, 60), method(9, connection::Blocked::default())),
    ];
    invalid(Calling, rows)
}

fn wrong_channel() -> Vec<Case> {
    let rows = [
        ("channel.close on channel 0", method(0, channel::Close::default())),
        ("channel.open-ok on channel 0", method(0, channel::OpenOk::default())),
        ("the reply on channel 0", method(0, queue::DeclareOk::default())),
        ("the reply on channel 2", method(2, queue::DeclareOk::default())),
        ("channel.open-ok on channel 2", method(2, channel::OpenOk::default())),
        ("channel.close on channel 2", method(2, channel::Close::default())),
        ("channel.close-ok on channel 2", method(2, channel::CloseOk::default())),
        ("a delivery on channel 2", method(2, deliver(1))),
        ("an ack on channel 2", method(2, basic::Ack::default().delivery_tag(1))),
        ("an ack on channel 0", method(0, basic::Ack::default().delivery_tag(1))),
        ("channel.flow on the last channel", method(u16::MAX, channel::Flow::default())),
    ];
    let breaks = |(name, octets)| sends(Calling, name, octets).breaks(ReplyCode::CHANNEL_ERROR, NO_METHOD);
    rows.into_iter().map(breaks).collect()
}

/// On a channel that is opening, the broker has nothing to say but open-ok and close.
fn opening() -> Vec<Case> {
    let rows = vec![
        ("channel.close-ok", (20, 41), method(1, channel::CloseOk::default())),
        ("channel.flow", (20, 20), method(1, channel::Flow::default().active(true))),
        ("queue.declare-ok", (50, 11), method(1, queue::DeclareOk::default())),
        ("basic.cancel", (60, 30), method(1, basic::Cancel::default().consumer_tag("c"))),
        ("basic.return", (60, 50), method(1, basic::Return::default())),
        ("basic.deliver", DELIVER, method(1, deliver(1))),
        ("basic.get-ok", (60, 71), method(1, basic::GetOk::default())),
        ("basic.get-empty", (60, 72), method(1, basic::GetEmpty::default())),
        ("basic.ack", ACK, method(1, basic::Ack::default().delivery_tag(1))),
        ("basic.nack", NACK, method(1, basic::Nack::default().delivery_tag(1))),
    ];
    let mut cases = invalid(ChannelOpening, rows);
    let elsewhere = sends(ChannelOpening, "open-ok of another channel", method(2, channel::OpenOk::default()));
    cases.push(elsewhere.breaks(ReplyCode::CHANNEL_ERROR, NO_METHOD));
    cases.push(
        sends(ChannelOpening, "open-ok twice", method(1, channel::OpenOk::default()).repeat(2))
            .completes(Says::Close(INVALID, (20, 11))),
    );
    cases
}

/// Replies to something else than what was asked.
fn wrong_replies() -> Vec<Case> {
    let declare_ok = || method(1, queue::DeclareOk::default());
    let other = |name: &str| replies().into_iter().filter(|row| row.0 != name).collect::<Vec<Row>>();
    let got = [method(1, basic::GetOk::default().delivery_tag(1)), header(1, 10), body(1, BODY)].concat();
    let taken = method(1, basic::ConsumeOk::default().consumer_tag("c"));
    let early = [method(1, deliver(1).consumer_tag("d")), header(1, 10), body(1, BODY)].concat();
    let mut cases = invalid(Calling, other("queue.declare-ok"));
    cases.extend(invalid(Getting, vec![("the reply to another call", (50, 11), declare_ok())]));
    cases.extend(invalid(
        Subscribing,
        vec![
            ("the reply to another call", (60, 72), method(1, basic::GetEmpty::default())),
            ("the tag of another consumer", (60, 21), taken),
        ],
    ));
    cases.extend([
        sends(Subscribing, "a delivery before consume-ok", early).passes(),
        sends(Calling, "the reply twice", declare_ok().repeat(2)).completes(Says::Close(INVALID, (50, 11))),
        sends(Getting, "the message twice", got.repeat(2)).completes(Says::Close(INVALID, (60, 71))),
        sends(Getting, "a message and then none", [got, method(1, basic::GetEmpty::default())].concat())
            .completes(Says::Close(INVALID, (60, 72))),
    ]);
    cases
}

fn consuming() -> Vec<Case> {
    let cancel = || basic::Cancel::default().consumer_tag("c");
    let mut cases = invalid(
        Consuming,
        vec![
            ("cancel-ok that nobody asked for", (60, 31), method(1, basic::CancelOk::default().consumer_tag("c"))),
            ("consume-ok again", (60, 21), method(1, basic::ConsumeOk::default().consumer_tag("c"))),
        ],
    );
    let strangers = [
        ("a delivery for another consumer", "other"),
        ("a delivery for no consumer", ""),
        ("a delivery for the same tag in upper case", "C"),
    ];
    cases.extend(strangers.map(|(name, tag)| {
        sends(Consuming, name, method(1, deliver(1).consumer_tag(tag))).breaks_channel(INVALID, DELIVER)
    }));
    cases.push(
        sends(Consuming, "the end of the consumer", method(1, cancel().no_wait(true)))
            .spoils(ErrorKind::ConsumerCancelled)
            .retryable()
            .saying([(1, "basic.cancel")]),
    );
    cases.push(
        sends(Consuming, "the end of a consumer that does not exist", method(1, cancel().consumer_tag("other")))
            .draws([(1, "basic.cancel-ok")]),
    );
    cases
}

fn confirming() -> Vec<Case> {
    let ack = |tag, multiple| method(1, basic::Ack::default().delivery_tag(tag).multiple(multiple));
    let nack = |tag, multiple| method(1, basic::Nack::default().delivery_tag(tag).multiple(multiple));
    let mut cases = invalid(
        Confirming,
        vec![
            ("an ack of a publish to come", ACK, ack(2, false)),
            ("an ack of all up to a publish to come", ACK, ack(2, true)),
            ("an ack of publish 0", ACK, ack(0, false)),
            ("an ack of the last tag there is", ACK, ack(u64::MAX, false)),
            ("an ack of all up to the last tag there is", ACK, ack(u64::MAX, true)),
            ("a nack of a publish to come", NACK, nack(2, false)),
            ("a nack of all up to a publish to come", NACK, nack(9, true)),
            ("select-ok again", (85, 11), method(1, confirm::SelectOk::default())),
            ("commit-ok instead", (90, 21), method(1, tx::CommitOk::default())),
        ],
    );
    cases.extend([
        sends(Confirming, "the ack twice", ack(1, false).repeat(2)).passes().and_no_more(),
        sends(Confirming, "an ack, and a nack of the same", [ack(1, false), nack(1, false)].concat())
            .passes()
            .and_no_more(),
        sends(Confirming, "an ack of all, by the tag 0", ack(0, true)).passes().and_no_more(),
        sends(Confirming, "a nack", nack(1, false)).spoils(ErrorKind::Nacked).retryable(),
        sends(Confirming, "a nack, and an ack of the same", [nack(1, false), ack(1, false)].concat())
            .spoils(ErrorKind::Nacked)
            .retryable(),
    ]);
    cases
}
