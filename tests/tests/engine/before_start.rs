//! The diagnostics of a workflow and its variables before a run starts.

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::data::Data;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_core::status::RunStatus;
use workflow_exec::{Engine, EngineError, StartRun};
use workflow_store::{Folders, FsCatalog};

use crate::host::{Host, folder_with};

/// Answers with its name and the prompt.
struct Named(&'static str);

#[async_trait]
impl Provider for Named {
    async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        Ok(Reply::text(format!("{}: {}", self.0, request.prompt)))
    }
}

/// A home with files, and an engine with the providers `standard`, which is the default, and `fine`.
struct Home {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl Home {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = folder_with(files);
        let engine = Engine::builder()
            .provider("standard", Named("standard"))
            .provider("fine", Named("fine"))
            .default_provider("standard")
            .catalog(FsCatalog::with_folders(folder.path(), Folders::default()).unwrap())
            .build()
            .unwrap();
        Self { folder, engine }
    }

    fn said(&self, text: &str) -> Vec<String> {
        let flow = "flow".parse().unwrap();
        let checked = block_on(self.engine.check(text.as_bytes(), Some(&flow))).unwrap();
        let home = format!("{}/", self.folder.path().display());
        checked.diagnostics.iter().map(|found| found.to_string().replace(&home, "")).collect()
    }

    fn outputs(&self, text: &str, vars: &[(&str, Value)]) -> Result<Vec<String>, EngineError> {
        let flow = "flow".parse().unwrap();
        let checked = block_on(self.engine.check(text.as_bytes(), Some(&flow))).unwrap();
        let plan = checked.plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        let start =
            vars.iter().fold(StartRun::plan(&plan), |start, (name, value)| start.var(*name, value.clone()));
        let view = block_on(self.engine.run(start))?;
        assert_eq!(view.status, RunStatus::Completed, "{:?}", view.error);
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok(view
            .context
            .stages
            .values()
            .map(|stage| text(stage.output.as_ref().map(Data::value).unwrap_or_default()))
            .collect())
    }
}

const FLOW: &str = "workflow: { name: Flow, stages: [ask] }\n";

#[test]
fn the_provider_that_a_role_recommends_counts_after_the_assignments_and_before_the_default() {
    let role = |provider: &str| format!("---\nrecommendedProvider: {provider}\n---\nHello");
    for (files, stage, expected) in [
        (vec![("roles/ask.md", role("fine"))], "", "fine"),
        (vec![("roles/asker.md", role("fine"))], "ask: { role: asker }", "fine"),
        (vec![("roles/ask.md", role("fine"))], "ask: { provider: standard }", "standard"),
        (vec![("roles/ask.md", role("fine"))], "ask: { providers: [{ provider: standard }] }", "standard"),
        (
            vec![("roles/ask.md", role("fine")), ("config/assignments.yml", "ask: standard".to_owned())],
            "",
            "standard",
        ),
        (
            vec![
                ("roles/asker.md", role("fine")),
                ("config/assignments.yml", "ask: { role: asker }".to_owned()),
            ],
            "",
            "fine",
        ),
        // It is a recommendation: without such a provider the default is used.
        (vec![("roles/ask.md", role("nowhere"))], "", "standard"),
    ] {
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let files: Vec<_> = files
            .into_iter()
            .map(|(name, text)| (name, text.replace("ask: standard", "ask: { provider: standard }")))
            .collect();
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let home = Home::new(&files);
        let outputs = home.outputs(&format!("{FLOW}{stage}\n"), &[]).unwrap();
        assert_eq!(outputs, [format!("{expected}: Hello")], "{stage} {files:?}");
    }
}

#[test]
fn a_required_variable_that_an_earlier_stage_sets_does_not_block_the_start() {
    let role = "---\nvariables: [{ name: topic, required: true }]\n---\nOn {{topic}}";
    let home = Home::new(&[("roles/tell.md", role)]);
    let flow = |stages: &str| {
        format!(
            "workflow: {{ name: Flow, stages: [{stages}] }}\nask: {{ prompt: x, set: {{ topic: \"${{output}}\" }} }}\n"
        )
    };
    let outputs = home.outputs(&flow("ask, tell"), &[]).unwrap();
    assert_eq!(outputs, ["standard: x", "standard: On standard: x"]);
    // A later stage does not help.
    let error = home.outputs(&flow("tell, ask"), &[]).unwrap_err();
    assert!(
        matches!(&error, EngineError::Variables(wrong) if wrong == &["role `tell` needs the variable `topic`, a text"]),
        "{error}"
    );
    assert!(home.outputs(&flow("tell, ask"), &[("topic", "it".into())]).is_ok());
}

