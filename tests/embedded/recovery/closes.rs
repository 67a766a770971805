//! Channels that the broker closes, and that are opened again on the same connection.

use std::time::Duration;

use leveret::broker::{Fault, Target};
use leveret::protocol::basic;
use leveret::{
    ChannelEvent, ChannelRecovery, ChannelState, ConnectionParameters, Error, Fate, Recovery, ReplyCode, WhileDown,
};
use tokio::time::sleep;

use super::{World, long, settle};
use crate::{ready, soon};

fn parameters(channels: ChannelRecovery) -> ConnectionParameters {
    ConnectionParameters::default().recovery(Recovery::Topology).channel_recovery(channels)
}

/// Has the broker close the channel, for an acknowledgement of a delivery that there is not.
async fn provoke(world: &World) {
    soon(world.channel.send(basic::Ack::default().delivery_tag(99))).await.unwrap();
    settle().await;
}

/// Has the broker close the channel, and returns before it is open again: the broker is far away.
async fn begin_close(world: &World) {
    let mut events = world.channel.events();
    world.broker.state().inject(Target::All, Fault::Delay(Duration::from_secs(1)));
    soon(world.channel.send(basic::Ack::default().delivery_tag(99))).await.unwrap();
    assert!(matches!(long(events.next()).await, Some(ChannelEvent::Lost)));
    settle().await;
    assert_eq!(world.channel.state(), ChannelState::Recovering);
}

