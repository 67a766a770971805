//! The async API on async-io, the reactor of smol: a future drives the connections.
//!
//! `cargo run --no-default-features --features readiness,broker --example foreign_loop_async_io`
//! connects to the broker in `AMQP_URL`, or to an embedded one.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

#[path = "support/broker.rs"]
mod broker;

use std::collections::BTreeMap;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use async_io::{Async, Timer, block_on};
use leveret::asynchronous::Connection;
use leveret::readiness::{Change, Descriptor, Interest, Reactor, Token};

fn main() -> Result<(), Box<dyn Error>> {
    let driver = Driver::new();
    let opening = driver.reactor.open(broker::url()?);
    let session = async { session(opening.await?).await };
    block_on(with(driver, session))?
}

/// The work of an application, on any executor.
async fn session(connection: Connection) -> Result<(), Box<dyn Error>> {
    println!("Connected.");
    let channel = connection.open_channel().await?;
    let queue = channel.queue_declare("").exclusive(true).await?.queue;
    println!("Declared the queue {queue}.");
    let publisher = channel.confirm_select().await?;
    publisher.publish("", &queue, "Hello, world!").confirmed().await?;
    println!("Published a message, and the broker confirmed it.");
    let mut consumer = channel.consume(queue).await?;
    if let Some(delivery) = consumer.try_next().await? {
        println!("Received: {}", String::from_utf8_lossy(delivery.body()));
        delivery.ack().await?;
        println!("Acknowledged it.");
    }
    connection.close().await?;
    println!("Closed the connection.");
    Ok(())
}

/// Drives connections until `work` is done. An application with an executor spawns the driver there
/// instead.
async fn with<T>(mut driver: Driver, work: impl Future<Output = T>) -> io::Result<T> {
    let mut work = pin!(work);
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Ok(done));
        }
        driver.poll(context).map(Err)
    })
    .await
}

/// A reactor, and the sources and the timer that it waits for.
struct Driver {
    reactor: Reactor,
    /// The task that drives it. Other threads wake it.
    task: Arc<Mutex<Waker>>,
    sources: BTreeMap<Token, (Async<Descriptor>, Interest)>,
    timer: Timer,
}

impl Driver {
    fn new() -> Self {
        let task = Arc::new(Mutex::new(Waker::noop().clone()));
        let wakes = Arc::clone(&task);
        let reactor = Reactor::new(move || {
            let task = wakes.lock().unwrap_or_else(PoisonError::into_inner).clone();
            task.wake();
        });
        Self { reactor, task, sources: BTreeMap::new(), timer: Timer::never() }
    }

    /// Takes turns until there is nothing to do now. Resolves only if there is an error.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        // The first step: what happens from here on wakes this task.
        self.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(context.waker());
        loop {
            // 1. Apply the changes.
            while let Some(change) = self.reactor.poll_change() {
                if let Err(error) = self.apply(change) {
                    return Poll::Ready(error);
                }
            }
            // 2. and 3. Report what is ready. What is not ready wakes this task when it is.
            let is_ready = self.poll_ready(context);
            let is_due = match self.reactor.deadline() {
                Some(deadline) => {
                    self.timer.set_at(deadline);
                    Pin::new(&mut self.timer).poll(context).is_ready()
                }
                None => false,
            };
            if !is_ready && !is_due {
                return Poll::Pending;
            }
            // 4. Do what is due.
            self.reactor.turn();
        }
    }

    fn poll_ready(&self, context: &mut Context<'_>) -> bool {
        let mut is_ready = false;
        for (token, (source, interest)) in &self.sources {
            // The attempt that follows finds an error.
            let readable = interest.readable && source.poll_readable(context).is_ready();
            let writable = interest.writable && source.poll_writable(context).is_ready();
            if readable || writable {
                self.reactor.handle_ready(*token, readable, writable);
                is_ready = true;
            }
        }
        is_ready
    }

    fn apply(&mut self, change: Change) -> io::Result<()> {
        match change {
            Change::Add(token, descriptor, interest) => {
                self.sources.insert(token, (Async::new_nonblocking(descriptor)?, interest));
            }
            Change::Modify(token, interest) => {
                if let Some(source) = self.sources.get_mut(&token) {
                    source.1 = interest;
                }
            }
            Change::Remove(token) => drop(self.sources.remove(&token)),
        }
        Ok(())
    }
}

#[test]
fn the_session_runs_to_its_end() {
    assert!(main().is_ok());
}
