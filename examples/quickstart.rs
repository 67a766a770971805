//! The first program: publishes a message, consumes it, acknowledges it.
//!
//! `cargo run --features broker --example quickstart` needs nothing else: it brings its own broker.
//! To have it use another one, name it:
//! `AMQP_URL=amqp://user:password@host cargo run --example quickstart`. Without either it tries the
//! broker of this machine.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example tells what it does")]

use std::env;
use std::process::ExitCode;

use leveret::{Connection, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // An embedded broker lives as long as this.
    #[cfg(feature = "broker")]
    let broker = leveret::broker::Broker::new();

    let connection = match env::var("AMQP_URL") {
        Ok(url) => Connection::open(url.as_str()).await,
        #[cfg(feature = "broker")]
        Err(_) => Connection::open_on(broker.connect(), "amqp://localhost").await,
        #[cfg(not(feature = "broker"))]
        Err(_) => Connection::open("amqp://localhost").await,
    };
    let connection = match connection {
        Ok(connection) => connection,
        Err(error) => {
            eprintln!("No connection: {error:?}\nAMQP_URL names a broker; without it, --features broker brings one.");
            return ExitCode::FAILURE;
        }
    };
    match hello(&connection).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("It went wrong: {error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn hello(connection: &Connection) -> Result<()> {
    println!("Connected.");
    let channel = connection.open_channel().await?;

    // A queue of our own that goes away with the connection; the broker gives it a name.
    let queue = channel.queue_declare("").exclusive(true).await?.queue;
    println!("Declared the queue {queue}.");

    // Confirmed, because a plain publish resolves when the message is queued, which is before it is
    // sent.
    let publisher = channel.confirm_select().await?;
    publisher.publish("", &queue, "Hello, world!").confirmed().await?;
    println!("Published a message, and the broker confirmed it.");

    let mut consumer = channel.consume(queue).await?;
    if let Some(delivery) = consumer.try_next().await? {
        println!("Received: {}", String::from_utf8_lossy(delivery.body()));
        delivery.ack().await?;
        println!("Acknowledged it.");
    }

    // Closing is Ok when the broker has read all that was queued: a program that just ends does not
    // hear of it.
    connection.close().await?;
    println!("Closed the connection.");
    Ok(())
}
