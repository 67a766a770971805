//! Confirmed publishes that are kept until they are decided, so that they can be sent again after a
//! loss.

use super::confirms::Confirms;
use crate::config::Resend;
use crate::engine::{ChannelKey, Engine, Fate};
use crate::frame::{Outbound, Publish};

/// Which publishes are kept, and how much that is at present.
#[derive(Debug, Default)]
pub(in crate::engine) struct Keeping {
    resend: Resend,
    /// The number of bytes that may be kept; 0 if nothing is.
    limit: u64,
    /// The bytes of kept publishes, with those that wait to be sent again.
    kept: u64,
}

/// A kept publish.
#[derive(Debug)]
pub(in crate::engine) struct Kept {
    pub(in crate::engine) frames: Outbound,
    /// What a loss of an earlier transport left of it. It is never reported as better than that.
    pub(in crate::engine) earlier: Fate,
}

impl Keeping {
    pub(in crate::engine) fn new(resend: Resend, limit: usize) -> Self {
        let limit = if resend == Resend::None { 0 } else { limit as u64 };
        Self { resend, limit, kept: 0 }
    }

    /// Whether a publish of `len` bytes is kept. No publish is empty, so this is `false` where
    /// nothing is kept.
    #[inline]
    pub(super) fn takes(&self, len: u64) -> bool {
        len <= self.limit.saturating_sub(self.kept)
    }

    /// Counts a publish that is kept.
    pub(in crate::engine) fn count(&mut self, len: u64) {
        self.kept += len;
    }

    /// Counts a publish that is no longer kept.
    pub(in crate::engine) fn release(&mut self, len: u64) {
        self.kept = self.kept.saturating_sub(len);
    }

    /// The bytes that are kept.
    pub(in crate::engine) fn octets(&self) -> u64 {
        self.kept
    }

    /// Whether a kept publish of this fate is sent again.
    pub(in crate::engine) fn resends(&self, fate: Fate) -> bool {
        match self.resend {
            Resend::None => false,
            Resend::NotSent => fate == Fate::NotSent,
            Resend::All => true,
        }
    }
}

impl Kept {
    /// The fate of the publish if `present` is that of its latest frames.
    pub(in crate::engine) fn fate(&self, present: Fate) -> Fate {
        if present == Fate::NotSent { self.earlier } else { present }
    }
}

impl Engine {
    /// Keeps a publish that was queued. It is encoded once more, because its frames are in the
    /// midst of what waits for the socket; a large body is shared.
    #[cold]
    pub(super) fn keep(&mut self, key: ChannelKey, sequence: u64, publish: &Publish<'_>) {
        let mut frames = Outbound::new();
        // It cannot fail, because it did not before.
        if self.encoder.publish(&mut frames, key.number, publish).is_ok() {
            self.keep_frames(key, sequence, Kept { frames, earlier: Fate::NotSent });
        }
    }

    /// Keeps the frames of a publish that was queued.
    pub(super) fn keep_frames(&mut self, key: ChannelKey, sequence: u64, kept: Kept) {
        let Some(confirms) = self.channels.get_mut(key).and_then(|channel| channel.confirms.as_mut()) else {
            return self.discarded.bodies.extend(kept.frames.into_bodies());
        };
        self.keeping.count(kept.frames.len() as u64);
        confirms.keep(sequence, kept);
    }

    /// Releases a kept publish that is decided.
    pub(in crate::engine) fn release_kept(&mut self, kept: Option<Kept>) {
        if let Some(kept) = kept {
            self.keeping.release(kept.frames.len() as u64);
            self.discarded.bodies.extend(kept.frames.into_bodies());
        }
    }

    /// The confirms of a channel.
    pub(in crate::engine) fn confirms_mut(&mut self, key: ChannelKey) -> Option<&mut Confirms> {
        self.channels.get_mut(key)?.confirms.as_mut()
    }
}

/// Kept publishes, and those that wait at the gate to be sent again.
impl Confirms {
    /// Keeps the frames of a publish until it is decided.
    pub(super) fn keep(&mut self, sequence: u64, kept: Kept) {
        self.kept.insert(sequence, kept);
    }

    /// Counts publishes that wait at the gate to be sent again.
    pub(in crate::engine) fn expect_again(&mut self, count: u64) {
        self.resending += count;
    }

    /// Counts one of them as sent or failed, and returns whether it was the last.
    pub(in crate::engine) fn expect_one_less(&mut self) -> bool {
        self.resending = self.resending.saturating_sub(1);
        self.resending == 0
    }

    /// The number of publishes that wait at the gate to be sent again.
    pub(in crate::engine) fn expected_again(&self) -> u64 {
        self.resending
    }
}
