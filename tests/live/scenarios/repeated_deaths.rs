//! Messages that die more than once: how deaths add up, and which circles the broker breaks.

use leveret::{FieldTable, FieldValue, Properties, Requeue, Result};
use leveret_live_tests::client::{Channel, Delivery};
use leveret_live_tests::{eventually, exclusive_queue, open, ready_messages, soon, unique};

use crate::messages::{fill, get, get_soon, put, queue_with, take_bodies};

/// How often, where and why a message died, as it tells it; and the names of the fields.
fn deaths(delivery: &Delivery) -> Vec<(i64, String, String, Vec<String>)> {
    let headers = delivery.properties().expect("properties").headers.clone().expect("the broker adds headers");
    let deaths = headers.get("x-death").and_then(FieldValue::as_array).expect("deaths").to_vec();
    let told = deaths.iter().map(|death| {
        let death = death.as_table().expect("a table");
        let text = |key| death.get(key).and_then(FieldValue::as_str).expect("text").to_owned();
        let count = death.get("count").and_then(FieldValue::as_i64).expect("a number");
        (count, text("queue"), text("reason"), death.keys().map(ToString::to_string).collect())
    });
    told.collect()
}

/// The same without the names of the fields.
fn counts(delivery: &Delivery) -> Vec<(i64, String, String)> {
    deaths(delivery).into_iter().map(|(count, queue, reason, _)| (count, queue, reason)).collect()
}

fn first(delivery: &Delivery, what: &str) -> String {
    let headers = delivery.properties().expect("properties").headers.clone().expect("the broker adds headers");
    headers.get(format!("x-first-death-{what}")).and_then(FieldValue::as_str).expect("text").to_owned()
}

/// Declares an exclusive queue whose dead messages go to a queue that need not be there yet.
async fn leads_to(channel: &Channel, name: &str, next: &str, more: &[(&str, i32)]) {
    let mut arguments = FieldTable::from([("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", next)]);
    for (argument, value) in more {
        arguments.insert(*argument, *value);
    }
    soon(channel.queue_declare(name).exclusive(true).arguments(arguments)).await.expect("a queue is declared");
}

