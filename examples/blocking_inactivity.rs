//! Consumes a queue until nothing has come for a while (Pika's `consume(inactivity_timeout=…)`).
//!
//! `cargo run --features blocking --example blocking_inactivity`, on the broker that `AMQP_URL`
//! names or on that of this machine.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use std::time::Duration;

use leveret::Result;
use leveret::blocking::Connection;

/// How long a pause is taken for the end.
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
        // None means that nothing has come for that long. The consumer goes on: to wait once more,
        // go on with the loop.
        let Some(delivery) = delivery? else { break };
        handled += 1;
        delivery.ack()?;
    }
    consumer.close()?;
    println!("Handled {handled} messages, and then nothing came for {INACTIVITY:?}.");
    connection.close()
}
