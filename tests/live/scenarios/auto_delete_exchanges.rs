//! Exchanges that go away with their last binding.

use leveret::Result;
use leveret_live_tests::{open, soon};

use crate::routed::{bound_queue, exchange, exchange_exists};

#[tokio::test]
async fn an_auto_delete_exchange_goes_with_the_last_binding_from_it() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "direct").await;
    assert!(exchange_exists(&channel, &exchange).await, "it had no binding yet");
    let (first, second) =
        (bound_queue(&channel, &exchange, "key").await, bound_queue(&channel, &exchange, "key").await);
    soon(channel.queue_unbind(&first, &exchange, "key")).await?;
    soon(channel.queue_unbind(&second, &exchange, "another key")).await?;
    assert!(exchange_exists(&channel, &exchange).await, "one binding is left");
    soon(channel.queue_delete(&second)).await?;
    assert!(!exchange_exists(&channel, &exchange).await);
    Ok(())
}

#[tokio::test]
async fn an_auto_delete_exchange_stays_when_bindings_to_it_go() -> Result<()> {
    let (_connection, channel) = open().await;
    let exchange = exchange(&channel, "fanout").await;
    soon(channel.exchange_bind(&exchange, "amq.direct", exchange.as_str())).await?;
    soon(channel.exchange_unbind(&exchange, "amq.direct", exchange.as_str())).await?;
    assert!(exchange_exists(&channel, &exchange).await);
    soon(channel.exchange_delete(&exchange)).await?;
    Ok(())
}

#[tokio::test]
async fn auto_delete_exchanges_go_one_after_another() -> Result<()> {
    let (_connection, channel) = open().await;
    let (first, second, third) =
        (exchange(&channel, "fanout").await, exchange(&channel, "fanout").await, exchange(&channel, "fanout").await);
    soon(channel.exchange_bind(&second, &first, "")).await?;
    soon(channel.exchange_bind(&third, &second, "")).await?;
    let queue = bound_queue(&channel, &third, "").await;
    soon(channel.queue_unbind(&queue, &third, "")).await?;
    for gone in [&third, &second, &first] {
        assert!(!exchange_exists(&channel, gone).await);
    }
    Ok(())
}
