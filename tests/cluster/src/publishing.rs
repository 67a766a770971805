//! Publishers with confirms.

use std::sync::Arc;
use std::time::Duration;

use leveret::{Confirm, Properties};
use tokio::sync::{mpsc, watch};

use crate::client::{Client, Outage};
use crate::ledger::Ledger;
use crate::{Result, body};

/// The pause between two publishes of a slow publisher.
const SLOW: Duration = Duration::from_millis(5);

/// How fast publishers publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Full,
    /// The processors are left to nodes that start.
    Slow,
    Stopped,
}

/// How a publisher publishes.
#[derive(Debug, Clone)]
pub(crate) struct Publishing {
    pub(crate) queue: String,
    /// How many publishes may wait for their confirms.
    pub(crate) window: usize,
    /// The time between two publishes.
    pub(crate) pause: Duration,
}

impl Publishing {
    /// Publishes until it is stopped and every publish has its outcome. Returns the outages of the
    /// client.
    pub(crate) async fn run(
        self,
        mut client: Client,
        ledger: Arc<Ledger>,
        mut pace: watch::Receiver<Pace>,
    ) -> Result<Vec<Outage>> {
        // One more is out of the queue: the one whose outcome is awaited.
        let (confirms, undecided) = mpsc::channel(self.window.saturating_sub(1).max(1));
        let deciding = tokio::spawn(decide(undecided, Arc::clone(&ledger)));
        self.publish(&mut client, &ledger, &confirms, &mut pace).await;
        drop(confirms);
        deciding.await?;
        client.close().await
    }

    async fn publish(
        &self,
        client: &mut Client,
        ledger: &Ledger,
        confirms: &mpsc::Sender<(usize, Confirm)>,
        pace: &mut watch::Receiver<Pace>,
    ) {
        // Stopped between two publishes alone: one that was dropped would have no outcome.
        loop {
            let publisher = tokio::select! {
                biased;
                _ = pace.wait_for(|pace| *pace == Pace::Stopped) => return,
                publisher = client.publisher() => publisher,
            };
            let (Some(publisher), Ok(place)) = (publisher, confirms.reserve().await) else { return };
            let is_slow = *pace.borrow() == Pace::Slow || ledger.is_in_trouble();
            let pause = if is_slow { SLOW.max(self.pause) } else { self.pause };
            // Even the shortest sleep takes a millisecond.
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let id = ledger.publish();
            let properties = Properties::default().persistent(true).message_id(id.to_string());
            let message = publisher.publish("", &self.queue, body(id)).mandatory(true).properties(properties);
            match message.await {
                Ok(confirm) => place.send((id, confirm)),
                Err(error) => ledger.decide(id, &Err(error)),
            }
        }
    }
}

/// Awaits the confirms in the order of their publishes, which is mostly that of the broker.
async fn decide(mut undecided: mpsc::Receiver<(usize, Confirm)>, ledger: Arc<Ledger>) {
    while let Some((id, confirm)) = undecided.recv().await {
        ledger.decide(id, &confirm.await);
    }
}
