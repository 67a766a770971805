//! Where dead messages go, and what they say of their death.

use std::time::{SystemTime, UNIX_EPOCH};

use leveret::protocol::{basic, exchange, queue};
use leveret::{FieldTable, FieldValue, Properties, Requeue, Result};
use leveret_live_tests::client::{Channel, Delivery};
use leveret_live_tests::raw::{Close, Raw};
use leveret_live_tests::{eventually, exclusive_queue, open, ready_messages, soon, unique};

use crate::messages::{body, fill, get, get_many, get_soon, put, queue_with, take_bodies};

/// An exclusive queue whose dead messages go to another one by the default exchange.
async fn mortal(channel: &Channel, graveyard: &str) -> String {
    queue_with(channel, [("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", graveyard)]).await
}

/// An exclusive queue that takes what an exchange of its own gets, and that exchange.
async fn graveyard_with_exchange(channel: &Channel) -> (String, String) {
    let (graveyard, exchange) = (exclusive_queue(channel).await, unique("exchange"));
    soon(channel.exchange_declare(&exchange, "topic").auto_delete(true)).await.expect("an exchange is declared");
    soon(channel.queue_bind(&graveyard, &exchange, "#")).await.expect("it is bound");
    (graveyard, exchange)
}

fn keys(table: &FieldTable) -> Vec<String> {
    table.keys().map(ToString::to_string).collect()
}

fn texts(values: &[&str]) -> FieldValue {
    FieldValue::Array(values.iter().map(|&value| value.into()).collect())
}

#[tokio::test]
async fn a_death_is_told_with_fields_in_an_order_and_with_types() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let queue = mortal(&channel, &graveyard).await;
    put(&channel, &queue, "mortal", &Properties::default().expiration("60000")).await;
    get(&channel, &queue).await.reject(Requeue::No).await?;

    let dead = get_soon(&channel, &graveyard).await;
    assert_eq!((&*dead.exchange().to_string_lossy(), &*dead.routing_key().to_string_lossy()), ("", graveyard.as_str()));
    assert!(!dead.is_redelivered());
    let headers = dead.properties()?.headers.clone().expect("the broker adds headers");
    assert_eq!(keys(&headers), ["x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"]);
    assert_eq!(headers.get("x-first-death-exchange"), Some(&"".into()));
    assert_eq!(headers.get("x-first-death-queue"), Some(&queue.as_str().into()));
    assert_eq!(headers.get("x-first-death-reason"), Some(&"rejected".into()));

    let Some([FieldValue::Table(death)]) = headers.get("x-death").and_then(FieldValue::as_array) else {
        panic!("one death: {headers:?}")
    };
    let order = ["count", "reason", "queue", "time", "exchange", "routing-keys", "original-expiration"];
    assert_eq!(keys(death), order);
    assert_eq!(death.get("count"), Some(&1_i64.into()));
    assert_eq!(death.get("reason"), Some(&"rejected".into()));
    assert_eq!(death.get("queue"), Some(&queue.as_str().into()));
    assert_eq!(death.get("exchange"), Some(&"".into()));
    assert_eq!(death.get("routing-keys"), Some(&texts(&[&queue])));
    assert_eq!(death.get("original-expiration"), Some(&"60000".into()));
    let Some(FieldValue::Timestamp(time)) = death.get("time") else { panic!("{death:?}") };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    assert!(time.as_secs().abs_diff(now) <= 60, "{time:?} is now, in seconds");
    Ok(())
}

#[tokio::test]
async fn a_dead_message_keeps_its_properties_but_for_its_expiration() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let queue = mortal(&channel, &graveyard).await;
    let headers = FieldTable::from([("zz", 1), ("aa", 2), ("Zz", 3)]);
    let properties = Properties::default()
        .content_type("text/plain")
        .content_encoding("utf-8")
        .delivery_mode(2)
        .priority(3)
        .correlation_id("7")
        .reply_to("back")
        .message_id("id")
        .app_id("app");
    put(&channel, &queue, "mortal", &properties.clone().headers(headers).expiration("60000")).await;
    get(&channel, &queue).await.reject(Requeue::No).await?;

    let mut dead = get_soon(&channel, &graveyard).await.properties()?.clone();
    let headers = dead.headers.take().expect("the broker adds headers");
    assert_eq!(dead, properties);
    let order = ["Zz", "aa", "x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason", "zz"];
    assert_eq!(keys(&headers), order, "the broker sorts them");
    assert_eq!(headers.get("Zz"), Some(&3.into()));
    Ok(())
}