fn names(world: &World) -> Vec<String> {
    world.broker.state().consumers("/").into_iter().map(|consumer| consumer.tag.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_an_error_closes_stays_closed_unless_the_program_asks() {
    for parameters in [
        parameters(ChannelRecovery::None),
        parameters(ChannelRecovery::AckTimeout),
        ConnectionParameters::default().channel_recovery(ChannelRecovery::All),
    ] {
        let world = World::with(parameters).await;
        provoke(&world).await;
        assert!(!world.channel.is_open());
        assert_eq!(world.channel.closed_by().unwrap().reply_code(), Some(ReplyCode::PRECONDITION_FAILED));
    }
    let world = World::with(parameters(ChannelRecovery::None)).await;
    provoke(&world).await;
    world.lose().await;
    settle().await;
    assert!(!world.channel.is_open(), "a later loss does not bring it back");
}

#[tokio::test(start_paused = true)]
async fn after_an_acknowledgement_timeout_the_channel_and_its_consumers_go_on() {
    let world = World::with(parameters(ChannelRecovery::AckTimeout)).await;
    let channel = &world.channel;
    soon(channel.queue_declare("jobs").durable(true)).await.unwrap();
    soon(channel.queue_declare("other").durable(true)).await.unwrap();
    let mut slow = soon(channel.consume("jobs").prefetch(1).consumer_tag("slow")).await.unwrap();
    let _other = soon(channel.consume("other").consumer_tag("other")).await.unwrap();
    let mut events = channel.events();
    world.broker.state().set_consumer_timeout(Some(Duration::from_secs(60)));
    soon(channel.publish("", "jobs", "work")).await.unwrap();
    let stale = soon(slow.try_next()).await.unwrap().unwrap();
    let again = long(slow.try_next()).await.unwrap().unwrap();
    assert!(stale.is_stale() && !again.is_stale() && again.is_redelivered());
    let error: Error = soon(stale.ack()).await.unwrap_err();
    assert!(error.is_stale_delivery() && error.is_not_sent());
    soon(again.ack()).await.unwrap();
    settle().await;
    assert_eq!(names(&world), ["slow", "other"], "in the order in which they were started");
    assert!(channel.is_open() && world.connection.is_open());
    let mut told = Vec::new();
    while told.len() < 4 {
        told.push(soon(events.next()).await.unwrap());
    }
    let consumer = |tag: &str| ChannelEvent::ConsumerRecovered(tag.into());
    assert!(
        matches!(&told[..], [ChannelEvent::Lost, ChannelEvent::Recovered, slow, other]
            if format!("{slow:?}{other:?}") == format!("{:?}{:?}", consumer("slow"), consumer("other"))),
        "{told:?}"
    );
    assert_eq!(world.broker.state().queue("/", "jobs").unwrap().unacknowledged, 0);
}

#[tokio::test(start_paused = true)]
async fn the_same_close_soon_after_three_reopenings_in_a_row_is_final() {
    let world = World::with(parameters(ChannelRecovery::All)).await;
    for _ in 0..3 {
        provoke(&world).await;
        assert!(world.channel.is_open());
        sleep(Duration::from_secs(20)).await;
    }
    provoke(&world).await;
    assert!(!world.channel.is_open());
    let error = world.channel.closed_by().unwrap();
    assert_eq!(error.reply_code(), Some(ReplyCode::PRECONDITION_FAILED));
    assert!(soon(world.channel.queue_declare("jobs")).await.unwrap_err().is_not_sent());
    assert!(world.connection.is_open());
    soon(world.connection.open_channel()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn closes_that_are_rare_or_for_something_else_do_not_add_up() {
    let world = World::with(parameters(ChannelRecovery::All)).await;
    for round in 0..8 {
        provoke(&world).await;
        assert!(world.channel.is_open(), "{round}");
        sleep(Duration::from_secs(31)).await;
    }
    for round in 0..4 {
        provoke(&world).await;
        soon(world.channel.queue_purge("absent")).await.unwrap_err();
        settle().await;
        assert!(world.channel.is_open(), "{round}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_request_that_is_blamed_is_refused_and_those_after_it_are_of_unknown_fate() {
    let world = World::with(parameters(ChannelRecovery::All)).await;
    let channel = &world.channel;
    let (refused, unknown) = tokio::join!(channel.queue_purge("absent"), channel.queue_declare("jobs"));
    let (refused, unknown) = (refused.unwrap_err(), unknown.unwrap_err());
    assert_eq!(refused.fate(), Some(Fate::Refused), "{refused:?}");
    assert_eq!(unknown.fate(), Some(Fate::Unknown), "{unknown:?}");
    settle().await;
    assert!(world.broker.state().queue("/", "jobs").is_none());
    soon(channel.queue_declare("jobs")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_is_blamed_is_refused_and_confirms_go_on() {
    let world = World::with(parameters(ChannelRecovery::All)).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher = soon(world.channel.confirm_select()).await.unwrap();
    let error = soon(publisher.publish("absent", "jobs", "lost").confirmed()).await.unwrap_err();
    assert_eq!(error.fate(), Some(Fate::Refused), "{error:?}");
    for _ in 0..3 {
        soon(publisher.publish("", "jobs", "kept").confirmed()).await.unwrap();
    }
    assert_eq!(ready(&world.broker, "jobs"), 3);
}

#[tokio::test(start_paused = true)]
async fn requests_during_the_reopening_wait_in_order_or_fail_at_once() {
    for while_down in [WhileDown::Wait, WhileDown::Fail] {
        let world = World::with(parameters(ChannelRecovery::All).while_down(while_down)).await;
        let channel = &world.channel;
        soon(channel.queue_declare("jobs").durable(true)).await.unwrap();
        begin_close(&world).await;
        assert!(world.connection.is_open());
        let (purged, published) = (channel.queue_purge("jobs"), channel.publish("", "jobs", "after"));
        let (purged, published) = long(async { tokio::join!(purged.into_future(), published.into_future()) }).await;
        if while_down == WhileDown::Wait {
            assert_eq!(purged.unwrap().message_count, 0);
            published.unwrap();
            sleep(Duration::from_secs(3)).await;
            assert_eq!(ready(&world.broker, "jobs"), 1);
        } else {
            assert!(purged.unwrap_err().is_recovering());
            assert!(published.unwrap_err().is_recovering());
        }
        sleep(Duration::from_secs(3)).await;
        assert_eq!(channel.state(), ChannelState::Open);
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_whose_queue_went_with_the_channel_ends_and_the_others_go_on() {
    let world = World::with(parameters(ChannelRecovery::All)).await;
    let channel = &world.channel;
    soon(channel.queue_declare("passing").auto_delete(true)).await.unwrap();
    soon(channel.queue_declare("jobs").durable(true)).await.unwrap();
    let mut passing = soon(channel.consume("passing").consumer_tag("passing")).await.unwrap();
    let mut kept = soon(channel.consume("jobs").consumer_tag("kept")).await.unwrap();
    provoke(&world).await;
    assert!(soon(passing.try_next()).await.is_err());
    assert!(soon(passing.try_next()).await.unwrap().is_none());
    assert_eq!(names(&world), ["kept"]);
    soon(channel.publish("", "jobs", "work")).await.unwrap();
    soon(soon(kept.try_next()).await.unwrap().unwrap().ack()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_closed_while_the_connection_goes_down_comes_back_with_it() {
    let world = World::with(parameters(ChannelRecovery::All)).await;
    let channel = &world.channel;
    soon(channel.queue_declare("jobs").durable(true)).await.unwrap();
    let mut consumer = soon(channel.consume("jobs")).await.unwrap();
    let mut events = channel.events();
    begin_close(&world).await;
    world.lose().await;
    settle().await;
    assert!(matches!(soon(events.next()).await, Some(ChannelEvent::Lost)));
    assert!(matches!(soon(events.next()).await, Some(ChannelEvent::Recovered)), "it was lost once");
    soon(channel.publish("", "jobs", "work")).await.unwrap();
    soon(soon(consumer.try_next()).await.unwrap().unwrap().ack()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_consumer_starts_again_although_no_channel_number_is_free() {
    let world = World::with(parameters(ChannelRecovery::All).channel_max(1)).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let mut events = world.connection.events();
    let mut consumer = soon(world.channel.consume("jobs").consumer_tag("tag")).await.unwrap();
    provoke(&world).await;
    assert_eq!(names(&world), ["tag"]);
    world.broker.state().delete_queue("/", "jobs");
    assert!(soon(consumer.try_next()).await.is_err());
    assert!(soon(consumer.try_next()).await.unwrap().is_none());
    settle().await;
    assert_eq!(world.channel.state(), ChannelState::Open);
    assert!(tokio::time::timeout(Duration::from_millis(1), events.next()).await.is_err(), "the connection is not lost");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_refused_after_a_loss_does_not_end_the_others_of_its_channel() {
    let world = World::new().await;
    let channel = &world.channel;
    soon(channel.queue_declare("jobs").durable(true)).await.unwrap();
    soon(channel.queue_declare("gone").exclusive(true).recorded(false)).await.unwrap();
    let mut before = soon(channel.consume("jobs").consumer_tag("before")).await.unwrap();
    let _refused = soon(channel.consume("gone").consumer_tag("refused")).await.unwrap();
    let _after = soon(channel.consume("jobs").consumer_tag("after").prefetch(1)).await.unwrap();
    world.lose().await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(names(&world), ["before", "after"]);
    soon(channel.publish("", "jobs", "work")).await.unwrap();
    soon(soon(before.try_next()).await.unwrap().unwrap().ack()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_waits_when_the_channel_is_closed_is_sent_after_its_reopening() {
    let world = World::with(parameters(ChannelRecovery::All).max_unconfirmed(1)).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher = soon(world.channel.confirm_select()).await.unwrap();
    world.broker.state().inject(Target::All, Fault::Delay(Duration::from_secs(1)));
    let refused = publisher.publish("absent", "jobs", "refused").confirmed().into_future();
    let waits = publisher.publish("", "jobs", "waits").confirmed().into_future();
    let (refused, sent) = long(async { tokio::join!(refused, waits) }).await;
    assert_eq!(refused.unwrap_err().fate(), Some(Fate::Refused));
    sent.unwrap();
    assert_eq!(ready(&world.broker, "jobs"), 1);
}

// Found by the simulation (seed 156915): it stayed recorded, and was reported after the next loss.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_dropped_while_its_channel_is_opened_again_does_not_come_back() {
    for millis in (0..6000).step_by(250) {
        let world = World::with(parameters(ChannelRecovery::All)).await;
        soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
        let consumer = soon(world.channel.consume("jobs")).await.unwrap();
        begin_close(&world).await;
        sleep(Duration::from_millis(millis)).await;
        drop(consumer);
        sleep(Duration::from_secs(20)).await;
        assert_eq!(world.connection.topology().consumers().count(), 0, "after {millis} ms");
        assert!(names(&world).is_empty(), "after {millis} ms");
        world.broker.state().inject(Target::All, Fault::Delay(Duration::ZERO));
        world.lose().await;
        world.finish().await;
    }
}
