//! A scripted broker at one end of an in-memory pipe: it shakes hands, and then speaks whatever frames a test wants.
#![allow(dead_code, reason = "each test crate that includes this uses a part of it")]

#[path = "endings.rs"]
mod endings;

use std::io::IoSlice;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use leveret::frame::{ContentHeader, Decoded, Decoder, Encoder, FrameKind, Outbound, split_method};
use leveret::protocol::{Method, ProtocolMethod, ReplyCode, basic, channel, connection};
use leveret::wire::Reader;
use leveret::{Body, ConnectionParameters, Properties};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Octets of a frame that the peer proposes, and that it splits content at.
pub(crate) const FRAME_MAX: u32 = 128 * 1024;

/// How long the peer waits for the client before the test fails: more virtual time than any client takes.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The broker's side of a connection.
pub(crate) struct Peer {
    /// None when it was cut.
    stream: Option<DuplexStream>,
    input: BytesMut,
    /// Octets that may still be sent before the stream is cut.
    allowed: usize,
}

/// Something that came from the client.
#[derive(Debug, PartialEq)]
pub(crate) enum Received {
    Method(u16, Method),
    /// The header of content: its channel, the octets of its body, and its properties.
    Header(u16, u64, Box<Properties>),
    Body(u16, Vec<u8>),
    Heartbeat,
}

/// A message that the client published.
#[derive(Debug, PartialEq)]
pub(crate) struct Published {
    pub(crate) publish: basic::Publish,
    pub(crate) properties: Properties,
    pub(crate) body: Vec<u8>,
}

/// Parameters without heartbeats, and without a prefetch that nobody asked for, which scripts would have to answer; those of
/// a test come on top.
pub(crate) fn parameters() -> ConnectionParameters {
    ConnectionParameters::default().heartbeat(0).default_prefetch(0)
}

impl Peer {
    /// A transport for the client and the peer at its other end. Each direction holds `capacity` octets.
    pub(crate) fn new(capacity: usize) -> (DuplexStream, Self) {
        let (client, stream) = tokio::io::duplex(capacity);
        (client, Self { stream: Some(stream), input: BytesMut::new(), allowed: usize::MAX })
    }

    /// The stream is cut, in both directions, when this many more octets were sent.
    pub(crate) fn cut_after(&mut self, octets: usize) {
        self.allowed = octets;
    }

    /// A client that is connected to a peer, over a transport of this capacity.
    pub(crate) async fn connect(capacity: usize, parameters: ConnectionParameters) -> (leveret::Connection, Self) {
        let (transport, mut peer) = Self::new(capacity);
        let (opened, ()) = tokio::join!(leveret::Connection::open_on(transport, parameters), peer.shake_hands());
        let connection = opened.expect("the handshake succeeds");
        endings::watch(&connection);
        (connection, peer)
    }

    /// The same with a channel open, which is number 1.
    pub(crate) async fn connect_channel(
        capacity: usize,
        parameters: ConnectionParameters,
    ) -> (leveret::Connection, leveret::Channel, Self) {
        let (connection, mut peer) = Self::connect(capacity, parameters).await;
        let (channel, ()) = tokio::join!(connection.open_channel(), peer.open_channel(1));
        (connection, channel.expect("the channel opens"), peer)
    }

    /// The whole handshake, as RabbitMQ does it with `guest` and `/`.
    pub(crate) async fn shake_hands(&mut self) {
        self.expect_protocol_header().await;
        self.shake_hands_after_header().await;
    }

    /// The same where the protocol header was read.
    pub(crate) async fn shake_hands_after_header(&mut self) {
        self.send(0, start("PLAIN AMQPLAIN")).await;
        self.expect::<connection::StartOk>(0).await;
        self.send(0, tune()).await;
        self.expect::<connection::TuneOk>(0).await;
        self.expect::<connection::Open>(0).await;
        self.send(0, connection::OpenOk::default()).await;
    }

