//! Takes values off the front of octets.

use std::fmt;

use bytes::Bytes;

use super::{DecodeError, DecodeErrorKind, FieldTable, LongString, ShortString, Timestamp};

/// Reads values one after the other from octets in network byte order.
///
/// Nothing is allocated that a length merely announces: first the octets must be there. After an
/// error the reader stands somewhere inside the value that could not be read.
///
/// ```
/// use leveret::wire::Reader;
///
/// let mut reader = Reader::new(b"\x00\x07\x05hello");
/// assert_eq!(reader.short()?, 7);
/// assert_eq!(reader.short_string()?, "hello");
/// reader.finish()?;
/// # Ok::<(), leveret::wire::DecodeError>(())
/// ```
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Where `rest` ends, counted from the start of the outermost octets.
    end: usize,
    /// Of whom `rest` is a part, where strings may share it.
    owner: Option<&'a Bytes>,
}

impl<'a> Reader<'a> {
    /// Reads `octets` and copies the strings that it returns.
    #[inline]
    pub const fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, end: octets.len(), owner: None }
    }

    /// Reads `octets` and returns strings that share them: nothing is copied, and the smallest
    /// string keeps all of `octets` alive.
    #[inline]
    pub fn shared(octets: &'a Bytes) -> Self {
        Self { rest: octets, end: octets.len(), owner: Some(octets) }
    }

    /// Octets that were not read yet.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Octets that were read.
    #[inline]
    pub const fn position(&self) -> usize {
        // `end` counts from the same start as the position does, so it is never the smaller one.
        self.end.saturating_sub(self.rest.len())
    }

    /// All octets were read.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::TrailingOctets`] where some were not.
    #[inline]
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(DecodeErrorKind::TrailingOctets)) }
    }

    /// Reads 8 bits.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`] where the octets end before.
    #[inline]
    pub fn octet(&mut self) -> Result<u8, DecodeError> {
        self.chunk().map(u8::from_be_bytes)
    }

    /// Reads 16 bits.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`] where the octets end before.
    #[inline]
    pub fn short(&mut self) -> Result<u16, DecodeError> {
        self.chunk().map(u16::from_be_bytes)
    }

    /// Reads 32 bits.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`] where the octets end before.
    #[inline]
    pub fn long(&mut self) -> Result<u32, DecodeError> {
        self.chunk().map(u32::from_be_bytes)
    }

    /// Reads 64 bits.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`] where the octets end before.
    #[inline]
    pub fn longlong(&mut self) -> Result<u64, DecodeError> {
        self.chunk().map(u64::from_be_bytes)
    }

    /// Reads seconds since 1970.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`] where the octets end before.
    #[inline]
    pub fn timestamp(&mut self) -> Result<Timestamp, DecodeError> {
        self.longlong().map(Timestamp::from_secs)
    }

    /// Reads the next `count` octets in place.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`] where there are fewer.
    #[inline]
    pub fn octets(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(count) {
            Some((octets, rest)) => {
                self.rest = rest;
                Ok(octets)
            }
            None => Err(self.error(DecodeErrorKind::Truncated)),
        }
    }

    /// Reads a short string in place: an octet of length, and as many octets.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`] where the octets end before.
    #[inline]
    pub fn short_string_octets(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.octet()?;
        self.octets(usize::from(length))
    }

    /// Reads a short string: an octet of length, and as many octets.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`] where the octets end before.
    #[inline]
    pub fn short_string(&mut self) -> Result<ShortString, DecodeError> {
        let octets = self.short_string_octets()?;
        Ok(ShortString::from(self.own(octets)))
    }

    /// Reads a long string: 32 bits of length, and as many octets.
    ///
    /// # Errors
    ///
    /// [`DecodeErrorKind::Truncated`] where the octets end before.
    #[inline]
    pub fn long_string(&mut self) -> Result<LongString, DecodeError> {
        self.byte_array().map(LongString::from)
    }

    /// Reads a field table: 32 bits of length in octets, then keys and values.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the table or a value in it: see [`DecodeErrorKind`].
    #[inline]
    pub fn table(&mut self) -> Result<FieldTable, DecodeError> {
        self.nested_table(0)
    }

    /// Reads octets behind their length in 32 bits.
    #[inline]
    pub(super) fn byte_array(&mut self) -> Result<Bytes, DecodeError> {
        let octets = self.long_octets()?;
        Ok(self.own(octets))
    }

    /// A reader of the octets behind their length in 32 bits, which counts positions from the same
    /// start.
    pub(super) fn part(&mut self) -> Result<Self, DecodeError> {
        let rest = self.long_octets()?;
        Ok(Self { rest, end: self.position(), owner: self.owner })
    }

    #[inline]
    pub(super) fn chunk<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest.split_first_chunk() {
            Some((chunk, rest)) => {
                self.rest = rest;
                Ok(*chunk)
            }
            None => Err(self.error(DecodeErrorKind::Truncated)),
        }
    }

    /// An error at the current position.
    #[cold]
    pub(super) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::at(self.position(), kind)
    }

    #[inline]
    fn long_octets(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.long()?;
        // What an address space cannot hold is not there.
        self.octets(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Keeps `octets`, which were read here.
    #[inline]
    fn own(&self, octets: &'a [u8]) -> Bytes {
        match self.owner {
            Some(owner) => owner.slice_ref(octets),
            None => Bytes::copy_from_slice(octets),
        }
    }
}

/// The octets themselves may hold a secret.
impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("position", &self.position())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
