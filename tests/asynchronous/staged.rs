//! What an async client is about at each stage of a connection, where its peer misbehaves.

use std::time::Duration;

use leveret::protocol::{basic, confirm};
use leveret::{Channel, Connection, ConnectionParameters, Consumer, Delivery, Publisher, Result};
use leveret_test_support::{Peer, endings};
use tokio::io::DuplexStream;
use tokio::time::Instant;

use super::misbehaving::{BODY, WATCHED, When};

/// The handles of a client, kept so that nothing is closed behind the case's back.
pub(crate) struct Client {
    connection: Connection,
    channel: Option<Channel>,
    publisher: Option<Publisher>,
    consumers: Vec<Consumer>,
    delivery: Option<Delivery>,
}

impl Client {
    pub(crate) async fn open(transport: DuplexStream, parameters: ConnectionParameters) -> Result<Self> {
        let connection = Connection::open_on(transport, parameters).await?;
        endings::watch(connection.leftovers());
        Ok(Self { connection, channel: None, publisher: None, consumers: Vec::new(), delivery: None })
    }

    pub(crate) fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    /// Opens a channel. Whether that is open.
    pub(crate) async fn open_another_channel(&self) -> Result<bool> {
        Ok(self.connection.open_channel().await?.is_open())
    }

    /// Comes to where the request of the stage can be made.
    pub(crate) async fn prepare(&mut self, when: When, peer: &mut Peer) {
        if when == When::ChannelOpening {
            return;
        }
        let (channel, ()) = tokio::join!(self.connection.open_channel(), peer.open_channel(1));
        let channel = self.channel.insert(channel.unwrap());
        match when {
            When::Subscribing | When::Consuming | When::HeaderDue | When::BodyDue | When::BodyBegun => {
                let script = async {
                    peer.expect::<basic::Consume>(1).await;
                    peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
                };
                let (consumer, ()) = tokio::join!(channel.consume("q").into_future(), script);
                self.consumers.push(consumer.unwrap());
            }
            When::Confirming => {
                let script = async {
                    peer.expect::<confirm::Select>(1).await;
                    peer.send(1, confirm::SelectOk::default()).await;
                };
                let (publisher, ()) = tokio::join!(channel.confirm_select(), script);
                self.publisher = Some(publisher.unwrap());
            }
            _ => {}
        }
    }

    /// What the client is about.
    pub(crate) async fn act(&mut self, when: When) -> Result<()> {
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
    pub(crate) async fn hear_ends(&mut self) {
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
