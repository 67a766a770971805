//! Classes and their methods.

use super::types::Domains;
use super::{directions, docs, fields, layout, names, numbers, responses};
use crate::model::{Class, Method};
use crate::problem::Problems;
use crate::spec::{Element, Kind};

/// The classes of the specification.
pub(super) fn classes(root: &Element, domains: &Domains<'_>, problems: &mut Problems) -> Vec<Class> {
    names::check(root.children_of(Kind::Class), problems);
    names::check_numbers(root.children_of(Kind::Class), "index", problems);
    root.children_of(Kind::Class).map(|element| class(element, domains, problems)).collect()
}

/// One class.
fn class(element: &Element, domains: &Domains<'_>, problems: &mut Problems) -> Class {
    names::check(element.children_of(Kind::Method), problems);
    names::check_numbers(element.children_of(Kind::Method), "index", problems);
    directions::check(element, problems);
    Class {
        name: element.name().to_owned(),
        index: numbers::number(element, "index", problems),
        docs: docs::class(element),
        properties: fields::properties(element, domains, problems),
        methods: element.children_of(Kind::Method).map(|child| method(element, child, domains, problems)).collect(),
    }
}

/// One method.
fn method(class: &Element, element: &Element, domains: &Domains<'_>, problems: &mut Problems) -> Method {
    let fields = fields::arguments(class, element, domains, problems);
    let content = numbers::flag(element, "content", problems);
    if content && class.children_of(Kind::Field).next().is_none() {
        // 0-8 has such a class, for tests. Its content header has no flags, which is well-defined.
        let message = format!("carries content, and the class `{}` has no properties to describe it", class.name());
        problems.warn(element.warning_with("content", message));
    }
    Method {
        name: element.name().to_owned(),
        index: numbers::number(element, "index", problems),
        docs: docs::method(class, element),
        layout: layout::slots(&fields),
        fields,
        responses: responses::positions(class, element, problems),
        synchronous: numbers::flag(element, "synchronous", problems),
        content,
        deprecated: numbers::flag(element, "deprecated", problems),
        sender: directions::sender(element, problems),
    }
}
