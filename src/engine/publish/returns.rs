//! Messages that come back and that no confirm brings.

use std::collections::VecDeque;

use crate::engine::{Returned, WaiterId};

/// Returned messages that belong to no confirmed publish, for whoever listens.
#[derive(Debug, Default)]
pub(in crate::engine) struct Returns {
    ready: VecDeque<Returned>,
    /// Bytes of those that are ready.
    size: usize,
    pub(in crate::engine) listener: Option<WaiterId>,
    /// Messages dropped because the listener did not keep up.
    pub(in crate::engine) lost: u64,
}

impl Returns {
    /// Messages kept for a listener that does not keep up.
    const KEEP: usize = 4096;

    /// Bytes of them; the latest is kept whatever its size.
    const KEEP_BYTES: usize = 16 * 1024 * 1024;

    /// Keeps a message for the listener, and names the listener where there is one.
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
            // After a burst the memory is given back.
            self.ready = VecDeque::new();
        }
        Some(returned)
    }
}
