//! Runs that wait, and other states that outlast a host: one run of each kind.

use workflow_core::failure::FailureClass;
use workflow_core::status::RunStatus;
use workflow_exec::ForkPoint;
use workflow_tests::play::{Case, Origin};
use workflow_tests::scenario::Scenario;

/// A kind of run.
pub(crate) struct Wait {
    pub name: &'static str,
    yaml: &'static str,
    origin: fn() -> Origin,
    /// How it ends.
    pub status: RunStatus,
    /// The class of its failure, if it fails.
    pub class: Option<FailureClass>,
    /// How often `ann` is called without faults.
    pub calls: usize,
    /// The kinds of events that must be in at least one of the logs.
    pub shows: &'static [&'static str],
}

impl Wait {
    /// The run, with an additional external event.
    pub(crate) fn case(&self, outside: &str) -> Case {
        let lines = outside.split('|').filter(|line| !line.is_empty());
        let outside = lines.fold(String::new(), |lines, line| format!("{lines}#! {line}\n"));
        let scenario = Scenario::new("waits", &format!("{outside}{}", self.yaml));
        Case { origin: (self.origin)(), ..scenario.into() }
    }
}

const DONE: Wait = Wait {
    name: "",
    yaml: "",
    origin: || Origin::New,
    status: RunStatus::Completed,
    class: None,
    calls: 1,
    shows: &[],
};

