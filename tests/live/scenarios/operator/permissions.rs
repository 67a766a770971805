//! What a user may do, and how everything else is refused. A name that starts with `mine` is the
//! user's, another is not.

use leveret::protocol::{ProtocolMethod, basic, channel, confirm, exchange, queue};
use leveret::{FieldTable, Properties};
use leveret_live_tests::{Permissions, unique};

use super::restricted::{Declared, Restricted, fanout};

const NONE: &str = "^$";
const MINE: &str = "^mine";

fn durable(name: &str) -> queue::Declare {
    queue::Declare::default().queue(name.to_owned()).durable(true)
}

fn queue_bind(queue: &str, exchange: &str) -> queue::Bind {
    queue::Bind::default().queue(queue.to_owned()).exchange(exchange.to_owned())
}

fn queue_unbind(queue: &str, exchange: &str) -> queue::Unbind {
    queue::Unbind::default().queue(queue.to_owned()).exchange(exchange.to_owned())
}

fn exchange_bind(destination: &str, source: &str) -> exchange::Bind {
    exchange::Bind::default().destination(destination.to_owned()).source(source.to_owned())
}

fn exchange_unbind(destination: &str, source: &str) -> exchange::Unbind {
    exchange::Unbind::default().destination(destination.to_owned()).source(source.to_owned())
}

fn publish(exchange: &str) -> basic::Publish {
    basic::Publish::default().exchange(exchange.to_owned())
}

fn queue(name: &str) -> String {
    format!("queue '{name}'")
}

fn exchange(name: &str) -> String {
    format!("exchange '{name}'")
}

#[tokio::test]
async fn declaring_and_deleting_queues_takes_configure() {
    let declared = Declared::new().await;
    let mut user = Restricted::to(MINE, ".*", ".*").await;
    for name in [&declared.queue, &format!("other.missing.{}", unique("queue"))] {
        user.expect_refusal(durable(name), &queue(name)).await;
        user.expect_refusal(queue::Delete::default().queue(name.as_str()), &queue(name)).await;
    }
    user.expect_answer(durable(&declared.my_queue), queue::DeclareOk::ID).await;
    let missing = format!("mine.missing.{}", unique("queue"));
    user.expect_answer(queue::Delete::default().queue(&*missing), queue::DeleteOk::ID).await;
    user.close().await;
    declared.delete().await;
}

#[tokio::test]
async fn declaring_and_deleting_exchanges_takes_configure() {
    let declared = Declared::new().await;
    let mut user = Restricted::to(MINE, ".*", ".*").await;
    for name in [&declared.exchange, &format!("other.missing.{}", unique("exchange"))] {
        user.expect_refusal(fanout(name), &exchange(name)).await;
        user.expect_refusal(exchange::Delete::default().exchange(name.as_str()), &exchange(name)).await;
    }
    user.expect_answer(fanout(&declared.my_exchange), exchange::DeclareOk::ID).await;
    let missing = format!("mine.missing.{}", unique("exchange"));
    user.expect_answer(exchange::Delete::default().exchange(&*missing), exchange::DeleteOk::ID).await;
    user.close().await;
    declared.delete().await;
}

#[tokio::test]
async fn a_name_that_the_broker_makes_up_takes_configure_too() {
    let mut user = Restricted::to(MINE, ".*", ".*").await;
    user.peer.call(1, channel::Open::default()).await;
    user.peer.send(1, queue::Declare::default().exclusive(true)).await;
    let close = user.peer.expect_close().await;
    assert_eq!((close.channel, close.code, close.method), (1, 403, queue::Declare::ID));
    let tail = format!("' in vhost '/' refused for user '{}'", user.user);
    assert!(close.text.starts_with("ACCESS_REFUSED - access to queue 'amq.gen-"), "{close:?}");
    assert!(close.text.ends_with(&tail), "{close:?}");
    user.peer.send(1, channel::CloseOk::default()).await;
    user.close().await;
}

#[tokio::test]
async fn asking_whether_something_is_there_takes_no_permission() {
    let declared = Declared::new().await;
    let mut user = Restricted::to(NONE, NONE, NONE).await;
    user.expect_answer(durable(&declared.queue).passive(true), queue::DeclareOk::ID).await;
    user.expect_answer(fanout(&declared.exchange).passive(true), exchange::DeclareOk::ID).await;
    let name = unique("missing");
    let text = format!("NOT_FOUND - no queue '{name}' in vhost '/'");
    user.expect_close(durable(&name).passive(true).into(), 404, &text).await;
    let text = format!("NOT_FOUND - no exchange '{name}' in vhost '/'");
    user.expect_close(fanout(&name).passive(true).into(), 404, &text).await;
    user.close().await;
    declared.delete().await;
}

