//! The format: which elements there are, what stands in which, and with which attributes.

use crate::spec::Kind;

/// What the format says of one element.
pub(super) struct Shape {
    /// Which element.
    pub(super) kind: Kind,
    /// Its name in XML.
    pub(super) name: &'static str,
    /// The attributes that it may have.
    pub(super) attributes: &'static [&'static str],
    /// The attribute that it must have, also in an overlay: it tells the element from its neighbours.
    pub(super) key: Option<&'static str>,
    /// The elements that may stand in it.
    pub(super) children: &'static [Kind],
    /// Text may stand in it.
    pub(super) text: bool,
}

/// Every element of the format, the root first.
static SHAPES: [Shape; 11] = [
    Shape {
        kind: Kind::Amqp,
        name: "amqp",
        attributes: &["major", "minor", "revision", "port", "comment"],
        key: None,
        children: &[Kind::Constant, Kind::Domain, Kind::Class, Kind::Doc],
        text: false,
    },
    Shape {
        kind: Kind::Constant,
        name: "constant",
        attributes: &["name", "value", "class", "label"],
        key: Some("name"),
        children: &[Kind::Doc, Kind::Rule],
        text: true,
    },
    Shape {
        kind: Kind::Domain,
        name: "domain",
        attributes: &["name", "type", "label"],
        key: Some("name"),
        children: &[Kind::Doc, Kind::Rule, Kind::Assert],
        text: true,
    },
    Shape {
        kind: Kind::Assert,
        name: "assert",
        attributes: &["check", "value", "method", "field"],
        key: Some("check"),
        children: &[],
        text: false,
    },
    Shape {
        kind: Kind::Class,
        name: "class",
        attributes: &["name", "handler", "index", "label"],
        key: Some("name"),
        children: &[Kind::Doc, Kind::Rule, Kind::Chassis, Kind::Field, Kind::Method],
        text: true,
    },
    Shape {
        kind: Kind::Method,
        name: "method",
        attributes: &["name", "synchronous", "index", "label", "content", "deprecated"],
        key: Some("name"),
        children: &[Kind::Doc, Kind::Rule, Kind::Chassis, Kind::Response, Kind::Field],
        text: true,
    },
    Shape {
        kind: Kind::Chassis,
        name: "chassis",
        attributes: &["name", "implement"],
        key: Some("name"),
        children: &[],
        text: false,
    },
    Shape {
        kind: Kind::Response,
        name: "response",
        attributes: &["name"],
        key: Some("name"),
        children: &[],
        text: false,
    },
    Shape {
        kind: Kind::Field,
        name: "field",
        attributes: &["name", "domain", "type", "label", "reserved", "required"],
        key: Some("name"),
        children: &[Kind::Doc, Kind::Rule, Kind::Assert],
        text: true,
    },
    Shape {
        kind: Kind::Rule,
        name: "rule",
        attributes: &["name", "on-failure"],
        key: Some("name"),
        children: &[Kind::Doc],
        text: true,
    },
    Shape { kind: Kind::Doc, name: "doc", attributes: &["type"], key: None, children: &[], text: true },
];

/// The shape of the element of that name.
pub(super) fn by_name(name: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.name == name)
}

/// The shape of elements of that kind.
pub(super) fn by_kind(kind: Kind) -> &'static Shape {
    let [root, ..] = &SHAPES;
    SHAPES.iter().find(|shape| shape.kind == kind).unwrap_or(root)
}
