//! Names that differ in the specification but not in Rust.

use std::collections::BTreeMap;

use crate::ident;
use crate::problem::Problems;
use crate::spec::{Element, Kind};

/// Reports elements whose identifiers clash, in every scope of the generated code.
pub(super) fn check(root: &Element, problems: &mut Problems) {
    let mut methods = Scope::new("variant");
    let mut friendly = Scope::new("function");
    let mut modules = Scope::new("module");
    let mut constants = Scope::new("constant");
    for constant in root.children_of(Kind::Constant) {
        constants.take(ident::constant(constant.name()).to_string(), constant, problems);
    }
    for class in root.children_of(Kind::Class) {
        modules.take(ident::module(class.name()).to_string(), class, problems);
        check_types(class, problems);
        check_fields(class, problems);
        for method in class.children_of(Kind::Method) {
            methods.take(ident::variant(class.name(), method.name()).to_string(), method, problems);
            friendly.take(ident::friendly(class.name(), method.name()).to_string(), method, problems);
            check_fields(method, problems);
        }
    }
}

/// The structs and enums in the module of a class.
fn check_types(class: &Element, problems: &mut Problems) {
    let mut types = Scope::new("type");
    if class.children_of(Kind::Field).next().is_some() {
        types.take("Properties".to_owned(), class, problems);
    }
    for method in class.children_of(Kind::Method) {
        types.take(ident::type_name(method.name()).to_string(), method, problems);
    }
    for method in class.children_of(Kind::Method).filter(|method| method.children_of(Kind::Response).nth(1).is_some()) {
        types.take(ident::reply_enum(method.name()).to_string(), method, problems);
        let mut variants = Scope::new("variant");
        for response in method.children_of(Kind::Response) {
            variants.take(ident::reply_variant(method.name(), response.name()).to_string(), response, problems);
        }
    }
}

/// The fields of a struct.
fn check_fields(parent: &Element, problems: &mut Problems) {
    let mut fields = Scope::new("field");
    for field in parent.children_of(Kind::Field).filter(|field| field.value("reserved") != Some("1")) {
        fields.take(ident::field(field.name()).to_string(), field, problems);
    }
}

/// Identifiers of one kind, which must differ.
struct Scope<'e> {
    /// What they name in Rust.
    what: &'static str,
    /// The element of each.
    taken: BTreeMap<String, &'e Element>,
}

impl<'e> Scope<'e> {
    /// Creates an empty scope.
    fn new(what: &'static str) -> Self {
        Self { what, taken: BTreeMap::new() }
    }

    /// Takes an identifier for an element, or reports the element that has it.
    fn take(&mut self, identifier: String, element: &'e Element, problems: &mut Problems) {
        let Some(first) = self.taken.get(&identifier) else {
            self.taken.insert(identifier, element);
            return;
        };
        // Equal paths are equal names, which have been reported.
        if first.path != element.path {
            let message =
                format!("the {} `{identifier}` in Rust is taken by {} at {}", self.what, first.path, first.position);
            problems.report(element.problem_with("name", message));
        }
    }
}
