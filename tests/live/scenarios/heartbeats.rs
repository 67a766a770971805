//! Signs of life, in real seconds: they are the subject here, and the shortest interval is one.

use std::time::{Duration, Instant};

use leveret::protocol::{basic, channel};
use leveret_live_tests::raw::{Raw, Received};
use leveret_live_tests::soon;

/// A peer on channel 1 that has agreed to heartbeats of this many seconds.
async fn with_heartbeat(seconds: u16) -> Raw {
    let mut peer = Raw::connect().await;
    peer.until_tune().await;
    let (tune_ok, open) = (peer.tune_ok().heartbeat(seconds), peer.virtual_host());
    peer.send(0, tune_ok).await;
    peer.call(0, open).await;
    peer.call(1, channel::Open::default()).await;
    peer
}

#[tokio::test]
async fn the_broker_sends_heartbeats_and_gives_up_a_client_that_is_silent() {
    let mut peer = with_heartbeat(1).await;
    let since = Instant::now();
    let mut heartbeats = 0;
    while let Some(received) = soon(peer.receive()).await {
        assert_eq!(received, Received::Heartbeat, "nothing announces the end");
        heartbeats += 1;
    }
    let silence = since.elapsed();
    assert!(heartbeats >= 1, "the broker has signs of life of its own");
    assert!(silence >= Duration::from_millis(1500), "more than one interval must pass: {silence:?}");
    assert!(silence <= Duration::from_secs(8), "it does not take long: {silence:?}");
}

#[tokio::test]
async fn any_frame_is_a_sign_of_life() {
    let mut with_heartbeats = with_heartbeat(2).await;
    let mut with_calls = with_heartbeat(2).await;
    for _ in 0..18 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        with_heartbeats.send_heartbeat().await;
        with_calls.call(1, basic::Qos::default().prefetch_count(1)).await;
    }
    with_heartbeats.close().await;
    with_calls.close().await;
}

#[tokio::test]
async fn without_heartbeats_a_client_may_be_silent() {
    let mut peer = with_heartbeat(0).await;
    let silence = tokio::time::timeout(Duration::from_secs(4), peer.receive()).await;
    assert!(silence.is_err(), "nothing comes: {silence:?}");
    peer.call(1, basic::Qos::default().prefetch_count(1)).await;
    peer.close().await;
}

#[tokio::test]
async fn a_part_of_a_frame_is_no_lasting_sign_of_life() {
    let mut peer = with_heartbeat(1).await;
    peer.send_octets(&[1, 0, 0]).await;
    // What has come is a part of a frame still when the broker has said something itself.
    assert_eq!(soon(peer.receive()).await, Some(Received::Heartbeat));
    peer.expect_end_within(Duration::from_secs(8)).await;
}
