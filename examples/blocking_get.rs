//! Fetches messages one by one (`basic.get`), on a thread that waits.
//!
//! `cargo run --features blocking --example blocking_get` connects to the broker in `AMQP_URL`, or
//! to that of this machine. To take many messages, consume the queue instead: see
//! `blocking_consume`.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use leveret::Result;
use leveret::blocking::Connection;

fn main() -> Result<()> {
    run(&std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://localhost".to_owned()))
}

pub(crate) fn run(url: &str) -> Result<()> {
    let connection = Connection::open(url)?;
    let channel = connection.open_channel()?;
    let queue = channel.queue_declare("").exclusive(true).call()?.queue;
    for body in ["one", "two", "three"] {
        channel.publish("", &queue, body).send()?;
    }

    while let Some(message) = channel.get(&queue).call()? {
        let body = String::from_utf8_lossy(message.body()).into_owned();
        println!("Got {body:?}, and {} more are there.", message.message_count());
        message.ack()?;
    }
    println!("The queue is empty.");
    connection.close()
}
