//! Consumes a queue: an iterator that waits for the next message.
//!
//! `cargo run --features blocking --example blocking_consume` connects to the broker in `AMQP_URL`,
//! or to that of this machine. Heartbeats are sent while a message is handled, however long that
//! takes.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use leveret::Result;
use leveret::blocking::{Channel, Connection};
use leveret::{Properties, ShortString};

fn main() -> Result<()> {
    run(&std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://localhost".to_owned()))
}

pub(crate) fn run(url: &str) -> Result<()> {
    let connection = Connection::open(url)?;
    let channel = connection.open_channel()?;
    let queue = channel.queue_declare("").exclusive(true).call()?.queue;
    publish(&connection.open_channel()?, &queue)?;

    let mut consumer = channel.consume(queue).prefetch(100).call()?;
    for delivery in consumer.by_ref() {
        let delivery = delivery?;
        let body = String::from_utf8_lossy(delivery.body()).into_owned();
        println!("Received {body:?}.");
        delivery.ack()?;
        if body == "goodbye" {
            break;
        }
    }
    // Messages that the iterator has not given return to the queue.
    consumer.close()?;
    println!("Consumed everything up to the goodbye.");
    connection.close()
}

/// Publishes messages, as another program would.
fn publish(channel: &Channel, queue: &ShortString) -> Result<()> {
    let properties = Properties::default().content_type("text/plain");
    for body in ["hello", "how are you", "goodbye", "too late"] {
        channel.publish("", queue, body).properties(&properties).send()?;
    }
    Ok(())
}
