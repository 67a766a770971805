//! A client that survives the loss of its node, by a connection that is recovered with its
//! topology.

use std::time::{Duration, Instant};

use leveret::{Connection, ConnectionEvent, ConnectionParameters, Consumer, Delivery, Publisher, Recovery};
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

    /// Returns the publisher, which waits while the connection is lost. Returns `None` if the
    /// client has ended.
    pub(crate) async fn publisher(&mut self) -> Option<Publisher> {
        let publisher = self.publishers.wait_for(Option::is_some).await.ok()?.clone()?;
        publisher.channel().closed_by().is_none().then_some(publisher)
    }

    /// Returns the next delivery of any connection, or `None` if the client has ended. If the
    /// future is dropped, no delivery is lost.
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        loop {
            if let Some(consumer) = &mut self.consumer {
                match consumer.next().await {
                    Some(Ok(delivery)) => return Some(delivery),
                    Some(Err(error)) => eprintln!("    a consumer ended: {error}"),
                    None => {}
                }
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

/// Opens a connection, and notes when it is lost and recovered.
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
        let publisher = tokio::select! {
            publisher = self.establish() => publisher,
            _ = &mut stopped => return self.outages,
        };
        let connection = publisher.channel().connection();
        let mut events = connection.events();
        self.publishers.send_replace(Some(publisher.clone()));
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = &mut stopped => {
                    let _closed = connection.close().await;
                    return self.outages;
                }
            };
            match event {
                Some(ConnectionEvent::Lost { cause, .. }) => {
                    let cause = cause.to_string();
                    self.outages.push(Outage { lost: Instant::now(), recovered: None, cause });
                }
                Some(ConnectionEvent::Recovered { .. }) => {
                    if let Some(outage) = self.outages.last_mut() {
                        outage.recovered = Some(Instant::now());
                    }
                }
                Some(ConnectionEvent::Closed(error)) => eprintln!("    a connection ended: {error}"),
                Some(_) => {}
                None => return self.outages,
            }
        }
    }

    /// Tries until there is a connection with all that the client needs.
    async fn establish(&self) -> Publisher {
        loop {
            if let Ok(Ok(publisher)) = within(ATTEMPT, "an attempt", self.open()).await {
                return publisher;
            }
            tokio::time::sleep(MAX_PAUSE.mul_f64(fastrand::f64())).await;
        }
    }

    async fn open(&self) -> leveret::Result<Publisher> {
        let Work { queue, prefetch } = &self.work;
        let parameters = self.parameters.clone().recovery(Recovery::Topology);
        // Nodes that start refuse for a while.
        let parameters = parameters.recovery_delay(Duration::from_millis(100)).recovery_max_delay(MAX_PAUSE);
        let parameters = parameters.recovery_refusals(1000).down_timeout(Duration::from_secs(300));
        let connection = Connection::open(&parameters).await?;
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
