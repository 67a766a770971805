//! XML to tree: reads events, records positions, reports what the format does not have, and warns
//! of prose and asserts that it does not know. It makes no other decisions.

mod builder;
mod format;
mod lines;

use quick_xml::events::Event;
use quick_xml::{Error, Reader};

use self::builder::Builder;
use crate::problem::Problems;
use crate::source::Source;
use crate::spec::Element;

/// The tree of a source. Every problem is reported. There is no tree if the XML is malformed or has
/// no root.
pub(crate) fn tree(source: &Source, problems: &mut Problems) -> Option<Element> {
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    let mut reader = Reader::from_str(text);
    let mut builder = Builder::new(&source.name, text, problems);
    loop {
        let start = offset(reader.buffer_position());
        match reader.read_event() {
            Ok(Event::Eof) => return builder.finish(start),
            Ok(event) => builder.event(&event, start),
            Err(error) => {
                let message = match &error {
                    Error::Syntax(error) => error.to_string(),
                    Error::IllFormed(error) => error.to_string(),
                    error => error.to_string(),
                };
                builder.malformed(offset(reader.error_position()), &message);
                return None;
            }
        }
    }
}

/// An offset in a text that is in memory.
fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
