//! Handshakes that fail, each in its way, and what the error tells.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use leveret::protocol::connection;
use leveret::{Connection, Credentials, Error, ErrorKind, ReplyCode};
use leveret_test_support::frames::method_octets;
use leveret_test_support::{FRAME_MAX, Peer, start, tune};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::Instant;

use super::client::parameters;

const CAPACITY: usize = 64 * 1024;

/// Where the peer stops doing what it should.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum Until {
    Start,
    Tune,
    OpenOk,
}

/// Does its part of the handshake up to a step.
async fn shake_hands_until(peer: &mut Peer, until: Until) {
    peer.expect_protocol_header().await;
    if until > Until::Start {
        peer.send(0, start("AMQPLAIN PLAIN")).await;
        peer.expect::<connection::StartOk>(0).await;
    }
    if until > Until::Tune {
        peer.send(0, tune()).await;
        peer.expect::<connection::TuneOk>(0).await;
        peer.expect::<connection::Open>(0).await;
    }
}

/// The error of a handshake that goes well up to a step, and then meets `octets` and the end of the
/// stream.
async fn met(until: Until, octets: &[u8]) -> Error {
    met_through(|transport| transport, until, octets).await
}

async fn met_through<T>(carrier: impl FnOnce(DuplexStream) -> T, until: Until, octets: &[u8]) -> Error
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (transport, mut peer) = Peer::new(CAPACITY);
    let script = async {
        shake_hands_until(&mut peer, until).await;
        peer.send_octets(octets).await;
        peer.cut_after(0);
        peer.send_octets(&[]).await;
    };
    let (opened, ()) = tokio::join!(Connection::open_on(carrier(transport), parameters()), script);
    opened.unwrap_err()
}

/// A transport that takes the end of its stream for an error, as TLS does where the other side did
/// not announce it.
struct Strict(DuplexStream);

impl AsyncRead for Strict {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(context, into))?;
        let ended = into.filled().len() == before;
        Poll::Ready(if ended { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) })
    }
}

