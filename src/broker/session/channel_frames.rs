//! Frames on a channel: opening and closing it, methods, and the content that follows a publish.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::channel::{Channel, Content, Incoming};
use super::connection::Connection;
use crate::broker::keys::ChannelKey;
use crate::broker::state::State;
use crate::broker::words::Refusal;
use crate::frame::{ContentHeader, Frame, FrameKind};
use crate::protocol::basic::{self, Properties};
use crate::protocol::{ContentProperties, Method, MethodId, ProtocolMethod, ReplyCode, channel};
use crate::wire::Reader;

impl State {
    /// Handles a frame on a channel of an open connection.
    pub(super) fn channel_frame(&mut self, key: ChannelKey, frame: &Frame<'_>, now: Instant) {
        let channel = self.channel(key);
        let has_header =
            channel.and_then(|channel| channel.incoming.as_ref()).map(|incoming| incoming.content.is_some());
        let done = match (frame.kind, channel.map(|channel| channel.closing), has_header) {
            (FrameKind::Heartbeat, ..) => return self.refuse_frame(key.connection, frame, now),
            (_, None, _) if self.is_full(key) => Err((self.too_many_channels(key), basic::Publish::ID)),
            (_, Some(_), Some(has_header)) => {
                self.content_frame(key, frame, has_header, now).map_err(|refusal| (refusal, basic::Publish::ID))
            }
            (FrameKind::Header | FrameKind::Body, ..) => {
                let text = "expected method frame, got non method frame instead";
                Err((Refusal::unexpected_frame(text).without_blame(), basic::Publish::ID))
            }
            (FrameKind::Method, closing, _) => self.method_frame(key, frame, closing, now),
        };
        if let Err((refusal, blamed)) = done {
            self.refuse(key, &refusal, blamed, now);
        }
    }

    /// Handles a method. `closing` is `None` if the channel is not open, and otherwise whether it
    /// is closing.
    fn method_frame(
        &mut self,
        key: ChannelKey,
        frame: &Frame<'_>,
        closing: Option<bool>,
        now: Instant,
    ) -> Result<(), (Refusal, MethodId)> {
        if closing == Some(false)
            && let Some(done) = self.handle_access(key, frame)
        {
            return done;
        }
        let Some(method) = self.decode_method(key.connection, frame, now) else { return Ok(()) };
        let id = method.id();
        let done = match closing {
            // A publish counts when its content has arrived.
            Some(false) if id == basic::Publish::ID => self.perform(key, method, now),
            None => self.intercept(key, id).and_then(|()| self.open_channel(key, &method)),
            Some(false) => self.intercept(key, id).and_then(|()| self.perform(key, method, now)),
            Some(true) => self.perform_while_closing(key, method),
        };
        done.map_err(|refusal| (refusal, id))
    }

    /// Whether the connection has as many channels as were negotiated.
    fn is_full(&self, key: ChannelKey) -> bool {
        let connection = self.connections.get(&key.connection);
        connection.is_some_and(|connection| connection.channels.len() >= connection.channel_limit())
    }

    fn too_many_channels(&self, key: ChannelKey) -> Refusal {
        let limit = self.connections.get(&key.connection).map_or(0, Connection::channel_limit);
        let text = format!("number of channels opened ({limit}) has reached the negotiated channel_max ({limit})");
        Refusal::connection(ReplyCode::NOT_ALLOWED, text).without_blame()
    }

    fn open_channel(&mut self, key: ChannelKey, method: &Method) -> Result<(), Refusal> {
        let Method::ChannelOpen(_) = method else {
            return Err(Refusal::connection(ReplyCode::CHANNEL_ERROR, "expected 'channel.open'"));
        };
        self.check_channels_of_user(key)?;
        if let Some(connection) = self.connections.get_mut(&key.connection) {
            connection.channels.insert(key.number, Channel::default());
        }
        self.send(key, &channel::OpenOk::default());
        Ok(())
    }

