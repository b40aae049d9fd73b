//! The public face of the façade crate.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::path::{Path, PathBuf};

/// The source files of the workspace's crates.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names that `pub use workflow_…` re-exports at the root, except modules.
fn items(lib: &str) -> Vec<String> {
    let code: String = lib.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let root = code.split("pub mod ").next().unwrap();
    let uses = root.split("pub use workflow_").skip(1).filter_map(|text| text.split(';').next());
    let names = uses.flat_map(|path| path.rsplit("::").next().unwrap().split(['{', '}', ',']));
    let names = names.map(|name| name.trim().to_owned());
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase())).collect()
}

/// Whether the type or trait of that name has an example in its documentation.
fn has_example(source: &str, name: &str) -> bool {
    let declared = |line: &str| {
        let line = line.trim_start();
        let rest = ["pub struct ", "pub enum ", "pub trait "].iter().find_map(|word| line.strip_prefix(word));
        let rest = rest.or_else(|| Some(line).filter(|line| line.ends_with('"') && line.contains(", \"")));
        rest.is_some_and(|rest| rest.split(|c: char| !c.is_alphanumeric()).next() == Some(name))
    };
    let lines: Vec<_> = source.lines().collect();
    lines.iter().enumerate().filter(|(_, line)| declared(line)).any(|(number, _)| {
        let docs = lines[..number].iter().rev().map(|line| line.trim_start()).take_while(|line| {
            let is_of_another = line.is_empty() || line.starts_with('}') || line.ends_with(';');
            line.starts_with("///") || !is_of_another
        });
        docs.filter(|line| line.starts_with("/// ```")).count() >= 2
    })
}

#[test]
fn each_item_at_the_root_has_an_example() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    sources(crates, &mut files);
    let texts: Vec<_> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let items = items(&fs::read_to_string(crates.join("workflow/src/lib.rs")).unwrap());
    assert!(items.len() > 25, "{items:?}");
    let without: Vec<_> =
        items.iter().filter(|name| !texts.iter().any(|text| has_example(text, name))).collect();
    assert!(without.is_empty(), "no example in the documentation of {without:?}");
}

#[test]
fn an_example_is_told_from_none() {
    assert!(has_example("/// A.\n///\n/// ```\n/// a();\n/// ```\n#[derive(Debug)]\npub struct A;\n", "A"));
    assert!(!has_example("/// A.\npub struct A;\n", "A"));
    assert!(!has_example("/// ```\n/// ```\npub struct B;\n\n/// A.\npub struct A;\n", "A"));
}
