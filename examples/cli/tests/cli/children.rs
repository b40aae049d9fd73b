//! Runs that nodes of other runs start.

use super::home::Home;

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
