//! A session: octets decide what the application does, and what comes from the broker.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::IoSlice;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use leveret::ReplyCode;
use leveret::engine::{
    Admission, ChannelKey, Completion, ConsumerKey, Engine, Event, Failure, Negotiated, Settings, Settle, WaiterId,
};
use leveret::frame::{Body, Decoded, Decoder, Publish};
use leveret::protocol::{Method, Request, basic, confirm, queue};
use leveret::wire::FieldTable;

const FRAME_MAX: u32 = 4096;
/// What is published.
fn message<'a>(body: &'a Body<'a>) -> Publish<'a> {
    Publish { exchange: b"e", routing_key: b"k", mandatory: true, properties: None, body }
}

/// Steps of the application, one octet each, until 255; that one is followed by the length of a
/// piece of the inbound stream (two octets) and the piece. Whatever comes, nothing panics, what
/// goes out is frames, and by the end each waiter has heard once.
pub fn session(data: &[u8]) {
    let mut session = Session::new();
    let mut rest = data;
    while let Some((step, after)) = rest.split_first() {
        rest = after;
        if *step == u8::MAX {
            let Some(([high, low], after)) = rest.split_first_chunk() else { break };
            let len = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
            let (piece, after) = after.split_at(len);
            rest = after;
            session.octets(piece);
        } else {
            session.act(*step);
        }
        session.hear();
    }
    session.end();
}

struct Session {
    engine: Engine,
    input: BytesMut,
    now: Instant,
    waiters: u32,
    waiting: BTreeSet<WaiterId>,
    /// Who was told that its time is over: an answer may still come.
    timed_out: BTreeSet<WaiterId>,
    /// Who waits at the gate, and who hears of the confirm.
    at_gate: BTreeMap<WaiterId, WaiterId>,
    channels: Vec<ChannelKey>,
    consumers: Vec<ConsumerKey>,
}

impl Session {
    fn new() -> Self {
        let mut settings = Settings::default();
        settings.call_timeout = Some(Duration::from_secs(10));
        settings.high_water = 4000;
        settings.low_water = 1000;
        settings.max_unconfirmed = Some(3);
        settings.max_message_size = 5000;
        let negotiated =
            Negotiated { channel_max: 3, frame_max: FRAME_MAX, heartbeat: 20, server_properties: FieldTable::new() };
        let now = Instant::now();
        Self {
            engine: Engine::new(negotiated, settings, now),
            input: BytesMut::new(),
            now,
            waiters: 0,
            waiting: BTreeSet::new(),
            timed_out: BTreeSet::new(),
            at_gate: BTreeMap::new(),
            channels: Vec::new(),
            consumers: Vec::new(),
        }
    }

    fn octets(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        self.engine.handle_bytes(&mut self.input, self.now);
        let needed = self.engine.needed();
        assert!(self.engine.closure().is_some() || self.input.len() < needed, "octets are left that could be read");
    }

    fn waiter(&mut self) -> WaiterId {
        self.waiters += 1;
        WaiterId { slot: self.waiters, generation: NonZeroU32::MIN }
    }

    /// The low bits choose what to do, the high ones on which channel or consumer.
    fn act(&mut self, step: u8) {
        let (what, which) = (step % 16, usize::from(step / 16));
        let waiter = self.waiter();
        let key = self.channels.get(which % self.channels.len().max(1)).copied();
        let consumer = self.consumers.get(which % self.consumers.len().max(1)).copied();
        let accepted = match (what, key, consumer) {
            (0, ..) => self.engine.open_channel(waiter, self.now).is_ok(),
            (1, Some(key), _) => self.call(key, queue::Declare::default(), waiter),
            (2, Some(key), _) => self.call(key, basic::Get::default(), waiter),
            (3, Some(key), _) => self.call(key, basic::Consume::default().consumer_tag("c"), waiter),
            (4, Some(key), _) => self.call(key, confirm::Select::default(), waiter),
            (5, Some(key), _) => self.publish(key, waiter),
            (6, _, Some(consumer)) => self.engine.cancel_consumer(consumer, waiter, self.now).is_ok(),
            (7, Some(key), _) => {
                self.engine.close_channel(key, ReplyCode::REPLY_SUCCESS, "", Some(waiter), self.now).is_ok()
            }
            (8, ..) if which == 15 => self.engine.close(ReplyCode::REPLY_SUCCESS, "", Some(waiter), self.now).is_ok(),
            _ => {
                self.act_alone(what, key, consumer, waiter);
                false
            }
        };
        if accepted {
            self.waiting.insert(waiter);
        }
    }

