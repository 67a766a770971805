//! The format: which elements there are, what stands in which, and with which attributes.
//!
//! It is that of 0-9-1 with what older files write otherwise. Elements that the bindings hang on
//! are strict: what is unknown in them is wrong. Prose and asserts are lenient: what is unknown in
//! them is passed over.

use crate::spec::Kind;

/// What the format says of one element.
pub(super) struct Shape {
    /// Which element.
    pub(super) kind: Kind,
    /// Its name in XML.
    pub(super) name: &'static str,
    /// The attributes that it may have.
    pub(super) attributes: &'static [&'static str],
    /// The attribute that it must have, also in an overlay: it tells the element from its
    /// neighbours.
    pub(super) key: Option<&'static str>,
    /// The elements that may stand in it.
    pub(super) children: &'static [Kind],
    /// Text may stand in it.
    pub(super) text: bool,
    /// The attributes that hold a name of the specification, or a word of the format that 0-8
    /// writes with a space.
    pub(super) names: &'static [&'static str],
    /// The bindings do not hang on it: what is unknown in it is passed over, and so is it where it
    /// has no place.
    pub(super) lenient: bool,
}

/// Elements of older files that tell a reader where to find more, or how to test a server.
const PASSED_OVER: [&str; 2] = ["see", "test"];

/// Every element of the format, the root first.
static SHAPES: [Shape; 12] = [
    Shape {
        kind: Kind::Amqp,
        name: "amqp",
        attributes: &["major", "minor", "revision", "port", "comment"],
        key: None,
        children: &[Kind::Constant, Kind::Domain, Kind::Class, Kind::Doc],
        text: false,
        names: &[],
        lenient: false,
    },
    Shape {
        kind: Kind::Constant,
        name: "constant",
        attributes: &["name", "value", "class", "label"],
        key: Some("name"),
        children: &[Kind::Doc, Kind::Rule],
        text: true,
        names: &["name", "class"],
        lenient: false,
    },
    Shape {
        kind: Kind::Domain,
        name: "domain",
        attributes: &["name", "type", "label"],
        key: Some("name"),
        children: &[Kind::Doc, Kind::Rule, Kind::Assert],
        text: true,
        names: &["name"],
        lenient: false,
    },
    Shape {
        kind: Kind::Assert,
        name: "assert",
        attributes: &["check", "value", "method", "field", "rule"],
        key: Some("check"),
        children: &[Kind::Value],
        text: false,
        names: &["method", "field"],
        lenient: true,
    },
    Shape {
        kind: Kind::Value,
        name: "value",
        attributes: &["name"],
        key: Some("name"),
        children: &[],
        text: false,
        names: &[],
        lenient: true,
    },
    Shape {
        kind: Kind::Class,
        name: "class",
        attributes: &["name", "handler", "index", "label"],
        key: Some("name"),
        children: &[Kind::Doc, Kind::Rule, Kind::Chassis, Kind::Field, Kind::Method],
        text: true,
        names: &["name"],
        lenient: false,
    },
    Shape {
        kind: Kind::Method,
        name: "method",
        attributes: &["name", "synchronous", "index", "label", "content", "deprecated"],
        key: Some("name"),
        children: &[Kind::Doc, Kind::Rule, Kind::Chassis, Kind::Response, Kind::Field],
        text: true,
        names: &["name"],
        lenient: false,
    },
    Shape {
        kind: Kind::Chassis,
        name: "chassis",
        attributes: &["name", "implement"],
        key: Some("name"),
        children: &[],
        text: false,
        names: &["name"],
        lenient: false,
    },
    Shape {
        kind: Kind::Response,
        name: "response",
        attributes: &["name"],
        key: Some("name"),
        children: &[],
        text: false,
        names: &["name"],
        lenient: false,
    },
    Shape {
        kind: Kind::Field,
        name: "field",
        attributes: &["name", "domain", "type", "label", "reserved", "required"],
        key: Some("name"),
        children: &[Kind::Doc, Kind::Rule, Kind::Assert],
        text: true,
        names: &["name", "domain"],
        lenient: false,
    },
    Shape {
        kind: Kind::Rule,
        name: "rule",
        attributes: &["name", "on-failure", "implement", "test"],
        key: Some("name"),
        children: &[Kind::Doc],
        text: true,
        names: &[],
        lenient: true,
    },
    Shape {
        kind: Kind::Doc,
        name: "doc",
        attributes: &["type", "name", "test"],
        key: None,
        children: &[],
        text: true,
        names: &[],
        lenient: true,
    },
];

/// What becomes of an element.
pub(super) enum Place {
    /// It is of this shape.
    Fits(&'static Shape),
    /// It and what is in it are passed over, with a warning.
    PassedOver,
    /// It makes the specification wrong.
    Wrong(String),
}

/// What becomes of an element of that name in `parent`, a shape of the format.
pub(super) fn place(name: &str, parent: &Shape) -> Place {
    if PASSED_OVER.contains(&name) {
        return Place::PassedOver;
    }
    match by_name(name) {
        Some(shape) if parent.children.contains(&shape.kind) => Place::Fits(shape),
        Some(shape) if shape.lenient => Place::PassedOver,
        Some(_) => Place::Wrong(format!("`{name}` has no place in `{}`", parent.name)),
        None if parent.lenient => Place::PassedOver,
        None => Place::Wrong(format!("unknown element `{name}`")),
    }
}

/// The shape of the element of that name.
pub(super) fn by_name(name: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.name == name)
}

/// The shape of elements of that kind.
pub(super) fn by_kind(kind: Kind) -> &'static Shape {
    let [root, ..] = &SHAPES;
    SHAPES.iter().find(|shape| shape.kind == kind).unwrap_or(root)
}
