//! Direct reply-to: requests whose answers need no queue.

use leveret::protocol::{ProtocolMethod, basic, queue};
use leveret::{FieldTable, FieldValue, Properties, ReplyCode, Result};
use leveret_live_tests::client::{Channel, Delivery};
use leveret_live_tests::raw::Raw;
use leveret_live_tests::{connect, exclusive_queue, next, open, soon, unique};

use crate::messages::{body, get};
use crate::refusal::{assert_channel_refusal, no_queue, refused, refused_get, refused_on};

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// Asks by a queue, and gives the name of the way back that comes with the question.
async fn ask(client: &Channel, server: &Channel, queue: &str) -> String {
    let properties = Properties::default().reply_to(REPLY_TO);
    soon(client.publish("", queue, "question").properties(&properties)).await.expect("it is sent");
    let question = leveret_live_tests::eventually(|| async { server.get(queue).await.expect("the queue is there") });
    reply_to(&question.await.into())
}

fn reply_to(question: &Delivery) -> String {
    question.properties().expect("properties").reply_to.clone().expect("a way back").to_string()
}

/// Publishes an answer, and hears that no queue took it.
async fn answer(server: &Channel, name: &str) -> Result<()> {
    let publisher = soon(server.confirm_select()).await?;
    let error = soon(publisher.publish("", name, "answer").mandatory(true).confirmed()).await.unwrap_err();
    assert_eq!(error.reply_code(), Some(ReplyCode::NO_ROUTE), "{error}");
    assert_eq!(error.reply_text().as_deref(), Some("NO_ROUTE"));
    Ok(())
}

#[tokio::test]
async fn an_answer_comes_by_the_default_exchange_and_under_the_name_of_the_way_back() -> Result<()> {
    let (connection, client) = open().await;
    let server = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&server).await;
    let mut answers = soon(client.consume(REPLY_TO).no_ack(true)).await?;
    let name = ask(&client, &server, &queue).await;
    assert!(name.starts_with("amq.rabbitmq.reply-to."), "{name}");
    assert_eq!(ask(&client, &server, &queue).await, name, "a channel has one way back");

    let properties = Properties::default().correlation_id("7").content_type("text/plain");
    soon(server.publish("", &name, "answer").properties(&properties)).await?;
    let delivery = next(&mut answers).await;
    assert_eq!(
        (&*delivery.exchange().to_string_lossy(), &*delivery.routing_key().to_string_lossy()),
        ("", name.as_str())
    );
    assert_eq!((delivery.delivery_tag(), delivery.is_redelivered()), (1, false));
    assert_eq!(*delivery.properties()?, properties);
    assert_eq!(body(&delivery), "answer");
    Ok(())
}

#[tokio::test]
async fn answers_come_from_other_connections() -> Result<()> {
    let (_connection, client) = open().await;
    let (_elsewhere, server) = open().await;
    let queue = exclusive_queue(&server).await;
    let mut answers = soon(client.consume(REPLY_TO).no_ack(true)).await?;
    let name = ask(&client, &server, &queue).await;
    soon(server.publish("", &name, "from afar")).await?;
    assert_eq!(next(&mut answers).await.body(), b"from afar");
    Ok(())
}

#[tokio::test]
async fn each_channel_has_a_way_back_of_its_own() -> Result<()> {
    let (connection, first) = open().await;
    let (second, server) = (soon(connection.open_channel()).await?, soon(connection.open_channel()).await?);
    let queue = exclusive_queue(&server).await;
    let mut first_answers = soon(first.consume(REPLY_TO).no_ack(true)).await?;
    let mut second_answers = soon(second.consume(REPLY_TO).no_ack(true)).await?;
    let first_name = ask(&first, &server, &queue).await;
    let second_name = ask(&second, &server, &queue).await;
    assert_ne!(first_name, second_name);
    soon(server.publish("", &second_name, "second")).await?;
    soon(server.publish("", &first_name, "first")).await?;
    assert_eq!(next(&mut first_answers).await.body(), b"first");
    assert_eq!(next(&mut second_answers).await.body(), b"second");
    Ok(())
}

#[tokio::test]
async fn an_answer_is_delivered_though_a_mandatory_one_comes_back() -> Result<()> {
    let (connection, client) = open().await;
    let server = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&server).await;
    let mut answers = soon(client.consume(REPLY_TO).no_ack(true)).await?;
    let name = ask(&client, &server, &queue).await;
    answer(&server, &name).await?;
    assert_eq!(next(&mut answers).await.body(), b"answer");
    Ok(())
}

#[tokio::test]
async fn an_answer_to_nobody_comes_back_if_it_is_mandatory() -> Result<()> {
    let (connection, client) = open().await;
    let server = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&server).await;
    let _answers = soon(client.consume(REPLY_TO).no_ack(true)).await?;
    let name = ask(&client, &server, &queue).await;
    soon(client.close()).await?;
    answer(&server, &name).await?;
    answer(&server, "amq.rabbitmq.reply-to.nonsense").await?;
    answer(&server, REPLY_TO).await
}

#[tokio::test]
async fn answers_are_not_acknowledged() {
    let error = refused(&connect().await, basic::Consume::default().queue(REPLY_TO)).await;
    let text = "PRECONDITION_FAILED - reply consumer cannot acknowledge";
    assert_channel_refusal(&error, "basic.consume", ReplyCode::PRECONDITION_FAILED, text);
}