    /// The same with a client that may go away, or with a stream that may be cut, in the middle.
    pub(crate) async fn shake_hands_as_far_as_it_goes(&mut self) {
        self.take_octets(8).await;
        self.send(0, start("PLAIN")).await;
        self.receive().await;
        self.send(0, tune()).await;
        self.receive().await;
        self.receive().await;
        self.send(0, connection::OpenOk::default()).await;
    }

    pub(crate) async fn expect_protocol_header(&mut self) {
        assert_eq!(self.take_octets(8).await, b"AMQP\0\0\x09\x01");
    }

    pub(crate) async fn open_channel(&mut self, number: u16) {
        self.expect::<channel::Open>(number).await;
        self.send(number, channel::OpenOk::default()).await;
    }

    /// Takes the client's `connection.close`, agrees, and sees it go.
    pub(crate) async fn agree_to_close(&mut self) {
        let close = self.expect::<connection::Close>(0).await;
        assert_eq!(close.reply_code, ReplyCode::REPLY_SUCCESS);
        self.send(0, connection::CloseOk::default()).await;
        self.expect_end().await;
    }

    /// What comes next, heartbeats included; none at the end of the stream.
    pub(crate) async fn receive(&mut self) -> Option<Received> {
        loop {
            if let Some(received) = self.decode() {
                return Some(received);
            }
            if !self.read().await {
                assert!(self.input.is_empty(), "the stream ends within a frame: {:?}", self.input);
                return None;
            }
        }
    }

    /// Reads what has come; false at the end of the stream.
    async fn read(&mut self) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut self.input)).await;
        read.expect("the client says nothing").unwrap_or(0) > 0
    }

    /// Something more has been read already.
    pub(crate) fn has_more(&self) -> bool {
        matches!(Decoder::new(FRAME_MAX).decode(&self.input), Ok(Decoded::Frame(..)))
    }

    fn decode(&mut self) -> Option<Received> {
        let decoded = Decoder::new(FRAME_MAX).decode(&self.input).expect("a client sends frames");
        let Decoded::Frame(frame, taken) = decoded else { return None };
        let received = match frame.kind {
            FrameKind::Method => {
                let (id, arguments) = split_method(frame.payload).expect("ids");
                let mut reader = Reader::new(arguments);
                let method = Method::decode(id, &mut reader).expect("a method");
                reader.finish().expect("nothing behind the arguments");
                Received::Method(frame.channel, method)
            }
            FrameKind::Header => {
                let header = ContentHeader::parse(frame.payload).expect("a content header");
                let mut reader = Reader::new(header.properties);
                let properties = leveret::protocol::ContentProperties::decode(&mut reader).expect("properties");
                Received::Header(frame.channel, header.body_size, Box::new(properties))
            }
            FrameKind::Body => Received::Body(frame.channel, frame.payload.to_vec()),
            FrameKind::Heartbeat => Received::Heartbeat,
        };
        self.input.advance(taken);
        Some(received)
    }

    /// The next method, whichever it is.
    pub(crate) async fn expect_method(&mut self) -> (u16, Method) {
        match self.receive().await {
            Some(Received::Method(channel, method)) => (channel, method),
            other => panic!("expected a method, got {other:?}"),
        }
    }

    /// The next thing is this method on this channel.
    pub(crate) async fn expect<M: ProtocolMethod + TryFrom<Method>>(&mut self, channel: u16) -> M {
        match self.receive().await {
            Some(Received::Method(on, method)) if on == channel && method.id() == M::ID => match M::try_from(method) {
                Ok(method) => method,
                Err(_) => unreachable!("the id is the method's"),
            },
            other => panic!("expected {} on channel {channel}, got {other:?}", M::NAME),
        }
    }

    /// The next thing is a published message.
    pub(crate) async fn expect_publish(&mut self, channel: u16) -> Published {
        let publish = self.expect::<basic::Publish>(channel).await;
        self.expect_content(channel, publish).await
    }

    /// The content of a publish whose method was taken already.
    pub(crate) async fn expect_content(&mut self, channel: u16, publish: basic::Publish) -> Published {
        let (size, properties) = match self.receive().await {
            Some(Received::Header(on, size, properties)) if on == channel => (size, *properties),
            other => panic!("expected a content header on channel {channel}, got {other:?}"),
        };
        let mut body = Vec::new();
        while (body.len() as u64) < size {
            match self.receive().await {
                Some(Received::Body(on, octets)) if on == channel => body.extend(octets),
                other => panic!("expected a body on channel {channel}, got {other:?}"),
            }
        }
        Published { publish, properties, body }
    }

    /// Nothing comes for a second of virtual time.
    pub(crate) async fn expect_silence(&mut self) {
        if let Ok(received) = tokio::time::timeout(Duration::from_secs(1), self.receive()).await {
            panic!("expected silence, got {received:?}");
        }
    }

    /// The client ends the stream, and sends nothing before.
    pub(crate) async fn expect_end(&mut self) {
        assert_eq!(self.receive().await, None);
    }

    pub(crate) async fn send<M: ProtocolMethod>(&mut self, channel: u16, method: M) {
        self.send_octets(&method_octets(channel, &method)).await;
    }

    /// Sends a method with its content.
    pub(crate) async fn send_content<M: ProtocolMethod>(&mut self, channel: u16, method: M, body: &[u8]) {
        self.send_octets(&content_octets(channel, &method, &Properties::default(), body)).await;
    }

    pub(crate) async fn send_heartbeat(&mut self) {
        self.send_octets(&[8, 0, 0, 0, 0, 0, 0, 0xCE]).await;
    }

    /// Sends octets as they are. A client that is gone does not hear them.
    pub(crate) async fn send_octets(&mut self, octets: &[u8]) {
        let Some(stream) = &mut self.stream else { return };
        let passing = octets.len().min(self.allowed);
        let sent = stream.write_all(&octets[..passing]).await;
        drop(sent);
        self.allowed -= passing;
        if self.allowed == 0 {
            self.stream = None;
        }
    }

    /// Ends the stream in the direction of the client, whose words are still heard.
    pub(crate) async fn end(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        let ended = stream.shutdown().await;
        drop(ended);
    }

    /// Its end of the pipe, of which everything was looked at that was read.
    pub(crate) fn into_stream(self) -> DuplexStream {
        assert!(self.input.is_empty(), "{:?}", self.input);
        self.stream.expect("it was not cut")
    }

    /// Octets that were read and not yet looked at.
    pub(crate) fn unread(&self) -> usize {
        self.input.len()
    }

    /// Takes this many octets off the stream, whatever they are; fewer at its end.
    pub(crate) async fn take_octets(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count && self.read().await {}
        let count = count.min(self.input.len());
        self.input.split_to(count).to_vec()
    }
}

