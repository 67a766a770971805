//! Publishing, with confirms and without.

use std::sync::Arc;

use leveret::{Channel, DeliveryMode, Properties, Publisher};

use super::declaring::queue_of;
use super::{Application, Outcome, outcome};
use crate::ledger::{Message, Published, body_of};
use crate::script::{Step, Verb};
use crate::topology::REPLY_TO;

impl Application {
    pub(super) fn publish(self: &Arc<Self>, step: &Step) -> bool {
        let found = self.with(step.get("client"), |client| {
            let slot = client.channels.get(&step.get("channel"))?;
            Some((slot.channel.clone(), slot.publisher.clone(), slot.serial))
        });
        let Some((channel, publisher, serial)) = found.flatten() else { return false };
        match (step.verb, publisher) {
            (Verb::Confirm, _) => self.confirm(step, channel, serial),
            (Verb::Publish, _) => self.publish_plain(step, channel, serial),
            (Verb::Request, _) => {
                let mut letter = self.write(step, serial);
                letter.properties = letter.properties.reply_to(REPLY_TO);
                self.send(step.to_string(), step.polls, channel, letter);
            }
            (Verb::PublishConfirmed, Some(publisher)) => self.publish_confirmed(step, publisher, serial),
            (Verb::WaitForConfirms, Some(publisher)) => {
                let waiting =
                    async move { outcome(publisher.wait_for_confirms().await, |()| "all confirmed".to_owned()) };
                self.spawn(step.to_string(), step.polls, Box::pin(waiting));
            }
            _ => return false,
        }
        true
    }

    fn confirm(self: &Arc<Self>, step: &Step, channel: Channel, serial: u64) {
        let (this, number, place) = (Arc::clone(self), step.get("client"), step.get("channel"));
        let selecting = async move {
            match channel.confirm_select().await {
                Ok(publisher) => {
                    this.with(number, |client| {
                        let slot = client.channels.get_mut(&place).filter(|slot| slot.serial == serial);
                        slot.and_then(|slot| slot.publisher.replace(publisher))
                    });
                    Outcome::Done("confirms".to_owned())
                }
                Err(error) => Outcome::Failed(error),
            }
        };
        self.spawn(step.to_string(), step.polls, Box::pin(selecting));
    }

    fn publish_plain(self: &Arc<Self>, step: &Step, channel: Channel, serial: u64) {
        let letter = self.write(step, serial);
        self.send(step.to_string(), step.polls, channel, letter);
    }

    /// Replies to a request, on the channel by which it came.
    pub(super) fn reply(self: &Arc<Self>, channel: &Channel, to: &str) {
        let properties = Properties::default();
        let mut ledger = self.ledger();
        let (number, at) = (ledger.tick(), ledger.tick());
        // No other publish is counted as one of this channel.
        let message = Message {
            channel: number,
            queue: None,
            mandatory: false,
            is_reply: true,
            transient: true,
            at,
            fate: Published::Unheard,
        };
        ledger.messages.insert(at, message);
        drop(ledger);
        let (exchange, key) = (String::new(), to.to_owned());
        let letter = Letter { message: at, exchange, key, mandatory: false, properties, body: body_of(at, 0) };
        self.send(format!("reply by m{at}"), None, channel.clone(), letter);
    }

    fn send(self: &Arc<Self>, what: String, polls: Option<u32>, channel: Channel, letter: Letter) {
        let this = Arc::clone(self);
        let publishing = async move {
            let publish = channel
                .publish(&*letter.exchange, &*letter.key, letter.body)
                .mandatory(letter.mandatory)
                .properties(letter.properties);
            let published = publish.await;
            let fate = published.as_ref().map_or_else(Published::of_error, |()| Published::Queued);
            this.decided(letter.message, fate);
            if fate == Published::Queued && channel.connection().is_recovering() {
                this.ledger().count("stored while the connection is down");
            }
            outcome(published, |()| format!("m{} queued", letter.message))
        };
        self.spawn(what, polls, Box::pin(publishing));
    }

    fn publish_confirmed(self: &Arc<Self>, step: &Step, publisher: Publisher, serial: u64) {
        let (this, letter) = (Arc::clone(self), self.write(step, serial));
        let publishing = async move {
            let publish = publisher
                .publish(&*letter.exchange, &*letter.key, letter.body)
                .mandatory(letter.mandatory)
                .properties(letter.properties);
            let confirmed = publish.confirmed().await;
            let fate = confirmed.as_ref().map_or_else(Published::of_error, |()| Published::Confirmed);
            this.decided(letter.message, fate);
            outcome(confirmed, |()| format!("m{} confirmed", letter.message))
        };
        self.spawn(step.to_string(), step.polls, Box::pin(publishing));
    }

    /// A new message, which the ledger knows from now on.
    fn write(&self, step: &Step, channel: u64) -> Letter {
        let (key, mandatory, transient) = (queue_of(step), step.is("mandatory"), step.is("transient"));
        let mode = if transient { DeliveryMode::TRANSIENT } else { DeliveryMode::PERSISTENT };
        let properties = Properties::default().delivery_mode(mode);
        let exchange = step.get("exchange").checked_sub(1).map_or_else(String::new, |number| format!("x{number}"));
        let mut ledger = self.ledger();
        let at = ledger.tick();
        let queue = exchange.is_empty().then(|| key.clone());
        let fate = Published::Unheard;
        let message = Message { channel, queue, mandatory, is_reply: false, transient, at, fate };
        ledger.messages.insert(at, message);
        if mandatory {
            ledger.count("mandatory publish");
        }
        Letter { message: at, exchange, key, mandatory, properties, body: body_of(at, step.get("bytes") as usize) }
    }

    fn decided(&self, message: u64, fate: Published) {
        let mut ledger = self.ledger();
        ledger.count(format!("publish {fate:?}"));
        if let Some(message) = ledger.messages.get_mut(&message) {
            message.fate = fate;
        }
    }
}

/// A message to publish.
struct Letter {
    message: u64,
    exchange: String,
    key: String,
    mandatory: bool,
    properties: Properties,
    body: Vec<u8>,
}