#[tokio::test]
async fn a_channel_has_one_consumer_of_answers_at_a_time() -> Result<()> {
    let (_connection, channel) = open().await;
    let mut first = soon(channel.consume(REPLY_TO).no_ack(true)).await?;
    soon(first.cancel()).await?;
    let _second = soon(channel.consume(REPLY_TO).no_ack(true)).await?;
    let error = soon(channel.consume(REPLY_TO).no_ack(true)).await.unwrap_err();
    let text = "PRECONDITION_FAILED - reply consumer already set";
    assert_channel_refusal(&error, "basic.consume", ReplyCode::PRECONDITION_FAILED, text);
    Ok(())
}

#[tokio::test]
async fn a_question_without_a_consumer_of_answers_is_refused_and_goes_nowhere() -> Result<()> {
    let (connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    let properties = Properties::default().reply_to(REPLY_TO);
    for key in [&queue, &unique("nowhere")] {
        let asking = soon(connection.open_channel()).await?;
        soon(asking.publish("", key, "question").properties(&properties)).await?;
        let error = refused_on(&asking).await;
        let text = "PRECONDITION_FAILED - fast reply consumer does not exist";
        assert_channel_refusal(&error, "basic.publish", ReplyCode::PRECONDITION_FAILED, text);
    }
    assert!(soon(channel.get(&queue)).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn other_ways_back_are_left_as_they_are() -> Result<()> {
    let (_connection, channel) = open().await;
    let queue = exclusive_queue(&channel).await;
    for way in ["amq.rabbitmq.reply-to.made-up", "amq.rabbitmq.reply", "somewhere"] {
        soon(channel.publish("", &queue, "question").properties(Properties::default().reply_to(way))).await?;
        assert_eq!(reply_to(&get(&channel, &queue).await), way);
    }
    Ok(())
}

#[tokio::test]
async fn whether_somebody_waits_for_an_answer_can_be_asked() -> Result<()> {
    let (connection, client) = open().await;
    let server = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&server).await;
    let _answers = soon(client.consume(REPLY_TO).no_ack(true)).await?;
    let name = ask(&client, &server, &queue).await;
    for name in [REPLY_TO, &name] {
        for passive in [true, false] {
            let declared = soon(server.queue_declare(name).passive(passive)).await?;
            assert_eq!(declared.queue, *name);
            assert_eq!((declared.message_count, declared.consumer_count), (0, 1));
        }
    }
    soon(client.close()).await?;
    let error = leveret_live_tests::eventually(|| async {
        let asking = connection.open_channel().await.expect("a channel opens");
        asking.queue_declare(&name).passive(true).await.err()
    });
    assert_channel_refusal(&error.await, "queue.declare", ReplyCode::NOT_FOUND, &no_queue(&name));
    Ok(())
}

#[tokio::test]
async fn the_way_back_is_not_a_queue_otherwise() {
    let connection = connect().await;
    let error = refused_get(&connection, REPLY_TO).await;
    assert_channel_refusal(&error, "basic.get", ReplyCode::NOT_FOUND, &no_queue(REPLY_TO));
    let error = refused(&connection, queue::Purge::default().queue(REPLY_TO)).await;
    assert_channel_refusal(&error, "queue.purge", ReplyCode::NOT_FOUND, &no_queue(REPLY_TO));
    let error = refused(&connection, queue::Bind::default().queue(REPLY_TO).exchange("amq.direct")).await;
    assert_channel_refusal(&error, "queue.bind", ReplyCode::NOT_FOUND, &no_queue(REPLY_TO));
}

#[tokio::test]
async fn an_answer_comes_by_a_further_key_too_and_once() -> Result<()> {
    let (connection, client) = open().await;
    let server = soon(connection.open_channel()).await?;
    let queue = exclusive_queue(&server).await;
    let mut answers = soon(client.consume(REPLY_TO).no_ack(true)).await?;
    let name = ask(&client, &server, &queue).await;
    let nowhere = unique("nowhere");
    for (header, key) in [("CC", &nowhere), ("BCC", &nowhere), ("CC", &name)] {
        let keys = FieldValue::Array(vec![name.as_str().into(), name.as_str().into()]);
        let properties = Properties::default().headers(FieldTable::from([(header, keys)]));
        soon(server.publish("", key, header).properties(&properties)).await?;
        let delivery = next(&mut answers).await;
        assert_eq!((body(&delivery).as_str(), &*delivery.routing_key().to_string_lossy()), (header, key.as_str()));
    }
    soon(server.publish("", &name, "the last")).await?;
    assert_eq!(next(&mut answers).await.body(), b"the last");
    Ok(())
}

#[tokio::test]
async fn a_second_consumer_of_answers_is_one_too_many_though_it_has_the_tag_of_the_first() {
    let mut peer = Raw::open_channel().await;
    let consume = basic::Consume::default().queue(REPLY_TO).consumer_tag("answers").no_ack(true);
    peer.call(1, consume.clone()).await;
    peer.send(1, consume).await;
    let text = "PRECONDITION_FAILED - reply consumer already set";
    peer.expect_channel_close(1, 406, text, basic::Consume::ID).await;
    peer.close().await;
}
