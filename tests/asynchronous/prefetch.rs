//! What a consumer puts on the wire: the limit on unsettled deliveries first, where there is one.

use leveret::ConnectionParameters;
use leveret::asynchronous::Consume;
use leveret::protocol::{Method, basic, queue};
use leveret_test_support::Peer;

use super::client::{Connect as _, parameters};
use super::steps::{deliver, next, started};

const CAPACITY: usize = 64 * 1024;

/// The prefetch that is asked for ahead of a consumer, if any.
async fn asked(parameters: ConnectionParameters, set: impl FnOnce(Consume<'_>) -> Consume<'_>) -> Option<u16> {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters).await;
    let consuming = set(channel.consume("q")).into_future();
    let script = async {
        let (prefetch, consume) = match peer.expect_method().await {
            (1, Method::BasicQos(qos)) => {
                assert_eq!(qos, basic::Qos::default().prefetch_count(qos.prefetch_count));
                peer.send(1, basic::QosOk::default()).await;
                (Some(qos.prefetch_count), peer.expect_method().await)
            }
            other => (None, other),
        };
        assert!(matches!(consume, (1, Method::BasicConsume(_))), "{consume:?}");
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
        peer.expect_silence().await;
        prefetch
    };
    let (consumer, prefetch) = tokio::join!(consuming, script);
    consumer.unwrap();
    prefetch
}

#[tokio::test(start_paused = true)]
async fn a_consumer_is_limited_to_what_it_asks_for_or_the_default_and_without_acknowledgements_to_nothing() {
    let default = || ConnectionParameters::default().heartbeat(0);
    assert_eq!(asked(default(), |consume| consume).await, Some(250));
    assert_eq!(asked(default(), |consume| consume.prefetch(7)).await, Some(7));
    assert_eq!(asked(default(), |consume| consume.prefetch(0)).await, None, "no limit is what the broker begins with");
    assert_eq!(asked(default(), |consume| consume.no_ack(true)).await, None);
    assert_eq!(asked(default(), |consume| consume.no_ack(true).prefetch(7)).await, None);
    assert_eq!(asked(default().default_prefetch(0), |consume| consume).await, None);
    assert_eq!(asked(default().default_prefetch(0), |consume| consume.prefetch(7)).await, Some(7));
    assert_eq!(asked(default().default_prefetch(9), |consume| consume).await, Some(9));
}

#[tokio::test(start_paused = true)]
async fn the_broker_is_asked_again_only_for_another_limit() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let script = async {
        for prefetch in [Some(7), None, Some(0)] {
            if let Some(count) = prefetch {
                assert_eq!(peer.expect::<basic::Qos>(1).await.prefetch_count, count);
                peer.send(1, basic::QosOk::default()).await;
            }
            let tag = peer.expect::<basic::Consume>(1).await.consumer_tag;
            peer.send(1, basic::ConsumeOk::default().consumer_tag(tag)).await;
        }
    };
    let client = async {
        let first = channel.consume("q").consumer_tag("a").prefetch(7).await.unwrap();
        let second = channel.consume("q").consumer_tag("b").prefetch(7).await.unwrap();
        let third = channel.consume("q").consumer_tag("c").prefetch(0).await.unwrap();
        (first, second, third)
    };
    tokio::join!(client, script);
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_limit_that_nobody_awaits_is_taken_for_no_other() {
    let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters()).await;
    let script = async {
        assert_eq!(peer.expect::<basic::Qos>(1).await.prefetch_count, 7);
        peer.expect::<basic::Consume>(1).await;
        assert_eq!(peer.expect::<basic::Qos>(1).await.prefetch_count, 9);
        peer.expect::<queue::Declare>(1).await;
        peer.send(1, basic::QosOk::default()).await;
        // The application's own has no answer so far.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        peer.send(1, basic::QosOk::default()).await;
        peer.send(1, queue::DeclareOk::default().queue("declared")).await;
        peer.send(1, basic::ConsumeOk::default().consumer_tag("c")).await;
        deliver(&mut peer, "c", 1, b"x").await;
    };
    let before = tokio::time::Instant::now();
    let limiting = async {
        channel.basic_qos().prefetch_count(9).await.unwrap();
        before.elapsed().as_secs()
    };
    let consuming = channel.consume("q").prefetch(7).into_future();
    let (consumer, limited_after, declared, ()) =
        tokio::join!(consuming, limiting, channel.queue_declare("q").into_future(), script);
    assert_eq!((limited_after, declared.unwrap().queue), (1, "declared".into()));
    assert_eq!(next(&mut consumer.unwrap()).await, Some((1, b"x".to_vec())));
}

#[tokio::test(start_paused = true)]
async fn what_the_application_set_for_the_channel_is_not_overridden_by_the_default() {
    let parameters = ConnectionParameters::default().heartbeat(0);
    for global in [false, true] {
        let (_connection, channel, mut peer) = Peer::connect_channel(CAPACITY, parameters.clone()).await;
        let script = async {
            assert_eq!(peer.expect::<basic::Qos>(1).await, basic::Qos::default().prefetch_count(3).global(global));
            peer.send(1, basic::QosOk::default()).await;
        };
        let limiting = channel.basic_qos().prefetch_count(3).global(global).into_future();
        tokio::join!(limiting, script).0.unwrap();
        // The very next method is the consume.
        started(channel.consume("q"), &mut peer).await;
    }
}
