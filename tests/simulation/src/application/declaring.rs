//! Exchanges, queues, bindings, transactions, prefetch.

use std::sync::Arc;

use leveret::protocol::{ChannelMethod, Method, Request as Requests, basic, exchange, queue, tx};
use leveret::{Error, Fate};

use super::{Application, Outcome, outcome};
use crate::script::{Step, Verb};

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
            Verb::ExchangeDeclare => {
                let kind = ["direct", "fanout", "topic"][step.get("kind") as usize % 3];
                self.call(step, exchange::Declare::default().exchange(exchange).kind(kind).durable(true))
            }
            Verb::ExchangeDelete => self.call(step, exchange::Delete::default().exchange(exchange)),
            Verb::ExchangeBind => {
                self.call(step, exchange::Bind::default().source(exchange).destination(to).routing_key("k"))
            }
            Verb::ExchangeUnbind => {
                self.call(step, exchange::Unbind::default().source(exchange).destination(to).routing_key("k"))
            }
            Verb::QueueDeclare => self.declare_queue(step),
            Verb::QueueDelete => self.call_that_loses(step, queue::Delete::default().queue(queue)),
            Verb::Purge => self.call_that_loses(step, queue::Purge::default().queue(queue)),
            Verb::QueueBind => {
                self.call(step, queue::Bind::default().queue(&*queue).exchange(exchange).routing_key(&*queue))
            }
            Verb::QueueUnbind => {
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
        let named = if kind == 4 { String::new() } else { name.clone() };
        let request = queue::Declare::default()
            .queue(named)
            .durable(kind == 0)
            .auto_delete(kind == 2)
            .exclusive(kind == 3 || kind == 4);
        let issued = {
            let mut ledger = self.ledger();
            if kind == 2 || kind == 3 {
                ledger.may_lose(Some(&name));
            }
            ledger.tick()
        };
        let declaring = async move {
            match channel.call(request).await {
                Ok(declared) => {
                    // Others do not outlive the broker.
                    if kind == 0 {
                        this.ledger().declared(&name, issued);
                    }
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

pub(super) fn queue_of(step: &Step) -> String {
    format!("q{}", step.get("queue"))
}
