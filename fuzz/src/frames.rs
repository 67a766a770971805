//! The frame decoder, and the content headers and methods in what it finds.

use leveret::frame::{ContentHeader, Decoded, Decoder, FrameError, FrameKind};
use leveret::protocol::ContentProperties;
use leveret::protocol::basic::Properties;
use leveret::wire::Reader;

use crate::methods::method;

type Found = (Vec<(FrameKind, u16, Vec<u8>)>, Option<FrameError>);

/// Two octets of frame_max, one that says in which steps the stream arrives, then the stream: its
/// frames are the same as when it arrives whole.
pub fn frames(data: &[u8]) {
    let Some(([high, low, step], stream)) = data.split_first_chunk::<3>() else { return };
    let decoder = Decoder::new(u32::from(u16::from_be_bytes([*high, *low])));
    let whole = arriving(&decoder, stream, stream.len());
    assert_eq!(whole, arriving(&decoder, stream, usize::from(*step)), "frames depend on how octets arrive");
    for (kind, _, payload) in whole.0 {
        match kind {
            FrameKind::Method => method(&payload),
            FrameKind::Header => header(&payload),
            FrameKind::Body => {}
            FrameKind::Heartbeat => assert!(payload.is_empty()),
        }
    }
}

/// The frames of a stream that arrives `step` octets at a time, and the error that ends it, if one
/// does.
fn arriving(decoder: &Decoder, stream: &[u8], step: usize) -> Found {
    let mut frames = Vec::new();
    let (mut from, mut until) = (0, 0);
    loop {
        until = stream.len().min(until + step.max(1));
        loop {
            match decoder.decode(&stream[from..until]) {
                Ok(Decoded::Frame(frame, used)) => {
                    frames.push((frame.kind, frame.channel, frame.payload.to_vec()));
                    from += used;
                }
                Ok(Decoded::Incomplete(needed)) => {
                    assert!(needed > until - from, "asks for octets that it has");
                    break;
                }
                Err(error) => return (frames, Some(error)),
            }
        }
        if until == stream.len() {
            return (frames, None);
        }
    }
}

/// A content header that can be read is written back to the same properties.
fn header(payload: &[u8]) {
    let Ok(header) = ContentHeader::parse(payload) else { return };
    let Ok(properties) = Properties::decode(&mut Reader::new(header.properties)) else { return };
    let mut written = Vec::new();
    if properties.encode(&mut leveret::wire::Writer::new(&mut written)).is_ok() {
        assert_eq!(Properties::decode(&mut Reader::new(&written)), Ok(properties), "properties change on the way");
    }
}
