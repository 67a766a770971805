//! A connection between a client and the broker.

use std::io;
use std::task::Waker;
use std::time::Instant;

use bytes::BytesMut;
use leveret::broker::ConnectionId;

use super::way::Way;
use crate::tap::Dialled;

/// Both directions of a connection, and its two ends.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: ConnectionId,
    pub(super) client: usize,
    pub(super) dialled: Dialled,
    /// To the broker, and to the client.
    pub(super) ways: [Way; 2],
    /// What has arrived at the broker and was not taken.
    pub(super) at_broker: BytesMut,
    /// What has arrived at the client and was not read.
    pub(super) at_client: BytesMut,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    /// Whether the client writes no more.
    pub(super) shut: bool,
    /// Whether the client has dropped its end.
    pub(super) dropped: bool,
    /// Whether the broker has no connection any more.
    pub(super) left: bool,
    /// How the stream ends for the client, after what has arrived.
    pub(super) end: Option<Ending>,
    /// With an error, rather than with the end of the stream.
    pub(super) resets: bool,
    /// Until when the broker waits for the client to take the last bytes.
    pub(super) lingers: Option<Instant>,
}

/// How a stream ends for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Eof,
    Reset,
}

impl Link {
    pub(super) fn new(id: ConnectionId, client: usize, dialled: Dialled) -> Self {
        Self {
            id,
            client,
            dialled,
            ways: [Way::default(), Way::default()],
            at_broker: BytesMut::new(),
            at_client: BytesMut::new(),
            reader: None,
            writer: None,
            shut: false,
            dropped: false,
            left: false,
            end: None,
            resets: false,
            lingers: None,
        }
    }

    /// The connection is lost for the client. What has arrived can still be read.
    pub(super) fn lose(&mut self) {
        self.end.get_or_insert(if self.resets { Ending::Reset } else { Ending::Eof });
        self.ways.iter_mut().for_each(Way::clear);
        self.wake();
    }

    pub(super) fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }

    /// Whether the client is gone, and everything that it has sent has arrived.
    pub(super) fn is_read_out(&self) -> bool {
        (self.shut || self.dropped) && self.ways[0].len() == 0 && !self.ways[0].silent
    }
}

impl Ending {
    pub(super) fn read(self) -> io::Result<()> {
        match self {
            Self::Eof => Ok(()),
            Self::Reset => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}
