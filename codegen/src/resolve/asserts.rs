//! Asserts. They are documented and not enforced; brokers do not enforce them either. So an assert
//! without meaning is ignored.

use super::numbers;
use crate::problem::Problems;
use crate::spec::{Element, Kind};

/// The meaning of an assert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Assert {
    /// The value is not null.
    NotNull,
    /// The value has at most this many bytes.
    Length(u32),
    /// The value matches a regular expression.
    Pattern(String),
    /// The value is at most that of a field of another method.
    AtMost {
        /// The method.
        method: String,
        /// The field.
        field: String,
    },
}

/// The asserts of a field or domain, without those that are ignored with a warning. A method that
/// an assert names is looked up in `class`.
pub(super) fn read(element: &Element, class: Option<&Element>, problems: &mut Problems) -> Vec<Assert> {
    let mut asserts = Vec::new();
    for assert in element.children_of(Kind::Assert) {
        match one(assert, class) {
            Ok(assert) => asserts.push(assert),
            Err((attribute, message)) => {
                problems.warn(assert.warning_with(attribute, format!("passed over: {message}")));
            }
        }
    }
    asserts
}

/// The meaning of one assert, or the attribute that has none and why.
fn one(assert: &Element, class: Option<&Element>) -> Result<Assert, (&'static str, String)> {
    let value = || assert.value("value").ok_or(("value", "the attribute `value` is missing".to_owned()));
    match assert.value("check").unwrap_or_default() {
        "notnull" => Ok(Assert::NotNull),
        "length" => {
            let value = value()?;
            let number = numbers::parse(value);
            number.map(Assert::Length).ok_or_else(|| ("value", numbers::no_number::<u32>("value", value)))
        }
        "regexp" => Ok(Assert::Pattern(value()?.to_owned())),
        "le" => at_most(assert, class),
        other => {
            let message = format!("unknown check `{other}`: there are `notnull`, `length`, `regexp`, `le`");
            Err(("check", message))
        }
    }
}

/// A comparison with an existing field.
fn at_most(assert: &Element, class: Option<&Element>) -> Result<Assert, (&'static str, String)> {
    let (Some(method), Some(field)) = (assert.value("method"), assert.value("field")) else {
        return Err(("check", "a comparison needs the attributes `method` and `field`".to_owned()));
    };
    let is_there = class.is_some_and(|class| {
        let methods = class.children_of(Kind::Method).filter(|candidate| candidate.name() == method);
        methods.flat_map(|method| method.children_of(Kind::Field)).any(|candidate| candidate.name() == field)
    });
    if !is_there {
        return Err(("field", format!("there is no field `{field}` in a method `{method}` here")));
    }
    Ok(Assert::AtMost { method: method.to_owned(), field: field.to_owned() })
}

/// The asserts of a field, then of its domain, as a paragraph.
pub(super) fn paragraph(asserts: &[&Assert]) -> Option<String> {
    let mut sentences = Vec::new();
    let length =
        asserts.iter().find_map(|assert| if let Assert::Length(length) = assert { Some(*length) } else { None });
    let pattern =
        asserts.iter().find_map(|assert| if let Assert::Pattern(pattern) = assert { Some(pattern) } else { None });
    if let Some(limits) = limits(length, pattern.map(String::as_str)) {
        sentences.push(format!("The standard asserts {limits}; RabbitMQ does not enforce it."));
    }
    if asserts.contains(&&Assert::NotNull) {
        sentences.push("The standard asserts that it is not null.".to_owned());
    }
    for assert in asserts {
        if let Assert::AtMost { method, field } = assert {
            sentences.push(format!("The standard asserts that it is at most the `{field}` of `{method}`."));
        }
    }
    if sentences.is_empty() { None } else { Some(sentences.join(" ")) }
}

/// A length and a pattern as text.
fn limits(length: Option<u32>, pattern: Option<&str>) -> Option<String> {
    match (length, pattern) {
        (Some(length), Some(pattern)) => Some(format!("at most {length} octets that match {}", code(pattern))),
        (Some(length), None) => Some(format!("at most {length} octets")),
        (None, Some(pattern)) => Some(format!("that it matches {}", code(pattern))),
        (None, None) => None,
    }
}

/// A code span, if the text contains no backticks.
fn code(text: &str) -> String {
    if text.contains('`') { text.to_owned() } else { format!("`{text}`") }
}
