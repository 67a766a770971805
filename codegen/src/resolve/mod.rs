//! Tree to model, in passes that each know one thing. Every pass reports what is wrong and goes on with something that
//! fits, so that all problems are found at once; the model is of use only where there were none.

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

use self::types::Domains;
use crate::model::{Protocol, Version};
use crate::problem::Problems;
use crate::spec::{Element, Kind};

/// The protocol that a tree describes.
pub(crate) fn protocol(root: &Element, problems: &mut Problems) -> Protocol {
    let domains = Domains::new(root, problems);
    for domain in root.children_of(Kind::Domain) {
        asserts::check(domain, None, problems);
    }
    identifiers::check(root, problems);
    Protocol {
        version: version(root, problems),
        constants: constants::constants(root, problems),
        classes: classes::classes(root, &domains, problems),
    }
}

/// The version in the protocol header, and the port.
fn version(root: &Element, problems: &mut Problems) -> Version {
    Version {
        major: numbers::number(root, "major", problems),
        minor: numbers::number(root, "minor", problems),
        revision: numbers::number(root, "revision", problems),
        port: numbers::number(root, "port", problems),
    }
}
