//! Clients that are not ours, unmodified: each does a job of `tests/foreign` and checks what the
//! broker does.

use std::time::Duration;

use leveret_live_tests::{amqp_tools_job, amqplib_job, pika_job};

/// A job starts interpreters, and waits for heartbeats that a slow machine can keep up with.
async fn done(job: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(120), job).await.expect("the job is done in time");
}

#[tokio::test]
async fn pika_does_its_job() {
    done(pika_job()).await;
}

#[tokio::test]
async fn amqplib_does_its_job() {
    done(amqplib_job()).await;
}

#[tokio::test]
async fn the_commands_of_amqp_tools_do_their_job() {
    done(amqp_tools_job()).await;
}