pub(crate) fn start(mechanisms: &str) -> connection::Start {
    connection::Start::default().version_major(0).version_minor(9).mechanisms(mechanisms).locales("en_US")
}

pub(crate) fn tune() -> connection::Tune {
    connection::Tune::default().channel_max(2047).frame_max(FRAME_MAX).heartbeat(60)
}

/// The frame of a method.
pub(crate) fn method_octets<M: ProtocolMethod>(channel: u16, method: &M) -> Vec<u8> {
    let mut outbound = Outbound::new();
    Encoder::new(FRAME_MAX).method(&mut outbound, channel, method).expect("a method that can be sent");
    flat(&outbound)
}

/// The frames of a method with content.
pub(crate) fn content_octets<M: ProtocolMethod>(
    channel: u16,
    method: &M,
    properties: &Properties,
    body: &[u8],
) -> Vec<u8> {
    let encoder = Encoder::new(FRAME_MAX);
    let mut outbound = Outbound::new();
    encoder.method(&mut outbound, channel, method).expect("a method that can be sent");
    encoder.header(&mut outbound, channel, body.len(), Some(properties)).expect("properties that can be sent");
    encoder.body(&mut outbound, channel, &Body::from(body));
    flat(&outbound)
}

fn flat(outbound: &Outbound) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 64];
    let filled = outbound.slices(&mut slices);
    slices.iter().take(filled).flat_map(|slice| slice.to_vec()).collect()
}
