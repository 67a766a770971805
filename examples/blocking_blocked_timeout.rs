//! Publishes, and gives up the connection if the broker blocks publishing for too long because it
//! is short of memory or disk space.
//!
//! `cargo run --features blocking --example blocking_blocked_timeout` connects to the broker in
//! `AMQP_URL`, or to that of this machine. To make the broker block, run `rabbitmqctl
//! set_vm_memory_high_watermark 0`.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use std::time::Duration;

use leveret::blocking::Connection;
use leveret::{ConnectionEvent, ConnectionParameters, ErrorKind, Result};

/// How long the broker may block the connection.
const LIMIT: Duration = Duration::from_secs(2);

fn main() -> Result<()> {
    run(&std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://localhost".to_owned()))
}

pub(crate) fn run(url: &str) -> Result<()> {
    let parameters = ConnectionParameters::from_url(url)?.blocked_connection_timeout(LIMIT);
    let connection = Connection::open(parameters)?;
    // The iterator waits for events, and ends with the connection.
    let events = connection.events();
    let telling = std::thread::spawn(|| events.for_each(tell));

    match publish(&connection) {
        Ok(()) => println!("Published everything, and the broker has it."),
        // What was not confirmed has to be published again, on another connection.
        Err(error) if error.kind() == ErrorKind::ConnectionClosed => println!("Gave the connection up: {error}"),
        Err(error) => return Err(error),
    }
    // The close fails if the connection was given up, which was printed already.
    drop(connection.close());
    // A thread that only prints does not panic.
    drop(telling.join());
    Ok(())
}

fn publish(connection: &Connection) -> Result<()> {
    let publisher = connection.open_channel()?.confirm_select()?;
    let queue = publisher.channel().queue_declare("").exclusive(true).call()?.queue;
    for number in 0..100 {
        publisher.publish("", &queue, format!("message {number}")).confirmed()?;
    }
    Ok(())
}

fn tell(event: ConnectionEvent) {
    match event {
        ConnectionEvent::Blocked(reason) => println!("The broker blocks publishing: {reason}"),
        ConnectionEvent::Unblocked => println!("Publishing goes on."),
        ConnectionEvent::Closed(why) => println!("The connection is over: {why}"),
        other => println!("{other}"),
    }
}
