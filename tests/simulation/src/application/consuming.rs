//! Consumers, and gets.

use std::sync::Arc;

use leveret::{Channel, ChannelState, Consumer, Delivery, ErrorKind, FieldTable};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::declaring::{is_decided, queue_of};
use super::{Application, Outcome, Polled};
use crate::ledger::{Got, Listening, message_of};
use crate::script::{Step, Verb};
use crate::topology::{REPLY_TO, consumer_name};

/// A consumer that a task reads. Dropping this drops the consumer.
pub(super) struct Listener {
    pub(super) tag: String,
    /// Requests to cancel, each with the polls after which it is dropped.
    cancels: UnboundedSender<Option<u32>>,
}

impl Application {
    pub(super) fn consume(self: &Arc<Self>, step: &Step) -> bool {
        let (number, place) = (step.get("client"), step.get("place"));
        let found = self.with(number, |client| {
            let slot = client.channels.get(&step.get("channel"))?;
            Some((slot.channel.clone(), slot.serial, client.life))
        });
        let Some((channel, serial, life)) = found.flatten() else { return false };
        match step.verb {
            Verb::Consume | Verb::ReplyTo => self.start_consumer(step, channel, (serial, life)),
            Verb::Get => self.get(step, channel, life),
            Verb::Cancel => {
                return self
                    .with(number, |client| {
                        let listener = client.channels.get(&step.get("channel"))?.listeners.get(&place)?;
                        listener.cancels.send(step.polls).ok()
                    })
                    .flatten()
                    .is_some();
            }
            _ => {
                let dropped =
                    self.with(number, |client| client.channels.get_mut(&step.get("channel"))?.listeners.remove(&place));
                return dropped.flatten().is_some();
            }
        }
        true
    }

    fn start_consumer(self: &Arc<Self>, step: &Step, channel: Channel, (serial, life): (u64, u64)) {
        let (this, step_text) = (Arc::clone(self), step.to_string());
        let (number, number_of_channel, place) = (step.get("client"), step.get("channel"), step.get("place"));
        let is_reply_to = step.verb == Verb::ReplyTo;
        let queue = if is_reply_to { REPLY_TO.to_owned() } else { queue_of(step) };
        let (no_ack, exclusive) = (is_reply_to || step.is("no-ack"), step.is("exclusive"));
        let (priority, recorded) = (i64::from(step.get("priority")), !step.is("unrecorded"));
        let arguments = if priority > 0 { FieldTable::from([("x-priority", priority)]) } else { FieldTable::new() };
        let prefetch = u16::try_from(step.get("prefetch")).unwrap_or(u16::MAX);
        let tag = {
            let mut ledger = self.ledger();
            if no_ack {
                ledger.may_lose(Some(&queue));
            }
            format!("t{}", ledger.tick())
        };
        let starting = async move {
            let consume = channel.consume(queue).consumer_tag(&*tag).no_ack(no_ack).exclusive(exclusive);
            let consumer = match consume.prefetch(prefetch).arguments(arguments.clone()).recorded(recorded).await {
                Ok(consumer) => consumer,
                Err(error) => return Outcome::Failed(error),
            };
            let (client, arguments) = (number as usize, format!("{arguments:?}"));
            let listening = Listening { client, channel: channel.number(), no_ack, exclusive, arguments };
            // No broker lists the consumers of direct reply-to.
            if !is_reply_to {
                let mut ledger = this.ledger();
                ledger.listening.insert(tag.clone(), listening);
                ledger.entities.make(consumer_name(&tag), (number, life), recorded);
            }
            let (cancels, requests) = unbounded_channel();
            let listener = Listener { tag: tag.clone(), cancels };
            let before = this.with(number, |client| {
                let slots = client.channels.get_mut(&number_of_channel);
                let slot = slots.filter(|slot| slot.serial == serial);
                slot.and_then(|slot| slot.listeners.insert(place, listener))
            });
            drop(before);
            let reading = Arc::clone(&this).read((number, life), consumer, requests);
            this.spawn(format!("stream of {tag} by {step_text}"), None, Box::pin(reading));
            Outcome::Done(tag)
        };
        self.spawn(step.to_string(), step.polls, Box::pin(starting));
    }

