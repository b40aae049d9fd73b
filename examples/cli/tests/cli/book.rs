//! The chapters of the book work as written, each in an empty folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::document;

/// All Markdown files below a folder.
fn chapters(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { chapters(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    found.sort();
    found
}

#[test]
fn every_chapter_with_commands_works_from_top_to_bottom() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src");
    let mut run = 0;
    for path in chapters(&folder) {
        let text = fs::read_to_string(&path).unwrap();
        if document::blocks(&text).iter().any(|(language, ..)| *language == "sh") {
            document::run(&path.strip_prefix(&folder).unwrap().display().to_string(), &text);
            run += 1;
        }
    }
    assert!(run >= 6, "{run} chapters with commands");
}
