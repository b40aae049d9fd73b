//! `duplicate`, `edit`, `export`, `import` and `graph`.

use serde_json::Value;

use super::home::{Ended, Home};

/// A home with the workflow `ship` of a template, in which two fields have comments.
fn home() -> Home {
    let home = Home::new();
    assert_eq!(home.run(&["new", "ship", "--template", "plan-code-test-check"]).code, Some(0));
    home
}

const SHIP: &str = ".orch/workflows/ship.workflow.yml";

#[test]
fn a_copy_is_another_workflow_and_overwrites_nothing() {
    let home = home();
    let copy = home.run(&["duplicate", "ship", "land", "--name", "Land it"]);
    assert_eq!((copy.code, copy.stdout.as_str()), (Some(0), "created .orch/workflows/land.workflow.yml\n"));
    assert!(home.read(".orch/workflows/land.workflow.yml").contains("name: Land it\n"));
    assert_eq!(home.run(&["validate", "land"]).code, Some(0));
    for (args, code, message) in [
        (["duplicate", "ship", "land"], 2, "there is a workflow `land` already"),
        (["duplicate", "shp", "other"], 5, "there is no workflow `shp`; did you mean `ship`?"),
    ] {
        let refused = home.run(&args);
        assert_eq!((refused.code, refused.stderr), (Some(code), format!("error: {message}\n")));
    }
    assert_eq!(home.run(&["duplicate", "ship", "a b"]).code, Some(2));
}

#[test]
fn fields_are_edited_and_every_other_byte_stays() {
    let home = home();
    let before = home.read(SHIP);
    let args = ["edit", "ship", "--set", "workflow.name=Ship it", "--set", "test.retries:=7", "--json"];
    let [changed] = home.run(&args).json().try_into().unwrap();
    let after = home.read(SHIP);
    assert_eq!(changed["text"], after);
    assert!(after.contains("name: Ship it\n") && after.contains("retries: 7"), "{after}");
    let comments = |text: &str| text.lines().filter(|line| line.contains('#')).count();
    assert_eq!(comments(&before), comments(&after));
    let removed = home.run(&["edit", "ship", "--remove", "test.retries"]);
    assert_eq!(removed.code, Some(0));
    assert!(removed.stdout.contains("retries: 7\n") && removed.stdout.starts_with("- "), "{removed:?}");
    // All edits are made, or none.
    let before = home.read(SHIP);
    let wrong = home.run(&["edit", "ship", "--set", "workflow.name=Other", "--set", "test.retries:=99"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""), "{wrong:?}");
    assert!(wrong.stderr.contains("error[out-of-range]: `retries` has to be a whole number"), "{wrong:?}");
    assert_eq!(home.run(&["edit", "ship", "--remove", "test.nothing"]).code, Some(2));
    assert_eq!(home.run(&["edit", "ship", "--set", "test.retries:=many"]).code, Some(2));
    assert_eq!(home.run(&["edit", "shp", "--set", "a=b"]).code, Some(5));
    assert_eq!(home.read(SHIP), before);
}

/// Edits the workflow `ship` with a shell script as the editor, which gets the file as `$1`.
fn edit(home: &Home, script: &str) -> Ended {
    home.write("editor", script);
    let mut command = home.command(&["edit", "ship"]);
    command.env("EDITOR", "sh ./editor").env("TMPDIR", home.path("")).output().unwrap().into()
}

#[test]
fn an_editor_changes_a_copy_that_is_saved_when_it_has_no_errors() {
    let home = home();
    let before = home.read(SHIP);
    let same = edit(&home, "true");
    assert_eq!((same.code, same.stderr.as_str()), (Some(0), "nothing was changed\n"));
    let failed = edit(&home, "exit 3");
    assert_eq!(failed.code, Some(2));
    assert!(failed.stderr.contains("the editor `sh ./editor` failed (exit status: 3)"), "{failed:?}");
    let wrong = edit(&home, "sed -i 's/stages:/stagez:/' \"$1\"");
    assert_eq!((wrong.code, home.read(SHIP)), (Some(2), before.clone()));
    assert!(wrong.stderr.contains("error[missing-field]: `stages` is missing"), "{wrong:?}");
    // What was typed is not lost.
    let kept = wrong.stderr.lines().find_map(|line| line.split_once("your text is in ")).unwrap().1;
    assert!(std::fs::read_to_string(kept).unwrap().contains("stagez:"));
    let changed = edit(&home, "sed -i 's/max_iters: 5/max_iters: 4/' \"$1\"");
    assert_eq!(changed.code, Some(0), "{changed:?}");
    assert_eq!(
        changed.stdout,
        format!("-       max_iters: 5\n+       max_iters: 4\nchanged {SHIP}\n").replace("       m", "     m")
    );
    assert_eq!(home.read(SHIP), before.replace("max_iters: 5", "max_iters: 4"));
    // Another process changes the workflow while the editor is open.
    let stale = edit(&home, &format!("echo '# theirs' >>{SHIP}; echo '# mine' >>\"$1\""));
    assert_eq!(stale.code, Some(5), "{stale:?}");
    assert!(stale.stderr.contains("has changed since it was read"), "{stale:?}");
    assert!(home.read(SHIP).ends_with("# theirs\n"));
}

