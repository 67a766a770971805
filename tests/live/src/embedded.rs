//! The embedded brokers that the scenarios run on, where `LEVERET_TEST_BROKER` says so: one for
//! each private node of RabbitMQ.
//!
//! They live in the test process, on a runtime of their own, so that each scenario has a runtime
//! that ends with it.

use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex, PoisonError};

use leveret::broker::{Broker, Listener};
use leveret::protocol::ReplyCode;
use tokio::runtime::{Builder, Runtime};

use crate::variable;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let built = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    built.expect("a runtime for the embedded brokers")
});
static QUIET: LazyLock<Embedded> = LazyLock::new(Embedded::start);
static DISTURBED: LazyLock<Embedded> = LazyLock::new(Embedded::start);

/// An embedded broker, at a TCP port.
pub(crate) struct Embedded {
    pub(crate) broker: Broker,
    pub(crate) url: String,
    address: SocketAddr,
    /// None while it is stopped.
    listener: Mutex<Option<Listener>>,
}

/// The scenarios are to run on embedded brokers.
pub(crate) fn is_chosen() -> bool {
    match variable("LEVERET_TEST_BROKER").as_str() {
        "embedded" => true,
        "rabbitmq" => false,
        other => panic!("LEVERET_TEST_BROKER is {other:?}: neither rabbitmq nor embedded"),
    }
}

/// The one that all scenarios share.
pub(crate) fn quiet() -> &'static Embedded {
    &QUIET
}

/// The one for alarms, forced closes and stops.
pub(crate) fn disturbed() -> &'static Embedded {
    &DISTURBED
}

impl Embedded {
    fn start() -> Self {
        let broker = Broker::new();
        let listening = broker.clone();
        // Within a scenario's runtime nothing can be waited for but by a thread of its own.
        let started = std::thread::spawn(move || RUNTIME.block_on(listening.listen("127.0.0.1:0")));
        let listener = started.join().expect("the thread ends").expect("the embedded broker has a port");
        let (url, address) = (listener.url(), listener.address());
        Self { broker, url, address, listener: Mutex::new(Some(listener)) }
    }

    /// Closes every connection and takes no more; what is durable is kept.
    pub(crate) async fn stop(&self) {
        let listener = self.listener().take();
        if let Some(listener) = listener {
            listener.stop().await;
        }
        // Nobody gets in before it starts again, so that what a start changes may happen now.
        self.broker.restart();
    }

    /// Takes connections, at the port where it did before.
    pub(crate) async fn resume(&self) {
        if self.listener().is_some() {
            return;
        }
        let (broker, address) = (self.broker.clone(), self.address);
        let listening = RUNTIME.spawn(async move { broker.listen(address).await });
        let listener = listening.await.expect("the task ends").expect("the port is free again");
        *self.listener() = Some(listener);
    }

    /// Closes the connections whose clients gave them a name that `chosen` picks.
    pub(crate) fn close_connections(&self, text: &str, mut chosen: impl FnMut(Option<&str>) -> bool) {
        let mut state = self.broker.state();
        for connection in state.connections() {
            if chosen(connection.name.as_deref()) {
                state.close_connection(connection.id, ReplyCode::CONNECTION_FORCED, text);
            }
        }
    }

    fn listener(&self) -> std::sync::MutexGuard<'_, Option<Listener>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
