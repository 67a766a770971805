//! Content assembly: a content method, its header and its body frames become one message.

use bytes::Bytes;

use super::consumers::Terms;
use super::message::Head;
use super::{ConsumerKey, Message, Violation};
use crate::frame::{BY_REFERENCE, ContentHeader};
use crate::protocol::{ContentProperties, ReplyCode, basic::Properties};
use crate::wire::ShortString;

/// What a message is on its way to.
#[derive(Debug)]
pub(super) enum Target {
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
    /// Its consumer is over: it goes back.
    Stray {
        delivery_tag: u64,
        terms: Terms,
    },
    /// Nobody wants it: the channel is closing.
    Nobody,
}

/// Where a channel is between a content method and the last octet of its body.
///
/// ```text
///          content method            header                    last body octet
///   Idle ──────────────────▶ Header ─────────▶ Body ────────────────────────────▶ Idle, a message is complete
///                               └──────────── a body of 0 octets ───────────────▶
/// ```
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a box would cost an allocation per delivery")]
pub(super) enum Assembly {
    Idle,
    /// The header is due. Exchange and routing key, of the lengths in the head, lie in the channel's scratch.
    Header(Target, Head),
    /// Octets of body are due.
    Body(Gathering),
}

/// A message of which body octets are missing.
#[derive(Debug)]
pub(super) struct Gathering {
    target: Target,
    head: Head,
    /// Exchange, routing key and properties; for a small message its body too.
    data: Vec<u8>,
    /// The body of a large message, as far as it came.
    body: Vec<u8>,
    large: bool,
    /// The body is over the limit: its octets are counted, and not kept.
    oversize: bool,
    remaining: u64,
    body_size: u64,
}

/// What became of a header or body frame.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a box would cost an allocation per delivery")]
pub(super) enum Progress {
    /// More is due.
    More(Gathering),
    /// The message is complete.
    Complete(Target, Message),
    /// The message is over, and was not kept: its body has more octets than the limit allows.
    Oversize(Target, u64),
}

/// The largest reservation made because of what a peer declares; a body that is larger grows as it comes.
const RESERVE: u64 = 1024 * 1024;

/// Begins the body of a message whose content method was read.
pub(super) fn handle_header(
    target: Target,
    head: Head,
    scratch: &[u8],
    header: ContentHeader<'_>,
    max_body: u64,
) -> Result<Progress, Violation> {
    if header.class != Properties::CLASS_ID {
        return Err(Violation::WrongContentClass(header.class));
    }
    let head = Head { properties: header.properties.len(), ..head };
    let small = usize::try_from(header.body_size).ok().filter(|size| *size < BY_REFERENCE);
    let mut data = Vec::with_capacity(scratch.len() + header.properties.len() + small.unwrap_or(0));
    data.extend_from_slice(scratch);
    data.extend_from_slice(header.properties);
    if header.body_size == 0 {
        return Ok(Progress::Complete(target, Message::new(data.into(), head, None)));
    }
    let gathering = Gathering {
        target,
        head,
        data,
        body: Vec::new(),
        large: small.is_none(),
        oversize: header.body_size > max_body,
        remaining: header.body_size,
        body_size: header.body_size,
    };
    Ok(Progress::More(gathering))
}

impl Gathering {
    /// Takes a piece of the body, copying it.
    pub(super) fn push(mut self, piece: &[u8], channel: u16) -> Result<Progress, Violation> {
        self.count(piece.len(), channel)?;
        if self.oversize {
            return Ok(self.progress());
        }
        if self.large {
            if self.body.capacity() == 0 {
                self.body.reserve(usize::try_from(self.body_size.min(RESERVE)).unwrap_or_default());
            }
            self.body.extend_from_slice(piece);
        } else {
            self.data.extend_from_slice(piece);
        }
        Ok(self.progress())
    }

    /// Takes a piece of the body that may be kept as it is: without a copy where it is the whole body.
    pub(super) fn push_shared(mut self, piece: Bytes, channel: u16) -> Result<Progress, Violation> {
        if !self.large || self.oversize || piece.len() as u64 != self.body_size {
            return self.push(&piece, channel);
        }
        self.count(piece.len(), channel)?;
        let Self { target, head, data, .. } = self;
        Ok(Progress::Complete(target, Message::new(data.into(), head, Some(piece))))
    }

