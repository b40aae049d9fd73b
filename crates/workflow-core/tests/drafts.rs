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

/// A stage whose profile includes two others, of which the second includes a third.
const INCLUDING: &str = "workflow: { id: demo, name: Demonstration, stages: [plan] }
plan: { provider: one, profile: deep }
";

fn graph_of(bundle: &Bundle) -> Vec<String> {
    let nodes = bundle.profiles["plan"].graph.iter();
    nodes.map(|node| format!("{} after {:?}", node.id, node.after)).collect()
}

#[test]
fn a_profile_has_the_nodes_of_those_that_it_includes() {
    let mut draft = definition::read(INCLUDING.as_bytes(), None);
    let files = [
        (
            "profile `plan.deep`",
            Ok("vars: { a: 1 }
include: [{ profile: check.lint, after: do }, check.more]
graph:
  - { id: do, prompt: Do it }
  - { id: sum, type: reduce, from: [style, types], strategy: concat }
"),
        ),
        (
            "profile `check.lint`",
            Ok("vars: { a: 2, b: 3 }
graph: [{ id: style, prompt: '${vars.b}', output_schema: s.json }, { id: types, prompt: x, after: style }]
"),
        ),
        (
            "profile `check.more`",
            Ok("include: { profile: check.last, after: [first] }\ngraph: [{ id: first, prompt: x }]"),
        ),
        ("profile `check.last`", Ok("graph: [{ id: last, prompt: x, skills: [lost] }]")),
        ("schema `s.json`", Ok("{}")),
    ];
    let asked = look_up(&mut draft, &files);
    assert_eq!(
        asked,
        [
            "the assignments, the settings of providers",
            "profile `plan.deep`",
            "profile `check.lint`, profile `check.more`",
            "profile `check.last`",
            "schema `s.json`",
        ]
    );
    let bundle = draft.resolve(&Defaults::default()).unwrap();
    let export = definition::Export::new(INCLUDING, &draft, &bundle).unwrap();
    insta::assert_snapshot!(Diagnostics(draft.finish()), @"profile `check.last`:1:41: warning[missing-skill]: there is no skill `lost`: it is left out");
    assert_eq!(
        graph_of(&bundle),
        [
            "do after []",
            "sum after []",
            r#"style after ["do"]"#,
            r#"types after ["style", "do"]"#,
            "first after []",
            r#"last after ["first"]"#,
        ]
    );
    let profile = &bundle.profiles["plan"];
    assert_eq!((&profile.vars["a"], &profile.vars["b"]), (&1.into(), &3.into()));
    assert_eq!(profile.include, []);
    let parts: Vec<_> = export.parts.iter().map(|(part, _)| part.to_string()).collect();
    let exported =
        ["check.last", "check.lint", "check.more", "plan.deep"].map(|name| format!("profile `{name}`"));
    assert_eq!(parts[..4], exported);
    assert_eq!(definition::Export::from_yaml(export.to_yaml().unwrap().as_bytes()).unwrap(), export);
    Plan::compile(bundle).unwrap();
}

#[test]
fn what_is_wrong_with_an_included_profile_is_reported_where_it_stands() {
    let wrong = |deep: &str, lint: &str| {
        let mut draft = definition::read(INCLUDING.as_bytes(), None);
        let files = [("profile `plan.deep`", Ok(deep)), ("profile `check.lint`", Ok(lint))];
        look_up(&mut draft, &files);
        draft.resolve(&Defaults::default());
        Diagnostics(draft.finish()).to_string()
    };
    let node = "graph: [{ id: a, prompt: x }]";
    let mut told = Vec::new();
    for (deep, lint) in [
        ("include: check.lnt\ngraph: [{ id: b, prompt: x, after: c }]", node),
        ("include: [check.lint, check.lint]", node),
        ("include: plan.deep", node),
        ("include: check.lint", "include: plan.deep"),
        ("include: check.lint\ngraph: [{ id: a, prompt: x }]", node),
        ("include: { profile: check.lint, after: b }", node),
        ("include: check.lint\ngraph: [{ id: b, prompt: x, after: c }]", node),
        ("include: check.lint", "graph: [{ id: a, prompt: '${nodes.b.output}' }]"),
        ("include: check.lint", "graph: [{ id: a, prompt: x, output_schema: lost.json }]"),
        ("include: check.lint", "graph: [{ id: a, prompt: '${vars.x' }]"),
        ("include: check.lint", "graph: [{ id: a, prompt: x, what: 1 }]"),
        ("include: { profile: check.lint, after: b }\ngraph: [{ id: b, prompt: x, after: a }]", node),
        ("include: lint", node),
        ("include: { profile: 1, before: b }", node),
        ("include: [1, {}]", node),
        ("include: check.lint\ngraph: []", node),
        ("graph: []", node),
    ] {
        told.push(format!("{deep}\n  {}\n", wrong(deep, lint).replace('\n', "\n  ")));
    }
    insta::assert_snapshot!("included_profiles", told.join("\n"));
}

#[test]
fn a_profile_that_was_built_in_rust_includes_others() {
    let profile = |text: &str| definition::parse_profile(text.as_bytes(), None).profile.unwrap();
    let workflow = Workflow::new("demo".parse().unwrap(), "Demonstration")
        .stage("plan".parse().unwrap(), Stage { profile: Some("deep".to_owned()), ..Stage::new("one") });
    let mut library = Library::default();
    for (stage, id, text) in [
        ("plan", "deep", "include: check.lint\ngraph: [{ id: a, prompt: x, after: b }]"),
        ("check", "lint", "graph: [{ id: b, prompt: x }]"),
    ] {
        library.profiles.insert((stage.parse().unwrap(), id.parse().unwrap()), profile(text));
    }
    let mut draft = Draft::built(workflow.clone(), library.clone());
    let bundle = draft.resolve(&Defaults::default()).unwrap();
    assert_eq!(graph_of(&bundle), [r#"a after ["b"]"#, "b after []"]);
    assert_eq!(draft.finish(), []);

    library.profiles.remove(&("check".parse().unwrap(), "lint".parse().unwrap()));
    let mut draft = Draft::built(workflow, library.clone());
    assert!(draft.resolve(&Defaults::default()).is_none());
    insta::assert_snapshot!(Diagnostics(draft.finish()), @"profile plan.deep: include: error[missing-profile]: there is no profile `check.lint`: write the file `workflows/stages/check.lint.yml`");

    // Such a bundle comes from a host.
    let mut bundle = bundle.into_bundle().as_ref().clone();
    let including = library.profiles.into_values().next().unwrap();
    bundle.profiles.insert("plan".parse().unwrap(), including);
    let refused = definition::CheckedBundle::check(bundle).unwrap_err();
    insta::assert_snapshot!(refused, @"plan: include: error[missing-profile]: the nodes of the profiles that it includes are not in its `graph`: a draft adds them");
}
