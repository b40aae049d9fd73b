//! `config/providers.yml`: what names of providers stand for, and the options that calls get from there.

#![cfg(all(feature = "json-schema", feature = "roles"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use workflow_core::bundle::{Bundle, ProviderMap};
use workflow_core::catalog::{Part, Text, Version};
use workflow_core::definition::{self, Defaults, Draft};

const SETTINGS: &str = "providers:
  fast: { provider: claude-code, with: { model: haiku, effort: low }, timeout: 600000 }
  codex: { with: { model: small } }
  gemini: { with: { model: small } }
  slow: { provider: codex, with: { effort: high } }
";

/// A draft with these settings, and profiles by stage, of a host with the provider `host`.
fn draft(workflow: &str, profiles: &[(&str, &str)]) -> Draft {
    let mut draft = definition::read(workflow.as_bytes(), None);
    loop {
        let wanted = draft.wanted(&defaults(), &[]);
        if wanted.is_empty() {
            return draft;
        }
        for part in wanted {
            let text = match &part {
                Part::Providers => Some(SETTINGS),
                Part::Profile(stage, _) => {
                    profiles.iter().find(|(id, _)| *id == stage.as_str()).map(|(_, text)| *text)
                }
                _ => None,
            };
            let (origin, version) = (part.to_string(), Version(String::new()));
            let text = text.map(|text| Text { origin, text: text.to_owned(), version });
            draft.give(&part, Ok(text));
        }
    }
}

fn defaults() -> Defaults {
    Defaults { provider: Some("host".to_owned()), ..Defaults::default() }
}

/// The resolved bundle, of a run in which `map` replaces providers.
fn resolved(workflow: &str, profiles: &[(&str, &str)], map: &ProviderMap) -> Bundle {
    let mut draft = draft(workflow, profiles);
    let bundle = draft.resolve_as_written(&defaults()).unwrap();
    let bundle = Bundle::clone(&draft.set_providers(bundle, map).unwrap());
    assert_eq!(draft.finish(), []);
    bundle
}

/// Provider, options and time limit of each lane of a stage without a graph.
fn lanes(bundle: &Bundle, stage: &str) -> Vec<Value> {
    let stage = &bundle.workflow.stages[stage];
    let lane = |lane: &definition::Lane| {
        let call = lane.call_of(stage);
        json!([lane.provider, call.with, call.timeout.map(|time| time.to_string())])
    };
    stage.providers.iter().map(lane).collect()
}

const STAGES: &str = "workflow: { id: demo, stages: [a, b, c, d, e], defaults: { retries: 1 } }
a: { provider: fast }
b: { provider: fast, with: { model: opus }, timeout: 1m }
c: { provider: codex }
d: { providers: [{ provider: fast }, { provider: codex, with: { model: big } }, { provider: other }], with: { cwd: x } }
e: {}
";

#[test]
fn names_stand_for_providers_and_their_options_are_added_where_a_call_has_none() {
    let bundle = resolved(STAGES, &[], &ProviderMap::default());
    let fast = json!({ "model": "haiku", "effort": "low" });
    assert_eq!(lanes(&bundle, "a"), [json!(["claude-code", fast, "600s"])]);
    assert_eq!(lanes(&bundle, "b"), [json!(["claude-code", { "model": "opus", "effort": "low" }, "60s"])]);
    assert_eq!(lanes(&bundle, "c"), [json!(["codex", { "model": "small" }, null])]);
    assert_eq!(
        lanes(&bundle, "d"),
        [
            json!(["claude-code", { "model": "haiku", "effort": "low", "cwd": "x" }, "600s"]),
            json!(["codex", { "model": "big" }, null]),
            json!(["other", { "cwd": "x" }, null]),
        ]
    );
    assert_eq!(lanes(&bundle, "e"), [json!(["host", null, null])]);
    // A stored bundle is complete: nothing of the file is needed again.
    assert!(bundle.settings.is_empty());
    assert!(workflow_core::plan::Plan::load(bundle).is_ok());
}

#[test]
fn what_a_run_replaces_has_the_options_of_what_takes_its_place() {
    let of = |map: &[(&str, &str)]| {
        let map = map.iter().copied().collect::<ProviderMap>();
        let bundle = resolved(STAGES, &[], &map);
        assert_eq!(bundle.replaced(), map, "it is recorded as it was given");
        bundle
    };
    // A registered name is replaced also where another name stands for it.
    for map in [[("fast", "slow")], [("claude-code", "slow")]] {
        let bundle = of(&map);
        assert_eq!(lanes(&bundle, "a"), [json!(["codex", { "effort": "high" }, null])]);
        assert_eq!(lanes(&bundle, "b"), [json!(["codex", { "effort": "high" }, "60s"])]);
        assert_eq!(lanes(&bundle, "c"), [json!(["codex", { "model": "small" }, null])]);
    }
    let bundle = of(&[("*", "gemini"), ("fast", "codex")]);
    assert_eq!(lanes(&bundle, "a"), [json!(["codex", { "model": "small" }, null])]);
    assert_eq!(lanes(&bundle, "e"), [json!(["gemini", { "model": "small" }, null])]);
    // A fork of the run that the map resulted in.
    let settings = definition::parse_providers(SETTINGS.as_bytes()).settings.unwrap();
    let fork = bundle.with_providers_of(&ProviderMap::from_iter([("codex", "fast")]), &settings);
    let fast = json!({ "model": "haiku", "effort": "low" });
    assert_eq!(lanes(&fork, "a"), [json!(["claude-code", fast, "600s"])]);
    assert_eq!(lanes(&fork, "e"), [json!(["gemini", { "model": "small" }, null])]);
}