    fn count(&mut self, len: usize, channel: u16) -> Result<(), Violation> {
        self.remaining = self.remaining.checked_sub(len as u64).ok_or(Violation::BodyTooLong(channel))?;
        Ok(())
    }

    fn progress(self) -> Progress {
        if self.remaining > 0 {
            return Progress::More(self);
        }
        let Self { target, head, data, body, large, oversize, body_size, .. } = self;
        if oversize {
            return Progress::Oversize(target, body_size);
        }
        let body = large.then(|| Bytes::from(body));
        Progress::Complete(target, Message::new(data.into(), head, body))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod tests {
    use super::*;

    const HEAD: Head = Head { exchange: 2, routing_key: 3, properties: 0 };

    fn begin(body_size: u64) -> Result<Progress, Violation> {
        let header = ContentHeader { class: 60, body_size, properties: &[0, 0] };
        handle_header(Target::Nobody, HEAD, b"exkey", header, u64::MAX)
    }

    fn gathering(body_size: u64) -> Gathering {
        match begin(body_size).unwrap() {
            Progress::More(gathering) => gathering,
            progress => panic!("{progress:?} without a body"),
        }
    }

    fn complete(progress: Progress) -> Message {
        match progress {
            Progress::Complete(_, message) => message,
            progress => panic!("{progress:?}"),
        }
    }

    #[test]
    fn a_body_of_no_octets_is_complete_at_its_header() {
        let message = complete(begin(0).unwrap());
        assert_eq!((message.exchange(), message.routing_key(), message.body()), (&b"ex"[..], &b"key"[..], &b""[..]));
        assert_eq!(message.properties().unwrap(), Properties::default());
    }

    #[test]
    fn pieces_of_a_small_body_are_gathered() {
        let Progress::More(gathering) = gathering(5).push(b"he", 1).unwrap() else { panic!("complete too early") };
        let message = complete(gathering.push(b"llo", 1).unwrap());
        assert_eq!(message.body(), b"hello");
        assert_eq!(message.into_body(), Bytes::from_static(b"hello"));
    }

    #[test]
    fn a_large_body_in_one_frame_is_not_copied() {
        let piece = Bytes::from(vec![7; 5000]);
        let message = complete(gathering(5000).push_shared(piece.clone(), 1).unwrap());
        assert_eq!(message.body().as_ptr(), piece.as_ptr());
    }

    #[test]
    fn what_a_peer_declares_is_not_reserved_beyond_the_cap() {
        let Progress::More(gathering) = gathering(u64::MAX).push(&[1; 5000], 1).unwrap() else { panic!("complete") };
        assert!(gathering.body.capacity() as u64 <= RESERVE);
    }

    #[test]
    fn more_body_than_declared_breaks_the_protocol() {
        assert_eq!(gathering(4).push(b"hello", 9).unwrap_err(), Violation::BodyTooLong(9));
    }

    #[test]
    fn a_header_of_another_class_breaks_the_protocol() {
        let header = ContentHeader { class: 61, body_size: 0, properties: &[0, 0] };
        let error = handle_header(Target::Nobody, HEAD, b"exkey", header, u64::MAX).unwrap_err();
        assert_eq!(error, Violation::WrongContentClass(61));
    }

    #[test]
    fn a_body_over_the_limit_is_counted_and_not_kept() {
        let header = ContentHeader { class: 60, body_size: 10, properties: &[0, 0] };
        let begun = handle_header(Target::Nobody, HEAD, b"exkey", header, 9).unwrap();
        let Progress::More(gathering) = begun else { panic!("no body is due") };
        let Progress::More(gathering) = gathering.push(&[1; 9], 1).unwrap() else { panic!("over too early") };
        assert!(gathering.body.is_empty());
        assert!(matches!(gathering.push(&[1], 1).unwrap(), Progress::Oversize(Target::Nobody, 10)));
    }
}
