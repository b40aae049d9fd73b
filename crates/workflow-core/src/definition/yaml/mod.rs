//! The only module that knows YAML: texts to trees whose every key and value has a place, and
//! workflows to texts.
//!
//! A file may come from anywhere, so everything is bounded while it is read: its size, the depth
//! and the number of its values. Aliases (`*name`) are expanded within the same bounds, so that an
//! "alias bomb" ends as an error; merge keys (`<<`), keys that are lists or mappings, several
//! documents, and control characters are refused.

mod reader;
mod scalar;
mod tree;
mod write;

pub(super) use reader::{read, read_up_to};
pub(super) use scalar::is_text;
pub(super) use tree::{Entry, Kind, MAX_BYTES, Node, Place, Problem, Style};
pub(super) use write::{literal, quoted};

pub use write::NotWritable;
