//! Reading values from bytes.

use std::fmt;

use bytes::Bytes;

use super::{DecodeError, DecodeErrorKind, FieldTable, LongString, ShortString, Timestamp};

/// Reads consecutive values from bytes in network byte order.
///
/// A length alone never causes an allocation: the bytes have to be present first. After an error,
/// the position of the reader is somewhere inside the value that could not be read.
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
    /// The position of the end of `rest`, counted from the start of the outermost bytes.
    end: usize,
    /// The buffer that contains `rest`, if strings may share it.
    owner: Option<&'a Bytes>,
}

impl<'a> Reader<'a> {
    /// Makes a reader of `octets` that copies the strings that it returns.
    #[inline]
    pub const fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, end: octets.len(), owner: None }
    }

    /// Makes a reader of `octets` whose strings share them. Nothing is copied, but even the
    /// smallest string keeps all of `octets` in memory.
    #[inline]
    pub fn shared(octets: &'a Bytes) -> Self {
        Self { rest: octets, end: octets.len(), owner: Some(octets) }
    }

    /// Returns the number of bytes that were not read yet.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Returns the number of bytes that were read.
    #[inline]
    pub const fn position(&self) -> usize {
        // `end` and the position count from the same start, so `end` is never smaller.
        self.end.saturating_sub(self.rest.len())
    }

    /// Checks that all bytes were read.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`DecodeErrorKind::TrailingOctets`] if bytes remain.
    #[inline]
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(DecodeErrorKind::TrailingOctets)) }
    }

    /// Reads 8 bits.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`DecodeErrorKind::Truncated`] if there are too few bytes.
    #[inline]
    pub fn octet(&mut self) -> Result<u8, DecodeError> {
        self.chunk().map(u8::from_be_bytes)
    }

    /// Reads 16 bits.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`DecodeErrorKind::Truncated`] if there are too few bytes.
    #[inline]
    pub fn short(&mut self) -> Result<u16, DecodeError> {
        self.chunk().map(u16::from_be_bytes)
    }

    /// Reads 32 bits.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`DecodeErrorKind::Truncated`] if there are too few bytes.
    #[inline]
    pub fn long(&mut self) -> Result<u32, DecodeError> {
        self.chunk().map(u32::from_be_bytes)
    }

    /// Reads 64 bits.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`DecodeErrorKind::Truncated`] if there are too few bytes.
    #[inline]
    pub fn longlong(&mut self) -> Result<u64, DecodeError> {
        self.chunk().map(u64::from_be_bytes)
    }

    /// Reads a timestamp: 64 bits of seconds since 1970.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`DecodeErrorKind::Truncated`] if there are too few bytes.
    #[inline]
    pub fn timestamp(&mut self) -> Result<Timestamp, DecodeError> {
        self.longlong().map(Timestamp::from_secs)
    }

    /// Reads the next `count` bytes in place.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`DecodeErrorKind::Truncated`] if there are fewer.
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

    /// Reads a short string in place: one octet of length, then as many bytes.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`DecodeErrorKind::Truncated`] if there are too few bytes.
    #[inline]
    pub fn short_string_octets(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.octet()?;
        self.octets(usize::from(length))
    }

    /// Reads a short string: one octet of length, then as many bytes.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`DecodeErrorKind::Truncated`] if there are too few bytes.
    #[inline]
    pub fn short_string(&mut self) -> Result<ShortString, DecodeError> {
        let octets = self.short_string_octets()?;
        Ok(ShortString::from(self.own(octets)))
    }

    /// Reads a long string: 32 bits of length, then as many bytes.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`DecodeErrorKind::Truncated`] if there are too few bytes.
    #[inline]
    pub fn long_string(&mut self) -> Result<LongString, DecodeError> {
        self.byte_array().map(LongString::from)
    }

    /// Reads a field table: 32 bits of length in bytes, then keys and values.
    ///
    /// # Errors
    ///
    /// Returns an error if the table or a value in it is invalid: see [`DecodeErrorKind`].
    #[inline]
    pub fn table(&mut self) -> Result<FieldTable, DecodeError> {
        self.nested_table(0)
    }

    /// Reads 32 bits of length, then as many bytes.
    #[inline]
    pub(super) fn byte_array(&mut self) -> Result<Bytes, DecodeError> {
        let octets = self.long_octets()?;
        Ok(self.own(octets))
    }

    /// Reads 32 bits of length, and returns a reader of as many bytes. Its positions count from the
    /// same start.
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

    /// Makes an error at the current position.
    #[cold]
    pub(super) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::at(self.position(), kind)
    }

    #[inline]
    fn long_octets(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.long()?;
        // More bytes than an address space can hold cannot be there, so that the largest `usize` is
        // refused as they would be.
        self.octets(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Shares or copies `octets`, which this reader read.
    #[inline]
    fn own(&self, octets: &'a [u8]) -> Bytes {
        match self.owner {
            Some(owner) => owner.slice_ref(octets),
            None => Bytes::copy_from_slice(octets),
        }
    }
}

/// Does not show the bytes, which may contain a secret.
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
