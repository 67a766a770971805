//! Many consumers, and many deliveries whose tags are in no order.

use super::*;
use crate::engine::{Settle, Taken};
use crate::protocol::basic::Properties;

/// Consumers of one channel; starting one costs much more than a step.
const CONSUMERS: u32 = 20_000;

fn tag(index: u32) -> String {
    format!("c{index}")
}

impl Session {
    /// Starts consumers on a channel, without waiting for the broker.
    fn consumers(&mut self, key: ChannelKey, count: u32) {
        for index in 0..count {
            let consume = basic::Consume::default().consumer_tag(tag(index).as_str()).no_wait(true);
            self.engine.send(key, &consume.into(), true).unwrap();
        }
        self.write();
    }

    /// A small message arrives.
    fn deliver(&mut self, consumer: u32, delivery_tag: u64) {
        let deliver = basic::Deliver::default().consumer_tag(tag(consumer).as_str()).delivery_tag(delivery_tag);
        let encoder = Encoder::new(0);
        let mut outbound = Outbound::new();
        encoder.any_method(&mut outbound, 1, &deliver.into()).unwrap();
        encoder.header(&mut outbound, 1, 0, Some(&Properties::default())).unwrap();
        let mut slices = [IoSlice::new(&[])];
        assert_eq!(outbound.slices(&mut slices), 1);
        self.engine.handle_bytes(&mut BytesMut::from(&slices[0][..]), self.now);
        assert_eq!(self.engine.closure(), None);
    }
}

/// Bytes that are counted for a message.
fn size() -> u64 {
    let mut session = Session::open();
    let key = session.channel();
    session.consumers(key, 1);
    (1..=2).for_each(|tag| session.deliver(0, tag));
    session.engine.leftovers().undelivered
}

#[test]
fn consumers_that_do_not_keep_up_end_in_a_few_steps_each() {
    let all = u64::from(CONSUMERS) * size();
    let limit = usize::try_from(all * 2 / 3).unwrap();
    let mut session = Session::with(|settings| settings.read_limit = limit);
    let key = session.channel();
    session.consumers(key, CONSUMERS);
    let mut delivery_tags = 1..;
    let mut deliver_each = |session: &mut Session| {
        (0..CONSUMERS).zip(&mut delivery_tags).for_each(|(index, tag)| session.deliver(index, tag));
    };
    deliver_each(&mut session);
    assert_eq!(session.engine.leftovers().undelivered, 0, "the first counts for nothing");
    // A third of them has to end together.
    deliver_each(&mut session);
    assert_eq!(session.engine.leftovers().undelivered, all);
    let later = session.now + Duration::from_secs(15);
    let (together, ()) = steps_of(|| session.engine.handle_timeout(later, later));
    assert!(session.engine.leftovers().undelivered <= limit as u64);
    assert!(together <= 3 * u64::from(CONSUMERS), "{together} steps");
    // The others end one by one, at twice the limit.
    session.now = later;
    let (one_by_one, ()) = steps_of(|| (0..6).for_each(|_| deliver_each(&mut session)));
    assert!(session.engine.leftovers().undelivered <= 2 * limit as u64);
    assert!(one_by_one <= 40 * u64::from(CONSUMERS), "{one_by_one} steps");
    session.write();
    session.engine.handle_transport_lost(None);
    session.events();
    assert!(session.engine.leftovers().is_empty(), "left behind: {}", session.engine.leftovers());
}

#[test]
fn deliveries_whose_tags_come_in_no_order_take_a_few_steps_each() {
    let delivery_tags = scattered(COUNT.into());
    let mut session = Session::open();
    let key = session.channel();
    session.consumers(key, 1);
    let consumer = session.engine.claim_consumer(key, &tag(0).as_str().into()).unwrap();
    let (arriving, ()) = steps_of(|| delivery_tags.for_each(|tag| session.deliver(0, tag)));
    assert!(arriving <= 3 * u64::from(COUNT), "{arriving} steps");
    // Half of them is taken and settled.
    let (mut deliveries, mut taken) = (std::collections::VecDeque::new(), Vec::new());
    while taken.len() < COUNT as usize / 2 {
        assert_eq!(session.engine.take_deliveries(consumer, &mut deliveries, waiter(1)), Taken::Nothing);
        taken.extend(deliveries.drain(..));
    }
    let (settling, ()) = steps_of(|| {
        for delivery in &taken {
            session.engine.settle(key, delivery.delivery_tag, Settle::Ack { multiple: false }).unwrap();
        }
    });
    assert!(settling <= 3 * u64::from(COUNT), "{settling} steps");
    session.write();
    // The rest is returned together.
    let (going_back, ()) = steps_of(|| {
        session.engine.drop_consumer(consumer, [], None);
        session.say(1, basic::CancelOk::default().consumer_tag(tag(0).as_str()));
    });
    assert!(going_back <= 6 * u64::from(COUNT), "{going_back} steps");
    assert!(session.engine.queued() < 100, "{} bytes", session.engine.queued());
}
