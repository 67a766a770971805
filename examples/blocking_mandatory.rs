//! Publishes messages that must reach a queue (`mandatory`), and handles those that reach none.
//!
//! `cargo run --features blocking --example blocking_mandatory` connects to the broker in
//! `AMQP_URL`, or to that of this machine.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use std::time::Duration;

use leveret::blocking::Connection;
use leveret::{ErrorKind, Result};

fn main() -> Result<()> {
    run(&std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://localhost".to_owned()))
}

pub(crate) fn run(url: &str) -> Result<()> {
    let connection = Connection::open(url)?;

    // With confirms, the confirm fails with an error that holds the message.
    let publisher = connection.open_channel()?.confirm_select()?;
    match publisher.publish("amq.direct", "no such key", "confirmed").mandatory(true).confirmed() {
        Err(error) if error.kind() == ErrorKind::Returned => println!("No queue took the confirmed message: {error}"),
        outcome => return outcome,
    }

    // Without confirms, the message is returned on its channel.
    let channel = connection.open_channel()?;
    let mut returns = channel.returns();
    channel.publish("amq.direct", "no such key", "plain").mandatory(true).send()?;
    if let Some(returned) = returns.next_timeout(Duration::from_secs(10))? {
        let body = String::from_utf8_lossy(returned.message.body()).into_owned();
        println!("The plain message {body:?} came back: {}", returned.reply_code);
    }
    connection.close()
}
