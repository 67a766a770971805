//! Two hundred clients of a node that is killed: how soon they are back, and where.

use std::time::{Duration, Instant};

use crate::Result;
use crate::cluster::within;
use crate::stage::Stage;

const CLIENTS: usize = 200;

/// The time between two publishes of each.
const PAUSE: Duration = Duration::from_millis(100);

/// Publishes in flight of each.
const WINDOW: usize = 5;

/// Messages that are confirmed and delivered without the node, and with it again.
const SOME: usize = 1_000;

/// Connects all of them to the first node.
pub(crate) async fn gather(stage: &mut Stage) -> Result<()> {
    for _ in 0..CLIENTS {
        stage.add_publisher(1, WINDOW, PAUSE).await?;
    }
    Ok(())
}

/// Kills the first node, and counts connections at the others until all clients are back.
pub(crate) async fn scatter(stage: &mut Stage) -> Result<()> {
    // All publishers, and the one consumer.
    let everybody = CLIENTS + 1;
    stage.cluster.node("kill", 1).await?;
    let killed = Instant::now();
    let (second, third) = within(60, "the return of all clients", async {
        loop {
            let counts = (connections(stage, 2).await?, connections(stage, 3).await?);
            if counts.0 + counts.1 >= everybody {
                return Ok::<_, crate::Failure>(counts);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await??;
    let seconds = killed.elapsed().as_secs_f64();
    stage.notes.push(format!(
        "All clients have a connection again after {seconds:.2} s: {second} at node 2, {third} at node 3."
    ));
    if second.min(third) < everybody / 5 {
        stage.notes.push("They are spread unevenly.".to_owned());
    }
    stage.progress_or_note(SOME).await;
    stage.start_node(1, SOME).await
}

async fn connections(stage: &Stage, node: u8) -> Result<usize> {
    Ok(stage.cluster.node("connections", node).await?.parse()?)
}
