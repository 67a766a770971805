//! Input from the broker: bytes become frames, and frames become methods and content.

use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::content::{Assembly, Gathering, Oversize, Target, Unkept, handle_header};
use super::message::Head;
use crate::engine::channel::{Channel, ChannelLife, Effect};
use crate::engine::consume::{Consumers, Stream, Terms};
use crate::engine::publish::Verdict;
use crate::engine::{ChannelKey, Completion, ConsumerKey, Delivery, Engine, Failure, Message, Returned, Violation};
use crate::frame::{ContentHeader, Decoded, Frame, FrameKind, split_method};
use crate::protocol::{MethodId, ProtocolMethod, basic, channel, connection};
use crate::wire::{DecodeError, Reader, ShortString};

impl Engine {
    /// Handles the frames at the front of `input` and removes them from it. Large bodies are taken
    /// piece by piece. What is left belongs in front of the next input. While the buffer of a body
    /// is lent ([`Engine::lend_body`]), nothing is taken. Errors of the peer end the connection or
    /// a channel; see [`Violation`].
    pub fn handle_bytes(&mut self, input: &mut BytesMut, now: Instant) {
        if !input.is_empty() {
            self.heartbeat.received(now);
        }
        if self.is_lending() {
            return;
        }
        let mut at = self.take_piece(input, now);
        while !self.state.is_closed() {
            let rest = input.get(at..).unwrap_or_default();
            let handled = match self.decoder.decode(rest) {
                Ok(Decoded::Incomplete(needed)) => {
                    let taken = self.begin_pieces(rest, now);
                    self.needed = if self.partial.is_some() { 1 } else { self.least_of(rest, needed) };
                    at += taken;
                    break;
                }
                Ok(Decoded::Frame(frame, taken)) => {
                    at += taken;
                    let (channel, handled) = (frame.channel, self.handle_frame(frame, now));
                    handled.or_else(|violation| self.tolerate(channel, violation))
                }
                Err(error) => Err(error.into()),
            };
            if let Err(violation) = handled {
                self.handle_violation(violation, now);
            }
        }
        if self.state.is_closed() {
            input.clear();
        } else {
            input.advance(at);
        }
        if self.reading.is_over() {
            self.handle_overflow(now);
        }
    }

    /// Reports that the transport accepted `count` bytes of those that were taken.
    pub fn handle_written(&mut self, count: usize, now: Instant) {
        self.detect_backpressure();
        self.written = self.written.saturating_add(count as u64).min(self.taken);
        self.heartbeat.sent(now);
        if self.written == self.taken {
            self.passing.all_written();
        }
        self.complete_waiters_for_room();
        self.admit();
        self.report_relief();
    }

    #[inline]
    fn handle_frame(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), Violation> {
        match frame.kind {
            FrameKind::Method => self.handle_method_frame(frame.channel, frame.payload, now),
            FrameKind::Header => self.handle_header_frame(frame.channel, frame.payload),
            FrameKind::Body => self.handle_body_frame(frame.channel, frame.payload),
            FrameKind::Heartbeat => Ok(()),
        }
    }

    /// Ignores a violation on a channel that is closing: after `channel.close`, everything on the
    /// channel except close and close-ok is discarded (AMQP 0-9-1 §1.5.2.5). The violation ends the
    /// content that it interrupts, and has no other effect. On an open channel the violation is
    /// returned.
    #[cold]
    pub(super) fn tolerate(&mut self, number: u16, violation: Violation) -> Result<(), Violation> {
        let closing = self.channels.by_number(number).filter(|channel| channel.state == ChannelLife::Closing);
        match closing {
            Some(channel) if !violation.method().is_some_and(is_close) => {
                if let Some(confirms) = &mut channel.confirms {
                    // It may have been part of a returned message.
                    confirms.suspect_all();
                }
                channel.assembly = Assembly::Idle;
                Ok(())
            }
            _ => Err(violation),
        }
    }

