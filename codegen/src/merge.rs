//! Applies an overlay to a base: both are trees, and so is the result.
//!
//! - What the base does not have is added. A constant with a class is inserted by value among those
//!   with one, as in the published files; everything else is added at the end of its parent.
//! - A class of the base is merged: a method can be added to it, and a `doc` in it replaces that of
//!   the base.
//! - An element with contents replaces that of the base, at the same place.
//! - An element without contents changes only the attributes that it has.
//!
//! An overlay that changes nothing, or something that the base does not have, is an error.

use crate::problem::{Problem, Problems};
use crate::spec::{Attribute, Element, Kind};

/// The message for an element that has no effect.
const CHANGES_NOTHING: &str = "changes nothing: the base already says so";

/// Applies every tree to those before it.
pub(crate) fn all(trees: Vec<Element>, problems: &mut Problems) -> Option<Element> {
    let mut trees = trees.into_iter();
    let mut merged = trees.next()?;
    for patch in trees {
        overlay(&mut merged, patch, problems);
    }
    Some(merged)
}

/// Applies `patch` to `base`; both are roots.
fn overlay(base: &mut Element, patch: Element, problems: &mut Problems) {
    // The root has to repeat the version of the base to be in the format, so this is not a change
    // without effect.
    change_attributes(base, patch.attributes);
    enter(base, patch.children, problems);
}

/// Applies the elements of an overlay to those of `parent`, which is the root or a class.
fn enter(parent: &mut Element, patches: Vec<Element>, problems: &mut Problems) {
    let (docs, patches): (Vec<_>, Vec<_>) = patches.into_iter().partition(|patch| patch.kind == Kind::Doc);
    if !docs.is_empty() {
        replace_docs(parent, docs, problems);
    }
    let mut given = Vec::new();
    for patch in patches {
        let is_it = |element: &Element| element.kind == patch.kind && element.name() == patch.name();
        let position = patch.position.clone();
        if let Some((.., first)) = given.iter().find(|(kind, name, _)| *kind == patch.kind && name == patch.name()) {
            problems.report(patch.problem(format!("given twice in one file, first at {first}")));
            continue;
        }
        given.push((patch.kind, patch.name().to_owned(), position));
        match parent.children.iter_mut().find(|child| is_it(child)) {
            Some(existing) => change(existing, patch, problems),
            None if patch.is_bare() && !stands_alone(&patch) => problems.report(absent(parent, &patch)),
            None => add(parent, patch),
        }
    }
}

/// Replaces the `doc` elements of the base by those of an overlay.
fn replace_docs(parent: &mut Element, docs: Vec<Element>, problems: &mut Problems) {
    let (old, rest): (Vec<_>, Vec<_>) = parent.children.drain(..).partition(|child| child.kind == Kind::Doc);
    let same = old.len() == docs.len() && old.iter().zip(&docs).all(|(old, new)| old.says_the_same_as(new));
    if let (true, Some(doc)) = (same, docs.first()) {
        problems.report(doc.problem(CHANGES_NOTHING));
    }
    parent.children = rest;
    parent.children.extend(docs);
}

/// Changes one element of the base.
fn change(existing: &mut Element, patch: Element, problems: &mut Problems) {
    if patch.is_bare() {
        let problem = patch.problem(CHANGES_NOTHING);
        if !change_attributes(existing, patch.attributes) {
            problems.report(problem);
        }
    } else if patch.kind == Kind::Class {
        change_attributes(existing, patch.attributes);
        if !patch.text.trim().is_empty() {
            existing.children.retain(|child| child.kind != Kind::Doc);
            existing.text = patch.text;
        }
        enter(existing, patch.children, problems);
    } else if patch.says_the_same_as(existing) {
        problems.report(patch.problem(CHANGES_NOTHING));
    } else {
        *existing = patch;
    }
}

/// Sets attributes. Returns `false` if all of them had these values already.
fn change_attributes(existing: &mut Element, attributes: Vec<Attribute>) -> bool {
    let mut changed = false;
    for attribute in attributes {
        changed |= existing.value(&attribute.name) != Some(&attribute.value);
        // A field has one of the two; setting one removes the other.
        let instead_of = match attribute.name.as_str() {
            "domain" => "type",
            "type" if existing.kind == Kind::Field => "domain",
            _ => "",
        };
        existing.attributes.retain(|old| old.name != attribute.name && old.name != instead_of);
        existing.attributes.push(attribute);
    }
    changed
}

/// Whether an element without contents is complete, so that it is added and not meant to change one
/// that the base lacks.
fn stands_alone(patch: &Element) -> bool {
    match patch.kind {
        Kind::Constant => patch.value("value").is_some(),
        Kind::Domain => patch.value("type").is_some(),
        Kind::Field => patch.value("domain").or(patch.value("type")).is_some(),
        Kind::Chassis => patch.value("implement").is_some(),
        _ => false,
    }
}

/// The problem of an element that changes one that does not exist.
fn absent(parent: &Element, patch: &Element) -> Problem {
    let advice = "to add one, give it whole";
    patch.problem(format!("changes what is not there: `{}` has no such element; {advice}", parent.path))
}

