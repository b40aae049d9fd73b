//! How `run` and `show` display graphs of nodes.

use super::home::{Home, stable};

/// A workflow whose one stage has this graph.
fn home(graph: &str) -> Home {
    let home = Home::new();
    home.write(
        ".orch/workflows/graph.workflow.yml",
        "workflow: { name: A graph, stages: [work] }\nwork: { provider: demo, profile: own }\n",
    );
    home.write(".orch/workflows/stages/work.own.yml", graph);
    home
}

#[test]
fn a_run_tells_of_nodes_and_of_items() {
    let home = home(
        r#"
graph:
  - { id: first, type: run, prompt: Begin }
  - { id: route, type: branch, when: [{ condition: "$.vars.long == true", then: long }] }
  - { id: long, type: run, inputs: [first] }
  - { id: each, type: foreach, items: [a, b], run: { type: run, prompt: "${item}", inputs: [first] } }
  - { id: all, type: reduce, from: each, strategy: last, join: ended }
"#,
    );
    let run = home.run(&["run", "graph", "--run-id", "r"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let events: Vec<_> = run.stdout.lines().filter(|line| !line.contains(" | ")).collect();
    let said = run.stdout.lines().filter(|line| line.ends_with("work[0]/each[1] | b")).count();
    assert_eq!(said, 1, "{}", run.stdout);
    stable(|| {
        insta::assert_snapshot!(events.join("\n"), @"
    [time] run r of workflow graph
    [time] work started
    [time] work[0]/route completed
    [time] work[0]/first calls demo
    [time] work[0]/first succeeded after [took]
    [time] work[0]/long skipped
    [time] work[0]/each has 2 items
    [time] work[0]/each[0] calls demo
    [time] work[0]/each[0] succeeded after [took]
    [time] work[0]/each[1] calls demo
    [time] work[0]/each[1] succeeded after [took]
    [time] work[0]/each completed
    [time] work[0]/all completed
    [time] work completed
    [time] run completed after [took]
    ");
    });
    stable(|| {
        insta::assert_snapshot!(home.run(&["show", "r"]).stdout, @r#"
    run  r
    workflow  graph
    status  completed
    iteration  1
    created  [date] by ann (terminal)
    started  [date], [took]
    used  3 attempts, [took], cost unknown, tokens unknown

    STAGE  STATUS  ATTEMPTS  TOOK
    work  completed  [took]
      [0] demo  completed  3 attempts  [took]  "This is a demo: no service was called. The prompt was:\n\nb\n\nThis is a demo: no service was called. The prompt was:\n\nBegin"
          ├ first: demo  completed  1 attempt  [took]  "This is a demo: no service was called. The prompt was:\n\nBegin"
          ├ route: branch  completed  no arm
          ├ long: run  skipped
          ├ each: foreach  completed  [took]  2 items
          └ all: reduce, last, join ended  completed  "This is a demo: no service was called. The prompt was:\n\nb\n\nThis is a demo: …
    "#);
    });
}

#[test]
fn of_many_items_the_number_is_shown_and_those_that_failed() {
    let home = home(
        r#"
graph:
  - id: many
    type: foreach
    mode: parallel
    concurrency: 40
    items: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    run: { type: run, provider: command, with: { command: [test, "${item}", -lt, "5"] } }
  - { id: after, type: run, inputs: [many] }
"#,
    );
    assert_eq!(home.run(&["run", "graph", "--run-id", "r"]).code, Some(1));
    stable(|| {
        insta::assert_snapshot!(home.run(&["show", "r"]).stdout, @"
    run  r
    workflow  graph
    status  failed
    error  many: 15 items failed: item 5: `test` exited with code 1; item 6: `test` exited with code 1; item 7: `test` exited with code 1; item 8: `test` exited with code 1; item 9: `test` exited with code 1 (stage)
    failed stages  work
    iteration  1
    created  [date] by ann (terminal)
    started  [date], [took]
    used  20 attempts, [took], cost unknown, tokens unknown

    STAGE  STATUS  ATTEMPTS  TOOK
    work  failed  [took]  many: 15 items failed: item 5: `test` exited with code 1; item 6: `test` exited with code 1; item 7: `test` exited with code 1; item 8: `test` exited with code 1; item 9: `test` exited with code 1 (stage)
      [0] demo  failed  20 attempts  [took]  many: 15 items failed: item 5: `test` exited with code 1; item 6: `test` exited with code 1; item 7: `test` exited with code 1; item 8: `test` exited with code 1; item 9: `test` exited with code 1 (stage)
          ├ many: foreach  failed  [took]  5 of 20 done, 15 failed
          │ ├ [5]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [6]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [7]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [8]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [9]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [10]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [11]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [12]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [13]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [14]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [15]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [16]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [17]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ ├ [18]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          │ └ [19]: command  failed  1 attempt  [took]  `test` exited with code 1 (transient)
          └ after: run  pending
    ");
    });
}

#[test]
fn roles_for_other_workflows_are_in_nobodys_way_where_a_role_is_named_by_an_expression() {
    let home = home(
        r#"
graph:
  - { id: each, type: foreach, items: "${vars.roles}", run: { type: run, role: "${item}" } }
"#,
    );
    home.write(".orch/roles/fits.md", "Work in {{work}}.");
    home.write(".orch/roles/elsewhere.md", "After {{another_stage.output}}.");
    home.write(
        ".orch/roles/unchecked.md",
        "---\noutput_schema: schemas/none.json\nskills: [none]\n---\nCheck.",
    );
    let checked = home.run(&["validate", "--strict", "graph"]);
    assert_eq!((checked.code, checked.stdout.lines().count()), (Some(0), 1), "{checked:?}");
    for (role, problem) in [
        ("fits", None),
        (
            "elsewhere",
            Some(
                "role `elsewhere` cannot be used in this workflow: role `elsewhere`, body, line 1, column 7: `another_stage` is not declared",
            ),
        ),
        (
            "unchecked",
            Some(
                "role `unchecked` cannot be used in this workflow: there is no schema file `schemas/none.json`",
            ),
        ),
        ("fist", Some("there is no role `fist`; did you mean `fits`? (known: fits)")),
    ] {
        let run = home.run(&["run", "graph", "--run-id", role, "--var", &format!("roles:=[\"{role}\"]")]);
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (Some(i32::from(problem.is_some())), ""),
            "{role}: {run:?}"
        );
        assert!(run.stdout.contains(problem.unwrap_or("run completed")), "{role}: {}", run.stdout);
    }
}