#[test]
fn an_export_is_imported_elsewhere_and_overwrites_nothing() {
    let home = home();
    let exported = home.run(&["export", "ship"]);
    assert_eq!(exported.code, Some(0));
    assert!(exported.stderr.starts_with("exported with profile code.reviewed, role checker"), "{exported:?}");
    assert_eq!(home.run(&["export", "shp"]).code, Some(5));

    let other = Home::new();
    other.write("ship.yml", &exported.stdout);
    let preview = other.run(&["import", "ship.yml", "--preview"]);
    assert_eq!((preview.code, other.own_files_exist()), (Some(0), false), "{preview:?}");
    assert_eq!(preview.stderr, "nothing was added: this is a preview\n");
    let imported = other.run(&["import", "ship.yml", "--json"]);
    let [imported] = imported.json().try_into().unwrap();
    assert_eq!((&imported["sameBundle"], &imported["valid"]), (&true.into(), &true.into()));
    assert_eq!(other.run(&["validate", "ship"]).code, Some(0));
    let again = other.run(&["import", "ship.yml"]);
    assert!(
        again.stdout.contains("workflow ship") && again.stdout.contains("there already, the same"),
        "{again:?}"
    );

    other.write(SHIP, &other.read(SHIP).replace("max_iters: 5", "max_iters: 2"));
    let files = other.own_files();
    for args in
        [&["import", "ship.yml"][..], &["import", "ship.yml", "--preview"], &["import", "ship.yml", "--json"]]
    {
        assert_eq!(other.run(args).code, Some(2), "{args:?}");
    }
    let refused = other.run(&["import", "ship.yml"]);
    assert!(refused.stdout.contains("refused: there is one with another text"), "{refused:?}");
    assert!(refused.stderr.contains("another id with `--id`"), "{refused:?}");
    assert_eq!(other.own_files(), files);
    assert_eq!(other.run(&["import", "ship.yml", "--id", "second"]).code, Some(0));
    other.write("wrong.yml", "workflow_export: 1\n");
    assert_eq!(other.run(&["import", "wrong.yml"]).code, Some(2));
    assert_eq!(other.run(&["import", "missing.yml"]).code, Some(5));
}

#[test]
fn a_workflow_a_file_and_a_run_are_drawn() {
    let home = home();
    insta::assert_snapshot!(home.run(&["graph", "ship"]).stdout, @r##"
    flowchart TD
      n0(["start"])
      n1["plan<br/>demo as planner"]
      n2["code<br/>demo as coder"]
      n3["test<br/>demo as tester"]
      n4["check<br/>demo as checker"]
      n5(["end"])
      n0 --> n1
      n1 --> n2
      n2 --> n3
      n3 --> n4
      n4 --> n5
      n3 -.->|"retries after a failure"| n3
      n4 -.->|"until #36;.done == true, at most 5 times, then fails"| n2
    "##);
    let drawn = |args: &[&str]| {
        let drawn = home.run(&[&["graph"], args].concat());
        assert_eq!((drawn.code, drawn.stderr.as_str()), (Some(0), ""), "{args:?}");
        drawn.stdout
    };
    assert!(drawn(&["ship", "--format", "dot", "--nodes"]).contains("subgraph cluster_n2 {"));
    assert!(drawn(&["ship", "--format", "svg"]).starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    home.write(
        "one.workflow.yml",
        "workflow: { name: One, stages: [only] }\nonly: { provider: demo, prompt: Hi }\n",
    );
    assert!(drawn(&["one.workflow.yml"]).contains("n1[\"only<br/>demo\"]"));
    home.run(&["run", "one.workflow.yml", "--run-id", "first"]);
    home.write("one.workflow.yml", "");
    assert!(drawn(&["--run", "first"]).contains("n1[\"only<br/>demo\"]"));
    let json: Value = serde_json::from_str(&drawn(&["ship", "--json"])).unwrap();
    assert_eq!((&json["boxes"][1]["id"], &json["lines"][0]["kind"]), (&"plan".into(), &"next".into()));
    home.write("wrong.workflow.yml", "workflow: { name: Wrong, stages: [a] }\na: { provider: none }\n");
    let wrong = home.run(&["graph", "wrong.workflow.yml"]);
    assert!(wrong.stderr.starts_with("wrong.workflow.yml:2:16: error[unknown-provider]: "), "{wrong:?}");
    assert_eq!(wrong.code, Some(2));
    for (args, code) in
        [(&["shp"][..], 5), (&["--run", "nothing"], 5), (&[], 2), (&["ship", "--run", "first"], 2)]
    {
        assert_eq!(home.run(&[&["graph"], args].concat()).code, Some(code), "{args:?}");
    }
}
