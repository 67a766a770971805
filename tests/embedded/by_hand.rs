//! A client that says each octet when a test wants it to.

use leveret::broker::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A frame of a type on a channel.
pub(crate) fn frame(kind: u8, channel: u8, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 0, channel][..], &size, payload, &[0xce]].concat()
}

/// Says one method frame.
pub(crate) async fn say(stream: &mut Stream, channel: u8, method: &[u8]) {
    stream.write_all(&frame(1, channel, method)).await.unwrap();
}

/// Waits for one frame.
pub(crate) async fn hear(stream: &mut Stream) {
    let mut head = [0; 7];
    stream.read_exact(&mut head).await.unwrap();
    let size = u32::from_be_bytes(head[3..].try_into().unwrap());
    stream.read_exact(&mut vec![0; size as usize + 1]).await.unwrap();
}

/// Opens a connection.
pub(crate) async fn handshake(stream: &mut Stream, heartbeat: u8) {
    stream.write_all(b"AMQP\0\0\x09\x01").await.unwrap();
    hear(stream).await;
    say(stream, 0, b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US").await;
    hear(stream).await;
    say(stream, 0, &[0, 10, 0, 31, 7, 255, 0, 2, 0, 0, 0, heartbeat]).await;
    say(stream, 0, b"\0\x0a\0\x28\x01/\0\0").await;
    hear(stream).await;
}