#[tokio::test]
async fn dying_again_in_the_same_way_adds_to_the_count() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = unique("circle");
    leads_to(&channel, &queue, &queue, &[]).await;
    fill(&channel, &queue, &["again and again"]).await;
    get(&channel, &queue).await.reject(Requeue::No).await?;
    for count in 1..4 {
        let dead = get_soon(&channel, &queue).await;
        assert_eq!(counts(&dead), [(count, queue.clone(), "rejected".to_owned())]);
        assert_eq!(first(&dead, "reason"), "rejected");
        dead.reject(Requeue::No).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_latest_death_comes_first_and_sorted() -> Result<()> {
    let (_connection, channel) = open().await;
    let (queue, middle, last) = (unique("first"), unique("middle"), exclusive_queue(&channel).await);
    leads_to(&channel, &queue, &middle, &[]).await;
    leads_to(&channel, &middle, &last, &[("x-max-length", 0)]).await;
    put(&channel, &queue, "twice", &Properties::default().expiration("30")).await;

    let dead = get_soon(&channel, &last).await;
    let told = deaths(&dead);
    assert_eq!((told[0].0, &told[0].1, told[0].2.as_str()), (1, &middle, "maxlen"));
    assert_eq!(told[0].3, ["count", "exchange", "queue", "reason", "routing-keys", "time"]);
    assert_eq!((told[1].0, &told[1].1, told[1].2.as_str()), (1, &queue, "expired"));
    let order = ["count", "reason", "queue", "time", "exchange", "routing-keys", "original-expiration"];
    assert_eq!(told[1].3, order, "an old one stays as it was");
    assert_eq!(told.len(), 2);
    assert_eq!((first(&dead, "queue"), first(&dead, "reason")), (queue, "expired".to_owned()));
    assert_eq!(dead.properties()?.expiration, None);
    Ok(())
}

#[tokio::test]
async fn a_death_that_comes_again_moves_to_the_front() -> Result<()> {
    let (_connection, channel) = open().await;
    let (waiting, work) = (unique("waiting"), unique("work"));
    leads_to(&channel, &waiting, &work, &[("x-message-ttl", 30)]).await;
    leads_to(&channel, &work, &waiting, &[]).await;
    fill(&channel, &waiting, &["retried"]).await;

    let expired = |count| (count, waiting.clone(), "expired".to_owned());
    let rejected = |count| (count, work.clone(), "rejected".to_owned());
    let attempt = get_soon(&channel, &work).await;
    assert_eq!(counts(&attempt), [expired(1)]);
    attempt.reject(Requeue::No).await?;
    let attempt = get_soon(&channel, &work).await;
    assert_eq!(counts(&attempt), [expired(2), rejected(1)]);
    attempt.reject(Requeue::No).await?;
    let attempt = get_soon(&channel, &work).await;
    assert_eq!(counts(&attempt), [expired(3), rejected(2)]);
    assert_eq!(first(&attempt, "reason"), "expired");
    Ok(())
}

#[tokio::test]
async fn one_queue_kills_for_several_reasons_and_each_has_its_count() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let queue = unique("mortal");
    leads_to(&channel, &queue, &graveyard, &[]).await;
    fill(&channel, &queue, &["twice"]).await;
    get(&channel, &queue).await.reject(Requeue::No).await?;
    let dead = get_soon(&channel, &graveyard).await;
    let again = dead.properties()?.clone().expiration("30");
    put(&channel, &queue, "twice", &again).await;
    dead.ack().await?;
    let dead = get_soon(&channel, &graveyard).await;
    assert_eq!(counts(&dead), [(1, queue.clone(), "expired".to_owned()), (1, queue, "rejected".to_owned())]);
    assert_eq!(first(&dead, "reason"), "rejected");
    Ok(())
}

#[tokio::test]
async fn a_circle_in_which_nobody_rejects_is_broken() -> Result<()> {
    let (_connection, channel) = open().await;
    let (here, there, alone) = (unique("here"), unique("there"), unique("alone"));
    leads_to(&channel, &here, &there, &[("x-message-ttl", 30)]).await;
    leads_to(&channel, &there, &here, &[("x-message-ttl", 30)]).await;
    leads_to(&channel, &alone, &alone, &[("x-message-ttl", 30)]).await;
    fill(&channel, &here, &["round"]).await;
    fill(&channel, &alone, &["on the spot"]).await;
    for queue in [here, there, alone] {
        eventually(|| async { (ready_messages(&channel, &queue).await == 0).then_some(()) }).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_full_queue_does_not_feed_itself() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = unique("full");
    leads_to(&channel, &queue, &queue, &[("x-max-length", 1)]).await;
    fill(&channel, &queue, &["1", "2", "3"]).await;
    assert_eq!(take_bodies(&channel, &queue).await, ["3"]);
    assert_eq!(take_bodies(&channel, &queue).await, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn deaths_that_a_publisher_makes_up_are_counted_on() -> Result<()> {
    let (_connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let arguments = [("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", graveyard.as_str())];
    let queue = queue_with(&channel, arguments).await;
    let death: [(&str, FieldValue); 3] =
        [("queue", queue.as_str().into()), ("reason", "rejected".into()), ("count", 7_i64.into())];
    let deaths = FieldValue::Array(vec![FieldValue::Table(FieldTable::from(death))]);
    put(&channel, &queue, "aged", &Properties::default().headers(FieldTable::from([("x-death", deaths)]))).await;
    get(&channel, &queue).await.reject(Requeue::No).await?;

    let dead = get_soon(&channel, &graveyard).await;
    assert_eq!(counts(&dead), [(8, queue, "rejected".to_owned())]);
    let headers = dead.properties()?.headers.clone().expect("there is x-death");
    assert_eq!(headers.get("x-first-death-queue"), None, "the first death is not this one");
    Ok(())
}
