//! `fork`, `rerun` and `migrate`: new runs from old ones, and old ones with new definitions.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::json;

use super::home::{Home, stable};

/// Three stages that write their prompts to a trace; in files, so that a run's bytes can be compared.
fn home() -> Home {
    let home = Home::new().on("file:runs");
    home.write(
        "three.workflow.yml",
        r#"
workflow: { name: Three, stages: [one, two, three] }
one: { provider: command, with: { command: [sh, -c, "echo one >>trace; echo 1"] } }
two: { provider: command, with: { command: [sh, -c, "echo two $0 >>trace; echo $0-2", "${stages.one.output}"] } }
three: { provider: command, with: { command: [sh, -c, "echo three $0 $1 >>trace; echo $0-3", "${stages.two.output}", "${vars.x:-none}"] } }
"#,
    );
    assert_eq!(home.run(&["run", "three.workflow.yml", "--run-id", "first"]).code, Some(0));
    assert_eq!(home.read("trace"), "one\ntwo 1\nthree 1-2 none\n");
    home.write("trace", "");
    home
}

/// The files of the run `first`.
fn source(home: &Home) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let files: BTreeSet<_> =
        home.files().into_iter().filter(|(path, _)| path.iter().any(|part| part == "first")).collect();
    assert!(files.iter().any(|(path, _)| path.ends_with("events.jsonl")), "{files:?}");
    files
}

