//! Consumes on one thread; other threads handle the messages and acknowledge them.
//!
//! `cargo run --features blocking --example blocking_workers` connects to the broker in `AMQP_URL`,
//! or to that of this machine.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use leveret::Result;
use leveret::blocking::{Connection, Delivery};

const WORKERS: u16 = 4;
const JOBS: usize = 100;

fn main() -> Result<()> {
    run(&std::env::var("AMQP_URL").unwrap_or_else(|_| "amqp://localhost".to_owned()))
}

pub(crate) fn run(url: &str) -> Result<()> {
    let connection = Connection::open(url)?;
    let channel = connection.open_channel()?;
    let queue = channel.queue_declare("").exclusive(true).call()?.queue;
    for number in 0..JOBS {
        channel.publish("", &queue, number.to_string()).send()?;
    }

    // For each worker, one message that it handles and one that waits; the broker keeps the rest.
    let consumer = channel.consume(queue).prefetch(2 * WORKERS).call()?;
    let (sender, receiver) = mpsc::channel();
    let jobs = Mutex::new(receiver);
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(|| work(&jobs))).collect();
        for delivery in consumer.take(JOBS) {
            // If no worker receives any more, all have failed, and the joins below report why.
            if sender.send(delivery?).is_err() {
                break;
            }
        }
        drop(sender);
        for (number, worker) in workers.into_iter().enumerate() {
            match worker.join() {
                Ok(handled) => println!("Worker {number} handled {} jobs.", handled?),
                Err(_) => println!("Worker {number} panicked."),
            }
        }
        Ok(())
    })?;
    println!("All {JOBS} jobs are done.");
    connection.close()
}

/// Handles jobs until there are no more, and returns how many.
fn work(jobs: &Mutex<mpsc::Receiver<Delivery>>) -> Result<usize> {
    let mut handled = 0;
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(delivery) = job else { return Ok(handled) };
        let squared = String::from_utf8_lossy(delivery.body()).parse::<u64>().map(|number| number * number);
        match squared {
            Ok(_) => delivery.ack()?,
            // A message that no worker can handle must not be delivered again.
            Err(_) => delivery.reject(leveret::blocking::Requeue::No)?,
        }
        handled += 1;
    }
}