#[tokio::test]
async fn rejecting_and_nacking_without_requeue_kill_in_order() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let queue = mortal(&channel, &graveyard).await;
    fill(&channel, &queue, &["1", "2", "3", "4"]).await;
    let mut deliveries = get_many(&channel, &queue, 4).await;
    deliveries.pop().expect("four came").reject(Requeue::No).await?;
    deliveries.pop().expect("four came").nack_multiple(Requeue::No).await?;
    eventually(|| async { (ready_messages(&channel, &graveyard).await == 4).then_some(()) }).await;
    assert_eq!(take_bodies(&channel, &graveyard).await, ["4", "1", "2", "3"]);
    Ok(())
}

#[tokio::test]
async fn a_dead_message_keeps_its_routing_keys_where_the_queue_names_none() -> Result<()> {
    let (_connection, channel) = open().await;
    let (graveyard, exchange) = graveyard_with_exchange(&channel).await;
    let queue = queue_with(&channel, [("x-dead-letter-exchange", exchange.as_str())]).await;
    let (key, copy) = (unique("key"), unique("copy"));
    soon(channel.queue_bind(&queue, "amq.direct", &*key)).await?;
    let headers = [("CC", texts(&[&copy])), ("BCC", texts(&["blind"]))];
    let properties = Properties::default().headers(FieldTable::from(headers));
    soon(channel.publish("amq.direct", &key, "kept").properties(&properties)).await?;
    get(&channel, &queue).await.reject(Requeue::No).await?;

    let dead = get_soon(&channel, &graveyard).await;
    assert_eq!(
        (&*dead.exchange().to_string_lossy(), &*dead.routing_key().to_string_lossy()),
        (exchange.as_str(), key.as_str())
    );
    let headers = dead.properties()?.headers.clone().expect("the broker adds headers");
    assert_eq!(headers.get("CC"), Some(&texts(&[&copy])));
    assert_eq!(headers.get("BCC"), None);
    let death = headers.get("x-death").and_then(FieldValue::as_array).expect("deaths")[0].as_table().expect("a table");
    assert_eq!(death.get("exchange"), Some(&"amq.direct".into()));
    assert_eq!(death.get("routing-keys"), Some(&texts(&[&key, &copy])), "but not the blind one");
    Ok(())
}

#[tokio::test]
async fn carbon_copies_are_for_dead_messages_too() -> Result<()> {
    let (_connection, channel) = open().await;
    let (seen, blind) = (exclusive_queue(&channel).await, exclusive_queue(&channel).await);
    let queue = queue_with(&channel, [("x-dead-letter-exchange", "")]).await;
    let headers = [("CC", texts(&[&seen])), ("BCC", texts(&[&blind]))];
    put(&channel, &queue, "copied", &Properties::default().headers(FieldTable::from(headers))).await;
    for queue in [&seen, &blind] {
        assert_eq!(take_bodies(&channel, queue).await, ["copied"]);
    }
    get(&channel, &queue).await.reject(Requeue::No).await?;
    for queue in [&queue, &seen, &blind] {
        let dead = get_soon(&channel, queue).await;
        assert_eq!(dead.routing_key(), queue_name(&dead), "the first routing key is kept");
    }
    Ok(())
}

fn queue_name(dead: &Delivery) -> String {
    let headers = dead.properties().expect("properties").headers.clone().expect("the broker adds headers");
    headers.get("x-first-death-queue").and_then(FieldValue::as_str).expect("text").to_owned()
}