    /// Reads all that arrives, until the stream ends or the consumer is dropped.
    async fn read(
        self: Arc<Self>,
        (client, life): (u32, u64),
        mut consumer: Consumer,
        mut cancels: UnboundedReceiver<Option<u32>>,
    ) -> Outcome {
        let tag = consumer.consumer_tag().to_string();
        let ended = loop {
            let next = tokio::select! {
                biased;
                cancel = cancels.recv() => {
                    let Some(polls) = cancel else { break "dropped" };
                    // A future that is never polled requests nothing.
                    if polls != Some(0) {
                        self.ledger().ended(&tag);
                    }
                    let cancelling = Polled { future: Some(Box::pin(consumer.cancel())), left: polls };
                    let said = match cancelling.await {
                        None => "dropped".to_owned(),
                        Some(Ok(())) => "ok".to_owned(),
                        Some(Err(error)) => error.to_string(),
                    };
                    self.note(&format!("cancel of {tag}: {said}"));
                    continue;
                }
                next = consumer.next() => next,
            };
            match next {
                Some(Ok(delivery)) => self.got(client, life, &tag, delivery),
                Some(Err(error)) => {
                    let is_loss = error.kind() == ErrorKind::ConnectionClosed;
                    if is_loss && matches!(consumer.channel().state(), ChannelState::Open | ChannelState::Recovering) {
                        self.ledger().count("consumer ended with the loss, its channel did not");
                    }
                    self.note(&format!("{tag}: {error}"));
                }
                None => break "ended",
            }
        };
        self.ledger().ended(&tag);
        Outcome::Done(ended.to_owned())
    }

    fn get(self: &Arc<Self>, step: &Step, channel: Channel, life: u64) {
        let (this, number, no_ack) = (Arc::clone(self), step.get("client"), step.is("no-ack"));
        let queue = queue_of(step);
        let loss = no_ack.then(|| self.ledger().may_lose(Some(&queue)));
        let getting = async move {
            let got = channel.get(queue).no_ack(no_ack).await;
            if let Some(loss) = loss.filter(|_| is_decided(&got)) {
                this.ledger().loses_no_more(loss);
            }
            match got {
                Ok(Some(message)) => {
                    let left = message.message_count();
                    this.got(number, life, "", message.into_delivery());
                    Outcome::Done(format!("one of {left} more"))
                }
                Ok(None) => Outcome::Done("nothing".to_owned()),
                Err(error) => Outcome::Failed(error),
            }
        };
        self.spawn(step.to_string(), step.polls, Box::pin(getting));
    }

    fn got(self: &Arc<Self>, client: u32, life: u64, consumer: &str, delivery: Delivery) {
        let reply_to = delivery.properties().ok().and_then(|properties| properties.reply_to.clone());
        if let Some(reply_to) = reply_to {
            self.reply(delivery.channel(), &reply_to.to_string());
        }
        let got = Got {
            client: client as usize,
            consumer: consumer.to_owned(),
            tag: delivery.delivery_tag(),
            message: message_of(delivery.body()),
            redelivered: delivery.is_redelivered(),
        };
        self.note(&format!("client={client} got {got:?}"));
        let mut ledger = self.ledger();
        ledger.count(if got.redelivered { "redelivery" } else { "delivery" });
        let same = |before: &Got| before.message == got.message && before.consumer == got.consumer;
        if delivery.generation() > 0 && got.redelivered && ledger.got.iter().any(same) {
            ledger.count("delivered again after a loss");
        }
        let is_reply = got.message.and_then(|number| ledger.messages.get(&number)).is_some_and(|it| it.is_reply);
        if delivery.generation() > 0 && is_reply {
            ledger.count("reply after a loss");
        }
        ledger.got.push(got);
        drop(ledger);
        let dropped = self.with(client, |client| match client.life == life {
            true => {
                client.deliveries.push(delivery);
                None
            }
            false => Some(delivery),
        });
        drop(dropped);
    }
}
