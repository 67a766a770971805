//! The nodes, as the command `control` of this folder gives access to them.

use std::ffi::OsString;
use std::process::Command;

use leveret::config::{Endpoint, EndpointOrder};
use leveret::{ConnectionParameters, FieldTable};

use crate::{Failure, Result};

/// The numbers of the nodes.
pub(crate) const NODES: [u8; 3] = [1, 2, 3];

/// Seconds between heartbeats: a client notices a silent node after two of them.
const HEARTBEAT: u16 = 5;

/// A cluster that `tests/cluster/run` started.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    control: OsString,
    /// Where clients find each node.
    addresses: Vec<(u8, String)>,
}

impl Cluster {
    /// Finds the command of the cluster around this process.
    pub(crate) async fn around() -> Result<Self> {
        let control = std::env::var_os("LEVERET_CLUSTER_CONTROL")
            .ok_or("LEVERET_CLUSTER_CONTROL is not set: start this by tests/cluster/run")?;
        let mut cluster = Self { control, addresses: Vec::new() };
        for node in NODES {
            cluster.addresses.push((node, cluster.node("address", node).await?));
        }
        Ok(cluster)
    }

    /// Runs the command with these words, and returns what it prints. It may take minutes.
    pub(crate) async fn control(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.control);
        command.args(words);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            return Ok(said(&output.stdout));
        }
        Err(format!("control {}: {}", words.join(" "), said(&output.stderr)).into())
    }

    /// Does something to one node.
    pub(crate) async fn node(&self, act: &str, node: u8) -> Result<String> {
        self.control(&[act, &node.to_string()]).await
    }

    /// Returns the number of the node that leads a quorum queue, as a node knows it.
    pub(crate) async fn leader(&self, queue: &str, asked: u8) -> Result<u8> {
        Ok(self.control(&["leader", queue, &asked.to_string()]).await?.parse()?)
    }

    /// Waits until every node runs, and has its replica of the queue online.
    pub(crate) async fn settled(&self, queue: &str) -> Result<()> {
        self.control(&["settled", queue]).await.map(drop)
    }

    /// Returns the parameters of a client that knows every node and tries them in this order,
    /// beginning with `first`.
    pub(crate) fn parameters(&self, first: u8) -> ConnectionParameters {
        let mut nodes = self.addresses.clone();
        nodes.sort_by_key(|&(node, _)| node != first);
        ConnectionParameters::default()
            .endpoints(nodes.into_iter().map(|(_, address)| Endpoint::new(address)))
            .endpoint_order(EndpointOrder::InOrder)
            .heartbeat(HEARTBEAT)
            .connection_attempts(1)
    }
}

/// The arguments of a quorum queue.
pub(crate) fn quorum() -> FieldTable {
    let mut arguments = FieldTable::new();
    arguments.insert("x-queue-type", "quorum");
    arguments
}

/// Waits for a future, and fails if it takes longer than this.
pub(crate) async fn within<T>(seconds: u64, what: &str, future: impl Future<Output = T>) -> Result<T> {
    let limit = std::time::Duration::from_secs(seconds);
    tokio::time::timeout(limit, future).await.map_err(|_| Failure::from(format!("{what} took longer than {seconds} s")))
}
