//! Queues with a limit, and what goes when they are full.

use leveret::{ErrorKind, FieldTable, FieldValue, Properties, Requeue, Result};
use leveret_live_tests::client::{Channel, Delivery};
use leveret_live_tests::{exclusive_queue, next, open, ready_messages, soon};

use crate::messages::{body, fill, get, get_soon, put, queue_with, take_all, take_bodies};

/// An exclusive queue with these limits, and the one that its dead messages go to.
async fn limited(channel: &Channel, limits: &[(&str, FieldValue)]) -> (String, String) {
    let graveyard = exclusive_queue(channel).await;
    let mut arguments =
        FieldTable::from([("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", graveyard.as_str())]);
    for (argument, value) in limits {
        arguments.insert(*argument, value.clone());
    }
    (queue_with(channel, arguments).await, graveyard)
}

fn reason(dead: &Delivery) -> String {
    let headers = dead.properties().expect("properties").headers.clone().expect("the broker adds headers");
    headers.get("x-first-death-reason").and_then(FieldValue::as_str).expect("text").to_owned()
}

#[tokio::test]
async fn a_full_queue_drops_its_oldest_message() -> Result<()> {
    let (_connection, channel) = open().await;
    for policy in [None, Some("drop-head")] {
        let mut limits = vec![("x-max-length", 2.into())];
        limits.extend(policy.map(|policy| ("x-overflow", policy.into())));
        let (queue, graveyard) = limited(&channel, &limits).await;
        fill(&channel, &queue, &["1", "2", "3", "4"]).await;
        assert_eq!(take_bodies(&channel, &queue).await, ["3", "4"]);
        for oldest in ["1", "2"] {
            let dead = get_soon(&channel, &graveyard).await;
            assert_eq!((body(&dead).as_str(), reason(&dead).as_str()), (oldest, "maxlen"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_queue_of_so_many_octets_counts_bodies_alone() -> Result<()> {
    let (_connection, channel) = open().await;
    let (queue, graveyard) = limited(&channel, &[("x-max-length-bytes", 10.into())]).await;
    let wide = Properties::default().headers(FieldTable::from([("key", "a value that is longer than ten octets")]));
    put(&channel, &queue, "12345", &wide).await;
    put(&channel, &queue, "67890", &wide).await;
    assert_eq!(ready_messages(&channel, &queue).await, 2, "it is full to the last octet");
    fill(&channel, &queue, &["x"]).await;
    assert_eq!(body(&get_soon(&channel, &graveyard).await), "12345");
    assert_eq!(take_bodies(&channel, &queue).await, ["67890", "x"]);

    fill(&channel, &queue, &["more than ten"]).await;
    assert_eq!(body(&get_soon(&channel, &graveyard).await), "more than ten", "it fits into no such queue");
    Ok(())
}

#[tokio::test]
async fn of_two_limits_each_holds() -> Result<()> {
    let (_connection, channel) = open().await;
    let limits = [("x-max-length", 3.into()), ("x-max-length-bytes", 4.into())];
    let (queue, graveyard) = limited(&channel, &limits).await;
    fill(&channel, &queue, &["1", "2", "345"]).await;
    assert_eq!(body(&get_soon(&channel, &graveyard).await), "1", "there were too many octets");
    fill(&channel, &queue, &[""]).await;
    fill(&channel, &queue, &[""]).await;
    assert_eq!(body(&get_soon(&channel, &graveyard).await), "2", "there were too many messages");
    assert_eq!(take_bodies(&channel, &queue).await, ["345", "", ""]);
    Ok(())
}

#[tokio::test]
async fn a_queue_may_refuse_what_it_has_no_room_for() -> Result<()> {
    let (_connection, channel) = open().await;
    let limits = [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())];
    let (queue, graveyard) = limited(&channel, &limits).await;
    fill(&channel, &queue, &["1"]).await;
    let publisher = soon(channel.confirm_select()).await?;
    let error = soon(publisher.publish("", &queue, "2").confirmed()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Nacked, "{error}");
    assert_eq!(take_bodies(&channel, &queue).await, ["1"]);
    soon(publisher.publish("", &queue, "3").confirmed()).await?;
    assert_eq!(take_bodies(&channel, &queue).await, ["3"]);
    assert_eq!(ready_messages(&channel, &graveyard).await, 0, "what was refused did not die here");
    Ok(())
}

#[tokio::test]
async fn a_queue_may_refuse_what_it_has_no_room_for_and_bury_it_too() -> Result<()> {
    let (_connection, channel) = open().await;
    let limits = [("x-max-length", 1.into()), ("x-overflow", "reject-publish-dlx".into())];
    let (queue, graveyard) = limited(&channel, &limits).await;
    fill(&channel, &queue, &["1"]).await;
    let publisher = soon(channel.confirm_select()).await?;
    let error = soon(publisher.publish("", &queue, "2").confirmed()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Nacked, "{error}");
    let dead = get_soon(&channel, &graveyard).await;
    assert_eq!((body(&dead).as_str(), reason(&dead).as_str()), ("2", "maxlen"));
    assert_eq!(take_bodies(&channel, &queue).await, ["1"]);
    Ok(())
}

#[tokio::test]
async fn a_queue_that_refuses_takes_back_what_it_handed_out_but_no_dead_letters() -> Result<()> {
    let (_connection, channel) = open().await;
    for policy in ["reject-publish", "reject-publish-dlx"] {
        let limits: [(&str, FieldValue); 2] = [("x-max-length", 1.into()), ("x-overflow", policy.into())];
        let queue = queue_with(&channel, limits).await;
        fill(&channel, &queue, &["1"]).await;
        let handed_out = get(&channel, &queue).await;
        fill(&channel, &queue, &["2"]).await;
        handed_out.nack(Requeue::Yes).await?;

        let arguments = [("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", queue.as_str())];
        let mortal = queue_with(&channel, arguments).await;
        fill(&channel, &mortal, &["dead"]).await;
        get(&channel, &mortal).await.reject(Requeue::No).await?;
        // The dead letter has been and gone when the queue that it comes from is.
        soon(channel.queue_delete(&mortal)).await?;
        assert_eq!(take_all(&channel, &queue).await, [("1".to_owned(), true), ("2".to_owned(), false)]);
    }
    Ok(())
}

#[tokio::test]
async fn without_confirms_nobody_hears_that_a_queue_refused() -> Result<()> {
    let (_connection, channel) = open().await;
    let limits: [(&str, FieldValue); 2] = [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())];
    let queue = queue_with(&channel, limits).await;
    for body in ["1", "2", "3"] {
        soon(channel.publish("", &queue, body).mandatory(true)).await?;
    }
    assert_eq!(take_bodies(&channel, &queue).await, ["1"]);
    assert!(channel.is_open());
    Ok(())
}

#[tokio::test]
async fn what_is_unsettled_takes_no_room_until_it_is_given_back() -> Result<()> {
    let (_connection, channel) = open().await;
    let (queue, graveyard) = limited(&channel, &[("x-max-length", 2.into())]).await;
    fill(&channel, &queue, &["1", "2"]).await;
    let unsettled = get(&channel, &queue).await;
    fill(&channel, &queue, &["3"]).await;
    assert_eq!(ready_messages(&channel, &queue).await, 2);
    assert_eq!(ready_messages(&channel, &graveyard).await, 0);
    unsettled.nack(Requeue::Yes).await?;
    let dead = get_soon(&channel, &graveyard).await;
    assert_eq!((body(&dead).as_str(), reason(&dead).as_str()), ("1", "maxlen"), "it is the oldest again");
    assert_eq!(take_all(&channel, &queue).await, [("2".to_owned(), false), ("3".to_owned(), false)]);
    Ok(())
}

#[tokio::test]
async fn a_queue_without_room_is_for_whoever_waits() -> Result<()> {
    let (_connection, channel) = open().await;
    let (queue, graveyard) = limited(&channel, &[("x-max-length", 0.into())]).await;
    fill(&channel, &queue, &["too early"]).await;
    assert_eq!(body(&get_soon(&channel, &graveyard).await), "too early");
    let mut consumer = soon(channel.consume(&queue)).await?;
    fill(&channel, &queue, &["in time"]).await;
    assert_eq!(next(&mut consumer).await.body(), b"in time");
    Ok(())
}
