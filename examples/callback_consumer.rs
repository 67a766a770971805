//! The consumer of Pika's introduction, with callbacks on an event loop: it prints messages until
//! Ctrl-C, then closes its connection.
//!
//! `cargo run --features callback --example callback_consumer` connects to the broker in `AMQP_URL`
//! (`amqp://user:password@host`), or to that of this machine.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example tells what it does")]

use std::env;
use std::error::Error;
use std::process::ExitCode;

use leveret::Result;
use leveret::callback::{Channel, Connection, Delivery, EventLoop};
use leveret::protocol::queue;

/// The state that the handlers share: the error that ended the consumer, if any.
#[derive(Default)]
struct App {
    failed: Option<leveret::Error>,
}

// Step 2: the connection is open.
fn on_connected(app: &mut App, connection: &Connection<App>, opened: Result<()>) {
    match opened {
        Ok(()) => {
            println!("Connected.");
            connection.open_channel(on_channel_open);
        }
        Err(error) => app.failed = Some(error),
    }
}

// Step 3: the channel is open.
fn on_channel_open(app: &mut App, _: &Connection<App>, channel: Result<Channel<App>>) {
    match channel {
        Ok(channel) => channel.queue_declare("test").durable(true).then(on_queue_declared),
        Err(error) => app.failed = Some(error),
    }
}

// Step 4: the queue is declared.
fn on_queue_declared(app: &mut App, channel: &Channel<App>, declared: Result<queue::DeclareOk>) {
    match declared {
        Ok(_) => {
            let consume = channel.consume("test").on_start(|_, _, _| println!("Waiting for messages, until Ctrl-C."));
            consume.on_end(on_consumer_end).each(handle_delivery);
        }
        Err(error) => app.failed = Some(error),
    }
}

// Step 5: a message has arrived.
fn handle_delivery(_: &mut App, _: &Channel<App>, delivery: Delivery<App>) {
    println!("Received: {}", String::from_utf8_lossy(delivery.body()));
    if let Err(error) = delivery.ack() {
        eprintln!("Not acknowledged: {error}");
    }
}

/// The consumer has ended: with an error, unless this program ended it.
fn on_consumer_end(app: &mut App, _: &Channel<App>, why: Option<leveret::Error>) {
    app.failed = why;
}

/// Consumes until Ctrl-C.
pub(crate) fn run(url: &str) -> std::result::Result<(), Box<dyn Error>> {
    // Step 1: begin to connect, then run the loop.
    let mut event_loop = EventLoop::new()?;
    let connection = Connection::open(&mut event_loop, url, on_connected)?;
    let remote = event_loop.handle().remote();
    ctrlc::set_handler(move || remote.stop())?;
    let mut app = App::default();
    event_loop.run_until(&mut app, |app| app.failed.is_some())?;

    // Ctrl-C, or a failure: close the connection, and run the loop until that is done.
    println!("Closing.");
    let failed = app.failed.take();
    connection.on_close(|_, _, why| println!("Closed: {why}"));
    connection.close();
    event_loop.run(&mut app)?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn main() -> ExitCode {
    let url = env::var("AMQP_URL").unwrap_or_else(|_| "amqp://guest:guest@localhost/%2F".to_owned());
    if let Err(error) = run(&url) {
        eprintln!("It went wrong: {error:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
