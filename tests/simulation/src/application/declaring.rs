//! Exchanges, queues, bindings, transactions, prefetch.

use std::sync::Arc;

use leveret::protocol::{ChannelMethod, Method, Recordable, Request as Requests, basic, exchange, queue, tx};
use leveret::{Connection, Error, Fate, FieldTable};

use super::{Application, Outcome, outcome};
use crate::ledger::Owner;
use crate::script::{Step, Verb};
use crate::tap::NAMELESS;
use crate::topology::{Binding, Topology, exchange_name, queue_name};

impl Application {
    /// Performs a step that is a call on a channel. `None` if the step is not one.
    pub(super) fn declare(self: &Arc<Self>, step: &Step) -> Option<bool> {
        let (exchange, queue, to) =
            (format!("x{}", step.get("exchange")), queue_of(step), format!("x{}", step.get("to")));
        Some(match step.verb {
            Verb::TxSelect => self.call(step, tx::Select::default()),
            Verb::TxCommit => self.call(step, tx::Commit::default()),
            Verb::TxRollback => self.call(step, tx::Rollback::default()),
            Verb::Qos => {
                let count = u16::try_from(step.get("count")).unwrap_or(u16::MAX);
                self.call(step, basic::Qos::default().prefetch_count(count))
            }
            Verb::ExchangeDeclare => self.declare_exchange(step),
            Verb::ExchangeDelete => {
                self.touch(step, exchange_name(&exchange));
                self.call(step, exchange::Delete::default().exchange(exchange))
            }
            Verb::ExchangeBind => {
                let bind = exchange::Bind::default().source(&*exchange).destination(&*to).routing_key("k");
                self.make(step, bind, binding(exchange, to, true, "k".to_owned(), ""))
            }
            Verb::ExchangeUnbind => {
                self.touch(step, binding(exchange.clone(), to.clone(), true, "k".to_owned(), ""));
                self.call(step, exchange::Unbind::default().source(exchange).destination(to).routing_key("k"))
            }
            Verb::QueueDeclare => self.declare_queue(step),
            Verb::QueueDelete => self.delete_queue(step),
            Verb::Purge => self.call_that_loses(step, queue::Purge::default().queue(queue)),
            Verb::QueueBind => self.bind_queue(step),
            Verb::QueueUnbind => {
                self.touch(step, binding(exchange.clone(), queue.clone(), false, queue.clone(), ""));
                self.call(step, queue::Unbind::default().queue(&*queue).exchange(exchange).routing_key(&*queue))
            }
            _ => return None,
        })
    }

    fn call<R>(self: &Arc<Self>, step: &Step, request: R) -> bool
    where
        R: Requests + ChannelMethod + Into<Method> + Send + 'static,
        R::Reply: TryFrom<Method> + Send,
    {
        let Some(channel) = self.channel(step) else { return false };
        let calling = async move { outcome(channel.call(request).await, |_| "ok".to_owned()) };
        self.spawn(step.to_string(), step.polls, Box::pin(calling));
        true
    }

    /// The connection of a step.
    fn owner(&self, step: &Step) -> Owner {
        (step.get("client"), self.with(step.get("client"), |client| client.life).unwrap_or_default())
    }

    fn touch(&self, step: &Step, name: String) {
        self.ledger().entities.touch(name, Some(self.owner(step)));
    }

    /// A call that makes an entity of this name.
    fn make<R>(self: &Arc<Self>, step: &Step, request: R, name: String) -> bool
    where
        R: Recordable + ChannelMethod + Into<Method> + Send + 'static,
        R::Reply: TryFrom<Method> + Send,
    {
        let Some(channel) = self.channel(step) else { return false };
        let (this, by, recorded) = (Arc::clone(self), self.owner(step), !step.is("unrecorded"));
        let making = async move {
            let made = channel.call(request).recorded(recorded).await;
            if made.is_ok() {
                this.ledger().entities.make(name, by, recorded);
            }
            outcome(made, |_| "ok".to_owned())
        };
        self.spawn(step.to_string(), step.polls, Box::pin(making));
        true
    }

    fn declare_exchange(self: &Arc<Self>, step: &Step) -> bool {
        let (name, kind) = (format!("x{}", step.get("exchange")), step.get("kind") as usize % 3);
        let request = exchange::Declare::default()
            .exchange(&*name)
            .kind(["direct", "fanout", "topic"][kind])
            .durable(true)
            .auto_delete(step.is("auto-delete"));
        if step.is("auto-delete") {
            // It goes by itself, with its bindings.
            self.ledger().entities.touch(exchange_name(&name), None);
        }
        self.make(step, request, exchange_name(&name))
    }

