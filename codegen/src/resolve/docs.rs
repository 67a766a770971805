//! Documentation: the prose of an element, or else of its domain, or else its label, or else a
//! plain sentence about it.

use super::asserts::{self, Assert};
use super::types;
use crate::model::{ConstantKind, WireType};
use crate::spec::{Element, Kind};

/// The documentation of a constant.
pub(super) fn constant(element: &Element, kind: ConstantKind) -> String {
    let name = element.name();
    own(element).unwrap_or_else(|| match kind {
        ConstantKind::Number => format!("The number `{name}`."),
        ConstantKind::ReplySuccess => format!("The reply code `{name}`."),
        ConstantKind::SoftError => format!("The reply code `{name}`, a soft error."),
        ConstantKind::HardError => format!("The reply code `{name}`, a hard error."),
    })
}

/// The documentation of a class.
pub(super) fn class(element: &Element) -> String {
    own(element).unwrap_or_else(|| format!("The class `{}`.", element.name()))
}

/// The documentation of a method.
pub(super) fn method(class: &Element, element: &Element) -> String {
    own(element).unwrap_or_else(|| format!("The method `{}.{}`.", class.name(), element.name()))
}

/// The documentation of an argument or property of `owner`, including asserts.
pub(super) fn field(
    owner: &str,
    element: &Element,
    domain: Option<&Element>,
    asserts: &[&Assert],
    wire: WireType,
) -> String {
    let prose = prose(element).or_else(|| domain.and_then(prose)).or_else(|| label(element));
    let prose = prose.or_else(|| domain.and_then(label)).unwrap_or_else(|| {
        let (name, wire) = (element.name(), types::in_words(wire));
        format!("The field `{name}` of `{owner}`, {wire}.")
    });
    match asserts::paragraph(asserts) {
        Some(asserts) => format!("{prose}\n\n{asserts}"),
        None => prose,
    }
}

/// The documentation in an element itself.
fn own(element: &Element) -> Option<String> {
    prose(element).or_else(|| label(element))
}

/// The paragraphs of an element's `doc` elements, or else of the text directly in it. A `doc` with
/// a type, or with a name as in 0-8, is a grammar or a scenario and not a description.
fn prose(element: &Element) -> Option<String> {
    let describes = |doc: &&Element| doc.value("type").or(doc.value("name")).is_none();
    let docs = element.children_of(Kind::Doc).filter(describes);
    let paragraphs: Vec<String> = docs.flat_map(|doc| paragraphs(&doc.text)).collect();
    let paragraphs = if paragraphs.is_empty() { self::paragraphs(&element.text).collect() } else { paragraphs };
    if paragraphs.is_empty() { None } else { Some(paragraphs.join("\n\n")) }
}

/// The label of an element as a sentence.
fn label(element: &Element) -> Option<String> {
    let label = element.value("label")?;
    let first = label.chars().next()?;
    let rest = label.get(first.len_utf8()..).unwrap_or_default();
    Some(format!("{}{rest}.", first.to_uppercase()).replace("..", "."))
}

/// The paragraphs of a text, each on one line.
fn paragraphs(text: &str) -> impl Iterator<Item = String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let paragraphs: Vec<String> =
        lines.split(|line| line.is_empty()).map(|lines| lines.join(" ")).filter(|text| !text.is_empty()).collect();
    paragraphs.into_iter().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}