#[test]
fn nodes_have_the_options_of_the_provider_that_they_name_or_of_their_stage() {
    let graph = "graph:
  - { id: own, provider: fast, with: { model: opus } }
  - { id: stage, after: own }
  - { id: each, type: foreach, items: [1], run: { type: run, provider: slow, timeout: 5s } }
  - { id: all, type: reduce, from: [each], strategy: concat }
";
    let node = |bundle: &Bundle, n: usize| {
        let calls = definition::calls_of(&bundle.profiles["a"]);
        let run = calls[n].1;
        json!([run.provider, run.with, run.timeout.map(|time| time.to_string())])
    };
    let workflow = "workflow: { id: demo, stages: [a] }\na: { provider: codex, with: { effort: low } }\n";
    let bundle = resolved(workflow, &[("a", graph)], &ProviderMap::default());
    assert_eq!(node(&bundle, 0), json!(["claude-code", { "model": "opus", "effort": "low" }, "600s"]));
    assert_eq!(node(&bundle, 1), json!([null, { "model": "small", "effort": "low" }, null]));
    assert_eq!(node(&bundle, 2), json!(["codex", { "effort": "high" }, "5s"]));
    assert_eq!(node(&bundle, 3), json!([null, null, null]));
    assert!(workflow_core::plan::Plan::load(bundle).is_ok());
    // Lanes with the same options share them; others cannot.
    let lanes = workflow.replace("provider: codex", "providers: [{ provider: codex }, { provider: gemini }]");
    let bundle = resolved(&lanes, &[("a", graph)], &ProviderMap::default());
    assert_eq!(node(&bundle, 1), json!([null, { "model": "small", "effort": "low" }, null]));
    let mut draft = draft(&lanes.replace("gemini", "fast"), &[("a", graph)]);
    let bundle = draft.resolve(&defaults()).unwrap();
    assert_eq!(node(&bundle, 1), json!([null, null, null]));
    assert_eq!(bundle.workflow.stages["a"].providers[1].provider, "claude-code");
    let warnings: Vec<_> = draft.finish().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "2:6: warning[no-effect]: the providers of `a` have different options in `config/providers.yml`, and \
             its nodes share theirs: they are left out; name the provider on the nodes"
        ]
    );
}

#[test]
fn each_value_of_the_settings_says_so() {
    let mut draft = draft(STAGES, &[]);
    let bundle = draft.resolve(&defaults()).unwrap();
    let shown: Vec<_> = draft
        .explain(&bundle, &defaults())
        .into_iter()
        .map(|found| format!("{}.{} = {} ({:?})", found.stage, found.field, found.value, found.from))
        .collect();
    for expected in [
        r#"a.provider = "claude-code" (Providers)"#,
        r#"a.with.model = "haiku" (Providers)"#,
        r#"a.timeout = "600s" (Providers)"#,
        r#"b.with.model = "opus" (Stage)"#,
        r#"b.with.effort = "low" (Providers)"#,
        r#"b.timeout = "60s" (Stage)"#,
        r#"c.provider = "codex" (Stage)"#,
        r#"d.providers[0].provider = "claude-code" (Providers)"#,
        r#"d.providers[0].with.model = "haiku" (Providers)"#,
        r#"d.providers[0].with.cwd = "x" (Stage)"#,
        r#"d.providers[0].timeout = "600s" (Providers)"#,
        r#"d.providers[1].with.model = "big" (Stage)"#,
        r#"e.provider = "host" (Host)"#,
    ] {
        assert!(shown.iter().any(|line| line == expected), "{expected} is not in {shown:#?}");
    }
}

#[test]
fn what_is_wrong_with_an_option_in_a_stage_is_reported_there() {
    let text = "workflow: { id: demo, stages: [a], inputs: { x: {} } }\na: { provider: http }\n";
    let mut draft = definition::read(text.as_bytes(), None);
    let settings = "providers: { http: { with: { url: \"https://${vars.y}\" } } }".to_owned();
    let text = Text { origin: "providers.yml".to_owned(), text: settings, version: Version(String::new()) };
    draft.give(&Part::Providers, Ok(Some(text)));
    assert_eq!(draft.resolve(&defaults()), None);
    let found: Vec<_> = draft.finish().iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("2:1: error[unknown-name]"), "{found:?}");
}
