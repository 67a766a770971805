//! A port in front of a broker that can be shut.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use leveret::broker::{Fault, Target};
use leveret::{ConnectionParameters, Recovery};

use super::host::Host;

/// Clients that come while it is shut are turned away at once.
pub(crate) struct Gate {
    port: u16,
    is_open: Arc<AtomicBool>,
}

impl Gate {
    pub(crate) fn new(host: &Host) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_open = Arc::new(AtomicBool::new(true));
        let (broker, lets_in) = (host.broker.clone(), Arc::clone(&is_open));
        host.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                if lets_in.load(Ordering::Acquire) {
                    tokio::spawn(Host::serve(broker.clone(), stream));
                }
            }
        });
        Self { port, is_open }
    }

    /// What a client needs to know that is to survive losses, and to be back soon after them.
    pub(crate) fn parameters(&self) -> ConnectionParameters {
        survivor(ConnectionParameters::default().host("127.0.0.1").port(self.port))
    }

    pub(crate) fn shut(&self) {
        self.is_open.store(false, Ordering::Release);
    }

    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }
}

/// The same parameters, with recovery.
pub(crate) fn survivor(parameters: ConnectionParameters) -> ConnectionParameters {
    let (delay, longest) = (Duration::from_millis(5), Duration::from_millis(20));
    parameters.recovery(Recovery::Topology).recovery_delay(delay).recovery_max_delay(longest)
}

/// Loses every transport of the broker.
pub(crate) fn cut(host: &Host) {
    host.broker.state().inject(Target::All, Fault::Drop);
}
