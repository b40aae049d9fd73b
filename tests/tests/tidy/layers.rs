//! The direction of imports between the files of a crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{Imports, imports, rings};
use crate::workspace::{files, none};

/// Files and folders of a crate, from the top down: a lower one must not import a higher one.
const LAYERS: &[(&str, &[&str])] = &[
    ("workflow-core", &["machine/decide.rs", "machine/policy/", "machine/request/", "machine/state/"]),
    ("workflow-core", &["plan/compile/", "plan/model.rs"]),
    ("workflow-core", &["definition/", "role/"]),
    (
        "workflow-core",
        &[
            "definition/resolve/",
            "definition/read/",
            "definition/check/",
            "definition/yaml/",
            "definition/model/",
        ],
    ),
    ("workflow-core", &["definition/edit/", "definition/yaml/", "definition/model/"]),
    ("workflow-exec", &["engine/", "driver/", "call/", "leases.rs", "shared.rs"]),
];

/// Files that import each other, and why they may.
const RINGS: &[(&str, &[&str], &str)] = &[(
    "workflow-store",
    &[
        "postgres/append.rs",
        "postgres/hints.rs",
        "postgres/lease.rs",
        "postgres/output.rs",
        "postgres/service.rs",
        "postgres/thread.rs",
    ],
    "one actor: each file has a queue or a table of the service, and the methods that work on it",
)];

/// The files of the crates, by crate and path within `src`.
fn sources() -> BTreeMap<&'static str, BTreeMap<&'static str, &'static str>> {
    let mut sources: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for file in files(".rs") {
        let inside = file.path.strip_prefix("crates/").and_then(|path| path.split_once("/src/"));
        if let Some((package, path)) = inside {
            sources.entry(package).or_default().insert(path, file.text.as_str());
        }
    }
    assert!(sources.len() >= 5, "the crates are not where they were");
    sources
}

fn imports_of(sources: &BTreeMap<&str, &str>) -> Imports {
    imports(sources.iter().map(|(path, text)| (*path, *text)))
}

/// Imports of a higher layer.
fn upward(imports: &Imports, layers: &[&str]) -> Vec<String> {
    let layer = |file: &str| layers.iter().position(|layer| file.starts_with(layer));
    let pairs = imports.iter().flat_map(|(file, others)| others.iter().map(move |other| (file, other)));
    let wrong =
        pairs.filter(|(file, other)| layer(file).zip(layer(other)).is_some_and(|(file, other)| other < file));
    wrong.map(|(file, other)| format!("{file} must not import {other}")).collect()
}

/// Rings without an explanation, and explanations without a ring.
fn unexplained(imports: &Imports, explained: &[&[&str]]) -> Vec<String> {
    let explained: Vec<BTreeSet<String>> =
        explained.iter().map(|ring| ring.iter().map(ToString::to_string).collect()).collect();
    let found = rings(imports);
    let new = found.iter().filter(|ring| !explained.contains(ring));
    let gone = explained.iter().filter(|ring| !found.contains(ring));
    new.map(|ring| format!("these files import each other: {ring:?}"))
        .chain(gone.map(|ring| format!("these files no longer import each other: {ring:?}")))
        .collect()
}

#[test]
fn no_file_imports_one_of_a_higher_layer() {
    let sources = sources();
    for (package, layers) in LAYERS {
        let imports = imports_of(&sources[package]);
        for layer in *layers {
            assert!(imports.keys().any(|file| file.starts_with(layer)), "there is no {layer} in {package}");
        }
        none(&upward(&imports, layers));
    }
}

#[test]
fn no_files_import_each_other() {
    for (package, sources) in sources() {
        let explained = RINGS.iter().filter(|(of, ..)| *of == package);
        let explained: Vec<_> = explained.map(|(_, ring, _)| *ring).collect();
        none(&unexplained(&imports_of(&sources), &explained));
    }
}

#[test]
fn an_import_that_is_put_back_is_found() {
    let sources = sources();
    for (package, file, line, other) in [
        (
            "workflow-core",
            "machine/state/lane.rs",
            "use crate::machine::policy::Step;",
            "machine/policy/step.rs",
        ),
        ("workflow-core", "machine/state/mod.rs", "use super::request::set;", "machine/request/set.rs"),
        ("workflow-core", "machine/request/who.rs", "use crate::machine::decide;", "machine/decide.rs"),
        ("workflow-core", "plan/model.rs", "use super::compile::Compiler;", "plan/compile/mod.rs"),
        ("workflow-core", "role/mod.rs", "use crate::definition::Workflow;", "definition/model/"),
        ("workflow-exec", "driver/lease.rs", "fn f(_: &crate::Engine) {}", "engine/mod.rs"),
        ("workflow-exec", "call/runner.rs", "use crate::driver::drive;", "driver/mod.rs"),
        ("workflow-exec", "leases.rs", "use crate::{driver::Driven, error};", "driver/mod.rs"),
        ("workflow-exec", "shared.rs", "use crate::leases;", "leases.rs"),
    ] {
        let mut sources = sources[package].clone();
        let planted = format!("{}\n{line}\n", sources[file]);
        sources.insert(file, &planted);
        let imports = imports_of(&sources);
        let found: Vec<_> = LAYERS
            .iter()
            .filter(|(of, _)| *of == package)
            .flat_map(|(_, layers)| upward(&imports, layers))
            .collect();
        let [found] = &found[..] else { panic!("{file}: {line}: {found:?}") };
        assert!(found.starts_with(&format!("{file} must not import {other}")), "{found}");
    }
}

