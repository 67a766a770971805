//! The other end of the wire: what the client sent, as values; what the broker says, as octets.

use std::io::IoSlice;

use bytes::Bytes;
use leveret::frame::{Body, ContentHeader, Decoded, Decoder, Encoder, FrameKind, Outbound, split_method};
use leveret::protocol::basic::Properties;
use leveret::protocol::{ContentProperties, Method};
use leveret::wire::Reader;

/// A frame of the client's.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there are few of them")]
pub(crate) enum Sent {
    ProtocolHeader,
    Method(u16, Method),
    Header(u16, u64, Properties),
    Body(u16, Bytes),
    Heartbeat,
}

/// A method of the client's, as it shows in [`Sent`].
pub(crate) fn sent(channel: u16, method: impl Into<Method>) -> Sent {
    Sent::Method(channel, method.into())
}

/// All octets of an outbound buffer, in order.
pub(crate) fn octets_of(mut outbound: Outbound) -> Vec<u8> {
    let mut octets = Vec::with_capacity(outbound.len());
    while !outbound.is_empty() {
        let mut slices = [IoSlice::new(&[]); 3];
        let filled = outbound.slices(&mut slices);
        let shown: Vec<u8> = slices.iter().take(filled).flat_map(|slice| slice.to_vec()).collect();
        // Less than what is shown, so that partial writes are covered everywhere.
        let accepted = shown.len().div_ceil(2);
        octets.extend_from_slice(&shown[..accepted]);
        outbound.advance(accepted);
    }
    octets
}

/// Reads the client's octets, which must be whole frames of at most `frame_max`.
pub(crate) fn read_frames(mut octets: &[u8], frame_max: u32) -> Vec<Sent> {
    let mut frames = Vec::new();
    if let Some(rest) = octets.strip_prefix(&leveret::protocol::constants::PROTOCOL_HEADER) {
        frames.push(Sent::ProtocolHeader);
        octets = rest;
    }
    let decoder = Decoder::new(frame_max);
    while !octets.is_empty() {
        let Ok(Decoded::Frame(frame, taken)) = decoder.decode(octets) else {
            panic!("the client sent what is no frame: {octets:?}");
        };
        frames.push(match frame.kind {
            FrameKind::Method => Sent::Method(frame.channel, read_method(frame.payload)),
            FrameKind::Header => {
                let header = ContentHeader::parse(frame.payload).unwrap();
                assert_eq!(header.class, Properties::CLASS_ID);
                let properties = Properties::decode(&mut Reader::new(header.properties)).unwrap();
                Sent::Header(frame.channel, header.body_size, properties)
            }
            FrameKind::Body => Sent::Body(frame.channel, Bytes::copy_from_slice(frame.payload)),
            FrameKind::Heartbeat => Sent::Heartbeat,
        });
        octets = &octets[taken..];
    }
    frames
}

fn read_method(payload: &[u8]) -> Method {
    let (id, arguments) = split_method(payload).unwrap();
    let mut reader = Reader::new(arguments);
    let method = Method::decode(id, &mut reader).unwrap();
    reader.finish().unwrap();
    method
}

/// The octets of a method frame.
pub(crate) fn method_octets(channel: u16, method: impl Into<Method>) -> Vec<u8> {
    let mut outbound = Outbound::new();
    Encoder::new(0).any_method(&mut outbound, channel, &method.into()).unwrap();
    octets_of(outbound)
}

/// The octets of a content header.
pub(crate) fn header_octets(channel: u16, body_size: usize, properties: &Properties) -> Vec<u8> {
    let mut outbound = Outbound::new();
    Encoder::new(0).header(&mut outbound, channel, body_size, Some(properties)).unwrap();
    octets_of(outbound)
}

/// The octets of body frames with at most `piece` octets of body each.
pub(crate) fn body_octets(channel: u16, body: &[u8], piece: usize) -> Vec<u8> {
    let mut outbound = Outbound::new();
    Encoder::new(u32::try_from(piece + 8).unwrap()).body(&mut outbound, channel, &Body::from(body));
    octets_of(outbound)
}

/// A method with its whole content.
pub(crate) fn content_octets(
    channel: u16,
    method: impl Into<Method>,
    properties: &Properties,
    body: &[u8],
    piece: usize,
) -> Vec<u8> {
    let mut octets = method_octets(channel, method);
    octets.extend(header_octets(channel, body.len(), properties));
    octets.extend(body_octets(channel, body, piece));
    octets
}

/// A frame of any sort, right or wrong.
pub(crate) fn raw_frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut octets = vec![kind];
    octets.extend(channel.to_be_bytes());
    octets.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    octets.extend_from_slice(payload);
    octets.push(0xCE);
    octets
}
