//! What scenarios of routing share: which messages a queue holds, and who is bound to what.

use leveret::FieldTable;
use leveret_live_tests::client::{Channel, Connection, Delivery};
use leveret_live_tests::{exclusive_queue, soon, unique};

/// The messages that wait in a queue, in order, after all that was published on this channel
/// before.
pub(crate) async fn messages(channel: &Channel, queue: &str) -> Vec<Delivery> {
    let mut messages = Vec::new();
    while let Some(delivery) = soon(channel.get(queue).no_ack(true)).await.expect("the queue is there") {
        messages.push(delivery.into());
    }
    messages
}

/// The bodies of those.
pub(crate) async fn bodies(channel: &Channel, queue: &str) -> Vec<String> {
    messages(channel, queue).await.iter().map(|message| String::from_utf8_lossy(message.body()).into_owned()).collect()
}

/// An exchange of this type that goes away with its last binding; gives its name.
pub(crate) async fn exchange(channel: &Channel, kind: &str) -> String {
    let name = unique(kind);
    soon(channel.exchange_declare(&name, kind).auto_delete(true)).await.expect("an exchange is declared");
    name
}

/// An exclusive queue, bound to the exchange by this key; gives its name.
pub(crate) async fn bound_queue(channel: &Channel, exchange: &str, routing_key: &str) -> String {
    bound_queue_with(channel, exchange, routing_key, FieldTable::new()).await
}

/// The same with the arguments of the binding.
pub(crate) async fn bound_queue_with(
    channel: &Channel,
    exchange: &str,
    routing_key: &str,
    arguments: FieldTable,
) -> String {
    let queue = exclusive_queue(channel).await;
    soon(channel.queue_bind(&queue, exchange, routing_key).arguments(arguments)).await.expect("the queue is bound");
    queue
}

/// One more channel, for what the broker refuses: it closes the channel that it came on.
pub(crate) async fn another_channel(connection: &Connection) -> Channel {
    soon(connection.open_channel()).await.expect("the broker opens a channel")
}

/// Whether the exchange is there: a passive declare answers, and closes the channel where it is
/// not.
pub(crate) async fn exchange_exists(channel: &Channel, exchange: &str) -> bool {
    let channel = another_channel(&channel.connection()).await;
    let declared = soon(channel.exchange_declare(exchange, "").passive(true)).await;
    declared.is_ok()
}