#[tokio::test]
async fn what_touches_no_resource_takes_no_permission() {
    let mut user = Restricted::to(NONE, NONE, NONE).await;
    user.expect_answer(basic::Qos::default().prefetch_count(1), basic::QosOk::ID).await;
    user.expect_answer(confirm::Select::default(), confirm::SelectOk::ID).await;
    user.expect_answer(basic::Cancel::default().consumer_tag("none"), basic::CancelOk::ID).await;
    let replies = basic::Consume::default().queue("amq.rabbitmq.reply-to").no_ack(true);
    user.expect_answer(replies, basic::ConsumeOk::ID).await;
    user.close().await;
}

#[tokio::test]
async fn publishing_takes_write_on_the_exchange_there_or_not() {
    let declared = Declared::new().await;
    let mut user = Restricted::to(".*", MINE, ".*").await;
    let missing = format!("other.missing.{}", unique("exchange"));
    for name in [declared.exchange.as_str(), missing.as_str(), "amq.topic"] {
        user.expect_refusal(publish(name), &exchange(name)).await;
    }
    user.expect_refusal(publish("").routing_key(declared.my_queue.as_str()), &exchange("amq.default")).await;

    let missing = format!("mine.missing.{}", unique("exchange"));
    let text = format!("NOT_FOUND - no exchange '{missing}' in vhost '/'");
    user.expect_close(publish(&missing).into(), 404, &text).await;
    user.peer.call(1, channel::Open::default()).await;
    user.peer.send(1, publish(&declared.my_exchange).mandatory(true)).await;
    user.peer.send_header(1, 0).await;
    assert_eq!(user.peer.expect::<basic::Return>(1).await.reply_code.code(), 312, "it came as far as its route");
    user.peer.expect_content(1).await;
    user.close().await;
    declared.delete().await;
}

#[tokio::test]
async fn getting_consuming_and_purging_take_read_on_the_queue_there_or_not() {
    let declared = Declared::new().await;
    let mut user = Restricted::to(".*", ".*", MINE).await;
    for name in [&declared.queue, &format!("other.missing.{}", unique("queue"))] {
        user.expect_refusal(basic::Get::default().queue(name.as_str()), &queue(name)).await;
        user.expect_refusal(basic::Consume::default().queue(name.as_str()), &queue(name)).await;
        user.expect_refusal(queue::Purge::default().queue(name.as_str()), &queue(name)).await;
    }
    let name = declared.my_queue.as_str();
    user.expect_answer(basic::Get::default().queue(name), basic::GetEmpty::ID).await;
    user.expect_answer(basic::Consume::default().queue(name), basic::ConsumeOk::ID).await;
    user.expect_answer(queue::Purge::default().queue(name), queue::PurgeOk::ID).await;
    user.close().await;
    declared.delete().await;
}

#[tokio::test]
async fn binding_a_queue_takes_write_on_the_queue_and_then_read_on_the_exchange() {
    let declared = Declared::new().await;
    let mut user = Restricted::to(NONE, MINE, MINE).await;
    let (mine, other) = (declared.my_queue.as_str(), declared.queue.as_str());
    let (my_exchange, exchange_of_other) = (declared.my_exchange.as_str(), declared.exchange.as_str());
    for source in [my_exchange, exchange_of_other] {
        user.expect_refusal(queue_bind(other, source), &queue(other)).await;
        user.expect_refusal(queue_unbind(other, source), &queue(other)).await;
    }
    for source in [exchange_of_other, "other.missing", "amq.direct"] {
        user.expect_refusal(queue_bind(mine, source), &exchange(source)).await;
        user.expect_refusal(queue_unbind(mine, source), &exchange(source)).await;
    }
    user.expect_answer(queue_bind(mine, my_exchange), queue::BindOk::ID).await;
    user.expect_answer(queue_unbind(mine, my_exchange), queue::UnbindOk::ID).await;
    user.close().await;
    declared.delete().await;
}

