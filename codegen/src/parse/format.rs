//! The format: the elements, their contents and their attributes.
//!
//! It is that of 0-9-1 with the differences of older files. Elements that affect the bindings are
//! strict: anything unknown in them is an error. Prose and asserts are lenient: anything unknown in
//! them is ignored.

use crate::spec::Kind;

/// The format of one element.
pub(super) struct Shape {
    /// Which element.
    pub(super) kind: Kind,
    /// Its name in XML.
    pub(super) name: &'static str,
    /// The attributes that it may have.
    pub(super) attributes: &'static [&'static str],
    /// The attribute that it must have, also in an overlay: it distinguishes the element from
    /// others of its kind.
    pub(super) key: Option<&'static str>,
    /// The elements that it may contain.
    pub(super) children: &'static [Kind],
    /// Whether it may contain text.
    pub(super) text: bool,
    /// The attributes that hold a name of the specification, or a word of the format that 0-8
    /// writes with a space.
    pub(super) names: &'static [&'static str],
    /// Whether it does not affect the bindings. Anything unknown in it is then ignored, and so is
    /// the element itself where it is not valid.
    pub(super) lenient: bool,
}

/// Elements of older files with references for readers, or instructions for tests of a server.
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

/// How an element is handled.
pub(super) enum Place {
    /// It has this shape.
    Fits(&'static Shape),
    /// It is ignored with its contents, with a warning.
    PassedOver,
    /// It is an error in the specification.
    Wrong(String),
}

/// How an element with this name is handled in `parent`.
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
