//! `signal`: signals to runs, sent by other processes than the one that waits for them.

use serde_json::json;

use super::home::{Home, stable, until};

/// A run that waits for a signal, and writes the data of the signal to a file.
fn deployment() -> Home {
    let home = Home::new();
    home.write(
        ".orch/workflows/ship.workflow.yml",
        r#"
workflow: { name: Ship it, stages: [deploy, tell] }
deploy: { provider: command, profile: graph }
tell: { provider: command, with: { command: [sh, -c, "echo \"$1\" >>trace", sh, "${stages.deploy.output}"] } }
"#,
    );
    home.write(
        ".orch/workflows/stages/deploy.graph.yml",
        r"
graph:
  - { id: deployed, type: wait, signal: deploy.done }
  - { id: shown, type: set, value: 'version ${nodes.deployed.output.version}' }
",
    );
    home
}

#[test]
fn a_signal_is_taken_by_the_run_that_waits_for_it_whichever_process_sends_it() {
    let home = deployment();
    let waits = home.run(&["run", "ship", "--run-id", "first"]);
    assert_eq!(waits.code, Some(4), "{waits:?}");
    stable(|| {
        insta::assert_snapshot!(waits.stderr, @"run first waits for the signal `deploy.done` at 1/deploy[0]/deployed (`workflow signal first deploy.done`)");
        insta::assert_snapshot!(home.run(&["runs"]).stdout, @"
        RUN  WORKFLOW  STATUS  CREATED  TOOK
        first  ship  paused  [date]  waits for the signal `deploy.done` at 1/deploy[0]/deployed
        ");
    });
    let [wait] = home.show("first")["waits"].as_array().unwrap().clone().try_into().unwrap();
    assert_eq!((&wait["reason"], &wait["signal"]), (&json!("signal"), &json!("deploy.done")));

    let sent = home.run(&["signal", "first", "deploy.done", "--data", r#"{"version": 2}"#, "--id", "d-1"]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    insta::assert_snapshot!(sent.stdout, @"run first: signal `deploy.done` sent (no process drives it; a worker continues it, and `workflow worker` starts one)");
    assert_eq!(home.run(&["recover"]).code, Some(0));
    assert_eq!(home.read("trace"), "version 2\n");

    let late = home.run(&["signal", "first", "deploy.done"]);
    assert_eq!(
        (late.code, late.stderr.as_str()),
        (Some(6), "error: run `first` cannot be signalled: it has ended (completed)\n")
    );
}

#[test]
fn a_signal_that_is_sent_twice_and_early_counts_once() {
    let home = deployment();
    assert_eq!(home.run(&["run", "ship", "--run-id", "first", "--detach"]).code, Some(0));
    for data in ["1", "2"] {
        let data = format!(r#"{{"version": {data}}}"#);
        assert_eq!(
            home.run(&["signal", "first", "deploy.done", "--data", &data, "--id", "d-1"]).code,
            Some(0)
        );
    }
    let worker = home.start(&["worker"]);
    until("the end of the run", || home.show("first")["status"] == "completed");
    worker.signal(rustix::process::Signal::TERM);
    assert_eq!(worker.wait().code, Some(0));
    assert_eq!(home.read("trace"), "version 1\n");
    assert_eq!(home.log("first").iter().filter(|event| event["type"] == "signal_received").count(), 2);
}

#[test]
fn a_name_that_is_none_is_an_error() {
    let home = deployment();
    assert_eq!(home.run(&["run", "ship", "--run-id", "first"]).code, Some(4));
    let wrong = home.run(&["signal", "first", "two words"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    insta::assert_snapshot!(wrong.stderr, @"error: `two words` is not the name of a signal: use 1 to 64 letters, digits, `-`, `_` and `.`");
    let unknown = home.run(&["signal", "other", "go"]);
    assert_eq!(unknown.code, Some(5), "{unknown:?}");
}
