//! Arguments and properties.

use super::asserts::Assert;
use super::types::Domains;
use super::{asserts, docs, names, numbers, secrets};
use crate::model::{Field, WireType};
use crate::problem::Problems;
use crate::spec::{Element, Kind};

/// The arguments of a method.
pub(super) fn arguments(
    class: &Element,
    method: &Element,
    domains: &Domains<'_>,
    problems: &mut Problems,
) -> Vec<Field> {
    let owner = format!("{}.{}", class.name(), method.name());
    let mut fields = fields(&owner, class, method, domains, problems);
    for field in &mut fields {
        field.secret |= secrets::is_secret(class.name(), method.name(), &field.name);
    }
    fields
}

/// The properties of the content of a class.
pub(super) fn properties(class: &Element, domains: &Domains<'_>, problems: &mut Problems) -> Vec<Field> {
    let mut fields = fields(class.name(), class, class, domains, problems);
    for field in &mut fields {
        // The published files give the one reserved property this name instead of marking it.
        field.reserved |= field.name == "reserved";
    }
    fields
}

/// The fields directly in a method or class.
fn fields(
    owner: &str,
    class: &Element,
    parent: &Element,
    domains: &Domains<'_>,
    problems: &mut Problems,
) -> Vec<Field> {
    names::check(parent.children_of(Kind::Field), problems);
    parent.children_of(Kind::Field).map(|element| field(owner, class, element, domains, problems)).collect()
}

/// One field.
fn field(owner: &str, class: &Element, element: &Element, domains: &Domains<'_>, problems: &mut Problems) -> Field {
    let asserts = asserts::read(element, Some(class), problems);
    // Set on an argument that may be left empty. On the wire it is always present.
    numbers::flag(element, "required", problems);
    let wire = domains.wire(element, problems);
    let domain = domains.of(element);
    let asserts: Vec<&Assert> = asserts.iter().chain(domain.into_iter().flat_map(|domain| &domain.asserts)).collect();
    Field {
        name: element.name().to_owned(),
        domain: element.value("domain").map(str::to_owned),
        wire,
        reserved: numbers::flag(element, "reserved", problems),
        // `Debug` does not show message bodies.
        secret: wire == WireType::Content,
        docs: docs::field(owner, element, domain.map(|domain| domain.element), &asserts, wire),
    }
}
