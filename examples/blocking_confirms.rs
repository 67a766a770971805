//! Publishes with confirms: the broker confirms each message for which it has taken responsibility.
//!
//! `cargo run --features blocking --example blocking_confirms` connects to the broker in
//! `AMQP_URL`, or to that of this machine.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use leveret::blocking::Connection;
use leveret::{ErrorKind, Properties, Result};

fn main() -> Result<()> {
    run(&std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://localhost".to_owned()))
}

pub(crate) fn run(url: &str) -> Result<()> {
    let connection = Connection::open(url)?;
    let publisher = connection.open_channel()?.confirm_select()?;
    let queue = publisher.channel().queue_declare("").exclusive(true).call()?.queue;
    let persistent = Properties::default().persistent(true);

    // One at a time: a round trip for each message.
    match publisher.publish("", &queue, "the first").properties(&persistent).confirmed() {
        Ok(()) => println!("The broker has the first message."),
        Err(error) if error.kind() == ErrorKind::Nacked => println!("The broker refused it: {error}"),
        Err(error) => return Err(error),
    }

    // Many in flight: queue them all, then wait for each confirm.
    let mut confirms = Vec::new();
    for number in 0..1000 {
        let body = format!("message {number}");
        confirms.push(publisher.publish("", &queue, body).properties(&persistent).send()?);
    }
    let mut refused = 0;
    for confirm in confirms {
        match confirm.wait() {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Nacked => refused += 1,
            Err(error) => return Err(error),
        }
    }
    println!("Published 1000 more, of which the broker refused {refused}.");
    connection.close()
}
