//! Putting messages into a queue and taking them out, where a scenario is about something else.

use leveret::{FieldTable, Properties};
use leveret_live_tests::client::{Channel, Delivery};
use leveret_live_tests::{eventually, soon, unique};

/// An exclusive queue with arguments; gives its name.
pub(crate) async fn queue_with(channel: &Channel, arguments: impl Into<FieldTable>) -> String {
    let name = unique("queue");
    let declare = channel.queue_declare(&name).exclusive(true).arguments(arguments.into());
    soon(declare).await.expect("a queue is declared");
    name
}

/// Publishes to a queue, and waits until it has each.
pub(crate) async fn fill(channel: &Channel, queue: &str, bodies: &[&str]) {
    for body in bodies {
        put(channel, queue, body, &Properties::default()).await;
    }
}

/// Publishes a message with properties to a queue, and waits until it has it.
pub(crate) async fn put(channel: &Channel, queue: &str, body: &str, properties: &Properties) {
    let publishing = soon(channel.connection().open_channel()).await.expect("a channel opens");
    let publisher = soon(publishing.confirm_select()).await.expect("confirms are on");
    let publish = publisher.publish("", queue, body).properties(properties).mandatory(true);
    soon(publish.confirmed()).await.expect("the queue takes it");
    soon(publishing.close()).await.expect("the channel closes");
}

/// Gets a message that is there.
pub(crate) async fn get(channel: &Channel, queue: &str) -> Delivery {
    soon(channel.get(queue)).await.expect("the queue is there").expect("it has a message").into_delivery()
}

/// Gets messages that are there, in order; they stay unsettled.
pub(crate) async fn get_many(channel: &Channel, queue: &str, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for _ in 0..count {
        deliveries.push(get(channel, queue).await);
    }
    deliveries
}

/// Gets a message that is on its way to the queue.
pub(crate) async fn get_soon(channel: &Channel, queue: &str) -> Delivery {
    eventually(|| async { channel.get(queue).await.expect("the queue is there").map(Into::into) }).await
}

/// Takes all that is ready, and gives the bodies and whether they came before.
pub(crate) async fn take_all(channel: &Channel, queue: &str) -> Vec<(String, bool)> {
    let mut taken = Vec::new();
    while let Some(delivery) = soon(channel.get(queue).no_ack(true)).await.expect("the queue is there") {
        taken.push((body(&delivery), delivery.is_redelivered()));
    }
    taken
}

/// Takes all that is ready, and gives the bodies.
pub(crate) async fn take_bodies(channel: &Channel, queue: &str) -> Vec<String> {
    take_all(channel, queue).await.into_iter().map(|(body, _)| body).collect()
}

/// The body of a delivery as text.
pub(crate) fn body(delivery: &Delivery) -> String {
    String::from_utf8_lossy(delivery.body()).into_owned()
}
