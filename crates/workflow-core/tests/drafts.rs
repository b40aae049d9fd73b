//! Drafts: which parts they request, their diagnostics, and the resulting bundles.

#![cfg(all(feature = "json-schema", feature = "roles"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use workflow_core::bundle::{Bundle, ProviderMap};
use workflow_core::catalog::{Part, Text, Version};
use workflow_core::definition::{self, Defaults, Diagnostics, Draft, Lane, Library, Stage, Workflow};
use workflow_core::ids::RoleId;
use workflow_core::plan::Plan;

const WORKFLOW: &str = "workflow: { id: demo, name: Demonstration, stages: [plan, code] }
plan: { provider: one, role: planner, profile: deep }
code: { provider: one, output_schema: a.json }
";

/// Gives a draft the requested parts from `files`, by the names of the parts; returns the requests, one line
/// each.
fn look_up(draft: &mut Draft, files: &[(&str, Result<&str, &str>)]) -> Vec<String> {
    let roles: Vec<RoleId> = ["planner", "other"].map(|id| id.parse().unwrap()).into();
    let mut asked = Vec::new();
    loop {
        let wanted = draft.wanted(&Defaults::default(), &roles);
        if wanted.is_empty() {
            return asked;
        }
        asked.push(wanted.iter().map(Part::to_string).collect::<Vec<_>>().join(", "));
        for part in wanted {
            let name = part.to_string();
            let found = files.iter().find(|(file, _)| *file == name).map(|(_, text)| *text);
            let text = |text: &str| Text {
                origin: name.clone(),
                text: text.to_owned(),
                version: Version(String::new()),
            };
            let found = found.transpose().map(|found| found.map(text)).map_err(str::to_owned);
            draft.give(&part, found);
        }
    }
}

