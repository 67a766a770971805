//! Asserts: checked for sense and told in the documentation. They are not enforced, as the broker doesn't either.

use crate::problem::Problems;
use crate::spec::{Element, Kind};

/// Reports asserts of a field or domain that make no sense. `class` is where a method that an assert names is looked up.
pub(super) fn check(element: &Element, class: Option<&Element>, problems: &mut Problems) {
    for assert in element.children_of(Kind::Assert) {
        match assert.value("check").unwrap_or_default() {
            "notnull" => {}
            "length" => {
                super::numbers::number::<u32>(assert, "value", problems);
            }
            "regexp" => {
                if assert.value("value").is_none() {
                    problems.report(assert.problem("the attribute `value` is missing"));
                }
            }
            "le" => check_other(assert, class, problems),
            other => {
                let message = format!("unknown check `{other}`: there are `notnull`, `length`, `regexp`, `le`");
                problems.report(assert.problem_with("check", message));
            }
        }
    }
}

/// Reports a comparison with a field that there is not.
fn check_other(assert: &Element, class: Option<&Element>, problems: &mut Problems) {
    let (Some(method), Some(field)) = (assert.value("method"), assert.value("field")) else {
        problems.report(assert.problem("a comparison needs the attributes `method` and `field`"));
        return;
    };
    let is_there = class.is_some_and(|class| {
        let methods = class.children_of(Kind::Method).filter(|candidate| candidate.name() == method);
        methods.flat_map(|method| method.children_of(Kind::Field)).any(|candidate| candidate.name() == field)
    });
    if !is_there {
        let message = format!("there is no field `{field}` in a method `{method}` here");
        problems.report(assert.problem_with("field", message));
    }
}

/// The asserts of a field and of its domain as a paragraph.
pub(super) fn paragraph(field: &Element, domain: Option<&Element>) -> Option<String> {
    let asserts = || {
        let of_domain = domain.into_iter().flat_map(|domain| domain.children_of(Kind::Assert));
        field.children_of(Kind::Assert).chain(of_domain)
    };
    let of_check = |check: &'static str| asserts().filter(move |assert| assert.value("check") == Some(check));
    let mut sentences = Vec::new();
    let length = of_check("length").next().and_then(|assert| assert.value("value"));
    let pattern = of_check("regexp").next().and_then(|assert| assert.value("value"));
    if let Some(limits) = limits(length, pattern) {
        sentences.push(format!("The standard asserts {limits}; RabbitMQ does not enforce it."));
    }
    if of_check("notnull").next().is_some() {
        sentences.push("The standard asserts that it is not null.".to_owned());
    }
    for assert in of_check("le") {
        let [method, field] = ["method", "field"].map(|name| assert.value(name).unwrap_or_default());
        sentences.push(format!("The standard asserts that it is at most the `{field}` of `{method}`."));
    }
    if sentences.is_empty() { None } else { Some(sentences.join(" ")) }
}

/// A length and a pattern in words.
fn limits(length: Option<&str>, pattern: Option<&str>) -> Option<String> {
    match (length, pattern) {
        (Some(length), Some(pattern)) => Some(format!("at most {length} octets that match {}", code(pattern))),
        (Some(length), None) => Some(format!("at most {length} octets")),
        (None, Some(pattern)) => Some(format!("that it matches {}", code(pattern))),
        (None, None) => None,
    }
}

/// A code span, where the text has no backticks of its own.
fn code(text: &str) -> String {
    if text.contains('`') { text.to_owned() } else { format!("`{text}`") }
}
