//! `validate --explain`: the values that stages have, and where they come from.

use super::home::Home;

const FLOW: &str = "workflow:
  name: Flow
  stages: [plan, code]
  defaults: { provider: demo, with: { delay: 1ms }, retries: 1 }
plan: { retries: 4, with: { answers: [done] } }
code: { provider: command, with: { command: [\"true\"] } }
";

#[test]
fn each_value_is_shown_with_where_it_comes_from() {
    let home = Home::new();
    home.write("flow.workflow.yml", FLOW);
    home.write(".orch/config/assignments.yml", "plan: { profile: simple }\ncode: { provider: demo }\n");
    let shown = home.run(&["validate", "--explain", "flow.workflow.yml"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    insta::assert_snapshot!(shown.stdout, @r#"
    flow.workflow.yml: valid
      plan.provider = "demo"  (workflow.defaults, 4:25)
      plan.profile = "simple"  (config/assignments.yml)
      plan.mode = "sequential"  (built in)
      plan.parallel_strategy = "all"  (built in)
      plan.on_failure = "stop"  (built in)
      plan.retries = 4  (the stage, 5:18)
      plan.retry_backoff = "5s"  (built in)
      plan.min_iterations = 0  (built in)
      plan.with.delay = "1ms"  (workflow.defaults, 4:46)
      plan.with.answers = ["done"]  (the stage, 5:38)
      plan.session = "new"  (built in)
      plan.on_interrupt = "rerun"  (built in)
      code.provider = "command"  (the stage, 6:19)
      code.profile = "simple"  (built in)
      code.mode = "sequential"  (built in)
      code.parallel_strategy = "all"  (built in)
      code.on_failure = "stop"  (built in)
      code.retries = 1  (workflow.defaults, 4:62)
      code.retry_backoff = "5s"  (built in)
      code.min_iterations = 0  (built in)
      code.with.command = ["true"]  (the stage, 6:45)
      code.session = "new"  (built in)
      code.on_interrupt = "rerun"  (built in)
    "#);
    let checked = home.run(&["validate", "--explain", "--json", "flow.workflow.yml"]).json().pop().unwrap();
    let first = &checked["effective"][0];
    assert_eq!(
        (&first["stage"], &first["field"], &first["from"]),
        (&"plan".into(), &"provider".into(), &"defaults".into())
    );
    assert_eq!(first["range"]["line"], 4);
    let plain = home.run(&["validate", "flow.workflow.yml"]);
    assert_eq!(plain.stdout, "flow.workflow.yml: valid\n");
}

#[test]
fn the_worktree_of_a_workflow_is_explained_before_its_stages() {
    let home = Home::new();
    home.write("flow.workflow.yml", &FLOW.replace("stages:", "worktree: { base: main }\n  stages:"));
    let shown = home.run(&["validate", "--explain", "flow.workflow.yml"]).stdout;
    assert_eq!(
        shown.lines().skip(1).take(3).map(str::trim).collect::<Vec<_>>(),
        [
            "workflow.worktree.base = \"main\"  (the workflow, 3:21)",
            "workflow.worktree.branch_prefix = \"workflow/\"  (built in)",
            "plan.provider = \"demo\"  (workflow.defaults, 5:25)",
        ]
    );
}

#[test]
fn a_provider_that_does_not_exist_is_reported_once_where_the_defaults_name_it() {
    let home = Home::new();
    home.write(
        "flow.workflow.yml",
        &FLOW.replace("provider: demo", "provider: dmeo").replace("code: { provider: command,", "code: {"),
    );
    let checked = home.run(&["validate", "flow.workflow.yml"]);
    assert_eq!(checked.code, Some(2), "{checked:?}");
    assert_eq!(checked.stdout.matches("error[unknown-provider]").count(), 1, "{checked:?}");
    assert!(checked.stdout.contains("flow.workflow.yml:4:25: error[unknown-provider]"), "{checked:?}");
}

#[test]
fn the_output_of_a_run_is_printed_at_its_end_and_is_in_its_json() {
    let home = Home::new();
    let flow = FLOW.replace("stages:", "output: { did: \"${stages.plan.output}\" }\n  stages:");
    home.write("flow.workflow.yml", &flow);
    let run = home.run(&["run", "flow.workflow.yml"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.ends_with("{\n  \"did\": \"done\"\n}\n"), "{run:?}");
    let view = home.run(&["run", "flow.workflow.yml", "--json"]).json().pop().unwrap();
    assert_eq!(view["output"], serde_json::json!({ "did": "done" }));
    // Without it, it is the output of the last stage, which was shown when the stage ended.
    home.write("flow.workflow.yml", FLOW);
    let view = home.run(&["run", "flow.workflow.yml", "--json"]).json().pop().unwrap();
    assert_eq!(view["output"], view["context"]["stages"]["code"]["output"]);
    assert!(!home.run(&["run", "flow.workflow.yml"]).stdout.ends_with("}\n"));
}

#[test]
fn a_name_of_the_home_stands_for_a_provider_and_a_run_can_replace_it() {
    let home = Home::new();
    let flow =
        "workflow: { name: Flow, stages: [plan] }\nplan: { provider: quick, with: { answers: [done] } }\n";
    home.write("flow.workflow.yml", flow);
    home.write(
        ".orch/config/providers.yml",
        "providers:\n  quick: { provider: demo, with: { delay: 1ms }, timeout: 60000 }\n  other: { provider: demo }\n",
    );
    let shown = home.run(&["validate", "--explain", "flow.workflow.yml"]).stdout;
    let shown: Vec<_> = shown
        .lines()
        .filter(|line| [".provider ", ".with.", ".timeout "].iter().any(|field| line.contains(field)))
        .map(str::trim)
        .collect();
    assert_eq!(
        shown,
        [
            "plan.provider = \"demo\"  (config/providers.yml)",
            "plan.with.delay = \"1ms\"  (config/providers.yml)",
            "plan.with.answers = [\"done\"]  (the stage, 2:43)",
            "plan.timeout = \"60s\"  (config/providers.yml)",
        ]
    );
    let run = home.run(&["run", "flow.workflow.yml", "--map", "quick=other", "--run-id", "mapped"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let report = home.run(&["report", "mapped"]).stdout;
    assert!(report.contains("quick") && report.contains("other"), "{report}");
    // A file of this engine alone makes the home none of the app.
    home.write(
        "plain.workflow.yml",
        "workflow: { name: Plain, stages: [plan] }\nplan: { with: { command: [\"true\"] } }\n",
    );
    assert_eq!(home.run(&["run", "plain.workflow.yml"]).code, Some(0));
    let wrong = home.run(&["run", "flow.workflow.yml", "--map", "quick"]);
    assert!(wrong.stderr.contains("write FROM=TO"), "{wrong:?}");
    let wrong = home.run(&["run", "flow.workflow.yml", "--map", "quick=ohter"]);
    assert!(wrong.stderr.contains("did you mean `other`?"), "{wrong:?}");
}
