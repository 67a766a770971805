//! Which keys the types of exchanges take.

use leveret::{FieldTable, Properties, Result};
use leveret_live_tests::{exclusive_queue, open, soon};

use crate::routed::{bodies, bound_queue, exchange};

/// The keys that are published in scenarios of patterns.
const KEYS: [&str; 24] = [
    "", "a", "b", "A", "x", "*", "#", "a#", "a.b", "a.x", "x.a", "a.*", "a.x.b", "a.x.y.b", "a..b", "a.", ".a", ".",
    "..", "a.b.c", "x.a.y", "x.a.y.b", "a.b.", "*a",
];

/// Asserts which of the keys each pattern takes, all bound to one topic exchange.
async fn assert_patterns<const COUNT: usize>(patterns: [(&str, &[&str]); COUNT]) -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "topic").await;
    let mut queues = Vec::new();
    for (pattern, _) in patterns {
        queues.push(bound_queue(&channel, &exchange, pattern).await);
    }
    for key in KEYS {
        soon(channel.publish(&exchange, key, key)).await?;
    }
    for ((pattern, taken), queue) in patterns.into_iter().zip(queues) {
        assert_eq!(bodies(&channel, &queue).await, taken, "by {pattern:?}");
    }
    Ok(())
}

/// All keys but these.
fn all_but(keys: &[&str]) -> Vec<&'static str> {
    KEYS.into_iter().filter(|key| !keys.contains(key)).collect()
}

#[tokio::test]
async fn a_pattern_without_signs_takes_only_itself() -> Result<()> {
    assert_patterns([
        ("", &[""]),
        ("a", &["a"]),
        ("A", &["A"]),
        ("a.b", &["a.b"]),
        ("a.", &["a."]),
        (".a", &[".a"]),
        ("..", &[".."]),
        ("a..b", &["a..b"]),
        ("z", &[]),
    ])
    .await
}

#[tokio::test]
async fn a_star_takes_one_word_even_an_empty_one() -> Result<()> {
    assert_patterns([
        ("*", &["a", "b", "A", "x", "*", "#", "a#", "*a"]),
        ("*.*", &["a.b", "a.x", "x.a", "a.*", "a.", ".a", "."]),
        ("a.*", &["a.b", "a.x", "a.*", "a."]),
        ("*.a", &["x.a", ".a"]),
        ("a.*.b", &["a.x.b", "a..b"]),
        ("a.*.", &["a.b."]),
        (".*", &[".a", "."]),
        ("*.", &["a.", "."]),
    ])
    .await
}

#[tokio::test]
async fn a_hash_takes_any_number_of_words_even_none() -> Result<()> {
    assert_patterns([
        ("#", &KEYS),
        ("a.#", &["a", "a.b", "a.x", "a.*", "a.x.b", "a.x.y.b", "a..b", "a.", "a.b.c", "a.b."]),
        ("#.a", &["a", "x.a", ".a"]),
        ("a.#.b", &["a.b", "a.x.b", "a.x.y.b", "a..b"]),
        ("#.x.#", &["x", "a.x", "x.a", "a.x.b", "a.x.y.b", "x.a.y", "x.a.y.b"]),
        ("#.", &["a.", ".", "..", "a.b."]),
        (".#", &[".a", ".", ".."]),
    ])
    .await
}

#[tokio::test]
async fn stars_and_hashes_go_together() -> Result<()> {
    let (any, some) = (all_but(&[]), all_but(&[""]));
    let two = all_but(&["", "a", "b", "A", "x", "*", "#", "a#", "*a"]);
    assert_patterns([
        ("#.#", &any),
        ("*.#", &some),
        ("#.*", &some),
        ("*.#.*", &two),
        ("a.#.#", &["a", "a.b", "a.x", "a.*", "a.x.b", "a.x.y.b", "a..b", "a.", "a.b.c", "a.b."]),
        ("#.a.#.b", &["a.b", "a.x.b", "a.x.y.b", "a..b", "x.a.y.b"]),
        ("#.b.*", &["a.b.c", "a.b."]),
    ])
    .await
}

