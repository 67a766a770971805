//! Consumes a queue until no message has arrived for a while (Pika's
//! `consume(inactivity_timeout=…)`).
//!
//! `cargo run --features blocking --example blocking_inactivity` connects to the broker in
//! `AMQP_URL`, or to that of this machine.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use std::time::Duration;

use leveret::Result;
use leveret::blocking::Connection;

/// The pause after which the consumer stops.
const INACTIVITY: Duration = Duration::from_millis(500);

fn main() -> Result<()> {
    run(&std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://localhost".to_owned()))
}

pub(crate) fn run(url: &str) -> Result<()> {
    let connection = Connection::open(url)?;
    let channel = connection.open_channel()?;
    let queue = channel.queue_declare("").exclusive(true).call()?.queue;
    for number in 1..=10 {
        channel.publish("", &queue, format!("job {number}")).send()?;
    }

    let mut handled = 0;
    let mut consumer = channel.consume(queue).call()?;
    for delivery in consumer.iter_timeout(INACTIVITY) {
        // `None` means that no message has arrived for that long. The consumer continues: to wait
        // once more, continue the loop.
        let Some(delivery) = delivery? else { break };
        handled += 1;
        delivery.ack()?;
    }
    consumer.close()?;
    println!("Handled {handled} messages, and then nothing came for {INACTIVITY:?}.");
    connection.close()
}