#[test]
fn a_required_variable_that_was_not_set_after_all_fails_the_call_that_needs_it() {
    let role = "---\nvariables: [{ name: topic, required: true }]\n---\nOn {{topic}}";
    let home = Home::new(&[("roles/tell.md", role)]);
    let text = "workflow: { name: Flow, stages: [ask, tell] }\nask: { when: \"$.vars.no == true\", set: { topic: \"${output}\" } }\n";
    let flow = "flow".parse().unwrap();
    let plan = block_on(home.engine.check(text.as_bytes(), Some(&flow))).unwrap().plan.unwrap();
    let view = block_on(home.engine.run(StartRun::plan(&plan))).unwrap();
    let error = view.error.unwrap();
    assert!(error.message.contains("role `tell` needs the variable `topic`"), "{}", error.message);
}

#[test]
fn an_input_that_both_the_role_and_the_node_name_is_told_once() {
    let role = |inputs: &str| format!("---\ninputs: [{inputs}]\n---\nTell:");
    let graph = |inputs: &str| {
        format!(
            "graph:\n  - {{ id: draft, type: run, role: none, prompt: a draft }}\n  - {{ id: told, type: run, role: teller, inputs: [{inputs}] }}\n  - {{ id: out, type: export, from: told }}\n"
        )
    };
    let draft = "standard: a draft";
    for (of_role, of_node, expected) in [
        ("draft", "draft", format!("standard: Tell:\n\n{draft}")),
        ("draft", "\"${nodes.draft.output}\"", format!("standard: Tell:\n\n{draft}")),
        ("note", "\"${vars.note}\", draft", format!("standard: Tell:\n\nmind this\n\n{draft}")),
        ("\"${vars.note}\"", "\"${vars.note}\"", "standard: Tell:\n\nmind this".to_owned()),
        // Another part, even if it looks the same.
        ("note", "\"mind this\", draft", format!("standard: Tell:\n\nmind this\n\nmind this\n\n{draft}")),
        ("note", "\"${vars.note} \"", "standard: Tell:\n\nmind this\n\nmind this ".to_owned()),
    ] {
        let (role, graph) = (role(of_role), graph(of_node));
        let home = Home::new(&[
            ("roles/teller.md", &role),
            ("roles/none.md", "nothing"),
            ("workflows/stages/ask.two.yml", &graph),
        ]);
        let text = format!("{FLOW}ask: {{ profile: two }}\n");
        let outputs = home.outputs(&text, &[("note", "mind this".into())]).unwrap();
        let last = outputs[0].clone();
        assert!(last.contains(&expected) && last.len() <= expected.len() + 60, "{of_role} {of_node}: {last}");
    }
}

#[test]
fn a_stage_input_that_the_role_names_too_is_told_once() {
    let home = Home::new(&[("roles/tell.md", "---\ninputs: [ask]\n---\nTell:")]);
    let text = "workflow: { name: Flow, stages: [ask, tell] }\nask: { prompt: x }\ntell: { inputs: [\"${stages.ask.output}\"] }\n";
    let outputs = home.outputs(text, &[]).unwrap();
    assert_eq!(outputs[1], "standard: Tell:\n\nstandard: x");
}

