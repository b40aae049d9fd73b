//! What a workflow sets for all its stages: which stages have it, what is said of it, and where a value comes from.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot continue has failed")]

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use workflow_core::catalog::{Part, Text, Version};
use workflow_core::definition::{self, Assignments, Defaults, Diagnostic, Stage, ValueOrigin, Workflow};

fn host() -> Defaults {
    Defaults { provider: Some("host".to_owned()), ..Defaults::default() }
}

/// The problems of a text.
fn problems(text: &str) -> Vec<String> {
    let mut draft = definition::read(text.as_bytes(), None);
    draft.check_alone(&host());
    draft.finish().iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_wrong_with_a_default_is_said_once_where_it_is_written() {
    for (text, expected) in [
        (
            "workflow: { id: demo, stages: [a, b], defaults: { retrys: 2, retries: 11, provider: '${vars.}' } }\n",
            &[
                "1:51: warning[unknown-key]: `retrys` is not known here and is ignored; did you mean `retries`?",
                "1:71: error[out-of-range]: `retries` has to be a whole number from 0 to 10",
                "1:93: error[bad-expression]: a name cannot end with `.`: add a key, as in `vars.x`",
            ][..],
        ),
        (
            "workflow: { id: demo, stages: [a], defaults: simple }\n",
            &["1:46: error[wrong-type]: `defaults` has to be a mapping, as `key: value`, not a text"],
        ),
        // Found while the stages are resolved: both have it.
        (
            "workflow: { id: demo, stages: [a, b], inputs: {}, defaults: { env: { X: '${vars.x}' } } }\n",
            &["1:73: error[unknown-name]: `x` is neither an input of the workflow nor written by a `set`"],
        ),
        // The mode of the defaults counts for the strategy of the stage, and the other way round.
        (
            "workflow: { id: demo, stages: [a], defaults: { mode: parallel } }\na: { parallel_strategy: race }\n",
            &[],
        ),
        (
            "workflow: { id: demo, stages: [a], defaults: { parallel_strategy: race } }\na: { mode: parallel }\n",
            &[],
        ),
    ] {
        assert_eq!(problems(text), expected, "{text}");
    }
}

#[test]
fn files_that_a_default_names_are_looked_up() {
    let text = "workflow: { id: demo, stages: [a, b], defaults: { role: writer, output_schema: s.json } }\n\
                b: { role: other }\n";
    let mut draft = definition::read(text.as_bytes(), None);
    let mut wanted = Vec::new();
    loop {
        let found = draft.wanted(&host(), &["writer".parse().unwrap(), "other".parse().unwrap()]);
        if found.is_empty() {
            break;
        }
        wanted.extend(found.iter().map(ToString::to_string));
    }
    let text = wanted.join(" ");
    assert!(text.contains("writer") && text.contains("s.json"), "{text}");
    assert!(draft.resolve(&host()).is_none());
    let said: Vec<_> = draft.finish().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "1:57: error[missing-role]: there is no role `writer`: write the file `roles/writer.md`; did you mean `writer`?",
            "1:80: error[missing-schema]: there is no schema file `s.json` in the home",
            "2:12: error[missing-role]: there is no role `other`: write the file `roles/other.md`; did you mean `other`?",
        ]
    );
}

#[test]
fn each_value_has_an_origin() {
    let text = "workflow:
  id: demo
  stages: [plan, code, test]
  defaults: { provider: codex, with: { model: small }, retries: 1 }
plan: { retries: 4, with: { effort: high } }
code: { provider: gemini }
test: { providers: [{ provider: demo }, { provider: codex }] }
";
    let mut draft = definition::read(text.as_bytes(), None);
    let text = "code: { profile: simple }\n".to_owned();
    let text = Text { origin: "assignments.yml".to_owned(), version: Version("1".to_owned()), text };
    draft.give(&Part::Assignments, Ok(Some(text)));
    let bundle = draft.resolve(&host()).expect("no errors");
    let shown: Vec<_> = draft
        .explain(&bundle, &host())
        .into_iter()
        .map(|found| {
            let at = found.range.map(|range| format!(" {}:{}", range.line, range.column)).unwrap_or_default();
            format!("{}.{} = {} ({:?}{at})", found.stage, found.field, found.value, found.from)
        })
        .collect();
    for expected in [
        "plan.provider = \"codex\" (Defaults 4:25)",
        "plan.retries = 4 (Stage 5:18)",
        "plan.with.model = \"small\" (Defaults 4:47)",
        "plan.with.effort = \"high\" (Stage 5:37)",
        "plan.mode = \"sequential\" (BuiltIn)",
        "code.provider = \"gemini\" (Stage 6:19)",
        "code.profile = \"simple\" (Assignments)",
        "code.retries = 1 (Defaults 4:65)",
        "test.providers[0].provider = \"demo\" (Stage 7:33)",
        "test.providers[1].provider = \"codex\" (Stage 7:53)",
    ] {
        assert!(shown.iter().any(|line| line == expected), "{expected} is not in {shown:#?}");
    }
    // The options of the defaults are for another provider.
    for stage in ["code", "test"] {
        assert!(!shown.iter().any(|line| line.starts_with(&format!("{stage}.with"))), "{shown:#?}");
    }
    let mut assigned = Assignments::default();
    let assignment =
        definition::Assignment { provider: Some("codex".to_owned()), ..definition::Assignment::default() };
    assigned.stages.insert("a".parse().unwrap(), assignment);
    let mut draft = definition::read(b"workflow: { id: demo, stages: [a, b] }\n", None);
    let defaults = Defaults { assignments: assigned, ..host() };
    let bundle = draft.resolve(&defaults).expect("no errors");
    let values = draft.explain(&bundle, &defaults);
    let providers: Vec<_> = values.iter().filter(|value| value.field == "provider").collect();
    assert_eq!([&providers[0].value, &providers[1].value], [&json!("codex"), &json!("host")]);
    assert!(providers.iter().all(|value| value.from == ValueOrigin::Host));
    let replaced = bundle.with_providers(&workflow_core::bundle::ProviderMap::all("demo")).unwrap();
    let values = draft.explain(&replaced, &defaults);
    assert!(
        values.iter().filter(|value| value.field == "provider").all(|value| value.from == ValueOrigin::Run)
    );
}

