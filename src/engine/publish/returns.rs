//! Returned messages that are not reported by a confirm.

use std::collections::VecDeque;

use crate::engine::{Returned, WaiterId};

/// The returned messages of a channel that belong to no publish with a waiter for its confirm, kept
/// for a listener.
#[derive(Debug, Default)]
pub(in crate::engine) struct Returns {
    ready: VecDeque<Returned>,
    /// The size of the kept messages in bytes.
    size: usize,
    pub(in crate::engine) listener: Option<WaiterId>,
    /// The number of messages that were dropped because the listener did not keep up, or because
    /// they were larger than a limit.
    pub(in crate::engine) lost: u64,
}

impl Returns {
    /// The largest number of messages that are kept for a listener.
    const KEEP: usize = 4096;

    /// The largest number of bytes that are kept; the latest message is kept regardless of its
    /// size.
    const KEEP_BYTES: usize = 16 * 1024 * 1024;

    /// Keeps a message for the listener, and returns the listener, if there is one.
    pub(super) fn push(&mut self, returned: Returned) -> Option<WaiterId> {
        let listener = self.listener?;
        self.size += returned.message.size();
        self.ready.push_back(returned);
        while self.ready.len() > 1 && (self.ready.len() > Self::KEEP || self.size > Self::KEEP_BYTES) {
            self.pop();
            self.lost += 1;
        }
        Some(listener)
    }

    /// Takes the oldest message.
    pub(in crate::engine) fn pop(&mut self) -> Option<Returned> {
        let returned = self.ready.pop_front()?;
        self.size = self.size.saturating_sub(returned.message.size());
        if self.ready.is_empty() {
            // Releases memory after a burst.
            self.ready = VecDeque::new();
        }
        Some(returned)
    }
}
