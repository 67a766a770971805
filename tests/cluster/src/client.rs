//! A client that survives the loss of its node: it opens another connection, declares its queue and
//! consumes again.
//!
//! Only [`Supervisor`] knows how that is done. Publishers and consumers use [`Client`].

use std::time::{Duration, Instant};

use leveret::config::EndpointOrder;
use leveret::{Connection, ConnectionParameters, Consumer, Delivery, Publisher};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::Result;
use crate::cluster::{quorum, within};

/// The longest pause between two attempts to open a connection.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Seconds that one attempt may take: to open, declare and consume.
const ATTEMPT: u64 = 30;

/// A time without a connection.
#[derive(Debug, Clone)]
pub(crate) struct Outage {
    pub(crate) lost: Instant,
    /// When the connection, its queue and its consumer were back.
    pub(crate) recovered: Option<Instant>,
    pub(crate) cause: String,
}

/// What a client works on.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) queue: String,
    /// The prefetch of a consumer, or `None` for a client that only publishes.
    pub(crate) prefetch: Option<u16>,
}

/// A publisher and perhaps a consumer, over all connections that they need.
#[derive(Debug)]
pub(crate) struct Client {
    publishers: watch::Receiver<Option<Publisher>>,
    consumers: mpsc::UnboundedReceiver<Consumer>,
    consumer: Option<Consumer>,
    stop: oneshot::Sender<()>,
    supervisor: JoinHandle<Vec<Outage>>,
}

impl Client {
    /// Starts a client, and waits until it is connected.
    pub(crate) async fn start(parameters: ConnectionParameters, work: Work) -> Result<Self> {
        let (publishers, mut to_publish) = watch::channel(None);
        let (consumers, to_consume) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let supervisor = Supervisor { parameters, work, publishers, consumers, outages: Vec::new() };
        let supervisor = tokio::spawn(supervisor.run(stopped));
        within(60, "opening a client", to_publish.wait_for(Option::is_some)).await??;
        Ok(Self { publishers: to_publish, consumers: to_consume, consumer: None, stop, supervisor })
    }

    /// Waits while there is no connection. Returns `None` if the client has ended.
    pub(crate) async fn publisher(&mut self) -> Option<Publisher> {
        let is_open = |publisher: &Option<Publisher>| publisher.as_ref().is_some_and(|one| one.channel().is_open());
        self.publishers.wait_for(is_open).await.ok()?.clone()
    }

    /// Returns the next delivery of any connection, or `None` if the client has ended. If the
    /// future is dropped, no delivery is lost.
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        loop {
            if let Some(consumer) = &mut self.consumer {
                if let Some(Ok(delivery)) = consumer.next().await {
                    return Some(delivery);
                }
                // A consumer that was cancelled on an open channel would otherwise stay away.
                let _closed = consumer.channel().close().await;
            }
            self.consumer = None;
            self.consumer = Some(self.consumers.recv().await?);
        }
    }

    /// Closes the connection, and returns the outages so far.
    pub(crate) async fn close(self) -> Result<Vec<Outage>> {
        drop(self.consumer);
        let _already_ended = self.stop.send(());
        Ok(within(60, "closing a client", self.supervisor).await??)
    }
}

/// Keeps a client connected.
///
/// A connection that recovers by itself does the same: then `run` opens once, and reports what the
/// connection's events say about losses and recoveries.
#[derive(Debug)]
struct Supervisor {
    parameters: ConnectionParameters,
    work: Work,
    publishers: watch::Sender<Option<Publisher>>,
    consumers: mpsc::UnboundedSender<Consumer>,
    outages: Vec<Outage>,
}

impl Supervisor {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) -> Vec<Outage> {
        loop {
            let publisher = tokio::select! {
                publisher = self.establish() => publisher,
                _ = &mut stopped => return self.outages,
            };
            if let Some(outage) = self.outages.last_mut() {
                outage.recovered = Some(Instant::now());
            }
            self.publishers.send_replace(Some(publisher.clone()));
            let cause = tokio::select! {
                cause = publisher.channel().closed() => cause.to_string(),
                _ = &mut stopped => {
                    let _closed = publisher.channel().connection().close().await;
                    return self.outages;
                }
            };
            self.outages.push(Outage { lost: Instant::now(), recovered: None, cause });
            // After the first connection the nodes are equals.
            self.parameters = self.parameters.endpoint_order(EndpointOrder::Shuffled);
            tokio::spawn(async move { publisher.channel().connection().close().await });
        }
    }

    /// Tries until there is a connection with all that the client needs.
    async fn establish(&self) -> Publisher {
        let mut pause = Duration::from_millis(50);
        loop {
            if let Ok(Ok(publisher)) = within(ATTEMPT, "an attempt", self.open()).await {
                return publisher;
            }
            tokio::time::sleep(pause.mul_f64(fastrand::f64())).await;
            pause = MAX_PAUSE.min(pause * 2);
        }
    }

    async fn open(&self) -> leveret::Result<Publisher> {
        let Work { queue, prefetch } = &self.work;
        let connection = Connection::open(&self.parameters).await?;
        let channel = connection.open_channel().await?;
        channel.queue_declare(queue).durable(true).arguments(quorum()).await?;
        let publisher = channel.confirm_select().await?;
        if let Some(prefetch) = *prefetch {
            // Nobody receives it if the client has ended meanwhile.
            let _ended = self.consumers.send(channel.consume(queue).prefetch(prefetch).await?);
        }
        Ok(publisher)
    }
}
