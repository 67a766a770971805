//! A client with one of each kind of entity, in a virtual host of its own: what has to be there
//! again after its connection was lost.

use leveret::{ConnectionParameters, FieldTable, Result};

use crate::client::{Channel, Connection, Consume, Consumer};
use crate::listing::Listing;
use crate::operator::{Operator, Permissions};
use crate::{soon, unique};

/// A connection, two channels, and what was declared and started on them.
#[derive(Debug)]
pub struct Survivor {
    /// The connection.
    pub connection: Connection,
    /// The channel on which everything was declared and most consumers were started.
    pub channel: Channel,
    /// Another one, with a consumer too.
    pub other_channel: Channel,
    /// The consumers, as [`TAGS`] names them.
    pub consumers: Vec<Consumer>,
    /// The name that the broker gave to a queue.
    pub given_name: String,
    virtual_host: String,
}

/// The tags of its consumers.
pub const TAGS: [&str; 5] = ["of-durable", "of-exclusive", "of-auto-delete", "of-given", "on-the-other-channel"];

impl Survivor {
    /// Makes a virtual host in which the user of these parameters may do everything, connects to
    /// it, and declares and starts everything there.
    pub async fn settle(operator: &Operator, parameters: ConnectionParameters) -> Self {
        let virtual_host = unique("survivor");
        operator.add_virtual_host(&virtual_host).await;
        let user = parameters.credentials.user().to_owned();
        operator.set_permissions(&user, &virtual_host, Permissions::ALL).await;
        let opening = Connection::open(parameters.virtual_host(&virtual_host));
        let connection = soon(opening).await.expect("the broker takes a connection");
        let channel = soon(connection.open_channel()).await.expect("the broker opens a channel");
        let other_channel = soon(connection.open_channel()).await.expect("the broker opens a channel");
        declare_exchanges(&channel).await.expect("exchanges are declared");
        let given_name = declare_queues(&channel).await.expect("queues are declared");
        bind(&channel, &given_name).await.expect("everything is bound");
        let consumers = consume(&channel, &other_channel, &given_name).await.expect("consumers are started");
        Self { connection, channel, other_channel, consumers, given_name, virtual_host }
    }

    /// The name of its virtual host.
    pub fn virtual_host(&self) -> &str {
        &self.virtual_host
    }

    /// What the broker lists of it.
    pub async fn listing(&self, operator: &Operator) -> Listing {
        operator.listing(&self.virtual_host).await
    }

    /// Closes the connection, and deletes the virtual host.
    pub async fn leave(self, operator: &Operator) {
        soon(self.connection.close()).await.expect("the connection is open");
        operator.delete_virtual_host(&self.virtual_host).await;
    }
}

async fn declare_exchanges(channel: &Channel) -> Result<()> {
    soon(channel.exchange_declare("unrouted", "fanout").durable(true).internal(true)).await?;
    let alternate = FieldTable::from([("alternate-exchange", "unrouted")]);
    soon(channel.exchange_declare("durable", "direct").durable(true).arguments(alternate)).await?;
    soon(channel.exchange_declare("transient", "topic")).await?;
    soon(channel.exchange_declare("auto-delete", "headers").auto_delete(true)).await?;
    Ok(())
}

/// Returns the name that the broker gives.
async fn declare_queues(channel: &Channel) -> Result<String> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length", 1000);
    arguments.insert("x-dead-letter-exchange", "unrouted");
    soon(channel.queue_declare("durable").durable(true).arguments(arguments)).await?;
    soon(channel.queue_declare("exclusive").exclusive(true)).await?;
    soon(channel.queue_declare("exclusive and durable").exclusive(true).durable(true)).await?;
    soon(channel.queue_declare("auto-delete").auto_delete(true).durable(true)).await?;
    soon(channel.queue_declare("unconsumed").durable(true)).await?;
    let given = soon(channel.queue_declare("").exclusive(true)).await?;
    Ok(given.queue.to_string())
}

async fn bind(channel: &Channel, given_name: &str) -> Result<()> {
    soon(channel.exchange_bind("transient", "durable", "passed.on")).await?;
    soon(channel.queue_bind("durable", "durable", "durable")).await?;
    soon(channel.queue_bind("durable", "durable", "again")).await?;
    soon(channel.queue_bind("unconsumed", "unrouted", "")).await?;
    soon(channel.queue_bind("exclusive", "transient", "*.on")).await?;
    soon(channel.queue_bind("auto-delete", "amq.fanout", "")).await?;
    let matches = FieldTable::from([("x-match", "any"), ("colour", "red")]);
    soon(channel.queue_bind(given_name, "auto-delete", "").arguments(matches)).await?;
    Ok(())
}

async fn consume(channel: &Channel, other_channel: &Channel, given_name: &str) -> Result<Vec<Consumer>> {
    let [of_durable, of_exclusive, of_auto_delete, of_given, on_other] = TAGS;
    let mut priority = FieldTable::default();
    priority.insert("x-priority", 5);
    let start = async |consume: Consume<'_>| soon(consume.resume_when_cancelled(true)).await;
    Ok(vec![
        start(channel.consume("durable").consumer_tag(of_durable).prefetch(7).arguments(priority)).await?,
        start(channel.consume("exclusive").consumer_tag(of_exclusive).exclusive(true).prefetch(1)).await?,
        start(channel.consume("auto-delete").consumer_tag(of_auto_delete).prefetch(0)).await?,
        start(channel.consume(given_name).consumer_tag(of_given).no_ack(true)).await?,
        start(other_channel.consume("durable").consumer_tag(on_other).prefetch(30)).await?,
    ])
}
