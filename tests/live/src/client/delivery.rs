//! A message that the broker delivered, and what can be done with it.

use std::future::IntoFuture;
use std::sync::OnceLock;

use leveret::asynchronous::Requeue;
use leveret::{Message, Name, Properties, Result, ShortString};
use leveret::{asynchronous, blocking, callback};

use super::Answer;
use super::event_loop::{Hall, Proxy};
use super::threads::on_thread;

/// A message that the broker delivered.
#[derive(Debug)]
pub struct Delivery(Way);

#[derive(Debug)]
enum Way {
    Async(asynchronous::Delivery),
    Blocking(blocking::Delivery),
    Callback(Box<OnLoop>),
}

/// A delivery that is on the event loop, and what it says.
#[derive(Debug)]
struct OnLoop {
    delivery: Proxy<callback::Delivery<Hall>>,
    message: Message,
    properties: OnceLock<Result<Properties>>,
    consumer_tag: ShortString,
    delivery_tag: u64,
    redelivered: bool,
}

/// What the delivery of any adapter has.
macro_rules! each {
    ($way:expr, $delivery:ident => $wanted:expr, $on_loop:ident => $copied:expr) => {
        match &$way {
            Way::Async($delivery) => $wanted,
            Way::Blocking($delivery) => $wanted,
            Way::Callback($on_loop) => $copied,
        }
    };
}

/// Settles a delivery by the method of the same name that every adapter has.
macro_rules! settle {
    ($delivery:ident, $verb:ident $(, $requeue:ident)?) => {
        match $delivery.0 {
            Way::Async(delivery) => Box::pin(delivery.$verb($($requeue)?).into_future()),
            Way::Blocking(delivery) => {
                Box::pin(async move { on_thread(move || delivery.$verb($($requeue)?)).await })
            }
            Way::Callback(on_loop) => on_loop.delivery.take(move |delivery| delivery.$verb($($requeue)?)),
        }
    };
}

impl Delivery {
    /// A delivery that stays on the event loop.
    pub(super) fn on_loop(hall: &mut Hall, delivery: callback::Delivery<Hall>) -> Self {
        Self(Way::Callback(Box::new(OnLoop {
            message: delivery.message().clone(),
            properties: OnceLock::new(),
            consumer_tag: delivery.consumer_tag().clone(),
            delivery_tag: delivery.delivery_tag(),
            redelivered: delivery.is_redelivered(),
            delivery: hall.put(delivery),
        })))
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        each!(self.0, delivery => delivery.body(), on_loop => on_loop.message.body())
    }

    /// The exchange that it was published to.
    pub fn exchange(&self) -> Name<'_> {
        each!(self.0, delivery => delivery.exchange(), on_loop => on_loop.message.exchange().into())
    }

    /// Its routing key.
    pub fn routing_key(&self) -> Name<'_> {
        each!(self.0, delivery => delivery.routing_key(), on_loop => on_loop.message.routing_key().into())
    }

    /// Its properties.
    pub fn properties(&self) -> Result<&Properties> {
        each!(self.0, delivery => delivery.properties(), on_loop => {
            let decode = || Ok(on_loop.message.properties()?);
            on_loop.properties.get_or_init(decode).as_ref().map_err(Clone::clone)
        })
    }

    /// The message alone.
    pub fn message(&self) -> &Message {
        each!(self.0, delivery => delivery.message(), on_loop => &on_loop.message)
    }

    /// The consumer that it is for.
    pub fn consumer_tag(&self) -> &ShortString {
        each!(self.0, delivery => delivery.consumer_tag(), on_loop => &on_loop.consumer_tag)
    }

    /// Its number on its channel.
    pub fn delivery_tag(&self) -> u64 {
        each!(self.0, delivery => delivery.delivery_tag(), on_loop => on_loop.delivery_tag)
    }

    /// It was delivered before, to anybody.
    pub fn is_redelivered(&self) -> bool {
        each!(self.0, delivery => delivery.is_redelivered(), on_loop => on_loop.redelivered)
    }

    /// Acknowledges it.
    pub fn ack(self) -> Answer<'static, Result<()>> {
        settle!(self, ack)
    }

    /// Acknowledges it, and what was delivered before it.
    pub fn ack_multiple(self) -> Answer<'static, Result<()>> {
        settle!(self, ack_multiple)
    }

    /// Gives it back.
    pub fn nack(self, requeue: Requeue) -> Answer<'static, Result<()>> {
        settle!(self, nack, requeue)
    }

    /// Gives it back, and what was delivered before it.
    pub fn nack_multiple(self, requeue: Requeue) -> Answer<'static, Result<()>> {
        settle!(self, nack_multiple, requeue)
    }

    /// Gives it back as the standard has it.
    pub fn reject(self, requeue: Requeue) -> Answer<'static, Result<()>> {
        settle!(self, reject, requeue)
    }
}

impl From<asynchronous::Delivery> for Delivery {
    fn from(delivery: asynchronous::Delivery) -> Self {
        Self(Way::Async(delivery))
    }
}

impl From<blocking::Delivery> for Delivery {
    fn from(delivery: blocking::Delivery) -> Self {
        Self(Way::Blocking(delivery))
    }
}
