//! A message as it arrived: one run of octets that everything is read from in place.

use std::ops::Range;

use bytes::Bytes;

use crate::protocol::{ContentProperties, basic::Properties};
use crate::wire::{DecodeError, Reader};

/// Exchange, routing key, properties and body of a message.
///
/// A small message is one exact allocation; the body of a larger one is another. So keeping a
/// message pins nothing but itself.
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
    /// A message whose `data` holds the parts of these lengths one after the other, and then its
    /// body unless that is apart.
    pub(in crate::engine) fn new(data: Bytes, head: Head, body: Option<Bytes>) -> Self {
        let routing_key = head.exchange + head.routing_key;
        Self { data, exchange: head.exchange, routing_key, properties: routing_key + head.properties, body }
    }

    /// The exchange that the message was published to; empty for the default one.
    pub fn exchange(&self) -> &[u8] {
        self.data.get(..self.exchange).unwrap_or_default()
    }

    /// The routing key that it was published with.
    pub fn routing_key(&self) -> &[u8] {
        self.data.get(self.exchange..self.routing_key).unwrap_or_default()
    }

    /// The octets of the property list.
    pub fn property_octets(&self) -> &[u8] {
        self.data.get(self.routing_key..self.properties).unwrap_or_default()
    }

    /// Decodes the properties, which nobody has looked at so far. Values that are kept pin the
    /// property list, and at most as much again of the message.
    ///
    /// # Errors
    ///
    /// A property list that cannot be read. It is this message's fault alone: the connection goes
    /// on.
    pub fn properties(&self) -> Result<Properties, DecodeError> {
        let octets = self.part(self.routing_key..self.properties);
        let mut reader = Reader::shared(&octets);
        let properties = Properties::decode(&mut reader)?;
        reader.finish()?;
        Ok(properties)
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Some(body) => body,
            None => self.data.get(self.properties..).unwrap_or_default(),
        }
    }

    /// The body, as shared bytes. It is copied only where it is the smaller part of a small
    /// message, so that keeping it pins at most as much again.
    pub fn into_body(self) -> Bytes {
        match self.body {
            Some(body) => body,
            None => self.part(self.properties..self.data.len()),
        }
    }

    /// Bytes of all its parts.
    pub fn size(&self) -> usize {
        self.data.len() + self.body.as_ref().map_or(0, Bytes::len)
    }

    /// A part of `data` for whoever keeps it: shared where it is the greater part, else copied.
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

/// The lengths of a message's parts before its body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::engine) struct Head {
    pub(in crate::engine) exchange: usize,
    pub(in crate::engine) routing_key: usize,
    pub(in crate::engine) properties: usize,
}
