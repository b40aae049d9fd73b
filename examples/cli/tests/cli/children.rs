//! Runs that nodes of other runs start.

use super::home::{Home, stable};

/// Two workflows: `each` runs `one` for each of these items, which fails for `bad`.
fn home(items: &str) -> Home {
    let home = Home::new();
    home.write(
        ".orch/workflows/each.workflow.yml",
        "workflow: { name: For each, stages: [work] }\nwork: { provider: command, profile: items }\n",
    );
    home.write(
        ".orch/workflows/stages/work.items.yml",
        &format!(
            "graph:\n  - id: each\n    type: foreach\n    items: {items}\n    on_failure: continue\n    run: {{ type: workflow, \
             workflow: one, vars: {{ of: \"${{item}}\" }} }}\n"
        ),
    );
    home.write(
        ".orch/workflows/one.workflow.yml",
        "workflow: { name: One, inputs: { of: {} }, stages: [call] }\n\
         call: { provider: command, with: { command: [test, \"${vars.of}\", \"!=\", bad] } }\n",
    );
    home
}

#[test]
fn runs_are_listed_by_the_run_that_started_them() {
    let home = home("[a, b]");
    assert_eq!(home.run(&["run", "each", "--run-id", "r1"]).code, Some(0));
    assert_eq!(home.run(&["run", "each", "--run-id", "r2"]).code, Some(0));
    assert_eq!(home.run(&["runs", "--json"]).json().len(), 6);
    let started = home.run(&["runs", "--parent", "r1", "--json"]).json();
    let paths: Vec<_> = started.iter().map(|run| &run["parent"]).collect();
    assert!(
        started.iter().all(|run| run["parent"]["run"] == "r1" && run["workflowId"] == "one"),
        "{started:?}"
    );
    assert_eq!(
        (&paths[0]["path"], &paths[1]["path"]),
        (&"1/work[0]/each[0]".into(), &"1/work[0]/each[1]".into())
    );
    for (args, expected) in [
        (&["--parent", "r2", "--limit", "1"][..], 1),
        (&["--parent", "each@latest", "--status", "completed"], 2),
        (&["--parent", "r1", "--status", "failed"], 0),
        (&["--parent", started[0]["runId"].as_str().unwrap()], 0),
    ] {
        let listed = home.run(&[&["runs", "--json"], args].concat());
        assert_eq!((listed.code, listed.json().len()), (Some(0), expected), "{args:?}");
    }
    let unknown = home.run(&["runs", "--parent", "nothing"]);
    assert_eq!((unknown.code, unknown.stderr.contains("was not found")), (Some(5), true), "{unknown:?}");
}

#[test]
fn items_are_shown_with_the_runs_that_they_have_started_the_failed_ones_first() {
    let home = home("[a, bad, c]");
    assert_eq!(home.run(&["run", "each", "--run-id", "r"]).code, Some(0));
    let ids: Vec<_> = home.run(&["runs", "--parent", "r", "--json"]).json();
    let mut shown = home.run(&["show", "r"]).stdout;
    for run in ids {
        let number = run["parent"]["path"].as_str().unwrap().replace("1/work[0]/each", "of item ");
        shown = shown.replace(run["runId"].as_str().unwrap(), &number);
    }
    let nodes = shown.lines().skip_while(|line| !line.contains("foreach")).collect::<Vec<_>>().join("\n");
    stable(|| {
        insta::assert_snapshot!(nodes, @"
    └ each: foreach  completed  [took]  3 items
      ├ [1]: workflow  failed  [took]  run of item [1]: `test` exited with code 1 (transient)
      ├ [0]: workflow  completed  [took]  run of item [0]
      └ [2]: workflow  completed  [took]  run of item [2]
    ");
    });
}

#[test]
fn of_many_items_with_runs_twenty_are_shown() {
    let items: Vec<_> = (0..25).map(|n| if n == 24 { "bad".to_owned() } else { format!("i{n}") }).collect();
    let home = home(&format!("[{}]", items.join(", ")));
    assert_eq!(home.run(&["run", "each", "--run-id", "r"]).code, Some(0));
    let shown = home.run(&["show", "r"]).stdout;
    let rows: Vec<_> = shown.lines().filter(|line| line.contains(": workflow")).collect();
    assert_eq!(rows.len(), 20, "{shown}");
    assert!(rows[0].contains("[24]: workflow") && rows[1].contains("[0]: workflow"), "{shown}");
    assert!(shown.contains("└ … 5 more"), "{shown}");
}

#[test]
fn a_node_is_shown_with_the_run_that_it_waits_for() {
    let home = Home::new();
    home.write(
        ".orch/workflows/outer.workflow.yml",
        "workflow: { name: Outer, stages: [work] }\nwork: { provider: demo, profile: own }\n",
    );
    home.write(
        ".orch/workflows/stages/work.own.yml",
        "graph: [{ id: inner, type: workflow, workflow: asking }]\n",
    );
    home.write(
        ".orch/workflows/asking.workflow.yml",
        "workflow: { name: Asking, stages: [ask] }\nask: { provider: demo, prompt: Hi, approval: Continue? }\n",
    );
    let left = home.run(&["run", "outer", "--run-id", "r"]);
    let run = home.run(&["runs", "--parent", "r", "--json"]).json()[0]["runId"].as_str().unwrap().to_owned();
    assert_eq!(left.code, Some(4), "{left:?}");
    assert!(left.stderr.contains(&format!("`workflow show {run}` says what that waits for")), "{left:?}");
    assert!(left.stderr.contains(&format!("run {run} waits for approval")), "{left:?}");
    let shown = home.run(&["show", "r"]).stdout.replace(&run, "ID");
    let node = shown.lines().find(|line| line.contains("inner: workflow")).unwrap();
    stable(|| {
        insta::assert_snapshot!(node.trim(), @"└ inner: workflow  running  1 attempt  run ID: waits for approval of 1/ask: Continue?");
    });
    assert_eq!(home.run(&["answer", &run, "--approve"]).code, Some(0));
    assert_eq!(home.run(&["resume", "r"]).code, Some(0));
    let shown = home.run(&["show", "r"]).stdout.replace(&run, "ID");
    let node = shown.lines().find(|line| line.contains("inner: workflow")).unwrap();
    assert!(node.contains("run ID: \""), "{node}");
}

#[test]
fn a_run_whose_result_is_still_needed_is_not_deleted() {
    let home = home("[]");
    home.write(
        ".orch/workflows/stages/work.items.yml",
        "graph:\n  - { id: part, type: workflow, workflow: one, vars: { of: a } }\n  \
         - { id: sure, type: ask, question: Sure?, after: part }\n",
    );
    assert_eq!(home.run(&["run", "each", "--run-id", "r1"]).code, Some(4));
    let started = home.run(&["runs", "--parent", "r1", "--json"]).json();
    let child = started[0]["runId"].as_str().unwrap();
    let refused = home.run(&["delete", child, "--yes"]);
    assert!(refused.code != Some(0) && refused.stderr.contains("(run `r1`)"), "{refused:?}");
    let pruned = home.run(&["prune", "--status", "completed", "--yes"]);
    assert_eq!((pruned.code, pruned.stdout.as_str()), (Some(0), ""), "{pruned:?}");
    assert_eq!(
        pruned.stderr,
        "kept 1 run: the runs that have started them have not ended, and need their results\n"
    );
    let done = home.run(&["cancel", "r1"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(
        home.run(&["prune", "--status", "completed", "--yes"]).stdout,
        format!("deleted run {child}\n")
    );
}
