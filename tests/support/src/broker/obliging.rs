//! A broker that obliges: it answers whatever is asked, has a message in every queue, and writes
//! down what it heard.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use leveret::protocol::{Method, basic, channel, confirm, connection, queue};

use crate::frames::Received;
use crate::peer::Peer;
use crate::transport::Transport;

/// What the broker heard: methods and their channels, in order.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    methods: Arc<Mutex<Vec<(u16, Method)>>>,
    answered: Arc<Mutex<Vec<&'static str>>>,
}

impl Heard {
    /// All of it.
    pub fn all(&self) -> Vec<(u16, Method)> {
        self.methods.lock().unwrap().clone()
    }

    /// How many methods of this name came.
    pub fn count(&self, name: &str) -> usize {
        self.methods.lock().unwrap().iter().filter(|(_, method)| method.name() == name).count()
    }

    /// The names of the calls, in the order of their answers.
    pub fn answered(&self) -> Vec<&'static str> {
        self.answered.lock().unwrap().clone()
    }

    /// The delivery tags that were given back to the queue, on one channel on which nothing else
    /// was settled.
    pub fn requeued(&self) -> Vec<u64> {
        self.requeued_of(&[])
    }

    /// The same where `settled` were settled in another way.
    pub fn requeued_of(&self, settled: &[u64]) -> Vec<u64> {
        let mut tags: Vec<u64> = Vec::new();
        for (_, method) in &*self.methods.lock().unwrap() {
            if let Method::BasicNack(nack) = method {
                assert!(nack.requeue);
                let first = if nack.multiple { tags.last().map_or(1, |last| last + 1) } else { nack.delivery_tag };
                tags.extend((first..=nack.delivery_tag).filter(|tag| !settled.contains(tag)));
            }
        }
        tags
    }

    fn push(&self, channel: u16, method: Method) {
        self.methods.lock().unwrap().push((channel, method));
    }
}

/// Makes a peer after its handshake answer whatever comes, in the order of the calls, until its
/// stream ends.
pub fn oblige<T: Transport + 'static>(peer: Peer<T>) -> Heard {
    let (heard, obliging) = obliging(peer, false);
    tokio::spawn(obliging);
    heard
}

/// The same, but `basic.consume` and `basic.cancel` are answered after whatever has arrived after
/// them, as RabbitMQ does.
pub fn oblige_late<T: Transport + 'static>(peer: Peer<T>) -> Heard {
    let (heard, obliging) = obliging(peer, true);
    tokio::spawn(obliging);
    heard
}

/// The same as a script, to be run wherever its stream is; `late` says which of the two.
pub fn obliging<T: Transport>(peer: Peer<T>, late: bool) -> (Heard, impl Future<Output = ()> + Send) {
    let heard = Heard::default();
    let (published, delivered) = (BTreeMap::new(), BTreeMap::new());
    let broker = Broker { peer, heard: heard.clone(), published, delivered, late, put_off: Vec::new() };
    (heard, broker.run())
}

struct Broker<T> {
    peer: Peer<T>,
    heard: Heard,
    /// Publishes on each confirming channel.
    published: BTreeMap<u16, u64>,
    /// Deliveries on each channel.
    delivered: BTreeMap<u16, u64>,
    /// Consumers start and end late.
    late: bool,
    /// What is answered when all that has arrived is answered.
    put_off: Vec<(u16, Method)>,
}

impl<T: Transport> Broker<T> {
    async fn run(mut self) {
        while let Some(received) = self.peer.receive().await {
            if let Received::Method(channel, method) = received {
                self.heard.push(channel, method.clone());
                if self.late && matches!(method, Method::BasicConsume(_) | Method::BasicCancel(_)) {
                    self.put_off.push((channel, method));
                } else {
                    self.answer(channel, method).await;
                }
            }
            if !self.peer.has_more() {
                for (channel, method) in std::mem::take(&mut self.put_off) {
                    self.answer(channel, method).await;
                }
            }
        }
    }

    async fn answer(&mut self, channel: u16, method: Method) {
        if !matches!(method, Method::BasicPublish(_) | Method::BasicAck(_) | Method::BasicNack(_)) {
            self.heard.answered.lock().unwrap().push(method.name());
        }
        match method {
            Method::ChannelOpen(_) => {
                self.published.remove(&channel);
                self.delivered.remove(&channel);
                self.peer.send(channel, channel::OpenOk::default()).await;
            }
            Method::ChannelClose(_) => self.peer.send(channel, channel::CloseOk::default()).await,
            Method::ConnectionUpdateSecret(_) => {
                self.peer.send(0, connection::UpdateSecretOk::default()).await;
            }
            Method::ConnectionClose(_) => self.peer.send(0, connection::CloseOk::default()).await,
            Method::ConfirmSelect(_) => {
                self.published.insert(channel, 0);
                self.peer.send(channel, confirm::SelectOk::default()).await;
            }
            Method::QueueDeclare(declare) => {
                self.peer.send(channel, queue::DeclareOk::default().queue(declare.queue)).await;
            }
            Method::BasicQos(_) => self.peer.send(channel, basic::QosOk::default()).await,
            Method::BasicPublish(_) => self.confirm(channel).await,
            Method::BasicConsume(consume) => self.consume(channel, &consume).await,
            Method::BasicCancel(cancel) => {
                self.peer.send(channel, basic::CancelOk::default().consumer_tag(cancel.consumer_tag)).await;
            }
            Method::BasicGet(get) => {
                let ok = basic::GetOk::default().delivery_tag(self.next_delivery(channel)).routing_key(get.queue);
                self.peer.send_content(channel, ok, b"got").await;
            }
            _ => {}
        }
    }

    async fn confirm(&mut self, channel: u16) {
        if let Some(published) = self.published.get_mut(&channel) {
            *published += 1;
            let ack = basic::Ack::default().delivery_tag(*published);
            self.peer.send(channel, ack).await;
        }
    }

    /// Accepts the consumer, and sends it two messages at once.
    async fn consume(&mut self, channel: u16, consume: &basic::Consume) {
        let tag = if consume.consumer_tag.is_empty() { "made-up".into() } else { consume.consumer_tag.clone() };
        self.peer.send(channel, basic::ConsumeOk::default().consumer_tag(&tag)).await;
        for _ in 0..2 {
            let delivery_tag = self.next_delivery(channel);
            let deliver = basic::Deliver::default().consumer_tag(&tag).delivery_tag(delivery_tag);
            self.peer.send_content(channel, deliver, b"pushed").await;
        }
    }

    fn next_delivery(&mut self, channel: u16) -> u64 {
        let delivered = self.delivered.entry(channel).or_default();
        *delivered += 1;
        *delivered
    }
}
