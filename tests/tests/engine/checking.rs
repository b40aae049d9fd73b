//! The diagnostics of an engine for a workflow and all the files that it refers to.

use std::fs;
use std::path::Path;

use futures::executor::block_on;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_exec::{Checked, Engine, EngineError, StartRun};
use workflow_store::{Folders, FsCatalog};

use crate::host::folder_with;

/// A provider that has a skill of its own, and takes options of one kind.
struct Agent;

#[async_trait]
impl Provider for Agent {
    async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        Ok(Reply::text(request.prompt))
    }

    fn has_skill(&self, name: &str) -> bool {
        name == "built-in"
    }

    fn check_options(&self, options: &serde_json::Value) -> Result<(), String> {
        match options.get("model") {
            Some(model) if !model.is_string() => Err("`model` has to be a text".to_owned()),
            _ => Ok(()),
        }
    }
}

/// A home with files, and an engine that reads it.
struct Home {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl Home {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = folder_with(files);
        let mut more = Folders::default();
        more.roles = vec![folder.path().join("shared-roles")];
        more.skills = vec![folder.path().join("shared-skills")];
        let catalog = FsCatalog::with_folders(folder.path().join("home"), more).unwrap();
        let engine = Engine::builder()
            .provider("agent", Agent)
            .default_provider("agent")
            .catalog(catalog)
            .build()
            .unwrap();
        Self { folder, engine }
    }

    fn check(&self, text: &str) -> Checked {
        block_on(self.engine.check(text.as_bytes(), Some(&"flow".parse().unwrap()))).unwrap()
    }

    /// All diagnostics, with the names of files as they are in the home.
    fn said(&self, text: &str) -> String {
        let home = self.folder.path().join("home").display().to_string();
        let checked = self.check(text);
        let is_wrong = checked.diagnostics.iter().any(workflow_core::definition::Diagnostic::is_error);
        assert_eq!(checked.plan.is_none(), is_wrong, "{:?}", checked.diagnostics);
        let lines = checked.diagnostics.iter().map(|found| format!("{found}\n"));
        lines
            .collect::<String>()
            .replace(&(home + "/"), "")
            .replace(&*self.folder.path().to_string_lossy(), "")
    }

    fn prompt_of(&self, text: &str, vars: &[(&str, serde_json::Value)]) -> Result<String, EngineError> {
        let plan = self.check(text).plan.expect("no errors");
        let start =
            vars.iter().fold(StartRun::plan(&plan), |start, (name, value)| start.var(*name, value.clone()));
        let run = block_on(self.engine.run(start))?;
        Ok(run.context.stages["ask"].output.as_ref().unwrap().value().as_str().unwrap().to_owned())
    }
}

const ASK: &str = "workflow: { name: Flow, stages: [ask] }\n";

#[test]
fn everything_that_is_wrong_with_all_files_is_told_at_once_with_its_place() {
    let home = Home::new(&[
        ("home/config/assignments.yml", "ask: { role: asker }\nplan: { rol: planner }\n"),
        (
            "home/roles/asker.md",
            "---\nname: 5\nvariables: [{ name: a, type: text }]\n---\nHello\n{{jsn a}} {{lost}}\n",
        ),
        ("home/roles/checker.md", "---\noutput_schema: schemas/check.json\n---\n{{ask}}\n  {{chek}}\n"),
        (
            "home/workflows/stages/ask.gate.yml",
            "graph:\n  - { id: a, type: rnu }\n  - { id: b, inputs: [\"${stages.lost.output}\"] }\n",
        ),
        (
            "home/workflows/stages/check.deep.yml",
            "grph: 1\ngraph:\n  - { id: a, role: checker, provider: agnt }\n  - { id: b, role: nobody, with: { model: 5 }, provider: agent }\n",
        ),
        (
            "home/schemas/check.json",
            "{\n  \"type\": \"objet\",\n  \"items\": { \"$ref\": \"part.json\" }\n}\n",
        ),
        ("home/schemas/part.json", "{\n  \"items\": { \"$ref\": \"../../x.json\" }\n}\n"),
        ("home/schemas/plan.json", "{ \"items\": { \"$ref\": \"lost.json\" },\n  \"a\": }\n"),
    ]);
    let said = home.said(
        "workflow: { name: Flow, stages: [ask, check] }
ask: { profile: gate, retries: 99, output_schema: schemas/plan.json }
check:
  profile: deep
  provider: agent
  skills: [built-in, lost]
  role: chekcer
",
    );
    insta::assert_snapshot!("everything_at_once", said);
}