    #[inline]
    fn handle_method_frame(&mut self, number: u16, payload: &[u8], now: Instant) -> Result<(), Violation> {
        let (id, arguments) = split_method(payload)?;
        // Checked before the arguments are decoded, and for every method: the channel has to be
        // open, and a method in the middle of content means that frames are missing. Only a close
        // may interrupt content (§4.2.6). On a closing channel `tolerate` ignores the error.
        if number != 0 && self.state.is_listening() {
            let channel = self.channels.by_number(number).ok_or_else(|| not_open(number, id))?;
            let closes = match channel.state {
                ChannelLife::Closing => is_close(id),
                _ => id == <channel::Close as ProtocolMethod>::ID,
            };
            if !matches!(channel.assembly, Assembly::Idle) && !closes {
                return Err(Violation::ContentExpected(number));
            }
        }
        // The two methods that arrive once for each message are read in place. Building a `Method`
        // for each would copy strings that are needed only as borrowed bytes.
        let hot = match id {
            _ if !self.state.is_listening() || number == 0 => None,
            <basic::Deliver as ProtocolMethod>::ID => Some(self.handle_deliver(number, arguments)),
            <basic::Ack as ProtocolMethod>::ID => Some(self.handle_ack(number, arguments)),
            _ => None,
        };
        match hot {
            Some(Ok(())) => Ok(()),
            // The helpers do not know the id; it is added here so that the close can name the
            // method.
            Some(Err(Violation::Decode(None, error))) => Err(Violation::Decode(Some(id), error)),
            Some(Err(violation)) => Err(violation),
            None => self.handle_method(number, id, arguments, now),
        }
    }

    /// Handles `basic.deliver`, read in place: consumer-tag, delivery-tag, redelivered, exchange,
    /// routing-key.
    #[inline]
    fn handle_deliver(&mut self, number: u16, arguments: &[u8]) -> Result<(), Violation> {
        let mut reader = Reader::new(arguments);
        let channel = self.channels.by_number(number).ok_or(Violation::ChannelNotOpen(number))?;
        let tag = reader.short_string_octets().map_err(undecodable)?;
        let delivery_tag = reader.longlong().map_err(undecodable)?;
        let redelivered = reader.octet().map_err(undecodable)? & 1 != 0;
        let head = keep_head(&mut reader, &mut channel.scratch).map_err(undecodable)?;
        let target = if channel.state == ChannelLife::Closing {
            Target::Discard
        } else {
            let known = find_consumer(channel.recent, &channel.consumers, &self.consumers, tag);
            let Some((consumer, no_ack)) = known else {
                return self.handle_stray(number, tag, delivery_tag, redelivered, head);
            };
            if !no_ack {
                channel.unsettled.insert(delivery_tag);
            }
            channel.recent = Some(consumer);
            Target::Delivery { consumer, delivery_tag, redelivered }
        };
        channel.assembly = Assembly::Header(target, head);
        Ok(())
    }

    /// Handles a delivery for a consumer that is not in the table: it may be about to start, or
    /// have ended. If it never existed, the channel is closed, so that the broker gets the message
    /// back.
    #[cold]
    fn handle_stray(
        &mut self,
        number: u16,
        tag: &[u8],
        delivery_tag: u64,
        redelivered: bool,
        head: Head,
    ) -> Result<(), Violation> {
        let channel = self.channels.by_number(number).ok_or(Violation::ChannelNotOpen(number))?;
        let (key, channel_life, departed) = (channel.key, channel.state, channel.departed.get(tag));
        // A tag of a consumer that has ended more likely means that consumer than one whose tag the
        // broker has yet to choose.
        let is_named = |tag: &ShortString| self.channels.get(key).is_some_and(|it| it.calls.is_starting(tag));
        let tag = Some(ShortString::from(tag)).filter(|tag| departed.is_none() || is_named(tag));
        let early = tag.and_then(|tag| self.start_early(key, &tag));
        let (target, no_ack) = match (early, departed) {
            (Some(consumer), _) => (Target::Delivery { consumer, delivery_tag, redelivered }, self.is_no_ack(consumer)),
            (None, Some(terms)) => (Target::Stray { delivery_tag, terms }, terms.no_ack),
            // Nothing was requested on a channel that is opening, so the two sides disagree about
            // its state.
            (None, None) if channel_life == ChannelLife::Opening => return Err(Violation::UnknownConsumer(number)),
            (None, None) => {
                self.end_channel(key, Violation::UnknownConsumer(number));
                (Target::Discard, true)
            }
        };
        if let Some(channel) = self.channels.get_mut(key) {
            if !no_ack {
                channel.unsettled.insert(delivery_tag);
            }
            channel.assembly = Assembly::Header(target, head);
        }
        Ok(())
    }

    /// Handles `basic.ack`, read in place: delivery-tag, multiple.
    #[inline]
    fn handle_ack(&mut self, number: u16, arguments: &[u8]) -> Result<(), Violation> {
        let mut reader = Reader::new(arguments);
        let tag = reader.longlong().map_err(undecodable)?;
        let multiple = reader.octet().map_err(undecodable)? & 1 != 0;
        reader.finish().map_err(undecodable)?;
        self.handle_verdict(number, tag, multiple, Verdict::Ack)
    }

    fn handle_header_frame(&mut self, number: u16, payload: &[u8]) -> Result<(), Violation> {
        match payload.split_at_checked(ContentHeader::FIXED) {
            Some((fixed, _)) if payload.len() > self.max_header => {
                self.begin_content(number, fixed, Some(Oversize::Header(payload.len() as u64)))
            }
            _ => self.begin_content(number, payload, None),
        }
    }

