//! Quotas, sessions, budgets and repeated failures, simulated by the demo provider.

use rustix::process::Signal;
use serde_json::Value;

use super::home::{Home, line, stable, until};

fn home(text: &str) -> Home {
    let home = Home::new();
    home.write("demo.workflow.yml", text);
    home
}

const RUN: [&str; 4] = ["run", "demo.workflow.yml", "--run-id", "first"];

/// The output of a run's calls with this prefix, in order.
fn said(home: &Home, begin: &str) -> Vec<String> {
    let entries = home.run(&["logs", "first", "--json"]).json();
    let texts = entries.iter().map(|entry| entry["text"].as_str().unwrap().to_owned());
    texts.filter(|text| text.starts_with(begin)).collect()
}

#[test]
fn a_run_over_its_quota_is_released_and_continues_when_it_is_due() {
    // A shorter time would be waited for in the process.
    let home = home(
        "
workflow: { name: Quota, stages: [work] }
work:
  provider: demo
  with: { answers: [done], attempts: [{ fail: rate_limited, again_in: 31s, message: over the quota }] }
",
    );
    let run = home.start(&RUN);
    until("the quota", || {
        home.path(".orch/runs.db").exists() && home.run(&["runs"]).stdout.contains(" its quota, until ")
    });
    stable(|| {
        insta::assert_snapshot!(home.run(&["runs"]).stdout, @"
    RUN  WORKFLOW  STATUS  CREATED  TOOK
    first  demo  paused  [date]  waits for its quota, until [date]
    ");
    });
    let wait = home.show("first")["wait"].clone();
    assert_eq!(wait["reason"], "quota");
    run.signal(Signal::TERM);
    let left = run.wait();
    assert_eq!(left.code, Some(143), "{left:?}");
    stable(|| {
        insta::assert_snapshot!(left.stderr, @"
    SIGTERM: stopping the calls
    run first was left and waits for its quota, until [date]: `workflow recover` resumes it then
    ");
    });
    // A run that only waits for a time accepts no answer.
    assert_eq!(home.run(&["answer", "first", "now"]).code, Some(6));

    let recovered = home.run(&["recover"]);
    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    assert!(recovered.stdout.contains("run continues: its wait is over"), "{recovered:?}");
    let events = home.log("first");
    let at = |kind: &str| {
        let event = events.iter().find(|event| event["type"] == kind).unwrap();
        event["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()
    };
    assert!(at("run_continued") >= wait["until"].as_str().unwrap().parse().unwrap());
    let attempts: Vec<&Value> = events.iter().filter(|event| event["type"] == "attempt_started").collect();
    assert_eq!(attempts.len(), 2);
    assert_eq!(home.show("first")["context"]["stages"]["work"]["output"], "done");
}

#[test]
fn a_run_that_waits_for_its_quota_is_cancelled_by_ctrl_c_and_by_others() {
    for ctrl_c in [true, false] {
        let home = home(
            "
workflow: { name: Quota, stages: [work] }
work: { provider: demo, with: { attempts: [{ fail: rate_limited, again_in: 1h }] } }
",
        );
        let mut run = home.start(&RUN);
        let mut stdout = run.stdout();
        loop {
            let line = line(&mut stdout);
            assert_ne!(line, "", "it ended before it waited");
            if line.contains("run waits for its quota, until ") {
                break;
            }
        }
        if ctrl_c {
            run.signal(Signal::INT);
        } else {
            assert_eq!(home.run(&["cancel", "first"]).stdout, "run first is cancelled\n");
        }
        let ended = run.wait();
        assert_eq!((ended.code, &home.show("first")["status"]), (Some(3), &"cancelled".into()), "{ended:?}");
    }
}

#[test]
fn a_call_that_was_killed_is_made_again_in_its_session() {
    let home = home(
        "
workflow: { name: Session, stages: [work] }
work:
  provider: demo
  session: continue
  with: { session: s-1, answers: [done], attempts: [{ delay: 1h }] }
",
    );
    let run = home.start(&RUN);
    until("the session", || {
        home.path(".orch/runs.db").exists()
            && home.run(&["show", "first"]).code == Some(0)
            && home.events("first").contains(&"session_recorded".to_owned())
    });
    run.signal(Signal::KILL);
    run.wait();
    let recovered = home.run(&["recover"]);
    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    let sessions =
        said(&home, "demo: ").into_iter().filter(|text| text.contains("session")).collect::<Vec<_>>();
    assert_eq!(sessions.last().unwrap(), "demo: continues the session s-1");
    let interrupted = home.events("first").iter().filter(|kind| *kind == "attempt_interrupted").count();
    assert_eq!((interrupted, &home.show("first")["status"]), (1, &"completed".into()));
}

#[test]
fn a_session_that_fails_twice_in_the_same_way_is_given_up_visibly() {
    let home = home(
        "
workflow: { name: Session, stages: [work] }
work:
  provider: demo
  session: continue
  on_failure: retry
  retries: 5
  retry_backoff: 0.01
  with: { session: s-1, attempts: [{ fail: transient }, { fail: transient }] }
",
    );
    let run = home.run(&RUN);
    assert_eq!(run.code, Some(0), "{run:?}");
    let told: Vec<_> = run.stdout.lines().filter(|line| line.contains("abandons its session")).collect();
    assert_eq!(told.len(), 1, "{run:?}");
    assert!(told[0].ends_with("work[0] abandons its session s-1 and starts a new one"), "{told:?}");
    assert_eq!(said(&home, "demo: begins the session s-1").len(), 2);
}

#[test]
fn a_budget_stops_a_loop_and_what_is_not_known_is_not_nothing() {
    let home = home(
        r#"
workflow:
  name: Budget
  stages: [work, check]
  loop: { max_iters: 20, stop_when: "$.done == true" }
  budget: { cost_usd: 1 }
work: { provider: demo, with: { answers: [done], usage: { cost_usd: 0.3, input_tokens: 10 } } }
check: { provider: demo, with: { answers: [{ done: false }] } }
"#,
    );
    let run = home.run(&RUN);
    assert_eq!(run.code, Some(1), "{run:?}");
    let told: Vec<_> = run.stdout.lines().filter(|line| line.contains("budget")).collect();
    stable(|| {
        insta::assert_snapshot!(told.join("\n"), @r"
        [time] the budget of the run is nearly used up: $0.9000 of $1 are used
        [time] check[0] failed: the budget of the run is used up: $1.2000 of $1 (budget)
        [time] check failed: the budget of the run is used up: $1.2000 of $1 (budget)
        [time] run failed in check after [took]: the budget of the run is used up: $1.2000 of $1 (budget)
        ");
        insta::assert_snapshot!(home.run(&["show", "first"]).stdout, @r#"
        run  first
        workflow  demo
        status  failed
        error  the budget of the run is used up: $1.2000 of $1 (budget)
        failed stages  check
        iteration  4
        created  [date] by ann (terminal)
        started  [date], [took]
        used  7 attempts, [took], $1.2000 (cost of 3 attempts unknown), 40 tokens (tokens of 3 attempts unknown)
        budget  $1.2000 of $1 (cost of 3 attempts unknown)

        STAGE  STATUS  ATTEMPTS  TOOK
        work  completed  [took]  iteration 4
          [0] demo  completed  1 attempt  [took]  "done"
        check  failed  [took]  the budget of the run is used up: $1.2000 of $1 (budget)
          [0]  failed  the budget of the run is used up: $1.2000 of $1 (budget)
        "#);
    });
    assert_eq!(home.show("first")["error"]["class"], "budget");
}

#[test]
fn a_loop_that_fails_in_the_same_way_twice_in_a_row_is_stopped_with_both_shown() {
    let home = home(
        r#"
workflow:
  name: Repeats
  stages: [work, check]
  loop: { max_iters: 9, stop_when: "$.done == true" }
work:
  provider: demo
  on_failure: continue
  with: { attempts: [{ fail: permanent, message: no such tool }] }
check: { provider: demo, with: { answers: [{ done: false }] } }
"#,
    );
    let run = home.run(&RUN);
    assert_eq!(run.code, Some(1), "{run:?}");
    let view = home.show("first");
    assert_eq!((&view["iteration"], &view["error"]["class"]), (&2.into(), &"repeated".into()));
    for which in ["first", "second"] {
        assert_eq!(view["error"]["details"][which]["message"], "no such tool");
    }
    let last = run.stdout.lines().last().unwrap();
    assert!(last.contains("no such tool") && last.ends_with("(repeated)"), "{last}");
}
