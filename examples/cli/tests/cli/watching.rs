//! `watch`, `inbox`, `estimate`, `report`, `compare` and `run --dry-run`.

use rustix::process::Signal;

use super::home::{Home, line, stable};
use super::terminal::on_terminal;

/// A workflow that asks before it works until the file `gate` exists.
fn home() -> Home {
    let home = Home::new();
    home.write(
        ".orch/workflows/asks.workflow.yml",
        "workflow: { name: Asks, stages: [ask, work] }\n\
         ask: { provider: demo, prompt: Hi, approval: Ship it? }\n\
         work: { provider: command, with: { command: [sh, -c, 'touch begun; until test -e gate; do sleep 0.02; done; echo done'] } }\n",
    );
    home
}

#[test]
fn a_run_of_another_process_is_watched_to_its_end() {
    let home = home();
    assert_eq!(home.run(&["run", "asks", "--run-id", "first"]).code, Some(4));
    let mut watch = home.start(&["watch", "first"]);
    watch.wait_for_stderr("run first waits for approval of 1/ask: Ship it? (`workflow answer first`)");
    let mut shown = watch.stdout();
    let answer = home.start_until(&["answer", "first", "--approve"], "begun");
    assert!(line(&mut shown).ends_with("3 was answered by ann (terminal): true\n"));
    home.write("gate", "");
    assert_eq!(answer.wait().code, Some(0));
    let mut lines = Vec::new();
    while lines.last().is_none_or(|last: &String| !last.contains("run completed")) {
        lines.push(line(&mut shown));
    }
    assert!(lines.iter().any(|line| line.ends_with("work[0] | done\n")), "{lines:?}");
    assert_eq!(watch.wait().code, Some(0));
    // It has ended: there is nothing to watch.
    let over = home.run(&["watch", "first"]);
    assert_eq!((over.code, over.stderr.as_str()), (Some(0), "run first has ended already (completed)\n"));
    assert_eq!(home.run(&["watch", "nothing"]).code, Some(5));
}

#[test]
fn a_watched_run_does_not_notice_that_the_display_is_stopped() {
    let home = home();
    home.run(&["run", "asks", "--run-id", "first"]);
    let answer = home.start_until(&["answer", "first", "--approve"], "begun");
    let mut watch = home.start(&["watch", "first"]);
    watch.wait_for_stderr("Ctrl-C stops only the display");
    watch.signal(Signal::INT);
    let ended = watch.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(home.show("first")["status"], "running");
    home.write("gate", "");
    assert_eq!(answer.wait().code, Some(0));
    assert_eq!(home.show("first")["status"], "completed");
}

#[test]
fn the_end_of_a_watched_run_is_its_exit_code_and_its_json() {
    let home = Home::with_stages(&[("one", "touch begun; until test -e gate; do sleep 0.02; done; exit 1")]);
    let run = home.start_until(&["run", "stages.workflow.yml", "--run-id", "first"], "begun");
    let mut watch = home.start(&["watch", "first", "--json"]);
    watch.wait_for_stderr("watching run first (process");
    home.write("gate", "");
    assert_eq!(run.wait().code, Some(1));
    let ended = watch.wait();
    assert_eq!(ended.code, Some(1));
    let lines = ended.json();
    assert!(lines.iter().any(|line| line["type"] == "attempt_failed"), "{ended:?}");
    assert_eq!(lines.last().unwrap(), &home.show("first"));
    // On a terminal the last view stays.
    let (written, code) = on_terminal(&home, &["watch", "first"]);
    assert_eq!(code, Some(1));
    assert!(written.contains("Some stages · run first · failed"), "{written:?}");
}

