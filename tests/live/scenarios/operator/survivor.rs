//! What a connection that survives has to find again: the entities and consumers of a
//! [`Survivor`], as the broker lists them.

use leveret::Result;
use leveret_live_tests::survivor::{Survivor, TAGS};
use leveret_live_tests::{Disturbed, soon};

#[tokio::test]
async fn a_broker_lists_the_same_as_long_as_nothing_changes() -> Result<()> {
    let broker = Disturbed::broker().await;
    let survivor = Survivor::settle(&broker, broker.parameters()).await;
    let before = survivor.listing(&broker).await;
    // Something is done, and nothing is changed.
    soon(survivor.channel.queue_declare("durable").passive(true)).await?;
    soon(survivor.channel.publish("durable", "passed.on", "Hello")).await?;
    assert_eq!(survivor.listing(&broker).await, before);
    for tag in TAGS {
        assert!(before.consumers.iter().any(|row| row.contains(tag)), "{tag} is not in {before:?}");
    }
    survivor.leave(&broker).await;
    Ok(())
}

#[tokio::test]
async fn a_broker_lists_whatever_is_missing_or_different() -> Result<()> {
    let broker = Disturbed::broker().await;
    let survivor = Survivor::settle(&broker, broker.parameters()).await;
    let channel = &survivor.channel;
    let all = survivor.listing(&broker).await;
    soon(channel.queue_bind("unconsumed", "amq.direct", "more")).await?;
    let bound = survivor.listing(&broker).await;
    assert_eq!((&bound.queues, bound.bindings.len()), (&all.queues, all.bindings.len() + 1));
    soon(channel.queue_delete("unconsumed")).await?;
    let deleted = survivor.listing(&broker).await;
    assert_eq!((deleted.queues.len(), &deleted.exchanges), (all.queues.len() - 1, &all.exchanges));
    assert!(deleted.bindings.len() < all.bindings.len());
    soon(channel.queue_declare("unconsumed")).await?;
    soon(channel.queue_bind("unconsumed", "unrouted", "")).await?;
    let transient = survivor.listing(&broker).await;
    assert_eq!(transient.bindings, all.bindings);
    assert_ne!(transient.queues, all.queues, "it is not durable any more");

    soon(survivor.other_channel.close()).await?;
    let fewer = survivor.listing(&broker).await;
    assert_eq!((fewer.consumers.len(), &fewer.bindings), (TAGS.len() - 1, &all.bindings));
    survivor.leave(&broker).await;
    Ok(())
}
