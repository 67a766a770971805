//! What changed between two protocols, in terms of the protocol, and which changes are breaking.
//!
//! A change is breaking if a peer or a program made for the old protocol may fail with the new one:
//! bytes have another meaning, or something was removed. Adding a constant, a class, a method, or a
//! property after all others is compatible. A change of prose is no change.

mod classes;
mod fields;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use crate::model::{Constant, ConstantKind, Protocol};

/// One difference between two protocols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whether a peer or program made for the old protocol may fail with the new one.
    pub breaking: bool,
    /// What happened, for programs.
    pub action: Action,
    /// The kind of item: `constant`, `class`, `method`, `field`, `property` or `protocol`.
    pub kind: &'static str,
    /// The name of the item, such as `queue.declare.durable`.
    pub name: String,
    /// What differs, before and after, if something was changed: `type: bit → octet`.
    pub detail: Option<Detail>,
}

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Only the new protocol has it.
    Added,
    /// Only the old protocol has it.
    Removed,
    /// Both have it, and it differs.
    Changed,
}

/// What differs in a changed item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The aspect: `type`, `index`, `responses`, …
    pub aspect: &'static str,
    /// The old value.
    pub old: String,
    /// The new value.
    pub new: String,
}

impl Action {
    /// Returns the action in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.breaking { "breaking  " } else { "compatible" };
        write!(f, "{mark} {} {} `{}`", self.action.as_str(), self.kind, self.name)?;
        match &self.detail {
            Some(Detail { aspect, old, new }) => write!(f, ": {aspect} {old} → {new}"),
            None => Ok(()),
        }
    }
}

/// Returns the changes from `old` to `new`, in the order of the new protocol. What was removed
/// comes first within its parent.
pub fn diff(old: &Protocol, new: &Protocol) -> Vec<Change> {
    let mut changes = Changes::default();
    let item = Item { kind: "protocol", name: "amqp" };
    changes.compare(item, "version", &old.version.to_string(), &new.version.to_string(), true);
    changes.compare(item, "port", &old.version.port.to_string(), &new.version.port.to_string(), false);
    constants(&old.constants, &new.constants, &mut changes);
    classes::compare(&old.classes, &new.classes, &mut changes);
    changes.found
}

/// What a change is about.
#[derive(Debug, Clone, Copy)]
struct Item<'n> {
    /// `method` and the like.
    kind: &'static str,
    /// `queue.declare` and the like.
    name: &'n str,
}

/// The changes so far.
#[derive(Debug, Default)]
struct Changes {
    /// In the order in which they were found.
    found: Vec<Change>,
}

impl Changes {
    /// Records an added item.
    fn added(&mut self, item: Item<'_>, breaking: bool) {
        self.note(item, Action::Added, breaking, None);
    }

    /// Records a removed item.
    fn removed(&mut self, item: Item<'_>) {
        self.note(item, Action::Removed, true, None);
    }

    /// Records a change of one aspect, if the two values differ.
    fn compare(&mut self, item: Item<'_>, aspect: &'static str, old: &str, new: &str, breaking: bool) {
        if old != new {
            let detail = Detail { aspect, old: old.to_owned(), new: new.to_owned() };
            self.note(item, Action::Changed, breaking, Some(detail));
        }
    }

    fn note(&mut self, item: Item<'_>, action: Action, breaking: bool, detail: Option<Detail>) {
        let Item { kind, name } = item;
        self.found.push(Change { breaking, action, kind, name: name.to_owned(), detail });
    }
}

/// The elements of only the old list, and every element of the new list with its counterpart in the
/// old one.
type Pairs<'p, T> = (Vec<&'p T>, Vec<(Option<&'p T>, &'p T)>);

/// Pairs the elements of two lists by name.
fn pairs<'p, T>(old: &'p [T], new: &'p [T], name: impl Fn(&T) -> &str) -> Pairs<'p, T> {
    let names: BTreeSet<&str> = new.iter().map(&name).collect();
    let removed = old.iter().filter(|element| !names.contains(name(element))).collect();
    let partner = |element: &T| old.iter().find(|candidate| name(candidate) == name(element));
    (removed, new.iter().map(|element| (partner(element), element)).collect())
}

/// A flag as a word.
fn yes_or_no(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

/// Compares constants by name. Their order has no meaning.
fn constants(old: &[Constant], new: &[Constant], changes: &mut Changes) {
    let (removed, kept) = pairs(old, new, |constant| &constant.name);
    for constant in removed {
        changes.removed(Item { kind: "constant", name: &constant.name });
    }
    for (old, new) in kept {
        let item = Item { kind: "constant", name: &new.name };
        match old {
            None => changes.added(item, false),
            Some(old) => {
                changes.compare(item, "value", &old.value.to_string(), &new.value.to_string(), true);
                changes.compare(item, "class", class_of(old), class_of(new), true);
            }
        }
    }
}

/// The kind of a constant, in terms of the specification.
fn class_of(constant: &Constant) -> &'static str {
    match constant.kind {
        ConstantKind::Number => "number",
        ConstantKind::ReplySuccess => "success",
        ConstantKind::SoftError => "soft-error",
        ConstantKind::HardError => "hard-error",
    }
}