#[tokio::test]
async fn a_routing_key_of_the_queues_takes_the_place_of_all_that_a_message_had() -> Result<()> {
    let (_connection, channel) = open().await;
    let (graveyard, exchange) = graveyard_with_exchange(&channel).await;
    let arguments = [("x-dead-letter-exchange", exchange.as_str()), ("x-dead-letter-routing-key", "replaced")];
    let queue = queue_with(&channel, arguments).await;
    let properties = Properties::default().headers(FieldTable::from([("CC", texts(&["copy"]))]));
    put(&channel, &queue, "replaced", &properties).await;
    get(&channel, &queue).await.reject(Requeue::No).await?;

    let dead = get_soon(&channel, &graveyard).await;
    assert_eq!(dead.routing_key(), "replaced");
    let headers = dead.properties()?.headers.clone().expect("the broker adds headers");
    assert_eq!(headers.get("CC"), None, "nobody is in copy any more");
    let death = headers.get("x-death").and_then(FieldValue::as_array).expect("deaths")[0].as_table().expect("a table");
    assert_eq!(death.get("routing-keys"), Some(&texts(&[&queue, "copy"])));
    Ok(())
}

#[tokio::test]
async fn without_its_exchange_a_dead_message_is_gone() -> Result<()> {
    let (_connection, channel) = open().await;
    let bare = exclusive_queue(&channel).await;
    let dangling = queue_with(&channel, [("x-dead-letter-exchange", unique("missing"))]).await;
    for queue in [bare, dangling] {
        fill(&channel, &queue, &["gone", "next"]).await;
        get(&channel, &queue).await.reject(Requeue::No).await?;
        assert_eq!(take_bodies(&channel, &queue).await, ["next"]);
        assert!(channel.is_open());
    }
    Ok(())
}

#[tokio::test]
async fn purging_and_deleting_a_queue_kill_nothing() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let queue = mortal(&channel, &graveyard).await;
    fill(&channel, &queue, &["purged"]).await;
    soon(channel.queue_purge(&queue)).await?;
    fill(&channel, &queue, &["deleted", "unsettled"]).await;
    let unsettled = get(&channel, &queue).await;
    soon(channel.queue_delete(&queue)).await?;
    unsettled.reject(Requeue::No).await?;

    let witness = mortal(&channel, &graveyard).await;
    fill(&channel, &witness, &["witness"]).await;
    get(&channel, &witness).await.reject(Requeue::No).await?;
    assert_eq!(body(&get_soon(&channel, &graveyard).await), "witness");
    assert_eq!(ready_messages(&channel, &graveyard).await, 0);
    Ok(())
}

#[tokio::test]
async fn giving_back_is_not_dying() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let queue = mortal(&channel, &graveyard).await;
    fill(&channel, &queue, &["again"]).await;
    get(&channel, &queue).await.nack(Requeue::Yes).await?;
    let again = get(&channel, &queue).await;
    assert!(again.is_redelivered());
    assert_eq!(*again.properties()?, Properties::default());
    Ok(())
}

#[tokio::test]
async fn a_message_whose_new_key_is_too_long_to_be_told_cannot_be_delivered() {
    for consumed in [false, true] {
        let mut peer = Raw::open_channel().await;
        let (queue, graveyard, exchange) = (unique("mortal"), unique("graveyard"), unique("exchange"));
        peer.call(1, exchange::Declare::default().exchange(&*exchange).kind("fanout").auto_delete(true)).await;
        let arguments = FieldTable::from([
            ("x-dead-letter-exchange", FieldValue::from(exchange.as_str())),
            ("x-dead-letter-routing-key", "k".repeat(256).as_str().into()),
            ("x-max-length", 0.into()),
        ]);
        peer.call(1, queue::Declare::default().queue(&*queue).exclusive(true).arguments(arguments)).await;
        peer.call(1, queue::Declare::default().queue(&*graveyard).exclusive(true)).await;
        peer.call(1, queue::Bind::default().queue(&*graveyard).exchange(&*exchange)).await;
        peer.publish(1, "", &queue, "mortal").await;
        soon(async {
            let passive = queue::Declare::default().queue(&*graveyard).passive(true);
            while peer.call(1, passive.clone()).await.message_count == 0 {}
        })
        .await;
        if consumed {
            peer.send(1, basic::Consume::default().queue(&*graveyard).no_wait(true)).await;
        } else {
            peer.send(1, basic::Get::default().queue(&*graveyard)).await;
        }
        peer.expect_connection_close(541, "INTERNAL_ERROR", Close::NO_METHOD).await;
    }
}
