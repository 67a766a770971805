//! A peer that says nothing, says it too slowly, or is gone.

use leveret::protocol::{basic, channel, connection, queue};
use leveret::{ErrorKind, ReplyCode};
use leveret_test_support::{start, tune};

use super::case::When::{
    BodyBegun, BodyDue, Calling, ChannelClosing, ChannelOpening, Closing, Confirming, Consuming, Getting, HeaderDue,
    Open, OpenOk, Start, Subscribing, Tune,
};
use super::case::{Case, Does, REFUSED, Says, When, sends, when};
use super::octets::{SIGN_OF_LIFE, header, method};
use super::play;
use super::script::deliver;

pub(super) fn table() -> Vec<Case> {
    [silent(), slow(), blocked(), dead(), gone(), gone_within_a_frame(), last_words()].into_iter().flatten().collect()
}

#[tokio::test(start_paused = true)]
async fn no_wait_is_for_ever_and_no_end_goes_unheard() {
    play(table()).await;
}

/// Nothing comes. What has a limit of its own ends at it; the rest waits by its nature, and
/// heartbeats are its limit.
fn silent() -> Vec<Case> {
    [Start, Tune, OpenOk, ChannelOpening, Calling, Getting, Subscribing, ChannelClosing, Closing]
        .map(|at| when(at, "silence", Does::Nothing).times_out())
        .into()
}

/// Something comes, and it is never enough: a limit is for the whole of the wait.
fn slow() -> Vec<Case> {
    let got = method(1, basic::GetOk::default().delivery_tag(1));
    vec![
        when(Start, "an octet of start each second", Does::Drips(method(0, start("PLAIN"))[..9].to_vec())).times_out(),
        when(Tune, "an octet of tune each second", Does::Drips(method(0, tune())[..9].to_vec())).times_out(),
        when(OpenOk, "an octet of open-ok each second", Does::Drips(vec![1, 0, 0, 0, 0, 0, 5])).times_out(),
        when(Start, "heartbeats and nothing else", Does::Drips(SIGN_OF_LIFE.repeat(2))).times_out(),
        sends(Start, "half of start, and silence", method(0, start("PLAIN"))[..9].to_vec()).times_out(),
        sends(Tune, "half of tune, and silence", method(0, tune())[..9].to_vec()).times_out(),
        sends(OpenOk, "half of open-ok, and silence", vec![1, 0, 0, 0, 0, 0]).times_out(),
        sends(Getting, "a message whose header never comes", got.clone()).times_out(),
        sends(Getting, "a message whose body never comes", [got, header(1, 10)].concat()).times_out(),
    ]
}

/// The broker blocks the connection, and never unblocks it.
fn blocked() -> Vec<Case> {
    let octets = method(0, connection::Blocked::default().reason("memory"));
    [Consuming, Confirming, Closing].map(|at| sends(at, "blocked for ever", octets.clone()).gives_up()).into()
}

/// Heartbeats were agreed on, and do not come for two intervals.
fn dead() -> Vec<Case> {
    [
        Open,
        ChannelOpening,
        Calling,
        Getting,
        Subscribing,
        Consuming,
        HeaderDue,
        BodyDue,
        BodyBegun,
        Confirming,
        ChannelClosing,
        // That the broker agreed cannot be told from this: it is no better than no answer in time.
        Closing,
    ]
    .map(|at| when(at, "no heartbeats", Does::MissesHeartbeats).gives_up())
    .into()
}

/// The stream ends between frames.
fn gone() -> Vec<Case> {
    let ends = |at| when(at, "the end of the stream", Does::Ends(Vec::new()));
    let stages = [
        Open,
        ChannelOpening,
        Calling,
        Getting,
        Subscribing,
        Consuming,
        HeaderDue,
        BodyDue,
        BodyBegun,
        Confirming,
        ChannelClosing,
        // That the broker agreed cannot be told from this.
        Closing,
    ];
    let mut rows = vec![
        ends(Start).loses_transport(ErrorKind::Protocol),
        ends(Tune).loses_transport(ErrorKind::Authentication),
        ends(OpenOk).loses_transport(REFUSED),
    ];
    rows.extend(stages.map(|at| ends(at).loses_transport(ErrorKind::ConnectionClosed)));
    rows
}

