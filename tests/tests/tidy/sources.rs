//! Rules for Rust files, and the APIs that the core must not use.

use crate::workspace::{METADATA, TextFile, files, none};

/// The maximum number of lines of a file, which should have one idea.
const LONGEST_FILE: usize = 600;

fn too_long(file: &TextFile) -> Option<String> {
    let lines = file.text.lines().count();
    (lines > LONGEST_FILE).then(|| format!("{}: {lines} lines, over {LONGEST_FILE}", file.path))
}

/// A test that does not run.
fn skipped_tests(file: &TextFile) -> Vec<String> {
    let attribute = concat!("#[", "ignore");
    let lines = file.text.lines().enumerate().filter(|(_, line)| line.contains(attribute));
    lines.map(|(index, _)| format!("{}:{}: a skipped test", file.path, index + 1)).collect()
}

/// Tests that `cargo test` skips, unless a task runs and lints them.
fn forgotten_tests<'a>(on_request: impl IntoIterator<Item = &'a str>, chores: &str) -> Vec<String> {
    let times = |test: &str| chores.matches(&format!("\"--test\", \"{test}\"")).count();
    let forgotten = on_request.into_iter().filter(|test| times(test) < 2);
    forgotten.map(|test| format!("{test}: a test that nothing runs, or nothing lints")).collect()
}

/// Uses of files, processes, threads, the network or the clock.
fn impurities(file: &TextFile) -> Vec<String> {
    const MODULES: &[&str] = &["env", "fs", "net", "os", "process", "thread"];
    let code: Vec<&str> = file.text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let mut found = Vec::new();
    for (index, line) in code.iter().enumerate() {
        let mut mention = |what: &str| found.push(format!("{}:{}: {what}", file.path, index + 1));
        if words_after(line, "::").any(|word| word == "now") {
            mention("a clock");
        }
        for module in words_after(line, "std::").filter(|word| MODULES.contains(word)) {
            mention(&format!("std::{module}"));
        }
        if line.contains("use std::{") {
            let rest = code[index..].join(" ");
            let group = rest.split(';').next().unwrap_or_default();
            let words = group.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.filter(|word| MODULES.contains(word)).for_each(|word| mention(&format!("std::{word}")));
        }
    }
    found
}

/// The words that directly follow each `prefix`.
fn words_after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let word = |rest: &'a str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next();
    line.match_indices(prefix).filter_map(move |(at, _)| word(&line[at + prefix.len()..]))
}

#[test]
fn no_file_is_too_long() {
    assert!(files(".rs").count() > 20);
    none(&files(".rs").filter_map(too_long).collect::<Vec<_>>());
}

#[test]
fn no_test_is_skipped() {
    none(&files(".rs").flat_map(skipped_tests).collect::<Vec<_>>());
}

#[test]
fn a_test_that_is_run_on_request_has_a_chore_that_runs_it() {
    let targets = METADATA.packages.iter().flat_map(|package| &package.targets);
    let on_request: Vec<_> =
        targets.filter(|target| target.is_test() && !target.test).map(|target| &*target.name).collect();
    assert_eq!(on_request, ["agents"]);
    let chores = files(".rs").filter(|file| file.path.starts_with("xtask/src/"));
    none(&forgotten_tests(on_request, &chores.map(|file| &*file.text).collect::<String>()));
}

#[test]
fn the_core_touches_no_file_process_thread_network_or_clock() {
    let core = || files(".rs").filter(|file| file.path.starts_with("crates/workflow-core/src/"));
    assert!(core().count() > 10);
    none(&core().flat_map(impurities).collect::<Vec<_>>());
}

fn made_up(text: &str) -> TextFile {
    TextFile { path: "x.rs".into(), text: text.into() }
}

#[test]
fn a_file_that_is_too_long_is_found() {
    assert_eq!(too_long(&made_up(&"\n".repeat(600))), None);
    assert_eq!(too_long(&made_up(&"\n".repeat(601))).as_deref(), Some("x.rs: 601 lines, over 600"));
}

#[test]
fn a_skipped_test_is_found() {
    let text = concat!("#[test]\n#[", "ignore = \"slow\"]\nfn x() {}\n");
    assert_eq!(skipped_tests(&made_up(text)), ["x.rs:2: a skipped test"]);
}

#[test]
fn a_test_that_nothing_runs_is_found() {
    let chores = r#"["--test", "x"]; ["--test", "x"]; ["--test", "y"]"#;
    let forgotten = |test: &str| format!("{test}: a test that nothing runs, or nothing lints");
    assert_eq!(forgotten_tests(["x", "y", "z"], chores), [forgotten("y"), forgotten("z")]);
}

#[test]
fn an_impurity_is_found_however_it_is_written() {
    for (code, expected) in [
        ("use std::fs::File;", "x.rs:1: std::fs"),
        ("\nlet x = std::process::id();", "x.rs:2: std::process"),
        ("use std::{\n  collections::BTreeMap,\n  thread,\n};", "x.rs:1: std::thread"),
        ("let t = std::time::Instant::now();", "x.rs:1: a clock"),
        ("let t = now.unwrap_or_else(Timestamp::now);", "x.rs:1: a clock"),
    ] {
        assert_eq!(impurities(&made_up(code)), [expected], "{code}");
    }
}

#[test]
fn what_only_looks_like_an_impurity_is_none() {
    for code in [
        "//! Nothing here uses std::fs or Instant::now.",
        "use std::{collections::BTreeMap, fmt};",
        "let later = self::nowhere();",
        "use crate::process::Marker;",
    ] {
        none(&impurities(&made_up(code)));
    }
}
