//! Opening: endpoints, cycles, deadlines, credentials, and sockets of the caller's.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use leveret::blocking::Connection;
use leveret::config::{Endpoint, EndpointOrder, Provided};
use leveret::protocol::connection;
use leveret::{ConnectionEvent, ConnectionParameters, Credentials, Error, ErrorKind, Phase};
use leveret_test_support::start;
use socket2::{Domain, Socket, Type};

use super::client::{SocketPeer, connect, parameters, peer};
use super::host::Host;
use super::within::in_time;

/// A port that nobody listens on, and that nobody else is given as long as this lives.
struct ClosedPort(Socket);

impl ClosedPort {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        Self(socket)
    }

    fn endpoint(&self) -> Endpoint {
        let address = self.0.local_addr().unwrap().as_socket().unwrap();
        Endpoint::new("127.0.0.1").with_port(address.port())
    }
}

fn endpoint_of(parameters: &ConnectionParameters) -> Endpoint {
    parameters.endpoints[0].clone()
}

fn phases(error: &Error) -> Vec<(Phase, ErrorKind)> {
    error.attempts().iter().map(|attempt| (attempt.phase(), attempt.kind())).collect()
}

/// A port at which somebody connects, and nobody ever answers.
fn silent() -> (TcpListener, ConnectionParameters) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, parameters().host("127.0.0.1").port(port))
}

#[test]
fn the_first_endpoint_that_obliges_is_taken() {
    in_time(|| {
        let host = Host::new();
        let refused = ClosedPort::new();
        let (http, answering) = peer(async |mut peer: SocketPeer| {
            peer.take_octets(8).await;
            peer.send_octets(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            peer.expect_end().await;
        });
        let good = ConnectionParameters::from_url(&host.url).unwrap();
        let endpoints = [refused.endpoint(), endpoint_of(&http), endpoint_of(&good)];
        let connection = Connection::open(good.endpoints(endpoints)).unwrap();
        connection.open_channel().unwrap();
        answering.end();
    });
}

#[test]
fn every_attempt_of_every_cycle_is_listed_where_all_fail() {
    in_time(|| {
        let refused = [ClosedPort::new(), ClosedPort::new()];
        let unknown = Endpoint::new("no-such-host.invalid").with_port(5672);
        let endpoints = refused.iter().map(ClosedPort::endpoint).chain([unknown]);
        let pause = Duration::from_millis(50);
        let parameters = parameters().endpoints(endpoints).connection_attempts(3).retry_delay(pause);
        let began = Instant::now();
        let error = Connection::open(parameters.endpoint_order(EndpointOrder::Shuffled)).unwrap_err();
        assert!(began.elapsed() >= 2 * pause);
        let mut phases = phases(&error);
        phases.sort_by_key(|(phase, _)| *phase);
        let expected = [[(Phase::Resolve, ErrorKind::Io); 3], [(Phase::Connect, ErrorKind::Io); 3]].concat();
        assert_eq!((&phases[..6], phases.len()), (&expected[..], 9), "{error}");
        assert!(error.is_retryable() && error.is_not_sent());
    });
}

#[test]
fn a_broker_that_comes_up_is_found_by_a_later_cycle() {
    in_time(|| {
        let host = Host::new();
        host.broker.state().refuse_logins(1);
        let refused = ClosedPort::new();
        let parameters = ConnectionParameters::from_url(&host.url).unwrap();
        let endpoints = [endpoint_of(&parameters), refused.endpoint()];
        let parameters = parameters.endpoints(endpoints).connection_attempts(2).retry_delay(Duration::ZERO);
        Connection::open(parameters).unwrap().close().unwrap();
    });
}

#[test]
fn each_deadline_ends_its_phase_and_says_its_name() {
    in_time(|| {
        let (_listener, parameters) = silent();
        let limit = Duration::from_millis(100);
        let cases = [
            (parameters.clone().handshake_timeout(limit), "handshake_timeout"),
            (parameters.clone().stack_timeout(limit), "stack_timeout"),
            (parameters.open_timeout(limit), "open_timeout"),
        ];
        for (parameters, name) in cases {
            let began = Instant::now();
            let error = Connection::open(parameters).unwrap_err();
            assert!(began.elapsed() >= limit && error.is_timeout(), "{name}: {error}");
            assert!(error.to_string().contains(&format!("({name})")), "{name}: {error}");
            assert_eq!(phases(&error), [(Phase::Handshake, ErrorKind::TimedOut)], "{name}: {error}");
        }
    });
}

#[test]
fn connecting_to_nowhere_ends_at_its_deadline() {
    in_time(|| {
        // A queue of connections that is full answers none: a black hole on this machine.
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut fill = Vec::new();
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            fill.push(stream);
        }
        let limit = Duration::from_millis(100);
        let parameters = parameters().host("127.0.0.1").port(address.port()).connect_timeout(limit);
        let error = Connection::open(parameters).unwrap_err();
        assert_eq!(phases(&error), [(Phase::Connect, ErrorKind::TimedOut)], "{error}");
    });
}

