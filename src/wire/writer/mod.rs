//! Appends values to a buffer.

use std::fmt;

use super::{EncodeError, EncodeErrorKind, FieldTable, LongString, ShortString, Timestamp};

/// Appends values one after the other in network byte order.
///
/// After an error the buffer holds a part of the value that could not be written; whoever owns it
/// truncates it.
///
/// ```
/// use leveret::wire::Writer;
///
/// let mut octets = Vec::new();
/// let mut writer = Writer::new(&mut octets);
/// writer.short(7);
/// writer.short_string(&"hello".into())?;
/// assert_eq!(octets, b"\x00\x07\x05hello");
/// # Ok::<(), leveret::wire::EncodeError>(())
/// ```
pub struct Writer<'a> {
    buffer: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `buffer`, behind what it holds.
    #[inline]
    pub const fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self { buffer }
    }

    /// Octets in the buffer, with those that were there before.
    #[inline]
    pub const fn len(&self) -> usize {
        self.buffer.len()
    }

    /// The buffer holds nothing.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Appends 8 bits.
    #[inline]
    pub fn octet(&mut self, value: u8) {
        self.buffer.push(value);
    }

    /// Appends 16 bits.
    #[inline]
    pub fn short(&mut self, value: u16) {
        self.octets(&value.to_be_bytes());
    }

    /// Appends 32 bits.
    #[inline]
    pub fn long(&mut self, value: u32) {
        self.octets(&value.to_be_bytes());
    }

    /// Appends 64 bits.
    #[inline]
    pub fn longlong(&mut self, value: u64) {
        self.octets(&value.to_be_bytes());
    }

    /// Appends seconds since 1970.
    #[inline]
    pub fn timestamp(&mut self, value: Timestamp) {
        self.longlong(value.as_secs());
    }

    /// Appends octets as they are, without a length.
    #[inline]
    pub fn octets(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// Appends a short string: an octet of length, and as many octets.
    ///
    /// # Errors
    ///
    /// [`EncodeErrorKind::ShortStringTooLong`] over 255 octets.
    #[inline]
    pub fn short_string(&mut self, value: &ShortString) -> Result<(), EncodeError> {
        self.short_string_octets(value.as_bytes())
    }

    /// Appends octets as a short string.
    ///
    /// # Errors
    ///
    /// [`EncodeErrorKind::ShortStringTooLong`] over 255 octets.
    #[inline]
    pub fn short_string_octets(&mut self, octets: &[u8]) -> Result<(), EncodeError> {
        let Ok(length) = u8::try_from(octets.len()) else {
            return Err(EncodeError::new(EncodeErrorKind::ShortStringTooLong { length: octets.len() }));
        };
        self.octet(length);
        self.octets(octets);
        Ok(())
    }

    /// Appends a long string: 32 bits of length, and as many octets.
    ///
    /// # Errors
    ///
    /// [`EncodeErrorKind::LongStringTooLong`] over `u32::MAX` octets.
    #[inline]
    pub fn long_string(&mut self, value: &LongString) -> Result<(), EncodeError> {
        self.byte_array(value.as_bytes())
    }

    /// Appends a field table: 32 bits of length in octets, then keys and values.
    ///
    /// # Errors
    ///
    /// Whatever the wire cannot carry of it: see [`EncodeErrorKind`].
    #[inline]
    pub fn table(&mut self, value: &FieldTable) -> Result<(), EncodeError> {
        self.nested_table(value, 0)
    }

    /// Appends octets behind their length in 32 bits.
    #[inline]
    pub(super) fn byte_array(&mut self, octets: &[u8]) -> Result<(), EncodeError> {
        let Ok(length) = u32::try_from(octets.len()) else {
            return Err(EncodeError::new(EncodeErrorKind::LongStringTooLong { length: octets.len() }));
        };
        self.long(length);
        self.octets(octets);
        Ok(())
    }

    /// Appends what `write` appends, behind its length in 32 bits.
    pub(super) fn part(&mut self, write: impl FnOnce(&mut Self) -> Result<(), EncodeError>) -> Result<(), EncodeError> {
        let start = self.len();
        self.long(0);
        write(self)?;
        // The place of the length is there: it was appended above, and `write` only appends.
        if let Some((place, written)) = self.buffer.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut) {
            let Ok(length) = u32::try_from(written.len()) else {
                return Err(EncodeError::new(EncodeErrorKind::TableTooLong { length: written.len() }));
            };
            *place = length.to_be_bytes();
        }
        Ok(())
    }
}

/// The octets themselves may hold a secret.
impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
