//! Appending values to a buffer.

use std::fmt;

use super::{EncodeError, EncodeErrorKind, FieldTable, LongString, ShortString, Timestamp};

/// Appends consecutive values to a buffer in network byte order.
///
/// After an error, the buffer contains a part of the value that could not be written. Its owner has
/// to truncate it.
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
    /// Makes a writer that appends to `buffer`, after its present contents.
    #[inline]
    pub const fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self { buffer }
    }

    /// Returns the number of bytes in the buffer, including those that were there before.
    #[inline]
    pub const fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Returns `true` if the buffer is empty.
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

    /// Appends a timestamp: 64 bits of seconds since 1970.
    #[inline]
    pub fn timestamp(&mut self, value: Timestamp) {
        self.longlong(value.as_secs());
    }

    /// Appends bytes as they are, without a length.
    #[inline]
    pub fn octets(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// Appends a short string: one octet of length, then as many bytes.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`EncodeErrorKind::ShortStringTooLong`] over 255 bytes.
    #[inline]
    pub fn short_string(&mut self, value: &ShortString) -> Result<(), EncodeError> {
        self.short_string_octets(value.as_bytes())
    }

    /// Appends bytes as a short string.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`EncodeErrorKind::ShortStringTooLong`] over 255 bytes.
    #[inline]
    pub fn short_string_octets(&mut self, octets: &[u8]) -> Result<(), EncodeError> {
        let Ok(length) = u8::try_from(octets.len()) else {
            return Err(EncodeError::new(EncodeErrorKind::ShortStringTooLong { length: octets.len() }));
        };
        self.octet(length);
        self.octets(octets);
        Ok(())
    }

    /// Appends a long string: 32 bits of length, then as many bytes.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`EncodeErrorKind::LongStringTooLong`] over `u32::MAX` bytes.
    #[inline]
    pub fn long_string(&mut self, value: &LongString) -> Result<(), EncodeError> {
        self.byte_array(value.as_bytes())
    }

    /// Appends a field table: 32 bits of length in bytes, then keys and values.
    ///
    /// # Errors
    ///
    /// Returns an error if the wire cannot express the table or a value in it: see
    /// [`EncodeErrorKind`].
    #[inline]
    pub fn table(&mut self, value: &FieldTable) -> Result<(), EncodeError> {
        self.nested_table(value, 0)
    }

    /// Appends 32 bits of length, then the bytes.
    #[inline]
    pub(super) fn byte_array(&mut self, octets: &[u8]) -> Result<(), EncodeError> {
        let Ok(length) = u32::try_from(octets.len()) else {
            return Err(EncodeError::new(EncodeErrorKind::LongStringTooLong { length: octets.len() }));
        };
        self.long(length);
        self.octets(octets);
        Ok(())
    }

    /// Appends 32 bits of length, then what `write` appends.
    pub(super) fn part(&mut self, write: impl FnOnce(&mut Self) -> Result<(), EncodeError>) -> Result<(), EncodeError> {
        let start = self.len();
        self.long(0);
        write(self)?;
        // The slot of the length exists: it was appended above, and `write` only appends.
        if let Some((place, written)) = self.buffer.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut) {
            let Ok(length) = u32::try_from(written.len()) else {
                return Err(EncodeError::new(EncodeErrorKind::TableTooLong { length: written.len() }));
            };
            *place = length.to_be_bytes();
        }
        Ok(())
    }
}

/// Does not show the bytes, which may contain a secret.
impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
