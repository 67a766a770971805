//! Clients that are not ours, unmodified: each does a job of `tests/foreign` and checks what the broker does.

use leveret_live_tests::{amqp_tools_job, amqplib_job, pika_job, soon};

#[tokio::test]
async fn pika_does_its_job() {
    soon(pika_job()).await;
}

#[tokio::test]
async fn amqplib_does_its_job() {
    soon(amqplib_job()).await;
}

#[tokio::test]
async fn the_commands_of_amqp_tools_do_their_job() {
    soon(amqp_tools_job()).await;
}
