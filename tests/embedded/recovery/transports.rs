//! Each way in which the async API makes a transport again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use leveret::broker::{Broker, Fault, Target};
use leveret::config::{Credentials, Endpoint, Provided};
use leveret::{Connection, ConnectionEvent, ConnectionParameters, ErrorKind, Fate, Recovery};

use super::{World, long};
use crate::{ready, soon};

/// Loses the transport of a connection, and waits until it is recovered. Returns where it is.
async fn lose(broker: &Broker, connection: &Connection) -> Option<Endpoint> {
    let mut events = connection.events();
    broker.state().inject(Target::All, Fault::Drop);
    loop {
        match long(events.next()).await.expect("it does not end") {
            ConnectionEvent::Recovered { failed, endpoint, .. } => {
                assert!(failed.is_empty(), "{failed:?}");
                return endpoint;
            }
            ConnectionEvent::Closed(error) => panic!("{error}"),
            _ => {}
        }
    }
}

/// Loses a connection twice, which has a queue of its own and a consumer of it.
async fn lose_twice(broker: &Broker, connection: &Connection) {
    let channel = long(connection.open_channel()).await.unwrap();
    long(channel.queue_declare("mine").exclusive(true)).await.unwrap();
    let mut consumer = long(channel.consume("mine")).await.unwrap();
    for body in ["one", "two"] {
        lose(broker, connection).await;
        long(channel.publish("", "mine", body)).await.unwrap();
        let delivery = long(consumer.try_next()).await.unwrap().unwrap();
        assert_eq!(delivery.body(), body.as_bytes());
        long(delivery.ack()).await.unwrap();
    }
    assert_eq!(connection.generation(), 2);
    long(connection.close()).await.unwrap();
}

/// In real time, because the thread has a clock of its own.
#[tokio::test]
async fn a_connection_over_tcp_is_recovered_by_a_task_and_by_a_thread_of_its_own() {
    for driver_thread in [false, true] {
        let broker = Broker::new();
        let listener = broker.listen("127.0.0.1:0").await.unwrap();
        let parameters = ConnectionParameters::from_url(&listener.url()).unwrap().driver_thread(driver_thread);
        let parameters = parameters.recovery(Recovery::Topology).recovery_delay(Duration::from_millis(5));
        let connection = long(Connection::open(parameters)).await.unwrap();
        lose_twice(&broker, &connection).await;
        long(broker.until(|state| state.connections().is_empty())).await;
    }
}

#[cfg(feature = "tls")]
#[tokio::test(start_paused = true)]
async fn tls_is_spoken_again_after_a_loss() {
    use leveret::config::{Pem, Tls};
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

    let signing_key = rcgen::KeyPair::generate().unwrap();
    let names = rcgen::CertificateParams::new(["broker.test".to_owned()]).unwrap();
    let certificate = names.self_signed(&signing_key).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let (broker, acceptor) = (Broker::new(), tokio_rustls::TlsAcceptor::from(Arc::new(config)));
    let connect = {
        let broker = broker.clone();
        move || {
            let (near, far) = tokio::io::duplex(4096);
            let (broker, acceptor) = (broker.clone(), acceptor.clone());
            tokio::spawn(async move {
                let mut secured = acceptor.accept(far).await.unwrap();
                // However it ends: that is what is tested.
                drop(tokio::io::copy_bidirectional(&mut secured, &mut broker.connect()).await);
            });
            std::future::ready(Ok(near))
        }
    };
    let tls = Tls::default().ca(Pem::memory(certificate.pem().as_str())).server_name("broker.test");
    let parameters = ConnectionParameters::default().tls(tls).recovery(Recovery::Topology);
    let connection = soon(Connection::open_with(connect, parameters)).await.unwrap();
    lose_twice(&broker, &connection).await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_of_credentials_is_asked_at_each_attempt() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let credentials = Credentials::provided_by(move || {
        counts.fetch_add(1, Ordering::Relaxed);
        async { Ok(Provided::from(Credentials::default())) }
    });
    let parameters = ConnectionParameters::default().recovery(Recovery::Topology).credentials(credentials);
    let world = World::with(parameters).await;
    world.broker.state().refuse_logins(2);
    world.lose().await;
    assert_eq!(asked.load(Ordering::Relaxed), 4, "at the open, twice in vain, and once more");
}

#[tokio::test(start_paused = true)]
async fn a_confirm_that_is_awaited_at_a_loss_is_unknown_and_not_refused() {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher = soon(world.channel.confirm_select()).await.unwrap();
    let mut events = world.connection.events();
    world.broker.state().inject(Target::All, Fault::Silence);
    let confirm = soon(publisher.publish("", "jobs", "work")).await.unwrap();
    super::settle().await;
    world.cut();
    let error = soon(confirm).await.unwrap_err();
    assert_eq!((error.fate(), error.kind()), (Some(Fate::Unknown), ErrorKind::ConnectionClosed), "{error}");
    assert!(matches!(soon(events.next()).await, Some(ConnectionEvent::Lost { unknown: 1, .. })));
    soon(world.connection.recovered()).await.unwrap();
    long(publisher.publish("", "jobs", "work").confirmed()).await.unwrap();
    assert_eq!(ready(&world.broker, "jobs"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_given_transport_cannot_be_recovered_and_the_error_names_what_can() {
    let broker = Broker::new();
    let error = soon(Connection::open_on(broker.connect(), "amqp://localhost?recovery=topology")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Parameters);
    assert!(error.to_string().contains("open_with"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_hangs_is_given_up_after_the_connect_timeout_and_asked_again() {
    let (broker, calls) = (Broker::new(), Arc::new(AtomicUsize::new(0)));
    let connect = {
        let (broker, calls) = (broker.clone(), Arc::clone(&calls));
        move || {
            let broker = broker.clone();
            let hangs = calls.fetch_add(1, Ordering::Relaxed) == 1;
            async move { if hangs { std::future::pending().await } else { Ok(broker.connect()) } }
        }
    };
    let parameters = ConnectionParameters::default().recovery(Recovery::Topology);
    let parameters = parameters.recovery_delay(Duration::from_millis(1));
    let connection = soon(Connection::open_with(connect, parameters.connect_timeout(Duration::from_secs(7)))).await;
    let connection = connection.unwrap();
    let began = tokio::time::Instant::now();
    lose(&broker, &connection).await;
    assert_eq!((calls.load(Ordering::Relaxed), began.elapsed().as_secs()), (3, 7));
    soon(connection.close()).await.unwrap();

    let hangs = || std::future::pending::<std::io::Result<tokio::io::DuplexStream>>();
    let error = long(Connection::open_with(hangs, "amqp://localhost")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("connect_timeout"), "{error}");
}

/// In real time, because the sockets have a clock of their own.
#[tokio::test]
async fn the_endpoint_that_was_lost_is_tried_after_the_others() {
    let (first, second) = (Broker::new(), Broker::new());
    let near = [first.listen("127.0.0.1:0").await.unwrap(), second.listen("127.0.0.1:0").await.unwrap()];
    let [one, two] = near.each_ref().map(|listener| listener.address().port());
    let url = format!("amqp://127.0.0.1:{one},127.0.0.1:{two}?recovery=topology&recovery_delay=0.005");
    let connection = long(Connection::open(url)).await.unwrap();
    assert_eq!(first.state().connections().len(), 1);
    for (lost, next) in [(&first, two), (&second, one), (&first, two)] {
        let endpoint = lose(lost, &connection).await.unwrap();
        assert_eq!(endpoint, Endpoint::new("127.0.0.1").with_port(next));
    }
    long(connection.close()).await.unwrap();
}
