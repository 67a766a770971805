//! Content assembly: a content method, its header and its body frames become one message.

use super::message::Head;
use crate::engine::consume::{Stream, Terms};
use crate::engine::{ConsumerKey, Message, Violation};
use crate::frame::{BY_REFERENCE, ContentHeader};
use crate::protocol::{ContentProperties, ReplyCode, basic::Properties};
use crate::wire::ShortString;

/// What a message is for.
#[derive(Debug)]
pub(in crate::engine) enum Target {
    Delivery {
        consumer: ConsumerKey,
        delivery_tag: u64,
        redelivered: bool,
    },
    Get {
        delivery_tag: u64,
        redelivered: bool,
        message_count: u32,
    },
    Return {
        reply_code: ReplyCode,
        reply_text: ShortString,
    },
    /// Its consumer has ended: it is returned to its queue.
    Stray {
        delivery_tag: u64,
        terms: Terms,
    },
    /// Nothing: it is discarded, because the channel is closing.
    Discard,
}

/// The state of a channel between a content method and the last byte of its body.
///
/// ```text
///          content method            header                    last body byte
///   Idle ──────────────────▶ Header ─────────▶ Body ────────────────────────────▶ Idle, a message is complete
///                               └──────────── a body of 0 bytes  ───────────────▶
/// ```
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a box would cost an allocation per delivery")]
pub(in crate::engine) enum Assembly {
    Idle,
    /// The header is due. The channel's scratch buffer holds exchange and routing key, with the
    /// lengths in the head.
    Header(Target, Head),
    /// Bytes of the body are due.
    Body(Gathering),
}

/// The part of a message that is larger than its limit, with its size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Oversize {
    /// The body.
    Body(u64),
    /// The content header, with its properties.
    Header(u64),
}

/// A message that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Unkept {
    pub(in crate::engine) oversize: Oversize,
    /// What its properties indicate about its queue, as far as they were read.
    pub(in crate::engine) stream: Stream,
}

/// A message whose body has not arrived completely.
#[derive(Debug)]
pub(in crate::engine) struct Gathering {
    target: Target,
    head: Head,
    /// Exchange, routing key and properties, and the body of a small message.
    data: Vec<u8>,
    /// The body of a large message, as far as it has arrived.
    body: Vec<u8>,
    large: bool,
    /// Set if the message is larger than a limit, or is discarded: its bytes are counted, but not
    /// kept.
    unkept: Option<Unkept>,
    remaining: u64,
    body_size: u64,
}

/// The largest capacity that is reserved for a body before as many bytes have arrived.
const RESERVE: usize = 1024 * 1024;

/// The capacity that is reserved for the body of a large message, even if nothing has arrived of
/// it.
const LEAST_RESERVE: usize = 16 * 1024;

/// Begins the message whose content method was read. A header that is itself `oversize` is given
/// without its properties.
#[inline]
pub(super) fn handle_header(
    target: Target,
    head: Head,
    scratch: &[u8],
    header: ContentHeader<'_>,
    max_body: u64,
    oversize: Option<Oversize>,
) -> Result<Gathering, Violation> {
    if header.class != Properties::CLASS_ID {
        return Err(Violation::WrongContentClass(header.class));
    }
    let too_large = header.body_size > max_body || matches!(target, Target::Discard);
    let oversize = oversize.or(too_large.then_some(Oversize::Body(header.body_size)));
    let unkept = oversize.map(|oversize| Unkept { oversize, stream: Stream::of_properties(header.properties) });
    let small = usize::try_from(header.body_size).ok().filter(|size| *size < BY_REFERENCE);
    let data = match unkept {
        Some(_) => Vec::new(),
        None => {
            let mut data = Vec::with_capacity(scratch.len() + header.properties.len() + small.unwrap_or(0));
            data.extend_from_slice(scratch);
            data.extend_from_slice(header.properties);
            data
        }
    };
    Ok(Gathering {
        target,
        head: Head { properties: header.properties.len(), ..head },
        data,
        body: Vec::new(),
        large: small.is_none(),
        unkept,
        remaining: header.body_size,
        body_size: header.body_size,
    })
}

impl Gathering {
    /// Whether at least `len` more bytes of the body are due.
    #[inline]
    pub(super) fn expects(&self, len: usize) -> bool {
        self.remaining >= len as u64
    }

    /// Whether the body is kept in a buffer of its own.
    pub(super) fn has_buffer(&self) -> bool {
        self.large && self.unkept.is_none()
    }

    /// Copies a piece of the body, which has to be due.
    #[inline]
    pub(super) fn append(&mut self, piece: &[u8]) {
        self.remaining = self.remaining.saturating_sub(piece.len() as u64);
        if self.unkept.is_some() {
            return;
        }
        if self.large {
            self.make_room(piece.len());
            self.body.extend_from_slice(piece);
        } else {
            self.data.extend_from_slice(piece);
        }
    }

    /// Lends the buffer of the body, with room for at least one byte, so that the caller can fill
    /// it.
    pub(super) fn lend(&mut self) -> Vec<u8> {
        self.make_room(1);
        std::mem::take(&mut self.body)
    }

    /// Takes the buffer back after `appended` bytes, which were due, were added to it.
    pub(super) fn give_back(&mut self, body: Vec<u8>, appended: usize) {
        self.body = body;
        self.remaining = self.remaining.saturating_sub(appended as u64);
    }