    /// Handles a content header: its whole payload, or the fixed part of one that is `oversize`.
    pub(super) fn begin_content(
        &mut self,
        number: u16,
        payload: &[u8],
        oversize: Option<Oversize>,
    ) -> Result<(), Violation> {
        let header = ContentHeader::parse(payload)?;
        if !self.state.is_listening() {
            return Ok(());
        }
        if number == 0 {
            return Err(Violation::NotOnChannelZero);
        }
        let channel = self.channels.by_number(number).ok_or(Violation::ChannelNotOpen(number))?;
        let Assembly::Header(target, head) = std::mem::replace(&mut channel.assembly, Assembly::Idle) else {
            return Err(Violation::UnexpectedContent(number));
        };
        let max_body = match &channel.confirms {
            // A message that the application published itself is within any limit, and its confirm
            // must report the return.
            Some(confirms) if matches!(target, Target::Return { .. }) && confirms.may_return(header.body_size) => {
                u64::MAX
            }
            _ => self.settings.max_message_size,
        };
        let gathering = handle_header(target, head, &channel.scratch, header, max_body, oversize)?;
        if gathering.is_complete() {
            let key = channel.key;
            return self.handle_content(key, gathering);
        }
        channel.assembly = Assembly::Body(gathering);
        Ok(())
    }

    #[inline]
    fn handle_body_frame(&mut self, number: u16, payload: &[u8]) -> Result<(), Violation> {
        let Some(channel) = self.body_channel(number, payload.len())? else { return Ok(()) };
        let Assembly::Body(gathering) = &mut channel.assembly else { return Ok(()) };
        gathering.append(payload);
        match channel.take_content() {
            Some((key, content)) => self.handle_content(key, content),
            None => Ok(()),
        }
    }

    /// The channel to whose message a body frame of this size belongs. Returns `None` if input does
    /// not count any more, or if the frame is empty and no message is due: some peers send an empty
    /// body frame after the header of an empty body.
    #[inline]
    pub(super) fn body_channel(&mut self, number: u16, size: usize) -> Result<Option<&mut Channel>, Violation> {
        if !self.state.is_listening() {
            return Ok(None);
        }
        if number == 0 {
            return Err(Violation::NotOnChannelZero);
        }
        let channel = self.channels.by_number(number).ok_or(Violation::ChannelNotOpen(number))?;
        match &channel.assembly {
            Assembly::Body(gathering) if gathering.expects(size) => Ok(Some(channel)),
            Assembly::Body(_) => Err(Violation::BodyTooLong(number)),
            Assembly::Idle if size == 0 => Ok(None),
            Assembly::Idle | Assembly::Header(..) => Err(Violation::UnexpectedContent(number)),
        }
    }

    /// Hands a complete message to its target.
    #[inline]
    pub(super) fn handle_content(&mut self, key: ChannelKey, gathering: Gathering) -> Result<(), Violation> {
        let (target, message) = match gathering.finish() {
            (target, Ok(message)) => (target, message),
            (target, Err(unkept)) => return self.handle_oversize(key, &target, unkept),
        };
        match target {
            Target::Delivery { consumer, delivery_tag, redelivered } => {
                self.deliver(consumer, Delivery { message, delivery_tag, redelivered });
            }
            Target::Get { delivery_tag, redelivered, message_count } => {
                return self.handle_got(key, delivery_tag, redelivered, message_count, message);
            }
            Target::Return { reply_code, reply_text } => {
                self.handle_return(key, Box::new(Returned { reply_code, reply_text, message }));
            }
            Target::Stray { delivery_tag, terms } => {
                let stream = terms.stream.max(Stream::of(&message));
                self.requeue(key, delivery_tag, Terms { stream, ..terms });
            }
            Target::Discard => {}
        }
        Ok(())
    }

    /// Rejects a message that is larger than its limit, and reports it. It is not requeued, because
    /// it would only arrive again.
    fn handle_oversize(&mut self, key: ChannelKey, target: &Target, unkept: Unkept) -> Result<(), Violation> {
        match target {
            Target::Delivery { consumer, delivery_tag, .. } => {
                self.handle_oversize_delivery(key, *consumer, *delivery_tag, unkept);
            }
            Target::Get { delivery_tag, .. } => {
                let id = <basic::GetOk as ProtocolMethod>::ID;
                let call = self.answer_call(key, |calls| calls.answered(id)).ok_or(Violation::UnexpectedReply(id))?;
                let no_ack = !matches!(call.effect, Effect::Get { no_ack: false });
                if let (false, Some(channel)) = (no_ack, self.channels.get_mut(key)) {
                    channel.unsettled.insert(*delivery_tag);
                }
                self.discard(key, *delivery_tag, Terms { no_ack, stream: Stream::No });
                let failure = self.too_large(unkept.oversize);
                self.deadlines.end(call.deadline);
                self.complete(call.waiter, Completion::Failed(failure));
            }
            Target::Return { .. } => {
                if let Some(channel) = self.channels.get_mut(key) {
                    channel.returns.lost += 1;
                    if let Some(confirms) = &mut channel.confirms {
                        confirms.suspect_all();
                    }
                }
            }
            Target::Stray { delivery_tag, terms } => {
                let stream = terms.stream.max(unkept.stream);
                self.requeue(key, *delivery_tag, Terms { stream, ..*terms });
            }
            Target::Discard => {}
        }
        Ok(())
    }

