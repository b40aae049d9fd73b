//! The stages of `finally`: however the others end, with every fault of a stage of theirs, at every append.

use workflow_core::event::EventBody;
use workflow_core::failure::FailureClass;
use workflow_core::status::{RunStatus, StageStatus};
use workflow_exec::{Fork, ForkPoint};
use workflow_tests::faulty::Fault;
use workflow_tests::play::{Case, Origin, Played};
use workflow_tests::scenario::Scenario;

/// How the other stages end.
#[derive(Clone, Copy)]
struct Body {
    name: &'static str,
    /// Fields of the workflow.
    workflow: &'static str,
    /// Fields of the first stage.
    build: &'static str,
    outside: &'static str,
    ends: (RunStatus, Option<FailureClass>),
}

const WELL: (RunStatus, Option<FailureClass>) = (RunStatus::Completed, None);

fn bodies() -> Vec<Body> {
    let body = Body { name: "success", workflow: "", build: "", outside: "", ends: WELL };
    let failed = |class| (RunStatus::Failed, Some(class));
    vec![
        Body {
            name: "failure",
            build: ", with: { ann: { fail: permanent } }",
            ends: failed(FailureClass::Permanent),
            ..body
        },
        Body { name: "early end", build: ", end_when: 'true'", ..body },
        Body {
            name: "loop",
            workflow: ", loop: { max_iters: 3, stop_when: '$.done' }",
            build: ", with: { ann@2: { reply: { done: true } } }, end_when: '$.iteration == 2'",
            ..body
        },
        Body {
            name: "exhausted loop",
            workflow: ", loop: { max_iters: 2, stop_when: '$.done' }",
            ends: failed(FailureClass::LoopExhausted),
            ..body
        },
        Body {
            name: "budget",
            workflow: ", budget: { tokens: 10 }",
            build: ", with: { ann: { usage: { input_tokens: 10 } } }",
            ends: failed(FailureClass::Budget),
            ..body
        },
        Body {
            name: "no output",
            workflow: ", output: '${stages.build.output.none}'",
            ends: failed(FailureClass::Expression),
            ..body
        },
        Body {
            name: "cancel",
            build: ", with: { ann: { hang: true, slow_to_stop: 7 } }",
            outside: "#! at 25 cancel\n",
            ends: (RunStatus::Cancelled, None),
            ..body
        },
        body,
    ]
}

/// What happens to the first stage of `finally`.
struct Happening {
    name: &'static str,
    tidy: &'static str,
    outside: &'static str,
    /// How it ends, and with what the run fails that had not failed before. None if it is cut off.
    ends: Option<(StageStatus, Option<FailureClass>)>,
}

fn happenings() -> Vec<Happening> {
    use StageStatus::{Completed, Failed, Skipped};
    let happening = |name, tidy, outside, ends| Happening { name, tidy, outside, ends };
    let short = ", with: { cid: { after: 300 } }";
    let long = ", with: { cid: { after: 800000, slow_to_stop: 5 } }";
    let hangs = ", with: { cid: { hang: true } }";
    vec![
        happening("success", "", "", Some((Completed, None))),
        happening(
            "several lanes",
            ", mode: parallel, providers: [{ provider: cid }, { provider: bob }]",
            "",
            Some((Completed, None)),
        ),
        happening("a graph", ", profile: graph", "", Some((Completed, None))),
        happening("a loop", ", profile: repeats", "", Some((Completed, None))),
        happening("nothing to do", ", when: 'false'", "", Some((Skipped, None))),
        happening(
            "failure",
            ", with: { cid: { fail: permanent } }",
            "",
            Some((Failed, Some(FailureClass::Permanent))),
        ),
        happening(
            "failure without which the run continues",
            ", on_failure: continue, with: { cid: { fail: permanent } }",
            "",
            Some((Failed, None)),
        ),
        happening(
            "retry",
            ", on_failure: retry, retries: 1, retry_backoff: 1, with: { cid: [{ fail: transient }, {}] }",
            "",
            Some((Completed, None)),
        ),
        happening(
            "a question",
            ", with: { cid: { asks: Why? } }",
            "",
            Some((Failed, Some(FailureClass::Permanent))),
        ),
        happening("time limit", hangs, "", Some((Failed, Some(FailureClass::Timeout)))),
        happening("pause", short, "#! at 100 pause\n#! at 5000 resume\n", Some((Completed, None))),
        happening("pause, taken back", short, "#! at 100 pause\n#! at 120 resume\n", Some((Completed, None))),
        happening(
            "pause, ended by a cancel",
            short,
            "#! at 100 pause\n#! at 5000 cancel\n",
            Some((Completed, None)),
        ),
        happening("cancel", long, "#! at 400000 cancel\n", Some((Completed, None))),
        happening("kill", long, "#! at 400000 kill\n", None),
    ]
}