    /// Makes room for more of a large body. The size that the header declares is reserved only
    /// after a small part of it has arrived, so that a peer cannot make the client allocate memory
    /// by a header alone. The buffer never becomes larger than the body, so that a complete body
    /// holds no unused memory.
    fn make_room(&mut self, more: usize) {
        let needed = self.body.len() + more;
        if needed <= self.body.capacity() {
            return;
        }
        let ahead = if needed < RESERVE {
            needed.saturating_mul(16).clamp(LEAST_RESERVE, RESERVE)
        } else {
            needed.saturating_mul(2)
        };
        let wanted = usize::try_from(self.body_size).unwrap_or(usize::MAX).min(ahead).max(needed);
        self.body.reserve_exact(wanted - self.body.len());
    }

    /// Whether the last byte has arrived.
    #[inline]
    pub(in crate::engine) fn is_complete(&self) -> bool {
        self.remaining == 0
    }

    /// The target of the complete message, with the message or why it was not kept.
    #[inline]
    pub(super) fn finish(self) -> (Target, Result<Message, Unkept>) {
        let Self { target, head, data, body, large, unkept, .. } = self;
        let message = match unkept {
            Some(unkept) => Err(unkept),
            None => Ok(Message::new(data.into(), head, large.then(|| body.into()))),
        };
        (target, message)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const HEAD: Head = Head { exchange: 2, routing_key: 3, properties: 0 };

    /// A target that wants its message.
    fn somebody() -> Target {
        Target::Get { delivery_tag: 1, redelivered: false, message_count: 0 }
    }

    fn begin(target: Target, body_size: u64, max_body: u64) -> Gathering {
        let header = ContentHeader { class: 60, body_size, properties: &[0, 0] };
        handle_header(target, HEAD, b"exkey", header, max_body, None).unwrap()
    }

    fn gathering(body_size: u64) -> Gathering {
        begin(somebody(), body_size, u64::MAX)
    }

    fn push(gathering: &mut Gathering, piece: &[u8]) {
        assert!(!gathering.is_complete() && gathering.expects(piece.len()));
        gathering.append(piece);
    }

    fn complete(gathering: Gathering) -> Message {
        assert!(gathering.is_complete());
        gathering.finish().1.unwrap()
    }

    #[test]
    fn a_body_of_no_octets_is_complete_at_its_header() {
        let message = complete(gathering(0));
        assert_eq!((message.exchange(), message.routing_key(), message.body()), (&b"ex"[..], &b"key"[..], &b""[..]));
        assert_eq!(message.properties().unwrap(), Properties::default());
    }

    #[test]
    fn pieces_of_a_small_body_are_gathered() {
        let mut gathering = gathering(5);
        push(&mut gathering, b"he");
        push(&mut gathering, b"llo");
        let message = complete(gathering);
        assert_eq!(message.body(), b"hello");
        assert_eq!(message.into_body(), b"hello"[..]);
    }

    #[test]
    fn what_a_peer_declares_is_not_reserved_ahead_of_its_bytes() {
        let mut gathering = gathering(u64::MAX);
        let mut arrived = 0;
        for len in [1, 100, 5000, 60_000, 900_000, 1, 3_000_000] {
            push(&mut gathering, &vec![1; len]);
            arrived += len;
            let most = (arrived * 16).clamp(LEAST_RESERVE, RESERVE).max(arrived * 2);
            assert!(gathering.body.capacity() <= most, "{arrived} reserve {}", gathering.body.capacity());
        }
    }

    #[test]
    fn a_body_that_is_complete_fills_its_buffer_whatever_its_pieces() {
        for (size, piece) in [(4096, 1), (5000, 4096), (65_536, 1000), (1_048_577, 40_000), (3_000_000, 131_064)] {
            let mut gathering = gathering(size as u64);
            let body = vec![7; size];
            for piece in body.chunks(piece) {
                gathering.append(piece);
                assert!(gathering.body.capacity() <= size);
            }
            assert_eq!((gathering.body.len(), gathering.body.capacity()), (size, size));
            assert_eq!(complete(gathering).body(), body);
        }
    }

    #[test]
    fn a_buffer_that_is_lent_has_room_and_comes_back_with_more() {
        let mut gathering = gathering(5000);
        let mut buffer = gathering.lend();
        assert!(buffer.capacity() > 0);
        buffer.extend_from_slice(&[7; 5000]);
        gathering.give_back(buffer, 5000);
        assert_eq!(complete(gathering).body(), [7; 5000]);
    }

    #[test]
    fn more_body_than_declared_is_not_expected() {
        assert!(gathering(4).expects(4));
        assert!(!gathering(4).expects(5));
    }

    #[test]
    fn a_header_of_another_class_breaks_the_protocol() {
        let header = ContentHeader { class: 61, body_size: 0, properties: &[0, 0] };
        let error = handle_header(somebody(), HEAD, b"exkey", header, u64::MAX, None).unwrap_err();
        assert_eq!(error, Violation::WrongContentClass(61));
    }

    #[test]
    fn a_body_over_the_limit_is_counted_and_not_kept() {
        let mut gathering = begin(somebody(), 10, 9);
        push(&mut gathering, &[1; 9]);
        assert_eq!((gathering.body.capacity(), gathering.data.capacity()), (0, 0));
        push(&mut gathering, &[1]);
        assert!(matches!(gathering.finish(), (Target::Get { .. }, Err(Unkept { oversize: Oversize::Body(10), .. }))));
    }

    #[test]
    fn what_nobody_wants_is_not_kept() {
        let mut gathering = begin(Target::Discard, 5000, u64::MAX);
        assert!(!gathering.has_buffer());
        push(&mut gathering, &[1; 4999]);
        assert_eq!((gathering.body.capacity(), gathering.data.capacity()), (0, 0));
    }
}
