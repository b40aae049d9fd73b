//! Every code that users can see has an entry in the book's troubleshooting chapter.

use std::collections::BTreeSet;

use serde_json::Value;
use workflow_core::definition::DIAGNOSTIC_CODES;

use crate::workspace::{TextFile, files, none};

/// The names of an enumeration, from the JSON Schema of events.
fn names_of(definition: &str) -> Vec<String> {
    let schema = workflow_core::schema::run_event();
    let variants = schema["$defs"][definition]["oneOf"].as_array().unwrap();
    let names = variants.iter().flat_map(|variant| match (&variant["const"], &variant["enum"]) {
        (Value::String(name), _) => vec![name.clone()],
        (_, Value::Array(names)) => names.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
        _ => panic!("{variant}"),
    });
    names.collect()
}

/// The variants of an error type, as its source has them.
fn variants_of<'f>(enumeration: &str, mut sources: impl Iterator<Item = &'f TextFile>) -> Vec<String> {
    let head = format!("pub enum {enumeration} {{\n");
    let body = sources.find_map(|file| file.text.split_once(&head)?.1.split_once("\n}")).unwrap().0;
    let is_variant =
        |line: &&str| line.starts_with("    ") && line.as_bytes().get(4).is_some_and(u8::is_ascii_uppercase);
    let name = |line: &str| line.trim().chars().take_while(|c| c.is_alphanumeric()).collect::<String>();
    body.lines().filter(is_variant).map(name).collect()
}

fn sources() -> impl Iterator<Item = &'static TextFile> {
    files(".rs").filter(|file| file.path.starts_with("crates/") && file.path.contains("/src/"))
}

fn missing(chapter: &str, codes: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    let has = |code: &str| chapter.contains(&format!("\n### `{code}`\n"));
    let codes = codes.into_iter();
    let missing = codes.filter(|code| !has(code.as_ref()));
    missing.map(|code| format!("troubleshooting.md: no entry for `{}`", code.as_ref())).collect()
}

fn chapter() -> &'static str {
    &files("docs/src/troubleshooting.md").next().unwrap().text
}

#[test]
fn every_code_has_an_entry() {
    for definition in ["FailureClass", "WaitReason", "AnswerRefusal"] {
        let names = names_of(definition);
        assert!(names.len() > 2, "{definition}: {names:?}");
        none(&missing(chapter(), names));
    }
    none(&missing(chapter(), DIAGNOSTIC_CODES));
    let snake_case = |name: &String| {
        let mut snake = String::new();
        for c in name.chars() {
            if c.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.extend(c.to_lowercase());
        }
        snake
    };
    none(&missing(chapter(), variants_of("ControlRefusal", sources()).iter().map(snake_case)));
}

#[test]
fn every_error_of_the_engine_is_in_the_table() {
    for error in ["BuildError", "EngineError", "StoreError", "CatalogError"] {
        let variants = variants_of(error, sources());
        assert!(variants.len() > 2, "{error}: {variants:?}");
        let row = |variant: &String| {
            chapter().lines().any(|line| {
                line.starts_with("| `") && line.contains(error) && line.contains(&format!("{variant}`"))
            })
        };
        let missing = variants.iter().filter(|variant| !row(variant));
        none(&missing.map(|variant| format!("troubleshooting.md: {error}::{variant}")).collect::<Vec<_>>());
    }
}

/// The codes that sources give to diagnostics: texts of the right form after a constructor of a diagnostic.
fn given(text: &str) -> BTreeSet<&str> {
    const MAKERS: &[&str] = &[
        "Diagnostic::error(",
        "Diagnostic::warning(",
        ".error(",
        ".warning(",
        ".refuse(",
        ".refuse_with(",
        ".error_in_text(",
        ".error_at_key(",
        ".warning_at_key(",
        "fatal(",
        "refused(",
        "Err((",
        "code: ",
        "Severity::Error,",
        "Severity::Warning,",
        "at(",
    ];
    let mut found = BTreeSet::new();
    for maker in MAKERS {
        for (start, _) in text.match_indices(maker) {
            let code = text[start + maker.len()..].trim_start().strip_prefix('"');
            let code = code.and_then(|rest| rest.split('"').next()).unwrap_or_default();
            let is_code = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            // Other calls have names of one word.
            if (code.contains('-') || maker.ends_with(".error(") || maker.ends_with("::error("))
                && code.chars().all(is_code)
                && !code.is_empty()
            {
                found.insert(code);
            }
        }
    }
    found
}

/// The enumeration is complete, and has no unused code.
#[test]
fn the_codes_of_diagnostics_are_those_that_the_sources_give() {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    let mut texts = String::new();
    for file in sources() {
        found.extend(given(&file.text));
        texts.push_str(&file.text);
    }
    let listed: BTreeSet<&str> = DIAGNOSTIC_CODES.iter().copied().collect();
    let unlisted: Vec<_> = found.difference(&listed).map(|code| format!("{code}: not listed")).collect();
    none(&unlisted);
    // One is in the list, and another where it is used.
    let unused = listed.iter().filter(|code| texts.matches(&format!("\"{code}\"")).count() < 2);
    none(&unused.map(|code| format!("{code}: given by nothing")).collect::<Vec<_>>());
    assert!(found.len() > 40, "{found:?}");
}

#[test]
fn a_code_without_an_entry_is_found() {
    assert_eq!(missing("\n### `one`\n", ["one", "two"]), ["troubleshooting.md: no entry for `two`"]);
    assert_eq!(
        given("report.error(\n    \"a-b\", x); fatal(\"c-d\", y)").into_iter().collect::<Vec<_>>(),
        ["a-b", "c-d"]
    );
    let source = TextFile {
        path: "x.rs".into(),
        text: "pub enum E {\n    /// Doc.\n    #[error(\"x\")]\n    One(String),\n    Two {\n        A: u8,\n    },\n}\n".into(),
    };
    assert_eq!(variants_of("E", [&source].into_iter()), ["One", "Two"]);
}