impl AsyncWrite for Strict {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

fn close(code: ReplyCode) -> Vec<u8> {
    method_octets(0, connection::Close::default().reply_code(code).reply_text("the broker's words"))
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_said_before_it_went_is_told_though_it_read_nothing_more() {
    let close = close(ReplyCode::CONNECTION_FORCED);
    // The client's answer does not fit in before the peer is gone.
    let (transport, mut peer) = Peer::new(close.len());
    let script = async {
        peer.expect_protocol_header().await;
        peer.send(0, start("PLAIN")).await;
        tokio::task::yield_now().await;
        peer.send_octets(&close).await;
        peer.cut_after(0);
        peer.send_octets(&[]).await;
    };
    let (opened, ()) = tokio::join!(Connection::open_on(transport, parameters()), script);
    let error = opened.unwrap_err();
    assert_eq!(error.reply_code(), Some(ReplyCode::CONNECTION_FORCED), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up_at_each_step_when_the_time_is_over() {
    for until in [Until::Start, Until::Tune, Until::OpenOk] {
        let (transport, mut peer) = Peer::new(CAPACITY);
        let limit = Duration::from_secs(3);
        let before = Instant::now();
        let opening = Connection::open_on(transport, parameters().open_timeout(limit));
        let (opened, ()) = tokio::join!(opening, shake_hands_until(&mut peer, until));
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{until:?}");
        assert!(before.elapsed() >= limit && before.elapsed() < limit + Duration::from_millis(50));
        peer.expect_end().await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn reaching_the_broker_and_agreeing_with_it_share_one_deadline() {
    // A queue of one, which is full: further connections get no answer.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let _only = tokio::net::TcpStream::connect(address).await.unwrap();
    let limits = parameters().connect_timeout(Duration::from_secs(60)).open_timeout(Duration::from_secs(3));
    let before = Instant::now();
    let opening = Connection::open(limits.host(address.ip().to_string()).port(address.port()));
    let error = opening.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
    assert_eq!(before.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_means_something_else_at_each_step() {
    let at_once = met(Until::Start, &[]).await;
    assert!(at_once.kind() == ErrorKind::Protocol && at_once.is_retryable(), "{at_once}");
    let refused = met(Until::Tune, &[]).await;
    assert!(refused.is_authentication() && !refused.is_retryable(), "{refused}");
    let refused = met(Until::OpenOk, &[]).await;
    assert!(refused.kind() == ErrorKind::AccessRefused && !refused.is_retryable(), "{refused}");
    assert!(refused.hint().unwrap().contains("frame_max"), "a limit that is refused meets the same end: {refused:?}");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_not_announced_means_the_same() {
    assert_eq!(met_through(Strict, Until::Start, &[]).await.kind(), ErrorKind::Protocol);
    assert_eq!(met_through(Strict, Until::Tune, &[]).await.kind(), ErrorKind::Authentication);
    assert_eq!(met_through(Strict, Until::OpenOk, &[]).await.kind(), ErrorKind::AccessRefused);
    let half_of_an_answer = [1, 0];
    assert_eq!(met_through(Strict, Until::Tune, &half_of_an_answer).await.kind(), ErrorKind::Io);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_refused_are_an_error_of_authentication() {
    let error = met(Until::Tune, &close(ReplyCode::ACCESS_REFUSED)).await;
    assert!(error.is_authentication() && !error.is_retryable());
    assert_eq!(error.reply_code(), Some(ReplyCode::ACCESS_REFUSED));
    assert_eq!(error.reply_text().as_deref(), Some("the broker's words"));
}

#[tokio::test(start_paused = true)]
async fn a_virtual_host_that_is_refused_is_told_with_its_code() {
    let error = met(Until::OpenOk, &close(ReplyCode::NOT_ALLOWED)).await;
    assert_eq!((error.kind(), error.reply_code()), (ErrorKind::AccessRefused, Some(ReplyCode::NOT_ALLOWED)));
}

#[tokio::test(start_paused = true)]
async fn a_close_in_the_handshake_is_agreed_to() {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let script = async {
        shake_hands_until(&mut peer, Until::OpenOk).await;
        peer.send_octets(&close(ReplyCode::NOT_ALLOWED)).await;
        peer.expect::<connection::CloseOk>(0).await;
        peer.expect_end().await;
    };
    let (opened, ()) = tokio::join!(Connection::open_on(transport, parameters()), script);
    opened.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn servers_that_speak_something_else_are_an_error_of_the_protocol() {
    for answer in
        [&b"AMQP\0\0\x09\0"[..], b"AMQP\0\x01\0\0", b"HTTP/1.1 400 Bad Request\r\n", b"\x15\x03\x01\0\x02\x02\x28"]
    {
        let error = met(Until::Start, answer).await;
        assert_eq!(error.kind(), ErrorKind::Protocol, "{answer:?}: {error}");
        assert!(error.is_not_sent());
    }
}

#[tokio::test(start_paused = true)]
async fn a_mechanism_that_is_not_offered_sends_no_credentials() {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let script = async {
        peer.expect_protocol_header().await;
        peer.send(0, start("EXTERNAL PLAINER")).await;
        peer.expect_end().await;
    };
    let (opened, ()) = tokio::join!(Connection::open_on(transport, parameters()), script);
    let error = opened.unwrap_err();
    assert!(error.is_authentication());
    assert!(error.to_string().contains("EXTERNAL PLAINER"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_plain_cannot_answer_is_an_error_of_authentication() {
    let error = met(Until::Tune, &method_octets(0, connection::Secure::default().challenge("?"))).await;
    assert!(error.is_authentication());
}

#[tokio::test(start_paused = true)]
async fn methods_and_frames_out_of_turn_are_an_error_of_the_protocol() {
    assert_eq!(met(Until::Start, &method_octets(0, tune())).await.kind(), ErrorKind::Protocol);
    assert_eq!(met(Until::Tune, &method_octets(0, connection::OpenOk::default())).await.kind(), ErrorKind::Protocol);
    assert_eq!(met(Until::OpenOk, &method_octets(1, connection::OpenOk::default())).await.kind(), ErrorKind::Protocol);
    let huge = [1, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
    assert_eq!(met(Until::Start, &huge).await.kind(), ErrorKind::Protocol);
}

#[tokio::test(start_paused = true)]
async fn the_client_introduces_itself_and_agrees_to_the_smaller_limits() {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let parameters = parameters().credentials(Credentials::plain("user", "pass")).virtual_host("there").heartbeat(7);
    let parameters = parameters.frame_max(8192).channel_max(9).connection_name("test");
    let script = async {
        peer.expect_protocol_header().await;
        peer.send(0, start("PLAIN")).await;
        let ok = peer.expect::<connection::StartOk>(0).await;
        assert_eq!((ok.mechanism, ok.response), ("PLAIN".into(), "\0user\0pass".into()));
        assert_eq!(ok.locale, "en_US");
        assert!(ok.client_properties.get("capabilities").is_some());
        assert_eq!(ok.client_properties.get("connection_name"), Some(&"test".into()));
        peer.send(0, tune()).await;
        let ok = peer.expect::<connection::TuneOk>(0).await;
        assert_eq!((ok.channel_max, ok.frame_max, ok.heartbeat), (9, 8192, 7));
        assert_eq!(peer.expect::<connection::Open>(0).await.virtual_host, "there");
        peer.send(0, connection::OpenOk::default()).await;
    };
    let (opened, ()) = tokio::join!(Connection::open_on(transport, parameters), script);
    let connection = opened.unwrap();
    let negotiated = connection.negotiated();
    assert_eq!((negotiated.channel_max, negotiated.frame_max, negotiated.heartbeat), (9, 8192, 7));
    const { assert!(FRAME_MAX > 8192) }
}

#[tokio::test(start_paused = true)]
async fn what_comes_right_behind_open_ok_is_not_lost() {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let script = async {
        shake_hands_until(&mut peer, Until::OpenOk).await;
        let mut octets = method_octets(0, connection::OpenOk::default());
        octets.extend(method_octets(0, connection::Blocked::default().reason("disk")));
        // And the beginning of a frame whose end comes later.
        octets.extend([8, 0, 0]);
        peer.send_octets(&octets).await;
    };
    let (opened, ()) = tokio::join!(Connection::open_on(transport, parameters()), script);
    let connection = opened.unwrap();
    assert_eq!(connection.blocked().as_deref(), Some("disk"));
    peer.send_octets(&[0, 0, 0, 0, 0xCE]).await;
    let (channel, ()) = tokio::join!(connection.open_channel(), peer.open_channel(1));
    channel.unwrap();
}

#[tokio::test(start_paused = true)]
async fn wrong_parameters_are_told_before_a_word_is_said() {
    let (transport, mut peer) = Peer::new(CAPACITY);
    let error = Connection::open_on(transport, parameters().frame_max(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Parameters);
    peer.expect_end().await;
}