#[test]
fn wrong_parameters_are_told_before_anything_is_tried() {
    in_time(|| {
        assert_eq!(Connection::open("ftp://h").unwrap_err().kind(), ErrorKind::Parameters);
        let error = Connection::open(parameters().connection_attempts(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Parameters);
        let (socket, _other) = UnixStream::pair().unwrap();
        let error = Connection::open_on(socket, parameters().channel_max(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Parameters);
    });
}

#[test]
fn options_of_sockets_and_addresses_have_their_effect() {
    in_time(|| {
        let host = Host::new();
        let address = Ipv4Addr::new(127, 0, 0, 2);
        let parameters = ConnectionParameters::from_url(&host.url).unwrap();
        let parameters = parameters
            .local_address(std::net::IpAddr::from(address))
            .tcp_keepalive_idle(Duration::from_secs(7))
            .tcp_send_buffer(20_000)
            .tcp_receive_buffer(20_000)
            .tcp_nodelay(false)
            .connection_name("of the blocking API")
            .driver_thread(true);
        let connection = Connection::open(parameters).unwrap();
        assert_eq!(host.broker.state().connections()[0].name.as_deref(), Some("of the blocking API"));
        connection.close().unwrap();

        let other_family = ConnectionParameters::from_url(&host.url).unwrap();
        let other_family = other_family.local_address(std::net::IpAddr::from(std::net::Ipv6Addr::LOCALHOST));
        assert_eq!(phases(&Connection::open(other_family).unwrap_err()), [(Phase::Resolve, ErrorKind::Io)]);
    });
}

#[test]
fn limits_are_agreed_on() {
    in_time(|| {
        let host = Host::new();
        let parameters = ConnectionParameters::from_url(&host.url).unwrap();
        let connection = Connection::open(parameters.channel_max(2).frame_max(8192).heartbeat(7)).unwrap();
        let negotiated = connection.negotiated();
        assert_eq!((negotiated.channel_max, negotiated.frame_max, negotiated.heartbeat), (2, 8192, 7));
        let _open = [(); 2].map(|()| connection.open_channel().unwrap());
        assert_eq!(connection.open_channel().unwrap_err().kind(), ErrorKind::ChannelsExhausted);
    });
}

#[test]
fn any_socket_of_the_callers_carries_a_connection() {
    in_time(|| {
        let host = Host::new();
        let (client, server) = UnixStream::pair().unwrap();
        server.set_nonblocking(true).unwrap();
        let broker = host.broker.clone();
        host.spawn(async { Host::serve(broker, tokio::net::UnixStream::from_std(server).unwrap()).await });
        let connection = Connection::open_on(client, "amqp://localhost").unwrap();
        let publisher = connection.open_channel().unwrap().confirm_select().unwrap();
        publisher.channel().queue_declare("q").call().unwrap();
        publisher.publish("", "q", vec![1; 1_000_000]).confirmed().unwrap();
        drop(publisher);
        drop(connection);
        host.until_left();
        assert_eq!(host.messages("q"), (1, 0));
    });
}

#[test]
fn a_socket_whose_other_end_is_gone_fails_the_open() {
    in_time(|| {
        let (client, server) = UnixStream::pair().unwrap();
        drop(server);
        let error = Connection::open_on(client, parameters()).unwrap_err();
        assert_eq!(error.attempts()[0].phase(), Phase::Handshake, "{error}");
    });
}

/// A file that is never ready.
struct NeverReady(std::fs::File);

impl std::io::Read for NeverReady {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::WouldBlock.into())
    }
}

