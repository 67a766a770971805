//! A program that survives the failure of a broker, because its connection does.
//!
//! `cargo run --features broker --example failover` starts two embedded brokers, of which one
//! stops. For a cluster, one URL names all brokers:
//! `amqp://user:password@a:5672,b:5672/vhost?recovery=topology&endpoint_order=shuffled&heartbeat=20`.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "an example prints what it does, and may stop")]

use leveret::broker::Broker;
use leveret::{Connection, ConnectionEvent, Publisher, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (one, two) = (Broker::new(), Broker::new());
    let first = one.listen("127.0.0.1:0").await.expect("this machine has a port left");
    let second = two.listen("127.0.0.1:0").await.expect("this machine has a port left");
    let url = format!("amqp://{},{}?recovery=topology&recovery_delay=0.1", first.address(), second.address());

    let connection = Connection::open(url).await?;
    let events = tokio::spawn(report(connection.events()));
    let publisher = connection.open_channel().await?.confirm_select().await?;
    publisher.channel().queue_declare("jobs").await?;
    publish(&publisher, "the first half").await?;
    // The first broker stops, and the second takes over: it has the queue, and not its messages.
    drop((one, first));
    publish(&publisher, "the second half").await?;
    connection.close().await?;

    let lost = events.await.expect("it ends with the connection");
    println!("Done, {lost} connection lost on the way.");
    Ok(())
}

/// Publishes a message until a broker has confirmed it. It may arrive twice.
async fn publish(publisher: &Publisher, message: &str) -> Result<()> {
    loop {
        match publisher.publish("", "jobs", message).confirmed().await {
            Err(error) if error.is_retryable() => println!("Again: {error}"),
            outcome => return outcome,
        }
    }
}

/// Prints what happens to a connection, and counts how often it is lost.
async fn report(mut events: leveret::asynchronous::ConnectionEvents) -> usize {
    let mut lost = 0;
    while let Some(event) = events.next().await {
        lost += usize::from(matches!(event, ConnectionEvent::Lost { .. }));
        println!("{event}");
    }
    lost
}
