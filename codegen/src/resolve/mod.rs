//! Tree to model, in passes with one subject each. Every pass reports what is wrong and continues
//! with a substitute, so that all problems are found at once. The model is usable only if there
//! were none.

mod asserts;
mod classes;
mod constants;
mod directions;
mod docs;
mod fields;
mod identifiers;
mod layout;
mod names;
mod numbers;
mod responses;
mod secrets;
#[cfg(test)]
mod tests;
mod types;
mod version;

use self::types::Domains;
use crate::model::Protocol;
use crate::problem::Problems;
use crate::spec::Element;

/// The protocol that a tree describes.
pub(crate) fn protocol(root: &Element, problems: &mut Problems) -> Protocol {
    let domains = Domains::new(root, problems);
    identifiers::check(root, problems);
    Protocol {
        version: version::version(root, problems),
        constants: constants::constants(root, problems),
        classes: classes::classes(root, &domains, problems),
    }
}
