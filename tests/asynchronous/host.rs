//! A broker's end of a real socket, for threads without a runtime.

use std::io::{self, Read, Write};

use bytes::{Buf, BytesMut};
use leveret::frame::{Decoded, Decoder, FrameKind, split_method};
use leveret::protocol::{Method, ProtocolMethod, channel, confirm, connection};
use leveret::wire::Reader;
use leveret_test_support::frames::octets_of_method as method_octets;
use leveret_test_support::{FRAME_MAX, start};

/// A stream of frames, beginning with the handshake.
pub(super) struct Line<S> {
    pub(super) stream: S,
    input: BytesMut,
    /// What one read takes, made once: a client that ends waits for a broker only so long.
    chunk: Vec<u8>,
}

/// A frame that has arrived, with its method where it is one.
pub(super) struct Frame {
    pub(super) kind: FrameKind,
    pub(super) channel: u16,
    pub(super) method: Option<Method>,
}

impl<S: Read + Write> Line<S> {
    /// Takes the protocol header of a client, and starts the handshake.
    pub(super) fn begin(mut stream: S) -> Self {
        let mut header = [0; 8];
        stream.read_exact(&mut header).unwrap();
        let mut line = Self { stream, input: BytesMut::new(), chunk: vec![0; 64 * 1024] };
        line.send(0, &start("PLAIN"));
        line
    }

    /// The next frame; none at the end of the stream.
    ///
    /// # Errors
    ///
    /// The stream is reset, or ends within a frame.
    pub(super) fn receive(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take() {
                return Ok(Some(frame));
            }
            match self.stream.read(&mut self.chunk)? {
                0 if self.input.is_empty() => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.input.extend_from_slice(&self.chunk[..count]),
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let decoded = Decoder::new(FRAME_MAX).decode(&self.input).unwrap();
        let Decoded::Frame(frame, taken) = decoded else { return None };
        let method = (frame.kind == FrameKind::Method).then(|| {
            let (id, arguments) = split_method(frame.payload).unwrap();
            Method::decode(id, &mut Reader::new(arguments)).unwrap()
        });
        let frame = Frame { kind: frame.kind, channel: frame.channel, method };
        self.input.advance(taken);
        Some(frame)
    }

    /// Goes on with the handshake, opens channels, and has them confirm. False where the frame is
    /// for something else.
    pub(super) fn oblige(&mut self, frame: &Frame, tune: &connection::Tune) -> bool {
        match frame.method {
            Some(Method::ConnectionStartOk(_)) => self.send(0, tune),
            Some(Method::ConnectionTuneOk(_)) => {}
            Some(Method::ConnectionOpen(_)) => self.send(0, &connection::OpenOk::default()),
            Some(Method::ChannelOpen(_)) => self.send(frame.channel, &channel::OpenOk::default()),
            Some(Method::ConfirmSelect(_)) => self.send(frame.channel, &confirm::SelectOk::default()),
            _ => return false,
        }
        true
    }

    pub(super) fn send<M: ProtocolMethod>(&mut self, channel: u16, method: &M) {
        // A client that is gone does not hear it.
        drop(self.stream.write_all(&method_octets(channel, method)));
    }
}
