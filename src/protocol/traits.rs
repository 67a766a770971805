//! What the generated types have in common.

use std::fmt;

use crate::wire::{DecodeError, EncodeError, Reader, Writer};

/// The two numbers that name a method on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MethodId {
    /// The class id.
    pub class: u16,
    /// The method id within the class.
    pub method: u16,
}

impl MethodId {
    /// The method `method` of class `class`.
    pub const fn new(class: u16, method: u16) -> Self {
        Self { class, method }
    }
}

impl fmt::Display for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.class, self.method)
    }
}

/// Which peer may send a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SentBy {
    /// Clients alone.
    Client,
    /// Servers alone.
    Server,
    /// Either peer.
    Both,
}

/// A method of the protocol: what its struct knows and how its arguments lie on the wire.
pub trait ProtocolMethod: Sized {
    /// Class and method id.
    const ID: MethodId;
    /// The name in the specification, such as `queue.declare`.
    const NAME: &'static str;
    /// Who may send it.
    const SENT_BY: SentBy;
    /// Content (a header frame and body frames) follows the method frame.
    const HAS_CONTENT: bool;
    /// Another method answers it, unless it is sent with no-wait: it is a [`Request`].
    const IS_REQUEST: bool;

    /// Writes the arguments, without the ids.
    ///
    /// # Errors
    ///
    /// A value that the wire cannot carry, such as a short string over 255 octets. What was already
    /// written stays; the caller truncates.
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError>;

    /// Reads the arguments, the ids having been read.
    ///
    /// # Errors
    ///
    /// Octets that are not the arguments of this method.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// The sender asked for no reply.
    fn is_no_wait(&self) -> bool {
        false
    }
}

/// A method that another method answers.
pub trait Request: ProtocolMethod {
    /// The answer: a method, or an enum where there are several.
    type Reply: Sized;

    /// The ids of the methods that answer this one.
    const REPLIES: &'static [MethodId];
}

/// A method that a client may send on an open channel, of any class but connection and channel.
/// Neither it nor its answer brings content.
pub trait ChannelMethod: ProtocolMethod {}

/// The properties in the content header of a class.
pub trait ContentProperties: Sized + Default {
    /// The class whose content this describes.
    const CLASS_ID: u16;

    /// Writes the flag words and the values that are present.
    ///
    /// # Errors
    ///
    /// A value that the wire cannot carry.
    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError>;

    /// Reads flag words and values.
    ///
    /// # Errors
    ///
    /// Octets that are not a property list of this class.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// A method arrived where another was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnexpectedMethod {
    /// The name of the method that was expected.
    pub expected: &'static str,
    /// The name of the method that came.
    pub found: &'static str,
}

impl fmt::Display for UnexpectedMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for UnexpectedMethod {}
