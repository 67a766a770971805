//! What `diff` says of older specifications and ours reads like a history of the protocol.
//!
//! The histories in `facts/` are what `leveret-codegen diff OLD spec/amqp0-9-1.xml` prints.

use leveret_codegen::Source;
use leveret_codegen::diff::diff;

use crate::published::rebuilt;
use crate::{loaded, text};

/// Asserts the history from a rebuilt specification to ours.
#[track_caller]
fn assert_history(list: &str, history: &str) {
    let ours = Source::new("amqp0-9-1.xml", text("../../spec/amqp0-9-1.xml"));
    let changes = diff(&rebuilt(list).protocol, &loaded(ours).protocol);
    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let expected = text(&format!("facts/{history}"));
    assert_eq!(changes, expected.lines().collect::<Vec<_>>(), "{history}");
}

#[test]
fn from_0_8_to_0_9_1() {
    assert_history("0-8.txt", "0-8-to-0-9-1.txt");
}

#[test]
fn from_0_9_to_0_9_1() {
    assert_history("0-9.txt", "0-9-to-0-9-1.txt");
}

#[test]
fn from_qpid_to_0_9_1() {
    assert_history("0-9-1-qpid.txt", "0-9-1-qpid-to-0-9-1.txt");
}
