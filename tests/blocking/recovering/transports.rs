//! Each way in which a connection can be made again.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use leveret::blocking::Connection;
use leveret::config::{Credentials, Provided};
use leveret::{ConnectionEvent, ConnectionParameters, ErrorKind, Phase};

use super::super::gate::{cut, survivor};
use super::super::host::Host;
use super::super::secure::Identity;
use super::super::within::in_time;
use super::{World, next, recovered};

#[test]
fn tls_is_spoken_again_after_a_loss() {
    in_time(|| {
        let (host, identity) = (Host::new(), Identity::new());
        let connection = Connection::open(survivor(identity.listen(&host))).unwrap();
        let (channel, mut events) = (connection.open_channel().unwrap(), connection.events());
        channel.queue_declare("mine").exclusive(true).call().unwrap();
        let mut consumer = channel.consume("mine").call().unwrap();
        for body in ["one", "two"] {
            cut(&host);
            recovered(&mut events);
            channel.publish("", "mine", body).send().unwrap();
            let delivery = consumer.try_next().unwrap().unwrap();
            assert_eq!(delivery.body(), body.as_bytes());
            delivery.ack().unwrap();
        }
        connection.close().unwrap();
        host.until_left();
    });
}

#[test]
fn a_provider_of_credentials_is_asked_at_each_attempt() {
    in_time(|| {
        let asked = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&asked);
        let credentials = Credentials::provided_by(move || {
            counts.fetch_add(1, Ordering::Relaxed);
            async { Ok(Provided::from(Credentials::default())) }
        });
        let mut world = World::with(|parameters| parameters.credentials(credentials));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        world.host.broker.state().refuse_logins(2);
        world.lose();
        assert_eq!(asked.load(Ordering::Relaxed), 4, "two that were refused, and one that was not");
    });
}

/// Sockets to a broker, as long as they may be had.
fn sockets(host: &Host, reachable: &Arc<AtomicBool>) -> impl Fn() -> io::Result<UnixStream> + Send + Sync + 'static {
    let (broker, runtime, reachable) = (host.broker.clone(), host.runtime().clone(), Arc::clone(reachable));
    move || {
        if !reachable.load(Ordering::Acquire) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (near, far) = UnixStream::pair()?;
        far.set_nonblocking(true)?;
        let broker = broker.clone();
        runtime.spawn(async move {
            Host::serve(broker, tokio::net::UnixStream::from_std(far).unwrap()).await;
        });
        Ok(near)
    }
}

#[test]
fn sockets_of_a_function_are_made_again_after_a_loss() {
    in_time(|| {
        let (host, reachable) = (Host::new(), Arc::new(AtomicBool::new(true)));
        let parameters = survivor(ConnectionParameters::default());
        let connection = Connection::open_with(sockets(&host, &reachable), parameters).unwrap();
        let (channel, mut events) = (connection.open_channel().unwrap(), connection.events());
        reachable.store(false, Ordering::Release);
        cut(&host);
        while !matches!(next(&mut events), ConnectionEvent::ReconnectFailed { attempt: 2, .. }) {}
        reachable.store(true, Ordering::Release);
        recovered(&mut events);
        channel.queue_declare("jobs").call().unwrap();
        connection.close().unwrap();
        host.until_left();
    });
}

#[test]
fn an_open_reports_the_error_of_the_function() {
    in_time(|| {
        let (host, reachable) = (Host::new(), Arc::new(AtomicBool::new(false)));
        let error = Connection::open_with(sockets(&host, &reachable), "amqp://localhost").unwrap_err();
        assert_eq!((error.kind(), error.attempts()[0].phase()), (ErrorKind::Io, Phase::Connect), "{error}");
    });
}
