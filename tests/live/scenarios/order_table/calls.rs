//! The pairs of the table as calls that are made together on one channel.

use leveret::Result;
use leveret_live_tests::client::{Channel, Connection, Consumer};
use leveret_live_tests::{open, rabbitmq_version, soon, unique};
use tokio::join;

use super::methods::mode;
use super::table::{Row, rows};

/// The names of the table that are calls; channel.flow is none, since RabbitMQ refuses the half of
/// it that stops.
const CALLS: [&str; 20] = [
    "exchange.declare",
    "exchange.delete",
    "exchange.bind",
    "exchange.unbind",
    "queue.declare",
    "queue.declare (passive)",
    "queue.bind",
    "queue.unbind",
    "queue.purge",
    "queue.delete",
    "basic.qos",
    "basic.qos (global)",
    "basic.consume",
    "basic.consume (no tag)",
    "basic.cancel",
    "basic.get (empty)",
    "basic.recover",
    "confirm.select",
    "tx.select",
    "tx.commit (publish)",
];

/// One of a pair: the names that it uses, and the consumer that it cancels.
struct Half<'a> {
    channel: &'a Channel,
    title: &'static str,
    queue: &'a str,
    exchange: String,
    consumer: Option<Consumer>,
}

impl<'a> Half<'a> {
    async fn prepare(channel: &'a Channel, title: &'static str, queue: &'a str) -> Result<Self> {
        let mut half = Self { channel, title, queue, exchange: unique("exchange"), consumer: None };
        match title {
            "exchange.delete" => {
                channel.exchange_declare(&half.exchange, "direct").await?;
            }
            "basic.cancel" => half.consumer = Some(channel.consume(queue).await?),
            _ => {}
        }
        Ok(half)
    }

    async fn call(&mut self) -> Result<()> {
        match self.title.split_once('.') {
            Some(("exchange", _)) => self.call_exchange().await,
            Some(("queue", _)) => self.call_queue().await,
            Some(("basic", _)) => self.call_basic().await,
            _ => self.call_mode().await,
        }
    }

    async fn call_exchange(&self) -> Result<()> {
        let (channel, exchange) = (self.channel, &self.exchange);
        match self.title {
            "exchange.declare" => channel.exchange_declare(exchange, "direct").auto_delete(true).await.map(drop),
            "exchange.delete" => channel.exchange_delete(exchange).await.map(drop),
            "exchange.bind" => channel.exchange_bind("amq.fanout", "amq.direct", "leveret-order").await.map(drop),
            _ => channel.exchange_unbind("amq.fanout", "amq.direct", "leveret-order").await.map(drop),
        }
    }

    async fn call_queue(&self) -> Result<()> {
        let (channel, queue) = (self.channel, self.queue);
        match self.title {
            "queue.declare" => channel.queue_declare(unique("queue")).exclusive(true).await.map(drop),
            "queue.declare (passive)" => channel.queue_declare(queue).passive(true).await.map(drop),
            "queue.bind" => channel.queue_bind(queue, "amq.direct", queue).await.map(drop),
            "queue.unbind" => channel.queue_unbind(queue, "amq.direct", queue).await.map(drop),
            "queue.purge" => channel.queue_purge(queue).await.map(drop),
            _ => channel.queue_delete(unique("none")).await.map(drop),
        }
    }

    async fn call_basic(&mut self) -> Result<()> {
        let (channel, queue) = (self.channel, self.queue);
        match self.title {
            "basic.qos" => channel.basic_qos().prefetch_count(10).await.map(drop),
            "basic.qos (global)" => channel.basic_qos().prefetch_count(10).global(true).await.map(drop),
            "basic.consume" => channel.consume(queue).consumer_tag(unique("tag")).await.map(drop),
            "basic.consume (no tag)" => channel.consume(queue).await.map(drop),
            "basic.cancel" => self.consumer.as_mut().expect("it was started").cancel().await,
            "basic.get (empty)" => channel.get(queue).await.map(drop),
            _ => channel.basic_recover().requeue(true).await.map(drop),
        }
    }

    async fn call_mode(&self) -> Result<()> {
        let channel = self.channel;
        match self.title {
            "confirm.select" => channel.confirm_select().await.map(drop),
            "tx.select" => channel.tx_select().await.map(drop),
            _ => {
                channel.publish("", self.queue, "committed").await?;
                channel.tx_commit().await.map(drop)
            }
        }
    }
}

/// The pairs of the table that close nothing; and all behind a commit, which end the connection on
/// the wire and are no rows: the channel holds them back until the commit is answered.
fn pairs(version: Option<&str>) -> Vec<(&'static str, &'static str)> {
    const COMMIT: &str = "tx.commit (publish)";
    let are_calls = |row: &Row| CALLS.contains(&row.first) && CALLS.contains(&row.second) && row.is_harmless();
    let rows = rows(version).into_iter().filter(are_calls).map(|row| (row.first, row.second));
    // A channel with transactions has no confirms.
    let behind = CALLS.into_iter().filter(|second| *second != "confirm.select").map(|second| (COMMIT, second));
    rows.chain(behind).collect()
}

async fn together(connection: &Connection, first: &'static str, second: &'static str, queue: &str) -> Result<()> {
    let channel = soon(connection.open_channel()).await?;
    let mut halves =
        (soon(Half::prepare(&channel, first, queue)).await?, soon(Half::prepare(&channel, second, queue)).await?);
    if mode(first, second) == Some("tx") {
        soon(channel.tx_select()).await?;
    }
    let (one, other) = soon(async { join!(halves.0.call(), halves.1.call()) }).await;
    one.and(other)?;
    assert!(channel.is_open());
    for half in [halves.0, halves.1] {
        if half.title == "exchange.declare" {
            soon(channel.exchange_delete(&half.exchange)).await?;
        }
    }
    soon(channel.queue_purge(queue)).await?;
    soon(channel.close()).await
}

#[tokio::test]
async fn every_pair_of_calls_that_a_channel_makes_together_is_answered() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = leveret_live_tests::exclusive_queue(&channel).await;
    let mut lost = Vec::new();
    for (first, second) in pairs(rabbitmq_version().await.as_deref()) {
        if let Err(error) = together(&connection, first, second, &queue).await {
            lost.push(format!("{first}, {second}: {error}"));
        }
        assert!(connection.is_open(), "{first}, {second}: {lost:?}");
    }
    soon(channel.exchange_unbind("amq.fanout", "amq.direct", "leveret-order")).await?;
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    Ok(())
}
