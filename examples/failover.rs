//! A program that stays connected, with several brokers, deadlines, events, and a new connection
//! when one is lost.
//!
//! `cargo run --features broker --example failover` starts two embedded brokers, of which one
//! stops. For a cluster, one URL names all brokers:
//! `amqp://user:password@a:5672,b:5672/vhost?endpoint_order=shuffled&connection_attempts=10&heartbeat=20`.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "an example prints what it does, and may stop")]

use std::time::Duration;

use leveret::broker::Broker;
use leveret::config::Endpoint;
use leveret::{Connection, ConnectionEvent, ConnectionParameters, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (one, two) = (Broker::new(), Broker::new());
    let first = one.listen("127.0.0.1:0").await.expect("this machine has a port left");
    let second = two.listen("127.0.0.1:0").await.expect("this machine has a port left");

    let endpoints = [&first, &second].map(|listener| Endpoint::new("127.0.0.1").with_port(listener.address().port()));
    let parameters = ConnectionParameters::default()
        .endpoints(endpoints)
        .connection_name("failover")
        .connection_attempts(3)
        .retry_delay(Duration::from_millis(100))
        .heartbeat(20)
        .blocked_connection_timeout(Duration::from_secs(60));
    println!("The same as a URL: {parameters}");

    // While the program works, the first broker stops, and the second one takes over.
    let mut first = Some((one, first));
    let mut lost = 0;
    while let Err(error) = session(&parameters, || drop(first.take())).await {
        lost += 1;
        println!("Lost a connection: {error}");
        if !error.is_retryable() || lost > 3 {
            return Err(error);
        }
    }
    println!("Done, {lost} connection lost on the way.");
    Ok(())
}

/// Works on one connection. Returns the reason if the connection is lost.
async fn session(parameters: &ConnectionParameters, halfway: impl FnOnce()) -> Result<()> {
    let connection = Connection::open(parameters).await?;
    let events = tokio::spawn(report(connection.clone()));
    let channel = connection.open_channel().await?;
    let publisher = channel.confirm_select().await?;
    channel.queue_declare("jobs").await?;
    publisher.publish("", "jobs", "the first half").confirmed().await?;
    halfway();
    publisher.publish("", "jobs", "the second half").confirmed().await?;
    println!("Published everything.");
    connection.close().await?;
    events.await.expect("it ends with the connection");
    Ok(())
}

/// Prints what happens to a connection. The stream of events does not keep the connection open.
async fn report(connection: Connection) {
    let mut events = connection.events();
    drop(connection);
    while let Some(event) = events.next().await {
        match event {
            ConnectionEvent::Blocked(reason) => println!("The broker blocks publishing: {reason}"),
            ConnectionEvent::Unblocked => println!("Publishing resumes."),
            ConnectionEvent::Closed(reason) => println!("The connection ended: {reason}"),
            other => println!("{other:?}"),
        }
    }
}
