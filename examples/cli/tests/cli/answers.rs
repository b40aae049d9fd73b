//! `answer`: questions of runs to persons, answered by other processes than the one that asked.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::home::{Home, Started, lives, stable, until};

/// A stage, and another one that a person must approve.
fn approval() -> Home {
    let home = Home::new();
    home.write(
        "ship.workflow.yml",
        r#"
workflow: { name: Ship it, stages: [plan, ship] }
plan: { provider: command, with: { command: [sh, -c, "echo plan >>trace; echo a plan"] } }
ship: { provider: command, approval: "Ship ${stages.plan.output}?", with: { command: [sh, -c, "echo ship >>trace"] } }
"#,
    );
    home
}

#[test]
fn an_approval_is_given_by_another_process_after_the_one_that_asked_was_killed() {
    let home = approval();
    let left = home.run(&["run", "ship.workflow.yml", "--run-id", "first", "--detach"]);
    assert_eq!(left.code, Some(0), "{left:?}");
    let worker = home.start(&["worker"]);
    until("the question", || home.show("first")["status"] == "paused");
    worker.signal(Signal::KILL);
    assert_eq!(worker.wait().code, None);

    stable(|| {
        insta::assert_snapshot!(home.run(&["runs"]).stdout, @"
        RUN  WORKFLOW  STATUS  CREATED  TOOK
        first  ship  paused  [date]  waits for approval of 1/ship: Ship a plan?
        ");
        insta::assert_snapshot!(home.run(&["answer", "first"]).stdout, @"
        7  waits for approval of 1/ship, since [date]
           Ship a plan?
           `workflow answer first …` with --approve, or --reject [--comment TEXT]
        ");
    });
    let [asked] = home.run(&["answer", "first", "--json"]).json().try_into().unwrap();
    assert_eq!((&asked["reason"], &asked["place"]), (&json!("approval"), &json!("1/ship")));
    // The run waits for a person, not for a process.
    assert_eq!(home.run(&["recover"]).stderr, "no runs to recover\n");
    let resumed = home.run(&["resume", "first"]);
    assert_eq!((resumed.code, resumed.stdout.as_str()), (Some(4), ""));
    stable(
        || insta::assert_snapshot!(resumed.stderr, @"run first waits for approval of 1/ship: Ship a plan? (`workflow answer first`)"),
    );
    assert_eq!(home.read("trace"), "plan\n");

    let answered = home.run(&["answer", "first", "--approve"]);
    assert_eq!(answered.code, Some(0), "{answered:?}");
    stable(|| {
        insta::assert_snapshot!(answered.stdout, @"
    [time] 7 was answered by ann (terminal): true
    [time] ship started
    [time] ship[0] calls command
    [time] ship[0] succeeded after [took]
    [time] ship completed
    [time] run completed after [took]
    ");
    });
    assert_eq!(home.read("trace"), "plan\nship\n");
}

#[test]
fn who_does_not_agree_says_why_and_the_run_fails() {
    let home = approval();
    assert_eq!(home.run(&["run", "ship.workflow.yml", "--run-id", "first"]).code, Some(4));
    let refused = home.run(&["answer", "first", "--reject", "--comment", "not on a Friday"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let error = &home.show("first")["error"];
    assert_eq!(error["class"], "rejected");
    assert_eq!(error["message"], "a person did not agree: not on a Friday");
    assert_eq!(home.read("trace"), "plan\n");
    let late = home.run(&["answer", "first", "--approve"]);
    assert_eq!(late.code, Some(6));
    assert_eq!(late.stderr, "error: run `first` cannot be answered: it has ended (failed)\n");
}

#[test]
fn of_two_answers_with_a_worker_at_hand_one_is_taken_and_the_other_is_told_so() {
    let detached: [&[&str]; 2] = [&["--approve", "--detach"], &["--reject", "--detach"]];
    for said in [detached, [&["--approve"], &["--reject", "--detach"]]] {
        let home = approval();
        assert_eq!(home.run(&["run", "ship.workflow.yml", "--run-id", "first", "--detach"]).code, Some(0));
        let worker = home.start(&["worker"]);
        until("the question", || home.show("first")["status"] == "paused");
        let started = said.map(|said| home.start(&[&["answer", "first"], said].concat()));
        let ended = started.map(Started::wait);
        let refused: Vec<_> = ended.iter().filter(|ended| ended.code == Some(6)).collect();
        assert_eq!(refused.len(), 1, "{ended:?}");
        let why = ["answered already", "has no open question", "has ended"];
        assert!(why.iter().any(|why| refused[0].stderr.contains(why)), "{refused:?}");
        // A sender that drives the run itself ends with the run.
        let taken = ended.iter().position(|ended| matches!(ended.code, Some(0 | 1))).expect("one is taken");
        let (status, trace) = if said[taken].contains(&"--approve") {
            ("completed", "plan\nship\n")
        } else {
            ("failed", "plan\n")
        };
        until("the end", || home.show("first")["status"] == status);
        assert_eq!(home.read("trace"), trace);
        worker.signal(Signal::TERM);
        assert_eq!(worker.wait().code, Some(0));
    }
}

#[test]
fn of_two_answers_at_once_one_is_taken_and_the_other_is_told_so() {
    let detached: [&[&str]; 2] = [&["--approve", "--detach"], &["--reject", "--detach"]];
    for (number, said) in [detached, [&["--approve"], &["--reject"]]].into_iter().enumerate() {
        let home = approval();
        let run = format!("run-{number}");
        assert_eq!(home.run(&["run", "ship.workflow.yml", "--run-id", &run]).code, Some(4));
        let started = said.map(|said| home.start(&[&["answer", &run], said].concat()));
        let ended = started.map(Started::wait);
        let refused: Vec<_> = ended.iter().filter(|ended| ended.code == Some(6)).collect();
        assert_eq!(refused.len(), 1, "{ended:?}");
        // A late sender is told that the question is closed.
        let why = ["answered already", "has no open question", "has ended"];
        assert!(why.iter().any(|why| refused[0].stderr.contains(why)), "{refused:?}");
        assert_eq!(ended.iter().filter(|ended| matches!(ended.code, Some(0 | 1))).count(), 1, "{ended:?}");
    }
}

#[test]
fn a_call_cannot_answer_for_a_person() {
    let home = approval();
    assert_eq!(home.run(&["run", "ship.workflow.yml", "--run-id", "first"]).code, Some(4));
    let call = "first:0000000000000007:1/plan[0]/run:1";
    // The agent's own answer, that of a child without its environment, and that of a grandchild.
    let program = home.command(&[]).get_program().to_str().unwrap().to_owned();
    let hidden = format!("env -u WORKFLOW_CALL sh -c '{program} answer first --approve; exit $?'; exit $?");
    for args in [&[program.as_str(), "answer", "first", "--approve"][..], &["sh", "-c", &hidden]] {
        let mut command = std::process::Command::new(args[0]);
        command.args(&args[1..]).current_dir(home.path("")).env_clear().env("WORKFLOW_CALL", call);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let refused = Started::of(command.env("PATH", path)).wait();
        assert_eq!(refused.code, Some(6), "{refused:?}");
        assert!(refused.stderr.contains("one of its own calls"), "{refused:?}");
        assert_eq!(home.show("first")["status"], "paused");
    }
    // A call may read, and may answer another run.
    let mut other = home.command(&["answer", "first", "--approve"]);
    let answered = Started::of(other.env("WORKFLOW_CALL", call.replace("first", "firs"))).wait();
    assert_eq!(answered.code, Some(0), "{answered:?}");
}

#[test]
fn an_invalid_answer_is_refused_before_it_is_sent() {
    let home = approval();
    assert_eq!(home.run(&["run", "ship.workflow.yml", "--run-id", "first"]).code, Some(4));
    let before = home.log("first");
    for args in [
        &["maybe"][..],
        &["1"],
        &["{\"approved\":\"yes\"}"],
        &["--happened", "x"],
        &["--rerun"],
        &["--approve", "--wait", "1"],
    ] {
        let refused = home.run(&[&["answer", "first"], args].concat());
        let code = if args.contains(&"--wait") { 6 } else { 2 };
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(code), ""), "{args:?}: {refused:?}");
        assert!(refused.stderr.contains("approval of 1/ship: Ship a plan?"), "{refused:?}");
        let says_what = refused.stderr.contains("--approve, or --reject [--comment TEXT]");
        assert!(says_what || args.contains(&"--wait"), "{refused:?}");
    }
    assert_eq!(home.log("first"), before);
    // A matching answer can be written as JSON too.
    assert_eq!(home.run(&["answer", "first", "{\"approved\":true}"]).code, Some(0));
}

#[test]
fn an_answer_is_left_to_a_worker() {
    let home = approval();
    assert_eq!(home.run(&["run", "ship.workflow.yml", "--run-id", "first"]).code, Some(4));
    let answered = home.run(&["answer", "first", "true", "--detach"]);
    assert_eq!(answered.code, Some(0), "{answered:?}");
    assert_eq!(
        answered.stdout,
        "run first: answered (no process drives it; a worker continues it, and `workflow worker` starts one)\n"
    );
    assert_eq!(home.read("trace"), "plan\n");
    let worker = home.start(&["worker"]);
    until("the end of the run", || home.show("first")["status"] == "completed");
    worker.signal(Signal::TERM);
    assert_eq!(worker.wait().code, Some(0));
    assert_eq!(home.read("trace"), "plan\nship\n");
}

#[test]
fn an_interactive_run_asks_before_every_stage() {
    let home = Home::with_stages(&[("one", "echo one >>trace"), ("two", "echo two >>trace")]);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first", "--interactive"]);
    assert_eq!((run.code, home.read("trace")), (Some(4), String::new()));
    let question = |run: &Value| run["waits"][0]["question"].clone();
    assert_eq!(question(&home.show("first")), "Start the stage `one`?");
    assert_eq!(home.run(&["answer", "first", "--approve"]).code, Some(4));
    assert_eq!(
        (home.read("trace"), question(&home.show("first"))),
        ("one\n".into(), "Start the stage `two`?".into())
    );
    assert_eq!(home.run(&["answer", "first", "--approve"]).code, Some(0));
    assert_eq!(home.read("trace"), "one\ntwo\n");
}

#[test]
fn of_several_questions_each_is_answered_by_its_number_with_what_fits() {
    let home = Home::new();
    home.write(
        ".orch/workflows/asks.workflow.yml",
        "workflow: { name: Asks, stages: [work] }\nwork: { provider: demo, profile: asks }\n",
    );
    home.write(
        ".orch/workflows/stages/work.asks.yml",
        r#"
graph:
  - { id: pick, type: ask, question: Which?, choices: [a, "1", { b: 1 }] }
  - { id: many, type: ask, question: How many?, output_schema: schemas/many.json }
  - { id: why, type: ask, question: Why? }
  - { id: all, type: reduce, strategy: concat, from: [pick, many, why] }
"#,
    );
    home.write(".orch/schemas/many.json", r#"{ "type": "integer", "minimum": 3 }"#);
    assert_eq!(home.run(&["run", "asks", "--run-id", "first"]).code, Some(4));
    stable(|| {
        insta::assert_snapshot!(home.run(&["answer", "first"]).stdout, @r#"
        5  waits for an answer to 1/work[0]/pick, since [date]
           Which?
           `workflow answer first --wait 5 …` with one of: a, 1, {"b":1}
        6  waits for an answer to 1/work[0]/many, since [date]
           How many?
           `workflow answer first --wait 6 …` with JSON that follows {"type":"integer","minimum":3}
        7  waits for an answer to 1/work[0]/why, since [date]
           Why?
           `workflow answer first --wait 7 …` with a text
        "#);
        insta::assert_snapshot!(home.run(&["answer", "first", "a"]).stderr, @"
        error: run `first` has several questions; choose one:
          --wait 5  an answer to 1/work[0]/pick: Which?
          --wait 6  an answer to 1/work[0]/many: How many?
          --wait 7  an answer to 1/work[0]/why: Why?
        ");
    });
    let numbers: std::collections::HashMap<_, _> = home.show("first")["waits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|wait| (wait["question"].as_str().unwrap().to_owned(), wait["number"].to_string()))
        .collect();
    let answer =
        |question: &str, answer: &str| home.run(&["answer", "first", answer, "--wait", &numbers[question]]);
    for (question, text, accepted) in
        [("Which?", "c", "one of: a, 1, {\"b\":1}"), ("How many?", "2", "JSON that follows {")]
    {
        let refused = answer(question, text);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(accepted), "{refused:?}");
    }
    for (question, text, code) in [("Which?", "1", 4), ("How many?", "4", 4), ("Why?", "42", 0)] {
        let answered = answer(question, text);
        assert_eq!(answered.code, Some(code), "{answered:?}");
    }
    let nodes = home.show("first")["context"]["stages"]["work"]["results"][0]["nodes"].clone();
    let output =
        |id: &str| nodes.as_array().unwrap().iter().find(|node| node["id"] == id).unwrap()["output"].clone();
    assert_eq!([output("pick"), output("many"), output("why")], [json!("1"), json!(4), json!("42")]);
}

#[test]
fn a_call_that_is_made_again_can_be_given_a_new_session() {
    for (answer, sessions) in [
        (&["--rerun"][..], ["begins", "continues"]),
        (&["--rerun", "--new-session"], ["begins", "begins"]),
        (&["--not-happened", "--new-session"], ["begins", "begins"]),
    ] {
        let home = Home::new();
        home.write(
            "talk.workflow.yml",
            "
workflow: { name: Talk, stages: [talk] }
talk:
  provider: demo
  on_interrupt: ask
  prompt: Talk
  with: { session: s-1, attempts: [{ delay: 1h }], answers: [said] }
",
        );
        let run = home.start(&["run", "talk.workflow.yml", "--run-id", "first"]);
        let named = || home.run(&["events", "first", "--json"]).stdout.contains("session_recorded");
        until("the session", named);
        run.signal(Signal::KILL);
        run.wait();
        assert_eq!(home.run(&["recover"]).code, Some(4));
        // It says how to repeat a call, which is useful only if the call is made again.
        let shown = home.run(&["answer", "first"]);
        assert!(shown.stdout.contains("--rerun [--new-session]"), "{shown:?}");
        for wrong in [&["--new-session"][..], &["--happened", "x", "--new-session"]] {
            assert_eq!(home.run(&[&["answer", "first"], wrong].concat()).code, Some(2), "{wrong:?}");
        }
        let answered = home.run(&[&["answer", "first"], answer].concat());
        assert_eq!(answered.code, Some(0), "{answer:?}: {answered:?}");
        let dropped = home.events("first").contains(&"session_dropped".to_owned());
        assert_eq!(dropped, answer.contains(&"--new-session"), "{answer:?}");
        let logs = home.run(&["logs", "first"]).stdout;
        let said: Vec<_> = logs
            .lines()
            .filter_map(|line| line.split_once("demo: ")?.1.strip_suffix(" the session s-1"))
            .collect();
        assert_eq!(said, sessions, "{answer:?}: {logs}");
    }
}

#[test]
fn the_outcome_of_a_call_that_was_killed_is_asked_for_and_its_result_can_be_given() {
    for (answer, calls, output) in [
        (&["--happened", "paid by hand"][..], 1, json!("paid by hand")),
        (&["--happened", "{\"paid\": 1}"], 1, json!({ "paid": 1 })),
        (&["--not-happened"], 2, json!("paid")),
        (&["--rerun"], 2, json!("paid")),
    ] {
        let home = Home::new();
        home.write(
            "pay.workflow.yml",
            r#"
workflow: { name: Pay, stages: [pay] }
pay:
  provider: command
  on_interrupt: ask
  with: { command: [sh, -c, "echo paid >>trace; echo $$ >pid; touch begun; until test -e gate; do sleep 0.02; done; echo paid"] }
"#,
        );
        let run = home.start_until(&["run", "pay.workflow.yml", "--run-id", "first"], "begun");
        run.signal(Signal::KILL);
        run.wait();
        let recovered = home.run(&["recover"]);
        assert_eq!(recovered.code, Some(4), "{recovered:?}");
        assert!(!lives(&home, "pid"), "what may still have done it is stopped before it is asked");
        assert_eq!(home.show("first")["waits"][0]["reason"], "unknown_outcome");
        assert_eq!(home.read("trace"), "paid\n", "it is not made again before a person agrees");
        home.write("gate", "");
        assert_eq!(home.run(&["answer", "first", "--approve"]).code, Some(2));
        let answered = home.run(&[&["answer", "first"], answer].concat());
        assert_eq!(answered.code, Some(0), "{answer:?}: {answered:?}");
        assert_eq!(home.read("trace").lines().count(), calls, "{answer:?}");
        assert_eq!(home.show("first")["context"]["stages"]["pay"]["output"], output, "{answer:?}");
    }
}

#[test]
fn a_result_that_the_schema_does_not_allow_is_refused_with_what_the_schema_wants() {
    let home = Home::new();
    home.write(".orch/schemas/paid.json", r#"{ "type": "object", "required": ["paid"] }"#);
    home.write(
        ".orch/workflows/pay.workflow.yml",
        r#"
workflow: { name: Pay, stages: [pay] }
pay:
  provider: command
  on_interrupt: ask
  output_schema: schemas/paid.json
  with: { command: [sh, -c, "echo $$ >pid; touch begun; until test -e gate; do sleep 0.02; done"] }
"#,
    );
    let run = home.start_until(&["run", "pay", "--run-id", "first"], "begun");
    run.signal(Signal::KILL);
    run.wait();
    let recovered = home.run(&["recover"]);
    assert_eq!(recovered.code, Some(4), "{recovered:?}");
    assert!(!recovered.stdout.contains("runs again"), "it is not known yet: {recovered:?}");
    for (result, wanted) in [("\"x\"", "object"), ("{}", "paid")] {
        let refused = home.run(&["answer", "first", "--happened", result]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(wanted), "{refused:?}");
    }
    assert_eq!(home.run(&["answer", "first", "--happened", "{\"paid\": 1}"]).code, Some(0));
}
