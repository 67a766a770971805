//! Sockets of the caller that are made again after they were lost.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use leveret::broker::{Fault, Target};
use leveret::{ConnectionEvent, ConnectionParameters, Recovery};

use super::epoll::{Loop, Mode};
use super::host::Host;
use super::session::port;

#[test]
fn a_connection_on_sockets_of_a_function_is_recovered_in_every_kind_of_loop() {
    for mode in [Mode::Level, Mode::Edge, Mode::OneShot] {
        let host = Host::new();
        let mut event_loop = Loop::new(mode);
        let (made, address) = (Arc::new(AtomicUsize::new(0)), ("127.0.0.1", port(&host.url)));
        let counts = Arc::clone(&made);
        // The second time there is none.
        let connect = move || match counts.fetch_add(1, Ordering::Relaxed) {
            1 => Err(io::ErrorKind::NotFound.into()),
            _ => TcpStream::connect(address),
        };
        let parameters =
            ConnectionParameters::default().recovery(Recovery::Topology).recovery_delay(Duration::from_millis(5));
        let opening = event_loop.reactor.open_with(connect, parameters);
        let connection = event_loop.run(opening).unwrap();
        event_loop.run(async {
            let (channel, mut events) = (connection.open_channel().await.unwrap(), connection.events());
            channel.queue_declare("burrow").exclusive(true).await.unwrap();
            let mut consumer = channel.consume("burrow").await.unwrap();
            host.broker.state().inject(Target::All, Fault::Drop);
            let mut failed = 0;
            loop {
                match events.next().await.unwrap() {
                    ConnectionEvent::ReconnectFailed { .. } => failed += 1,
                    ConnectionEvent::Recovered { .. } => break,
                    _ => {}
                }
            }
            assert_eq!((failed, made.load(Ordering::Relaxed)), (1, 3), "{mode:?}");
            channel.publish("", "burrow", "Hello").await.unwrap();
            consumer.try_next().await.unwrap().unwrap().ack().await.unwrap();
            connection.close().await.unwrap();
        });
    }
}