    /// Handles a method after the broker's `channel.close`. Only the close counts, but contents are
    /// still checked.
    fn perform_while_closing(&mut self, key: ChannelKey, method: Method) -> Result<(), Refusal> {
        match method {
            Method::ChannelClose(_) => self.send(key, &channel::CloseOk::default()),
            Method::ChannelCloseOk(_) => {
                if let Some(connection) = self.connections.get_mut(&key.connection) {
                    connection.channels.remove(&key.number);
                }
            }
            Method::ChannelOpen(_) => return Err(Refusal::second_open()),
            Method::BasicPublish(publish) => self.begin_publish(key, publish),
            _ => {}
        }
        Ok(())
    }

    /// Handles the next frame of the content of a publish.
    fn content_frame(
        &mut self,
        key: ChannelKey,
        frame: &Frame<'_>,
        has_header: bool,
        now: Instant,
    ) -> Result<(), Refusal> {
        match (frame.kind, has_header) {
            (FrameKind::Header, false) => self.header_frame(key, frame.payload)?,
            (_, false) => return Err(no_header()),
            (FrameKind::Body, true) => self.body_frame(key, frame.payload),
            (_, true) => {
                return Err(Refusal::unexpected_frame("expected content body, got non content body frame instead"));
            }
        }
        self.complete(key, now)
    }

    fn header_frame(&mut self, key: ChannelKey, payload: &[u8]) -> Result<(), Refusal> {
        let header = ContentHeader::parse(payload).map_err(|_| no_header())?;
        if header.class != Properties::CLASS_ID {
            let text = format!("expected content header for class 60, got one for class {} instead", header.class);
            return Err(Refusal::unexpected_frame(text));
        }
        let encoded = Bytes::copy_from_slice(header.properties);
        let properties = read_properties(&encoded).ok_or_else(Refusal::internal)?;
        let Some(channel) = self.channel_mut(key) else { return Ok(()) };
        if let Some(incoming) = &mut channel.incoming {
            incoming.content =
                Some(Content { properties, encoded, body_size: header.body_size, received: 0, body: BytesMut::new() });
        }
        self.hold_back(key);
        Ok(())
    }

    fn body_frame(&mut self, key: ChannelKey, payload: &[u8]) {
        let max = self.settings.max_message_size;
        let content = self.channel_mut(key).and_then(|channel| channel.incoming.as_mut()?.content.as_mut());
        let Some(content) = content else { return };
        content.received += payload.len() as u64;
        // A message that will be refused is not kept.
        if content.body_size <= max && content.received <= content.body_size {
            content.body.extend_from_slice(payload);
        }
    }

    /// Publishes the message when it has arrived completely.
    fn complete(&mut self, key: ChannelKey, now: Instant) -> Result<(), Refusal> {
        let max = self.settings.max_message_size;
        let Some(channel) = self.channel_mut(key) else { return Ok(()) };
        let whole = |content: &Content| content.received == content.body_size;
        let complete = channel.incoming.as_ref().and_then(|incoming| incoming.content.as_ref()).is_some_and(whole);
        if !complete {
            return Ok(());
        }
        let Some(Incoming { publish, content: Some(content) }) = channel.incoming.take() else { return Ok(()) };
        if channel.closing {
            return Ok(());
        }
        self.intercept(key, basic::Publish::ID)?;
        if content.body_size > max {
            let text = format!("message size {} is larger than configured max size {max}", content.body_size);
            return Err(Refusal::precondition(text));
        }
        self.publish(key, publish, content, now)
    }
}

/// Decodes the properties that RabbitMQ can decode: a flag of no property is ignored, and a second
/// word of flags is not understood.
fn read_properties(encoded: &Bytes) -> Option<Properties> {
    const MORE_FLAGS: u8 = 1;
    const NO_PROPERTY: u8 = 2;

    let flags = *encoded.get(1)?;
    if flags & MORE_FLAGS != 0 {
        return None;
    }
    let known = if flags & NO_PROPERTY == 0 {
        encoded.clone()
    } else {
        let mut known = BytesMut::from(&encoded[..]);
        *known.get_mut(1)? ^= NO_PROPERTY;
        known.freeze()
    };
    let mut reader = Reader::shared(&known);
    let properties = Properties::decode(&mut reader).ok()?;
    reader.finish().ok()?;
    Some(properties)
}

fn no_header() -> Refusal {
    Refusal::unexpected_frame("expected content header for class 60, got non content header frame instead")
}
