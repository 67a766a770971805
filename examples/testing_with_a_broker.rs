//! An application with tests that run it against an embedded broker, which fails as networks and
//! brokers do.
//!
//! The application is a worker: it takes jobs from one queue and publishes their results to
//! another. Its tests are at the end of this file, and `cargo test --features broker --example
//! testing_with_a_broker` runs them. The worker itself runs on the broker that `AMQP_URL` names, or
//! on the one on this machine, until it is stopped: `cargo run --features broker --example
//! testing_with_a_broker`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints what it does")]

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use leveret::{Connection, Error, ErrorKind, Requeue, Result};

const JOBS: &str = "jobs";
const RESULTS: &str = "results";

/// How long the worker waits before it connects again.
const PAUSE: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let url = env::var("AMQP_URL").unwrap_or_else(|_| "amqp://localhost".to_owned());
    let error = run(|| Connection::open(url.as_str())).await;
    eprintln!("The worker stopped: {error:?}");
    ExitCode::FAILURE
}

/// Works on one connection after another, without end. Returns the first error that another
/// connection would not resolve.
///
/// The caller passes how to connect: the program uses a URL, a test its embedded broker.
async fn run<F: Future<Output = Result<Connection>>>(connect: impl Fn() -> F) -> Error {
    loop {
        let worked = match connect().await {
            Ok(connection) => work(&connection).await,
            Err(error) => Err(error),
        };
        match worked {
            Ok(()) => eprintln!("The broker sends no more jobs."),
            Err(error) if error.is_retryable() => eprintln!("{error}"),
            Err(error) => return error,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Works on one connection. A job is acknowledged only after the broker has confirmed its result:
/// whatever fails in between, the job is done again and never lost.
async fn work(connection: &Connection) -> Result<()> {
    let channel = connection.open_channel().await?;
    channel.queue_declare(JOBS).durable(true).await?;
    channel.queue_declare(RESULTS).durable(true).await?;
    let publisher = channel.confirm_select().await?;
    let mut jobs = channel.consume(JOBS).prefetch(10).await?;
    while let Some(job) = jobs.try_next().await? {
        let result = String::from_utf8_lossy(job.body()).to_uppercase();
        match publisher.publish("", RESULTS, result).mandatory(true).confirmed().await {
            Ok(()) => job.ack().await?,
            // The broker did not accept the result: return the job, to try it again.
            Err(error) if matches!(error.kind(), ErrorKind::Nacked | ErrorKind::Returned) => {
                job.nack(Requeue::Yes).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use leveret::broker::{Broker, Fault, State, Target};
    use tokio::task::JoinHandle;

    use super::*;

    /// Starts the worker on the broker. The tests use virtual time, so that its pauses take none.
    fn start(broker: &Broker) -> JoinHandle<Error> {
        let broker = broker.clone();
        tokio::spawn(run(move || Connection::open_on(broker.connect(), "amqp://localhost")))
    }

    /// Puts a job into the worker's queue.
    async fn put(broker: &Broker, job: &str) -> Result<()> {
        let connection = Connection::open_on(broker.connect(), "amqp://localhost").await?;
        let channel = connection.open_channel().await?;
        channel.queue_declare(JOBS).durable(true).await?;
        channel.confirm_select().await?.publish("", JOBS, job).confirmed().await?;
        connection.close().await
    }

    fn ready(state: &State, queue: &str) -> usize {
        state.queue("/", queue).map_or(0, |queue| queue.ready)
    }

    /// Whether all jobs are done and acknowledged, with this many results.
    fn is_done(state: &State, results: usize) -> bool {
        let jobs = state.queue("/", JOBS);
        jobs.is_some_and(|jobs| jobs.ready + jobs.unacknowledged == 0) && ready(state, RESULTS) == results
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_becomes_a_result() -> Result<()> {
        let broker = Broker::new();
        let _worker = start(&broker);
        put(&broker, "dig").await?;
        broker.until(|state| is_done(state, 1)).await;
        assert_eq!(broker.state().messages("/", RESULTS)[0].body, "DIG");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_whose_result_the_broker_refuses_is_done_again() -> Result<()> {
        let broker = Broker::new();
        put(&broker, "dig").await?;
        broker.state().nack_next(2);
        let _worker = start(&broker);
        broker.until(|state| is_done(state, 1)).await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn the_worker_comes_back_after_its_socket_was_dropped() -> Result<()> {
        let broker = Broker::new();
        let worker = start(&broker);
        broker.until(|state| state.queue("/", JOBS).is_some_and(|queue| queue.consumers == 1)).await;

        broker.state().inject(Target::All, Fault::Drop);
        broker.until(|state| state.connections().is_empty()).await;
        put(&broker, "dig").await?;
        broker.until(|state| is_done(state, 1)).await;
        assert!(!worker.is_finished());
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_waits_while_the_broker_blocks_publishing() -> Result<()> {
        let broker = Broker::new();
        put(&broker, "dig").await?;
        broker.state().block("low on memory");
        let _worker = start(&broker);
        broker.until(|state| state.queue("/", JOBS).is_some_and(|queue| queue.unacknowledged == 1)).await;

        // For an hour, nothing is published.
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(ready(&broker.state(), RESULTS), 0);

        broker.state().unblock();
        broker.until(|state| is_done(state, 1)).await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_credentials_end_the_worker() {
        let broker = Broker::new();
        broker.state().refuse_logins(1);
        let error = start(&broker).await.expect("the worker ends by itself");
        assert!(error.is_authentication());
    }
}
