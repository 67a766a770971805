//! The client's side at each stage of a connection: how it gets there, and what it is about.

use std::time::Duration;

use leveret::{Channel, Connection, Consumer, Delivery, Publisher, Result};
use tokio::time::Instant;

use super::case::When;
use super::script::BODY;

/// The handles of a client, kept so that nothing is closed behind the case's back.
pub(super) struct Client {
    pub(super) connection: Connection,
    channel: Option<Channel>,
    publisher: Option<Publisher>,
    consumers: Vec<Consumer>,
    delivery: Option<Delivery>,
}

impl Client {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, channel: None, publisher: None, consumers: Vec::new(), delivery: None }
    }

    /// Comes to where the request of the stage can be made.
    pub(super) async fn prepare(&mut self, when: When) {
        if when == When::ChannelOpening {
            return;
        }
        let channel = self.channel.insert(self.connection.open_channel().await.unwrap());
        match when {
            When::Subscribing | When::Consuming | When::HeaderDue | When::BodyDue | When::BodyBegun => {
                self.consumers.push(channel.consume("q").await.unwrap());
            }
            When::Confirming => self.publisher = Some(channel.confirm_select().await.unwrap()),
            _ => {}
        }
    }

    /// What the client is about.
    pub(super) async fn act(&mut self, when: When) -> Result<()> {
        match when {
            When::Open => watch(&self.connection).await,
            When::ChannelOpening => {
                self.channel = Some(self.connection.open_channel().await?);
                Ok(())
            }
            When::Calling => self.channel().queue_declare("q").await.map(drop),
            When::Getting => {
                let delivery = self.channel().get("q").await?;
                delivery.map_or(Ok(()), |message| self.look_at(message.into_delivery()))
            }
            When::Subscribing => {
                let consumer = self.channel().consume("q").await?;
                self.consumers.push(consumer);
                Ok(())
            }
            When::Consuming | When::HeaderDue | When::BodyDue | When::BodyBegun => {
                let consumer = self.consumers.first_mut().expect("it consumes");
                let delivery = consumer.next().await.expect("its end has a reason")?;
                self.look_at(delivery)
            }
            When::Confirming => {
                let publisher = self.publisher.as_ref().expect("it confirms");
                publisher.publish("", "q", "x").confirmed().await
            }
            When::ChannelClosing => self.channel().close().await,
            When::Closing => self.connection.close().await,
            When::Start | When::Tune | When::OpenOk => unreachable!("there is a connection"),
        }
    }

    /// Every consumer hears of the end of its channel.
    pub(super) async fn hear_ends(&mut self) {
        for consumer in &mut self.consumers {
            while consumer.next().await.is_some() {}
        }
    }

    fn look_at(&mut self, delivery: Delivery) -> Result<()> {
        assert_eq!(delivery.body(), BODY);
        let properties = delivery.properties().map(drop);
        self.delivery = Some(delivery);
        properties
    }

    fn channel(&self) -> &Channel {
        self.channel.as_ref().expect("it has a channel")
    }
}

/// How long a connection is watched on which nobody waits for anything.
pub(super) const WATCHED: Duration = Duration::from_secs(30);

/// Whether the connection ends meanwhile, and why.
async fn watch(connection: &Connection) -> Result<()> {
    let until = Instant::now() + WATCHED;
    while Instant::now() < until {
        if let Some(error) = connection.closed_by() {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
