//! Frames by hand (AMQP 0-9-1 §4.2): what is read of them. Nothing here is the crate's, but for the
//! arguments of methods and the properties of content.

mod building;

use bytes::{Buf, Bytes, BytesMut};
use leveret::Properties;
use leveret::protocol::{ContentProperties, Method, MethodId};
use leveret::wire::Reader;

pub use building::{
    body_octets, content_octets, frame_ended_by, frame_head, header_octets, heartbeat_octets, method_octets, octets_of,
    octets_of_method, raw_frame, raw_header_octets, raw_method_octets,
};

/// What a client says first.
pub const PROTOCOL_HEADER: &[u8; 8] = b"AMQP\0\0\x09\x01";

/// Octets of a frame that scripted brokers propose, and that content is split at.
pub const FRAME_MAX: u32 = 128 * 1024;

/// The type of a frame with a method.
pub const METHOD: u8 = 1;
/// The type of a frame with a content header.
pub const HEADER: u8 = 2;
/// The type of a frame with a piece of a body.
pub const BODY: u8 = 3;
/// The type of a sign of life.
pub const HEARTBEAT: u8 = 8;

/// The octet after each frame.
pub const END: u8 = 0xCE;

/// Octets before a payload: type, channel, size.
const HEAD: usize = 7;

/// The largest payload of such a frame.
pub const MAX_PAYLOAD: u32 = FRAME_MAX - 8;

/// Something that came from the other end.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there are few of them")]
pub enum Received {
    /// The first that a client says.
    ProtocolHeader,
    /// A method, and its channel.
    Method(u16, Method),
    /// The header of content: its channel, the octets of its body, and its properties.
    Header(u16, u64, Properties),
    /// A piece of a body, and its channel.
    Body(u16, Bytes),
    /// A sign of life.
    Heartbeat,
}

/// A frame whose payload was not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its channel.
    pub channel: u16,
    /// What it carries.
    pub payload: Bytes,
}

/// The octets of the frame that `input` begins with, if its head is there.
fn length(input: &[u8]) -> Option<usize> {
    let size = input.get(3..HEAD)?.iter().fold(0, |size, octet| size << 8 | usize::from(*octet));
    Some(HEAD + size + 1)
}

/// Whether `input` begins with a whole frame.
pub fn is_whole(input: &[u8]) -> bool {
    length(input).is_some_and(|length| length <= input.len())
}

/// Takes a frame off the front, if a whole one is there. It has to end as frames do, within
/// `frame_max` octets; 0 is no limit.
pub fn take_frame(input: &mut BytesMut, frame_max: u32) -> Option<Frame> {
    let length = length(input)?;
    assert!(frame_max == 0 || length <= frame_max as usize, "a frame of {length} octets, {frame_max} are allowed");
    if input.len() < length {
        return None;
    }
    let mut frame = input.split_to(length).freeze();
    assert_eq!(frame.last(), Some(&END), "the end of a frame: {frame:?}");
    frame.truncate(length - 1);
    let (kind, channel) = (frame.get_u8(), frame.get_u16());
    Some(Frame { kind, channel, payload: frame.slice(4..) })
}

impl Frame {
    /// What it means. It has to mean something.
    pub fn read(mut self) -> Received {
        match self.kind {
            METHOD => Received::Method(self.channel, read_method(&self.payload)),
            HEADER => {
                let fixed = (self.payload.get_u16(), self.payload.get_u16());
                assert_eq!(fixed, (60, 0), "the class and the weight of content");
                let body_size = self.payload.get_u64();
                let mut reader = Reader::new(&self.payload);
                let properties = Properties::decode(&mut reader).expect("properties");
                reader.finish().expect("nothing after the properties");
                Received::Header(self.channel, body_size, properties)
            }
            BODY => Received::Body(self.channel, self.payload),
            HEARTBEAT => {
                assert_eq!((self.channel, &self.payload[..]), (0, &[][..]), "a heartbeat says nothing more");
                Received::Heartbeat
            }
            kind => panic!("a frame of type {kind}"),
        }
    }
}

fn read_method(payload: &[u8]) -> Method {
    let (ids, arguments) = payload.split_at(4);
    let word = |at: usize| u16::from_be_bytes([ids[at], ids[at + 1]]);
    let mut reader = Reader::new(arguments);
    let method = Method::decode(MethodId::new(word(0), word(2)), &mut reader).expect("a method");
    reader.finish().expect("nothing after the arguments");
    method
}

/// Takes a frame off the front and reads it, if a whole one is there.
pub fn take(input: &mut BytesMut, frame_max: u32) -> Option<Received> {
    take_frame(input, frame_max).map(Frame::read)
}

/// Reads all that was said, which has to be whole frames of at most `frame_max` octets, the
/// protocol header before them or not.
pub fn read_all(octets: &[u8], frame_max: u32) -> Vec<Received> {
    let (header, octets) = match octets.strip_prefix(PROTOCOL_HEADER) {
        Some(rest) => (Some(Received::ProtocolHeader), rest),
        None => (None, octets),
    };
    let mut input = BytesMut::from(octets);
    let frames: Vec<_> = header.into_iter().chain(std::iter::from_fn(|| take(&mut input, frame_max))).collect();
    assert!(input.is_empty(), "what is no whole frame: {input:?}");
    frames
}
