//! The cost of operations while much waits: steps of loops on an engine that holds the largest
//! amount of one thing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::io::IoSlice;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::{scattered, steps_of};
use crate::config::Secret;
use crate::engine::{
    ChannelKey, Completion, ConnectionNotice, Engine, Event, Failure, Interest, Negotiated, Settings, WaiterId,
    WaitsFor,
};
use crate::frame::{Body, Encoder, Outbound, Publish};
use crate::protocol::{Method, ReplyCode, Request, basic, channel, connection, queue, tx};
use crate::wire::FieldTable;

mod consuming;

const COUNT: u32 = 100_000;
const TIMEOUT: Duration = Duration::from_secs(5);

/// An engine, and the time of everything but timeouts.
struct Session {
    engine: Engine,
    now: Instant,
}

fn waiter(slot: u32) -> WaiterId {
    WaiterId { slot, generation: NonZeroU32::MIN }
}

impl Session {
    fn open() -> Self {
        Self::with(|_| {})
    }

    fn with(set: impl FnOnce(&mut Settings)) -> Self {
        let now = Instant::now();
        let negotiated =
            Negotiated { channel_max: 0, frame_max: 4096, heartbeat: 0, server_properties: FieldTable::new() };
        let mut settings = Settings { call_timeout: Some(TIMEOUT), ..Settings::default() };
        set(&mut settings);
        Self { engine: Engine::new(negotiated, settings, now), now }
    }

    fn say(&mut self, number: u16, method: impl Into<Method>) {
        let mut outbound = Outbound::new();
        Encoder::new(0).any_method(&mut outbound, number, &method.into()).unwrap();
        let mut slices = [IoSlice::new(&[])];
        assert_eq!(outbound.slices(&mut slices), 1);
        let mut input = BytesMut::from(&slices[0][..]);
        self.engine.handle_bytes(&mut input, self.now);
        assert_eq!(self.engine.closure(), None);
    }

    fn channel(&mut self) -> ChannelKey {
        let key = self.engine.open_channel(waiter(0), self.now).unwrap();
        self.say(key.number, channel::OpenOk::default());
        assert_eq!(self.events(), 1);
        key
    }

    fn call<R: Request + Into<Method>>(&mut self, key: ChannelKey, request: R, slot: u32) {
        self.engine.call(key, &request.into(), R::REPLIES, waiter(slot), self.now).unwrap();
    }

    /// Takes all events, and counts them.
    fn events(&mut self) -> usize {
        std::iter::from_fn(|| self.engine.poll_event()).count()
    }

    /// Lets everything that waits time out, and returns the steps that it takes.
    fn time_out(&mut self) -> u64 {
        let later = self.now + TIMEOUT;
        let (steps, ()) = steps_of(|| self.engine.handle_timeout(later, later));
        assert_eq!((self.engine.deadlines.len(), self.engine.poll_deadline()), (0, None));
        steps
    }

    /// Reports everything as written.
    fn write(&mut self) {
        while let Some(outbound) = self.engine.poll_transmit() {
            self.engine.handle_written(outbound.len(), self.now);
        }
    }
}

#[test]
fn calls_that_time_out_together_take_a_step_each_and_so_do_their_late_answers() {
    let mut session = Session::open();
    let key = session.channel();
    (0..COUNT).for_each(|slot| session.call(key, queue::Declare::default(), slot));
    assert_eq!(session.time_out(), u64::from(COUNT));
    assert_eq!(session.events(), COUNT as usize);
    let (steps, ()) = steps_of(|| (0..COUNT).for_each(|_| session.say(1, queue::DeclareOk::default())));
    assert_eq!((steps, session.events()), (COUNT.into(), COUNT as usize));
    let allocated = session.engine.channels.get(key).unwrap().calls.allocated();
    assert!(allocated <= 1024, "a burst gives its memory back, and keeps room for {allocated} calls");
}

