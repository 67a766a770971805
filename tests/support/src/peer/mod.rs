//! One end of a connection, of which every octet is the script's.

mod receiving;
mod sending;

use std::time::Duration;

use bytes::BytesMut;
use leveret::Properties;
use leveret::protocol::basic;
use tokio::io::DuplexStream;

use crate::frames::FRAME_MAX;
use crate::transport::Transport;

/// How long a peer waits for the other end before the test fails: more virtual time than any client
/// takes.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// One end of a connection. What a broker says is in [`broker`](crate::broker), what a client says
/// in [`client`](crate::client).
#[derive(Debug)]
pub struct Peer<T = DuplexStream> {
    /// None when it was cut.
    stream: Option<T>,
    input: BytesMut,
    /// Octets that may still be sent before the stream is cut.
    allowed: usize,
    patience: Duration,
    frame_max: u32,
    ignores_heartbeats: bool,
}

/// A message, after the method that announced it.
#[derive(Debug, PartialEq)]
pub struct Content {
    /// Its properties.
    pub properties: Properties,
    /// Its body.
    pub body: Vec<u8>,
    /// The octets in each body frame.
    pub pieces: Vec<usize>,
}

/// A message that a client published.
#[derive(Debug, PartialEq)]
pub struct Published {
    /// Its method.
    pub publish: basic::Publish,
    /// Its properties.
    pub properties: Properties,
    /// Its body.
    pub body: Vec<u8>,
}

impl Peer {
    /// A transport for the other side and the peer at its other end, in memory. Each direction
    /// holds `capacity` octets.
    pub fn new(capacity: usize) -> (DuplexStream, Self) {
        let (other, stream) = tokio::io::duplex(capacity);
        (other, Self::on(stream))
    }
}

impl<T: Transport> Peer<T> {
    /// A peer on this stream, on which nothing was said.
    pub fn on(stream: T) -> Self {
        Self {
            stream: Some(stream),
            input: BytesMut::new(),
            allowed: usize::MAX,
            patience: PATIENCE,
            frame_max: FRAME_MAX,
            ignores_heartbeats: false,
        }
    }

    /// The other end has this long for whatever is expected of it; a day of virtual time if nothing
    /// else is said.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Heartbeats are seen by [`receive`](Self::receive) alone, and not by what is expected.
    #[must_use]
    pub fn ignoring_heartbeats(self) -> Self {
        Self { ignores_heartbeats: true, ..self }
    }

    /// Frames may have this many octets; 0 is no limit.
    #[must_use]
    pub fn frame_max(self, frame_max: u32) -> Self {
        Self { frame_max, ..self }
    }

    /// The stream is cut, in both directions, when this many more octets were sent.
    pub fn cut_after(&mut self, octets: usize) {
        self.allowed = octets;
    }

    /// Its end of the stream, of which everything was looked at that was read.
    pub fn into_stream(self) -> T {
        assert!(self.input.is_empty(), "{:?}", self.input);
        self.stream.expect("it was not cut")
    }
}
