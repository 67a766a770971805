//! The resolved protocol: the result of `resolve` and the input of `emit`.
//!
//! Every name is that of the specification (`consumer-tag`); only `ident` makes Rust identifiers.
//! Every field has its wire type, every response its method, every run of bits its bytes.

use std::fmt;

/// A whole protocol, ready to be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// Version numbers of the protocol header.
    pub version: Version,
    /// Constants in the order of the specification.
    pub constants: Vec<Constant>,
    /// Classes in the order of the specification.
    pub classes: Vec<Class>,
}

/// The version and port that the root element declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Major number.
    pub major: u8,
    /// Minor number.
    pub minor: u8,
    /// Revision; versions before 0-9-1 have none, and a different protocol header.
    pub revision: Option<u8>,
    /// The port that servers listen on.
    pub port: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.major, self.minor)?;
        self.revision.map_or(Ok(()), |revision| write!(f, "-{revision}"))
    }
}

/// A named number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// The specification's name.
    pub name: String,
    /// The value.
    pub value: u32,
    /// What the constant is.
    pub kind: ConstantKind,
    /// Documentation, never empty.
    pub docs: String,
}

/// What a constant is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstantKind {
    /// A plain number: a frame type, a limit, a marker.
    Number,
    /// A reply code that is not an error (`reply-success`; a constant without a class whose name
    /// starts with `reply-`).
    ReplySuccess,
    /// A reply code that closes a channel.
    SoftError,
    /// A reply code that closes the connection.
    HardError,
}

/// A class: its methods, and the properties of its content if it has any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// The specification's name.
    pub name: String,
    /// The class id on the wire.
    pub index: u16,
    /// Documentation, never empty.
    pub docs: String,
    /// Content properties in flag order (first is bit 15 of the first flag word); empty for a class
    /// without content.
    pub properties: Vec<Field>,
    /// Methods in the order of the specification.
    pub methods: Vec<Method>,
}

/// A method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// The specification's name.
    pub name: String,
    /// The method id on the wire.
    pub index: u16,
    /// Documentation, never empty.
    pub docs: String,
    /// Arguments in wire order, reserved ones included.
    pub fields: Vec<Field>,
    /// How `fields` lie on the wire; every field is in exactly one slot.
    pub layout: Vec<Slot>,
    /// Positions in [`Class::methods`] of the methods that may answer this one; empty if nothing
    /// answers.
    pub responses: Vec<usize>,
    /// Whether the specification marks it as synchronous.
    pub synchronous: bool,
    /// Whether content (header and body frames) follows the method frame.
    pub content: bool,
    /// Whether the specification marks it as deprecated.
    pub deprecated: bool,
    /// Which peers may send it, from the `chassis` elements: the peer that must *implement* a
    /// method receives it.
    pub sender: Sender,
}

/// Which peers may send a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Only clients send it.
    Client,
    /// Only servers send it.
    Server,
    /// Either peer sends it.
    Both,
}

/// An argument or a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The specification's name.
    pub name: String,
    /// The domain that the field names, if any (a field with `type` has none), declared or not.
    pub domain: Option<String>,
    /// The wire type.
    pub wire: WireType,
    /// Whether it is reserved: written as zero, skipped on reading, never shown.
    pub reserved: bool,
    /// Whether it holds a secret, which `Debug` must not show.
    pub secret: bool,
    /// Documentation, never empty.
    pub docs: String,
}

/// The elementary types of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireType {
    /// One bit, packed with adjacent bits.
    Bit,
    /// `u8`.
    Octet,
    /// `u16`.
    Short,
    /// `u32`.
    Long,
    /// `u64`.
    LongLong,
    /// At most 255 bytes.
    ShortString,
    /// At most 2³² − 1 bytes.
    LongString,
    /// Seconds since the epoch.
    Timestamp,
    /// A field table.
    Table,
    /// The body of a message as an argument, only in 0-9: an octet (0: the body itself follows, 1:
    /// the name of a reference), then a long string.
    Content,
}

/// One position on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// The field at this position of [`Method::fields`].
    Value(usize),
    /// One to eight bit fields in one octet, the first in the lowest bit.
    Bits(Vec<usize>),
}
