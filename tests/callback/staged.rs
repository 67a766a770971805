//! What a client of callbacks is about at each stage of a connection, where its peer misbehaves.
//! Its loop runs beside, in virtual time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use leveret::callback::{Channel, Connection, Delivery, Publisher};
use leveret::protocol::{basic, confirm};
use leveret::{ConnectionParameters, Error, Result};
use leveret_test_support::Peer;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::Instant;

use super::misbehaving::{BODY, WATCHED, When};
use super::world::World;

/// The handles of a client, kept so that nothing is closed behind the case's back.
pub(crate) struct Client {
    connection: Connection<()>,
    channel: Option<Channel<()>>,
    publisher: Option<Publisher<()>>,
    consumers: Vec<mpsc::UnboundedReceiver<Heard>>,
    delivery: Option<Delivery<()>>,
    /// How often the end of the connection was heard.
    closed: Rc<Cell<u32>>,
    pump: JoinHandle<()>,
}

/// What the handlers of a consumer hear.
enum Heard {
    Started,
    Delivery(Delivery<()>),
    End(Option<Error>),
}

/// What a handler hears that is called once, and never again.
async fn hear<T>(ask: impl FnOnce(oneshot::Sender<T>)) -> T {
    let (tells, told) = oneshot::channel();
    ask(tells);
    told.await.expect("the handler is called")
}

fn tell<T>(tells: oneshot::Sender<T>, outcome: T) {
    // The case is over.
    let _ = tells.send(outcome);
}

impl Drop for Client {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl Client {
    pub(crate) async fn open(transport: DuplexStream, parameters: ConnectionParameters) -> Result<Self> {
        let world = World::new();
        let (tells, opened) = oneshot::channel();
        let connection = world.open_on(transport, parameters, |(), _, opened| tell(tells, opened));
        let closed = Rc::new(Cell::new(0));
        let counts = Rc::clone(&closed);
        connection.on_close(move |(), _, _| counts.set(counts.get() + 1));
        let pump = spawn_local(async move { world.run_for_ever(&mut ()).await });
        let (channel, publisher, consumers, delivery) = (None, None, Vec::new(), None);
        let client = Self { connection, channel, publisher, consumers, delivery, closed, pump };
        opened.await.expect("the handler is called")?;
        Ok(client)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    /// Opens a channel. Whether that is open.
    pub(crate) async fn open_another_channel(&self) -> Result<bool> {
        Ok(self.open_channel().await?.is_open())
    }

    async fn open_channel(&self) -> Result<Channel<()>> {
        hear(|tells| self.connection.open_channel(|(), _, channel| tell(tells, channel))).await
    }

    /// Comes to where the request of the stage can be made.
    pub(crate) async fn prepare(&mut self, when: When, peer: &mut Peer) {
        if when == When::ChannelOpening {
            return;
        }
        let (channel, ()) = tokio::join!(self.open_channel(), peer.open_channel(1));
        let channel = self.channel.insert(channel.unwrap()).clone();
        match when {
            When::Subscribing | When::Consuming | When::HeaderDue | When::BodyDue | When::BodyBegun => {
                let script = async {
                    peer.expect::<basic::Consume>(1).await;
                    peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
                };
                tokio::join!(self.consume(), script).0.unwrap();
            }
            When::Confirming => {
                let script = async {
                    peer.expect::<confirm::Select>(1).await;
                    peer.send(1, confirm::SelectOk::default()).await;
                };
                let selecting = hear(|tells| channel.confirm_select(|(), _, publisher| tell(tells, publisher)));
                self.publisher = Some(tokio::join!(selecting, script).0.unwrap());
            }
            _ => {}
        }
    }

    /// Starts a consumer.
    async fn consume(&mut self) -> Result<()> {
        let (sends, mut hears) = mpsc::unbounded_channel();
        let (starts, ends) = (sends.clone(), sends.clone());
        let channel = self.channel();
        let consume = channel.consume("q").on_start(move |(), _, _| drop(starts.send(Heard::Started)));
        consume.on_end(move |(), _, why| drop(ends.send(Heard::End(why)))).each(move |(), _, delivery| {
            drop(sends.send(Heard::Delivery(delivery)));
        });
        match hears.recv().await.expect("a handler is called") {
            Heard::Started => {
                self.consumers.push(hears);
                Ok(())
            }
            Heard::End(why) => Err(why.expect("its end has a reason")),
            Heard::Delivery(_) => panic!("a delivery before the start"),
        }
    }

    /// What the client is about.
    pub(crate) async fn act(&mut self, when: When) -> Result<()> {
        match when {
            When::Open => self.watch().await,
            When::ChannelOpening => {
                self.channel = Some(self.open_channel().await?);
                Ok(())
            }
            When::Calling => {
                let channel = self.channel();
                hear(|tells| channel.queue_declare("q").then(|(), _, reply| tell(tells, reply))).await.map(drop)
            }
            When::Getting => {
                let channel = self.channel();
                let got = hear(|tells| channel.get("q").then(|(), _, got| tell(tells, got))).await?;
                got.map_or(Ok(()), |message| self.look_at(message.delivery))
            }
            When::Subscribing => self.consume().await,
            When::Consuming | When::HeaderDue | When::BodyDue | When::BodyBegun => {
                match self.consumers[0].recv().await.expect("a handler is called") {
                    Heard::Delivery(delivery) => self.look_at(delivery),
                    Heard::End(why) => Err(why.expect("its end has a reason")),
                    Heard::Started => panic!("it starts once"),
                }
            }
            When::Confirming => {
                let publisher = self.publisher.as_ref().expect("it confirms");
                hear(|tells| publisher.publish("", "q", "x").then(|(), _, outcome| tell(tells, outcome))).await
            }
            When::ChannelClosing => {
                let channel = self.channel();
                hear(|tells| channel.close_then(|(), _, closed| tell(tells, closed))).await
            }
            When::Closing => hear(|tells| self.connection.close_then(|(), _, closed| tell(tells, closed))).await,
            When::Start | When::Tune | When::OpenOk => unreachable!("there is a connection"),
        }
    }

    /// Every consumer, and whoever listens, hears once of the end.
    pub(crate) async fn hear_ends(&mut self) {
        for consumer in &mut self.consumers {
            let mut ends = 0;
            while let Some(heard) = consumer.recv().await {
                ends += u32::from(matches!(heard, Heard::End(_)));
            }
            assert!(ends <= 1, "its end is told {ends} times");
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(self.closed.get(), 1, "how often the end of the connection is told");
    }

    fn look_at(&mut self, delivery: Delivery<()>) -> Result<()> {
        assert_eq!(delivery.body(), BODY);
        let properties = delivery.properties().map(drop);
        self.delivery = Some(delivery);
        properties
    }

    fn channel(&self) -> Channel<()> {
        self.channel.clone().expect("it has a channel")
    }

    /// Whether the connection ends meanwhile, and why.
    async fn watch(&self) -> Result<()> {
        let until = Instant::now() + WATCHED;
        while Instant::now() < until {
            if let Some(error) = self.connection.closed_by() {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}
