//! The content header: class, body size and properties (AMQP 0-9-1 §4.2.6.1).

use super::FrameError;
use crate::wire::Reader;

/// The payload of a header frame, read in place. The properties are not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHeader<'a> {
    /// The class of the content, `basic` in practice.
    pub class: u16,
    /// The bytes of the body, which follow in body frames.
    pub body_size: u64,
    /// The encoded flag words and values of the properties.
    pub properties: &'a [u8],
}

impl<'a> ContentHeader<'a> {
    /// The bytes before the property flags.
    pub(crate) const FIXED: usize = 12;

    /// Reads the payload of a header frame.
    ///
    /// # Errors
    ///
    /// Returns an error if the payload is shorter than the fixed part, or if the weight is not 0.
    pub fn parse(payload: &'a [u8]) -> Result<Self, FrameError> {
        let short = || FrameError::HeaderTooShort(payload.len());
        let (fixed, properties) = payload.split_at_checked(Self::FIXED).ok_or_else(short)?;
        let mut reader = Reader::new(fixed);
        let class = reader.short().map_err(|_| short())?;
        let weight = reader.short().map_err(|_| short())?;
        let body_size = reader.longlong().map_err(|_| short())?;
        if weight != 0 {
            return Err(FrameError::HeaderWeight(weight));
        }
        Ok(Self { class, body_size, properties })
    }
}
