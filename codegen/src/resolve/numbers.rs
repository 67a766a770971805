//! Attributes that are numbers or flags.

use std::str::FromStr;

use crate::problem::Problems;
use crate::spec::Element;

/// The number in a required attribute; zero if it is wrong, which is reported.
pub(super) fn number<T: FromStr + Default>(element: &Element, attribute: &str, problems: &mut Problems) -> T {
    let Some(value) = element.value(attribute) else {
        problems.report(element.problem(format!("the attribute `{attribute}` is missing")));
        return T::default();
    };
    parse(value).unwrap_or_else(|| {
        problems.report(element.problem_with(attribute, no_number::<T>(attribute, value)));
        T::default()
    })
}

/// Parses a number from digits, if it fits.
pub(super) fn parse<T: FromStr>(text: &str) -> Option<T> {
    // `str::parse` alone would accept a sign.
    if text.bytes().all(|octet| octet.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The message for an attribute that is not a number.
pub(super) fn no_number<T>(attribute: &str, value: &str) -> String {
    let bits = size_of::<T>() * 8;
    format!("`{attribute}` is `{value}`, which is no number of {bits} bits")
}

/// The flag in an attribute: `1` is set, `0` or no attribute is not set, anything else is reported.
pub(super) fn flag(element: &Element, attribute: &str, problems: &mut Problems) -> bool {
    match element.value(attribute) {
        Some("1") => true,
        None | Some("0") => false,
        Some(other) => {
            let message = format!("`{attribute}` is `{other}`, which is neither `0` nor `1`");
            problems.report(element.problem_with(attribute, message));
            false
        }
    }
}