    /// What nobody waits for.
    fn act_alone(&mut self, what: u8, key: Option<ChannelKey>, consumer: Option<ConsumerKey>, waiter: WaiterId) {
        match (what, key, consumer) {
            (9, Some(key), _) => {
                self.channels.retain(|it| *it != key);
                self.engine.release_channel(key);
            }
            (10, _, Some(consumer)) => {
                self.consumers.retain(|it| *it != consumer);
                self.engine.drop_consumer(consumer, [], None);
            }
            (11, _, Some(consumer)) => {
                self.engine.take_deliveries(consumer, &mut VecDeque::new(), waiter);
            }
            (12, Some(key), _) => {
                let settled = self.engine.settle(key, 1, Settle::Nack { multiple: true, requeue: false });
                drop(settled);
            }
            (13, ..) => {
                self.now += Duration::from_secs(3);
                self.engine.handle_timeout(self.now, self.now);
            }
            (14, ..) => self.transmit(),
            (15, Some(key), _) => self.engine.listen_for_returns(key, waiter),
            _ => {}
        }
    }

    fn call<R: Request + Into<Method>>(&mut self, key: ChannelKey, request: R, waiter: WaiterId) -> bool {
        self.engine.call(key, &request.into(), R::REPLIES, waiter, self.now).is_ok()
    }

    fn publish(&mut self, key: ChannelKey, waiter: WaiterId) -> bool {
        match self.engine.admission(key) {
            Ok(Admission::Open) => self.publish_now(key, waiter),
            Ok(Admission::Closed) => {
                let confirm = self.waiter();
                let waits = self.engine.wait_to_publish(key, &message(&Body::from(&[7; 600])), Some(confirm), waiter);
                if waits.is_ok() && self.engine.is_confirming(key) {
                    self.at_gate.insert(waiter, confirm);
                }
                waits.is_ok()
            }
            Err(_) => false,
        }
    }

    fn publish_now(&mut self, key: ChannelKey, waiter: WaiterId) -> bool {
        matches!(self.engine.publish(key, &message(&Body::from(&[7; 600])), Some(waiter)), Ok(Some(_)))
    }

    /// Everything queued goes out, and is frames.
    fn transmit(&mut self) {
        let Some(outbound) = self.engine.poll_transmit() else { return };
        let mut slices = [IoSlice::new(&[]); 64];
        let filled = outbound.slices(&mut slices);
        let octets: Vec<u8> = slices.iter().take(filled).flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(octets.len(), outbound.len());
        let (decoder, mut rest) = (Decoder::new(FRAME_MAX), &octets[..]);
        while !rest.is_empty() {
            let Ok(Decoded::Frame(_, taken)) = decoder.decode(rest) else { panic!("what goes out is no frame") };
            rest = rest.split_at(taken).1;
        }
        self.engine.handle_written(octets.len(), self.now);
    }

    fn hear(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            let Event::Completed(waiter, completion) = event else { continue };
            if self.timed_out.contains(&waiter) {
                self.engine.handle_abandoned(completion);
                continue;
            }
            assert!(self.waiting.remove(&waiter), "somebody hears twice, of {completion:?} now");
            match completion {
                Completion::Opened(key) => self.channels.push(key),
                Completion::Reply(reply) => self.consumers.extend(reply.consumer),
                Completion::Published => self.waiting.extend(self.at_gate.remove(&waiter)),
                Completion::Failed(Failure::TimedOut(_) | Failure::TimedOutBlocked { .. }) => {
                    self.timed_out.insert(waiter);
                }
                _ => {}
            }
        }
        drop(self.engine.take_discarded());
    }

    fn end(&mut self) {
        self.transmit();
        self.hear();
        self.engine.handle_transport_lost(None);
        self.hear();
        assert!(self.waiting.is_empty(), "{:?} never hear", self.waiting);
        assert!(self.engine.is_lost() && self.engine.is_finished());
        assert_eq!((self.engine.channel_count(), self.engine.unconfirmed()), (0, 0));
    }
}
