//! TLS on an in-memory pipe: silence, garbage and ends in the middle of it, in virtual time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use leveret::config::{Pem, Tls};
use leveret::protocol::{ReplyCode, connection};
use leveret::{Connection, ConnectionParameters, Error, ErrorKind, Phase};
use leveret_test_support::attention::{Attention, drop_after, in_turn};
use leveret_test_support::frames::octets_of_method;
use leveret_test_support::{Peer, oblige};
use rcgen::{Certificate, CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, copy_bidirectional};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::client::parameters;

const CAPACITY: usize = 64 * 1024;
pub(super) const NAME: &str = "broker.test";

/// A server's certificate, which is its own authority.
pub(super) struct Identity {
    pub(super) pem: String,
    pub(super) acceptor: TlsAcceptor,
}

impl Identity {
    pub(super) fn new() -> Self {
        Self::made_of(&CertificateParams::new([NAME.to_owned()]).unwrap())
    }

    pub(super) fn made_of(asked: &CertificateParams) -> Self {
        let signing_key = KeyPair::generate().unwrap();
        Self::of(&asked.self_signed(&signing_key).unwrap(), &signing_key)
    }

    pub(super) fn of(cert: &Certificate, signing_key: &KeyPair) -> Self {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        Self { pem: cert.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    /// What a client has to know that connects by whatever address.
    pub(super) fn settings(&self) -> Tls {
        Tls::default().ca(Pem::memory(self.pem.as_str())).server_name(NAME)
    }

    /// What a client has to know.
    pub(super) fn parameters(&self) -> ConnectionParameters {
        parameters().host(NAME).tls(Tls::default().ca(Pem::memory(self.pem.as_str())))
    }

    /// A transport for the client, and the peer behind TLS at its other end.
    pub(super) fn pipe(&self) -> (DuplexStream, Peer) {
        let (client, server) = tokio::io::duplex(CAPACITY);
        let (mut plain, peer) = Peer::new(CAPACITY);
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move {
            if let Ok(mut secured) = acceptor.accept(server).await {
                let _ = copy_bidirectional(&mut secured, &mut plain).await;
            }
        });
        (client, peer)
    }
}

/// How opening fails with a server that does this with its end of the pipe.
pub(super) async fn refused(parameters: ConnectionParameters, server: impl AsyncFnOnce(DuplexStream)) -> Error {
    let (client, end) = tokio::io::duplex(CAPACITY);
    let (opened, ()) = tokio::join!(Connection::open_on(client, parameters), server(end));
    opened.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn tls_is_spoken_on_any_transport_and_carries_everything() {
    let identity = Identity::new();
    let (transport, mut peer) = identity.pipe();
    let opening = Connection::open_on(transport, identity.parameters());
    let (opened, ()) = tokio::join!(opening, peer.shake_hands());
    let connection = opened.unwrap();
    let heard = oblige(peer);
    let channel = connection.open_channel().await.unwrap();
    let publisher = channel.confirm_select().await.unwrap();
    publisher.publish("", "q", vec![7; 1_000_000]).confirmed().await.unwrap();
    let mut consumer = channel.consume("q").await.unwrap();
    consumer.next().await.unwrap().unwrap().ack().await.unwrap();
    connection.close().await.unwrap();
    assert_eq!((heard.count("basic.publish"), heard.count("basic.ack")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_certificate_is_not_for_is_refused() {
    let identity = Identity::new();
    for parameters in [identity.parameters().host("other.test"), identity.parameters().host("127.0.0.1")] {
        let (transport, mut peer) = identity.pipe();
        let error = Connection::open_on(transport, parameters).await.unwrap_err();
        assert!(error.is_tls() && !error.is_retryable(), "{error}");
        assert!(error.to_string().contains("for another name"), "{error}");
        peer.expect_end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_ended_by_the_deadline_of_its_phase() {
    let identity = Identity::new();
    let limit = Duration::from_secs(3);
    let began = Instant::now();
    // What the client says is taken; nothing is answered.
    let silent = async |mut end: DuplexStream| while end.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {};
    let error = refused(identity.parameters().tls_timeout(limit), silent).await;
    assert_eq!((error.kind(), error.attempts()[0].phase()), (ErrorKind::TimedOut, Phase::Tls), "{error}");
    assert!(error.to_string().contains("tls_timeout") && began.elapsed() >= limit, "{error}");

    let (transport, mut peer) = identity.pipe();
    let opening = Connection::open_on(transport, identity.parameters().handshake_timeout(limit));
    let (opened, ()) = tokio::join!(opening, peer.expect_protocol_header());
    let error = opened.unwrap_err();
    assert_eq!((error.kind(), error.attempts()[0].phase()), (ErrorKind::TimedOut, Phase::Handshake), "{error}");
    assert!(error.to_string().contains("handshake_timeout"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_tls_is_told_as_such() {
    let identity = Identity::new();
    for answer in [&b"AMQP\0\0\x09\x01"[..], b"HTTP/1.1 400 Bad Request\r\n\r\n", &[1, 0, 0, 0, 0, 1, 0]] {
        let plain = async |mut end: DuplexStream| {
            let _ = end.read(&mut [0; 1024]).await;
            let _ = end.write_all(answer).await;
            let _ = end.read(&mut [0; 1024]).await;
        };
        let error = refused(identity.parameters(), plain).await;
        assert_eq!((error.kind(), error.attempts()[0].phase()), (ErrorKind::Tls, Phase::Tls), "{error}");
        assert!(error.to_string().contains("amqp://"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_anywhere_in_it_ends_the_open() {
    let identity = Identity::new();
    for allowed in 0.. {
        let (client, mut near) = tokio::io::duplex(CAPACITY);
        let (mut far, mut peer) = identity.pipe();
        // What comes from the broker is cut after so many octets.
        tokio::spawn(async move {
            let mut left = allowed;
            let (mut up, mut down) = ([0; 4096], [0; 4096]);
            while left > 0 {
                tokio::select! {
                    read = near.read(&mut up) => match read {
                        Ok(count) if count > 0 => far.write_all(&up[..count]).await.unwrap(),
                        _ => return,
                    },
                    read = far.read(&mut down) => match read {
                        Ok(count) if count > 0 => {
                            let passing = count.min(left);
                            left -= passing;
                            if near.write_all(&down[..passing]).await.is_err() {
                                return;
                            }
                        }
                        _ => return,
                    },
                }
            }
        });
        let opening = Connection::open_on(client, identity.parameters());
        let (opened, ()) = tokio::join!(opening, peer.shake_hands_as_far_as_it_goes());
        match opened {
            Ok(connection) => {
                drop(connection);
                assert!(allowed > 500, "{allowed} octets were enough");
                return;
            }
            Err(error) => {
                let phases = [Phase::Tls, Phase::Handshake];
                assert!(phases.contains(&error.attempts()[0].phase()), "{allowed}: {error}");
                assert!(!error.is_timeout(), "{allowed}: an end is no silence: {error}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_that_is_dropped_anywhere_leaves_nothing_but_a_closed_transport() {
    in_turn(async {
        let identity = Identity::new();
        for turns in 0..512 {
            let (transport, mut peer) = identity.pipe();
            let script = tokio::spawn(async move {
                peer.shake_hands_as_far_as_it_goes().await;
                while peer.receive().await.is_some() {}
            });
            let opened =
                drop_after(turns, Attention::Kept, Connection::open_on(transport, identity.parameters())).await;
            let completed = opened.is_some();
            drop(opened);
            tokio::time::timeout(Duration::from_secs(60), script).await.expect("the transport is gone").unwrap();
            if completed {
                return;
            }
        }
        panic!("it never opens");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_record_that_is_refused_is_read_first() {
    let identity = Identity::new();
    let (client, server) = tokio::io::duplex(CAPACITY);
    let script = async {
        let mut peer = Peer::on(identity.acceptor.accept(server).await.unwrap());
        peer.shake_hands().await;
        peer.into_stream()
    };
    let (opened, mut secured) = tokio::join!(Connection::open_on(client, identity.parameters()), script);
    let connection = opened.unwrap();
    let forced = connection::Close::default().reply_code(ReplyCode::CONNECTION_FORCED);
    secured.write_all(&octets_of_method(0, &forced)).await.unwrap();
    secured.flush().await.unwrap();
    // A record of application data that nobody encrypted, which arrives together with the close.
    let garbage = [&[23, 3, 3, 0, 32][..], &[0; 32]].concat();
    secured.get_mut().0.write_all(&garbage).await.unwrap();
    let error = connection.closed().await;
    assert_eq!(error.reply_code(), Some(ReplyCode::CONNECTION_FORCED), "{error:?}");
}

/// A transport that writes nothing.
struct Unwritable(DuplexStream);

impl AsyncRead for Unwritable {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, to)
    }
}

impl AsyncWrite for Unwritable {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_has_arrived_is_the_reason_although_a_write_fails() {
    let identity = Identity::new();
    // A fatal alert, handshake_failure; or nothing but the end.
    for (sent, kind) in [(&[21, 3, 3, 0, 2, 2, 40][..], ErrorKind::Tls), (&[], ErrorKind::Io)] {
        let (client, mut server) = tokio::io::duplex(CAPACITY);
        server.write_all(sent).await.unwrap();
        drop(server);
        let error = Connection::open_on(Unwritable(client), identity.parameters()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}
