//! Frames on a channel: opening and closing it, methods, and the content that follows a publish.

use std::time::Instant;

use bytes::BytesMut;

use super::channel::{Channel, Content, Incoming};
use super::keys::ChannelKey;
use super::refusal::Refusal;
use super::state::State;
use crate::frame::{ContentHeader, Frame, FrameKind, split_method};
use crate::protocol::basic::{self, Properties};
use crate::protocol::{ContentProperties, Method, MethodId, ProtocolMethod, ReplyCode, channel};
use crate::wire::Reader;

/// What connection.close blames where it is no method.
const NOTHING: MethodId = MethodId::new(0, 0);

impl State {
    /// A frame on a channel of an open connection.
    pub(super) fn channel_frame(&mut self, key: ChannelKey, frame: &Frame<'_>, now: Instant) {
        let Some(connection) = self.connections.get(&key.connection) else { return };
        if connection.closing_channels.contains(&key.number) {
            return self.frame_on_closing_channel(key, frame);
        }
        let channel = connection.channels.get(&key.number);
        let is_open = channel.is_some();
        let has_header =
            channel.and_then(|channel| channel.incoming.as_ref()).map(|incoming| incoming.content.is_some());
        let refused = match (frame.kind, has_header) {
            (FrameKind::Heartbeat, _) => return self.refuse_frame(key.connection, frame, now),
            (_, Some(has_header)) => {
                self.content_frame(key, frame, has_header, now).map_err(|refusal| (refusal, basic::Publish::ID))
            }
            (FrameKind::Method, None) => {
                let Some(method) = self.decode_method(key.connection, frame, now) else { return };
                let id = method.id();
                let done = if is_open { self.perform(key, method, now) } else { self.open_channel(key, &method) };
                done.map_err(|refusal| (refusal, id))
            }
            (FrameKind::Header | FrameKind::Body, None) => {
                let text = "expected method frame, got non method frame instead";
                Err((Refusal::connection(ReplyCode::UNEXPECTED_FRAME, text), NOTHING))
            }
        };
        if let Err((refusal, blamed)) = refused {
            let blamed = if refusal.blames_nothing() { NOTHING } else { blamed };
            self.refuse(key, &refusal, blamed, now);
        }
    }

    fn open_channel(&mut self, key: ChannelKey, method: &Method) -> Result<(), Refusal> {
        let Method::ChannelOpen(_) = method else {
            return Err(Refusal::connection(ReplyCode::CHANNEL_ERROR, "expected 'channel.open'"));
        };
        let Some(connection) = self.connections.get_mut(&key.connection) else { return Ok(()) };
        let (count, limit) = (connection.channels.len(), connection.channel_limit());
        if count >= limit {
            let text = format!("number of channels opened ({count}) has reached the negotiated channel_max ({limit})");
            return Err(Refusal::connection(ReplyCode::NOT_ALLOWED, text));
        }
        connection.channels.insert(key.number, Channel::default());
        self.send(key, &channel::OpenOk::default());
        Ok(())
    }

    /// After the broker's channel.close only the end of the conversation counts.
    fn frame_on_closing_channel(&mut self, key: ChannelKey, frame: &Frame<'_>) {
        if frame.kind != FrameKind::Method {
            return;
        }
        let Ok((method, _)) = split_method(frame.payload) else { return };
        if method == channel::Close::ID {
            self.send(key, &channel::CloseOk::default());
        } else if method != channel::CloseOk::ID {
            return;
        }
        if let Some(connection) = self.connections.get_mut(&key.connection) {
            connection.closing_channels.remove(&key.number);
        }
    }

    /// The next frame of the content of a publish.
    fn content_frame(
        &mut self,
        key: ChannelKey,
        frame: &Frame<'_>,
        has_header: bool,
        now: Instant,
    ) -> Result<(), Refusal> {
        let unexpected = |text: String| Refusal::connection(ReplyCode::UNEXPECTED_FRAME, text);
        match (frame.kind, has_header) {
            (FrameKind::Header, false) => self.header_frame(key, frame.payload)?,
            (_, false) => {
                let text = "expected content header for class 60, got non content header frame instead";
                return Err(unexpected(text.to_owned()));
            }
            (FrameKind::Body, true) => self.body_frame(key, frame.payload),
            (_, true) => {
                return Err(unexpected("expected content body, got non content body frame instead".to_owned()));
            }
        }
        self.complete(key, now)
    }

    fn header_frame(&mut self, key: ChannelKey, payload: &[u8]) -> Result<(), Refusal> {
        let max = self.settings.max_message_size;
        let unexpected = |text: String| Refusal::connection(ReplyCode::UNEXPECTED_FRAME, text);
        let header = ContentHeader::parse(payload).map_err(|_| {
            unexpected("expected content header for class 60, got non content header frame instead".to_owned())
        })?;
        if header.class != Properties::CLASS_ID {
            let text = format!("expected content header for class 60, got one for class {} instead", header.class);
            return Err(unexpected(text));
        }
        let octets = bytes::Bytes::copy_from_slice(header.properties);
        let mut reader = Reader::shared(&octets);
        let properties = Properties::decode(&mut reader)
            .and_then(|properties| reader.finish().map(|()| properties))
            .map_err(|_| Refusal::internal())?;
        if header.body_size > max {
            let text = format!("message size {} is larger than configured max size {max}", header.body_size);
            return Err(Refusal::precondition(text));
        }
        let Some(incoming) = self.channel_mut(key).and_then(|channel| channel.incoming.as_mut()) else { return Ok(()) };
        incoming.content = Some(Content { properties, body_size: header.body_size, body: BytesMut::new() });
        Ok(())
    }

    fn body_frame(&mut self, key: ChannelKey, payload: &[u8]) {
        let content = self.channel_mut(key).and_then(|channel| channel.incoming.as_mut()?.content.as_mut());
        let Some(content) = content else { return };
        // More than was declared: RabbitMQ waits for an end that cannot come.
        if (content.body.len() + payload.len()) as u64 > content.body_size {
            content.body_size = u64::MAX;
            content.body.clear();
        }
        if content.body_size != u64::MAX {
            content.body.extend_from_slice(payload);
        }
    }

    /// Publishes what has come, once all of it has.
    fn complete(&mut self, key: ChannelKey, now: Instant) -> Result<(), Refusal> {
        let Some(channel) = self.channel_mut(key) else { return Ok(()) };
        let whole = |content: &Content| content.body.len() as u64 == content.body_size;
        let complete = channel.incoming.as_ref().and_then(|incoming| incoming.content.as_ref()).is_some_and(whole);
        if !complete {
            return Ok(());
        }
        let Some(Incoming { publish, content: Some(content) }) = channel.incoming.take() else { return Ok(()) };
        self.publish(key, publish, content.properties, content.body.freeze(), now)
    }
}