/// Values of the fields of a stage, valid in any combination.
fn fields() -> impl Strategy<Value = Map<String, Value>> {
    let all = [
        ("provider", vec![json!("a"), json!("b")]),
        ("providers", vec![json!([{ "provider": "a" }]), json!([{ "provider": "b" }, { "provider": "c" }])]),
        ("mode", vec![json!("parallel"), json!("sequential")]),
        ("parallel_strategy", vec![json!("race"), json!("all")]),
        ("on_failure", vec![json!("retry"), json!("continue"), json!("stop")]),
        ("retries", vec![json!(0), json!(7)]),
        ("retry_backoff", vec![json!("1s"), json!("2m")]),
        ("min_iterations", vec![json!(0), json!(1)]),
        ("skills", vec![json!(["x"]), json!(["y", "z"])]),
        ("prompt", vec![json!("Hello"), json!("")]),
        ("with", vec![json!({}), json!({ "model": "m" }), json!({ "effort": "e", "model": { "deep": 1 } })]),
        ("when", vec![json!("$.vars.x == 1"), json!("true")]),
        ("inputs", vec![json!(["a"]), json!([1, { "b": 2 }])]),
        ("set", vec![json!({ "v": 1 }), json!({ "w": "${output}", "v": 2 })]),
        ("output", vec![json!("json"), json!("text")]),
        ("repairs", vec![json!(0), json!(3)]),
        ("timeout", vec![json!("1m"), json!("2m")]),
        ("idle_timeout", vec![json!("1s"), json!("2s")]),
        ("env", vec![json!({ "A": "1" }), json!({ "A": 2, "B": true })]),
        ("cwd", vec![json!("src"), json!("docs")]),
        ("session", vec![json!("continue"), json!("new")]),
        ("on_interrupt", vec![json!("ask"), json!("rerun")]),
        ("approval", vec![json!("Shall it?"), json!("Really?")]),
        ("budget", vec![json!({ "tokens": 5 }), json!({ "cost_usd": 1.5 })]),
    ];
    let some: Vec<_> = all
        .into_iter()
        .map(|(name, values)| (Just(name), proptest::option::weighted(0.4, select(values))))
        .collect();
    some.prop_map(|fields| {
        let there = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let mut fields: Map<_, _> = there.collect();
        if fields.contains_key("providers") {
            fields.remove("provider");
        }
        fields
    })
}

/// A stage with the defaults, as the documentation says it.
fn merged(own: &Map<String, Value>, defaults: &Map<String, Value>) -> Map<String, Value> {
    let names =
        |fields: &Map<String, Value>| (fields.get("provider").cloned(), fields.get("providers").cloned());
    let (has_own, has_default) = (names(own) != (None, None), names(defaults) != (None, None));
    let mut full = own.clone();
    for (name, value) in defaults {
        match name.as_str() {
            "provider" | "providers" if has_own => {}
            "with" if has_own && has_default && names(own) != names(defaults) => {}
            "with" | "env" | "set" => {
                let mut entries = value.as_object().unwrap().clone();
                entries.extend(own.get(name).and_then(Value::as_object).cloned().unwrap_or_default());
                full.insert(name.clone(), entries.into());
            }
            _ => drop(full.entry(name).or_insert_with(|| value.clone())),
        }
    }
    full
}

proptest! {
    #[test]
    fn a_stage_has_each_default_that_it_does_not_write(own in fields(), other in fields(), defaults in fields()) {
        let workflow = |stages: Value, defaults: Option<&Map<String, Value>>| -> Workflow {
            let mut workflow = json!({ "id": "demo", "name": "Demo", "stages": stages });
            if let Some(defaults) = defaults {
                workflow["defaults"] = defaults.clone().into();
            }
            serde_json::from_value(workflow).unwrap()
        };
        let written = workflow(json!({ "a": own, "b": other }), Some(&defaults));
        let expanded = workflow(json!({ "a": merged(&own, &defaults), "b": merged(&other, &defaults) }), None);
        prop_assert_eq!(written.with_defaults().into_owned(), expanded.clone());
        let resolved = |workflow| definition::resolve(workflow, &host()).map_err(|problems| problems.to_string());
        prop_assert_eq!(resolved(&written), resolved(&expanded));
        let errors = |workflow| definition::validate(workflow).iter().any(Diagnostic::is_error);
        prop_assert_eq!(errors(&written), errors(&expanded));
        // As a file it is read as what it was.
        let text = written.to_yaml().unwrap();
        let parsed = definition::parse(text.as_bytes(), None);
        prop_assert_eq!(parsed.workflow, Some(written));
    }
}

#[test]
fn without_defaults_nothing_is_copied() {
    let workflow =
        Workflow::new("demo".parse().unwrap(), "Demo").stage("a".parse().unwrap(), Stage::new("x"));
    assert!(matches!(workflow.with_defaults(), std::borrow::Cow::Borrowed(_)));
}
