//! Confirmed publishes that are sent again after a loss.

use std::future::ready as now;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use leveret::broker::{Broker, Fault, Scope, Settings, Target};
use leveret::protocol::{ProtocolMethod, ReplyCode, basic};
use leveret::{
    ChannelRecovery, Confirm, Connection, ConnectionEvent, ConnectionParameters, Error, Fate, Publisher, Recovery,
    Resend, WhileDown,
};
use leveret_test_support::endings;
use tokio::time::Instant;

use super::{World, long, settle};
use crate::{ready, soon};

/// More than a transport of the broker's holds.
const LARGE: usize = 200_000;
const COUNT: usize = 10;

fn resending(resend: Resend) -> ConnectionParameters {
    ConnectionParameters::default().recovery(Recovery::Topology).resend(resend)
}

/// A world with a queue, and a publisher for it.
async fn publishing(parameters: ConnectionParameters) -> (World, Publisher) {
    let world = World::with(parameters).await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher = soon(world.channel.confirm_select()).await.unwrap();
    (world, publisher)
}

async fn publish(publisher: &Publisher, names: impl IntoIterator<Item = String>) -> Vec<(String, Confirm)> {
    let mut confirms = Vec::new();
    for name in names {
        confirms.push((name.clone(), soon(publisher.publish("", "jobs", name)).await.unwrap()));
    }
    confirms
}

fn named(word: &str) -> Vec<String> {
    (0..COUNT).map(|number| format!("{word} {number}")).collect()
}

/// Stops the broker's reading, and publishes more than its transport holds. What is published next
/// is queued and does not reach the transport.
async fn stuff(world: &World, publisher: &Publisher) -> Confirm {
    world.broker.state().inject(Target::All, Fault::SlowInput(1));
    let confirm = soon(publisher.publish("", "jobs", vec![b'-'; LARGE])).await.unwrap();
    settle().await;
    confirm
}

/// The small bodies in the queue, in order.
fn arrived(broker: &Broker) -> Vec<String> {
    let messages = broker.state().messages("/", "jobs");
    let small = messages.iter().filter(|message| message.body.len() < LARGE);
    small.map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect()
}

/// What became of each publish.
async fn outcomes(confirms: Vec<(String, Confirm)>) -> Vec<(String, Result<(), Error>)> {
    let mut outcomes = Vec::new();
    for (name, confirm) in confirms {
        outcomes.push((name, long(confirm).await));
    }
    outcomes
}