#[tokio::test]
async fn a_sign_within_a_word_is_a_letter() -> Result<()> {
    assert_patterns([("*a", &["*a"]), ("a#", &["a#"]), ("a.x*", &[]), ("##", &[]), ("**", &[])]).await
}

#[tokio::test]
async fn a_direct_exchange_knows_no_patterns() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "direct").await;
    let (literal, empty) = (bound_queue(&channel, &exchange, "a.*").await, bound_queue(&channel, &exchange, "").await);
    for key in ["a.b", "a.*", "", "A.*", "a"] {
        soon(channel.publish(&exchange, key, key)).await?;
    }
    assert_eq!(bodies(&channel, &literal).await, ["a.*"]);
    assert_eq!(bodies(&channel, &empty).await, [""]);
    Ok(())
}

#[tokio::test]
async fn a_direct_exchange_brings_a_message_to_every_queue_of_its_key() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "direct").await;
    let (first, second) = (bound_queue(&channel, &exchange, "k").await, bound_queue(&channel, &exchange, "k").await);
    soon(channel.queue_bind(&first, &exchange, "l")).await?;
    soon(channel.publish(&exchange, "k", "to both")).await?;
    soon(channel.publish(&exchange, "l", "to one")).await?;
    assert_eq!(bodies(&channel, &first).await, ["to both", "to one"]);
    assert_eq!(bodies(&channel, &second).await, ["to both"]);
    Ok(())
}

#[tokio::test]
async fn the_default_exchange_brings_a_message_to_the_queue_of_its_key() -> Result<()> {
    let (_connection, channel) = open().await;
    let (first, second) = (exclusive_queue(&channel).await, exclusive_queue(&channel).await);
    for key in [first.as_str(), "#", "", &first.to_uppercase()] {
        soon(channel.publish("", key, "by its name")).await?;
    }
    assert_eq!(bodies(&channel, &first).await, ["by its name"]);
    assert_eq!(bodies(&channel, &second).await, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn the_exchanges_that_are_there_from_the_start_route_as_their_types_do() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let wanted = FieldTable::from([("queue", queue.as_str())]);
    let properties = Properties::default().headers(wanted.clone());
    for (exchange, kind) in [
        ("amq.direct", "direct"),
        ("amq.topic", "topic"),
        ("amq.fanout", "fanout"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
    ] {
        soon(channel.exchange_declare(exchange, kind).durable(true)).await?;
        let key = if kind == "topic" { format!("*.{queue}") } else { queue.clone() };
        soon(channel.queue_bind(&queue, exchange, &key).arguments(wanted.clone())).await?;
        let key = if kind == "topic" { format!("one.{queue}") } else { queue.clone() };
        soon(channel.publish(exchange, &key, exchange).properties(&properties)).await?;
        let key = if kind == "topic" { format!("*.{queue}") } else { queue.clone() };
        soon(channel.queue_unbind(&queue, exchange, &key).arguments(wanted.clone())).await?;
    }
    // Other scenarios may publish to the fanout exchange meanwhile.
    let mut came = bodies(&channel, &queue).await;
    came.retain(|body| body.starts_with("amq."));
    assert_eq!(came, ["amq.direct", "amq.topic", "amq.fanout", "amq.headers", "amq.match"]);
    Ok(())
}

#[tokio::test]
async fn the_exchange_of_traces_is_there_and_internal() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    soon(channel.exchange_declare("amq.rabbitmq.trace", "topic").durable(true).internal(true)).await?;
    soon(channel.queue_bind(&queue, "amq.rabbitmq.trace", "publish.nothing")).await?;
    soon(channel.queue_unbind(&queue, "amq.rabbitmq.trace", "publish.nothing")).await?;
    Ok(())
}