#[test]
fn calls_that_are_known_by_their_tags_time_out_as_cheaply() {
    let mut session = Session::open();
    let key = session.channel();
    let tag = |slot: u32| format!("c{slot}");
    for slot in 0..COUNT {
        session.call(key, basic::Cancel::default().consumer_tag(tag(slot).as_str()), slot);
    }
    assert_eq!(session.time_out(), u64::from(COUNT));
    assert_eq!(session.events(), COUNT as usize);
    let (steps, ()) = steps_of(|| {
        for slot in 0..COUNT {
            session.say(1, basic::CancelOk::default().consumer_tag(tag(slot).as_str()));
        }
    });
    assert_eq!((steps, session.events()), (COUNT.into(), COUNT as usize));
}

#[test]
fn calls_that_are_answered_leave_no_deadlines_behind_one_that_is_not() {
    let mut session = Session::open();
    let (unanswered, answered) = (session.channel(), session.channel());
    session.call(unanswered, queue::Declare::default(), 0);
    let due = session.engine.poll_deadline();
    let (steps, ()) = steps_of(|| {
        for slot in 1..=COUNT {
            session.call(answered, queue::Declare::default(), slot);
            session.say(answered.number, queue::DeclareOk::default());
        }
    });
    assert_eq!(steps, u64::from(COUNT));
    assert_eq!((session.engine.deadlines.len(), session.engine.poll_deadline()), (1, due));
    assert_eq!(session.time_out(), 1);
}

#[test]
fn new_secrets_that_time_out_together_take_a_step_each() {
    let mut session = Session::open();
    let (secret, now) = (Secret::from("s"), session.now);
    for slot in 0..COUNT {
        session.engine.update_secret(&secret, "", waiter(slot), now).unwrap();
    }
    assert_eq!((session.time_out(), session.events()), (COUNT.into(), COUNT as usize));
    // Their answers arrive late, and no waiter completes twice.
    (0..COUNT).for_each(|_| session.say(0, connection::UpdateSecretOk::default()));
    assert_eq!(session.events(), 0);
}

#[test]
fn those_who_close_one_channel_time_out_in_a_step_each() {
    let mut session = Session::open();
    let (key, now) = (session.channel(), session.now);
    for slot in 0..COUNT {
        session.engine.close_channel(key, ReplyCode::REPLY_SUCCESS, "", Some(waiter(slot)), now).unwrap();
    }
    assert_eq!((session.time_out(), session.events()), (COUNT.into(), COUNT as usize));
    session.write();
    session.say(1, channel::CloseOk::default());
    assert_eq!((session.events(), session.engine.channel_count()), (0, 0));
}

#[test]
fn commits_that_wait_for_each_other_are_answered_in_a_few_steps_each() {
    let mut session = Session::open();
    let key = session.channel();
    let tag = |slot: u32| format!("c{slot}");
    for slot in 0..COUNT {
        session.call(key, tx::Commit::default(), slot);
        session.call(key, basic::Cancel::default().consumer_tag(tag(slot).as_str()), slot);
    }
    let (steps, ()) = steps_of(|| {
        for slot in 0..COUNT {
            session.say(1, tx::CommitOk::default());
            session.say(1, basic::CancelOk::default().consumer_tag(tag(slot).as_str()));
        }
    });
    assert!(steps <= 4 * u64::from(COUNT), "{steps} steps");
    session.write();
    assert_eq!((session.engine.queued(), session.engine.deadlines.len()), (0, 0));
}

#[test]
fn all_channels_that_there_can_be_are_released_in_a_few_steps_each_and_leave_nothing() {
    const ALL: u16 = u16::MAX;
    let mut session = Session::open();
    let keys: Vec<ChannelKey> = (0..ALL).map(|_| session.channel()).collect();
    session.say(0, connection::Blocked::default());
    let body = Body::from("waits");
    let publish = Publish { exchange: b"", routing_key: b"key", mandatory: false, properties: None, body: &body };
    for (slot, key) in (0..).zip(&keys) {
        session.engine.wait_to_publish(*key, &publish, None, waiter(slot)).unwrap();
        session.engine.observe_channel(*key, waiter(slot), Interest::End);
    }
    let (steps, ()) = steps_of(|| keys.iter().for_each(|key| session.engine.release_channel(*key)));
    assert_eq!(steps, u64::from(ALL), "each publish leaves the gate");
    session.write();
    let (steps, ()) = steps_of(|| keys.iter().for_each(|key| session.say(key.number, channel::CloseOk::default())));
    assert_eq!(steps, u64::from(ALL), "each observer hears of the end");
    let ignore = |session: &mut Session| {
        (0..).zip(&keys).for_each(|(slot, key)| session.engine.ignore_channel(*key, waiter(slot)));
    };
    let (steps, ()) = steps_of(|| ignore(&mut session));
    assert_eq!((steps, session.events()), (ALL.into(), 2 * usize::from(ALL)));
    session.write();
    assert!(session.engine.leftovers().is_empty(), "left behind: {}", session.engine.leftovers());
}

