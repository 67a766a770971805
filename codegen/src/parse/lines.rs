//! Offsets in a text as lines and columns.

use std::sync::Arc;

use crate::problem::Position;

/// Where the lines of a source start.
pub(super) struct Lines<'s> {
    /// The name of the source.
    file: Arc<str>,
    /// The text.
    text: &'s str,
    /// The offset of the first byte of every line.
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    /// The lines of the text of a source.
    pub(super) fn new(file: &str, text: &'s str) -> Self {
        let breaks = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self { file: file.into(), text, starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The position of the byte at `offset`.
    pub(super) fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.get(start..offset).unwrap_or_default();
        Position { file: Arc::clone(&self.file), line: number(line), column: number(before.chars().count() + 1) }
    }

    /// The position of `part`, which must be a slice of the text.
    pub(super) fn position_of(&self, part: &str) -> Position {
        self.position(part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr()))
    }
}

/// A count as a number to show; a file is never that long.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
