//! The ready messages of a queue, in the order in which they are delivered.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::broker::model::message::{Entry, Message};

/// Ready messages: higher priorities first, and within a priority by position.
#[derive(Debug, Default)]
pub(super) struct Messages {
    entries: BTreeMap<(Reverse<u8>, u64), Entry>,
    max_priority: u8,
    size: usize,
    next_position: u64,
}

impl Messages {
    /// Creates an empty set. A queue without priorities has only the level 0.
    pub(super) fn new(max_priority: u8) -> Self {
        Self { max_priority, ..Self::default() }
    }

    /// The number of messages.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The total size of their bodies in bytes.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// In the order of delivery.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The same, to change them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.values_mut()
    }

    /// The message that is delivered next.
    pub(super) fn head(&self) -> Option<&Entry> {
        self.iter().next()
    }

    /// Gives a new message its position, without inserting it.
    pub(super) fn entry(&mut self, message: Arc<Message>, expires: Option<Instant>) -> Entry {
        let position = self.next_position;
        self.next_position += 1;
        Entry { message, position, redelivered: false, expires }
    }

    /// Inserts a message at its place.
    pub(super) fn insert(&mut self, entry: Entry) {
        let priority = entry.message.properties.priority.unwrap_or(0).min(self.max_priority);
        self.size += entry.message.body.len();
        self.entries.insert((Reverse(priority), entry.position), entry);
    }

    /// Removes the head.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let (_, entry) = self.entries.pop_first()?;
        self.size -= entry.message.body.len();
        Some(entry)
    }

    /// Drops the messages for which `is_kept` returns `false`.
    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&Message) -> bool) {
        self.entries.retain(|_, entry| is_kept(&entry.message));
        self.size = self.entries.values().map(|entry| entry.message.body.len()).sum();
    }

    /// Drops all messages, and returns their number.
    pub(in crate::broker) fn clear(&mut self) -> usize {
        self.size = 0;
        std::mem::take(&mut self.entries).len()
    }
}
