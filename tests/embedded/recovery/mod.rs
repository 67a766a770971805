//! Connections that survive the loss of their transport, on the embedded broker and in virtual
//! time.

mod attempts;
mod cascade;
mod channels;
mod closes;
mod down;
mod events;
mod fates;
mod hook;
mod modes;
mod numbers;
mod opt_out;
mod peers;
mod refusals;
mod resend;
mod resuming;
mod rules;
mod tapped;
mod timeouts;
mod topology;
mod transactions;
mod transports;

use std::future::ready as now;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use leveret::asynchronous::ConnectionEvents;
use leveret::broker::{Broker, Fault, Target};
use leveret::{Channel, Connection, ConnectionEvent, ConnectionParameters, Entity, Error, Recovery};
use leveret_test_support::endings;

use crate::soon;

/// A broker, and a connection that is recovered.
struct World {
    broker: Broker,
    connection: Connection,
    channel: Channel,
    /// Whether the broker takes connections.
    reachable: Arc<AtomicBool>,
}

impl World {
    async fn new() -> Self {
        Self::with(ConnectionParameters::default().recovery(Recovery::Topology)).await
    }

    async fn with(parameters: ConnectionParameters) -> Self {
        let (broker, reachable) = (Broker::new(), Arc::new(AtomicBool::new(true)));
        let dial = {
            let (broker, reachable) = (broker.clone(), Arc::clone(&reachable));
            move || {
                let open = reachable.load(Ordering::Relaxed);
                now(if open { Ok(broker.connect()) } else { Err(std::io::ErrorKind::ConnectionRefused.into()) })
            }
        };
        let connection = soon(Connection::open_with(dial, parameters)).await.unwrap();
        endings::watch(connection.leftovers());
        let channel = soon(connection.open_channel()).await.unwrap();
        Self { broker, connection, channel, reachable }
    }

    /// Closes the connection, and checks that nothing is left of it. What waits for it is to be
    /// dropped before.
    async fn finish(self) {
        long(self.connection.close()).await.unwrap();
        let leftovers = self.connection.leftovers();
        let Self { broker, connection, channel, .. } = self;
        drop((connection, channel));
        settle().await;
        let (left, waiters) = leftovers().expect("the connection is over");
        assert_eq!((left.to_string(), waiters), (String::new(), 0));
        let connected = broker.state().connections();
        assert!(connected.iter().all(|connection| !connection.open), "{connected:?}");
    }

    /// Loses every transport.
    fn cut(&self) {
        self.broker.state().inject(Target::All, Fault::Drop);
    }

    /// Loses every transport, and lets no other be made.
    fn cut_off(&self) {
        self.reachable.store(false, Ordering::Relaxed);
        self.cut();
    }

    fn reach(&self) {
        self.reachable.store(true, Ordering::Relaxed);
    }

    /// Loses the transport, and waits until the connection is recovered.
    async fn lose(&self) {
        let mut events = self.connection.events();
        self.cut();
        let failed = recovery(&mut events).await;
        assert!(failed.is_empty(), "{failed:?}");
    }
}

/// Waits until the connection is recovered. Returns what could not be restored.
async fn recovery(events: &mut ConnectionEvents) -> Vec<(Entity, Error)> {
    loop {
        match long(events.next()).await {
            Some(ConnectionEvent::Recovered { failed, .. }) => return failed,
            Some(ConnectionEvent::Closed(error)) => panic!("{error}"),
            Some(_) => {}
            None => panic!("the connection ended"),
        }
    }
}

/// Awaits what may take as long as an outage.
async fn long<F: IntoFuture>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(600), future.into_future()).await.expect("it happens")
}

/// Lets everything happen that happens at once.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
