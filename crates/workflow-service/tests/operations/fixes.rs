//! Quick fixes of diagnostics: each is applied as an editor would, and its problem is gone.

use serde_json::{Value, json};

use crate::host::Host;

/// The byte of a line and a column, which are counted from 1, in characters.
fn offset(text: &str, line: &Value, column: &Value) -> usize {
    let [line, column] = [line, column].map(|number| usize::try_from(number.as_u64().unwrap()).unwrap());
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = &text[start..];
    start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(offset, _)| offset)
}

fn applied(text: &str, fix: &Value) -> String {
    let start = offset(text, &fix["line"], &fix["column"]);
    let end = offset(text, &fix["endLine"], &fix["endColumn"]);
    format!("{}{}{}", &text[..start], fix["newText"].as_str().unwrap(), &text[end..])
}

fn validate(host: &Host, text: &str) -> Vec<Value> {
    let checked = host.data("workflow:validate", &json!({ "id": "demo", "text": text }).to_string());
    checked["diagnostics"].as_array().unwrap().clone()
}

const START: &str = "# Prüfung ✓\nworkflow: { name: Demo, stages: [plan] }\n";

#[test]
fn every_fix_removes_its_problem() {
    let host = Host::new();
    host.write("roles/planner.md", "Plan.\n");
    let plan = |fields: &str| format!("{START}plan: {{ {fields} }}\n");
    let block = |fields: &str| format!("{START}plan:\n  # é\n  {fields}   # after\n  provider: echo\n");
    let mut fixed = 0;
    for (text, code, titles) in [
        (plan("provider: echo, prompt: Hi, retrys: 2"), "unknown-key", vec!["Rename to `retries`", "Remove it"]),
        (block("retrys: 2"), "unknown-key", vec!["Rename to `retries`", "Remove it"]),
        (block("source: old"), "unknown-key", vec!["Remove it"]),
        (block("\"timeoutt\": 5s"), "unknown-key", vec!["Rename to `timeout`", "Remove it"]),
        (plan("provider: echo, prompt: Hi, mode: paralel"), "unknown-value", vec!["Replace with \"parallel\""]),
        (block("on_failure: contineu"), "unknown-value", vec!["Replace with \"continue\""]),
        (plan("provider: ecko, prompt: Hi"), "unknown-provider", vec!["Replace with \"echo\""]),
        (plan("provider: echo, role: plannr"), "missing-role", vec!["Replace with \"planner\""]),
        (plan("provider: echo, prompt: 12"), "wrong-type", vec!["Replace with \"12\""]),
        (plan("provider: echo, prompt: 1.50"), "wrong-type", vec!["Replace with \"1.50\""]),
        (
            "workflow:\n  name: Demo\n  stages: [\"my plan\"]\n".to_owned(),
            "bad-id",
            vec!["Replace with \"my-plan\""],
        ),
        (
            "workflow:\n  name: Demo\n  stages: [plan, check]\n  loop: { max_iters: 2, fallback_next_stage: plam, \
             stop_when: \"$.done\" }\nplan: { provider: echo }\ncheck: { provider: echo }\n"
                .to_owned(),
            "dangling-stage",
            vec!["Replace with \"plan\""],
        ),
    ] {
        let found = validate(&host, &text);
        let problem = found.iter().find(|found| found["code"] == code).unwrap_or_else(|| panic!("{text}: {found:?}"));
        let fixes = problem["fixes"].as_array().unwrap();
        assert_eq!(fixes.iter().map(|fix| &fix["title"]).collect::<Vec<_>>(), titles, "{text}");
        for fix in fixes {
            let corrected = applied(&text, fix);
            let left = validate(&host, &corrected);
            let is_left = left.iter().any(|left| left["code"] == code && left["path"] == problem["path"]);
            assert!(!is_left, "{} of {text} gives {corrected}: {left:?}", fix["title"]);
            fixed += 1;
        }
    }
    assert_eq!(fixed, 15);
}

#[test]
fn a_fix_is_not_offered_where_it_would_not_help() {
    let host = Host::new();
    // Another `retries` is there, and a text with a key twice cannot be edited.
    let text = format!("{START}plan: {{ provider: echo, retries: 1, retrys: 2 }}\n");
    let found = validate(&host, &text);
    let titles: Vec<_> =
        found[0]["fixes"].as_array().unwrap().iter().map(|fix| fix["title"].clone()).collect();
    assert_eq!(titles, ["Remove it"]);
    let text = format!("{START}plan: {{ provider: echo, provider: echo, retrys: 2 }}\n");
    assert!(validate(&host, &text).iter().all(|found| found["fixes"] == json!([])));
}

#[test]
fn problems_end_after_the_key_or_the_value_that_is_wrong() {
    let host = Host::new();
    let text = format!("{START}plan:\n  retrys: 2\n  provider: echo\n  mode: paralel\n");
    let ends: Vec<_> = validate(&host, &text)
        .iter()
        .map(|found| ["line", "column", "endLine", "endColumn"].map(|end| found[end].as_u64().unwrap()))
        .collect();
    assert_eq!(ends, [[4, 3, 4, 9], [6, 9, 6, 16]]);
}
