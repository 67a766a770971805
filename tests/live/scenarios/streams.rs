//! Consumers of streams, whose messages stay where they are whatever becomes of a delivery.

use leveret::{ErrorKind, FieldTable, Result};
use leveret_live_tests::client::{Channel, Connection, Consumer};
use leveret_live_tests::{next, open, parameters, soon};

use crate::typed_queues::{number, publish_all, typed_queue};

const MESSAGES: i64 = 50;

/// A consumer from the beginning of a stream.
async fn reader(channel: &Channel, stream: &str, prefetch: u16) -> Result<Consumer> {
    let arguments = FieldTable::from([("x-stream-offset", "first")]);
    soon(channel.consume(stream).prefetch(prefetch).arguments(arguments)).await
}

/// How a consumer is let go of.
#[derive(Debug, Clone, Copy)]
enum End {
    Drop,
    CancelAndDrop,
    Close,
}

impl End {
    async fn of(self, mut consumer: Consumer) -> Result<()> {
        match self {
            Self::Drop => drop(consumer),
            Self::CancelAndDrop => soon(consumer.cancel()).await?,
            Self::Close => soon(consumer.close()).await?,
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_consumer_of_a_stream_goes_with_what_it_has_not_handed_out_and_the_next_reads_the_same() -> Result<()> {
    let Some(stream) = typed_queue("stream", FieldTable::new()).await else { return Ok(()) };
    let (connection, channel) = open().await;
    publish_all(&channel, &stream, (0..MESSAGES).map(|number| number.to_string())).await?;
    for end in [End::Drop, End::CancelAndDrop, End::Close] {
        let mut consumer = reader(&channel, &stream, 20).await?;
        let first = next(&mut consumer).await;
        // What is delivered before this is answered waits in the consumer.
        soon(channel.queue_declare(&stream).passive(true)).await?;
        end.of(consumer).await?;
        soon(first.ack()).await?;
        soon(channel.basic_qos()).await?;
        let mut consumer = reader(&channel, &stream, 20).await?;
        for offset in 0..MESSAGES {
            let delivery = next(&mut consumer).await;
            assert_eq!(delivery.body(), offset.to_string().as_bytes(), "{end:?}");
            assert_eq!(number(&delivery, "x-stream-offset"), Some(offset), "{end:?}");
            soon(delivery.ack()).await?;
        }
        soon(consumer.close()).await?;
        assert!(channel.is_open() && connection.is_open(), "{end:?}");
    }
    soon(channel.queue_delete(&stream)).await.map(drop)
}

#[tokio::test]
async fn a_consumer_of_a_stream_passes_over_a_message_that_is_too_large() -> Result<()> {
    let Some(stream) = typed_queue("stream", FieldTable::new()).await else { return Ok(()) };
    let connection = soon(Connection::open(parameters().max_message_size(1000))).await?;
    let channel = soon(connection.open_channel()).await?;
    let bodies = ["before".to_owned(), "x".repeat(1001), "x".repeat(200_000), "after".to_owned()];
    publish_all(&channel, &stream, bodies).await?;
    // With a prefetch of one, there is credit for the next only when the one before is settled.
    // What is sent together may be told of in another order: an error goes before the messages that
    // wait.
    let mut consumer = reader(&channel, &stream, 1).await?;
    let (mut taken, mut errors) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        match soon(consumer.next()).await.expect("the consumer goes on") {
            Ok(delivery) => {
                taken.push(String::from_utf8_lossy(delivery.body()).into_owned());
                soon(delivery.ack()).await?;
            }
            Err(error) => errors.push(error.kind()),
        }
    }
    assert_eq!(taken, ["before", "after"]);
    assert_eq!(errors, [ErrorKind::MessageTooLarge; 2]);
    soon(consumer.close()).await?;
    assert!(channel.is_open() && connection.is_open());
    soon(channel.queue_delete(&stream)).await.map(drop)
}
