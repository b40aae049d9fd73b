//! Where a value is in a text.

/// Where a value is in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceRange {
    /// Its first line, counted from 1.
    pub line: u32,
    /// The column there, in characters, counted from 1.
    pub column: u32,
    /// Where it starts, in bytes from 0.
    pub start: usize,
    /// The line of its end, counted from 1.
    pub end_line: u32,
    /// The column after its last character, in characters, counted from 1.
    pub end_column: u32,
    /// Where it ends, in bytes: after its last character, without comments and empty lines that follow.
    pub end: usize,
}
