//! Transactions over a loss.

use leveret::broker::{Fault, Target};
use leveret::protocol::{ProtocolMethod, tx};

use super::{World, long, settle};
use crate::{ready, soon};

async fn world() -> World {
    let world = World::new().await;
    soon(world.channel.queue_declare("jobs").durable(true)).await.unwrap();
    soon(world.channel.call(tx::Select::default())).await.unwrap();
    world
}

// R11
#[tokio::test(start_paused = true)]
async fn a_transaction_of_which_a_part_was_lost_is_not_committed() {
    let world = world().await;
    soon(world.channel.publish("", "jobs", "before")).await.unwrap();
    settle().await;
    world.lose().await;
    soon(world.channel.publish("", "jobs", "after")).await.unwrap();
    let error = soon(world.channel.call(tx::Commit::default())).await.unwrap_err();
    assert!(error.is_transaction_lost(), "{error:?}");
    settle().await;
    assert_eq!(ready(&world.broker, "jobs"), 0);
    soon(world.channel.publish("", "jobs", "whole")).await.unwrap();
    soon(world.channel.call(tx::Commit::default())).await.unwrap();
    assert_eq!(ready(&world.broker, "jobs"), 1);
    world.finish().await;
}

// R11
#[tokio::test(start_paused = true)]
async fn a_commit_that_waits_for_the_recovery_fails_if_its_work_was_lost() {
    let world = world().await;
    soon(world.channel.publish("", "jobs", "before")).await.unwrap();
    settle().await;
    world.cut_off();
    settle().await;
    let commit = tokio::spawn({
        let channel = world.channel.clone();
        async move { channel.call(tx::Commit::default()).await.map(drop) }
    });
    settle().await;
    world.reach();
    let error = long(commit).await.unwrap().unwrap_err();
    assert!(error.is_transaction_lost(), "{error:?}");
    world.finish().await;
}

// R11
#[tokio::test(start_paused = true)]
async fn a_rollback_after_the_loss_begins_anew() {
    let world = world().await;
    soon(world.channel.publish("", "jobs", "before")).await.unwrap();
    settle().await;
    world.lose().await;
    soon(world.channel.call(tx::Rollback::default())).await.unwrap();
    soon(world.channel.publish("", "jobs", "after")).await.unwrap();
    soon(world.channel.call(tx::Commit::default())).await.unwrap();
    assert_eq!(ready(&world.broker, "jobs"), 1);
    world.finish().await;
}

// R11
#[tokio::test(start_paused = true)]
async fn without_open_work_a_loss_fails_no_commit() {
    let world = world().await;
    soon(world.channel.publish("", "jobs", "before")).await.unwrap();
    soon(world.channel.call(tx::Commit::default())).await.unwrap();
    world.lose().await;
    soon(world.channel.publish("", "jobs", "after")).await.unwrap();
    soon(world.channel.call(tx::Commit::default())).await.unwrap();
    assert_eq!(ready(&world.broker, "jobs"), 2);
    world.finish().await;
}

// R11: a program that repeats a commit of which nothing was sent is not told that it succeeded.
#[tokio::test(start_paused = true)]
async fn the_work_of_a_commit_that_was_not_sent_is_lost() {
    let world = world().await;
    world.cut();
    // The driver has not run yet, so it hands none of this to the transport.
    soon(world.channel.publish("", "jobs", "work")).await.unwrap();
    let error = soon(world.channel.call(tx::Commit::default())).await.unwrap_err();
    let again = long(world.channel.call(tx::Commit::default())).await;
    assert_eq!(ready(&world.broker, "jobs"), 0);
    assert!(error.is_transaction_lost() || again.is_err(), "{error:?}, then {again:?}");
    world.finish().await;
}

/// Publishes and commits, and repeats a commit that failed. Returns whether there was a loss.
async fn commits(fault: Fault) -> bool {
    let world = world().await;
    soon(world.channel.publish("", "jobs", "first")).await.unwrap();
    settle().await;
    world.broker.state().inject(Target::All, fault);
    soon(world.channel.publish("", "jobs", "second")).await.unwrap();
    let first = long(world.channel.call(tx::Commit::default())).await.map(drop);
    settle().await;
    let committed = ready(&world.broker, "jobs");
    match &first {
        Ok(()) => assert_eq!(committed, 2),
        Err(error) if error.is_transaction_lost() || error.is_not_sent() => assert_eq!(committed, 0),
        Err(error) => assert!(error.is_unknown() && (committed == 0 || committed == 2), "{error:?} {committed}"),
    }
    let lost = super::fates::recover(&world).await;
    world.finish().await;
    lost
}

// R11
#[tokio::test(start_paused = true)]
async fn a_commit_is_whole_or_nothing_wherever_the_transport_is_cut() {
    for (fault, least) in [(Fault::CutInput as fn(u64) -> Fault, 60), (Fault::CutOutput, 10)] {
        let mut octets = 0;
        while commits(fault(octets)).await {
            octets += 1;
            assert!(octets < 5000);
        }
        assert!(octets >= least, "{octets}");
    }
}

// R11: what waits behind a commit that is not answered is lost with it.
#[tokio::test(start_paused = true)]
async fn work_that_waited_behind_a_commit_is_lost_with_the_transport() {
    let world = world().await;
    world.broker.state().hold_next(tx::Commit::ID);
    soon(world.channel.publish("", "jobs", "first")).await.unwrap();
    let commit = tokio::spawn({
        let channel = world.channel.clone();
        async move { channel.call(tx::Commit::default()).await.map(drop) }
    });
    settle().await;
    soon(world.channel.publish("", "jobs", "second")).await.unwrap();
    settle().await;
    world.lose().await;
    assert!(soon(commit).await.unwrap().unwrap_err().is_unknown());
    assert_eq!(ready(&world.broker, "jobs"), 1);
    let error = soon(world.channel.call(tx::Commit::default())).await.unwrap_err();
    assert!(error.is_transaction_lost());
    assert_eq!(ready(&world.broker, "jobs"), 1);
    world.finish().await;
}
