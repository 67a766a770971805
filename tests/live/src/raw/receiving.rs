//! What a raw peer receives, and what it expects to.

use std::time::Duration;

use leveret::Properties;
use leveret::frame::{ContentHeader, Decoded, Decoder, FrameKind, split_method};
use leveret::protocol::{ContentProperties, Method, MethodId, ProtocolMethod, ReplyCode, basic, channel, connection};
use leveret::wire::Reader;
use tokio::io::AsyncReadExt;

use super::{Close, Content, Raw, Received};
use crate::soon;

/// Receiving; heartbeats pass unseen, but for [`Raw::receive`].
impl Raw {
    /// What comes next, heartbeats included; none where the broker has hung up.
    pub async fn receive(&mut self) -> Option<Received> {
        loop {
            if let Some(received) = self.decode() {
                return Some(received);
            }
            if !self.read().await {
                assert!(self.input.is_empty(), "the broker hangs up within a frame: {:?}", self.input);
                return None;
            }
        }
    }

    /// The next thing is this method on this channel.
    pub async fn expect<M: ProtocolMethod + TryFrom<Method>>(&mut self, channel: u16) -> M {
        match self.receive_frame().await {
            Some(Received::Method(on, method)) if on == channel && method.id() == M::ID => {
                M::try_from(method).unwrap_or_else(|_| unreachable!("the id is the method's"))
            }
            other => panic!("expected {} on channel {channel}, got {other:?}", M::NAME),
        }
    }

    /// The next thing is the content of the method that was just taken.
    pub async fn expect_content(&mut self, channel: u16) -> Content {
        let (size, properties) = match self.receive_frame().await {
            Some(Received::Header(on, size, properties)) if on == channel => (size, *properties),
            other => panic!("expected a content header on channel {channel}, got {other:?}"),
        };
        let (mut body, mut pieces) = (Vec::new(), Vec::new());
        while (body.len() as u64) < size {
            match self.receive_frame().await {
                Some(Received::Body(on, octets)) if on == channel => {
                    pieces.push(octets.len());
                    body.extend(octets);
                }
                other => panic!("expected a body on channel {channel}, got {other:?}"),
            }
        }
        Content { properties, body, pieces }
    }

    /// The next thing is a delivery.
    pub async fn expect_delivery(&mut self, channel: u16) -> (basic::Deliver, Content) {
        (self.expect(channel).await, self.expect_content(channel).await)
    }

    /// The next thing is a close of a channel or of the connection. It is left unanswered.
    pub async fn expect_close(&mut self) -> Close {
        match self.receive_frame().await {
            Some(Received::Method(0, Method::ConnectionClose(close))) => Close::connection(
                close.reply_code.code(),
                text(&close.reply_text),
                MethodId::new(close.class_id, close.method_id),
            ),
            Some(Received::Method(channel, Method::ChannelClose(close))) => {
                let method = MethodId::new(close.class_id, close.method_id);
                Close::channel(channel, close.reply_code.code(), text(&close.reply_text), method)
            }
            other => panic!("expected a close, got {other:?}"),
        }
    }

    /// The next thing is this close, and the broker hangs up once it is answered.
    pub async fn expect_connection_close(&mut self, code: u16, text: &str, method: MethodId) {
        assert_eq!(self.expect_close().await, Close::connection(code, text, method));
        self.send(0, connection::CloseOk::default()).await;
        self.expect_end().await;
    }

    /// The next thing is this close of a channel, which is answered.
    pub async fn expect_channel_close(&mut self, channel: u16, code: u16, text: &str, method: MethodId) {
        assert_eq!(self.expect_close().await, Close::channel(channel, code, text, method));
        self.send(channel, channel::CloseOk::default()).await;
    }

    /// The broker hangs up, or resets the connection, and sends nothing before.
    pub async fn expect_end(&mut self) {
        let received = self.receive_frame().await;
        assert_eq!(received, None, "the broker should hang up");
    }

    /// The same within a time.
    pub async fn expect_end_within(&mut self, within: Duration) {
        let ended = tokio::time::timeout(within, self.expect_end()).await;
        assert!(ended.is_ok(), "the broker should hang up within {within:?}");
    }

    /// Closes the connection as a client should, and sees that nothing else was on its way. After its answer the broker
    /// leaves it to the client to hang up.
    pub async fn close(mut self) {
        let close = connection::Close::default().reply_code(ReplyCode::REPLY_SUCCESS).reply_text("done");
        self.call(0, close).await;
    }

    /// Takes this many octets off the stream, whatever they are; fewer where the broker hangs up before.
    pub async fn take_octets(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count && self.read().await {}
        let count = count.min(self.input.len());
        self.input.drain(..count).collect()
    }

    async fn receive_frame(&mut self) -> Option<Received> {
        loop {
            let received = self.receive().await;
            if received != Some(Received::Heartbeat) {
                return received;
            }
        }
    }

    /// Reads what has come; false where the broker has hung up.
    async fn read(&mut self) -> bool {
        soon(self.stream.read_buf(&mut self.input)).await.unwrap_or(0) > 0
    }

    fn decode(&mut self) -> Option<Received> {
        let decoded = Decoder::new(0).decode(&self.input).expect("a broker sends frames");
        let Decoded::Frame(frame, taken) = decoded else { return None };
        let received = match frame.kind {
            FrameKind::Method => Received::Method(frame.channel, method(frame.payload)),
            FrameKind::Header => {
                let header = ContentHeader::parse(frame.payload).expect("a content header");
                let properties = Properties::decode(&mut Reader::new(header.properties)).expect("properties");
                Received::Header(frame.channel, header.body_size, Box::new(properties))
            }
            FrameKind::Body => Received::Body(frame.channel, frame.payload.to_vec()),
            FrameKind::Heartbeat => Received::Heartbeat,
        };
        self.input.drain(..taken);
        Some(received)
    }
}

fn method(payload: &[u8]) -> Method {
    let (id, arguments) = split_method(payload).expect("ids");
    let mut reader = Reader::new(arguments);
    let method = Method::decode(id, &mut reader).expect("a method");
    reader.finish().expect("nothing behind the arguments");
    method
}

fn text(string: &leveret::ShortString) -> String {
    String::from_utf8(string.as_bytes().to_vec()).expect("a reply text is UTF-8")
}
