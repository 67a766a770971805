//! Classes and methods.

use super::fields::{self, Place};
use super::{Changes, Item, pairs, yes_or_no};
use crate::model::{Class, Method, Sender};

/// Compares classes by name. Their order has no meaning.
pub(super) fn compare(old: &[Class], new: &[Class], changes: &mut Changes) {
    let (removed, kept) = pairs(old, new, |class| &class.name);
    for class in removed {
        changes.removed(Item { kind: "class", name: &class.name });
    }
    for (old, new) in kept {
        let item = Item { kind: "class", name: &new.name };
        match old {
            None => changes.added(item, false),
            Some(old) => {
                changes.compare(item, "index", &old.index.to_string(), &new.index.to_string(), true);
                fields::compare(Place::Properties, &new.name, &old.properties, &new.properties, changes);
                methods(old, new, changes);
            }
        }
    }
}

/// Compares methods by name. Their order has no meaning.
fn methods(old: &Class, new: &Class, changes: &mut Changes) {
    let (removed, kept) = pairs(&old.methods, &new.methods, |method| &method.name);
    for method in removed {
        changes.removed(Item { kind: "method", name: &format!("{}.{}", old.name, method.name) });
    }
    for (partner, method) in kept {
        let name = format!("{}.{}", new.name, method.name);
        match partner {
            None => changes.added(Item { kind: "method", name: &name }, false),
            Some(partner) => {
                let item = Item { kind: "method", name: &name };
                changes.compare(item, "responses", &responses(old, partner), &responses(new, method), true);
                attributes(item, partner, method, changes);
                fields::compare(Place::Arguments, &name, &partner.fields, &method.fields, changes);
            }
        }
    }
}

/// Compares the attributes of a method, without its fields.
fn attributes(item: Item<'_>, old: &Method, new: &Method, changes: &mut Changes) {
    changes.compare(item, "index", &old.index.to_string(), &new.index.to_string(), true);
    changes.compare(item, "content", yes_or_no(old.content), yes_or_no(new.content), true);
    // If both peers may send it now, nothing is removed for either.
    let breaking = new.sender != Sender::Both;
    changes.compare(item, "sent by", sender(old.sender), sender(new.sender), breaking);
    // These two have no effect on the wire.
    changes.compare(item, "synchronous", yes_or_no(old.synchronous), yes_or_no(new.synchronous), false);
    changes.compare(item, "deprecated", yes_or_no(old.deprecated), yes_or_no(new.deprecated), false);
}

/// The names of the replies.
fn responses(class: &Class, method: &Method) -> String {
    let answers = method.responses.iter().filter_map(|position| class.methods.get(*position));
    let names: Vec<&str> = answers.map(|answer| answer.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The sender, as text.
fn sender(sender: Sender) -> &'static str {
    match sender {
        Sender::Client => "client",
        Sender::Server => "server",
        Sender::Both => "both",
    }
}
