//! Endpoints, addresses and cycles: what is tried, in which order, and what the error tells of it.

use std::future::{Future, poll_fn};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use leveret::config::{Endpoint, EndpointOrder};
use leveret::protocol::connection;
use leveret::{Connection, ConnectionParameters, Credentials, Error, ErrorKind, Initiator, Phase, ReplyCode};
use leveret_test_support::frames::method_octets;
use leveret_test_support::{start, tune};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

use super::client::parameters;

/// What a server does with each of its clients.
#[derive(Clone, Copy)]
pub(crate) enum Does {
    /// Shakes hands, and then nothing.
    Obliges,
    /// Refuses the credentials.
    RefusesCredentials,
    /// Refuses the virtual host.
    RefusesVirtualHost,
    /// Is told to shut down in the middle of the handshake.
    ShutsDown,
    /// Speaks another protocol.
    SpeaksHttp,
    /// Says nothing.
    KeepsSilent,
}

/// A server on this machine.
pub(crate) struct Server {
    port: u16,
    clients: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let clients = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&clients);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, does));
            }
        });
        Self { port, clients }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::new("127.0.0.1").with_port(self.port)
    }

    pub(crate) fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }
}

/// Serves a client until that hangs up; what it says is waited for and not looked at.
async fn serve(mut stream: TcpStream, does: Does) {
    let close = |code| method_octets(0, connection::Close::default().reply_code(code).reply_text("its words"));
    let say: &[Vec<u8>] = match does {
        Does::Obliges => &[
            method_octets(0, start("PLAIN")),
            method_octets(0, tune()),
            method_octets(0, connection::OpenOk::default()),
        ],
        Does::RefusesCredentials => &[method_octets(0, start("PLAIN")), close(ReplyCode::ACCESS_REFUSED)],
        Does::RefusesVirtualHost => {
            &[method_octets(0, start("PLAIN")), method_octets(0, tune()), close(ReplyCode::NOT_ALLOWED)]
        }
        Does::ShutsDown => &[method_octets(0, start("PLAIN")), close(ReplyCode::CONNECTION_FORCED)],
        Does::SpeaksHttp => &[b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()],
        Does::KeepsSilent => &[],
    };
    let mut heard = [0; 4096];
    for octets in say {
        if stream.read(&mut heard).await.is_ok_and(|count| count > 0) && stream.write_all(octets).await.is_ok() {
            continue;
        }
        return;
    }
    while stream.read(&mut heard).await.is_ok_and(|count| count > 0) {}
}

/// A port that nobody listens on, and that nobody else is given as long as this lives.
struct ClosedPort(TcpSocket);

impl ClosedPort {
    fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self(socket)
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::new("127.0.0.1").with_port(self.0.local_addr().unwrap().port())
    }
}

pub(crate) fn among(endpoints: impl IntoIterator<Item = Endpoint>) -> ConnectionParameters {
    parameters().endpoints(endpoints)
}

fn phases(error: &Error) -> Vec<(Phase, ErrorKind)> {
    error.attempts().iter().map(|attempt| (attempt.phase(), attempt.kind())).collect()
}

#[tokio::test]
async fn the_first_endpoint_that_obliges_is_taken_and_the_others_are_left_alone() {
    let (good, other) = (Server::start(Does::Obliges).await, Server::start(Does::Obliges).await);
    let http = Server::start(Does::SpeaksHttp).await;
    let refused = ClosedPort::new();
    let parameters = among([refused.endpoint(), http.endpoint(), good.endpoint(), other.endpoint()]);
    let connection = Connection::open(parameters).await.unwrap();
    assert!(connection.is_open());
    assert_eq!((http.clients(), good.clients(), other.clients()), (1, 1, 0));
}

