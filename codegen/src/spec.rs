//! The specification as a tree, as it is written, with positions. Names have hyphens between words,
//! even if the file has spaces.

use crate::problem::{Position, Problem};
use crate::warning::Warning;

/// The elements of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The root.
    Amqp,
    /// A named number.
    Constant,
    /// A named type.
    Domain,
    /// A restriction of a domain or field.
    Assert,
    /// One of the values that an assert of 0-8 allows.
    Value,
    /// A class.
    Class,
    /// A method.
    Method,
    /// Which peer implements a class or method.
    Chassis,
    /// A method that answers.
    Response,
    /// An argument of a method, or a property of a class.
    Field,
    /// A rule of the standard, in prose.
    Rule,
    /// Prose.
    Doc,
}

/// An element with its contents.
#[derive(Debug, Clone)]
pub struct Element {
    /// Which element it is.
    pub kind: Kind,
    /// Its attributes in the order written.
    pub attributes: Vec<Attribute>,
    /// The text directly in it, as written, with entities resolved.
    pub text: String,
    /// The elements in it.
    pub children: Vec<Element>,
    /// Where it starts.
    pub position: Position,
    /// The path to it, such as `/amqp/class[queue]/method[declare]`.
    pub path: String,
}

/// An attribute of an element.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// The name.
    pub name: String,
    /// The value, with entities resolved.
    pub value: String,
    /// Where it starts.
    pub position: Position,
}

impl Element {
    /// Returns the attribute with this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// Returns the value of the attribute with this name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.attribute(name).map(|attribute| attribute.value.as_str())
    }

    /// Returns the attribute `name`, which the parser has checked where the format requires it;
    /// otherwise empty.
    pub fn name(&self) -> &str {
        self.value("name").unwrap_or_default()
    }

    /// Returns the elements of one kind directly in this one, in order.
    pub fn children_of(&self, kind: Kind) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |child| child.kind == kind)
    }

    /// Returns `true` if it contains neither elements nor text.
    pub fn is_bare(&self) -> bool {
        self.children.is_empty() && self.text.trim().is_empty()
    }

    /// Returns `true` if it equals `other` except for positions.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.text.trim() == other.text.trim()
            && self.attributes.len() == other.attributes.len()
            && self.attributes.iter().all(|attribute| other.value(&attribute.name) == Some(&attribute.value))
            && self.children.len() == other.children.len()
            && self.children.iter().zip(&other.children).all(|(mine, theirs)| mine.says_the_same_as(theirs))
    }

    /// A problem of this element.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(&self.position, &self.path, message)
    }

    /// A problem of an attribute of this element, or of the element if it has none with this name.
    pub(crate) fn problem_with(&self, attribute: &str, message: impl Into<String>) -> Problem {
        Problem::new(self.position_of(attribute), &self.path, message)
    }

    /// A warning about an attribute of this element, or about the element if it has none with this
    /// name.
    pub(crate) fn warning_with(&self, attribute: &str, message: impl Into<String>) -> Warning {
        Warning::new(self.position_of(attribute), &self.path, message)
    }

    /// Where the attribute with this name starts, or else the element.
    fn position_of(&self, attribute: &str) -> &Position {
        self.attribute(attribute).map_or(&self.position, |attribute| &attribute.position)
    }
}
