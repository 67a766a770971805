//! Constants: their values, and which of them are reply codes.

use super::{docs, names, numbers};
use crate::model::{Constant, ConstantKind};
use crate::problem::Problems;
use crate::spec::{Element, Kind};

/// The constants of the specification.
pub(super) fn constants(root: &Element, problems: &mut Problems) -> Vec<Constant> {
    names::check(root.children_of(Kind::Constant), problems);
    names::check_numbers(
        root.children_of(Kind::Constant).filter(|constant| is_reply_code(constant)),
        "value",
        problems,
    );
    root.children_of(Kind::Constant).map(|element| constant(element, problems)).collect()
}

/// One constant.
fn constant(element: &Element, problems: &mut Problems) -> Constant {
    let kind = kind(element, problems);
    let value = if is_reply_code(element) {
        // Methods carry reply codes in a short.
        u32::from(numbers::number::<u16>(element, "value", problems))
    } else {
        numbers::number(element, "value", problems)
    };
    Constant { name: element.name().to_owned(), value, kind, docs: docs::constant(element, kind) }
}

/// The kind of a constant, by its class and its name.
fn kind(element: &Element, problems: &mut Problems) -> ConstantKind {
    match element.value("class") {
        Some("soft-error") => ConstantKind::SoftError,
        Some("hard-error") => ConstantKind::HardError,
        Some(other) => {
            let message = format!("unknown class `{other}`: a constant is a `soft-error`, a `hard-error` or has none");
            problems.report(element.problem_with("class", message));
            ConstantKind::Number
        }
        None if element.name().starts_with("reply-") => ConstantKind::ReplySuccess,
        None => ConstantKind::Number,
    }
}

/// Whether methods carry the constant as a reply code.
fn is_reply_code(element: &Element) -> bool {
    element.value("class").is_some() || element.name().starts_with("reply-")
}
