//! The plan: which faults there are, and what happens in each.

use std::time::Duration;

use crate::Result;
use crate::cluster::{Cluster, NODES};
use crate::crowd;
use crate::stage::{Ended, Stage};

/// Publishes in flight of the one publisher at work in most faults.
const WINDOW: usize = 1_000;

/// Messages that are confirmed and delivered before a fault, and after it.
const SOME: usize = 3_000;

/// How long a node is frozen or cut off: longer than the broker and clients need to notice.
const AWAY: Duration = Duration::from_secs(20);

/// What happens to nodes while clients work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Client,
    Leader,
    Both,
    Turn,
    Rolling,
    Frozen,
    Minority,
    Isolated,
    Crowd,
}

impl Fault {
    /// All faults, in the order of the plan.
    pub(crate) const ALL: [Self; 9] = [
        Self::Client,
        Self::Leader,
        Self::Both,
        Self::Turn,
        Self::Rolling,
        Self::Frozen,
        Self::Minority,
        Self::Isolated,
        Self::Crowd,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Leader => "leader",
            Self::Both => "both",
            Self::Turn => "turn",
            Self::Rolling => "rolling",
            Self::Frozen => "frozen",
            Self::Minority => "minority",
            Self::Isolated => "isolated",
            Self::Crowd => "crowd",
        }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Client => "kill -9 of the clients' node; another one leads the queue",
            Self::Leader => "kill -9 of the node that leads the queue; clients are at another one",
            Self::Both => "kill -9 of the clients' node, which leads the queue",
            Self::Turn => "kill -9 of each node in turn, each started again before the next",
            Self::Rolling => "a rolling restart",
            Self::Frozen => "SIGSTOP of the clients' node, which leads the queue, for 20 s; then it is restarted",
            Self::Minority => "the clients' node, which leads the queue, cannot reach the others for 20 s",
            Self::Isolated => "the same node can reach neither the others nor its clients for 20 s",
            Self::Crowd => "kill -9 of the node of 200 clients",
        }
    }

    /// Brings it about while clients work, and returns their ledger.
    pub(crate) async fn happen(self, cluster: &Cluster) -> Result<Ended> {
        let leader = if matches!(self, Self::Client | Self::Leader) { 2 } else { 1 };
        let mut stage = Stage::open(cluster.clone(), format!("leveret.{}", self.name()), leader).await?;
        if self == Self::Crowd {
            crowd::gather(&mut stage).await?;
        } else {
            stage.add_publisher(1, WINDOW, Duration::ZERO).await?;
            stage.add_consumer(1).await?;
        }
        // Not at the node that fails first.
        stage.add_consumer(3).await?;
        stage.progress(SOME).await?;
        match self {
            Self::Client | Self::Both => killed(&mut stage, 1).await?,
            Self::Leader => killed(&mut stage, 2).await?,
            Self::Turn => in_turn(&mut stage).await?,
            Self::Rolling => rolling(&stage).await?,
            Self::Frozen => frozen(&stage).await?,
            Self::Minority => cut_off(&stage, &["peers"]).await?,
            Self::Isolated => cut_off(&stage, &["peers", "clients"]).await?,
            Self::Crowd => crowd::scatter(&mut stage).await?,
        }
        stage.close().await
    }
}

/// Kills a node, and starts it again once clients work without it.
async fn killed(stage: &mut Stage, node: u8) -> Result<()> {
    stage.cluster.node("kill", node).await?;
    stage.progress_or_note(SOME).await;
    stage.start_node(node, SOME).await
}

async fn in_turn(stage: &mut Stage) -> Result<()> {
    for node in NODES {
        killed(stage, node).await?;
    }
    Ok(())
}

async fn rolling(stage: &Stage) -> Result<()> {
    for node in NODES {
        stage.cluster.node("stop", node).await?;
        stage.start_node(node, SOME).await?;
    }
    Ok(())
}

/// Freezes the first node for a while. Afterwards the nodes see a partition that does not heal by
/// itself, because no node was in a minority; so the node is restarted, as an operator would.
async fn frozen(stage: &Stage) -> Result<()> {
    stage.cluster.node("freeze", 1).await?;
    tokio::time::sleep(AWAY).await;
    stage.cluster.node("thaw", 1).await?;
    stage.progress(SOME).await?;
    stage.cluster.node("kill", 1).await?;
    stage.start_node(1, SOME).await
}

/// Takes links of the first node down for a while. Without a majority it pauses itself, and closes
/// the connections of clients.
async fn cut_off(stage: &Stage, links: &[&str]) -> Result<()> {
    for link in links {
        stage.cluster.control(&["cut", "1", link]).await?;
    }
    tokio::time::sleep(AWAY).await;
    for link in links {
        stage.cluster.control(&["heal", "1", link]).await?;
    }
    stage.cluster.settled(&stage.queue).await?;
    stage.progress(SOME).await
}
