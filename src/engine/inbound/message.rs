//! A message as it arrived: its bytes, from which the parts are read in place.

use std::ops::Range;

use bytes::Bytes;

use crate::protocol::{ContentProperties, basic::Properties};
use crate::wire::{DecodeError, Reader};

/// Exchange, routing key, properties and body of a message.
///
/// A small message is one allocation of exactly its size; the body of a larger one is a second. So
/// a message that is kept holds no other memory.
#[derive(Clone)]
pub struct Message {
    /// Exchange, routing key, properties, and the body unless it is in `body`.
    data: Bytes,
    exchange: usize,
    routing_key: usize,
    properties: usize,
    body: Option<Bytes>,
}

impl Message {
    /// Creates a message whose `data` holds the parts with the lengths in `head`, followed by the
    /// body unless that is given separately.
    pub(in crate::engine) fn new(data: Bytes, head: Head, body: Option<Bytes>) -> Self {
        let routing_key = head.exchange + head.routing_key;
        Self { data, exchange: head.exchange, routing_key, properties: routing_key + head.properties, body }
    }

    /// Returns the exchange to which the message was published; empty for the default exchange.
    pub fn exchange(&self) -> &[u8] {
        self.data.get(..self.exchange).unwrap_or_default()
    }

    /// Returns the routing key with which it was published.
    pub fn routing_key(&self) -> &[u8] {
        self.data.get(self.exchange..self.routing_key).unwrap_or_default()
    }

    /// Returns the bytes of the encoded property list.
    pub fn property_octets(&self) -> &[u8] {
        self.data.get(self.routing_key..self.properties).unwrap_or_default()
    }

    /// Decodes the properties. Values that are kept hold the whole property list in memory, and at
    /// most as much again of the message.
    ///
    /// # Errors
    ///
    /// Returns an error if the property list cannot be decoded. Only this message is affected: the
    /// connection continues.
    pub fn properties(&self) -> Result<Properties, DecodeError> {
        let octets = self.part(self.routing_key..self.properties);
        let mut reader = Reader::shared(&octets);
        let properties = Properties::decode(&mut reader)?;
        reader.finish()?;
        Ok(properties)
    }

    /// Returns the body.
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Some(body) => body,
            None => self.data.get(self.properties..).unwrap_or_default(),
        }
    }

    /// Returns the body as shared bytes. It is copied only if it is less than half of a small
    /// message, so that keeping it holds at most twice its size.
    pub fn into_body(self) -> Bytes {
        match self.body {
            Some(body) => body,
            None => self.part(self.properties..self.data.len()),
        }
    }

    /// Returns the size of all its parts in bytes.
    pub fn size(&self) -> usize {
        self.data.len() + self.body.as_ref().map_or(0, Bytes::len)
    }

    /// A part of `data` that may be kept: shared if it is at least half of it, copied otherwise.
    fn part(&self, range: Range<usize>) -> Bytes {
        let end = range.end.min(self.data.len());
        let range = range.start.min(end)..end;
        if range.len() * 2 >= self.data.len() {
            return self.data.slice(range);
        }
        Bytes::copy_from_slice(self.data.get(range).unwrap_or_default())
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("exchange", &String::from_utf8_lossy(self.exchange()))
            .field("routing_key", &String::from_utf8_lossy(self.routing_key()))
            .field("body_len", &self.body().len())
            .finish_non_exhaustive()
    }
}

/// The lengths of the parts of a message before its body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::engine) struct Head {
    pub(in crate::engine) exchange: usize,
    pub(in crate::engine) routing_key: usize,
    pub(in crate::engine) properties: usize,
}
