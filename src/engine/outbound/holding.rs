//! Output that has to wait: after `tx.commit` for its reply, and a cancel for the start of its
//! consumer.
//!
//! RabbitMQ closes the connection (504) for anything that arrives on a channel after an unanswered
//! `tx.commit`, be it a call, a publish, an acknowledgement or a second commit. It does answer a
//! close of the channel or of the connection with `close-ok`, but what was sent before a close has
//! to be read before it. So all output of such a channel, including a close, is held in order until
//! the commit is answered, and is sent then. RabbitMQ also crashes the channel if a cancel arrives
//! before the consumer has started.

use std::collections::VecDeque;

use crate::engine::connection::ConnectionLife;
use crate::engine::{ChannelKey, Engine, Failure};
use crate::frame::{Encoder, FrameEncodeError, Outbound};
use crate::protocol::{ProtocolMethod, basic, connection};
use crate::wire::ShortString;

/// The position of output that waits for a commit, which is not in the stream yet.
pub(in crate::engine) const HELD: u64 = u64::MAX;

/// The position of a cancel that waits until its consumer has started.
pub(in crate::engine) const DEFERRED: u64 = u64::MAX - 1;

/// What waits for commits on one channel: one buffer for each unanswered commit. Each but the last
/// ends with the next commit.
#[derive(Debug, Default)]
pub(in crate::engine) struct Held {
    buffers: VecDeque<Buffer>,
}

/// What waits for one commit.
#[derive(Debug, Default)]
struct Buffer {
    frames: Outbound,
    /// The bytes of publishes in it.
    published: u64,
}

/// What waits for commits on a connection.
#[derive(Debug, Default)]
pub(in crate::engine) struct Holding {
    /// Channels with an unanswered commit.
    channels: usize,
    /// The bytes that they hold.
    octets: u64,
    /// The bytes of publishes in it.
    published: u64,
    /// The close of the connection, which is sent after them.
    close: Option<connection::Close>,
}

impl Held {
    /// Whether a commit is unanswered.
    pub(in crate::engine) fn is_holding(&self) -> bool {
        !self.buffers.is_empty()
    }
}

impl Holding {
    /// The bytes that are held.
    #[inline]
    pub(in crate::engine) fn octets(&self) -> u64 {
        self.octets
    }

    /// The bytes that are held besides publishes.
    #[inline]
    pub(super) fn passing(&self) -> u64 {
        self.octets.saturating_sub(self.published)
    }

    /// Stops counting a buffer.
    fn let_go(&mut self, buffer: &Buffer) {
        self.octets = self.octets.saturating_sub(buffer.frames.len() as u64);
        self.published = self.published.saturating_sub(buffer.published);
    }

    /// Drops a close of the connection that waits, so that it is not sent even when the output for
    /// which it waits is dropped. Returns `true` if there was one.
    pub(in crate::engine) fn forget_close(&mut self) -> bool {
        self.close.take().is_some()
    }
}

impl Engine {
    /// Encodes output of a channel, and returns the position at which it begins: [`HELD`] if it
    /// waits for a commit.
    #[inline]
    pub(in crate::engine) fn encode(
        &mut self,
        key: ChannelKey,
        encode: impl FnOnce(&Encoder, &mut Outbound) -> Result<(), FrameEncodeError>,
    ) -> Result<u64, FrameEncodeError> {
        if self.holding.channels > 0
            && let Some(buffer) = self.channels.get_mut(key).and_then(|channel| channel.held.buffers.back_mut())
        {
            let before = buffer.frames.len();
            encode(&self.encoder, &mut buffer.frames)?;
            self.holding.octets += buffer.frames.len().saturating_sub(before) as u64;
            return Ok(HELD);
        }
        let position = self.position();
        encode(&self.encoder, &mut self.outbound)?;
        Ok(position)
    }

    /// Appends output of a channel that was encoded before, and returns the position at which it
    /// begins.
    pub(in crate::engine) fn append(&mut self, key: ChannelKey, frames: Outbound) -> u64 {
        if self.holding.channels > 0
            && let Some(buffer) = self.channels.get_mut(key).and_then(|channel| channel.held.buffers.back_mut())
        {
            self.holding.octets += frames.len() as u64;
            buffer.frames.append_all(frames);
            return HELD;
        }
        let position = self.position();
        self.outbound.append_all(frames);
        position
    }

