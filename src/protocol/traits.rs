//! The traits of the generated types.

use std::fmt;

use crate::wire::{DecodeError, EncodeError, Reader, Writer};

/// The two numbers that identify a method on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MethodId {
    /// The class id.
    pub class: u16,
    /// The method id within the class.
    pub method: u16,
}

impl MethodId {
    /// Makes the id of the method `method` of the class `class`.
    pub const fn new(class: u16, method: u16) -> Self {
        Self { class, method }
    }
}

impl fmt::Display for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.class, self.method)
    }
}

/// The peer that may send a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SentBy {
    /// Only clients.
    Client,
    /// Only servers.
    Server,
    /// Both peers.
    Both,
}

/// A method of the protocol: its constants, and the encoding of its arguments.
pub trait ProtocolMethod: Sized {
    /// The ids of the class and the method.
    const ID: MethodId;
    /// The name in the specification, such as `queue.declare`.
    const NAME: &'static str;
    /// The peer that may send the method.
    const SENT_BY: SentBy;
    /// Whether content (a header frame and body frames) follows the method frame.
    const HAS_CONTENT: bool;
    /// Whether another method answers it unless it is sent with no-wait, so that it is a
    /// [`Request`].
    const IS_REQUEST: bool;

    /// Encodes the arguments, without the ids.
    ///
    /// # Errors
    ///
    /// Returns an error if the wire cannot express a value, such as a short string over 255 bytes.
    /// The buffer then contains what was already written, and the caller has to truncate it.
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError>;

    /// Decodes the arguments, after the ids.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not the arguments of this method.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Returns `true` if the sender asked for no reply (no-wait).
    fn is_no_wait(&self) -> bool {
        false
    }
}

/// A method that another method answers.
pub trait Request: ProtocolMethod {
    /// The reply: a method, or an enum if there are several.
    type Reply: Sized;

    /// The ids of the methods that answer this one.
    const REPLIES: &'static [MethodId];
}

/// A method that a client may send on an open channel, of any class except connection and channel.
/// Neither the method nor its reply has content.
pub trait ChannelMethod: ProtocolMethod {}

/// The properties in the content header of a class.
pub trait ContentProperties: Sized + Default {
    /// The id of the class of the content.
    const CLASS_ID: u16;

    /// Encodes the flag words and the values that are present.
    ///
    /// # Errors
    ///
    /// Returns an error if the wire cannot express a value.
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError>;

    /// Decodes the flag words and values.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not a property list of this class.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// The error of a method that arrived when another was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnexpectedMethod {
    /// The name of the method that was expected.
    pub expected: &'static str,
    /// The name of the method that arrived.
    pub found: &'static str,
}

impl fmt::Display for UnexpectedMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for UnexpectedMethod {}
