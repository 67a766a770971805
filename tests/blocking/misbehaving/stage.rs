//! The client's side at each stage of a connection: how it gets there, and what it is about.

use std::time::Duration;

use leveret::Result;
use leveret::blocking::{Channel, Connection, Consumer, Delivery, Publisher};

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
    pub(super) fn prepare(&mut self, when: When) {
        if when == When::ChannelOpening {
            return;
        }
        let channel = self.channel.insert(self.connection.open_channel().unwrap());
        match when {
            When::Subscribing | When::Consuming | When::HeaderDue | When::BodyDue | When::BodyBegun => {
                self.consumers.push(channel.consume("q").call().unwrap());
            }
            When::Confirming => self.publisher = Some(channel.confirm_select().unwrap()),
            _ => {}
        }
    }

    /// What the client is about. Where nobody waits for anything, the connection is to end, or to
    /// go on for a while.
    pub(super) fn act(&mut self, when: When, ends: bool) -> Result<()> {
        match when {
            When::Open if ends => Err(self.connection.wait_closed()),
            When::Open => {
                self.connection.events().next_timeout(WATCHED)?;
                self.connection.closed_by().map_or(Ok(()), Err)
            }
            When::ChannelOpening => {
                self.channel = Some(self.connection.open_channel()?);
                Ok(())
            }
            When::Calling => self.channel().queue_declare("q").call().map(drop),
            When::Getting => {
                let delivery = self.channel().get("q").call()?;
                delivery.map_or(Ok(()), |message| self.look_at(message.into_delivery()))
            }
            When::Subscribing => {
                let consumer = self.channel().consume("q").call()?;
                self.consumers.push(consumer);
                Ok(())
            }
            When::Consuming | When::HeaderDue | When::BodyDue | When::BodyBegun => {
                let consumer = self.consumers.first_mut().expect("it consumes");
                let delivery = consumer.next().expect("its end has a reason")?;
                self.look_at(delivery)
            }
            When::Confirming => {
                let publisher = self.publisher.as_ref().expect("it confirms");
                publisher.publish("", "q", "x").confirmed()
            }
            When::ChannelClosing => self.channel().close(),
            When::Closing => self.connection.close(),
            When::Start | When::Tune | When::OpenOk => unreachable!("there is a connection"),
        }
    }

    /// Every consumer hears of the end of its channel.
    pub(super) fn hear_ends(&mut self) {
        for consumer in &mut self.consumers {
            while consumer.next().is_some() {}
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

/// How long a connection is watched on which nobody waits for anything, and which should go on.
pub(super) const WATCHED: Duration = Duration::from_millis(50);
