//! Editing one field of a file changes no other byte.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use serde_json::{Value, json};
use workflow_core::definition::edit::{EditError, remove_field, set_field};

const FILE: &str = r#"# A workflow.
workflow:
  name: "Demonstration"   # shown in lists
  stages:
    - plan   # first
    - code
    - test
  loop: { max_iters: 5, stop_when: "$.done" }

# Who plans.
plan:
  provider: claude-code

  # How often.
  retries: 2     # more do not help
  prompt: |
    Plan ${vars.feature}.

    # This is text.
  # A comment between.
  with:
    # Options.
    command: [echo, 'it''s', "a \"b\""]
    deep: { a: { b: 1 } }

code: simple   # short
test:
  providers:
    - provider: codex
      role: tester
    - { provider: gemini }
  env: {}
report:
"#;

/// The lines that differ, as a diff.
fn changed(before: &str, after: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (before.split('\n').collect(), after.split('\n').collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = |lines: &[&str]| lines[same..].iter().rev().copied().map(str::to_owned).collect::<Vec<_>>();
    let end = tail(&old).iter().zip(&tail(&new)).take_while(|(a, b)| a == b).count();
    let old = old[same..old.len() - end].iter().map(|line| format!("-{line}\n"));
    let new = new[same..new.len() - end].iter().map(|line| format!("+{line}\n"));
    old.chain(new).collect()
}

fn set(path: &str, value: &Value) -> String {
    changed(FILE, &set_field(FILE, path, value).unwrap())
}

fn remove(path: &str) -> String {
    changed(FILE, &remove_field(FILE, path).unwrap())
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    for (path, value, diff) in [
        (
            "workflow.name",
            json!("New: name"),
            "-  name: \"Demonstration\"   # shown in lists\n+  name: \"New: name\"   # shown in lists\n",
        ),
        ("workflow.stages[0]", json!("plan_2"), "-    - plan   # first\n+    - plan_2   # first\n"),
        (
            "workflow.stages",
            json!(["plan", "code"]),
            "-  stages:\n-    - plan   # first\n-    - code\n-    - test\n+  stages: [plan, code]\n",
        ),
        (
            "workflow.loop.max_iters",
            json!(6),
            "-  loop: { max_iters: 5, stop_when: \"$.done\" }\n+  loop: { max_iters: 6, stop_when: \"$.done\" }\n",
        ),
        (
            "plan.retries",
            json!(3),
            "-  retries: 2     # more do not help\n+  retries: 3     # more do not help\n",
        ),
        (
            "plan.prompt",
            json!("Plan it."),
            "-  prompt: |\n-    Plan ${vars.feature}.\n-\n-    # This is text.\n+  prompt: Plan it.\n",
        ),
        (
            "plan.with.command[1]",
            json!(["x", 1, null]),
            "-    command: [echo, 'it''s', \"a \\\"b\\\"\"]\n+    command: [echo, [x, 1, null], \"a \\\"b\\\"\"]\n",
        ),
        (
            "plan.with.command[2]",
            json!(""),
            "-    command: [echo, 'it''s', \"a \\\"b\\\"\"]\n+    command: [echo, 'it''s', \"\"]\n",
        ),
        ("plan.with.deep.a", json!({}), "-    deep: { a: { b: 1 } }\n+    deep: { a: {} }\n"),
        (
            "plan.with",
            json!({ "a b": true }),
            "-  with:\n-    # Options.\n-    command: [echo, 'it''s', \"a \\\"b\\\"\"]\n-    deep: { a: { b: 1 } }\n+  with: { a b: true }\n",
        ),
        ("code", json!("gate"), "-code: simple   # short\n+code: gate   # short\n"),
        ("test.providers[0].role", json!("1e3"), "-      role: tester\n+      role: \"1e3\"\n"),
        ("report", json!("simple"), "-report:\n+report: simple\n"),
    ] {
        assert_eq!(set(path, &value), diff, "{path}");
    }
}

#[test]
fn a_text_of_several_lines_becomes_a_block() {
    let after = set_field(FILE, "plan.prompt", &json!("One\n\n  two\n")).unwrap();
    assert!(after.contains("\n  prompt: |\n    One\n\n      two\n  # A comment between.\n"), "{after}");
    let after = set_field(FILE, "workflow.name", &json!("One\ntwo")).unwrap();
    assert!(after.contains("\n  name: \"One\\ntwo\"   # shown in lists\n"), "{after}");
}

#[test]
fn a_missing_field_is_added_where_it_belongs() {
    for (path, value, diff) in [
        ("workflow.description", json!("yes"), "+  description: yes\n"),
        (
            "workflow.loop.on_exhausted",
            json!("complete"),
            "-  loop: { max_iters: 5, stop_when: \"$.done\" }\n+  loop: { max_iters: 5, stop_when: \"$.done\", on_exhausted: complete }\n",
        ),
        ("plan.role", json!("planner"), "+  role: planner\n"),
        (
            "plan.with.deep.a.c",
            json!("x, y"),
            "-    deep: { a: { b: 1 } }\n+    deep: { a: { b: 1, c: \"x, y\" } }\n",
        ),
        ("plan.budget.time", json!("2h"), "+  budget: { time: 2h }\n"),
        (
            "code.provider",
            json!("codex"),
            "-code: simple   # short\n+code:    # short\n+  profile: simple\n+  provider: codex\n",
        ),
        ("test.providers[0].weight", json!(2), "+      weight: 2\n"),
        (
            "test.providers[1].weight",
            json!(2),
            "-    - { provider: gemini }\n+    - { provider: gemini, weight: 2 }\n",
        ),
        ("test.env[\"A.B\"]", json!("x"), "-  env: {}\n+  env: { A.B: x }\n"),
        ("report.prompt", json!("a\nb"), "+  prompt: |-\n+    a\n+    b\n"),
        ("check.provider", json!("codex"), "+check: { provider: codex }\n"),
    ] {
        assert_eq!(set(path, &value), diff, "{path}");
    }
}

#[test]
fn a_field_is_removed_with_its_line() {
    for (path, diff) in [
        ("workflow.loop", "-  loop: { max_iters: 5, stop_when: \"$.done\" }\n"),
        ("plan.provider", "-  provider: claude-code\n"),
        ("plan.prompt", "-  prompt: |\n-    Plan ${vars.feature}.\n-\n-    # This is text.\n"),
        ("plan.with.command", "-    command: [echo, 'it''s', \"a \\\"b\\\"\"]\n"),
        ("plan.with.deep.a", "-    deep: { a: { b: 1 } }\n+    deep: {  }\n"),
        ("code", "-code: simple   # short\n"),
        ("test.providers[0].provider", "-    - provider: codex\n-      role: tester\n+    - role: tester\n"),
        ("test.providers[0].role", "-      role: tester\n"),
        ("test.providers[1].provider", "-    - { provider: gemini }\n+    - {  }\n"),
    ] {
        assert_eq!(remove(path), diff, "{path}");
    }
    let text = "plan:   # who\n  # why\n  retries: 2   # how often\ntest:\n- retries: 1\n";
    let text = remove_field(text, "plan.retries").unwrap();
    assert_eq!(text, "plan: {}   # who\n  # why\ntest:\n- retries: 1\n");
    assert_eq!(remove_field(&text, "test[0].retries").unwrap(), "plan: {}   # who\n  # why\ntest:\n- {}\n");
}

#[test]
fn line_ends_marks_and_missing_line_ends_stay() {
    let text = "workflow:\r\n  name: Übung   # é\r\n  stages: [plan]\r\nplan: simple";
    let after = set_field(text, "workflow.name", &json!("Größe")).unwrap();
    assert_eq!(after, "workflow:\r\n  name: \"Größe\"   # é\r\n  stages: [plan]\r\nplan: simple");
    let after = set_field(text, "plan.prompt", &json!("a\nb\n")).unwrap();
    assert_eq!(
        after,
        format!("{}\r\n  profile: simple\r\n  prompt: |\r\n    a\r\n    b", text.replace(" simple", ""))
    );
    let marked = format!("\u{feff}{text}");
    let after = set_field(&marked, "workflow.stages[0]", &json!("code")).unwrap();
    assert_eq!(after, marked.replace("[plan]", "[code]"));
}

#[test]
fn aliases_are_not_changed_behind_the_back_of_others() {
    let text = "plan: &base\n  provider: codex\ntest: *base\ncheck:\n  env: *base\n";
    assert!(matches!(set_field(text, "test.provider", &json!("gemini")), Err(EditError::NotAlone { .. })));
    assert!(matches!(set_field(text, "plan.provider", &json!("gemini")), Err(EditError::NotAlone { .. })));
    let after = set_field(text, "check.retries", &json!(1)).unwrap();
    assert_eq!(after, format!("{text}  retries: 1\n"));
    assert_eq!(remove_field(&after, "check.env").unwrap(), text.replace("env: *base", "retries: 1"));
}

#[test]
fn what_cannot_be_changed_is_refused_with_a_reason() {
    let refused = [
        set_field(FILE, "plan..x", &json!(1)),
        set_field(FILE, "plan.retries.x", &json!(1)),
        set_field(FILE, "test.providers[2].role", &json!("x")),
        set_field(FILE, "workflow.loop[0]", &json!("x")),
        remove_field(FILE, "plan.role"),
        remove_field(FILE, "workflow.stages[0]"),
        set_field("plan: [", "plan", &json!(1)),
        set_field("plan: simple\n# end", "plan[\"a", &json!(1)),
        set_field("plan: &profile simple\ntest: *profile\n", "plan", &json!("gate")),
    ];
    let messages: Vec<_> = refused.into_iter().map(|result| result.unwrap_err().to_string()).collect();
    insta::assert_snapshot!("refused_edits", messages.join("\n"));
}
