//! What an example does with its connection, in handlers, whatever loop calls them: it declares a
//! queue, publishes with a confirm, consumes, acknowledges and closes.

use std::error::Error;

use leveret::callback::{Channel, Connection, Delivery};
use leveret::protocol::queue;

/// What the handlers share.
#[derive(Default)]
pub(crate) struct Session {
    connection: Option<Connection<Session>>,
    failed: Option<leveret::Error>,
    closed: bool,
}

impl Session {
    /// What became of it, once there is nothing more to be done.
    pub(crate) fn finish(self) -> Result<(), Box<dyn Error>> {
        match self.failed {
            Some(error) => Err(error.into()),
            None if self.closed => Ok(()),
            None => Err("it ended before it was closed".into()),
        }
    }

    /// Prints what was done and gives it; at a failure the session ends.
    fn done<T>(&mut self, what: &str, result: leveret::Result<T>) -> Option<T> {
        match result {
            Ok(done) => {
                println!("{what}");
                Some(done)
            }
            Err(error) => {
                self.failed.get_or_insert(error);
                self.connection.iter().for_each(Connection::close);
                None
            }
        }
    }
}

pub(crate) fn on_open(session: &mut Session, connection: &Connection<Session>, opened: leveret::Result<()>) {
    if session.done("Connected.", opened).is_some() {
        session.connection = Some(connection.clone());
        connection.open_channel(on_channel);
    }
}

fn on_channel(session: &mut Session, _: &Connection<Session>, channel: leveret::Result<Channel<Session>>) {
    if let Some(channel) = session.done("Opened a channel.", channel) {
        channel.queue_declare("").exclusive(true).then(on_declared);
    }
}

fn on_declared(session: &mut Session, channel: &Channel<Session>, declared: leveret::Result<queue::DeclareOk>) {
    let Some(declared) = session.done("Declared a queue.", declared) else { return };
    let queue = declared.queue;
    channel.confirm_select(move |session, _, publisher| {
        let Some(publisher) = session.done("Publishes are confirmed.", publisher) else { return };
        publisher.publish("", queue.clone(), "Hello, world!").then(|session, channel, outcome| {
            if session.done("Published a message, and the broker confirmed it.", outcome).is_some() {
                channel.consume(queue).each(on_delivery);
            }
        });
    });
}

fn on_delivery(session: &mut Session, _: &Channel<Session>, delivery: Delivery<Session>) {
    println!("Received: {}", String::from_utf8_lossy(delivery.body()));
    let acknowledged = delivery.ack();
    if session.done("Acknowledged it.", acknowledged).is_none() {
        return;
    }
    if let Some(connection) = session.connection.take() {
        connection.close_then(|session, _, closed| {
            session.closed = session.done("Closed the connection.", closed).is_some();
        });
    }
}