    fn bind_queue(self: &Arc<Self>, step: &Step) -> bool {
        let (mut queue, exchange) = (queue_of(step), format!("x{}", step.get("exchange")));
        let mut key = queue.clone();
        if step.is("last") {
            queue.clear();
            key = if step.get("last") == 1 { format!("{NAMELESS}{}", self.ledger().tick()) } else { String::new() };
        }
        let arguments = if step.is("arguments") { FieldTable::from([("x", 1)]) } else { FieldTable::new() };
        let request =
            queue::Bind::default().queue(&*queue).exchange(&*exchange).routing_key(&*key).arguments(arguments.clone());
        let name = binding(exchange, queue, false, key, &format!("{arguments:?}"));
        match step.is("last") {
            // Only the broker knows which queue that is.
            true => self.call(step, request),
            false => self.make(step, request, name),
        }
    }

    /// Deletes a queue. What hangs on it is not recorded any more.
    fn delete_queue(self: &Arc<Self>, step: &Step) -> bool {
        let Some(channel) = self.channel(step) else { return false };
        let name = queue_of(step);
        self.touch(step, queue_name(&name));
        let (this, loss) = (Arc::clone(self), self.ledger().may_lose(Some(&name)));
        let deleting = async move {
            let connection = channel.connection();
            let of_queue = |connection: &Connection| {
                let record = Topology::of_record(&connection.topology());
                record.bindings.iter().filter(|it| !it.to_exchange && it.destination == name).count()
                    + record.consumers.values().filter(|it| it.queue == name).count()
            };
            let before = of_queue(&connection);
            let answer = channel.call(queue::Delete::default().queue(&*name)).await;
            if is_decided(&answer) {
                this.ledger().loses_no_more(loss);
            }
            if answer.is_ok() && before > 0 && of_queue(&connection) == 0 {
                this.ledger().count("forgotten with its queue");
            }
            outcome(answer, |_| "ok".to_owned())
        };
        self.spawn(step.to_string(), step.polls, Box::pin(deleting));
        true
    }

    /// A call that removes messages. Until it has an answer, they may be gone.
    fn call_that_loses<R>(self: &Arc<Self>, step: &Step, request: R) -> bool
    where
        R: Requests + ChannelMethod + Into<Method> + Send + 'static,
        R::Reply: TryFrom<Method> + Send,
    {
        let Some(channel) = self.channel(step) else { return false };
        let (this, loss) = (Arc::clone(self), self.ledger().may_lose(Some(&queue_of(step))));
        let calling = async move {
            let answer = channel.call(request).await;
            if is_decided(&answer) {
                this.ledger().loses_no_more(loss);
            }
            outcome(answer, |_| "ok".to_owned())
        };
        self.spawn(step.to_string(), step.polls, Box::pin(calling));
        true
    }

    fn declare_queue(self: &Arc<Self>, step: &Step) -> bool {
        let Some(channel) = self.channel(step) else { return false };
        let (this, kind, name) = (Arc::clone(self), step.get("kind"), queue_of(step));
        let (by, recorded) = (self.owner(step), !step.is("unrecorded"));
        let named = if kind == 4 { String::new() } else { name.clone() };
        let arguments = FieldTable::from([("x-overflow", "reject-publish")]);
        let request = queue::Declare::default()
            .queue(named)
            .durable(kind == 0)
            .auto_delete(kind == 2)
            .exclusive(kind == 3 || kind == 4)
            .arguments(if step.is("arguments") { arguments } else { FieldTable::new() });
        let issued = {
            let mut ledger = self.ledger();
            if kind == 2 || kind == 3 {
                ledger.may_lose(Some(&name));
                // It goes by itself, with its bindings.
                ledger.entities.touch(queue_name(&name), None);
            }
            ledger.tick()
        };
        let declaring = async move {
            match channel.call(request).recorded(recorded).await {
                Ok(declared) => {
                    let mut ledger = this.ledger();
                    // Others do not outlive the broker.
                    if kind == 0 {
                        ledger.declared(&name, issued);
                    }
                    ledger.entities.make(queue_name(&declared.queue.to_string()), by, recorded);
                    Outcome::Done(declared.queue.to_string())
                }
                Err(error) => Outcome::Failed(error),
            }
        };
        self.spawn(step.to_string(), step.polls, Box::pin(declaring));
        true
    }
}

/// Whether it is known what became of a request.
pub(super) fn is_decided<T>(answer: &Result<T, Error>) -> bool {
    answer.as_ref().err().is_none_or(|error| error.fate().is_some_and(|fate| fate != Fate::Unknown))
}

/// The name of a binding.
fn binding(source: String, destination: String, to_exchange: bool, routing_key: String, arguments: &str) -> String {
    Binding { source, destination, to_exchange, routing_key, arguments: arguments.to_owned() }.to_string()
}

pub(super) fn queue_of(step: &Step) -> String {
    format!("q{}", step.get("queue"))
}
