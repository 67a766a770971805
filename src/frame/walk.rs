//! Finding the frames in an [`Outbound`] again, to count them.

use super::{FRAME_HEAD, Outbound};

/// A position among the frames of a buffer.
#[derive(Debug, Clone, Copy, Default)]
pub struct FrameWalk {
    /// The position in the run of bytes.
    run: usize,
    /// The number of bodies before the position.
    bodies: usize,
}

impl Outbound {
    /// Returns the lengths of the frames that were appended since the last call with this `walk`,
    /// which moves to the end. Nothing may have been consumed since then, and the buffer must
    /// contain only frames.
    pub fn walk_frames(&self, walk: &mut FrameWalk) -> Vec<u64> {
        let mut lengths = Vec::new();
        while let Some(size) = self.payload_size(walk.run) {
            walk.run += FRAME_HEAD;
            self.pass(walk, size);
            walk.run += 1;
            lengths.push((size + FRAME_HEAD + 1) as u64);
        }
        lengths
    }

    /// Returns the size that the head of a frame declares, or `None` at the end.
    fn payload_size(&self, at: usize) -> Option<usize> {
        let head = self.run().get(at..at + FRAME_HEAD)?;
        let size: [u8; 4] = head.get(3..)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(size)).ok()
    }

    /// Moves past a payload, which may be in the run, in a body, or alternately in both.
    fn pass(&self, walk: &mut FrameWalk, mut size: usize) {
        while size > 0 {
            let body = self.bodies().get(walk.bodies);
            let until = body.map_or(self.run().len(), |(position, _)| *position);
            match body {
                Some((_, body)) if until == walk.run => {
                    size = size.saturating_sub(body.len());
                    walk.bodies += 1;
                }
                _ => {
                    let step = size.min(until.saturating_sub(walk.run)).max(1);
                    walk.run += step;
                    size -= step;
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::frame::{Body, Encoder, Publish};

    fn publish(out: &mut Outbound, body: &Body<'_>) {
        let publish = Publish { exchange: b"", routing_key: b"", mandatory: false, properties: None, body };
        Encoder::new(131_072).publish(out, 1, &publish).unwrap();
    }

    #[test]
    fn frames_are_told_apart_wherever_their_bodies_stand() {
        let mut out = Outbound::new();
        let mut walk = FrameWalk::default();
        Encoder::heartbeat(&mut out);
        publish(&mut out, &Body::from(&b"small"[..]));
        assert_eq!(out.walk_frames(&mut walk), [8, 17, 22, 13]);
        assert!(out.walk_frames(&mut walk).is_empty());
        publish(&mut out, &Body::from(Bytes::from(vec![7; 300_000])));
        Encoder::heartbeat(&mut out);
        assert_eq!(out.walk_frames(&mut walk), [17, 22, 131_072, 131_072, 37_880, 8]);
        let mut whole = FrameWalk::default();
        assert_eq!(out.walk_frames(&mut whole).iter().sum::<u64>(), out.len() as u64);
    }

    #[test]
    fn a_secret_within_a_frame_is_part_of_it() {
        let mut out = Outbound::new();
        let secret = Bytes::from_static(b"secret");
        Encoder::new(4096).update_secret(&mut out, secret, &"why".into()).unwrap();
        Encoder::heartbeat(&mut out);
        assert_eq!(out.walk_frames(&mut FrameWalk::default()), [8 + 4 + 4 + 6 + 1 + 3, 8]);
    }
}
