//! Connections that survive what a network does to them: a [`Survivor`] behind a relay.

use std::time::Duration;

use leveret::{ConnectionEvent, ConnectionParameters, Recovery, Result};
use leveret_live_tests::survivor::Survivor;
use leveret_live_tests::{Operator, eventually, next, parameters, soon};
use leveret_test_support::relay::{End, Fate, Relay, Way};

/// Parameters of a connection that comes back soon.
fn surviving(parameters: ConnectionParameters) -> ConnectionParameters {
    let parameters = parameters.recovery(Recovery::Topology).recovery_refusals(1000);
    parameters.recovery_delay(Duration::from_millis(50)).recovery_max_delay(Duration::from_millis(500))
}

/// A survivor behind a relay, to which `fault` is done; `mended` ends the fault. It has what it had
/// then, and works.
async fn survives(
    heartbeat: u16,
    fault: impl AsyncFnOnce(&Relay, &Survivor),
    mended: impl FnOnce(&Relay),
) -> Result<()> {
    let (operator, direct) = (Operator::shared(), parameters());
    let relay = Relay::to(format!("127.0.0.1:{}", direct.port_of(&direct.endpoints[0])));
    let relayed = surviving(direct).host("127.0.0.1").port(relay.port()).heartbeat(heartbeat);
    let mut survivor = Survivor::settle(&operator, relayed).await;
    let before = survivor.listing(&operator).await;
    let mut events = survivor.connection.events();
    // The answer shows that events are heard on whatever thread.
    soon(survivor.channel.queue_declare("durable").passive(true)).await?;

    fault(&relay, &survivor).await;
    loop {
        match soon(events.next()).await.expect("it does not end") {
            ConnectionEvent::Lost { .. } => break,
            ConnectionEvent::Closed(error) => return Err(error),
            _ => {}
        }
    }
    mended(&relay);
    loop {
        match soon(events.next()).await.expect("it does not end") {
            // What the broker still keeps for the old connection is tried again.
            ConnectionEvent::Recovered { .. } => break,
            ConnectionEvent::Closed(error) => return Err(error),
            _ => {}
        }
    }

    // What the broker keeps of the old connection may go later than the new one comes.
    let same = eventually(|| async { (survivor.listing(&operator).await == before).then_some(()) });
    if tokio::time::timeout(Duration::from_secs(20), same).await.is_err() {
        assert_eq!(survivor.listing(&operator).await, before);
    }
    soon(survivor.channel.publish("durable", "durable", "after")).await?;
    let delivery = next(&mut survivor.consumers[0]).await;
    assert_eq!(delivery.body(), b"after");
    soon(delivery.ack()).await?;
    survivor.leave(&operator).await;
    Ok(())
}

#[tokio::test]
async fn a_connection_that_is_cut_has_what_it_had() -> Result<()> {
    survives(60, async |relay, _| relay.cut(), |_| {}).await
}

#[tokio::test]
async fn a_connection_that_is_reset_in_the_middle_of_a_frame_has_what_it_had() -> Result<()> {
    let fault = async |relay: &Relay, survivor: &Survivor| {
        relay.end_after(Way::ToBroker, 20, End::Reset);
        soon(survivor.channel.publish("amq.direct", "nobody", vec![b'-'; 1000])).await.expect("it is queued");
    };
    survives(60, fault, |_| {}).await
}

#[tokio::test]
async fn a_connection_whose_input_ends_in_the_middle_of_a_frame_has_what_it_had() -> Result<()> {
    let fault = async |relay: &Relay, survivor: &Survivor| {
        relay.end_after(Way::ToClient, 3, End::Cut);
        let asked = soon(survivor.channel.queue_declare("durable").passive(true)).await;
        assert!(asked.unwrap_err().is_unknown(), "the answer is cut off");
    };
    survives(60, fault, |_| {}).await
}

// Real seconds are the subject of the next three: a heartbeat is missed.
#[tokio::test]
async fn a_connection_in_a_black_hole_has_what_it_had() -> Result<()> {
    survives(1, async |relay, _| relay.set_both(Fate::Swallow), Relay::pass).await
}

#[tokio::test]
async fn a_connection_that_hears_nothing_has_what_it_had() -> Result<()> {
    survives(1, async |relay, _| relay.set(Way::ToClient, Fate::Swallow), Relay::pass).await
}

#[tokio::test]
async fn a_connection_that_the_network_has_forgotten_has_what_it_had() -> Result<()> {
    survives(1, async |relay, _| relay.forget(), Relay::pass).await
}

#[tokio::test]
async fn a_connection_that_comes_back_an_octet_at_a_time_has_what_it_had() -> Result<()> {
    let fault = async |relay: &Relay, _: &Survivor| {
        relay.set_both(Fate::Trickle(Duration::from_micros(100)));
        relay.cut();
    };
    survives(60, fault, |_| {}).await
}
