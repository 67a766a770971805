//! Connections that survive the loss of their transport.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use leveret::callback::{Channel, Connection, Delivery};
use leveret::config::{Credentials, Provided};
use leveret::{ConnectionEvent, ConnectionParameters, ConnectionState, ErrorKind};

use super::gate::{Gate, cut};
use super::rig::Rig;

#[derive(Default)]
struct App {
    log: Vec<String>,
    deliveries: Vec<Delivery<App>>,
    /// How often it was lost, and how often recovered.
    lost: usize,
    recovered: usize,
}

impl App {
    fn note(&mut self, what: impl Into<String>) {
        self.log.push(what.into());
    }
}

/// A broker at a gate, and a connection that is recovered.
struct Stage {
    app: App,
    connection: Connection<App>,
    channel: Channel<App>,
    rig: Rig<App>,
    gate: Gate,
}

impl Stage {
    fn new() -> Self {
        Self::with(|parameters| parameters)
    }

    fn with(with: impl FnOnce(ConnectionParameters) -> ConnectionParameters) -> Self {
        let (mut rig, mut app) = (Rig::new(), App::default());
        let gate = Gate::new(&rig.host);
        let parameters = with(gate.parameters());
        let connection = rig.wait(&mut app, |event_loop, answer| {
            Connection::open(event_loop, parameters, |_, connection, opened| {
                opened.unwrap();
                answer.give(connection.clone());
            })
            .unwrap();
        });
        connection.on_lost(|app, _, _| app.lost += 1);
        connection.on_recovered(|app, _| app.recovered += 1);
        let channel = rig.channel(&mut app, &connection);
        let declare = channel.queue_declare("jobs").durable(true);
        rig.wait(&mut app, |_, answer| declare.then(|_, _, declared| answer.give(declared.unwrap())));
        Self { app, connection, channel, rig, gate }
    }

    fn run_until(&mut self, mut done: impl FnMut(&App) -> bool) {
        self.rig.event_loop.run_until(&mut self.app, |app| done(app)).unwrap();
    }

    /// Loses the transport, and runs until the connection is recovered.
    fn lose(&mut self) {
        let before = self.app.recovered;
        cut(&self.rig.host);
        self.run_until(|app| app.recovered > before);
    }

    /// Loses the transport, and lets no other be made.
    fn cut_off(&mut self) {
        self.gate.shut();
        cut(&self.rig.host);
        self.run_until(|app| app.lost == 1);
        assert!(self.connection.is_recovering());
    }

    fn until_recovered(&mut self) {
        let connection = self.connection.clone();
        let recovered = self.rig.wait(&mut self.app, |_, answer| {
            connection.recovered(|_, _, recovered| answer.give(recovered));
        });
        recovered.unwrap();
    }

    /// Starts a consumer, and runs until the broker has it.
    fn consume(&mut self) {
        let consume = self.channel.consume("jobs");
        self.rig.wait(&mut self.app, |_, answer| {
            consume.on_start(|_, _, tag| answer.give(tag)).each(|app, _, delivery| app.deliveries.push(delivery));
        });
    }
}

#[test]
fn the_handler_of_a_consumer_goes_on_after_a_loss_whoever_drives() {
    for driver_thread in [false, true] {
        let mut stage = Stage::with(|parameters| parameters.driver_thread(driver_thread));
        stage.consume();
        for round in 1..4 {
            stage.lose();
            stage.channel.publish("", "jobs", format!("round {round}")).send();
            stage.run_until(|app| !app.deliveries.is_empty());
            let delivery = stage.app.deliveries.remove(0);
            assert_eq!(delivery.body(), format!("round {round}").as_bytes());
            assert_eq!((delivery.generation(), delivery.is_stale()), (round, false));
            delivery.ack().unwrap();
            // An ack that is still queued at a loss is lost.
            stage.rig.until(&mut stage.app, |broker| broker.queue("/", "jobs").unwrap().unacknowledged == 0);
        }
        stage.connection.close();
        stage.rig.event_loop.run(&mut stage.app).unwrap();
        stage.rig.host.until_left();
        assert_eq!(stage.rig.host.messages("jobs"), (0, 0));
    }
}

#[test]
fn handlers_are_called_with_a_loss_and_a_recovery_in_their_order() {
    let mut stage = Stage::new();
    stage.connection.on_lost(|app, _, cause| {
        assert_eq!(cause.kind(), ErrorKind::ConnectionClosed);
        app.note("lost");
    });
    stage.connection.on_recovered(|app, _| app.note("recovered"));
    stage.connection.on_event(|app, _, event| match event {
        ConnectionEvent::Lost { .. } => app.note("event: lost"),
        ConnectionEvent::Reconnecting { attempt: 1, .. } => app.note("event: reconnecting"),
        ConnectionEvent::Recovered { generation: 1, .. } => app.note("event: recovered"),
        other => panic!("{other:?}"),
    });
    cut(&stage.rig.host);
    stage.run_until(|app| app.log.len() == 5);
    assert_eq!(stage.app.log, ["lost", "event: lost", "event: reconnecting", "recovered", "event: recovered"]);
}