    /// Records that the last `len` bytes that a channel queued, at this position, are a publish.
    /// Publishes that wait for a commit are not counted against the write limit either: the
    /// broker's answer for which they wait has to be read.
    #[inline]
    pub(in crate::engine) fn count_published(&mut self, key: ChannelKey, position: u64, len: u64) {
        if position != HELD {
            return self.passing.published(len);
        }
        self.holding.published += len;
        if let Some(buffer) = self.channels.get_mut(key).and_then(|channel| channel.held.buffers.back_mut()) {
            buffer.published += len;
        }
    }

    /// Encodes a method of a channel, and returns the position at which it begins.
    #[inline]
    pub(in crate::engine) fn encode_method<M: ProtocolMethod>(
        &mut self,
        key: ChannelKey,
        method: &M,
    ) -> Result<u64, FrameEncodeError> {
        self.encode(key, |encoder, out| encoder.method(out, key.number, method))
    }

    /// Encodes a cancel, or returns [`DEFERRED`] if it has to wait until the consumer has started.
    pub(in crate::engine) fn encode_cancel(&mut self, key: ChannelKey, tag: &ShortString) -> Result<u64, Failure> {
        if self.channels.get(key).is_some_and(|channel| channel.calls.is_starting(tag)) {
            return Ok(DEFERRED);
        }
        let cancel = basic::Cancel::default().consumer_tag(tag.clone());
        Ok(self.encode_method(key, &cancel)?)
    }

    /// Sends the cancels that waited for the start of a consumer.
    pub(in crate::engine) fn send_deferred_cancels(&mut self, key: ChannelKey, tag: &ShortString) {
        while self.channels.get(key).is_some_and(|channel| channel.calls.has_deferred_cancel(tag)) {
            let position = self.encode_cancel(key, tag);
            debug_assert!(position.is_ok(), "a tag that the broker took fits a frame");
            let Some(position) = position.ok().filter(|position| *position != DEFERRED) else { return };
            if let Some(channel) = self.channels.get_mut(key) {
                // Each is a separate call with its own reply.
                channel.calls.place_cancel(tag, position);
            }
        }
    }

    /// Holds the output of a channel from here on, after a commit was encoded.
    pub(in crate::engine) fn hold(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        self.holding.channels += usize::from(channel.held.buffers.is_empty());
        channel.held.buffers.push_back(Buffer::default());
    }

    /// Sends what waited for a commit, after that was answered.
    pub(in crate::engine) fn release(&mut self, key: ChannelKey) {
        let position = self.position();
        let Some(channel) = self.channels.get_mut(key) else { return };
        let Some(buffer) = channel.held.buffers.pop_front() else { return };
        channel.calls.place_held(position);
        if let Some(confirms) = &mut channel.confirms {
            confirms.place_held(position);
        }
        self.holding.let_go(&buffer);
        self.passing.published(buffer.published);
        self.outbound.append_all(buffer.frames);
        if channel.held.buffers.is_empty() {
            if channel.close_end == HELD {
                // The close is the last output of a channel.
                channel.close_end = self.taken + self.outbound.len() as u64;
            }
            self.stop_holding();
        }
    }

    /// Drops what a removed channel held.
    pub(in crate::engine) fn drop_held(&mut self, held: Held) {
        if held.buffers.is_empty() {
            return;
        }
        for buffer in held.buffers {
            self.holding.let_go(&buffer);
            self.discarded.bodies.extend(buffer.frames.into_bodies());
        }
        self.stop_holding();
    }

    fn stop_holding(&mut self) {
        self.holding.channels = self.holding.channels.saturating_sub(1);
        if self.holding.channels == 0
            && let Some(close) = self.holding.close.take()
        {
            let queued = self.encoder.method(&mut self.outbound, 0, &close);
            debug_assert!(queued.is_ok(), "it was tried when it was asked for");
            let position = self.position();
            if let ConnectionLife::Closing { end, .. } = &mut self.state {
                *end = position;
            }
        }
    }

    /// Where in the stream the close ends that was just encoded; [`HELD`] while it waits.
    pub(in crate::engine) fn end_of_close(&self) -> u64 {
        if self.holding.close.is_some() { HELD } else { self.position() }
    }

    /// Encodes the close of the connection, which is sent after everything that is held.
    pub(in crate::engine) fn encode_close(&mut self, close: connection::Close) -> Result<(), FrameEncodeError> {
        if self.holding.octets == 0 {
            return self.encoder.method(&mut self.outbound, 0, &close);
        }
        self.encoder.method(&mut Outbound::new(), 0, &close)?;
        self.holding.close = Some(close);
        Ok(())
    }
}
