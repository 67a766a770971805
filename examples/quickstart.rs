//! The first program: publishes a message, consumes it, acknowledges it.
//!
//! `cargo run --features broker --example quickstart` needs no installed broker: it starts an
//! embedded one. To use another broker, name it: `AMQP_URL=amqp://user:password@host cargo run
//! --example quickstart`. Without the feature and the variable, it connects to the broker on this
//! machine.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints what it does")]

use std::env;
use std::process::ExitCode;

use leveret::{Connection, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // The embedded broker runs as long as this value lives.
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
            eprintln!("No connection: {error:?}\nAMQP_URL names a broker; without it, --features broker starts one.");
            return ExitCode::FAILURE;
        }
    };
    match hello(&connection).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Failed: {error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn hello(connection: &Connection) -> Result<()> {
    println!("Connected.");
    let channel = connection.open_channel().await?;

    // An exclusive queue, which is deleted with the connection. The broker generates its name.
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

    // Closing returns `Ok` when the broker has read everything that was queued. A program that just
    // ends does not learn that.
    connection.close().await?;
    println!("Closed the connection.");
    Ok(())
}