#[tokio::test]
async fn the_error_lists_each_attempt_with_its_place_phase_and_cause() {
    let (closed, http) = (ClosedPort::new(), Server::start(Does::SpeaksHttp).await);
    let refused = closed.endpoint();
    let host = Server::start(Does::RefusesVirtualHost).await;
    let unknown = Endpoint::new("no-such-host.invalid").with_port(5672);
    let endpoints = [refused.clone(), http.endpoint(), host.endpoint(), unknown.clone()];
    let error = Connection::open(among(endpoints.clone())).await.unwrap_err();
    let expected = [
        (Phase::Connect, ErrorKind::Io),
        (Phase::Handshake, ErrorKind::Protocol),
        (Phase::Handshake, ErrorKind::AccessRefused),
        (Phase::Resolve, ErrorKind::Io),
    ];
    assert_eq!(phases(&error), expected, "{error}");
    let tried: Vec<_> = error.attempts().iter().filter_map(|attempt| attempt.endpoint().cloned()).collect();
    assert_eq!(tried, endpoints);
    let address = error.attempts()[0].address().unwrap();
    assert_eq!((address.ip(), Some(address.port())), (Ipv4Addr::LOCALHOST.into(), refused.port));
    assert_eq!(error.attempts()[3].address(), None);

    // The whole is of the kind of the attempt that came furthest, and tells its refusal.
    assert_eq!((error.kind(), error.initiator()), (ErrorKind::AccessRefused, Some(Initiator::Broker)));
    assert_eq!((error.reply_code(), error.reply_text().as_deref()), (Some(ReplyCode::NOT_ALLOWED), Some("its words")));
    assert!(error.is_not_sent() && error.is_access_refused());
    let text = error.to_string();
    assert!(text.starts_with("cannot connect in 4 attempts; 1. 127.0.0.1:"), "{text}");
    for part in
        [", connect: ", "2. ", ", handshake: not an AMQP 0-9-1 server", "4. no-such-host.invalid:5672, resolve: "]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    // The one that tells most is at hand, and its cause behind it; what the line has said is said
    // no more.
    let telling: &leveret::Attempt = error.get_ref().unwrap().downcast_ref().unwrap();
    assert!(telling.get_ref().unwrap().is::<leveret::engine::HandshakeError>());
    assert!(std::error::Error::source(&error).is_none());
}

#[tokio::test]
async fn a_single_attempt_is_told_in_one_line() {
    let refused = ClosedPort::new();
    let error = Connection::open(among([refused.endpoint()])).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("cannot connect: 127.0.0.1:") && text.contains(", connect: "), "{text}");
    assert_eq!(text.lines().count(), 1);
    assert!(error.is_retryable() && error.initiator() == Some(Initiator::Transport));
}