#[tokio::test]
async fn binding_an_exchange_takes_write_on_the_destination_and_then_read_on_the_source() {
    let declared = Declared::new().await;
    let (mine, other) = (declared.my_exchange.as_str(), declared.exchange.as_str());
    let mut reader = Restricted::to(NONE, NONE, ".*").await;
    reader.expect_refusal(exchange_bind(mine, other), &exchange(mine)).await;
    reader.expect_refusal(exchange_unbind(mine, other), &exchange(mine)).await;
    reader.close().await;
    let mut writer = Restricted::to(NONE, ".*", MINE).await;
    writer.expect_refusal(exchange_bind(mine, other), &exchange(other)).await;
    writer.expect_refusal(exchange_unbind(mine, other), &exchange(other)).await;
    writer.expect_answer(exchange_bind(other, mine), exchange::BindOk::ID).await;
    writer.expect_answer(exchange_unbind(other, mine), exchange::UnbindOk::ID).await;
    writer.close().await;
    declared.delete().await;
}

#[tokio::test]
async fn a_dead_letter_exchange_takes_read_on_the_queue_and_write_on_the_exchange() {
    let dead_letters_to = |queue: &str, exchange: &str| {
        let arguments = FieldTable::from([("x-dead-letter-exchange", exchange.to_owned())]);
        queue::Declare::default().queue(queue.to_owned()).exclusive(true).arguments(arguments)
    };
    let name = format!("mine.{}", unique("dead-letters"));
    let mut writer = Restricted::to(".*", ".*", NONE).await;
    writer.expect_refusal(dead_letters_to(&name, "mine"), &queue(&name)).await;
    writer.close().await;
    let mut user = Restricted::to(".*", MINE, ".*").await;
    user.expect_refusal(dead_letters_to(&name, "other"), &exchange("other")).await;
    user.expect_refusal(dead_letters_to(&name, ""), &exchange("amq.default")).await;
    user.expect_answer(dead_letters_to(&name, "mine"), queue::DeclareOk::ID).await;
    user.close().await;
}

#[tokio::test]
async fn an_alternate_exchange_takes_read_on_the_exchange_and_write_on_the_alternate() {
    let alternates_to = |name: &str, alternate: &str| {
        let arguments = FieldTable::from([("alternate-exchange", alternate.to_owned())]);
        fanout(name).durable(false).arguments(arguments)
    };
    let name = format!("mine.{}", unique("alternates"));
    let mut writer = Restricted::to(".*", ".*", NONE).await;
    writer.expect_refusal(alternates_to(&name, "mine"), &exchange(&name)).await;
    writer.close().await;
    let mut user = Restricted::to(".*", MINE, ".*").await;
    user.expect_refusal(alternates_to(&name, "other"), &exchange("other")).await;
    user.expect_answer(alternates_to(&name, "mine"), exchange::DeclareOk::ID).await;
    user.expect_answer(exchange::Delete::default().exchange(&*name), exchange::DeleteOk::ID).await;
    user.close().await;
}

#[tokio::test]
async fn reserved_names_are_refused_before_and_after_permissions() {
    let mut user = Restricted::to(NONE, NONE, NONE).await;
    let text = "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'";
    user.expect_close(durable("amq.mine").into(), 403, text).await;
    user.expect_refusal(fanout("amq.mine"), &exchange("amq.mine")).await;
    let text = "ACCESS_REFUSED - operation not permitted on the default exchange";
    user.expect_close(fanout("").into(), 403, text).await;
    user.expect_close(exchange::Delete::default().into(), 403, text).await;
    let text = "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed";
    user.expect_close(exchange::Delete::default().exchange("amq.direct").into(), 403, text).await;
    user.close().await;
}

#[tokio::test]
async fn a_message_names_no_other_user_as_its_sender() {
    let mut user = Restricted::to(".*", ".*", ".*").await;
    user.peer.call(1, channel::Open::default()).await;
    let own = Properties::default().user_id(user.user.as_str());
    user.peer.publish_with(1, "", "nowhere", &own, "signed").await;
    let other = Properties::default().user_id("somebody");
    user.peer.publish_with(1, "", "nowhere", &other, "forged").await;
    let text =
        format!("PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was '{}'", user.user);
    user.peer.expect_channel_close(1, 406, &text, basic::Publish::ID).await;
    user.close().await;
}

#[tokio::test]
async fn permissions_that_change_count_for_what_comes_later() {
    let mut user = Restricted::to(NONE, NONE, NONE).await;
    let name = unique("later");
    let declare = queue::Declare::default().queue(&*name).exclusive(true);
    user.expect_refusal(declare.clone(), &queue(&name)).await;
    user.operator.set_permissions(&user.user, "/", Permissions::ALL).await;
    user.expect_answer(declare.clone(), queue::DeclareOk::ID).await;
    user.operator.set_permissions(&user.user, "/", Permissions { configure: NONE, write: NONE, read: NONE }).await;
    user.expect_refusal(declare, &queue(&name)).await;
    user.close().await;
}
