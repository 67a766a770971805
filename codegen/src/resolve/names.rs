//! Checks that names are valid, and that names and numbers are unique.

use std::collections::BTreeMap;

use crate::problem::Problems;
use crate::spec::Element;

/// Reports invalid names, and names that two of the elements share.
pub(super) fn check<'e>(elements: impl Iterator<Item = &'e Element>, problems: &mut Problems) {
    let mut seen = BTreeMap::new();
    for element in elements {
        let name = element.name();
        if !is_name(name) {
            let message = format!("`{name}` is no name: a letter, then letters and digits, hyphens between them");
            problems.report(element.problem_with("name", message));
        }
        let first = *seen.entry(name).or_insert(element);
        if !std::ptr::eq(first, element) {
            let message = format!("the name `{name}` is taken at {}", first.position);
            problems.report(element.problem_with("name", message));
        }
    }
}

/// Reports numbers in an attribute that two of the elements share.
pub(super) fn check_numbers<'e>(elements: impl Iterator<Item = &'e Element>, attribute: &str, problems: &mut Problems) {
    let mut seen: BTreeMap<u64, &Element> = BTreeMap::new();
    for element in elements {
        // A value that is not a number was reported already.
        let Some(number) = element.value(attribute).and_then(|value| value.parse().ok()) else {
            continue;
        };
        if let Some(first) = seen.get(&number) {
            let message = format!("the {attribute} {number} is taken by `{}` at {}", first.name(), first.position);
            problems.report(element.problem_with(attribute, message));
        } else {
            seen.insert(number, element);
        }
    }
}

/// Words of letters and digits, the first letter first, with a hyphen or underscore between words.
fn is_name(name: &str) -> bool {
    let words = || name.split(['-', '_']);
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && words().all(|word| !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_alphanumeric()))
}
