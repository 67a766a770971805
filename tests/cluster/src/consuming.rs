//! Consumers with acknowledgements by hand.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use leveret::Delivery;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::{Client, Outage};
use crate::ledger::Ledger;
use crate::{Result, read_body};

/// One delivery of so many is held, and acknowledged later.
const HELD: usize = 8;

/// How long. Those that are held when the connection is lost are stale when they are acknowledged.
const HOLDING: Duration = Duration::from_millis(300);

/// Consumes until it is stopped; then acknowledges what it holds, and closes. Returns the outages
/// of the client.
pub(crate) async fn consume(
    mut client: Client,
    ledger: Arc<Ledger>,
    mut stop: watch::Receiver<bool>,
) -> Result<Vec<Outage>> {
    let mut held: VecDeque<(Instant, usize, Delivery)> = VecDeque::new();
    loop {
        let due = held.front().map(|(due, ..)| *due);
        tokio::select! {
            () = stopped(&mut stop) => break,
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                settle(held.pop_front(), &ledger).await;
            }
            delivery = client.next() => {
                let Some(delivery) = delivery else { break };
                let Some(id) = record(&delivery, &ledger) else { continue };
                let mut now = Some((Instant::now() + HOLDING, id, delivery));
                if id.is_multiple_of(HELD) {
                    held.extend(now.take());
                }
                settle(now, &ledger).await;
            }
        }
    }
    while let Some(one) = held.pop_front() {
        settle(Some(one), &ledger).await;
    }
    client.close().await
}

/// Enters a delivery in the ledger, and returns the identifier of its message.
fn record(delivery: &Delivery, ledger: &Ledger) -> Option<usize> {
    let id = delivery.properties().ok().and_then(|properties| {
        let id = properties.message_id.as_ref()?.to_str().ok()?.parse().ok()?;
        (read_body(delivery.body()) == Some(id)).then_some(id)
    });
    ledger.deliver(id, delivery.is_redelivered(), || format!("{delivery:?}"));
    id
}

async fn settle(one: Option<(Instant, usize, Delivery)>, ledger: &Ledger) {
    if let Some((_, id, delivery)) = one {
        ledger.acknowledge(id, &delivery.ack().await);
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _stage_is_gone = stop.wait_for(|stopped| *stopped).await;
}