#[test]
fn the_inbox_has_the_waits_of_all_runs_with_the_commands_that_end_them() {
    let home = home();
    assert_eq!(home.run(&["inbox"]).stderr, "nothing waits for a person\n");
    home.run(&["run", "asks", "--run-id", "first"]);
    home.run(&["run", "asks", "--run-id", "second", "--label", "owner=ann"]);
    stable(|| {
        insta::assert_snapshot!(home.run(&["inbox"]).stdout, @r"
        SINCE  RUN  WORKFLOW  WAITS FOR  ANSWER WITH
        [date]  first  asks  approval of 1/ask: Ship it?  workflow answer first --wait 3
        [date]  second  asks  approval of 1/ask: Ship it?  workflow answer second --wait 3
        ");
    });
    let [only] = home.run(&["inbox", "--label", "owner=ann", "--json"]).json().try_into().unwrap();
    assert_eq!(
        (&only["runId"], &only["wait"], &only["reason"]),
        (&"second".into(), &3.into(), &"approval".into())
    );
    let one = home.run(&["inbox", "--limit", "1"]);
    assert_eq!(
        (one.stdout.lines().count(), one.stderr.as_str()),
        (2, "… 1 more: `--limit` shows more of them\n")
    );
    home.write("gate", "");
    home.run(&["answer", "first", "--wait", "3", "--approve"]);
    assert_eq!(home.run(&["inbox", "--json"]).json().len(), 1);
    assert_eq!(home.run(&["inbox", "--limit", "0"]).code, Some(2));
}

#[test]
fn an_estimate_is_made_of_completed_runs() {
    let home = Home::new();
    home.run(&["init"]);
    assert_eq!(
        home.run(&["estimate", "hello"]).stdout,
        "no run of hello has completed yet: there is nothing to estimate from\n"
    );
    home.run(&["run", "hello", "--var", "name=you"]);
    home.run(&["run", "hello", "--var", "name=me"]);
    stable(|| {
        insta::assert_snapshot!(home.run(&["estimate", "hello"]).stdout, @r"
        hello, by 2 completed runs:
          takes  [took]  mostly [took] to [took]
          costs  unknown
        ");
    });
    let [estimate] = home.run(&["estimate", "hello", "--json"]).json().try_into().unwrap();
    assert_eq!((&estimate["runs"], &estimate["priced"]), (&2.into(), &0.into()));
    let none = home.run(&["estimate", "helo"]);
    assert_eq!(
        (none.code, none.stderr.as_str()),
        (Some(5), "error: there is no workflow `helo`; did you mean `hello`?\n")
    );
}

#[test]
fn a_report_says_what_happened_in_the_form_that_was_asked_for() {
    let home = Home::with_stages(&[("one", "echo 'no such target' >&2; exit 2")]);
    home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    let markdown = home.run(&["report", "first"]);
    assert_eq!(markdown.code, Some(0));
    assert!(
        markdown.stdout.starts_with("# Run `first`: Failed\n") && markdown.stdout.contains("no such target")
    );
    let html = home.run(&["report", "first", "--format", "html"]).stdout;
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("no such target"), "{html}");
    let [json] = home.run(&["report", "first", "--json"]).json().try_into().unwrap();
    assert_eq!((&json["runId"], &json["status"]), (&"first".into(), &"failed".into()));
    assert_eq!(home.run(&["report", "nothing"]).code, Some(5));
    assert_eq!(home.run(&["report", "first", "--format", "pdf"]).code, Some(2));
}

#[test]
fn two_runs_are_compared_side_by_side() {
    let home = Home::with_stages(&[("one", "echo same"), ("two", "test -e go")]);
    home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    home.write("go", "");
    home.run(&["run", "stages.workflow.yml", "--run-id", "second", "--var", "x=1"]);
    let compared = home.run(&["compare", "first", "second"]);
    assert_eq!(compared.code, Some(0), "{compared:?}");
    // Which of them was faster depends on the machine.
    let text = compared.stdout.replace(" less\n", " more\n");
    stable(|| {
        insta::assert_snapshot!(text, @r"
        run  first  second
        workflow  stages  stages
        status  failed  completed
        created  [date]  [date]
        took  [took]  [took]
        used  2 attempts, [took], cost unknown, tokens unknown  2 attempts, [took], cost unknown, tokens unknown

        STAGE  FIRST RUN  SECOND RUN  SECOND TOOK
        one  completed in [took]  completed in [took]  [took] more
        two  failed in [took]  completed in [took]  [took] more

        variables that differ:
          x: (none) → 1

        the first point where they differ is 1/two[0]/run, in the attempts:
          first:  failed after 1 attempt: `sh` exited with code 1
          second: completed after 1 attempt
        ");
    });
    let [json] = home.run(&["compare", "first", "second", "--json"]).json().try_into().unwrap();
    assert_eq!((&json["sameBundle"], &json["vars"][0]["path"]), (&true.into(), &"x".into()));
    let same = home.run(&["compare", "first", "first"]);
    assert!(same.stdout.ends_with("\nthey did the same\n"), "{same:?}");
    assert_eq!(home.run(&["compare", "first", "nothing"]).code, Some(5));
    assert_eq!(home.run(&["compare", "first"]).code, Some(2));
}

#[test]
fn a_dry_run_shows_what_would_run_and_what_is_missing_and_starts_nothing() {
    let home = Home::new();
    home.write(
        ".orch/roles/writer.md",
        "---\nvariables:\n  - { name: topic, type: string, required: true, description: What it is about. }\n---\n{{topic}}",
    );
    home.write(
        "note.workflow.yml",
        "workflow: { name: Note, stages: [write, send] }\nwrite: { provider: demo, role: writer }\n\
         send: { provider: command, env: { KEY: '${secrets.KEY}' }, with: { command: ['true'] }, on_failure: continue }\n",
    );
    let missing = home.run(&["run", "note.workflow.yml", "--dry-run"]);
    assert_eq!(missing.code, Some(2));
    insta::assert_snapshot!(missing.stdout, @r"
    note cannot run like this; nothing was started
      missing: role `writer` needs the variable `topic`, a text
      missing: the secret `KEY` is not known here

    STAGE  PROVIDER        NODES  WHEN IT FAILS
    write  demo as writer         stop
    send   command                continue

    VARIABLE  TYPE              DESCRIPTION
    topic     string  required  What it is about.
    ");
    let ready = home.run(&["run", "note.workflow.yml", "--dry-run", "--var", "topic=x", "--json"]);
    let [dry] = ready.json().try_into().unwrap();
    assert_eq!(
        (ready.code, &dry["ready"], &dry["missing"]["secrets"][0]),
        (Some(0), &true.into(), &"KEY".into())
    );
    home.write(
        "ship.workflow.yml",
        "workflow: { name: Ship, stages: [a], concurrency: { key: 'ship ${vars.to}' } }\na: { provider: demo }\n",
    );
    let ship = home.run(&["run", "ship.workflow.yml", "--dry-run", "--var", "to=test"]);
    let slot = "while another run with the key `ship test` works, this one waits until it has ended";
    assert!(ship.stdout.contains(slot), "{ship:?}");
    home.write("wrong.workflow.yml", "workflow: { name: Wrong, stages: [a] }\na: { provider: none }\n");
    let wrong = home.run(&["run", "wrong.workflow.yml", "--dry-run"]);
    assert_eq!(
        (wrong.code, wrong.stdout.as_str()),
        (Some(2), "wrong cannot run like this; nothing was started\n")
    );
    assert!(wrong.stderr.contains("error[unknown-provider]"), "{wrong:?}");
    assert_eq!(home.run(&["run", "nothing", "--dry-run"]).code, Some(5));
    assert!(!home.path(".orch/runs.db").exists());
}
