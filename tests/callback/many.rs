//! Many connections on one loop, TLS, and connections that a thread of their own drives.

use std::time::Duration;

use leveret::callback::{Connection, EventLoop};
use leveret::config::{Pem, Tls};
use leveret::{ConnectionParameters, Initiator};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::guard::Guard;
use super::rig::Rig;

type Log = Vec<String>;

const CONNECTIONS: usize = 50;

/// Opens a connection that gets a message from a queue of its own, notes it, and closes.
fn converse(event_loop: &mut EventLoop<Log>, parameters: ConnectionParameters, number: usize) {
    let opened = move |_: &mut Log, connection: &Connection<Log>, opened: leveret::Result<()>| {
        opened.unwrap();
        connection.on_close(|log: &mut Log, _, why| log.push(format!("{:?}", why.initiator())));
        let closes = connection.clone();
        connection.open_channel(move |_, _, channel| {
            let channel = channel.unwrap();
            let queue = format!("q{number}");
            channel.queue_declare(&queue).forget();
            channel.publish("", &queue, vec![7; 100_000]).send();
            channel.consume(&queue).each(move |log: &mut Log, _, delivery| {
                log.push(format!("{}", delivery.body().len()));
                delivery.ack().unwrap();
                closes.close();
            });
        });
    };
    Connection::open(event_loop, parameters, opened).unwrap();
}

/// Everybody has had a message, and has closed.
fn assert_conversed(mut log: Log, connections: usize) {
    log.sort();
    let mut expected = vec!["100000".to_owned(); connections];
    expected.extend(vec![format!("{:?}", Some(Initiator::Client)); connections]);
    assert_eq!(log, expected);
}

#[test]
fn fifty_connections_share_a_loop() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    for number in 0..CONNECTIONS {
        let parameters: ConnectionParameters = rig.host.url.parse().unwrap();
        converse(&mut rig.event_loop, parameters.driver_thread(number % 10 == 0), number);
    }
    rig.event_loop.run(&mut log).unwrap();
    assert_conversed(log, CONNECTIONS);
    rig.until(&mut Log::new(), |broker| broker.connections().is_empty());
}

#[test]
fn a_connection_keeps_its_loop_running_whoever_drives_it() {
    for driver_thread in [false, true] {
        let (mut rig, mut log) = (Rig::new(), Log::new());
        let parameters: ConnectionParameters = rig.host.url.parse().unwrap();
        let parameters = parameters.driver_thread(driver_thread);
        let connection = Connection::open(&mut rig.event_loop, parameters, |_, _, opened| opened.unwrap()).unwrap();
        rig.event_loop.run_until(&mut log, |_| connection.is_open()).unwrap();
        let remote = rig.event_loop.handle().remote();
        let id = rig.host.broker.state().connections()[0].id;
        // Nothing else waits: the run goes on until the connection is lost.
        remote.call(|log: &mut Log, _| log.push("job".to_owned()));
        let ends = rig.event_loop.handle().call_later(Duration::from_millis(20), |log, handle| {
            log.push("timer".to_owned());
            handle.stop();
        });
        rig.event_loop.run(&mut log).unwrap();
        assert!(!rig.event_loop.handle().cancel(ends) && connection.is_open(), "{driver_thread}");
        rig.host.broker.state().close_connection(id, leveret::ReplyCode::CONNECTION_FORCED, "an operator's");
        rig.event_loop.run(&mut log).unwrap();
        assert!(!connection.is_open(), "{driver_thread}");
        assert_eq!(log, ["job", "timer"]);
    }
}

/// A port at which TLS is spoken for the broker at this address, and its certificate.
fn secured(address: String) -> (u16, String, std::thread::JoinHandle<()>) {
    use rustls::ServerConfig;
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], der).unwrap();
    let (sends, receives) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sends.send(listener.local_addr().unwrap().port()).unwrap();
            let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut broker = TcpStream::connect(address).await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut broker).await;
        });
    });
    (receives.recv().unwrap(), certificate.pem(), thread)
}

#[test]
fn tls_carries_everything_on_the_loop() {
    let (mut rig, mut log) = (Rig::new(), Log::new());
    let _guard = Guard::new();
    let address = rig.host.url.rsplit('@').next().unwrap().to_owned();
    let (port, pem, thread) = secured(address);
    let parameters: ConnectionParameters = format!("amqps://guest:guest@localhost:{port}").parse().unwrap();
    let parameters = parameters.tls(Tls::default().ca(Pem::memory(pem.as_str())));
    converse(&mut rig.event_loop, parameters, 0);
    rig.event_loop.run(&mut log).unwrap();
    assert_conversed(log, 1);
    thread.join().unwrap();
}