#[test]
fn those_who_wait_for_the_end_cost_other_notices_nothing_and_leave_in_a_step_each() {
    let mut session = Session::open();
    (0..COUNT).for_each(|slot| session.engine.observe_connection(waiter(slot), Interest::End));
    session.engine.observe_connection(waiter(COUNT), Interest::Everything);
    let (steps, ()) = steps_of(|| {
        (0..1000).for_each(|_| session.engine.tell_connection(&ConnectionNotice::Unblocked));
    });
    assert_eq!((steps, session.events()), (1000, 1000));
    let (steps, ()) = steps_of(|| (0..COUNT).for_each(|slot| session.engine.ignore_connection(waiter(slot))));
    assert_eq!((steps, session.engine.leftovers().observers), (COUNT.into(), 1));
}

#[test]
fn the_end_of_a_connection_resolves_what_waits_in_a_step_each_and_leaves_nothing() {
    let mut session = Session::open();
    let key = session.channel();
    (0..COUNT).for_each(|slot| session.call(key, queue::Declare::default(), slot));
    let (steps, ()) = steps_of(|| session.engine.handle_transport_lost(None));
    assert_eq!((steps, session.events()), (COUNT.into(), COUNT as usize));
    assert!(session.engine.leftovers().is_empty(), "left behind: {}", session.engine.leftovers());
}

#[test]
fn channels_that_the_broker_refuses_to_open_leave_no_closures() {
    let mut session = Session::open();
    let refused = channel::Close::default().reply_code(ReplyCode::NOT_ALLOWED);
    for slot in 0..COUNT {
        let key = session.engine.open_channel(waiter(slot), session.now).unwrap();
        session.say(key.number, refused.clone());
        let heard = session.engine.poll_event();
        assert!(matches!(heard, Some(Event::Completed(_, Completion::Failed(Failure::Closed { .. })))), "{heard:?}");
        assert_eq!(session.engine.leftovers().closures, 0, "after {slot}");
    }
    session.write();
    assert!(session.engine.leftovers().is_empty(), "left behind: {}", session.engine.leftovers());
}

#[test]
fn those_who_wait_for_room_cost_a_step_each_when_there_is_some_and_none_before() {
    let mut session = Session::with(|settings| settings.write_limit = 1000);
    let key = session.channel();
    session.write();
    let queue_declare = Method::from(queue::Declare::default());
    let refused = loop {
        if let Err(failure) = session.engine.call(key, &queue_declare, queue::Declare::REPLIES, waiter(0), session.now)
        {
            break failure;
        }
    };
    assert!(matches!(refused, Failure::WriteLimit { .. }), "{refused}");
    let taken = session.engine.poll_transmit().map_or(0, |outbound| outbound.len());
    let now = session.now;
    let (waiting, ()) = steps_of(|| {
        for slot in 0..COUNT {
            session.engine.wait_for_room(waiter(slot)).unwrap();
            session.say(0, connection::Unblocked::default());
        }
        session.engine.handle_written(1, now);
    });
    assert_eq!((waiting, session.events()), (0, 0));
    let half = COUNT / 2;
    let (leaving, ()) = steps_of(|| (0..half).for_each(|slot| session.engine.forget(waiter(slot), WaitsFor::Room)));
    assert_eq!(leaving, 0);
    let (going_on, ()) = steps_of(|| session.engine.handle_written(taken - 1, now));
    assert_eq!((going_on, session.events()), (u64::from(half), half as usize));
}