    fn handle_oversize_delivery(&mut self, key: ChannelKey, consumer: ConsumerKey, delivery_tag: u64, unkept: Unkept) {
        let Some(known) = self.consumers.get_mut(consumer) else { return };
        // Recorded before the delivery may be returned, because a delivery of a stream must not be
        // nacked.
        known.terms.stream = known.terms.stream.max(unkept.stream);
        if known.turns_away(delivery_tag) {
            return self.give_back_excess(consumer);
        }
        let terms = known.terms;
        self.discard(key, delivery_tag, terms);
        self.report_oversize(consumer, unkept.oversize);
    }

    /// The failure that reports a message that is larger than a limit.
    pub(in crate::engine) fn too_large(&self, oversize: Oversize) -> Failure {
        match oversize {
            Oversize::Body(size) => Failure::MessageTooLarge { size, limit: self.settings.max_message_size },
            Oversize::Header(size) => Failure::HeaderTooLarge { size, limit: self.max_header as u64 },
        }
    }

    fn handle_got(
        &mut self,
        key: ChannelKey,
        delivery_tag: u64,
        redelivered: bool,
        message_count: u32,
        message: Message,
    ) -> Result<(), Violation> {
        let id = <basic::GetOk as ProtocolMethod>::ID;
        let call = self.answer_call(key, |calls| calls.answered(id)).ok_or(Violation::UnexpectedReply(id))?;
        let method = basic::GetOk::default()
            .delivery_tag(delivery_tag)
            .redelivered(redelivered)
            .exchange(message.exchange())
            .routing_key(message.routing_key())
            .message_count(message_count);
        if let (Effect::Get { no_ack: false }, Some(channel)) = (&call.effect, self.channels.get_mut(key)) {
            channel.unsettled.insert(delivery_tag);
        }
        self.finish_call(key, call, method.into(), Some(message));
        Ok(())
    }
}

fn is_close(id: MethodId) -> bool {
    id == <channel::Close as ProtocolMethod>::ID || id == <channel::CloseOk as ProtocolMethod>::ID
}

/// The violation of a method on a channel that is not open. Methods of the connection are not valid
/// on any (AMQP 0-9-1 §4.2.3).
#[cold]
fn not_open(number: u16, id: MethodId) -> Violation {
    if id.class == connection::CLASS_ID { Violation::UnexpectedMethod(id) } else { Violation::ChannelNotOpen(number) }
}

fn undecodable(error: DecodeError) -> Violation {
    Violation::Decode(None, error)
}

/// Reads exchange and routing key, the last arguments, into `scratch`. The arguments are gone when
/// the header arrives.
fn keep_head(reader: &mut Reader<'_>, scratch: &mut Vec<u8>) -> Result<Head, DecodeError> {
    let exchange = reader.short_string_octets()?;
    let routing_key = reader.short_string_octets()?;
    reader.finish()?;
    scratch.clear();
    scratch.extend_from_slice(exchange);
    scratch.extend_from_slice(routing_key);
    Ok(Head { exchange: exchange.len(), routing_key: routing_key.len(), properties: 0 })
}

/// Finds the consumer of a delivery. The consumer of the delivery before is tried first, which
/// saves the search by tag.
#[inline]
fn find_consumer(
    recent: Option<ConsumerKey>,
    tags: &std::collections::BTreeMap<ShortString, ConsumerKey>,
    consumers: &Consumers,
    tag: &[u8],
) -> Option<(ConsumerKey, bool)> {
    let no_ack = |key: ConsumerKey| consumers.get(key).map(|consumer| consumer.terms.no_ack);
    let same = |key: ConsumerKey| consumers.get(key).filter(|consumer| consumer.tag.as_bytes() == tag);
    if let Some(key) = recent
        && let Some(consumer) = same(key)
    {
        return Some((key, consumer.terms.no_ack));
    }
    let key = tags.get(tag).copied()?;
    Some((key, no_ack(key)?))
}
