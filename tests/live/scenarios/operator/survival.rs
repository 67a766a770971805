//! Connections that survive what an operator does to a broker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leveret::{ErrorKind, Properties, Result};
use leveret_live_tests::client::{Channel, Connection};
use leveret_live_tests::{Disturbed, eventually, ready_messages, soon, unique};

use super::surviving;

async fn open(broker: &Disturbed) -> (Connection, Channel) {
    let connection =
        soon(Connection::open(surviving(broker.parameters()))).await.expect("the broker takes connections");
    let channel = soon(connection.open_channel()).await.expect("it opens channels");
    (connection, channel)
}

/// What became of the messages, by their numbers.
#[derive(Debug, Default)]
struct Ledger {
    confirmed: BTreeSet<u64>,
    /// It is unknown whether the broker has them.
    unknown: BTreeSet<u64>,
    /// How often each was delivered without being marked as redelivered.
    delivered: BTreeMap<u64, u32>,
    received: BTreeSet<u64>,
}

/// Publishes numbers until it is told to stop.
async fn publish(channel: Channel, queue: String, ledger: Arc<Mutex<Ledger>>, stop: Arc<AtomicBool>) -> Result<()> {
    let publisher = channel.confirm_select().await?;
    let persistent = Properties::default().delivery_mode(2);
    for number in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let sent = publisher.publish("", &queue, number.to_string()).properties(&persistent).confirmed().await;
        let mut ledger = ledger.lock().expect("nobody panics");
        match sent {
            Ok(()) => drop(ledger.confirmed.insert(number)),
            Err(error) if error.is_unknown() => drop(ledger.unknown.insert(number)),
            Err(error) if error.is_not_sent() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Consumes and acknowledges numbers.
async fn consume(channel: Channel, queue: String, ledger: Arc<Mutex<Ledger>>) -> Result<()> {
    let mut consumer = channel.consume(&queue).await?;
    while let Some(delivery) = consumer.next().await.transpose()? {
        let number = String::from_utf8_lossy(delivery.body()).parse().expect("a number");
        {
            let mut ledger = ledger.lock().expect("nobody panics");
            *ledger.delivered.entry(number).or_default() += u32::from(!delivery.is_redelivered());
            ledger.received.insert(number);
        }
        match delivery.ack().await {
            Err(error) if !error.is_stale_delivery() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_restart_under_load_loses_nothing_that_was_confirmed() -> Result<()> {
    let broker = Disturbed::broker().await;
    let queue = unique("ledger");
    let (publishes, channel) = open(&broker).await;
    soon(channel.queue_declare(&queue).durable(true)).await?;
    let (consumes, consuming) = open(&broker).await;
    let (ledger, stop) = (Arc::new(Mutex::new(Ledger::default())), Arc::new(AtomicBool::new(false)));
    let publishing = tokio::spawn(publish(channel.clone(), queue.clone(), Arc::clone(&ledger), Arc::clone(&stop)));
    let consuming = tokio::spawn(consume(consuming, queue.clone(), Arc::clone(&ledger)));
    let confirmed = || ledger.lock().expect("nobody panics").confirmed.len();
    for round in 1..=3 {
        let before = confirmed();
        eventually(|| async { (confirmed() >= before + 50).then_some(()) }).await;
        broker.stop().await;
        broker.start().await;
        let after = confirmed();
        eventually(|| async { (confirmed() >= after + 50).then_some(()) }).await;
        assert!(!publishing.is_finished() && !consuming.is_finished(), "round {round}");
    }
    stop.store(true, Ordering::Relaxed);
    soon(publishing).await.expect("the task ends")?;
    let all_received = || {
        let ledger = ledger.lock().expect("nobody panics");
        ledger.confirmed.is_subset(&ledger.received).then_some(())
    };
    eventually(|| async { all_received() }).await;
    {
        let ledger = ledger.lock().expect("nobody panics");
        let known: BTreeSet<u64> = ledger.confirmed.union(&ledger.unknown).copied().collect();
        assert!(ledger.received.is_subset(&known), "nothing that was not sent arrives");
        assert!(ledger.delivered.values().all(|count| *count <= 1), "what comes again is marked");
    }
    eventually(|| async { (ready_messages(&channel, &queue).await == 0).then_some(()) }).await;
    // Before the queue goes, which would cancel its consumer.
    soon(consumes.close()).await?;
    soon(consuming).await.expect("the task ends")?;
    soon(channel.queue_delete(&queue)).await?;
    soon(publishes.close()).await
}

#[tokio::test]
async fn a_connection_that_is_closed_a_hundred_times_has_what_it_had() -> Result<()> {
    let broker = Disturbed::broker().await;
    let (connection, channel) = open(&broker).await;
    let exchange = unique("events");
    soon(channel.exchange_declare(&exchange, "topic").auto_delete(true)).await?;
    soon(channel.queue_declare("").exclusive(true)).await?;
    soon(channel.queue_bind("", &exchange, "a.*")).await?;
    let mut consumer = soon(channel.consume("").consumer_tag("mine")).await?;
    let (mut round, pause) = (0, Duration::from_millis(150));
    let mut closing = std::pin::pin!(broker.close_again(100, pause));
    loop {
        let working = async {
            soon(channel.publish(&exchange, "a.b", format!("round {round}"))).await?;
            match tokio::time::timeout(pause, consumer.next()).await {
                // It may have been lost with its connection in the meantime.
                Ok(Some(delivery)) => match soon(delivery?.ack()).await {
                    Err(error) if error.kind() != ErrorKind::StaleDelivery => Err(error),
                    _ => Ok(()),
                },
                _ => Ok(()),
            }
        };
        tokio::select! {
            () = &mut closing => break,
            worked = working => worked?,
        }
        round += 1;
    }
    drop(eventually(|| async { soon(channel.queue_declare("").passive(true)).await.ok() }).await);
    soon(channel.publish(&exchange, "a.b", "the last")).await?;
    loop {
        let delivery = leveret_live_tests::next(&mut consumer).await;
        if delivery.body() == b"the last" {
            break soon(delivery.ack()).await?;
        }
    }
    soon(connection.close()).await
}
