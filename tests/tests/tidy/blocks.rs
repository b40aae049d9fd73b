//! The code blocks of README and book: each is checked, and the YAML ones are valid definitions.

use indexmap::IndexMap;
use serde_yaml::Value;
use workflow_core::definition::{self, Diagnostic};

use crate::workspace::{TextFile, files, none};

/// How a block of that language is checked: by doctests, this file,
/// `examples/cli/tests/cli/{readme,book}.rs`, not at all, or by the README's test.
///
/// `rust,no_run` is compiled: it would call an agent.
const LANGUAGES: &[&str] = &["rust", "rust,no_run", "yaml", "sh", "text", "toml"];

/// The README shows the error of its test for this file.
const WRONG: &str = "# wrong.workflow.yml";

/// A fenced block.
struct Block {
    language: String,
    line: usize,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                open = true;
                found.push(Block { language: language.to_owned(), line: number + 1, text: String::new() });
            }
            None if open => {
                let block = found.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    found
}

fn documents() -> impl Iterator<Item = &'static TextFile> {
    files(".md").filter(|file| file.path == "README.md" || file.path.starts_with("docs/src/"))
}

/// The problems of a definition, or of a part of one: of a workflow file, a profile, or the stages of a
/// workflow.
fn problems(text: &str) -> Vec<String> {
    let Ok(value) = serde_yaml::from_str::<Value>(text) else { return vec!["not YAML".to_owned()] };
    let found = if value.get("workflow").is_some() {
        let name = text.lines().next().and_then(|line| line.strip_suffix(".workflow.yml"));
        let id = name.and_then(|name| name.rsplit('/').next()?.parse().ok());
        definition::parse(text.as_bytes(), Some(&id.unwrap_or_else(|| "shown".parse().unwrap()))).diagnostics
    } else if value.get("graph").is_some() {
        definition::parse_profile(text.as_bytes(), None).diagnostics
    } else if value.get("providers").is_some_and(Value::is_mapping) {
        definition::parse_providers(text.as_bytes()).diagnostics
    } else if value.get("targets").is_some() {
        definition::parse_notifications(text.as_bytes()).diagnostics
    } else {
        let stages: IndexMap<String, Value> = serde_yaml::from_value(value).unwrap_or_default();
        let stages: Vec<&str> = stages.keys().map(String::as_str).collect();
        let whole = format!("workflow: {{ name: Shown, stages: [{}] }}\n{text}", stages.join(", "));
        let shown = "shown".parse().unwrap();
        // Other stages that a part refers to are not shown.
        let is_of_part = |found: &Diagnostic| found.code != "dangling-stage";
        definition::parse(whole.as_bytes(), Some(&shown)).diagnostics.into_iter().filter(is_of_part).collect()
    };
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn every_code_block_is_of_a_language_that_is_checked() {
    let unknown = documents().flat_map(|file| {
        let unknown = blocks(&file.text).into_iter().filter(|block| {
            !LANGUAGES.contains(&&*block.language)
                // The README's test compares it with the quickstart.
                && (file.path != "README.md" || block.language != "rust,ignore")
        });
        unknown.map(|block| format!("{}:{}: a block of {:?}", file.path, block.line, block.language))
    });
    none(&unknown.collect::<Vec<_>>());
}

#[test]
fn yaml_blocks_are_definitions_without_a_problem() {
    let (mut count, mut wrong) = (0, Vec::new());
    for file in documents() {
        for block in blocks(&file.text).iter().filter(|block| block.language == "yaml") {
            count += 1;
            if !block.text.starts_with(WRONG) {
                let problems = problems(&block.text).into_iter();
                wrong.extend(problems.map(|problem| format!("{}:{}: {problem}", file.path, block.line)));
            }
        }
    }
    assert!(count > 15, "{count} blocks");
    none(&wrong);
}

/// `tests/src/book.rs` includes every chapter that has one.
#[test]
fn rust_blocks_are_doctests() {
    let included = &files("tests/src/book.rs").next().unwrap().text;
    let has_rust = |file: &&TextFile| blocks(&file.text).iter().any(|block| block.language == "rust");
    let is_missing = |file: &&TextFile| !included.contains(&format!("\"../../{}\"", file.path));
    assert!(documents().filter(has_rust).count() > 3);
    let missing = documents().filter(has_rust).filter(is_missing);
    none(&missing.map(|file| format!("{}: not in tests/src/book.rs", file.path)).collect::<Vec<_>>());
}

#[test]
fn a_wrong_block_is_found() {
    let text = "x\n```yaml\na: { provider: command, retrys: 2 }\n```\n```\n$ x\n```\n";
    let blocks = blocks(text);
    assert_eq!(
        blocks.iter().map(|block| (&*block.language, block.line)).collect::<Vec<_>>(),
        [("yaml", 3), ("", 6)]
    );
    assert_eq!(problems(&blocks[0].text).len(), 1, "{:?}", problems(&blocks[0].text));
    assert_eq!(problems("workflow: { name: Shown, stages: [a, a] }\na: { provider: command }").len(), 1);
    assert_eq!(problems("graph: [{ id: a, type: run, inputs: [none] }]").len(), 1);
}
