//! An entity that is to be made again: what it needs, where it stands, and its request.

use std::sync::Arc;
use std::time::Instant;

use super::suspects::Suspect;
use super::{Phase, Request};
use crate::Error;
use crate::engine::{ChannelKey, ConsumerKey};
use crate::protocol::{Method, queue};
use crate::recovery::record::{Entity, Item, Recorded};
use crate::wire::ShortString;

/// The place of an entry in the plan.
pub(super) type Index = usize;

/// An entity, or a check, in the plan.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) task: Task,
    pub(super) phase: Phase,
    pub(super) state: State,
    /// What it names: a binding its source and destination, a consumer its queue.
    pub(super) parents: Vec<Index>,
    /// What names it.
    pub(super) children: Vec<Index>,
    /// Whether it may have ended the connection, so that it comes last and alone.
    pub(super) is_suspect: bool,
    /// Whether its parents were made again because one of them did not exist.
    pub(super) parents_retried: bool,
    /// For a queue: whether it exists with other properties, or cannot exist with its own.
    pub(super) is_different: bool,
    /// For a queue: whether it exists is checked before a consumer is started.
    pub(super) verifies: bool,
    /// For a queue: how many consumers it had when it was last declared or checked.
    pub(super) consumer_count: u32,
    /// How often it was put off.
    pub(super) retries: u32,
    /// Since when another connection or consumer is known to hold its queue.
    pub(super) held_since: Option<Instant>,
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Task {
    /// Make an entity.
    Make(Recorded),
    /// Check that a queue exists that others have made. A consumer of a queue that does not would
    /// close its channel.
    Check(ShortString),
}

#[derive(Debug, Clone)]
pub(super) enum State {
    /// It is in the queue of what is handed out next.
    Ready,
    /// It waits for what it needs.
    Blocked,
    Outstanding,
    /// It is put off.
    Later,
    Done,
    /// It is an exchange that exists with other properties, which is reported.
    Different,
    /// It does not come back, for this reason.
    Failed(Error),
    /// The application has removed it in the meantime.
    Removed,
}

impl Entry {
    pub(super) fn new(task: Task, phase: Phase) -> Self {
        Self {
            task,
            phase,
            state: State::Ready,
            parents: Vec::new(),
            children: Vec::new(),
            is_suspect: false,
            parents_retried: false,
            is_different: false,
            verifies: false,
            consumer_count: 0,
            retries: 0,
            held_since: None,
        }
    }

    pub(super) fn suspect(&self) -> Suspect {
        match &self.task {
            Task::Make(recorded) => Suspect::Entity(recorded.order),
            Task::Check(name) => Suspect::Check(name.clone()),
        }
    }

    pub(super) fn item(&self) -> Option<&Item> {
        match &self.task {
            Task::Make(recorded) => Some(&recorded.item),
            Task::Check(_) => None,
        }
    }

    /// What it is to be reported as; nothing for a check.
    pub(super) fn entity(&self) -> Option<Entity> {
        match &self.task {
            Task::Make(recorded) => Some(recorded.entity()),
            Task::Check(_) => None,
        }
    }

    /// The key of a consumer.
    pub(super) fn consumer(&self) -> Option<ConsumerKey> {
        match self.item() {
            Some(Item::Consumer { consumer, .. }) => Some(*consumer),
            _ => None,
        }
    }

    /// The channel of a consumer. Everything else uses the private channel.
    pub(super) fn channel(&self) -> Option<ChannelKey> {
        match self.item() {
            Some(Item::Consumer { channel, .. }) => Some(*channel),
            _ => None,
        }
    }

    pub(super) fn is_binding(&self) -> bool {
        matches!(self.item(), Some(Item::QueueBinding(_) | Item::ExchangeBinding(_)))
    }

    pub(super) fn is_exclusive_consumer(&self) -> bool {
        matches!(self.item(), Some(Item::Consumer { request, .. }) if request.exclusive)
    }

    /// Whether the broker gives the queue its name, which is unknown until the reply.
    pub(super) fn is_server_named(&self) -> bool {
        matches!(self.item(), Some(Item::Queue { request, .. }) if request.queue.is_empty() && !self.verifies)
    }

    /// The present name of a queue.
    pub(super) fn queue_name(&self) -> Option<&ShortString> {
        match &self.task {
            Task::Check(name) | Task::Make(Recorded { item: Item::Queue { name, .. }, .. }) => Some(name),
            Task::Make(_) => None,
        }
    }

    /// Its request. No-wait is not part of an entity, and every reply is needed.
    pub(super) fn request(&self) -> Request {
        if let (true, Some(name)) = (self.verifies, self.queue_name()) {
            return check(name);
        }
        match &self.task {
            Task::Check(name) => check(name),
            Task::Make(recorded) => match &recorded.item {
                Item::Exchange(request) => private(Arc::unwrap_or_clone(Arc::clone(request)).no_wait(false)),
                Item::Queue { request, .. } => private(Arc::unwrap_or_clone(Arc::clone(request)).no_wait(false)),
                Item::QueueBinding(request) => private(Arc::unwrap_or_clone(Arc::clone(request)).no_wait(false)),
                Item::ExchangeBinding(request) => private(Arc::unwrap_or_clone(Arc::clone(request)).no_wait(false)),
                Item::Consumer { consumer, channel, request, prefetch } => Request::Consume {
                    channel: *channel,
                    consumer: *consumer,
                    request: Box::new(Arc::unwrap_or_clone(Arc::clone(request)).no_wait(false)),
                    prefetch: *prefetch,
                },
            },
        }
    }
}

fn private(method: impl Into<Method>) -> Request {
    Request::Private(Box::new(method.into()))
}

fn check(name: &ShortString) -> Request {
    private(queue::Declare::default().queue(name).passive(true))
}