/// The stream ends within a frame: whatever that was to be, the transport is at fault.
fn gone_within_a_frame() -> Vec<Case> {
    let row = |at: When, name: &str, octets: &[u8]| when(at, name, Does::Ends(octets.to_vec()));
    let reply = method(1, queue::DeclareOk::default().queue("q"));
    let delivery = method(1, deliver(1));
    let close = method(0, connection::Close::default().reply_code(ReplyCode::ACCESS_REFUSED));
    vec![
        row(Start, "half of start", &method(0, start("PLAIN"))[..9]).loses_transport(ErrorKind::Io),
        row(Start, "half of a protocol header", b"AMQP\0\0").loses_transport(ErrorKind::Io),
        row(Tune, "half of tune", &method(0, tune())[..9]).loses_transport(ErrorKind::Io),
        row(Tune, "tune without its end", &method(0, tune())[..19]).loses_transport(ErrorKind::Io),
        row(Tune, "half of a close", &close[..9]).loses_transport(ErrorKind::Io),
        row(OpenOk, "half of open-ok", &[1, 0, 0, 0, 0, 0]).loses_transport(ErrorKind::Io),
        row(Open, "an octet", &[1]).loses_transport(ErrorKind::ConnectionClosed),
        row(Calling, "half of the reply", &reply[..12]).loses_transport(ErrorKind::ConnectionClosed),
        row(Calling, "the reply without its end", &reply[..reply.len() - 1])
            .loses_transport(ErrorKind::ConnectionClosed),
        row(Consuming, "half of a delivery", &delivery[..12]).loses_transport(ErrorKind::ConnectionClosed),
        row(HeaderDue, "half of a header", &header(1, 10)[..12]).loses_transport(ErrorKind::ConnectionClosed),
        row(BodyDue, "half of a body", &[3, 0, 1, 0, 0, 0, 10, b'0']).loses_transport(ErrorKind::ConnectionClosed),
        row(Closing, "half of close-ok", &method(0, connection::CloseOk::default())[..9])
            .loses_transport(ErrorKind::ConnectionClosed),
    ]
}

/// The stream ends right behind something that tells more than its end.
fn last_words() -> Vec<Case> {
    let row = |at: When, name: &str, octets: Vec<u8>| when(at, name, Does::Ends(octets));
    let close = |code| method(0, connection::Close::default().reply_code(code));
    let declared = method(1, queue::DeclareOk::default());
    let channel_close_ok = method(1, channel::CloseOk::default());
    vec![
        row(Start, "a protocol header and the end", b"AMQP\0\0\x09\0".to_vec()).ends_handshake(ErrorKind::Protocol),
        row(Tune, "a refusal and the end", close(ReplyCode::ACCESS_REFUSED))
            .closes(ErrorKind::Authentication, ReplyCode::ACCESS_REFUSED),
        row(OpenOk, "a refusal and the end", close(ReplyCode::NOT_ALLOWED)).closes(REFUSED, ReplyCode::NOT_ALLOWED),
        row(Calling, "a close and the end", close(ReplyCode::CONNECTION_FORCED))
            .closes(ErrorKind::ConnectionClosed, ReplyCode::CONNECTION_FORCED),
        row(Calling, "the reply and the end", declared).completes(Says::Ends),
        row(Calling, "garbage and the end", b"garbage".to_vec()).breaks(ReplyCode::FRAME_ERROR, (0, 0)),
        row(Confirming, "the ack and the end", method(1, basic::Ack::default().delivery_tag(1))).completes(Says::Ends),
        row(ChannelClosing, "close-ok and the end", channel_close_ok).completes(Says::Ends),
        row(Closing, "close-ok and the end", method(0, connection::CloseOk::default())).completes(Says::Ends),
    ]
}
