//! A publisher with callbacks on an event loop. Each message is mandatory and confirmed by the
//! broker, publishing pauses on backpressure, and a connection that is lost is opened again by the
//! program.
//!
//! `cargo run --features callback --example callback_publisher` connects to the broker in
//! `AMQP_URL` (`amqp://user:password@host`), or to that of this machine.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example tells what it does")]

use std::collections::VecDeque;
use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use leveret::callback::{Channel, Connection, EventLoop, Handle, Publisher};
use leveret::{ConnectionParameters, ErrorKind, Result};

const MESSAGES: u32 = 1000;

/// The most messages that wait for their outcome at the same time.
const AT_A_TIME: usize = 100;

const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The most connections that are opened.
const ATTEMPTS: u32 = 5;

/// The state that the handlers share.
struct App {
    parameters: ConnectionParameters,
    connection: Option<Connection<App>>,
    publisher: Option<Publisher<App>>,
    /// The numbers of the messages that are still to be published.
    waiting: VecDeque<u32>,
    /// The number of messages whose outcome is not known.
    unconfirmed: usize,
    confirmed: u32,
    /// Whether publishing pauses, because too much waits for the socket.
    paused: bool,
    attempts: u32,
    failed: Option<leveret::Error>,
}

/// Begins to connect.
fn connect(app: &mut App, handle: &Handle<App>) {
    app.attempts += 1;
    match Connection::open_in(handle, &app.parameters, on_connected) {
        Ok(connection) => {
            connection.on_backpressure(|app, _, _| app.paused = true);
            connection.on_relieved(|app, _| {
                app.paused = false;
                publish(app);
            });
            connection.on_close(on_lost);
            app.connection = Some(connection);
        }
        Err(error) => app.failed = Some(error),
    }
}

fn on_connected(app: &mut App, connection: &Connection<App>, opened: Result<()>) {
    match opened {
        Ok(()) => connection.open_channel(on_channel_open),
        Err(error) => on_lost(app, connection.handle(), error),
    }
}

/// The connection has ended, or could not be opened: unless the work is done, another one is opened
/// after a delay.
fn on_lost(app: &mut App, handle: &Handle<App>, why: leveret::Error) {
    app.publisher = None;
    app.paused = false;
    if app.is_done() || app.failed.is_some() {
        println!("Closed: {why}");
    } else if why.is_retryable() && app.attempts < ATTEMPTS {
        println!("Lost the connection: {why}");
        handle.call_later(RETRY_DELAY, connect);
    } else {
        app.failed = Some(why);
    }
}

fn on_channel_open(app: &mut App, connection: &Connection<App>, channel: Result<Channel<App>>) {
    match channel {
        Ok(channel) => {
            // Requests are sent in this order. If the first fails, so does the second.
            channel.queue_declare("test").durable(true).forget();
            let connection = connection.clone();
            channel.confirm_select(move |app, _, publisher| on_publisher(app, &connection, publisher));
        }
        Err(error) => give_up(app, connection, error),
    }
}

fn on_publisher(app: &mut App, connection: &Connection<App>, publisher: Result<Publisher<App>>) {
    match publisher {
        Ok(publisher) => {
            app.publisher = Some(publisher);
            publish(app);
        }
        Err(error) => give_up(app, connection, error),
    }
}

/// Closes a connection that got no channel. If the connection was lost, `on_lost` handles that.
fn give_up(app: &mut App, connection: &Connection<App>, why: leveret::Error) {
    if connection.is_open() {
        app.failed = Some(why);
        connection.close();
    }
}

/// Publishes as many messages as may be published now.
fn publish(app: &mut App) {
    let Some(publisher) = &app.publisher else { return };
    while !app.paused && app.unconfirmed < AT_A_TIME {
        let Some(number) = app.waiting.pop_front() else { break };
        let publish = publisher.publish("", "test", format!("message {number}")).mandatory(true);
        app.unconfirmed += 1;
        publish.then(move |app, _, outcome| on_outcome(app, number, outcome));
    }
}

/// The broker has decided about a message, or the connection was lost before it could.
fn on_outcome(app: &mut App, number: u32, outcome: Result<()>) {
    app.unconfirmed -= 1;
    match outcome {
        Ok(()) => app.confirmed += 1,
        Err(error) if error.kind() == ErrorKind::Returned => println!("No queue takes message {number}: {error}"),
        // The message may have arrived all the same: consumers have to cope with a message that is
        // delivered twice.
        Err(_) => app.waiting.push_back(number),
    }
    if app.is_done() {
        println!("The broker has confirmed {} messages, on {} connections.", app.confirmed, app.attempts);
        app.connection.iter().for_each(Connection::close);
    } else {
        publish(app);
    }
}

impl App {
    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.unconfirmed == 0
    }
}

/// Publishes all messages.
pub(crate) fn run(url: &str) -> std::result::Result<(), Box<dyn Error>> {
    let mut app = App {
        parameters: ConnectionParameters::try_from(url)?.backpressure_detection(true),
        connection: None,
        publisher: None,
        waiting: (0..MESSAGES).collect(),
        unconfirmed: 0,
        confirmed: 0,
        paused: false,
        attempts: 0,
        failed: None,
    };
    let mut event_loop = EventLoop::new()?;
    connect(&mut app, event_loop.handle());
    // The loop ends when there is no connection any more, and no timer that would open one.
    event_loop.run(&mut app)?;
    app.failed.map_or(Ok(()), |error| Err(error.into()))
}

fn main() -> ExitCode {
    let url = env::var("AMQP_URL").unwrap_or_else(|_| "amqp://guest:guest@localhost/%2F".to_owned());
    if let Err(error) = run(&url) {
        eprintln!("It went wrong: {error:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
