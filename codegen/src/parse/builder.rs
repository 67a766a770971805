//! Events to elements: the open elements, and what becomes of each event.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::attributes::{AttrError, Attribute as RawAttribute};
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::format::{self, Shape};
use super::lines::Lines;
use crate::problem::{Position, Problem, Problems};
use crate::spec::{Attribute, Element, Kind};

/// Builds the tree of one source.
pub(super) struct Builder<'s, 'p> {
    /// Turns offsets into positions.
    lines: Lines<'s>,
    /// The elements that are open, the root first.
    open: Vec<Element>,
    /// How many elements are open that are not part of the format, or in one that is not.
    skipped: usize,
    /// The root, once it is closed.
    root: Option<Element>,
    /// An element has been seen, be it the right root or not.
    started: bool,
    /// Where problems go.
    problems: &'p mut Problems,
}

impl<'s, 'p> Builder<'s, 'p> {
    /// Nothing read yet.
    pub(super) fn new(file: &str, text: &'s str, problems: &'p mut Problems) -> Self {
        Self { lines: Lines::new(file, text), open: Vec::new(), skipped: 0, root: None, started: false, problems }
    }

    /// Takes an event that starts at an offset.
    pub(super) fn event(&mut self, event: &Event<'_>, start: usize) {
        match event {
            Event::Start(tag) => self.start(tag, start),
            Event::Empty(tag) => {
                self.start(tag, start);
                self.end();
            }
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&text.xml10_content(), start),
            Event::CData(text) => self.text(&text.xml10_content(), start),
            Event::GeneralRef(reference) => self.reference(reference, start),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Eof => {}
        }
    }

    /// Notes that the source is not XML from an offset on.
    pub(super) fn malformed(&mut self, offset: usize, message: &str) {
        let position = self.lines.position(offset);
        self.report(&position, format!("malformed XML: {message}"));
    }

    /// The root, where every element has been closed.
    pub(super) fn finish(mut self, end: usize) -> Option<Element> {
        if let Some(element) = self.open.last() {
            self.problems.report(element.problem("malformed XML: the element is never closed"));
            return None;
        }
        if self.skipped > 0 {
            self.malformed(end, "an element is never closed");
            return None;
        }
        if !self.started {
            let position = self.lines.position(end);
            self.report(&position, "there is no element `amqp`".to_owned());
        }
        self.root.take()
    }

    /// Opens an element, or skips it where the format has none such here.
    fn start(&mut self, tag: &BytesStart<'_>, start: usize) {
        let position = self.lines.position(start);
        if self.skipped > 0 {
            self.skipped += 1;
            return;
        }
        let shape = self.shape(tag.name().as_ref());
        self.started = true;
        match shape {
            Ok(shape) => {
                let element = self.element(shape, tag, position);
                self.open.push(element);
            }
            Err(message) => {
                self.report(&position, message);
                self.skipped = 1;
            }
        }
    }

    /// What the format says of an element of that name here.
    fn shape(&self, name: &str) -> Result<&'static Shape, String> {
        let shape = format::by_name(name).ok_or_else(|| format!("unknown element `{name}`"))?;
        match self.open.last() {
            None if self.root.is_some() => Err(format!("a second root, `{name}`")),
            None if shape.kind == Kind::Amqp => Ok(shape),
            None => Err(format!("the root is `{name}`, not `amqp`")),
            Some(parent) => {
                let parent = format::by_kind(parent.kind);
                let fits = parent.children.contains(&shape.kind);
                if fits { Ok(shape) } else { Err(format!("`{name}` has no place in `{}`", parent.name)) }
            }
        }
    }

    /// The element of a tag, and what is wrong with its attributes.
    fn element(&mut self, shape: &Shape, tag: &BytesStart<'_>, position: Position) -> Element {
        let mut wrong = Vec::new();
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            match self.attribute(shape, attribute, &position) {
                Ok(attribute) => attributes.push(attribute),
                // What follows a slip in a tag looks wrong for the same reason.
                Err(problem) if wrong.contains(&problem) => {}
                Err(problem) => wrong.push(problem),
            }
        }
        let path = self.path_of(shape, &attributes);
        let element =
            Element { kind: shape.kind, attributes, text: String::new(), children: Vec::new(), position, path };
        for (position, message) in wrong {
            self.problems.report(Problem::new(&position, &element.path, message));
        }
        if let Some(key) = shape.key
            && element.value(key).unwrap_or_default().is_empty()
        {
            self.problems.report(element.problem(format!("the attribute `{key}` is missing")));
        }
        element
    }

    /// One attribute of a tag.
    fn attribute(
        &self,
        shape: &Shape,
        attribute: Result<RawAttribute<'_>, AttrError>,
        tag: &Position,
    ) -> Result<Attribute, (Position, String)> {
        let attribute = attribute.map_err(|error| match error {
            AttrError::Duplicated(..) => (tag.clone(), "malformed XML: an attribute is given twice".to_owned()),
            error => (tag.clone(), format!("malformed XML: in the tag, {}", without_offset(&error.to_string()))),
        })?;
        let name = attribute.key.as_ref();
        let position = self.lines.position_of(name);
        if !shape.attributes.contains(&name) {
            let known = shape.attributes.join("`, `");
            let message = format!("unknown attribute `{name}`: `{}` has `{known}`", shape.name);
            return Err((position, message));
        }
        match attribute.normalized_value(XmlVersion::Explicit1_0) {
            Ok(value) => Ok(Attribute { name: name.to_owned(), value: value.trim().to_owned(), position }),
            Err(error) => Err((position, format!("malformed XML: in the attribute `{name}`, {error}"))),
        }
    }

    /// The path of an element about to be opened.
    fn path_of(&self, shape: &Shape, attributes: &[Attribute]) -> String {
        let parent = self.open.last().map_or("", |parent| parent.path.as_str());
        let key = attributes.iter().find(|attribute| Some(attribute.name.as_str()) == shape.key);
        match key {
            Some(key) => format!("{parent}/{}[{}]", shape.name, key.value),
            None => format!("{parent}/{}", shape.name),
        }
    }

    /// Closes the innermost element.
    fn end(&mut self) {
        if self.skipped > 0 {
            self.skipped -= 1;
            return;
        }
        let Some(element) = self.open.pop() else {
            return;
        };
        let needed =
            format::by_kind(element.kind).key.is_none_or(|key| !element.value(key).unwrap_or_default().is_empty());
        match self.open.last_mut() {
            Some(parent) if needed => parent.children.push(element),
            Some(_) => {}
            None => self.root = Some(element),
        }
    }

    /// Adds text to the innermost element.
    fn text(&mut self, text: &str, start: usize) {
        if self.skipped > 0 {
            return;
        }
        match self.open.last_mut() {
            Some(element) if format::by_kind(element.kind).text => element.text.push_str(text),
            _ if text.trim().is_empty() => {}
            _ => {
                let blank = text.len() - text.trim_start().len();
                let position = self.lines.position(start + blank);
                self.report(&position, "text where the format has none".to_owned());
            }
        }
    }

    /// Adds the character that a reference such as `&lt;` stands for; the reader reports them apart from text.
    fn reference(&mut self, reference: &BytesRef<'_>, start: usize) {
        let named = || resolve_xml_entity(reference).map(str::to_owned);
        match reference.resolve_char_ref() {
            Ok(Some(character)) => self.text(character.encode_utf8(&mut [0; 4]), start),
            Ok(None) if named().is_some() => self.text(&named().unwrap_or_default(), start),
            _ => self.malformed(start, &format!("unknown entity `&{};`", &**reference)),
        }
    }

    /// Reports a problem in the innermost open element.
    fn report(&mut self, position: &Position, message: String) {
        let path = self.open.last().map_or("", |element| element.path.as_str());
        self.problems.report(Problem::new(position, path, message));
    }
}

/// The message without its leading `position 12: `, which counts from the start of the tag and would mislead.
fn without_offset(message: &str) -> &str {
    message.split_once(": ").map_or(message, |(_, rest)| rest)
}