/// Inserts a new element into its parent.
fn add(parent: &mut Element, patch: Element) {
    let place = if patch.kind == Kind::Constant { place_of_constant(parent, &patch) } else { None };
    parent.children.insert(place.unwrap_or(parent.children.len()), patch);
}

/// The place before the first constant with a class and a larger value, if the new one has a class
/// too.
fn place_of_constant(root: &Element, patch: &Element) -> Option<usize> {
    patch.value("class")?;
    let value = number(patch)?;
    root.children.iter().position(|child| {
        child.kind == Kind::Constant
            && child.value("class").is_some()
            && number(child).is_some_and(|other| other > value)
    })
}

/// The value of a constant, if it is a number.
fn number(constant: &Element) -> Option<u64> {
    constant.value("value")?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use crate::facts::facts;
    use crate::{Source, Specification};

    const BASE: &str = "<amqp major='0' minor='9' revision='1' port='5672'>
        <constant name='frame-end' value='206'/>
        <constant name='reply-success' value='200'/>
        <constant name='no-consumers' value='313' class='soft-error'/>
        <domain name='bit' type='bit'/>
        <class name='queue' index='50'>
            <doc>Work with queues.</doc>
            <field name='ttl' type='long'/>
            <method name='first' index='1' label='one'>
                <chassis name='server' implement='MUST'/>
                <field name='a' type='bit'/>
            </method>
            <method name='second' index='2'><chassis name='server' implement='MUST'/></method>
        </class>
    </amqp>";

    /// What the overlay with that inside changes: facts gone and facts new, with their place among
    /// all facts.
    fn changes(overlay: &str) -> (Vec<String>, Vec<(usize, String)>) {
        let base = Source::new("base.xml", BASE);
        let old = Specification::load(std::slice::from_ref(&base)).unwrap();
        let overlay = Source::new("overlay.xml", format!("<amqp>{overlay}</amqp>"));
        let new = Specification::load(&[base, overlay]).unwrap();
        let (old, new) = (facts(&old.tree), facts(&new.tree));
        let gone = old.iter().filter(|fact| !new.contains(fact)).cloned().collect();
        let added = new.iter().enumerate().filter(|(_, fact)| !old.contains(fact));
        (gone, added.map(|(place, fact)| (place, fact.clone())).collect())
    }

    #[test]
    fn a_constant_with_a_class_takes_its_place_by_value() {
        let (gone, added) = changes("<constant name='no-route' value='312' class='soft-error'/>");
        assert!(gone.is_empty());
        assert_eq!(added, [(3, "constant no-route 312 soft-error".to_owned())]);
    }

    #[test]
    fn a_plain_constant_goes_to_the_end() {
        let (_, added) = changes("<constant name='frame-body' value='3'/>");
        assert_eq!(added, [(4, "constant frame-body 3".to_owned())]);
    }

    #[test]
    fn a_method_given_whole_takes_the_place_of_the_one_that_is_there() {
        let first = "<method name='first' index='7'><chassis name='client' implement='MAY'/></method>";
        let (gone, added) = changes(&format!("<class name='queue'>{first}</class>"));
        let expected =
            ["method queue.first 1", "method queue.first chassis server MUST", "field queue.first.a type bit"];
        assert_eq!(gone, expected);
        let expected =
            [(7, "method queue.first 7".to_owned()), (8, "method queue.first chassis client MAY".to_owned())];
        assert_eq!(added, expected);
    }

    #[test]
    fn a_method_that_is_not_there_goes_to_the_end_of_its_class() {
        let third = "<method name='third' index='3'><chassis name='server' implement='MUST'/></method>";
        let (gone, added) = changes(&format!("<class name='queue'>{third}</class>"));
        assert!(gone.is_empty());
        assert_eq!(added.first(), Some(&(12, "method queue.third 3".to_owned())));
    }

    #[test]
    fn a_bare_element_changes_its_attributes_alone() {
        let (gone, added) = changes("<class name='queue'><method name='first' synchronous='1'/></class>");
        assert_eq!(gone, ["method queue.first 1"]);
        assert_eq!(added, [(7, "method queue.first 1 synchronous".to_owned())]);
    }

    #[test]
    fn naming_a_domain_gives_up_the_type() {
        let (gone, added) = changes("<class name='queue'><field name='ttl' domain='bit'/></class>");
        assert_eq!(gone, ["property queue.ttl type long"]);
        assert_eq!(added, [(6, "property queue.ttl domain bit".to_owned())]);
    }

    #[test]
    fn a_doc_in_a_class_takes_the_place_of_the_one_there() {
        let overlay = "<amqp><class name='queue'><doc>Queues.</doc></class></amqp>";
        let sources = [Source::new("base.xml", BASE), Source::new("overlay.xml", overlay)];
        let loaded = Specification::load(&sources).unwrap();
        assert_eq!(loaded.protocol.classes.first().unwrap().docs, "Queues.");
    }

    #[test]
    fn a_second_overlay_is_laid_over_the_first() {
        let constant = |value: u8| format!("<amqp><constant name='a' value='{value}'/></amqp>");
        let sources = [BASE, &constant(1), &constant(2)].map(|text| Source::new("x.xml", text));
        let loaded = Specification::load(&sources).unwrap();
        assert!(facts(&loaded.tree).contains(&"constant a 2".to_owned()));
    }
}
