//! Arguments and properties, whose order is that on the wire.

use super::{Changes, Item, pairs, yes_or_no};
use crate::model::{Field, WireType};

/// What the fields are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The arguments of a method.
    Arguments,
    /// The properties of a class.
    Properties,
}

/// Compares the fields of a method or class.
pub(super) fn compare(place: Place, owner: &str, old: &[Field], new: &[Field], changes: &mut Changes) {
    let (kind, owner_kind) = match place {
        Place::Arguments => ("field", "method"),
        Place::Properties => ("property", "class"),
    };
    let renamed = renamed(old, new);
    let (removed, kept) = pairs(old, new, |field| &field.name);
    for field in removed {
        if !renamed.iter().any(|(before, _)| before.name == field.name) {
            changes.removed(Item { kind, name: &format!("{owner}.{}", field.name) });
        }
    }
    for (position, (partner, field)) in kept.into_iter().enumerate() {
        let name = format!("{owner}.{}", field.name);
        let item = Item { kind, name: &name };
        if let Some((before, _)) = renamed.iter().find(|(_, after)| after.name == field.name) {
            let name = format!("{owner}.{}", before.name);
            let named_before = Item { kind, name: &name };
            if turns_reserved(before, field) {
                attributes(named_before, before, field, changes);
            } else {
                // Programs cannot name a reserved field, so its new name breaks none.
                changes.compare(named_before, "name", &before.name, &field.name, !before.reserved);
                attributes(item, before, field, changes);
            }
        } else if let Some(partner) = partner {
            attributes(item, partner, field, changes);
        } else {
            // An absent property is only a cleared flag on the wire; an argument always has its
            // bytes.
            changes.added(item, place == Place::Arguments || position < old.len());
        }
    }
    let in_both = |fields: &[Field], others: &[Field]| {
        let shared = fields.iter().filter(|field| others.iter().any(|other| other.name == field.name));
        shared.map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let item = Item { kind: owner_kind, name: owner };
    changes.compare(item, "order of fields", &in_both(old, new), &in_both(new, old), true);
}

/// The fields that have the same type at the same place and another name: they were only renamed.
fn renamed<'f>(old: &'f [Field], new: &'f [Field]) -> Vec<(&'f Field, &'f Field)> {
    let is_in = |fields: &[Field], name: &str| fields.iter().any(|field| field.name == name);
    let pairs = old.iter().zip(new);
    pairs.filter(|(a, b)| a.wire == b.wire && !is_in(new, &a.name) && !is_in(old, &b.name)).collect()
}

/// Whether a field has become reserved: it is removed for programs and stays on the wire. The new
/// name and domain then do not matter.
fn turns_reserved(old: &Field, new: &Field) -> bool {
    new.reserved && !old.reserved
}

/// Compares the attributes of a field.
fn attributes(item: Item<'_>, old: &Field, new: &Field, changes: &mut Changes) {
    let same_type = old.wire == new.wire;
    changes.compare(item, "type", type_name(old.wire), type_name(new.wire), true);
    if same_type && !turns_reserved(old, new) {
        // If the type differs, a different domain is implied.
        changes.compare(item, "domain", domain(old), domain(new), false);
    }
    changes.compare(item, "reserved", yes_or_no(old.reserved), yes_or_no(new.reserved), new.reserved);
}

/// The domain of a field. A domain that only repeats the type (`bit`, `shortstr`) counts as the
/// type.
fn domain(field: &Field) -> &str {
    field.domain.as_deref().filter(|domain| *domain != type_name(field.wire)).unwrap_or("none")
}

/// The name of the type in the specification.
fn type_name(wire: WireType) -> &'static str {
    match wire {
        WireType::Bit => "bit",
        WireType::Octet => "octet",
        WireType::Short => "short",
        WireType::Long => "long",
        WireType::LongLong => "longlong",
        WireType::ShortString => "shortstr",
        WireType::LongString => "longstr",
        WireType::Timestamp => "timestamp",
        WireType::Table => "table",
        WireType::Content => "content",
    }
}
