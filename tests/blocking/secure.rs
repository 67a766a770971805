//! TLS, which the thread that drives speaks by itself.

use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use leveret::blocking::Connection;
use leveret::broker::{Broker, Fault, Target};
use leveret::config::{Pem, Tls};
use leveret::{ConnectionParameters, ErrorKind, Phase};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::client::{SocketPeer, parameters, peer};
use super::host::Host;
use super::within::in_time;

const NAME: &str = "broker.test";

/// A server's certificate, which is its own authority.
pub(crate) struct Identity {
    pem: String,
    acceptor: TlsAcceptor,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let signing_key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([NAME.to_owned()]).unwrap().self_signed(&signing_key).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Self { pem: certificate.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    /// What a client has to know that connects by whatever address.
    fn settings(&self) -> Tls {
        Tls::default().ca(Pem::memory(self.pem.as_str())).server_name(NAME)
    }

    /// Has the broker listen at a port behind TLS. Gives how to reach it.
    pub(crate) fn listen(&self, host: &Host) -> ConnectionParameters {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (acceptor, broker) = (self.acceptor.clone(), host.broker.clone());
        host.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), stream, broker.clone()));
            }
        });
        parameters().host("127.0.0.1").port(port).tls(self.settings())
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    broker: Broker,
) {
    // A client that does not trust it goes.
    if let Ok(secured) = acceptor.accept(stream).await {
        Host::serve(broker, secured).await;
    }
}

#[test]
fn tls_carries_everything_both_ways() {
    in_time(|| {
        let (host, identity) = (Host::new(), Identity::new());
        let connection = Connection::open(identity.listen(&host)).unwrap();
        let publisher = connection.open_channel().unwrap().confirm_select().unwrap();
        let channel = publisher.channel();
        channel.queue_declare("q").call().unwrap();
        let sizes = [0, 1, 16_383, 16_384, 16_385, 1_000_000, 5_000_000];
        let confirms: Vec<_> =
            sizes.iter().map(|size| publisher.publish("", "q", vec![7; *size]).send().unwrap()).collect();
        confirms.into_iter().for_each(|confirm| confirm.wait().unwrap());
        let mut consumer = channel.consume("q").call().unwrap();
        for size in sizes {
            let delivery = consumer.try_next().unwrap().unwrap();
            assert!(delivery.body().len() == size && delivery.body().iter().all(|octet| *octet == 7));
            delivery.ack().unwrap();
        }
        connection.close().unwrap();
        host.until_left();
        assert_eq!(host.messages("q"), (0, 0));
    });
}

#[test]
fn many_small_messages_go_through_tls_in_order() {
    const MESSAGES: usize = 20_000;
    in_time(|| {
        let (host, identity) = (Host::new(), Identity::new());
        let connection = Connection::open(identity.listen(&host)).unwrap();
        let channel = connection.open_channel().unwrap();
        channel.queue_declare("q").call().unwrap();
        let publishing = std::thread::spawn({
            let channel = connection.open_channel().unwrap();
            move || {
                for number in 0..MESSAGES {
                    channel.publish("", "q", number.to_string()).send().unwrap();
                }
            }
        });
        let consumer = channel.consume("q").no_ack(true).call().unwrap();
        for (number, delivery) in consumer.take(MESSAGES).enumerate() {
            assert_eq!(delivery.unwrap().body(), number.to_string().as_bytes());
        }
        publishing.join().unwrap();
    });
}

#[test]
fn the_last_handle_sends_what_was_queued_through_tls_too() {
    in_time(|| {
        let (host, identity) = (Host::new(), Identity::new());
        host.connect().open_channel().unwrap().queue_declare("q").call().unwrap();
        let connection = Connection::open(identity.listen(&host)).unwrap();
        let channel = connection.open_channel().unwrap();
        for _ in 0..1000 {
            channel.publish("", "q", vec![7; 3000]).send().unwrap();
        }
        drop((connection, channel));
        assert_eq!(host.messages("q"), (1000, 0));
    });
}

#[test]
fn tls_is_spoken_on_a_socket_of_the_callers() {
    in_time(|| {
        let (host, identity) = (Host::new(), Identity::new());
        let (client, server) = UnixStream::pair().unwrap();
        server.set_nonblocking(true).unwrap();
        let (acceptor, broker) = (identity.acceptor.clone(), host.broker.clone());
        host.spawn(async { serve(acceptor, tokio::net::UnixStream::from_std(server).unwrap(), broker).await });
        let by_name = parameters().host(NAME).tls(Tls::default().ca(Pem::memory(identity.pem.as_str())));
        let connection = Connection::open_on(client, by_name).unwrap();
        connection.open_channel().unwrap().queue_declare("q").call().unwrap();
        connection.close().unwrap();
    });
}

#[test]
fn a_certificate_for_another_name_or_of_a_stranger_is_refused() {
    in_time(|| {
        let (host, identity) = (Host::new(), Identity::new());
        let parameters = identity.listen(&host);
        let others = [identity.settings().server_name("other.test"), Identity::new().settings()];
        for tls in others {
            let error = Connection::open(parameters.clone().tls(tls)).unwrap_err();
            assert!(error.is_tls() && !error.is_retryable(), "{error}");
            assert_eq!(error.attempts()[0].phase(), Phase::Tls);
        }
        host.until_left();
    });
}

#[test]
fn a_peer_that_speaks_no_tls_or_nothing_ends_the_open() {
    in_time(|| {
        let identity = Identity::new();
        let (parameters, script) = peer(async |mut peer: SocketPeer| {
            peer.take_octets(5).await;
            peer.send_octets(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            peer
        });
        let error = Connection::open(parameters.tls(identity.settings())).unwrap_err();
        assert_eq!((error.kind(), error.attempts()[0].phase()), (ErrorKind::Tls, Phase::Tls), "{error}");
        drop(script.end());

        let (parameters, script) = peer(async |mut peer: SocketPeer| {
            peer.take_octets(5).await;
            peer
        });
        let limit = Duration::from_millis(100);
        let before = Instant::now();
        let error = Connection::open(parameters.tls(identity.settings()).tls_timeout(limit)).unwrap_err();
        assert!(error.is_timeout() && error.to_string().contains("tls_timeout"), "{error}");
        assert!(before.elapsed() >= limit);
        drop(script.end());
    });
}

#[test]
fn a_connection_over_tls_that_is_cut_or_falls_silent_ends_what_waits() {
    in_time(|| {
        let (host, identity) = (Host::new(), Identity::new());
        let parameters = identity.listen(&host);
        for fault in [Fault::Drop, Fault::Silence] {
            let connection = Connection::open(parameters.clone().heartbeat(1)).unwrap();
            let channel = connection.open_channel().unwrap();
            channel.queue_declare("q").call().unwrap();
            let mut consumer = channel.consume("q").call().unwrap();
            host.broker.state().inject(Target::All, fault);
            let error = consumer.try_next().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionClosed, "{fault:?}: {error}");
            assert!(error.is_retryable());
        }
    });
}
