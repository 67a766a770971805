//! Where a fault happens: a queue, publishers and consumers on it, a ledger, and how all of it
//! ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leveret::Connection;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Result;
use crate::client::{Client, Outage, Work};
use crate::cluster::{Cluster, quorum, within};
use crate::consuming::consume;
use crate::ledger::Ledger;
use crate::publishing::{Pace, Publishing};

/// The prefetch of each consumer.
const PREFETCH: u16 = 200;

/// Seconds until every publish has its outcome, and every message its acknowledgement, once all
/// nodes run again.
const PATIENCE: u64 = 60;

/// Seconds until clients work again while a node is away.
const WITHOUT_A_NODE: u64 = 8;

/// A fault that is going on.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) queue: String,
    pub(crate) ledger: Arc<Ledger>,
    /// What the report says beside the ledger.
    pub(crate) notes: Vec<String>,
    publishers: JoinSet<Result<Vec<Outage>>>,
    consumers: JoinSet<Result<Vec<Outage>>>,
    pace: watch::Sender<Pace>,
    stop_consuming: watch::Sender<bool>,
    opened: Instant,
}

/// What is left of a fault.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) outages: Vec<Outage>,
    pub(crate) notes: Vec<String>,
    pub(crate) violations: Vec<String>,
    pub(crate) took: Duration,
}

impl Stage {
    /// Declares a quorum queue at a node, which leads it then.
    pub(crate) async fn open(cluster: Cluster, queue: String, leader: u8) -> Result<Self> {
        let connection = Connection::open(&cluster.parameters(leader)).await?;
        let channel = connection.open_channel().await?;
        channel.queue_declare(&queue).durable(true).arguments(quorum()).await?;
        connection.close().await?;
        let led_by = cluster.leader(&queue, leader).await?;
        if led_by != leader {
            return Err(format!("node {led_by} leads {queue}, not {leader}, where it was declared").into());
        }
        Ok(Self {
            cluster,
            queue,
            ledger: Arc::default(),
            notes: Vec::new(),
            publishers: JoinSet::new(),
            consumers: JoinSet::new(),
            pace: watch::Sender::new(Pace::Full),
            stop_consuming: watch::Sender::new(false),
            opened: Instant::now(),
        })
    }

    /// Starts a publisher that has up to `window` publishes in flight.
    pub(crate) async fn add_publisher(&mut self, first: u8, window: usize, pause: Duration) -> Result<()> {
        let parameters = self.cluster.parameters(first);
        let client = Client::start(parameters, Work { queue: self.queue.clone(), prefetch: None }).await?;
        let publishing = Publishing { queue: self.queue.clone(), window, pause };
        self.publishers.spawn(publishing.run(client, Arc::clone(&self.ledger), self.pace.subscribe()));
        Ok(())
    }

    /// Starts a consumer.
    pub(crate) async fn add_consumer(&mut self, first: u8) -> Result<()> {
        let parameters = self.cluster.parameters(first);
        let work = Work { queue: self.queue.clone(), prefetch: Some(PREFETCH) };
        let client = Client::start(parameters, work).await?;
        self.consumers.spawn(consume(client, Arc::clone(&self.ledger), self.stop_consuming.subscribe()));
        Ok(())
    }

    /// Waits until this many more messages are confirmed, and delivered.
    pub(crate) async fn progress(&self, messages: usize) -> Result<()> {
        let before = self.ledger.progress();
        let Err(error) = within(PATIENCE, "making progress", self.further(before, messages)).await else {
            return Ok(());
        };
        let now = self.ledger.progress();
        let (sums, channels) = (self.ledger.sums(), self.cluster.node("channels", 2).await?);
        Err(format!("{error}: {before:?} to {now:?} confirms and deliveries. {sums:?} The channels:\n{channels}")
            .into())
    }

    /// Waits for the same while a node is away. The note is left if it takes too long: RabbitMQ
    /// 3.10 refuses every publish of a channel that was opened at the wrong moment, until the node
    /// is back.
    pub(crate) async fn progress_or_note(&mut self, messages: usize) {
        let further = self.further(self.ledger.progress(), messages);
        if let Err(error) = within(WITHOUT_A_NODE, "making progress without the node", further).await {
            self.notes.push(format!("{error}."));
        }
    }

    async fn further(&self, before: (usize, u64), messages: usize) {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.ledger.progress();
            if now.0 >= before.0 + messages && now.1 >= before.1 + messages as u64 {
                return;
            }
        }
    }

    /// Starts a node, and waits until the cluster and the queue are whole again and clients work.
    pub(crate) async fn start_node(&self, node: u8, messages: usize) -> Result<()> {
        self.pace.send_replace(Pace::Slow);
        self.cluster.node("start", node).await?;
        self.cluster.settled(&self.queue).await?;
        self.pace.send_replace(Pace::Full);
        self.progress(messages).await
    }

    /// Stops the publishers, consumes and acknowledges what is left, and closes the ledger.
    pub(crate) async fn close(mut self) -> Result<Ended> {
        let mut violations = Vec::new();
        self.cluster.settled(&self.queue).await?;
        self.pace.send_replace(Pace::Stopped);
        let mut outages = Vec::new();
        match within(PATIENCE, "reporting every outcome", join(&mut self.publishers)).await {
            Ok(found) => outages.extend(found?),
            Err(error) => violations.push(format!("{error}.")),
        }
        self.add_consumer(1).await?;
        let emptied = within(PATIENCE, "emptying the queue", self.emptied()).await;
        self.stop_consuming.send_replace(true);
        outages.extend(within(PATIENCE, "closing consumers", join(&mut self.consumers)).await??);
        // What consumers had and did not acknowledge is in the queue again.
        let left = self.cluster.control(&["messages", &self.queue, "1"]).await?;
        if emptied.is_err() || left != "0" {
            violations.push(format!("The queue was not emptied; {left} messages are left."));
        }
        let away = outages.iter().filter(|outage| outage.recovered.is_none()).count();
        if away > 0 {
            violations.push(format!("{away} connections were lost and never replaced."));
        }
        self.delete().await?;
        violations.extend(self.ledger.violations());
        Ok(Ended { ledger: self.ledger, outages, notes: self.notes, violations, took: self.opened.elapsed() })
    }

    /// Waits until the broker says that no message is in the queue, delivered ones included.
    async fn emptied(&self) -> Result<()> {
        while self.cluster.control(&["messages", &self.queue, "1"]).await? != "0" {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    async fn delete(&self) -> Result<()> {
        let connection = Connection::open(&self.cluster.parameters(1)).await?;
        connection.open_channel().await?.queue_delete(&self.queue).await?;
        Ok(connection.close().await?)
    }
}

/// Waits for all clients, and returns their outages.
async fn join(clients: &mut JoinSet<Result<Vec<Outage>>>) -> Result<Vec<Outage>> {
    let mut outages = Vec::new();
    while let Some(ended) = clients.join_next().await {
        outages.extend(ended??);
    }
    Ok(outages)
}