impl std::io::Write for NeverReady {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl std::os::fd::AsFd for NeverReady {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[test]
fn a_file_that_nobody_can_wait_for_fails_the_open_and_says_so() {
    in_time(|| {
        // No system waits for it.
        let file = std::fs::File::options().read(true).write(true).open("/dev/null").unwrap();
        let error = Connection::open_on(NeverReady(file), parameters()).unwrap_err();
        assert_eq!(phases(&error), [(Phase::Handshake, ErrorKind::Io)], "{error}");
        assert!(error.to_string().contains("os error"), "{error}");
    });
}

#[test]
fn a_provider_is_asked_on_each_open_and_before_its_secret_expires() {
    in_time(|| {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let credentials = Credentials::provided_by(move || {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            let token = Provided::from(Credentials::plain("", format!("token-{number}")));
            async move { Ok(token.valid_for(Duration::from_secs(1))) }
        });
        let (connection, script) = connect(
            |parameters| parameters.credentials(credentials),
            async |mut peer: SocketPeer| {
                for number in 1..3 {
                    let update = peer.expect::<connection::UpdateSecret>(0).await;
                    assert_eq!(update.new_secret.to_string(), format!("token-{number}"));
                    peer.send(0, connection::UpdateSecretOk::default()).await;
                }
                peer
            },
        );
        let mut events = connection.events();
        for _ in 1..3 {
            assert!(matches!(events.next(), Some(ConnectionEvent::SecretUpdated)));
        }
        drop(script.end());
        assert!(connection.wait_closed().is_retryable());
        assert!(asked.load(Ordering::Relaxed) >= 3);
    });
}

#[test]
fn a_provider_may_block_its_thread_and_wait_for_another_connection() {
    in_time(|| {
        let host = Host::new();
        let vault = host.connect();
        vault.open_channel().unwrap().queue_declare("passwords").call().unwrap();
        vault.open_channel().unwrap().publish("", "passwords", "guest").send().unwrap();
        host.until_ready("passwords", 1);
        let credentials = Credentials::provided_by(move || {
            let vault = vault.clone();
            async move {
                let message = vault.open_channel()?.get("passwords").call()?.unwrap();
                let password = String::from_utf8_lossy(message.body()).into_owned();
                message.ack()?;
                Ok(Provided::from(Credentials::plain("guest", password)))
            }
        });
        let parameters = ConnectionParameters::from_url(&host.url).unwrap().credentials(credentials);
        Connection::open(parameters).unwrap().close().unwrap();
    });
}

#[test]
fn a_provider_that_takes_too_long_is_left_at_its_deadline_even_where_it_blocks() {
    in_time(|| {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Arc::new(std::sync::Mutex::new(released));
        let credentials = Credentials::provided_by(move || {
            let released = Arc::clone(&released);
            async move {
                let _released = released.lock().unwrap().recv();
                Ok(Provided::from(Credentials::default()))
            }
        });
        let (_listener, parameters) = silent();
        let parameters = parameters.credentials(credentials).credentials_timeout(Duration::from_millis(100));
        let error = Connection::open(parameters).unwrap_err();
        assert_eq!(phases(&error), [(Phase::Credentials, ErrorKind::TimedOut)], "{error}");
        drop(release);
    });
}

#[test]
fn a_provider_that_fails_or_panics_fails_the_open() {
    in_time(|| {
        let fails = Credentials::provided_by(|| async { Err("the token server is away".into()) });
        let panics = Credentials::provided_by(|| -> std::future::Ready<_> { panic!("this is a provider's panic") });
        for (credentials, words) in [(fails, "the token server is away"), (panics, "panicked")] {
            let (_listener, parameters) = silent();
            let error = Connection::open(parameters.credentials(credentials)).unwrap_err();
            assert_eq!(phases(&error), [(Phase::Credentials, ErrorKind::Authentication)], "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    });
}

#[test]
fn a_password_is_forgotten_after_use_where_that_is_asked_for() {
    in_time(|| {
        let host = Host::new();
        let credentials = Credentials::plain("guest", "guest").erase_on_connect(true);
        let kept = credentials.clone();
        let parameters = ConnectionParameters::from_url(&host.url).unwrap().credentials(credentials);
        Connection::open(parameters).unwrap();
        assert!(kept.password().is_erased());
    });
}

#[test]
fn refused_credentials_are_told_as_such() {
    in_time(|| {
        let host = Host::new();
        let parameters = ConnectionParameters::from_url(&host.url).unwrap();
        let error = Connection::open(parameters.credentials(Credentials::plain("guest", "wrong"))).unwrap_err();
        assert!(error.is_authentication() && !error.is_retryable(), "{error}");
        let (parameters, script) = peer(async |mut peer: SocketPeer| {
            peer.expect_protocol_header().await;
            peer.send(0, start("EXTERNAL")).await;
            peer.expect_end().await;
        });
        assert!(Connection::open(parameters).unwrap_err().is_authentication());
        script.end();
    });
}