// The system's clock does not turn in these: only the pauses between cycles are waited for, and
// tokio skips them.
#[tokio::test(start_paused = true)]
async fn cycles_try_everything_again_after_a_pause() {
    let refused = [ClosedPort::new(), ClosedPort::new()];
    let endpoints = refused.each_ref().map(ClosedPort::endpoint);
    let unhurried = among(endpoints).connect_timeout(None).stack_timeout(None);
    let began = Instant::now();
    let error =
        Connection::open(unhurried.connection_attempts(3).retry_delay(Duration::from_secs(5))).await.unwrap_err();
    assert_eq!(phases(&error), [(Phase::Connect, ErrorKind::Io); 6]);
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn of_attempts_without_number_the_last_are_kept() {
    let refused = ClosedPort::new();
    let parameters = among([refused.endpoint()]).connection_attempts(1030).retry_delay(Duration::ZERO);
    let error = Connection::open(parameters).await.unwrap_err();
    assert_eq!(error.attempts().len(), 1024);
    let text = error.to_string();
    assert!(text.starts_with("cannot connect in 1030 attempts; 7. ") && text.contains("; 1030. "), "{text:.80}");
}

#[tokio::test]
async fn what_time_does_not_heal_is_not_tried_again() {
    let refusing = [Does::RefusesCredentials, Does::RefusesVirtualHost, Does::SpeaksHttp];
    for does in refusing {
        let server = Server::start(does).await;
        let parameters = among([server.endpoint()]).connection_attempts(100).retry_delay(Duration::from_secs(3600));
        let error = Connection::open(parameters).await.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
        assert_eq!((error.attempts().len(), server.clients()), (1, 1));
    }
}

#[tokio::test]
async fn one_failure_that_time_may_heal_is_enough_for_another_cycle() {
    let (refusing, shutting) = (Server::start(Does::RefusesCredentials).await, Server::start(Does::ShutsDown).await);
    let refused = ClosedPort::new();
    for second in [refused.endpoint(), shutting.endpoint()] {
        let parameters = among([refusing.endpoint(), second]).connection_attempts(2).retry_delay(Duration::ZERO);
        let error = Connection::open(parameters).await.unwrap_err();
        assert_eq!(error.attempts().len(), 4, "{error}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn a_provider_that_has_no_credentials_is_asked_again_in_the_next_cycle() {
    let server = Server::start(Does::Obliges).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let credentials = Credentials::provided_by(move || {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            match number {
                0 => Err("the token server is away".into()),
                _ => Ok(Credentials::plain("", "token").into()),
            }
        }
    });
    let parameters = among([server.endpoint()]).credentials(credentials);
    let error = Connection::open(parameters.clone()).await.unwrap_err();
    assert!(error.is_authentication() && error.is_retryable(), "{error}");

    asked.store(0, Ordering::Relaxed);
    Connection::open(parameters.connection_attempts(2).retry_delay(Duration::ZERO)).await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_shuffled_list_begins_anywhere_and_is_tried_whole() {
    let closed: Vec<_> = (0..5).map(|_| ClosedPort::new()).collect();
    let endpoints: Vec<_> = closed.iter().map(ClosedPort::endpoint).collect();
    let mut firsts = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let parameters = among(endpoints.clone()).endpoint_order(EndpointOrder::Shuffled);
        let error = Connection::open(parameters).await.unwrap_err();
        let mut tried: Vec<_> = error.attempts().iter().filter_map(|attempt| attempt.endpoint()?.port).collect();
        firsts.insert(tried[0]);
        tried.sort_unstable();
        let mut all: Vec<_> = endpoints.iter().filter_map(|endpoint| endpoint.port).collect();
        all.sort_unstable();
        assert_eq!(tried, all);
    }
    // 40 times the same of five is a chance of one to 10²⁷.
    assert!(firsts.len() > 1, "it always begins with {firsts:?}");
}

#[tokio::test(start_paused = true)]
async fn each_deadline_names_its_parameter_and_the_phase_that_it_ended() {
    let server = Server::start(Does::KeepsSilent).await;
    let limit = Duration::from_secs(3);
    // Only the deadline in question is set, so that no other timer can be skipped to.
    let open = || among([server.endpoint()]).connect_timeout(None).handshake_timeout(None).stack_timeout(None);
    let cases = [
        (open().handshake_timeout(limit), "handshake_timeout"),
        (open().stack_timeout(limit), "stack_timeout"),
        (open().open_timeout(limit), "open_timeout"),
    ];
    for (parameters, name) in cases {
        let error = Connection::open(parameters).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert!(error.is_retryable() && error.is_timeout() && error.initiator() == Some(Initiator::Client));
        assert!(error.to_string().contains(&format!("not done within 3s ({name})")), "{name}: {error}");
        assert_eq!(phases(&error), [(Phase::Handshake, ErrorKind::TimedOut)], "{name}: {error}");
        assert_eq!(error.attempts()[0].endpoint(), Some(&server.endpoint()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_tried_before_the_time_was_over_is_told() {
    let refused = ClosedPort::new();
    let parameters = among([refused.endpoint()]).connect_timeout(None).stack_timeout(None);
    let parameters = parameters.connection_attempts(1000).retry_delay(Duration::from_secs(7));
    let error = Connection::open(parameters.open_timeout(Duration::from_secs(30))).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts().len()), (ErrorKind::TimedOut, 5), "{error}");
}

#[tokio::test]
async fn opening_that_is_dropped_hangs_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::new("127.0.0.1").with_port(listener.local_addr().unwrap().port());
    let mut opening = Box::pin(Connection::open(among([endpoint])));
    let accepted = tokio::select! {
        accepted = listener.accept() => accepted,
        _ = &mut opening => panic!("nobody shakes hands"),
    };
    let (mut stream, _) = accepted.unwrap();
    let mut header = [0; 8];
    tokio::select! {
        read = stream.read_exact(&mut header) => drop(read.unwrap()),
        _ = &mut opening => panic!("nobody shakes hands"),
    }
    drop(opening);
    assert_eq!(stream.read(&mut header).await.unwrap(), 0);
}

#[tokio::test]
async fn a_driver_on_a_thread_of_its_own_opens_works_and_closes() {
    let server = Server::start(Does::Obliges).await;
    // Nobody answers its close.
    let parameters = among([server.endpoint()]).driver_thread(true).close_timeout(Duration::from_millis(1));
    let connection = Connection::open(parameters).await.unwrap();
    assert!(connection.is_open());
    let closed = connection.closed();
    drop(connection);
    assert!(closed.await.is_requested());

    let refused = ClosedPort::new();
    let error = Connection::open(among([refused.endpoint()]).driver_thread(true)).await.unwrap_err();
    assert_eq!(phases(&error), [(Phase::Connect, ErrorKind::Io)]);
}

#[tokio::test]
async fn a_connection_that_a_thread_hands_over_to_nobody_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::new("127.0.0.1").with_port(listener.local_addr().unwrap().port());
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream, Does::Obliges).await;
    });
    // It is woken when the connection is there, and dropped without another look.
    let mut opening = Box::pin(Connection::open(among([endpoint]).driver_thread(true)));
    let mut woken = false;
    poll_fn(|context| {
        if std::mem::replace(&mut woken, true) {
            return Poll::Ready(());
        }
        assert!(opening.as_mut().poll(context).is_pending());
        Poll::Pending
    })
    .await;
    drop(opening);
    let ended = tokio::time::timeout(Duration::from_secs(30), server).await;
    ended.expect("the client hangs up").unwrap();
}
