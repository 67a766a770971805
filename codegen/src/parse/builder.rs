//! Events to elements: the open elements, and the handling of each event.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::attributes::{AttrError, Attribute as RawAttribute};
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::format::{self, Place, Shape};
use super::lines::Lines;
use crate::problem::{Position, Problem, Problems};
use crate::spec::{Attribute, Element, Kind};
use crate::warning::Warning;

/// Builds the tree of one source.
pub(super) struct Builder<'s, 'p> {
    /// Turns offsets into positions.
    lines: Lines<'s>,
    /// The elements that are open, the root first.
    open: Vec<Element>,
    /// The number of open elements that are not part of the format, or are within such an element.
    skipped: usize,
    /// The root, once it is closed.
    root: Option<Element>,
    /// Whether an element was seen, even if it is not the right root.
    started: bool,
    /// Whether a name with spaces was seen.
    spaced: bool,
    /// Where problems and warnings go.
    problems: &'p mut Problems,
}

impl<'s, 'p> Builder<'s, 'p> {
    /// Creates a builder for a source.
    pub(super) fn new(file: &str, text: &'s str, problems: &'p mut Problems) -> Self {
        let lines = Lines::new(file, text);
        Self { lines, open: Vec::new(), skipped: 0, root: None, started: false, spaced: false, problems }
    }

    /// Handles an event that starts at an offset.
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

    /// Reports that the source is not XML from an offset on.
    pub(super) fn malformed(&mut self, offset: usize, message: &str) {
        let position = self.lines.position(offset);
        self.report(&position, format!("malformed XML: {message}"));
    }

    /// The root, if every element was closed.
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

    /// Opens an element, or skips it if the format does not have it here.
    fn start(&mut self, tag: &BytesStart<'_>, start: usize) {
        let position = self.lines.position(start);
        if self.skipped > 0 {
            self.skipped += 1;
            return;
        }
        let name = tag.name();
        let place = self.place(name.as_ref());
        self.started = true;
        match place {
            Place::Fits(shape) => {
                let element = self.element(shape, tag, position);
                self.open.push(element);
            }
            Place::PassedOver => {
                self.warn(&position, format!("`{}` is passed over", name.as_ref()));
                self.skipped = 1;
            }
            Place::Wrong(message) => {
                self.report(&position, message);
                self.skipped = 1;
            }
        }
    }

    /// How an element with this name is handled here.
    fn place(&self, name: &str) -> Place {
        if let Some(parent) = self.open.last() {
            return format::place(name, format::by_kind(parent.kind));
        }
        match format::by_name(name) {
            None => Place::Wrong(format!("unknown element `{name}`")),
            Some(_) if self.root.is_some() => Place::Wrong(format!("a second root, `{name}`")),
            Some(shape) if shape.kind == Kind::Amqp => Place::Fits(shape),
            Some(_) => Place::Wrong(format!("the root is `{name}`, not `amqp`")),
        }
    }

    /// The element of a tag, and what is wrong with its attributes.
    fn element(&mut self, shape: &Shape, tag: &BytesStart<'_>, position: Position) -> Element {
        let mut slips = Vec::new();
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            match self.attribute(shape, attribute, &position) {
                Ok(attribute) => attributes.push(attribute),
                // What follows an error in a tag looks wrong for the same reason.
                Err(slip) if slips.contains(&slip) => {}
                Err(slip) => slips.push(slip),
            }
        }
        slips.extend(self.hyphenate(shape, &mut attributes));
        let path = self.path_of(shape, &attributes);
        let element =
            Element { kind: shape.kind, attributes, text: String::new(), children: Vec::new(), position, path };
        if let Some(key) = shape.key
            && element.value(key).unwrap_or_default().is_empty()
        {
            let missing = format!("the attribute `{key}` is missing");
            slips.push(Slip::new(shape, element.position.clone(), missing));
        }
        for slip in slips {
            match slip {
                Slip::Wrong(at, message) => self.problems.report(Problem::new(&at, &element.path, message)),
                Slip::PassedOver(at, message) => self.problems.warn(Warning::new(&at, &element.path, message)),
            }
        }
        element
    }

    /// One attribute of a tag.
    fn attribute(
        &self,
        shape: &Shape,
        attribute: Result<RawAttribute<'_>, AttrError>,
        tag: &Position,
    ) -> Result<Attribute, Slip> {
        let attribute = attribute.map_err(|error| {
            let message = match error {
                AttrError::Duplicated(..) => "malformed XML: an attribute is given twice".to_owned(),
                error => format!("malformed XML: in the tag, {}", without_offset(&error.to_string())),
            };
            Slip::Wrong(tag.clone(), message)
        })?;
        let name = attribute.key.as_ref();
        let position = self.lines.position_of(name);
        if !shape.attributes.contains(&name) {
            let known = shape.attributes.join("`, `");
            let message = format!("unknown attribute `{name}`: `{}` has `{known}`", shape.name);
            return Err(Slip::new(shape, position, message));
        }
        match attribute.normalized_value(XmlVersion::Explicit1_0) {
            Ok(value) => Ok(Attribute { name: name.to_owned(), value: value.trim().to_owned(), position }),
            Err(error) => Err(Slip::Wrong(position, format!("malformed XML: in the attribute `{name}`, {error}"))),
        }
    }

    /// Writes names as 0-9 and later do, with hyphens instead of spaces. A file that has one name
    /// with spaces usually has many, so one warning stands for all.
    fn hyphenate(&mut self, shape: &Shape, attributes: &mut [Attribute]) -> Option<Slip> {
        let mut first = None;
        for attribute in attributes.iter_mut().filter(|attribute| shape.names.contains(&attribute.name.as_str())) {
            let hyphenated = attribute.value.split_whitespace().collect::<Vec<_>>().join("-");
            if hyphenated != attribute.value && !self.spaced {
                self.spaced = true;
                let message = format!("`{}` is read as `{hyphenated}`, and so on in this file", attribute.value);
                first = Some(Slip::PassedOver(attribute.position.clone(), message));
            }
            attribute.value = hyphenated;
        }
        first
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
                self.warn(&position, "text where the format has none is passed over".to_owned());
            }
        }
    }

    /// Adds the character of a reference such as `&lt;`; the reader reports references separately
    /// from text.
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

    /// Warns about something in the innermost open element.
    fn warn(&mut self, position: &Position, message: String) {
        let path = self.open.last().map_or("", |element| element.path.as_str());
        self.problems.warn(Warning::new(position, path, message));
    }
}

/// Something in a tag that is not added to the tree.
#[derive(PartialEq)]
enum Slip {
    /// It is an error in the specification.
    Wrong(Position, String),
    /// It does not affect the bindings, and is ignored.
    PassedOver(Position, String),
}

impl Slip {
    /// A slip in an element of that shape.
    fn new(shape: &Shape, position: Position, message: String) -> Self {
        if shape.lenient {
            Self::PassedOver(position, format!("passed over: {message}"))
        } else {
            Self::Wrong(position, message)
        }
    }
}

/// The message without its leading `position 12: `, which counts from the start of the tag and
/// would be misleading.
fn without_offset(message: &str) -> &str {
    message.split_once(": ").map_or(message, |(_, rest)| rest)
}