#[test]
fn items_that_no_variable_gives_are_said_before_the_run_starts() {
    let profile = |when: &str| {
        format!(
            "graph:\n  - {{ id: who, type: foreach, items: \"${{vars.people}}\", {when}run: {{ type: run, prompt: \"${{item}}\" }} }}\n"
        )
    };
    let wrong = |home: &Home, text: &str| match home.outputs(text, &[]) {
        Err(EngineError::Variables(wrong)) => wrong.join("; "),
        other => format!("{other:?}"),
    };
    let (always, maybe) = (profile(""), profile("when: \"$.vars.no == true\", "));
    let home =
        Home::new(&[("workflows/stages/ask.all.yml", &always), ("workflows/stages/ask.maybe.yml", &maybe)]);
    let all = format!("{FLOW}ask: {{ profile: all }}\n");
    let expected = "the items of the node `who` of the stage `ask` are `${vars.people}`, and there is no variable `people`: set it";
    assert_eq!(wrong(&home, &all), expected);
    assert_eq!(home.outputs(&all, &[("people", json!(["a"]))]).unwrap(), [r#"["standard: a"]"#]);
    // A variable that may be unused, or that another stage sets, may be missing.
    let set = "workflow: { name: Flow, stages: [first, ask] }\nfirst: { prompt: x, set: { people: [\"${output}\"] } }\nask: { profile: all }\n";
    assert_eq!(home.outputs(set, &[]).unwrap()[1], r#"["standard: standard: x"]"#);
    let skipped = format!("{FLOW}ask: {{ profile: maybe }}\n");
    assert!(!wrong(&home, &skipped).contains("people"), "{}", wrong(&home, &skipped));
    let later = all.replace("profile: all", "profile: all, when: \"$.vars.no == true\"");
    assert!(!wrong(&home, &later).contains("people"));
}

#[test]
fn variables_that_nothing_uses_come_with_a_suggestion() {
    let home = Home::new(&[
        ("roles/ask.md", "---\ninputs: [notes]\nvariables: [tone, topic]\n---\nAsk {{topic}}"),
        ("roles/all.md", "{{json vars}}"),
        (
            "workflows/stages/ask.each.yml",
            "graph: [{ id: a, type: foreach, items: \"${vars.people}\", run: { type: run, when: \"$.vars.is_on\" } }]\n",
        ),
    ]);
    let unused = |text: &str, given: &[&str]| {
        let flow = "flow".parse().unwrap();
        let plan = block_on(home.engine.check(text.as_bytes(), Some(&flow))).unwrap().plan.unwrap();
        plan.unused_variables(given.iter().copied())
    };
    let text = format!(
        "{FLOW}ask: {{ profile: each, with: {{ model: \"${{vars.model:-m}}\" }}, when: \"$.vars.on && $.vars.count > 1\" }}\n"
    );
    let used = ["notes", "tone", "topic", "people", "is_on", "model", "on", "count"];
    assert_eq!(unused(&text, &used), Vec::<String>::new());
    assert_eq!(
        unused(&text, &["topik", "topic", "peple", "zzz"]),
        [
            "the variable `topik` is not used by the workflow; did you mean `topic`?",
            "the variable `peple` is not used by the workflow; did you mean `people`?",
            "the variable `zzz` is not used by the workflow",
        ]
    );
    // Something that uses all of them.
    assert!(unused(&format!("{FLOW}ask: {{ role: all }}\n"), &["zzz"]).is_empty());
    assert!(unused(&format!("{FLOW}ask: {{ prompt: x, when: \"$.vars.*\" }}\n"), &["zzz"]).is_empty());
}

#[test]
fn a_loop_that_ends_on_a_text_that_is_json_says_output_json() {
    let host = Host::new();
    let run = |name: &str, stage: &str| {
        let text = format!(
            "workflow: {{ name: Flow, stages: [ask], loop: {{ max_iters: 2, stop_when: \"$.done == true\" }} }}\nask: {{ provider: ann, {stage} }}\n"
        );
        let view = host.sim.block_on(host.engine.run(host.start(name, &text))).unwrap();
        view.error.map(|error| error.message.clone()).unwrap_or_default()
    };
    let json = "with: { ann: { reply: '{\"done\": true}' } }";
    let message = run("r1", json);
    assert!(message.ends_with("write `output: json` there"), "{message}");
    assert_eq!(run("r2", &format!("{json}, output: json")), "");
    let message = run("r3", "with: { ann: { reply: 'not done' } }");
    assert_eq!(message, "loop exhausted: `stop_when` was not met in 2 iterations");
}

#[test]
fn a_stage_called_workflow_is_one_error() {
    let home = Home::new(&[]);
    for text in [
        "workflow: { name: Flow, stages: [workflow] }\n",
        "workflow: { name: Flow, stages: [ask, workflow] }\nask: { prompt: x }\n",
        "workflow: { name: Flow, stages: [ask, workflow], loop: { max_iters: 2, stop_when: $.done } }\nask: { prompt: x }\n",
    ] {
        let said = home.said(text);
        assert!(said.len() == 1 && said[0].contains("no stage can be called `workflow`"), "{said:?}");
    }
}

#[test]
fn a_role_with_errors_does_not_hide_what_is_wrong_with_its_schema() {
    let home = Home::new(&[
        ("roles/ask.md", "---\noutput_schema: schemas/a.json\n---\n{{lost}}\n"),
        ("schemas/a.json", "{ \"type\": \"objet\" }\n"),
    ]);
    let said = home.said("workflow: { name: Flow, stages: [ask] }\n");
    let lines = |part: &str| said.iter().filter(|line| line.contains(part)).count();
    assert_eq!((lines("roles/ask.md"), lines("schemas/a.json")), (1, 1), "{said:#?}");
}