const TWO_STAGES: &str = "
workflow: { name: Waits, stages: [work, report] }
work: { provider: ann, profile: graph }
report: { provider: ann, prompt: \"Report ${stages.work.output}\", with: { ann: { after: 40 } } }
--- # profile work.graph
graph:
  - { id: first, type: run, prompt: First, with: { ann: { reply: a } } }
  - { id: second, type: run, inputs: [first], prompt: Second, with: { ann: { reply: b } } }
";

pub(crate) fn all() -> Vec<Wait> {
    let asks = "\nworkflow: { name: Waits, stages: [work, report] }
work: { provider: ann, on_interrupt: ask, with: { ann: { after: 40, reply: done } } }
report: { provider: dot, prompt: \"Report ${stages.work.output}\" }
";
    let asked = |name, outcome: &str| Wait {
        name,
        yaml: format!("#! outcome {outcome}{asks}").leak(),
        shows: &["node_asked", "answered"],
        ..DONE
    };
    let failed = |class| Wait { status: RunStatus::Failed, class: Some(class), ..DONE };
    vec![
        Wait {
            name: "quota",
            yaml: "
workflow: { name: Waits, stages: [work, report] }
work: { provider: ann, with: { ann: [{ fail: rate_limited, until: 120000 }, { reply: done }] } }
report: { provider: dot }
",
            calls: 2,
            shows: &["run_waiting", "run_continued"],
            ..DONE
        },
        Wait {
            name: "quotas of lanes",
            yaml: "
workflow: { name: Waits, stages: [work, report] }
work:
  mode: parallel
  providers: [{ provider: ann }, { provider: ann }, { provider: bob }]
  with: { ann: [{ fail: rate_limited, until: 1000 }, { fail: rate_limited, until: 120000 }, { reply: done }], bob: { after: 45 } }
report: { provider: dot }
",
            calls: 6,
            shows: &["run_waiting", "run_continued"],
            ..DONE
        },
        Wait {
            name: "times",
            yaml: "
workflow: { name: Waits, stages: [work, report] }
work: { provider: ann, profile: graph }
report: { provider: dot }
--- # profile work.graph
graph:
  - { id: short, type: wait, for: 400ms }
  - { id: beside, type: run, prompt: Beside, with: { ann: { after: 45 } } }
  - { id: long, type: foreach, items: [1, 2], run: { type: wait, for: 1h }, mode: parallel, after: short }
",
            shows: &["node_waiting", "run_waiting", "run_continued"],
            ..DONE
        },
        asked("a call that happened", r#"{"outcome":"happened","result":"done"}"#),
        asked("a call that did not happen", r#"{"outcome":"not_happened"}"#),
        asked("a call that runs again", r#""rerun""#),
        Wait {
            name: "a call that asks",
            yaml: "
workflow: { name: Waits, stages: [work, report] }
work:
  provider: ann
  with: { ann: { after: 20, session: s1, asks: \"May it?\", reply: done, usage: { input_tokens: 40 } } }
report: { provider: dot, prompt: \"Report ${stages.work.output}\" }
",
            calls: 2,
            shows: &["attempt_interrupted", "node_asked", "answered", "run_waiting"],
            ..DONE
        },
        Wait {
            name: "calls of lanes that ask",
            yaml: "
workflow: { name: Waits, stages: [work, report] }
work:
  mode: parallel
  providers: [{ provider: ann }, { provider: ann }, { provider: bob }]
  with: { ann: { asks: \"May it?\", reply: done }, bob: { after: 45 } }
report: { provider: dot }
",
            calls: 4,
            shows: &["node_asked", "answered", "run_waiting"],
            ..DONE
        },
        Wait {
            name: "session",
            yaml: "
workflow: { name: Waits, stages: [work], loop: { max_iters: 3, stop_when: '$.done == true' } }
work:
  provider: ann
  session: continue
  on_failure: retry
  retries: 3
  retry_backoff: 1
  with:
    ann@1: [{ session: s1, fail: transient }, { session: s1, fail: transient }, { session: s2, reply: { done: false } }]
    ann@2: { session: s2, reply: { done: true } }
",
            calls: 4,
            shows: &["session_recorded", "session_dropped"],
            ..DONE
        },
        Wait {
            name: "budget of a stage",
            yaml: "
workflow: { name: Waits, stages: [work] }
work:
  provider: ann
  on_failure: retry
  retries: 9
  retry_backoff: 1
  budget: { tokens: 100 }
  with: { ann: { fail: transient, usage: { input_tokens: 40 } } }
",
            calls: 3,
            shows: &["budget_warning"],
            ..failed(FailureClass::Budget)
        },
        Wait {
            name: "budget of a run",
            yaml: "
workflow: { name: Waits, stages: [work], budget: { cost_usd: 1 }, loop: { max_iters: 9, stop_when: '$.done == true' } }
work: { provider: ann, with: { ann: { reply: { done: false }, usage: { cost_usd: 0.4 } } } }
",
            calls: 3,
            shows: &["budget_warning"],
            ..failed(FailureClass::Budget)
        },
        Wait {
            name: "failure that repeats",
            yaml: "
workflow: { name: Waits, stages: [work, check], loop: { max_iters: 5, stop_when: '$.done == true' } }
work: { provider: ann, on_failure: continue, with: { ann: { fail: permanent } } }
check: { provider: bob, with: { bob: { reply: { done: false } } } }
",
            calls: 2,
            ..failed(FailureClass::Repeated)
        },
        Wait {
            name: "interactive",
            yaml: "#! interactive
workflow: { name: Waits, stages: [work, report] }
work: { provider: ann }
report: { provider: dot }
",
            shows: &["stage_asked", "answered"],
            ..DONE
        },
        Wait {
            name: "fork",
            yaml: TWO_STAGES,
            origin: || {
                Origin::Forked(|fork| {
                    fork.at(ForkPoint::Stage("report".parse().unwrap()))
                        .output("work".parse().unwrap(), "edited")
                })
            },
            shows: &["run_forked"],
            ..DONE
        },
        Wait {
            name: "rerun of a node",
            yaml: TWO_STAGES,
            origin: || {
                Origin::Forked(|fork| fork.at(ForkPoint::Node("1/work[0]/second".parse().unwrap())))
            },
            calls: 2,
            shows: &["run_forked"],
            ..DONE
        },
        Wait {
            name: "migration",
            yaml: "
workflow: { name: Waits, stages: [work, report, check] }
work: { provider: ann, prompt: Work }
report: { provider: ann, prompt: \"Report ${stages.work.output}\", approval: Report? }
check: { provider: dot, prompt: Check }
",
            origin: || {
                Origin::Moved(Box::new(Scenario::new(
                    "waits",
                    "
workflow: { name: Waits, stages: [work, report] }
work: { provider: ann, prompt: Work }
report: { provider: ann, prompt: Tell, approval: Tell? }
",
                )))
            },
            calls: 2,
            shows: &["run_migrated", "answered"],
            ..DONE
        },
    ]
}
