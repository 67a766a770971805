//! What a peer receives, and what it expects to.

use std::io::ErrorKind;
use std::time::Duration;

use leveret::protocol::{Method, ProtocolMethod, basic};

use super::{Content, Peer, Published};
use crate::frames::{self, Frame, PROTOCOL_HEADER, Received};
use crate::transport::Transport;

impl<T: Transport> Peer<T> {
    /// What comes next, heartbeats included; none at the end of the stream.
    pub async fn receive(&mut self) -> Option<Received> {
        self.receive_frame().await.map(Frame::read)
    }

    /// The same, not looked into.
    pub async fn receive_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = frames::take_frame(&mut self.input, self.frame_max) {
                return Some(frame);
            }
            if !self.read().await {
                assert!(self.input.is_empty(), "the stream ends within a frame: {:?}", self.input);
                return None;
            }
        }
    }

    /// Reads what is there; false at the end of the stream, which may be a reset.
    async fn read(&mut self) -> bool {
        let patience = self.patience;
        self.read_within(patience).await.unwrap_or_else(|| panic!("nothing arrives within {patience:?}"))
    }

    /// The same; none where nothing comes.
    async fn read_within(&mut self, within: Duration) -> Option<bool> {
        let Some(stream) = &mut self.stream else { return Some(false) };
        match stream.read(&mut self.input, within).await {
            Ok(count) => Some(count > 0),
            Err(error) if error.kind() == ErrorKind::TimedOut => None,
            Err(_) => Some(false),
        }
    }

    /// Something more has been read already.
    pub fn has_more(&self) -> bool {
        frames::is_whole(&self.input)
    }

    /// Octets that were read and not yet looked at.
    pub fn unread(&self) -> usize {
        self.input.len()
    }

    /// Takes this many octets off the stream, whatever they are; fewer at its end.
    pub async fn take_octets(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count && self.read().await {}
        let count = count.min(self.input.len());
        self.input.split_to(count).to_vec()
    }

    /// The next thing is the protocol header.
    pub async fn expect_protocol_header(&mut self) {
        assert_eq!(self.take_octets(PROTOCOL_HEADER.len()).await, PROTOCOL_HEADER);
    }

    /// What comes next, but for heartbeats if they are ignored.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        loop {
            let received = self.receive().await;
            if !self.ignores_heartbeats || received != Some(Received::Heartbeat) {
                return received;
            }
        }
    }

    /// The next method, whichever it is.
    pub async fn expect_method(&mut self) -> (u16, Method) {
        match self.next().await {
            Some(Received::Method(channel, method)) => (channel, method),
            other => panic!("expected a method, got {other:?}"),
        }
    }

    /// The next thing is this method on this channel.
    pub async fn expect<M: ProtocolMethod + TryFrom<Method>>(&mut self, channel: u16) -> M {
        match self.next().await {
            Some(Received::Method(on, method)) if on == channel && method.id() == M::ID => {
                M::try_from(method).unwrap_or_else(|_| unreachable!("the id is the method's"))
            }
            other => panic!("expected {} on channel {channel}, got {other:?}", M::NAME),
        }
    }

    /// The next thing is the content of the method that was just taken.
    pub async fn expect_content(&mut self, channel: u16) -> Content {
        let (size, properties) = match self.next().await {
            Some(Received::Header(on, size, properties)) if on == channel => (size, properties),
            other => panic!("expected a content header on channel {channel}, got {other:?}"),
        };
        let (mut body, mut pieces) = (Vec::new(), Vec::new());
        while (body.len() as u64) < size {
            match self.next().await {
                Some(Received::Body(on, octets)) if on == channel => {
                    pieces.push(octets.len());
                    body.extend(octets);
                }
                other => panic!("expected a body on channel {channel}, got {other:?}"),
            }
        }
        Content { properties, body, pieces }
    }

    /// The next thing is a published message.
    pub async fn expect_publish(&mut self, channel: u16) -> Published {
        let publish = self.expect::<basic::Publish>(channel).await;
        let Content { properties, body, .. } = self.expect_content(channel).await;
        Published { publish, properties, body }
    }

    /// Nothing comes for a second.
    pub async fn expect_silence(&mut self) {
        let read = if self.has_more() { Some(true) } else { self.read_within(Duration::from_secs(1)).await };
        assert_eq!(read, None, "expected silence, got {:?}", self.input);
    }

    /// The other end ends the stream, or resets it, and sends nothing before.
    pub async fn expect_end(&mut self) {
        assert_eq!(self.next().await, None, "the stream should end");
    }
}