#[test]
fn a_ring_that_is_put_back_is_found() {
    let sources = sources();
    for (package, file, line) in [
        ("workflow-core", "machine/state/question.rs", "use super::State;"),
        ("workflow-core", "expr/name.rs", "use super::NameError;"),
        ("workflow-exec", "heartbeat.rs", "use crate::shared::Hold;"),
        ("workflow-store", "sqlite/registration.rs", "use super::writing::Writing;"),
    ] {
        let mut sources = sources[package].clone();
        let planted = format!("{}\n{line}\n", sources[file]);
        sources.insert(file, &planted);
        let rings = rings(&imports_of(&sources));
        assert!(rings.iter().any(|ring| ring.contains(file)), "{file}: {line}: {rings:?}");
    }
}

#[test]
fn an_import_is_found_however_it_is_written() {
    for text in [
        "use crate::b::B;",
        "use super::b::B;",
        "use super::{b::{self, B as Other}, c};",
        "use crate::B;",
        "pub use super::b::B; fn f(_: B) {}",
        "fn f() -> super::b::B { todo!() }",
        "fn f() { macro_of_mine!(x, crate::b::B) }",
        "impl Iterator for crate::b::B<u8> {}",
        "mod inner { fn f(_: crate::b::B) {} }",
    ] {
        let files = [
            ("lib.rs", "mod a; mod b; pub use b::B;"),
            ("a.rs", text),
            ("b.rs", "pub struct B;"),
            ("c.rs", ""),
        ];
        assert!(imports(files)["a.rs"].contains("b.rs"), "{text}");
    }
    let elsewhere = [
        ("lib.rs", "mod a; #[cfg_attr(unix, path = \"b_unix.rs\")] mod b;"),
        ("a.rs", "use crate::b::B;"),
        ("b_unix.rs", "pub struct B;"),
    ];
    assert!(imports(elsewhere)["a.rs"].contains("b_unix.rs"));
}

#[test]
fn what_only_looks_like_an_import_is_none() {
    for text in [
        "//! See [`crate::b::B`].",
        "/// See [`B`](super::b::B).\nstruct A;",
        "const A: &str = \"crate::b::B\";",
        "#[cfg(test)]\nmod tests { use super::super::b::B; }",
        "pub use super::b::B;",
        "pub(in crate::b) struct A;",
        "use std::b::B;",
    ] {
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", text), ("b.rs", "pub struct B;")];
        none(&imports(files)["a.rs"].iter().cloned().collect::<Vec<_>>());
    }
}

#[test]
fn files_that_import_each_other_are_found_and_what_only_declares_them_is_not_among_them() {
    let ring = |files: &[(&'static str, &'static str)]| unexplained(&imports(files.iter().copied()), &[]);
    let two = ring(&[("a.rs", "use crate::b::B;"), ("b.rs", "use crate::a::A;")]);
    assert_eq!(two, [r#"these files import each other: {"a.rs", "b.rs"}"#]);
    let three = [("a.rs", "use crate::b::B;"), ("b.rs", "use crate::c::C;"), ("c.rs", "use crate::a::A;")];
    assert_eq!(ring(&three).len(), 1);
    let parent = [("a/mod.rs", "mod b; use b::B; struct A(B);"), ("a/b.rs", "use super::A;")];
    assert_eq!(ring(&parent).len(), 1);
    none(&ring(&[("a/mod.rs", "mod b; pub use b::B; pub struct A;"), ("a/b.rs", "use super::A;")]));
    none(&ring(&[
        ("a/mod.rs", "mod b; use b::B; struct A(B);"),
        ("a/b.rs", "use crate::c::C;"),
        ("c.rs", ""),
    ]));
    let gone = unexplained(&imports([("a.rs", ""), ("b.rs", "")]), &[&["a.rs", "b.rs"]]);
    assert_eq!(gone, [r#"these files no longer import each other: {"a.rs", "b.rs"}"#]);
}
