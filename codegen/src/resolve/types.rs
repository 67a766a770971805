//! Domains to wire types.

use std::collections::BTreeMap;

use super::asserts::{self, Assert};
use super::names;
use crate::model::WireType;
use crate::problem::Problems;
use crate::spec::{Element, Kind};

/// The elementary types by their names in the specification.
const ELEMENTARY: [(&str, WireType); 10] = [
    ("bit", WireType::Bit),
    ("octet", WireType::Octet),
    ("short", WireType::Short),
    ("long", WireType::Long),
    ("longlong", WireType::LongLong),
    ("shortstr", WireType::ShortString),
    ("longstr", WireType::LongString),
    ("timestamp", WireType::Timestamp),
    ("table", WireType::Table),
    ("content", WireType::Content),
];

/// The type of fields whose type is wrong, which is reported.
const FALLBACK: WireType = WireType::Octet;

/// The domains of the specification.
pub(super) struct Domains<'e> {
    /// By name.
    by_name: BTreeMap<&'e str, Domain<'e>>,
}

/// A domain.
pub(super) struct Domain<'e> {
    /// What declares it.
    pub(super) element: &'e Element,
    /// Its asserts.
    pub(super) asserts: Vec<Assert>,
    /// Its wire type.
    wire: WireType,
}

impl<'e> Domains<'e> {
    /// Reads the domains. One with the name of its type (`<domain name="bit" type="bit"/>`) is like
    /// any other: types and domains have separate name spaces.
    pub(super) fn new(root: &'e Element, problems: &mut Problems) -> Self {
        names::check(root.children_of(Kind::Domain), problems);
        let mut by_name = BTreeMap::new();
        for element in root.children_of(Kind::Domain) {
            if element.value("type").is_none() {
                problems.report(element.problem("the attribute `type` is missing"));
            }
            let wire = element.value("type").map_or(FALLBACK, |name| elementary(element, name, problems));
            let asserts = asserts::read(element, None, problems);
            by_name.entry(element.name()).or_insert(Domain { element, asserts, wire });
        }
        Self { by_name }
    }

    /// The domain that a field names.
    pub(super) fn of(&self, field: &Element) -> Option<&Domain<'e>> {
        self.by_name.get(field.value("domain")?)
    }

    /// The wire type of a field: that of its domain, or its own.
    pub(super) fn wire(&self, field: &Element, problems: &mut Problems) -> WireType {
        match (field.value("domain"), field.value("type")) {
            (Some(domain), None) => {
                self.by_name.get(domain).map_or_else(|| undeclared(field, domain, problems), |domain| domain.wire)
            }
            (None, Some(name)) => elementary(field, name, problems),
            (Some(_), Some(_)) => {
                problems.report(field.problem("the field has both a domain and a type"));
                FALLBACK
            }
            (None, None) => {
                problems.report(field.problem("the field has neither a domain nor a type"));
                FALLBACK
            }
        }
    }
}

/// The type of a field whose domain is not declared. 0-9 uses `content` in this way; as that is the
/// name of a type, it has only one interpretation.
fn undeclared(field: &Element, domain: &str, problems: &mut Problems) -> WireType {
    if let Some((_, wire)) = ELEMENTARY.iter().find(|(known, _)| *known == domain) {
        let message = format!("the domain `{domain}` is not declared: read as the type of that name");
        problems.warn(field.warning_with("domain", message));
        return *wire;
    }
    problems.report(field.problem_with("domain", format!("unknown domain `{domain}`")));
    FALLBACK
}

/// The elementary type with this name.
fn elementary(element: &Element, name: &str, problems: &mut Problems) -> WireType {
    let found = ELEMENTARY.iter().find(|(known, _)| *known == name);
    found.map_or_else(
        || {
            let known = ELEMENTARY.map(|(known, _)| known).join("`, `");
            problems.report(element.problem_with("type", format!("unknown type `{name}`: there are `{known}`")));
            FALLBACK
        },
        |(_, wire)| *wire,
    )
}

/// The type as text, with its article.
pub(super) fn in_words(wire: WireType) -> &'static str {
    match wire {
        WireType::Bit => "a bit",
        WireType::Octet => "an octet",
        WireType::Short => "a 16-bit number",
        WireType::Long => "a 32-bit number",
        WireType::LongLong => "a 64-bit number",
        WireType::ShortString => "a short string",
        WireType::LongString => "a long string",
        WireType::Timestamp => "a timestamp",
        WireType::Table => "a field table",
        WireType::Content => "content: an octet (0: inline, 1: a reference) and a long string",
    }
}