#[test]
fn a_draft_asks_for_each_file_once_and_for_what_files_refer_to() {
    let mut draft = definition::read(WORKFLOW.as_bytes(), None);
    let asked = look_up(
        &mut draft,
        &[
            ("profile `plan.deep`", Ok("graph: [{ id: a, prompt: Do it, output_schema: b.json }]")),
            ("role `planner`", Ok("---\noutput_schema: a.json\n---\nPlan.")),
            ("schema `a.json`", Ok(r#"{ "$ref": "c.json" }"#)),
            ("schema `b.json`", Ok("{}")),
            ("schema `c.json`", Ok(r#"{ "items": { "$ref": "a.json" } }"#)),
        ],
    );
    assert_eq!(
        asked,
        [
            "the assignments, the settings of providers",
            "profile `plan.deep`, profile `code.simple`",
            "role `planner`",
            "schema `a.json`, schema `b.json`",
            "schema `c.json`",
        ]
    );
    let bundle = draft.resolve(&Defaults::default());
    assert_eq!(draft.finish(), []);
    let bundle = bundle.unwrap();
    assert_eq!(bundle.schemas.keys().collect::<Vec<_>>(), ["a.json", "b.json", "c.json"]);
    assert_eq!(Plan::compile(bundle.clone()).unwrap().hash(), &bundle.hash().unwrap());
}

#[test]
fn a_file_that_several_fields_refer_to_is_reported_once() {
    let text = WORKFLOW.replace("profile: deep", "output_schema: a.json");
    let mut draft = definition::read(text.as_bytes(), None);
    look_up(
        &mut draft,
        &[
            ("role `planner`", Ok("---\noutput_schema: a.json\ninputs: 1\n---\nPlan.")),
            ("schema `a.json`", Err("it is too large")),
        ],
    );
    assert!(draft.resolve(&Defaults::default()).is_none());
    insta::assert_snapshot!(Diagnostics(draft.finish()), @r"
    2:30: error[bad-file]: it is too large
    role `planner`:3:9: error[wrong-type]: `inputs` has to be a list, as `[a, b]`, not the number 1
    ");
}

#[test]
fn what_stages_get_from_the_assignments_and_the_defaults_is_checked_too() {
    let text =
        "workflow: { id: demo, name: Demonstration, stages: [plan, code] }\nplan: { retries: 1 }\ncode: {}\n";
    let mut draft = definition::read(text.as_bytes(), None);
    look_up(&mut draft, &[("the assignments", Ok("plan: '${vars.'"))]);
    let defaults = Defaults { provider: Some("${stages.lost.output}".to_owned()), ..Defaults::default() };
    assert!(draft.resolve(&defaults).is_none());
    insta::assert_snapshot!(Diagnostics(draft.finish()), @r"
    2:1: error[bad-expression]: `${` is not closed: add a `}`, or write `$${` where the text `${` is meant
    3:1: error[dangling-stage]: there is no stage `lost`: write `plan` or `code`
    ");
}

#[test]
fn a_graph_that_waits_for_a_person_or_ends_the_run_is_refused_in_a_stage_of_finally() {
    let text = "workflow: { id: demo, name: Demonstration, stages: [plan], finally: [code] }
plan: { provider: one, profile: deep }
code: { provider: one, profile: deep }
";
    let graph = "graph:
  - { id: pick, type: ask, question: Which? }
  - { id: each, type: foreach, items: [1], run: { type: foreach, items: [2], run: { type: ask, question: And? } } }
  - { id: do, type: run, prompt: x, approval: Do it? }
  - { id: all, type: foreach, items: [1], run: { type: run, on_interrupt: ask, approval: 'Do ${item}?' } }
  - { id: sum, type: reduce, from: [do], strategy: summarize, approval: Sum? }
  - { id: again, type: run, prompt: x, on_interrupt: rerun }
  - { id: over, type: end, when: $.nodes.do.output }
  - { id: later, type: wait, for: 1s }
";
    let files = [("profile `plan.deep`", Ok(graph)), ("profile `code.deep`", Ok(graph))];
    let mut draft = definition::read(text.as_bytes(), None);
    look_up(&mut draft, &files);
    assert!(draft.resolve(&Defaults::default()).is_none());
    insta::assert_snapshot!(Diagnostics(draft.finish()), @r"
    profile `code.deep`:2:23: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave the node `pick` out
    profile `code.deep`:3:91: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave the node `each` out
    profile `code.deep`:4:47: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave `approval` out
    profile `code.deep`:5:75: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave `on_interrupt` out
    profile `code.deep`:5:90: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave `approval` out
    profile `code.deep`:6:73: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave `approval` out
    profile `code.deep`:8:23: error[conflicting-fields]: a stage of `finally` runs when the run ends anyway: leave the node `over` out
    profile `code.deep`:9:24: error[conflicting-fields]: a stage of `finally` does not wait, as its time is limited: leave the node `later` out
    ");

    // A bundle that comes from elsewhere keeps the same rules.
    let mut draft = definition::read(text.as_bytes(), None);
    look_up(&mut draft, &[files[0], ("profile `code.deep`", Ok("graph: [{ id: a, prompt: x }]"))]);
    let mut bundle = Bundle::clone(&draft.resolve(&Defaults::default()).unwrap());
    bundle.profiles.insert("code".parse().unwrap(), bundle.profiles["plan"].clone());
    insta::assert_snapshot!(Plan::load(bundle).unwrap_err(), @r"
    code: graph[0].type: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave the node `pick` out
    code: graph[1].run.run.type: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave the node `each` out
    code: graph[2].approval: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave `approval` out
    code: graph[3].run.approval: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave `approval` out
    code: graph[3].run.on_interrupt: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave `on_interrupt` out
    code: graph[4].approval: error[conflicting-fields]: a stage of `finally` does not wait for a person, as its time is limited: leave `approval` out
    code: graph[6].type: error[conflicting-fields]: a stage of `finally` runs when the run ends anyway: leave the node `over` out
    code: graph[7].type: error[conflicting-fields]: a stage of `finally` does not wait, as its time is limited: leave the node `later` out
    ");
}

#[test]
fn ranges_are_those_of_the_values_in_the_text() {
    let draft = definition::read(WORKFLOW.as_bytes(), None);
    for (path, value) in [
        ("plan.role", "planner"),
        ("workflow.stages[1]", "code"),
        ("code", "{ provider: one, output_schema: a.json }"),
        ("code.nothing", "{ provider: one, output_schema: a.json }"),
    ] {
        let range = draft.range(path).unwrap();
        assert_eq!(&WORKFLOW[range.start..range.end], value, "{path}");
    }
    assert_eq!(definition::read(b"[", None).range("code"), None);
}

#[test]
fn a_bundle_that_no_draft_made_is_checked_when_it_is_loaded() {
    let mut stage = Stage::with_lanes([Lane::new("one")]);
    stage.retries = Some(99);
    let workflow =
        Workflow::new("demo".parse().unwrap(), "Demonstration").stage("plan".parse().unwrap(), stage);
    let refused = Plan::load(Bundle::new(workflow.clone())).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "plan.retries: error[out-of-range]: `retries` has to be a whole number from 0 to 10"
    );
    let mut draft = Draft::built(workflow, Library::default());
    assert!(draft.resolve(&Defaults::default()).is_none());
    assert_eq!(draft.finish(), refused.0);
}

#[test]
fn a_replacement_whose_name_is_a_template_is_checked() {
    let mut draft =
        definition::read(b"workflow: { id: demo, name: Demo, stages: [a] }\na: { provider: one }", None);
    let bundle = draft.resolve(&Defaults::default()).unwrap();
    assert!(bundle.clone().with_providers(&ProviderMap::all("two")).is_ok());
    assert!(bundle.clone().with_providers(&ProviderMap::all(" ")).is_err());
    assert!(bundle.with_providers(&ProviderMap::from_iter([("one", "${vars.")])).is_err());
}