async fn all_ok(confirms: Vec<(String, Confirm)>) {
    for (name, outcome) in outcomes(confirms).await {
        outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

async fn all_fail(confirms: Vec<(String, Confirm)>, expected: impl Fn(&Error) -> bool) {
    for (name, outcome) in outcomes(confirms).await {
        let error = outcome.unwrap_err();
        assert!(expected(&error), "{name}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_sent_in_order_before_what_is_newer() {
    let (world, publisher) = publishing(resending(Resend::NotSent)).await;
    let large = stuff(&world, &publisher).await;
    let first = publish(&publisher, named("first")).await;
    world.cut_off();
    settle().await;
    let newer = tokio::spawn({
        let publisher = publisher.clone();
        async move { all_ok(publish(&publisher, ["newer".to_owned()]).await).await }
    });
    settle().await;
    assert!(soon(large).await.unwrap_err().is_unknown());
    world.reach();
    all_ok(first).await;
    long(newer).await.unwrap();
    assert_eq!(arrived(&world.broker), [named("first"), vec!["newer".to_owned()]].concat());
    assert_eq!(ready(&world.broker, "jobs"), COUNT + 1);
}

#[tokio::test(start_paused = true)]
async fn without_resend_what_was_not_sent_fails() {
    let (world, publisher) = publishing(resending(Resend::None)).await;
    let _large = stuff(&world, &publisher).await;
    let first = publish(&publisher, named("first")).await;
    world.lose().await;
    all_fail(first, Error::is_not_sent).await;
    assert_eq!(ready(&world.broker, "jobs"), 0);
}

#[tokio::test(start_paused = true)]
async fn it_is_sent_before_calls_that_were_made_later() {
    let (world, publisher) = publishing(resending(Resend::NotSent)).await;
    let _large = stuff(&world, &publisher).await;
    let first = publish(&publisher, named("first")).await;
    world.cut_off();
    settle().await;
    let purging = tokio::spawn({
        let channel = world.channel.clone();
        async move { channel.queue_purge("jobs").await }
    });
    settle().await;
    world.reach();
    assert_eq!(long(purging).await.unwrap().unwrap().message_count as usize, COUNT);
    all_ok(first).await;
}

#[tokio::test(start_paused = true)]
async fn the_order_holds_across_channels() {
    let (world, publisher) = publishing(resending(Resend::NotSent)).await;
    let second = soon(world.connection.open_channel()).await.unwrap();
    let second = soon(second.confirm_select()).await.unwrap();
    let _large = stuff(&world, &publisher).await;
    let mut confirms = Vec::new();
    for (number, name) in named("first").into_iter().enumerate() {
        confirms.extend(publish(if number % 2 == 0 { &second } else { &publisher }, [name]).await);
    }
    world.lose().await;
    all_ok(confirms).await;
    assert_eq!(arrived(&world.broker), named("first"));
}

/// Cuts the transport after so many bytes of publishes. Returns the publishes and what became of
/// them, and what is in the queue.
async fn cut_after(octets: u64, resend: Resend) -> (Vec<(String, Result<(), Error>)>, Vec<String>) {
    let (world, publisher) = publishing(resending(resend)).await;
    world.broker.state().inject(Target::All, Fault::CutInput(octets));
    let mut confirms = Vec::new();
    for word in ["one", "two", "three"] {
        confirms.extend(publish(&publisher, named(word)).await);
        settle().await;
    }
    let outcomes = outcomes(confirms).await;
    (outcomes, arrived(&world.broker))
}

/// Where a name is in the queue.
fn places(arrived: &[String], name: &str) -> Vec<usize> {
    (0..arrived.len()).filter(|index| arrived[*index] == name).collect()
}

#[tokio::test(start_paused = true)]
async fn not_sent_makes_no_duplicate_and_loses_nothing_that_is_confirmed_wherever_it_is_cut() {
    let mut unknown = 0;
    for octets in (0..1500).step_by(37) {
        let (outcomes, arrived) = cut_after(octets, Resend::NotSent).await;
        let mut last = None;
        for (name, outcome) in outcomes {
            let places = places(&arrived, &name);
            match outcome {
                Ok(()) => assert_eq!(places.len(), 1, "{name} is confirmed, cut after {octets}"),
                Err(error) => {
                    assert!(error.is_unknown() && places.len() <= 1, "{name}: {error}, cut after {octets}");
                    unknown += 1;
                }
            }
            if let [place] = places[..] {
                assert!(last < Some(place), "{name} has passed another, cut after {octets}");
                last = Some(place);
            }
        }
    }
    assert!(unknown > 0, "no cut met a publish");
}

#[tokio::test(start_paused = true)]
async fn all_confirms_everything_and_keeps_the_order_wherever_it_is_cut() {
    let mut duplicates = 0;
    for octets in (0..1500).step_by(37) {
        let (outcomes, arrived) = cut_after(octets, Resend::All).await;
        let mut last = None;
        for (name, outcome) in outcomes {
            outcome.unwrap_or_else(|error| panic!("{name}: {error}, cut after {octets}"));
            let places = places(&arrived, &name);
            assert!((1..=2).contains(&places.len()), "{name}: {places:?}, cut after {octets}");
            duplicates += places.len() - 1;
            assert!(last < places.last().copied(), "{name} has passed another, cut after {octets}");
            last = places.last().copied();
        }
    }
    assert!(duplicates > 0, "no cut met a publish that had arrived");
}

#[tokio::test(start_paused = true)]
async fn what_was_confirmed_is_not_sent_again() {
    let (world, publisher) = publishing(resending(Resend::All)).await;
    all_ok(publish(&publisher, named("confirmed")).await).await;
    // The first byte of the next confirm is the last that arrives.
    world.broker.state().inject(Target::All, Fault::CutOutput(1));
    let doubtful = publish(&publisher, named("doubtful")).await;
    all_ok(doubtful).await;
    let twice = [named("doubtful"), named("doubtful")].concat();
    assert_eq!(arrived(&world.broker), [named("confirmed"), twice].concat());
}

#[tokio::test(start_paused = true)]
async fn what_is_above_the_limit_fails_as_without() {
    let (world, publisher) = publishing(resending(Resend::All).resend_limit(400)).await;
    let _large = stuff(&world, &publisher).await;
    let first = publish(&publisher, named("first")).await;
    world.lose().await;
    let outcomes = outcomes(first).await;
    let kept = outcomes.iter().take_while(|(_, outcome)| outcome.is_ok()).count();
    assert!((2..COUNT).contains(&kept), "{kept} of them were kept");
    for (name, outcome) in &outcomes[kept..] {
        assert!(outcome.as_ref().unwrap_err().is_not_sent(), "{name}");
    }
    assert_eq!(arrived(&world.broker), named("first")[..kept]);
    // What is confirmed makes room.
    let _large = stuff(&world, &publisher).await;
    let second = publish(&publisher, named("second").into_iter().take(kept)).await;
    world.lose().await;
    all_ok(second).await;
}

#[tokio::test(start_paused = true)]
async fn after_down_timeout_each_fails_with_what_is_known_of_it() {
    for while_down in [WhileDown::Wait, WhileDown::Fail] {
        let (world, publisher) = publishing(resending(Resend::All).while_down(while_down)).await;
        let large = stuff(&world, &publisher).await;
        let first = publish(&publisher, named("first")).await;
        world.cut_off();
        let began = Instant::now();
        assert!(long(large).await.unwrap_err().is_unknown());
        assert_eq!(began.elapsed().as_secs(), 60);
        all_fail(first, Error::is_not_sent).await;
        world.reach();
        long(world.connection.recovered()).await.unwrap();
        settle().await;
        assert_eq!(ready(&world.broker, "jobs"), 0);
        all_ok(publish(&publisher, named("later")).await).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_while_down_fails_each_with_what_is_known_of_it() {
    let (world, publisher) = publishing(resending(Resend::All)).await;
    let large = stuff(&world, &publisher).await;
    let first = publish(&publisher, named("first")).await;
    world.cut_off();
    settle().await;
    soon(world.connection.close()).await.unwrap();
    assert!(soon(large).await.unwrap_err().is_unknown());
    all_fail(first, Error::is_not_sent).await;
}

#[tokio::test(start_paused = true)]
async fn a_close_of_the_channel_while_down_fails_them_too() {
    let (world, publisher) = publishing(resending(Resend::All)).await;
    let large = stuff(&world, &publisher).await;
    let first = publish(&publisher, named("first")).await;
    world.cut_off();
    settle().await;
    soon(world.channel.close()).await.unwrap();
    assert!(soon(large).await.unwrap_err().is_unknown());
    all_fail(first, Error::is_not_sent).await;
    world.reach();
    long(world.connection.recovered()).await.unwrap();
    settle().await;
    assert_eq!(ready(&world.broker, "jobs"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_second_loss_changes_neither_order_nor_number() {
    let (world, publisher) = publishing(resending(Resend::NotSent)).await;
    let _large = stuff(&world, &publisher).await;
    let first = publish(&publisher, named("first")).await;
    world.cut_off();
    settle().await;
    // The next transport is lost in the midst of the recovery.
    world.broker.state().inject(Target::Next, Fault::CutInput(300));
    world.reach();
    long(world.connection.recovered()).await.unwrap();
    all_ok(first).await;
    let _large = stuff(&world, &publisher).await;
    let second = publish(&publisher, named("second")).await;
    world.lose().await;
    all_ok(second).await;
    assert_eq!(arrived(&world.broker), [named("first"), named("second")].concat());
}

#[tokio::test(start_paused = true)]
async fn two_losses_in_a_row_keep_everything_in_order_wherever_the_second_is() {
    let (mut thrice, mut lost_twice) = (0, 0);
    for octets in (0..2000).step_by(71) {
        let (world, publisher) = publishing(resending(Resend::All)).await;
        let mut events = world.connection.events();
        world.broker.state().inject(Target::All, Fault::CutOutput(1));
        world.broker.state().inject(Target::Next, Fault::CutInput(octets));
        let first = publish(&publisher, named("first")).await;
        all_ok(first).await;
        all_ok(publish(&publisher, named("newer")).await).await;
        let arrived = arrived(&world.broker);
        let mut last = None;
        for name in [named("first"), named("newer")].concat() {
            let places = places(&arrived, &name);
            assert!((1..=3).contains(&places.len()), "{name}: {places:?}, cut after {octets}");
            assert!(last < places.last().copied(), "{name} has passed another, cut after {octets}");
            last = places.last().copied();
            thrice += usize::from(places.len() == 3);
        }
        let mut losses = 0;
        while let Ok(Some(event)) = tokio::time::timeout(Duration::ZERO, events.next()).await {
            losses += u32::from(matches!(event, ConnectionEvent::Lost { .. }));
        }
        lost_twice += u32::from(losses == 2);
    }
    assert!(thrice > 0 && lost_twice > 0, "{thrice} came three times, {lost_twice} second losses");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_the_broker_closes_while_it_is_restored_sends_again_afterwards() {
    let (world, publisher) = publishing(resending(Resend::All)).await;
    soon(world.channel.queue_declare("other").durable(true)).await.unwrap();
    let _consumer = soon(world.channel.consume("other")).await.unwrap();
    let _large = stuff(&world, &publisher).await;
    let first = publish(&publisher, named("first")).await;
    world.cut_off();
    settle().await;
    let (refused, code) = (basic::Consume::ID, ReplyCode::ACCESS_REFUSED);
    world.broker.state().fail_next(refused, Scope::Channel, code, "not now");
    world.reach();
    all_ok(first).await;
    // Consumers are started behind what is sent again, which then has no confirms yet.
    assert_eq!(arrived(&world.broker), [named("first"), named("first")].concat());
}

#[tokio::test(start_paused = true)]
async fn what_may_be_why_the_broker_closed_the_channel_is_not_sent_again() {
    let (world, publisher) = publishing(resending(Resend::All).channel_recovery(ChannelRecovery::All)).await;
    soon(publisher.publish("", "jobs", "before").confirmed()).await.unwrap();
    let refused = soon(publisher.publish("absent", "jobs", "refused")).await.unwrap();
    let error = soon(refused).await.unwrap_err();
    assert_eq!((error.reply_code(), error.fate()), (Some(ReplyCode::NOT_FOUND), Some(Fate::Refused)));
    all_ok(publish(&publisher, named("after")).await).await;
    assert_eq!(arrived(&world.broker), [vec!["before".to_owned()], named("after")].concat());
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_sent_once_stays_unknown_after_a_second_loss() {
    // A publish of this size has to be written before the next one is queued.
    let parameters = resending(Resend::All).write_high_water(150_000).write_low_water(149_000);
    let (world, publisher) = publishing(parameters).await;
    // Both arrive, and their confirms do not.
    world.broker.state().inject(Target::All, Fault::Delay(Duration::from_secs(1000)));
    let first = soon(publisher.publish("", "jobs", vec![b'-'; LARGE])).await.unwrap();
    let second = soon(publisher.publish("", "jobs", vec![b'-'; LARGE])).await.unwrap();
    settle().await;
    assert_eq!(ready(&world.broker, "jobs"), 2);
    // The next transport is lost while the first is written again, and the second is queued.
    let mut events = world.connection.events();
    world.broker.state().inject(Target::Next, Fault::CutInput(100_000));
    world.cut();
    let mut losses = 0;
    while losses < 2 {
        losses += u32::from(matches!(long(events.next()).await, Some(ConnectionEvent::Lost { .. })));
    }
    world.reachable.store(false, Ordering::Relaxed);
    settle().await;
    soon(world.connection.close()).await.unwrap();
    assert!(soon(first).await.unwrap_err().is_unknown());
    assert!(soon(second).await.unwrap_err().is_unknown());
    assert_eq!(ready(&world.broker, "jobs"), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_all_confirms_waits_for_what_is_sent_again() {
    let (world, publisher) = publishing(resending(Resend::All)).await;
    let _large = stuff(&world, &publisher).await;
    drop(publish(&publisher, named("first")).await);
    let before = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.settled().await }
    });
    settle().await;
    world.cut_off();
    settle().await;
    let during = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.settled().await }
    });
    settle().await;
    assert!(!before.is_finished() && !during.is_finished());
    world.reach();
    assert!(long(before).await.unwrap().unwrap().is_clean());
    assert!(long(during).await.unwrap().unwrap().is_clean());
    assert_eq!(arrived(&world.broker), named("first"));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_all_confirms_learns_what_is_not_sent_again() {
    let (world, publisher) = publishing(resending(Resend::All)).await;
    let _large = stuff(&world, &publisher).await;
    drop(publish(&publisher, named("first")).await);
    world.cut_off();
    settle().await;
    assert!(long(publisher.settled()).await.unwrap_err().is_unknown());
    world.reach();
    long(world.connection.recovered()).await.unwrap();
    assert!(soon(publisher.settled()).await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_mandatory_publish_that_is_sent_again_is_still_recognised_when_it_is_returned() {
    let (world, publisher) = publishing(resending(Resend::NotSent)).await;
    let _large = stuff(&world, &publisher).await;
    let unroutable = soon(publisher.publish("", "nowhere", "body").mandatory(true)).await.unwrap();
    let routable = soon(publisher.publish("", "jobs", "body").mandatory(true)).await.unwrap();
    world.lose().await;
    assert_eq!(long(unroutable).await.unwrap_err().returned().unwrap().message.routing_key(), b"nowhere");
    long(routable).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_encoded_for_larger_frames_fails() {
    let mut small = Settings::default();
    small.frame_max = 8192;
    let brokers = [Broker::new(), Broker::with(small)];
    let is_moved = Arc::new(AtomicBool::new(false));
    let dial = {
        let (brokers, is_moved) = (brokers.clone(), Arc::clone(&is_moved));
        move || now(Ok(brokers[usize::from(is_moved.load(Ordering::Relaxed))].connect()))
    };
    let connection = soon(Connection::open_with(dial, resending(Resend::All))).await.unwrap();
    endings::watch(connection.leftovers());
    let channel = soon(connection.open_channel()).await.unwrap();
    soon(channel.queue_declare("jobs").durable(true)).await.unwrap();
    let publisher = soon(channel.confirm_select()).await.unwrap();
    brokers[0].state().inject(Target::All, Fault::SlowInput(1));
    let confirm = soon(publisher.publish("", "jobs", vec![0; 50_000])).await.unwrap();
    settle().await;
    is_moved.store(true, Ordering::Relaxed);
    brokers[0].state().inject(Target::All, Fault::Drop);
    assert!(long(confirm).await.unwrap_err().is_unknown());
    long(connection.recovered()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ready(&brokers[1], "jobs"), 0);
}
