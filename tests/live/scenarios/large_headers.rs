//! Headers that a broker makes larger than the frames that were negotiated.

use leveret::{FieldTable, FieldValue, Properties, Requeue, Result};
use leveret_live_tests::{exclusive_queue, next, open, soon};

use crate::messages::{get, put, queue_with};

/// Bytes of a header beside the text that it consists of: class, weight, size, flags, the length of
/// the table, a name of one letter, its type, the length of the text; and of the frame around it.
const AROUND: usize = 2 + 2 + 8 + 2 + 4 + 2 + 1 + 4 + 8;

#[tokio::test]
async fn a_dead_letter_whose_headers_are_larger_than_a_frame_arrives_whole() -> Result<()> {
    let (connection, channel) = open().await;
    let graveyard = exclusive_queue(&channel).await;
    let arguments = [("x-dead-letter-exchange", ""), ("x-dead-letter-routing-key", graveyard.as_str())];
    let queue = queue_with(&channel, arguments).await;
    let text = "k".repeat(connection.negotiated().frame_max as usize - AROUND);
    let properties = Properties::default().headers(FieldTable::from([("k", text.as_str())]));
    put(&channel, &queue, "mortal", &properties).await;
    get(&channel, &queue).await.reject(Requeue::No).await?;

    let mut consumer = soon(channel.consume(&graveyard)).await?;
    let dead = next(&mut consumer).await;
    assert_eq!(dead.body(), b"mortal");
    let headers = dead.properties()?.headers.clone().expect("headers");
    assert!(headers.get("k").and_then(FieldValue::as_str) == Some(&text), "it is whole");
    assert!(headers.contains_key("x-death"), "and longer than it was");
    soon(dead.ack()).await?;
    soon(consumer.close()).await?;
    assert!(channel.is_open() && connection.is_open());
    Ok(())
}