#[test]
fn a_fork_with_another_output_runs_what_depends_on_it_and_its_source_stays_as_it_was() {
    let home = home();
    let before = source(&home);
    let args = ["fork", "first", "--at", "three", "--output", "one=9", "--set", "x=y", "--run-id", "second"];
    let forked = home.run(&args);
    assert_eq!(forked.code, Some(0), "{forked:?}");
    stable(
        || insta::assert_snapshot!(forked.stdout.lines().next().unwrap(), @r#"[time] run second forked from run first after its event 6 by ann (terminal); x = "y"; the output of one = "9""#),
    );
    assert_eq!(home.read("trace"), "two 9\nthree 9-2 y\n");
    let view = home.show("second");
    assert_eq!(view["context"]["stages"]["one"]["output"], "9");
    let mut forked = view["forked"].clone();
    assert!(forked.as_object_mut().unwrap().remove("seed").is_some_and(|seed| seed.is_u64()), "{forked}");
    assert_eq!(
        forked,
        json!({
            "from": "first", "event": 6, "vars": { "x": "y" }, "outputs": { "one": "9" },
            "by": { "id": "ann", "via": "terminal" },
        })
    );
    assert_eq!((&view["spent"]["attempts"], &view["inherited"]["attempts"]), (&json!(2), &json!(1)));
    let shown = home.run(&["show", "second"]).stdout;
    for expected in
        ["run first after its event 6 by ann (terminal); x = \"y\"; the output of one = \"9\"", "used there"]
    {
        assert!(shown.contains(expected), "{shown}");
    }
    assert_eq!(source(&home), before);
    // A run with that id exists now.
    assert_eq!(home.run(&args).code, Some(2));
}

#[test]
fn a_rerun_begins_at_the_stage_that_it_is_told_and_else_at_the_first() {
    let home = home();
    let before = source(&home);
    for (from, trace) in [
        (&["--from", "two"][..], "two 1\nthree 1-2 none\n"),
        (&["--from", "1/three[0]/run"], "three 1-2 none\n"),
        (&[], "one\ntwo 1\nthree 1-2 none\n"),
    ] {
        let rerun = home.run(&[&["rerun", "first"], from].concat());
        assert_eq!(rerun.code, Some(0), "{rerun:?}");
        assert_eq!(home.read("trace"), trace, "{from:?}");
        home.write("trace", "");
    }
    assert_eq!(source(&home), before);

    let left = home.run(&["rerun", "first", "--from", "three", "--run-id", "left", "--detach"]);
    assert_eq!((left.code, left.stdout.as_str()), (Some(0), "left\n"));
    assert_eq!((home.read("trace"), home.show("left")["status"].as_str()), (String::new(), Some("pending")));
    assert_eq!(home.run(&["recover"]).code, Some(0));
    assert_eq!(home.read("trace"), "three 1-2 none\n");
}

#[test]
fn a_run_is_moved_to_the_newer_definition_with_what_diverges_named() {
    let home = Home::new();
    let file = ".orch/workflows/ship.workflow.yml";
    home.write(
        file,
        "
workflow: { name: Ship it, stages: [plan, ship] }
plan: { provider: demo, with: { answers: [a plan] } }
ship: { provider: demo, approval: Ship it?, with: { answers: [shipped] } }
",
    );
    assert_eq!(home.run(&["run", "ship", "--run-id", "first"]).code, Some(4));
    let same = home.run(&["migrate", "first"]);
    assert_eq!(
        (same.code, same.stdout.as_str()),
        (Some(0), "run first uses the current workflow in the home: nothing to migrate\n")
    );

    let newer =
        home.read(file).replace("[shipped]", "[shipped twice]").replace("[plan, ship]", "[plan, ship, tell]");
    home.write(file, &format!("{newer}tell: {{ provider: demo, with: {{ answers: [told] }} }}\n"));
    let before = home.log("first");
    stable(|| {
        insta::assert_snapshot!(home.run(&["migrate", "first"]).stdout, @"
    run first uses an earlier definition. Changes in the home since then:
      ship.with: changed
      stage `tell`: added
    `workflow migrate first --apply` moves it
    ");
    });
    assert_eq!(home.log("first"), before, "looking moves nothing");
    let moved = home.run(&["migrate", "first", "--apply"]);
    assert_eq!(moved.code, Some(0), "{moved:?}");
    stable(|| {
        insta::assert_snapshot!(moved.stdout, @"
        run first was moved to the current workflow in the home. Changes:
          ship.with: changed
          stage `tell`: added
        ");
        insta::assert_snapshot!(home.run(&["show", "first"]).stdout, @r#"
        run  first
        workflow  ship
        status  paused
        waits for  approval of 1/ship: Ship it? (since [date])
        iteration  1
        created  [date] by ann (terminal)
        started  [date]
        used  1 attempt, [took], cost unknown, tokens unknown
        moved  [date] to the definition [hash]

        STAGE  STATUS  ATTEMPTS  TOOK
        plan  completed  [took]
          [0] demo  completed  1 attempt  [took]  "a plan"
        "#);
    });
    let answered = home.run(&["answer", "first", "--approve"]);
    assert_eq!(answered.code, Some(0), "{answered:?}");
    let stages = home.show("first")["context"]["stages"].clone();
    assert_eq!(
        (&stages["ship"]["output"], &stages["tell"]["output"]),
        (&json!("shipped twice"), &json!("told"))
    );

    // A run that has ended is not changed.
    home.write(file, &newer.replace(", tell]", "]"));
    let refused = home.run(&["migrate", "first", "--apply"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("the run has ended"), "{refused:?}");
}

#[test]
fn the_id_of_a_new_run_comes_first() {
    let home = home();
    let rerun = home.run(&["rerun", "first", "--from", "three"]);
    let id = home.show("three@latest")["runId"].as_str().unwrap().to_owned();
    assert!(
        rerun.stdout.lines().next().unwrap().contains(&format!("run {id} forked from run first")),
        "{rerun:?}"
    );
    let events = home.run(&["fork", "first", "--at", "three", "--run-id", "second", "--json"]).json();
    assert_eq!((&events[0]["type"], &events[0]["data"]["run"]), (&json!("run_created"), &json!("second")));
    assert_eq!(events[1]["type"], "run_forked");
}

#[test]
fn events_lists_the_points_of_a_fork() {
    let home = home();
    let listed = home.run(&["events", "first"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    stable(|| {
        insta::assert_snapshot!(listed.stdout, @r"
        EVENT  TIME  WHAT  NODE
        1  [date]  run first of workflow three, started by ann (terminal)
        2  [date]  run started
        3  [date]  one started
        4  [date]  one[0] calls command  1/one[0]/run
        5  [date]  one[0] succeeded after [took]  1/one[0]/run
        6  [date]  one completed
        7  [date]  two started
        8  [date]  two[0] calls command  1/two[0]/run
        9  [date]  two[0] succeeded after [took]  1/two[0]/run
        10  [date]  two completed
        11  [date]  three started
        12  [date]  three[0] calls command  1/three[0]/run
        13  [date]  three[0] succeeded after [took]  1/three[0]/run
        14  [date]  three completed
        15  [date]  run completed after [took]
        ");
    });
    assert!(listed.stderr.contains("workflow fork first --at EVENT"), "{listed:?}");
    let (event, node) = ("6", "1/three[0]/run");
    for (at, id) in [(event, "by-event"), (node, "by-node")] {
        home.write("trace", "");
        assert_eq!(home.run(&["fork", "first", "--at", at, "--run-id", id]).code, Some(0));
        assert_eq!(home.read("trace").lines().last(), Some("three 1-2 none"), "{at}");
    }
    let numbers: Vec<_> =
        home.run(&["events", "first", "--json"]).json().iter().map(|e| e["seq"].clone()).collect();
    assert_eq!(numbers, (1..=numbers.len()).map(|n| json!(n)).collect::<Vec<_>>());
    assert_eq!(home.run(&["events", "nosuch"]).code, Some(5));
}

/// A workflow of the home whose stage `two` fails until its definition changes.
fn failing(exit: u8) -> String {
    format!(
        "workflow: {{ name: Ship, stages: [one, two, three] }}\n\
         one: {{ with: {{ command: [sh, -c, 'echo one >>trace; echo 1'] }} }}\n\
         two: {{ with: {{ command: [sh, -c, 'echo two >>trace; exit {exit}'] }} }}\n\
         three: {{ with: {{ command: [sh, -c, 'echo three $0 >>trace', \"${{stages.one.output}}\"] }} }}\n"
    )
}

#[test]
fn a_failed_run_is_rerun_from_its_failed_stage_with_the_definition_as_it_is_now() {
    for store in ["sqlite:runs.db", "file:runs"] {
        let home = Home::new().on(store);
        let file = ".orch/workflows/ship.workflow.yml";
        home.write(file, &failing(3));
        assert_eq!(home.run(&["run", "ship", "--run-id", "first"]).code, Some(1));
        // With the same definition it fails again.
        assert_eq!(home.run(&["rerun", "first", "--from", "two", "--run-id", "same"]).code, Some(1));
        home.write(file, &failing(0));
        home.write("trace", "");
        let rerun = home.run(&["rerun", "first", "--current", "--run-id", "second"]);
        assert_eq!(rerun.code, Some(0), "{rerun:?}");
        assert_eq!(home.read("trace"), "two\nthree 1\n");
        // The new run can be rerun itself, and uses the same definition.
        let again = home.run(&["rerun", "second", "--from", "three", "--run-id", "third"]);
        assert_eq!(
            (again.code, home.read("trace").as_str()),
            (Some(0), "two\nthree 1\nthree 1\n"),
            "{again:?}"
        );
        let refused = home.run(&["rerun", "second", "--current"]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("no stage of it has failed"), "{refused:?}");
    }
}

#[test]
fn a_rerun_takes_a_definition_from_a_file_and_refuses_one_that_does_not_fit() {
    let home = Home::new();
    home.write("ship.yml", &failing(3));
    assert_eq!(home.run(&["run", "ship.yml", "--run-id", "first"]).code, Some(1));
    let refused = home.run(&["rerun", "first", "--current"]);
    assert_eq!((refused.code, refused.stderr.contains("--current=FILE")), (Some(5), true), "{refused:?}");
    let other = failing(0).replace("two", "other").replace("one", "begin");
    home.write("other.yml", &other);
    let refused = home.run(&["rerun", "first", "--current=other.yml", "--run-id", "second"]);
    assert_eq!((refused.code, refused.stderr.contains("`one`")), (Some(2), true), "{refused:?}");
    assert_eq!(home.run(&["show", "second"]).code, Some(5), "nothing is left of it");
    home.write("ship.yml", &failing(0));
    assert_eq!(home.run(&["rerun", "first", "--current=ship.yml"]).code, Some(0));
}

#[test]
fn resuming_a_run_that_has_ended_says_what_makes_a_new_one() {
    let home = home();
    for args in [&["resume", "first"][..], &["resume", "first", "--detach"]] {
        let refused = home.run(args);
        assert!(refused.stderr.contains("`workflow rerun first`"), "{refused:?}");
    }
}

#[test]
fn migrate_says_in_which_file_the_newer_definition_is_wrong() {
    let home = Home::new();
    let file = ".orch/workflows/ship.workflow.yml";
    home.write(file, "workflow: { stages: [one] }\none: { provider: demo }\n");
    assert_eq!(home.run(&["run", "ship", "--run-id", "first", "--detach"]).code, Some(0));
    home.write(file, "workflow: { stages: [one] }\none: { provider: dem }\n");
    for args in [&["migrate", "first"][..], &["migrate", "first", "--apply"]] {
        let refused = home.run(args);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        for part in [format!("{file}:2:"), format!("error: {file} is not a valid workflow")] {
            assert!(refused.stderr.contains(&part), "{refused:?}");
        }
    }
}