#[test]
fn options_of_each_provider_of_a_stage_are_checked() {
    let home =
        Home::new(&[("home/workflows/stages/both.deep.yml", "graph: [{ id: a, type: run, prompt: a }]\n")]);
    let text = "workflow: { name: Flow, stages: [ask] }\nask:\n  mode: parallel\n  with: { model: [] }\n  \
                providers:\n    - { provider: agent, with: { model: 1 }, timeout: 0, env: { A: [] } }\n    \
                - { provider: agent, with: { model: m }, prompt: \"${output}\" }\n";
    insta::assert_snapshot!(home.said(text), @r"
    6:26: error[bad-options]: `model` has to be a text
    6:55: error[out-of-range]: `timeout` has to be more than 0; leave it out for no limit
    6:65: error[wrong-type]: `A` has to be a text, a number or a truth value
    7:55: error[unknown-name]: `output` is known only under `set`: write `stages.NAME.output`
    ");
    let text = "workflow: { name: Flow, stages: [both] }\n\
                both: { profile: deep, providers: [{ provider: agent, with: { model: m } }] }\n";
    let said = home.said(text);
    assert!(said.contains("`with` of a provider is for stages without a graph"), "{said}");
}

#[test]
fn a_file_with_errors_shows_its_warnings_too() {
    let home = Home::new(&[
        ("home/config/assignments.yml", "ask: { provider: agent, rol: x }\nplan: 5\n"),
        ("home/roles/asker.md", "---\nnme: x\nvariables: [{ name: a, type: text }]\n---\nHello\n"),
        (
            "home/workflows/stages/ask.gate.yml",
            "nme: Gate\ngraph:\n  - { id: a, type: rnu }\n  - { id: b, type: run, promt: x, model: opus }\n",
        ),
    ]);
    insta::assert_snapshot!(home.said(&format!("{ASK}ask: {{ role: asker, profile: gate, retrys: 1, retries: x }}\n")), @r"
    2:36: warning[unknown-key]: `retrys` is not known here and is ignored; did you mean `retries`?
    2:56: error[wrong-type]: `retries` has to be a whole number, not a text
    config/assignments.yml:1:25: warning[unknown-key]: `rol` is not known here and is ignored; did you mean `role`?
    config/assignments.yml:2:7: error[wrong-type]: `plan` has to be a mapping, as `key: value`, not the number 5
    roles/asker.md:2:1: warning[unknown-key]: `nme` is not known here and is ignored; did you mean `name`?
    roles/asker.md:3:30: error[unknown-value]: `text` is not a value of `type`: write `string`, `number`, `integer`, `boolean`, `array` or `object`
    workflows/stages/ask.gate.yml:1:1: warning[unknown-key]: `nme` is not known here and is ignored; did you mean `name`?
    workflows/stages/ask.gate.yml:3:20: error[unknown-value]: `rnu` is not a value of `type`: write `run`, `foreach`, `loop`, `reduce`, `branch`, `export`, `ask`, `set`, `wait`, `end`, `workflow` or `graph`; did you mean `run`?
    workflows/stages/ask.gate.yml:4:25: warning[unknown-key]: `promt` is not known here and is ignored; did you mean `prompt`?
    workflows/stages/ask.gate.yml:4:35: warning[unknown-key]: `model` is not a field here and is ignored: options of the provider are written as `with: { model: opus }`
    ");
}

#[test]
fn what_several_stages_share_is_reported_once() {
    let home = Home::new(&[
        ("home/roles/asker.md", "---\nnme: x\noutput_schema: schemas/a.json\n---\n{{lost}}\n"),
        ("home/schemas/a.json", "{ \"type\": \"objet\" }\n"),
        ("home/config/assignments.yml", "plan: { provider: gone }\nask: { provider: agent, modle: x }\n"),
        (
            "home/workflows/stages/ask.two.yml",
            "graph:\n  - { id: a, role: asker, nme: x }\n  - { id: b, role: asker }\n",
        ),
    ]);
    let text = "workflow: { name: Flow, stages: [plan, ask, tell] }
plan: { role: asker, output_schema: schemas/a.json }
ask: two
tell: { role: asker, provider: agent }
";
    insta::assert_snapshot!(home.said(text), @r"
    config/assignments.yml:1:19: error[unknown-provider]: no provider is registered as `gone` (registered: agent) (`plan` names no provider and gets `gone`, from the assignments of the home: write `provider: NAME` at the stage)
    config/assignments.yml:2:25: warning[unknown-key]: `modle` is not known here and is ignored
    roles/asker.md:2:1: warning[unknown-key]: `nme` is not known here and is ignored; did you mean `name`?
    roles/asker.md:5:1: error[bad-template]: `lost` is not declared: write it under `variables` or `inputs` (known: guards, inputs, item, iteration, nodes, run, stage, stages, vars, plan, ask, tell, previous)
    schemas/a.json:1:11: error[bad-schema]: `objet` is not a type: write `string`, `number`, `integer`, `boolean`, `array`, `object` or `null`; did you mean `object`?
    workflows/stages/ask.two.yml:2:27: warning[unknown-key]: `nme` is not known here and is ignored
    ");
}

#[test]
fn a_profile_that_can_be_read_is_checked_against_the_engine() {
    let home = Home::new(&[(
        "home/workflows/stages/ask.two.yml",
        "graph:
  - { id: a, provider: agnt }
  - { id: b, type: foreach, items: [1], run: { type: run, provider: agent, with: { model: 5 } } }
  - { id: c, type: run, provider: \"${vars.who}\", skills: [lost, built-in] }
",
    )]);
    insta::assert_snapshot!(home.said(&format!("{ASK}ask: two\n")));
}

#[test]
fn a_role_that_was_only_defaulted_may_be_missing_and_one_that_was_named_may_not() {
    let home = Home::new(&[("home/roles/asker.md", "Ask."), ("shared-roles/helper.md", "Help.")]);
    assert_eq!(home.said(ASK), "");
    assert_eq!(home.said(&format!("{ASK}ask: {{ role: helper }}\n")), "");
    insta::assert_snapshot!(home.said(&format!("{ASK}ask: {{ role: aske }}\n")));
    insta::assert_snapshot!(
        home.said(&format!("{ASK}ask: {{ providers: [{{ provider: agent, role: lost }}] }}\n"))
    );
    insta::assert_snapshot!(home.said(&format!("{ASK}ask: {{ profile: gate }}\n")));
    insta::assert_snapshot!(home.said(&format!("{ASK}ask: {{ output_schema: schemas/lost.json }}\n")));

    let assigned = Home::new(&[(
        "home/config/assignments.yml",
        "ask: { role: lost, profile: gone, provider: nobody }\n",
    )]);
    insta::assert_snapshot!(assigned.said(ASK));
}

#[test]
fn assignments_fill_in_what_a_stage_leaves_out() {
    let home = Home::new(&[
        ("home/config/assignments.yml", "stages:\n  ask: { provider: agent, role: asker, profile: two }\n"),
        ("home/roles/asker.md", "Asked by the role."),
        ("home/roles/other.md", "Asked by another."),
        ("home/workflows/stages/ask.two.yml", "graph: [{ id: a }, { id: b, inputs: [a] }]"),
    ]);
    let plan = home.check(ASK).plan.unwrap();
    let stage = &plan.workflow().stages["ask"];
    assert_eq!(
        (stage.providers[0].provider.as_str(), stage.role.as_deref(), stage.profile.as_deref()),
        ("agent", Some("asker"), Some("two"))
    );
    assert_eq!(home.prompt_of(ASK, &[]).unwrap(), "Asked by the role.\n\nAsked by the role.");
    let own = format!("{ASK}ask: {{ role: other, profile: simple }}\n");
    assert_eq!(home.prompt_of(&own, &[]).unwrap(), "Asked by another.");
}

#[test]
fn a_missing_skill_is_a_warning() {
    let home = Home::new(&[
        ("home/skills/review/SKILL.md", "Review."),
        ("shared-skills/deploy/SKILL.md", "Deploy."),
        ("home/roles/asker.md", "---\nskills: [gone, review, \"Bash(git:*)\"]\n---\nAsk."),
    ]);
    let text = format!("{ASK}ask: {{ role: asker, skills: [review, deploy, built-in, lost] }}\n");
    insta::assert_snapshot!(home.said(&text));
    let plan = home.check(&text).plan.unwrap();
    let skills: Vec<_> = plan.bundle().skills.keys().map(String::as_str).collect();
    assert_eq!(skills, ["deploy", "review"]);
}

#[test]
fn what_must_not_be_read_is_a_problem_of_the_field_that_names_it() {
    let home = Home::new(&[
        ("home/roles/latin.md", "x"),
        ("home/skills/bad/SKILL.md", "x"),
        ("home/schemas/a.json", "x"),
    ]);
    for name in ["roles/latin.md", "skills/bad/SKILL.md", "schemas/a.json"] {
        fs::write(home.folder.path().join("home").join(name), b"caf\xe9").unwrap();
    }
    let text = format!("{ASK}ask:\n  role: latin\n  skills: [bad]\n  output_schema: schemas/a.json\n");
    insta::assert_snapshot!(home.said(&text));
}

const ROLE: &str = "---
inputs: [notes]
guards: [\"Keep to {{style}}\"]
variables:
  - { name: feature, required: true }
  - { name: style, default: plain }
  - { name: count, type: number }
  - { name: tags, type: array }
---
Build {{feature}} with {{json tags}} ({{count}}){{#if notes}} and {{notes}}{{/if}}
";

#[test]
fn variables_are_checked_at_start_and_rendered_with_their_defaults() {
    let home = Home::new(&[("home/roles/ask.md", ROLE)]);
    let prompt = |vars: &[(&str, serde_json::Value)]| home.prompt_of(ASK, vars);
    assert_eq!(prompt(&[("feature", "it".into())]).unwrap(), "Build it with [] (0)\n\n- Keep to plain");
    assert_eq!(
        prompt(&[
            ("feature", "{{style}} ${vars.count} {{> x}}".into()),
            ("style", "{{feature}}".into()),
            ("count", 3.into()),
            ("tags", serde_json::json!(["<a>"])),
            ("notes", "{{json vars}}".into()),
        ])
        .unwrap(),
        "Build {{style}} ${vars.count} {{> x}} with [\n  \"<a>\"\n] (3) and {{json vars}}\n\n- Keep to {{feature}}\n\n{{json vars}}"
    );
    let refused = |vars: &[(&str, serde_json::Value)]| prompt(vars).unwrap_err().to_string();
    insta::assert_snapshot!(refused(&[]));
    insta::assert_snapshot!(refused(&[
        ("feature", 5.into()),
        ("count", "three".into()),
        ("tags", "a".into())
    ]));
}

#[test]
fn a_prompt_replaces_the_body_and_inputs_and_guards_follow_it() {
    let role = "---\ninputs: [notes, \"${vars.more}\"]\nguards: [Be kind]\n---\nThe body {{#each inputs}}[{{this}}]{{/each}}";
    let home = Home::new(&[("home/roles/ask.md", role)]);
    let vars = [("notes", "the notes".into()), ("more", "more".into())];
    assert_eq!(
        home.prompt_of(&format!("{ASK}ask: {{ inputs: [own] }}\n"), &vars).unwrap(),
        "The body [the notes][more][own]\n\n- Be kind"
    );
    assert_eq!(
        home.prompt_of(&format!("{ASK}ask: {{ inputs: [own], prompt: \"Instead {{{{notes}}}}\" }}\n"), &vars)
            .unwrap(),
        "Instead {{notes}}\n\n- Be kind\n\nthe notes\n\nmore\n\nown"
    );
}

#[test]
fn no_part_of_a_home_leads_out_of_it() {
    let home = Home::new(&[("home/x", ""), ("outside.md", "secret"), ("outside.json", "{}")]);
    let roles = home.folder.path().join("home/roles");
    fs::create_dir(&roles).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(Path::new("../../outside.md"), roles.join("asker.md")).unwrap();
    #[cfg(unix)]
    insta::assert_snapshot!(home.said(&format!("{ASK}ask: {{ role: asker }}\n")));
    insta::assert_snapshot!(
        home.said(&format!("{ASK}ask: {{ role: ../outside, output_schema: ../outside.json }}\n"))
    );
}
