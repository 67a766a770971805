//! Resolves responses to methods of the same class.

use super::names;
use crate::problem::Problems;
use crate::spec::{Element, Kind};

/// The positions among the methods of `class` of those that answer `method`.
pub(super) fn positions(class: &Element, method: &Element, problems: &mut Problems) -> Vec<usize> {
    names::check(method.children_of(Kind::Response), problems);
    let mut positions = Vec::new();
    for response in method.children_of(Kind::Response) {
        match class.children_of(Kind::Method).position(|candidate| candidate.name() == response.name()) {
            Some(position) if !positions.contains(&position) => positions.push(position),
            Some(_) => {}
            None => {
                let message = format!("the class `{}` has no method `{}`", class.name(), response.name());
                problems.report(response.problem_with("name", message));
            }
        }
    }
    positions
}