struct Combination {
    body: Body,
    happening: Happening,
}

impl Combination {
    fn all() -> Vec<Self> {
        let pairs = bodies()
            .into_iter()
            .flat_map(|body| happenings().into_iter().map(move |happening| Self { body, happening }));
        pairs.collect()
    }

    /// Each of both at least once.
    fn each() -> Vec<Self> {
        Self::each_of(&bodies(), happenings())
    }

    /// Each of both that ends without requests from outside.
    fn each_by_itself() -> Vec<Self> {
        let bodies: Vec<_> = bodies().into_iter().filter(|body| body.outside.is_empty()).collect();
        let by_themselves = happenings().into_iter().filter(|happening| happening.outside.is_empty());
        Self::each_of(&bodies, by_themselves.collect())
    }

    fn each_of(bodies: &[Body], happenings: Vec<Happening>) -> Vec<Self> {
        assert!(happenings.len() >= bodies.len());
        let bodies = bodies.iter().cycle();
        happenings.into_iter().zip(bodies).map(|(happening, body)| Self { body: *body, happening }).collect()
    }

    fn text(&self) -> String {
        let Self { body, happening } = self;
        let provider = if happening.tidy.contains("providers:") { "" } else { ", provider: cid" };
        format!(
            "{}{}workflow: {{ name: Finally, stages: [build, test], finally: [tidy, report], finally_timeout: 20m{} }}
build: {{ provider: ann, prompt: Build{} }}
test: {{ provider: bob, prompt: Test }}
tidy: {{ prompt: \"Tidy after ${{stages.build.status}}\"{provider}{} }}
report: {{ provider: dot, prompt: \"Report ${{stages.tidy.status}}\" }}
--- # profile tidy.graph
graph:
  - {{ id: list, type: run, prompt: List, output: text }}
  - {{ id: each, type: foreach, items: [1, 2], mode: parallel, run: {{ type: run, prompt: \"${{item}}\" }} }}
  - {{ id: sum, type: reduce, from: each, strategy: concat, after: list }}
--- # profile tidy.repeats
graph:
  - id: rounds
    type: loop
    max_iters: 3
    stop_when: \"$.previous.list != null\"
    graph: [{{ id: list, type: run, prompt: \"List after ${{previous.list:-nothing}}\", output: text }}]
",
            body.outside, happening.outside, body.workflow, body.build, happening.tidy
        )
    }

    fn case(&self, origin: Origin) -> Case {
        Case { origin, ..Scenario::new("finally", &self.text()).into() }
    }

    fn check(&self, played: &Played, about: &str) {
        let Self { body, happening } = self;
        let about = format!("{} × {}, {about}", body.name, happening.name);
        let (view, stages) = (&played.view, &played.view.context.stages);
        let (mut status, mut class) = body.ends;
        if let Some((ends, fails)) = happening.ends {
            if status == RunStatus::Completed && fails.is_some() {
                (status, class) = (RunStatus::Failed, fails);
            }
            assert_eq!(stages["tidy"].status, ends, "{about}");
            // No call starts when their time is over.
            let is_late = fails == Some(FailureClass::Timeout);
            let report = if is_late { StageStatus::Failed } else { StageStatus::Completed };
            assert_eq!(stages["report"].status, report, "{about}");
            let skipped = ends == StageStatus::Skipped;
            assert_eq!(played.calls.iter().any(|call| call.provider == "cid"), !skipped, "{about}");
        } else {
            // It was killed.
            status = if status == RunStatus::Completed { RunStatus::Cancelled } else { status };
            assert_eq!(stages["tidy"].status, StageStatus::Cancelled, "{about}");
            assert!(!stages.contains_key("report"), "{about}");
        }
        assert_eq!((view.status, view.error.as_ref().map(|error| error.class)), (status, class), "{about}");
        let endings = played.events.iter().filter(|event| matches!(event.body, EventBody::RunEnding(_)));
        assert_eq!(endings.count(), 1, "{about}");
        assert_eq!(view.ending, None, "{about}");
    }
}

/// How a run is forked, in words and in fact.
type Way = (&'static str, fn(Fork) -> Fork);

fn at_every_append(fault: Fault) {
    for combination in Combination::each() {
        let case = combination.case(Origin::New);
        let undisturbed = case.play(0, |_, _| Fault::None);
        for at in 1..=undisturbed.appends {
            let faults = move |host, append| if (host, append) == (1, at) { fault } else { Fault::None };
            combination.check(&case.play(0, faults), &format!("append {at}"));
        }
    }
}

#[test]
fn the_last_stages_run_however_the_others_end_and_do_not_change_how() {
    for combination in Combination::all() {
        let played = combination.case(Origin::New).play(0, |_, _| Fault::None);
        combination.check(&played, "undisturbed");
    }
}

#[test]
fn they_do_so_when_their_host_dies_before_an_append() {
    at_every_append(Fault::DieBefore);
}

#[test]
fn they_do_so_when_their_host_dies_after_an_append() {
    at_every_append(Fault::DieAfter);
}

#[test]
fn they_do_so_when_their_store_loses_an_append() {
    at_every_append(Fault::Lose);
}

#[test]
fn they_do_so_when_their_store_loses_an_answer() {
    at_every_append(Fault::LoseAnswer);
}

#[test]
fn they_do_so_in_a_fork_and_in_a_rerun() {
    for combination in Combination::each_by_itself() {
        let again = combination.case(Origin::New).play(0, |_, _| Fault::None);
        let ways: [Way; 4] = [
            ("from the start", |fork| fork),
            ("from the first stage", |fork| fork.at(ForkPoint::Stage("build".parse().unwrap()))),
            ("from a stage of theirs", |fork| fork.at(ForkPoint::Stage("tidy".parse().unwrap()))),
            ("from their last stage", |fork| fork.at(ForkPoint::Stage("report".parse().unwrap()))),
        ];
        for (name, how) in ways {
            let played = combination.case(Origin::Forked(how)).play(0, |_, _| Fault::None);
            // A fork has their whole time again.
            let fails = combination.happening.ends.and_then(|(_, fails)| fails);
            if name == "from their last stage" && fails == Some(FailureClass::Timeout) {
                continue;
            }
            if name != "from their last stage" {
                combination.check(&played, name);
            }
            assert_eq!(played.outcome(), again.outcome(), "{} {name}", combination.body.name);
        }
    }
}

#[test]
fn they_do_so_in_a_run_that_is_moved_to_a_definition_that_has_them() {
    for mut combination in Combination::each_by_itself() {
        let build = format!(", approval: Build?{}", combination.body.build);
        combination.body.build = build.leak();
        let text = combination.text();
        let before = text.replace(", finally: [tidy, report], finally_timeout: 20m", "");
        let before = before.lines().filter(|line| !line.starts_with("tidy:") && !line.starts_with("report:"));
        let before = before.fold(String::new(), |text, line| text + line + "\n");
        let moved = Origin::Moved(Box::new(Scenario::new("finally", &before)));
        let played = combination.case(moved).play(0, |_, _| Fault::None);
        combination.check(&played, "moved");
    }
}