#[test]
fn what_is_not_recorded_does_not_come_back() {
    let mut stage = Stage::new();
    for (queue, recorded) in [("kept", true), ("mine", false)] {
        let declare = stage.channel.queue_declare(queue).exclusive(true).recorded(recorded);
        stage.rig.wait(&mut stage.app, |_, answer| declare.then(|_, _, declared| answer.give(declared.unwrap())));
    }
    let consume = stage.channel.consume("jobs").recorded(false).on_end(|app: &mut App, _, error| {
        app.note(format!("{:?}", error.unwrap().kind()));
    });
    stage.rig.wait(&mut stage.app, |_, answer| {
        consume.on_start(|_, _, tag| answer.give(tag)).each(|app, _, delivery| app.deliveries.push(delivery));
    });
    stage.lose();
    stage.run_until(|app| !app.log.is_empty());
    assert_eq!(stage.app.log, [format!("{:?}", ErrorKind::ConnectionClosed)]);
    assert!(stage.rig.host.broker.state().queue("/", "kept").is_some());
    assert!(stage.rig.host.broker.state().queue("/", "mine").is_none());
}

#[test]
fn a_delivery_from_before_a_loss_is_stale_and_comes_again() {
    let mut stage = Stage::new();
    stage.consume();
    stage.channel.publish("", "jobs", "work").send();
    stage.run_until(|app| app.deliveries.len() == 1);
    stage.lose();
    stage.run_until(|app| app.deliveries.len() == 2);
    let [stale, again]: [_; 2] = std::mem::take(&mut stage.app.deliveries).try_into().unwrap();
    assert!(stale.is_stale() && !again.is_stale() && again.is_redelivered());
    let error = stale.ack().unwrap_err();
    assert!(error.is_stale_delivery() && error.is_not_sent(), "{error}");
    again.ack().unwrap();
    stage.rig.until(&mut stage.app, |broker| broker.queue("/", "jobs").unwrap().unacknowledged == 0);
    assert_eq!(stage.rig.host.messages("jobs"), (0, 0));
}

#[test]
fn requests_wait_while_down_and_their_handlers_are_called_after_it() {
    let mut stage = Stage::new();
    stage.cut_off();
    assert!(!stage.connection.is_open());
    assert_eq!(stage.connection.state(), Some(ConnectionState::Recovering));
    stage.channel.queue_declare("more").then(|app: &mut App, _, declared| {
        app.note(format!("declared {}", declared.unwrap().queue));
    });
    stage.channel.publish("", "more", "one").then(|app: &mut App, _, sent| {
        sent.unwrap();
        app.note("published");
    });
    stage.rig.event_loop.pass(&mut stage.app, Some(std::time::Duration::from_millis(30))).unwrap();
    assert!(stage.app.log.is_empty());
    stage.gate.open();
    stage.until_recovered();
    stage.run_until(|app| app.log.len() == 2);
    stage.app.log.sort();
    assert_eq!(stage.app.log, ["declared more", "published"]);
    stage.rig.until(&mut stage.app, |broker| broker.queue("/", "more").is_some_and(|queue| queue.ready == 1));
}

#[test]
fn a_close_ends_the_recovery_and_what_waits_for_it() {
    let mut stage = Stage::new();
    stage.cut_off();
    stage.connection.recovered(|app, _, recovered| {
        app.note(format!("recovered: {:?}", recovered.unwrap_err().kind()));
    });
    stage.connection.close_then(|app, _, closed| {
        closed.unwrap();
        app.note("closed");
    });
    // It ends, because nothing is waited for any more.
    stage.rig.event_loop.run(&mut stage.app).unwrap();
    stage.app.log.sort();
    assert_eq!(stage.app.log, ["closed", "recovered: ConnectionClosed"]);
    stage.rig.host.until_left();
}

#[test]
fn a_provider_of_credentials_is_asked_at_each_attempt() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let credentials = Credentials::provided_by(move || {
        counts.fetch_add(1, Ordering::Relaxed);
        async { Ok(Provided::from(Credentials::default())) }
    });
    let mut stage = Stage::with(|parameters| parameters.credentials(credentials));
    stage.rig.host.broker.state().refuse_logins(2);
    stage.lose();
    assert_eq!(asked.load(Ordering::Relaxed), 4, "at the open, twice in vain, and once more");
}

#[test]
fn what_is_forgotten_does_not_come_back() {
    let mut stage = Stage::new();
    for queue in ["kept", "forgotten"] {
        let declare = stage.channel.queue_declare(queue).exclusive(true);
        stage.rig.wait(&mut stage.app, |_, answer| declare.then(|_, _, declared| answer.give(declared.unwrap())));
    }
    let declare = stage.channel.exchange_declare("events", "fanout");
    stage.rig.wait(&mut stage.app, |_, answer| declare.then(|_, _, declared| answer.give(declared.unwrap())));
    let connection = stage.connection.clone();
    assert!(connection.forget_queue("forgotten") && !connection.forget_queue("forgotten"));
    assert!(connection.forget_exchange("events") && !connection.forget_exchange("events"));
    assert_eq!(connection.topology().len(), 2, "{:?}", connection.topology());
    stage.lose();
    assert!(stage.rig.host.broker.state().queue("/", "kept").is_some());
    assert!(stage.rig.host.broker.state().queue("/", "forgotten").is_none());
}

#[test]
fn a_connection_that_is_not_open_yet_is_not_recovering() {
    let (mut rig, mut app) = (Rig::<App>::new(), App::default());
    let url = rig.host.url.clone();
    let connection = Connection::open(&mut rig.event_loop, url.as_str(), |_, _, _| {}).unwrap();
    assert!(!connection.is_recovering() && connection.topology().is_empty());
    assert_eq!(connection.generation(), 0);
    assert!(!connection.forget_queue("q") && !connection.forget_exchange("x"));
    connection.recovered(|app, _, recovered| app.note(recovered.unwrap_err().to_string()));
    rig.event_loop.run_until(&mut app, |app| !app.log.is_empty()).unwrap();
    assert_eq!(app.log, ["the connection is not open yet"]);
}
