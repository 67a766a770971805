//! Connections that survive the loss of their transport.

mod transports;
mod within_outage;

use std::time::Duration;

use leveret::blocking::{Channel, Connection, ConnectionEvents};
use leveret::{ConnectionEvent, ConnectionParameters, ConnectionState, Entity};

use super::gate::{Gate, cut};
use super::host::Host;
use super::within::{PATIENCE, in_time};

/// A broker at a gate, and a connection that is recovered.
struct World {
    connection: Connection,
    channel: Channel,
    events: ConnectionEvents,
    gate: Gate,
    host: Host,
}

impl World {
    fn new() -> Self {
        Self::with(|parameters| parameters)
    }

    fn with(with: impl FnOnce(ConnectionParameters) -> ConnectionParameters) -> Self {
        let host = Host::new();
        let gate = Gate::new(&host);
        let connection = Connection::open(with(gate.parameters())).unwrap();
        let (channel, events) = (connection.open_channel().unwrap(), connection.events());
        channel.queue_declare("jobs").durable(true).call().unwrap();
        Self { connection, channel, events, gate, host }
    }

    /// Loses the transport, and waits until the connection is recovered.
    fn lose(&mut self) {
        cut(&self.host);
        recovered(&mut self.events);
    }

    /// Loses the transport, and lets no other be made.
    fn cut_off(&mut self) {
        self.gate.shut();
        cut(&self.host);
        assert!(matches!(next(&mut self.events), ConnectionEvent::Lost { .. }));
    }
}

fn next(events: &mut ConnectionEvents) -> ConnectionEvent {
    events.next_timeout(PATIENCE).unwrap().expect("something happens")
}

/// Waits for the event of the recovery, of which everything is a part.
fn recovered(events: &mut ConnectionEvents) {
    loop {
        if let ConnectionEvent::Recovered { failed, .. } = next(events) {
            return assert!(failed.is_empty(), "{failed:?}");
        }
    }
}

#[test]
fn an_iterator_over_a_consumer_goes_on_after_a_loss() {
    for driver_thread in [false, true] {
        in_time(move || {
            let mut world = World::with(|parameters| parameters.driver_thread(driver_thread));
            let mut consumer = world.channel.consume("jobs").consumer_tag("tag").prefetch(3).call().unwrap();
            let tag = consumer.consumer_tag().clone();
            world.lose();
            world.channel.publish("", "jobs", "after").send().unwrap();
            let delivery = consumer.next().unwrap().unwrap();
            assert_eq!((delivery.body(), delivery.consumer_tag()), (b"after".as_slice(), &tag));
            delivery.ack().unwrap();
            world.host.until_ready("jobs", 0);
            let consumers = world.host.broker.state().consumers("/");
            assert_eq!(consumers.iter().map(|it| &it.tag).collect::<Vec<_>>(), [&tag]);
            world.connection.close().unwrap();
            world.host.until_left();
        });
    }
}

#[test]
fn events_are_reported_in_their_order() {
    in_time(|| {
        let mut world = World::new();
        cut(&world.host);
        assert!(matches!(next(&mut world.events), ConnectionEvent::Lost { unknown: 0, .. }));
        assert!(matches!(next(&mut world.events), ConnectionEvent::Reconnecting { attempt: 1, .. }));
        assert!(matches!(next(&mut world.events), ConnectionEvent::Recovered { generation: 1, .. }));
        assert_eq!(world.connection.generation(), 1);
    });
}

#[test]
fn a_delivery_from_before_a_loss_is_stale_and_comes_again() {
    in_time(|| {
        let mut world = World::new();
        world.channel.publish("", "jobs", "work").send().unwrap();
        let mut consumer = world.channel.consume("jobs").call().unwrap();
        let stale = consumer.try_next().unwrap().unwrap();
        assert!(!stale.is_stale());
        world.lose();
        let again = consumer.try_next().unwrap().unwrap();
        assert!(stale.is_stale() && !again.is_stale() && again.is_redelivered());
        assert_eq!((stale.generation(), again.generation()), (0, 1));
        let error = stale.ack().unwrap_err();
        assert!(error.is_stale_delivery() && error.is_not_sent(), "{error}");
        again.ack().unwrap();
        world.host.until_ready("jobs", 0);
    });
}

#[test]
fn a_queue_that_is_forgotten_does_not_come_back() {
    in_time(|| {
        let mut world = World::new();
        for queue in ["kept", "forgotten"] {
            world.channel.queue_declare(queue).exclusive(true).call().unwrap();
        }
        world.channel.exchange_declare("events", "fanout").call().unwrap();
        assert_eq!(world.connection.topology().len(), 4);
        assert!(world.connection.forget_queue("forgotten") && !world.connection.forget_queue("forgotten"));
        assert!(world.connection.forget_exchange("events") && !world.connection.forget_exchange("events"));
        world.lose();
        assert!(world.host.broker.state().queue("/", "kept").is_some());
        assert!(world.host.broker.state().queue("/", "forgotten").is_none());
        let topology = world.connection.topology();
        let left: Vec<_> = topology.iter().map(leveret::Recorded::entity).collect();
        assert_eq!(left, [Entity::Queue("jobs".into()), Entity::Queue("kept".into())]);
    });
}

#[test]
fn what_is_not_recorded_does_not_come_back() {
    in_time(|| {
        let mut world = World::new();
        world.channel.queue_declare("kept").exclusive(true).call().unwrap();
        world.channel.queue_declare("mine").exclusive(true).recorded(false).call().unwrap();
        let mut consumer = world.channel.consume("jobs").recorded(false).call().unwrap();
        world.lose();
        assert!(world.host.broker.state().queue("/", "kept").is_some());
        assert!(world.host.broker.state().queue("/", "mine").is_none());
        assert_eq!(consumer.next().unwrap().unwrap_err().kind(), leveret::ErrorKind::ConnectionClosed);
        assert!(consumer.next().is_none());
    });
}

#[test]
fn waiting_for_the_recovery_ends_with_it_or_at_a_limit() {
    in_time(|| {
        let mut world = World::new();
        world.connection.recovered().unwrap();
        world.cut_off();
        assert!(world.connection.is_recovering() && !world.connection.is_open());
        assert_eq!(world.connection.state(), ConnectionState::Recovering);
        assert_eq!(world.connection.recovered_timeout(Duration::from_millis(30)).unwrap(), None);
        world.gate.open();
        assert_eq!(world.connection.recovered_timeout(PATIENCE).unwrap(), Some(()));
        assert!(world.connection.is_open() && !world.connection.is_recovering());
    });
}
