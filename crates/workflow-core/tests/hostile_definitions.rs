//! Malicious files: each results in an error, within the documented limits.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::fmt::Write as _;

use workflow_core::definition;

/// The code of the first error, with its line.
fn refused(text: impl AsRef<[u8]>) -> String {
    let parsed = definition::parse(text.as_ref(), None);
    assert_eq!(parsed.workflow, None);
    let error = parsed.diagnostics.iter().find(|diagnostic| diagnostic.is_error()).unwrap();
    assert!(error.message.len() < 1000, "{}", error.message);
    format!("{} in line {}", error.code, error.line)
}

const HEADER: &str = "workflow: { id: demo, name: Demonstration, stages: [plan] }\n";

#[test]
fn a_file_of_more_than_a_mebibyte_is_refused_by_its_size() {
    assert_eq!(refused(vec![b'a'; 100 << 20]), "too-large in line 1");
    let mut text = HEADER.to_owned() + "plan:\n  prompt: ";
    text.push_str(&"a".repeat((1 << 20) - text.len()));
    assert!(definition::parse(text.as_bytes(), None).workflow.is_some());
    assert_eq!(refused(text + "a"), "too-large in line 1");
}

#[test]
fn nesting_has_a_limit() {
    assert_eq!(refused("[".repeat(100_000)), "too-deep in line 1");
    assert_eq!(refused("{a: ".repeat(100_000)), "too-deep in line 1");
    assert_eq!(refused("- ".repeat(100_000)), "too-deep in line 1");
    assert_eq!(refused("? ".repeat(100_000)), "bad-key in line 1");
    let nested =
        |depth| format!("{HEADER}plan: {{ with: {{ a: {}{} }} }}", "[".repeat(depth), "]".repeat(depth));
    assert!(definition::parse(nested(61).as_bytes(), None).workflow.is_some());
    assert_eq!(refused(nested(62)), "too-deep in line 2");
}

#[test]
fn the_number_of_values_has_a_limit() {
    assert_eq!(
        refused(format!("{HEADER}plan: {{ inputs: [{}] }}", "a,".repeat(60_000))),
        "too-large in line 2"
    );
    assert_eq!(refused(format!("[[{}]]", "a,".repeat(500_000))), "too-large in line 1");
}

#[test]
fn aliases_are_expanded_only_so_far() {
    let text = format!("{HEADER}plan: {{ with: {{ a: &a [x, y], b: *a }}, inputs: [&b hello, *b] }}");
    let workflow = definition::parse(text.as_bytes(), None).workflow.unwrap();
    let plan = &workflow.stages["plan"];
    assert_eq!(plan.with.as_ref().unwrap()["b"], serde_json::json!(["x", "y"]));
    assert_eq!(plan.inputs, ["hello", "hello"]);

    let mut laughs =
        format!("{HEADER}plan:\n  with:\n    a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for n in 1..20 {
        let aliases = vec![format!("*a{}", n - 1); 9].join(", ");
        writeln!(laughs, "    a{n}: &a{n} [{aliases}]").unwrap();
    }
    assert_eq!(refused(laughs), "too-large in line 8");

    let long = "x".repeat(1000);
    let wide = format!("{HEADER}plan: {{ inputs: [&a {long}{}] }}", ", *a".repeat(2000));
    assert_eq!(refused(wide), "too-large in line 2");

    let mut deep = format!("{HEADER}plan:\n  with:\n    a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
    for n in 1..10 {
        writeln!(deep, "    a{n}: &a{n} [[[[[[[[[[*a{}]]]]]]]]]]", n - 1).unwrap();
    }
    assert_eq!(refused(deep), "too-deep in line 10");
}

#[test]
fn what_is_not_utf8_is_refused_at_its_place() {
    assert_eq!(refused(b"workflow:\n  name: \xff\xfe\n"), "not-utf8 in line 2");
    assert_eq!(refused(b"\xff\xfew\0o\0r\0k\0"), "not-utf8 in line 1");
    assert_eq!(refused("workflow:\n  name: a\0b\n"), "control-character in line 2");
}

#[test]
fn many_keys_and_many_duplicates_cost_no_more_than_their_number() {
    let mut keys = HEADER.to_owned();
    for n in 0..24_000 {
        writeln!(keys, "k{n}: x").unwrap();
    }
    assert_eq!(refused(keys), "too-many in line 0");
    assert_eq!(refused(format!("{HEADER}{}", "k: x\n".repeat(24_000))), "duplicate-key in line 3");
    let long = format!("{HEADER}{}: x\n", "k".repeat(1000));
    let warning = definition::parse(long.as_bytes(), None).diagnostics.remove(0);
    assert!(warning.message.len() < 200 && warning.path.len() < 200, "{warning:?}");
}

#[test]
fn what_is_wrong_a_hundred_thousand_times_is_not_described_as_often() {
    let mut many = "workflow:\n  id: demo\n  name: Demonstration\n  stages:\n".to_owned();
    for n in 0..9_000 {
        writeln!(many, "  - stage-number-{n}").unwrap();
    }
    for n in 0..9_000 {
        writeln!(many, "stage-number-{n}:\nstage_nummer_{n}: x").unwrap();
    }
    let parsed = definition::parse(many.as_bytes(), None);
    assert_eq!(parsed.diagnostics.last().unwrap().code, "too-many");

    let prompt = "${stages.x.y}".repeat(75_000);
    let parsed = definition::parse(format!("{HEADER}plan:\n  prompt: {prompt}").as_bytes(), None);
    assert_eq!((parsed.diagnostics.len(), parsed.diagnostics[0].code), (201, "dangling-stage"));
}

#[test]
fn tags_that_grow_are_refused() {
    let text = format!("%TAG !e! tag:{}\n---\n[{}]", "x".repeat(100_000), "!e!a b,".repeat(20_000));
    assert_eq!(refused(text), "bad-tag in line 3");
}
