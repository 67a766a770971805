//! The facts of a specification as lines of text, so that two can be compared: everything except
//! prose.
//!
//! The order of elements of one kind is a fact. The order of kinds within their parent is not, so
//! it is fixed here. Words of a name are joined by hyphens, whatever the file has.

use crate::spec::{Element, Kind};

/// Returns the facts of a specification, in its order.
pub fn facts(spec: &Element) -> Vec<String> {
    let mut facts = Facts { lines: Vec::new() };
    facts.protocol(spec);
    facts.lines
}

/// The lines so far.
struct Facts {
    /// One line for each fact.
    lines: Vec<String>,
}

impl Facts {
    /// Adds a line of the words that are not empty.
    fn line(&mut self, words: &[&str]) {
        let words: Vec<&str> = words.iter().copied().filter(|word| !word.is_empty()).collect();
        self.lines.push(words.join(" "));
    }

    fn protocol(&mut self, root: &Element) {
        let [major, minor, revision, port] = ["major", "minor", "revision", "port"].map(|name| named(root, name));
        self.line(&["protocol", &major, &minor, &revision, &port]);
        for constant in root.children_of(Kind::Constant) {
            self.line(&["constant", constant.name(), value(constant, "value"), value(constant, "class")]);
        }
        for domain in root.children_of(Kind::Domain) {
            self.line(&["domain", domain.name(), value(domain, "type")]);
            self.asserts(&format!("domain {}", domain.name()), domain);
        }
        for class in root.children_of(Kind::Class) {
            self.class(class);
        }
    }

    fn class(&mut self, class: &Element) {
        let owner = format!("class {}", class.name());
        self.line(&[&owner, value(class, "index"), "handler", value(class, "handler")]);
        self.chassis(&owner, class);
        for property in class.children_of(Kind::Field) {
            self.field(&format!("property {}.{}", class.name(), property.name()), property);
        }
        for method in class.children_of(Kind::Method) {
            self.method(&format!("{}.{}", class.name(), method.name()), method);
        }
    }

    fn method(&mut self, name: &str, method: &Element) {
        let owner = format!("method {name}");
        let [synchronous, content, deprecated] =
            ["synchronous", "content", "deprecated"].map(|flag| if value(method, flag) == "1" { flag } else { "" });
        self.line(&[&owner, value(method, "index"), synchronous, content, deprecated]);
        self.chassis(&owner, method);
        for response in method.children_of(Kind::Response) {
            self.line(&[&owner, "response", response.name()]);
        }
        for field in method.children_of(Kind::Field) {
            self.field(&format!("field {name}.{}", field.name()), field);
        }
    }

    fn chassis(&mut self, owner: &str, element: &Element) {
        for chassis in element.children_of(Kind::Chassis) {
            self.line(&[owner, "chassis", chassis.name(), value(chassis, "implement")]);
        }
    }

    fn field(&mut self, owner: &str, field: &Element) {
        let reserved = if value(field, "reserved") == "1" { "reserved" } else { "" };
        let required = field.value("required").map(|required| format!("required={required}")).unwrap_or_default();
        self.line(&[owner, &named(field, "domain"), &named(field, "type"), reserved, &required]);
        self.asserts(owner, field);
    }

    fn asserts(&mut self, owner: &str, element: &Element) {
        for assert in element.children_of(Kind::Assert) {
            let other = assert.value("method").map(|method| format!("{method}.{}", value(assert, "field")));
            let check = value(assert, "check");
            self.line(&[owner, "assert", check, value(assert, "value"), &other.unwrap_or_default()]);
        }
    }
}

/// The value of an attribute; empty if there is none.
fn value<'e>(element: &'e Element, name: &str) -> &'e str {
    element.value(name).unwrap_or_default()
}

/// The name and value of an attribute; empty if there is none.
fn named(element: &Element, name: &str) -> String {
    element.value(name).map(|value| format!("{name} {value}")).unwrap_or_default()
}
