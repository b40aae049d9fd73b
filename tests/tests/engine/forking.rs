//! Forks: new runs that continue from a point of an old one.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::{Either, join, select};
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody};
use workflow_core::failure::FailureClass;
use workflow_core::ids::{NodePath, RunId, StageId};
use workflow_core::plan::Plan;
use workflow_core::provider::Reply;
use workflow_core::status::RunStatus;
use workflow_core::store::{MemoryStore, RunFilter, RunStore as _, StoreError};
use workflow_core::view::RunView;
use workflow_exec::{Engine, EngineError, Fork, ForkPoint, StartRun};
use workflow_providers::FunctionProvider;
use workflow_store::SqliteStore;
use workflow_testkit::fault::{Write, WriteKind};
use workflow_tests::faulty::{Fault, Faulty};
use workflow_tests::scenario::{self, Scenario};
use workflow_tests::scripted::Deeds;
use workflow_tests::sim::Sim;
use workflow_tests::{log, rules};

fn text(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| serde_json::to_string(event).unwrap()).collect()
}

/// The nodes that have succeeded.
fn succeeded(events: &[Event]) -> HashSet<&NodePath> {
    let paths = events.iter().filter_map(|event| match &event.body {
        EventBody::AttemptSucceeded { path, .. } => Some(path),
        _ => None,
    });
    paths.collect()
}

/// How many attempts have begun and ended.
fn ended(events: &[Event]) -> u64 {
    let mut open = HashSet::new();
    let mut ended = 0;
    for event in events {
        match &event.body {
            EventBody::AttemptStarted { path, .. } => {
                open.insert(path);
            }
            EventBody::AttemptSucceeded { path, .. }
            | EventBody::AttemptFailed { path, .. }
            | EventBody::AttemptCancelled { path, .. }
            | EventBody::AttemptInterrupted { path, .. } => ended += u64::from(open.remove(path)),
            // What a run of a node used counts for the run of the node.
            EventBody::ChildEnded(child) => ended += child.spent.attempts,
            _ => {}
        }
    }
    ended
}

/// The properties of every fork at an event: `log` is the fork's, and `source` that of its source.
fn check_fork(source: &[Event], at: usize, log: &[Event], deeds: &Deeds, view: &RunView) {
    let fork = log.iter().rposition(|event| matches!(event.body, EventBody::RunForked(_))).unwrap();
    let kept = succeeded(&source[..at]);
    assert_eq!(succeeded(&log[..fork]), kept, "every result is taken over");
    for call in deeds.calls().iter().filter(|call| call.id.run == view.run_id) {
        assert!(!kept.contains(&call.id.path), "{} was called again", call.id.path);
    }
    assert_eq!(view.inherited.attempts, ended(&log[..fork]), "what was used before is shown");
    assert_eq!(view.spent.attempts, ended(&log[fork..]), "and not charged");
}

/// Drives a fork to its end. One whose calls never end is cancelled, like its source.
async fn play(scenario: &Scenario, sim: &Sim, engine: &Engine, fork: &RunId) -> RunView {
    let playing = Box::pin(scenario.play(sim, engine, fork));
    match select(playing, sim.sleep_ms(300_000)).await {
        Either::Left((view, _)) => view.unwrap(),
        Either::Right(((), playing)) => {
            let _ = engine.handle(fork).cancel().await.unwrap();
            playing.await.unwrap()
        }
    }
}

/// Workflows that wait for persons and times, and continue sessions.
const WAITING: [(&str, &str); 5] = [
    (
        "approval",
        "
workflow: { name: Approval, stages: [plan, ship, tell] }
plan: { provider: ann }
ship: { provider: bob, approval: \"Ship ${stages.plan.output}?\" }
tell: { provider: cid, approval: Tell? }
",
    ),
    (
        "question",
        "
workflow: { name: Question, stages: [work] }
work: { provider: ann, profile: asks }
--- # profile work.asks
graph:
  - { id: draft, type: run, prompt: Draft }
  - { id: pick, type: ask, question: Which?, choices: [a, b] }
  - { id: say, type: ask, question: \"And why?\", inputs: [pick] }
  - { id: each, type: foreach, items: [x, y], mode: parallel, run: { type: run, prompt: \"${item}\", approval: \"${item}?\" } }
  - { id: use, type: run, inputs: [pick, say, draft, each], prompt: used, approval: \"Use it?\" }
",
    ),
    (
        "quota",
        "
workflow: { name: Quota, stages: [work, tell] }
work: { provider: ann, with: { ann: [{ fail: rate_limited, until: 60000 }, { reply: done }] } }
tell: { provider: ann }
",
    ),
    (
        "sessions",
        "
workflow:
  name: Sessions
  stages: [work, check]
  loop: { max_iters: 2, stop_when: \"$.done == true\" }
  budget: { cost_usd: 1.0 }
work:
  provider: ann
  session: continue
  on_failure: retry
  retries: 4
  retry_backoff: 1
  with:
    ann@1: { session: s1, usage: { cost_usd: 0.2 } }
    ann@2: [{ usage: { cost_usd: 0.3 }, fail: transient }, { usage: { cost_usd: 0.3 }, fail: transient }, { session: s2 }]
check: { provider: bob, with: { bob: { reply: { done: false } } } }
",
    ),
    (
        "stopped",
        "
#! at 35 cancel
workflow: { name: Stopped, stages: [plan, code] }
plan: { provider: ann }
code:
  mode: parallel
  on_failure: continue
  providers: [{ provider: ann }, { provider: bob }]
  with: { ann: { after: 100, deaf: true, fail: permanent }, bob: { deaf: true, after: 100 } }
",
    ),
];

/// A scenario that was played to its end.
struct Played {
    scenario: Scenario,
    sim: Sim,
    store: MemoryStore,
    deeds: Deeds,
    engine: Engine,
    plan: Arc<Plan>,
    run: RunId,
}

impl Played {
    fn new(scenario: Scenario) -> Self {
        scenario.rewind();
        let (sim, store) = (Sim::new(), MemoryStore::new());
        let deeds = Deeds::new(&sim);
        let engine = scenario.engine(&sim, &deeds, store.clone());
        let (run, plan) = sim.block_on(async {
            let run = scenario.create(&sim, &engine).await;
            scenario.play(&sim, &engine, &run).await.unwrap();
            (run, scenario.plan(&engine).await)
        });
        Self { scenario, sim, store, deeds, engine, plan, run }
    }

    /// The prompts of a run, and their nodes.
    fn prompts(&self, run: &RunId) -> Vec<String> {
        let calls = self.deeds.calls().into_iter().filter(|call| call.id.run == *run);
        calls
            .map(|call| format!("{}/{}: {}", call.id.path.iteration, call.id.path.stage, call.prompt))
            .collect()
    }

    fn all() -> impl Iterator<Item = Self> {
        let waiting = WAITING.map(|(name, text)| Scenario::new(name, text));
        Scenario::all().into_iter().chain(waiting).map(Self::new)
    }

    fn events(&self, run: &RunId) -> Vec<Event> {
        self.sim.block_on(scenario::events(&self.store, run))
    }

    /// Creates a fork, drives it to its end, and checks its log.
    fn fork(&self, fork: Fork) -> (RunView, Vec<Event>) {
        let view = self.sim.block_on(async {
            let fork = self.engine.fork(fork).await.unwrap().id().clone();
            play(&self.scenario, &self.sim, &self.engine, &fork).await
        });
        let events = self.events(&view.run_id);
        assert!(view.status.is_terminal(), "{}", log::show_events(&events));
        rules::check(self.plan.bundle(), &events);
        (view, events)
    }
}

#[test]
fn a_scenario_continues_to_an_end_from_every_event_of_its_run() {
    for played in Played::all() {
        let source = played.events(&played.run);
        for at in 1..=source.len() {
            let fork = Fork::of(played.run.clone()).at(ForkPoint::Event(at as u64));
            let (view, events) = played.fork(fork);
            check_fork(&source, at, &events, &played.deeds, &view);
        }
        assert_eq!(text(&played.events(&played.run)), text(&source), "{}", played.scenario.name);
    }
}

const WORDS: &str = "
#! var word = \"old\"
#! var risk = true
workflow:
  name: Words
  stages: [plan, code, check, risky]
  loop: { max_iters: 5, fallback_next_stage: code, stop_when: \"$ == true\" }
plan: { provider: ann, prompt: \"plan ${vars.word}\", with: { ann: { usage: { cost_usd: 0.5 } } } }
code: { provider: ann, prompt: \"${stages.plan.output} ${vars.word}\" }
check: { provider: bob }
risky: { provider: cid, when: \"$.vars.risk == true && $.iteration == 2\", on_failure: stop, with: { cid: { fail: permanent } } }
";

fn stage(name: &str) -> StageId {
    name.parse().unwrap()
}

fn node(path: &str) -> ForkPoint {
    ForkPoint::Node(path.parse().unwrap())
}

#[test]
fn a_fork_leaves_its_run_at_a_stage_a_node_or_an_event_and_has_values_of_its_own() {
    let played = Played::new(Scenario::new("words", WORDS));
    let source = played.events(&played.run);
    assert_eq!(source.last().unwrap().body.kind(), "run_failed");
    let coded = source.iter().find(|event| event.body.kind() == "stage_completed").unwrap().seq;
    let all = [
        "1/plan: plan old",
        "1/code: ann(plan old) old",
        "1/check: ",
        "2/code: ann(plan old) old",
        "2/check: ",
    ];
    let fork = |point| Fork::of(played.run.clone()).at(point).var("risk", false);
    let edited = |call: &str| call.replace(" old", " new");
    let of_plan = |call: &str| call.replace("ann(plan old)", "mine");
    let cases: Vec<(Fork, Vec<String>)> = vec![
        (fork(ForkPoint::Start), all.map(str::to_owned).into()),
        (fork(ForkPoint::Stage(stage("plan"))), all.map(str::to_owned).into()),
        (fork(ForkPoint::Stage(stage("code"))), all[3..].iter().copied().map(str::to_owned).collect()),
        (fork(ForkPoint::Stage(stage("risky"))), Vec::new()),
        (fork(node("1/check[0]/run")), all[2..].iter().copied().map(str::to_owned).collect()),
        (fork(node("2/check[0]/run")), all[4..].iter().copied().map(str::to_owned).collect()),
        (fork(ForkPoint::Event(coded)), all[1..].iter().copied().map(str::to_owned).collect()),
        (fork(ForkPoint::Start).var("word", "new"), all.map(edited).into()),
        (
            // Events after the stage may depend on its output.
            fork(ForkPoint::Stage(stage("risky"))).output(stage("plan"), "mine"),
            all[1..].iter().copied().map(of_plan).collect(),
        ),
    ];
    for (fork, expected) in cases {
        let shown = format!("{fork:?}");
        let (view, events) = played.fork(fork);
        // The loop runs to its limit, because no output ends it.
        let prompts = played.prompts(&view.run_id);
        let of_both: Vec<_> = prompts.iter().filter(|prompt| !prompt.starts_with(['3', '4', '5'])).collect();
        assert_eq!(of_both, expected.iter().collect::<Vec<_>>(), "{shown}\n{}", log::show_events(&events));
        assert_eq!(view.forked.as_ref().unwrap().from, played.run);
        let inherited_cost = if expected.len() == 5 { 0.0 } else { 0.5 };
        assert!(
            (view.inherited.cost_usd.unwrap_or(0.0) - inherited_cost).abs() < 1e-9,
            "{shown}: {:?}",
            view.inherited
        );
    }
    assert_eq!(text(&played.events(&played.run)), text(&source));
}

#[test]
fn a_fork_begins_a_loop_an_iteration_of_it_or_a_node_in_its_body_again() {
    let played = Played::new(Scenario::named("loop_concurrency"));
    let all = ["a", "b", "a", "c after ann(b)"];
    for (path, calls) in [
        ("1/work[0]/rounds", &all[..]),
        ("1/work[0]/rounds[0]/b", &all[1..]),
        ("1/work[0]/rounds[1]", &all[2..]),
        ("1/work[0]/rounds[1]/c", &all[3..]),
    ] {
        let (view, _) = played.fork(Fork::of(played.run.clone()).at(node(path)));
        let mut made: Vec<_> = played.prompts(&view.run_id);
        made.retain(|prompt| prompt != "1/work: beside");
        let expected: Vec<_> = calls.iter().map(|call| format!("1/work: {call}")).collect();
        assert_eq!(made[..made.len() - 1], expected, "{path}: before the last node");
    }
}

#[test]
fn another_output_writes_the_variables_of_its_stage_again() {
    let sim = Sim::new();
    let deeds = Deeds::new(&sim);
    let builder = Engine::builder().clock(sim.clone()).timer(sim.clone());
    let engine = deeds.register(builder).build().unwrap();
    let text = "workflow: { name: Set, stages: [plan, code] }\n\
        plan:\n  provider: ann\n  with: { ann: { reply: { files: [a], n: 1 } } }\n  \
        set: { files: \"${output.files}\", n: \"${output.n}\" }\n\
        code: { provider: bob, prompt: \"${vars.files} ${vars.n}\" }\n";
    let plan = engine.parse(text, "set").unwrap();
    sim.block_on(async {
        let first = engine.run(StartRun::plan(&plan).run_id("r1".parse().unwrap())).await.unwrap();
        assert_eq!(first.context.vars["n"].value(), 1);
        let other = serde_json::json!({ "files": ["b", "c"], "n": 2 });
        let fork = || Fork::of("r1".parse().unwrap()).at(ForkPoint::Stage(stage("code")));
        let run = engine.fork(fork().output(stage("plan"), other.clone())).await.unwrap();
        let view = engine.drive(run.id()).await.unwrap();
        assert_eq!(view.context.stages["code"].output.as_ref().unwrap().value(), "bob([\"b\",\"c\"] 2)");
        // An answer of a person about a variable takes precedence.
        let run = engine.fork(fork().output(stage("plan"), other).var("n", 7)).await.unwrap();
        let view = engine.drive(run.id()).await.unwrap();
        assert_eq!(view.context.stages["code"].output.as_ref().unwrap().value(), "bob([\"b\",\"c\"] 7)");
        // An output without the values for the variables is refused.
        let refused = engine.fork(fork().output(stage("plan"), "text")).await;
        let error = refused.err().unwrap().to_string();
        assert!(error.contains("the new output of `plan` does not fit: plan.set.files"), "{error}");
    });
}

#[test]
fn a_fork_continues_after_a_failed_stage_that_has_an_output_now() {
    let played = Played::new(Scenario::new("words", WORDS));
    let source = played.events(&played.run);
    let failed = source.iter().rfind(|event| event.body.kind() == "stage_failed").unwrap().seq;
    let fork = Fork::of(played.run.clone()).var("risk", false);
    let (view, events) = played.fork(fork.at(ForkPoint::Event(failed)).output(stage("risky"), "fine"));
    assert_eq!(view.iteration, 5, "the loop continues to its end: {}", log::show_events(&events));
    assert_eq!(view.error.unwrap().class, FailureClass::LoopExhausted);
}

#[test]
fn the_budget_of_a_node_is_not_charged_with_what_the_source_used() {
    let played = Played::new(Scenario::new(
        "charged",
        "
workflow: { name: Charged, stages: [work] }
work:
  provider: ann
  profile: one
  on_failure: retry
  retry_backoff: 1
  with: { ann: { fail: transient, usage: { cost_usd: 0.5 } } }
--- # profile work.one
graph: [{ id: a, type: run, budget: { cost_usd: 0.5 } }]
",
    ));
    let source = played.events(&played.run);
    assert_eq!(source.last().unwrap().body.kind(), "run_failed", "its budget is used up");
    let failed = source.iter().find(|event| event.body.kind() == "attempt_failed").unwrap().seq;
    let (view, events) = played.fork(Fork::of(played.run.clone()).at(ForkPoint::Event(failed)));
    assert_eq!((view.inherited.attempts, view.spent.attempts), (1, 1), "{}", log::show_events(&events));
}

#[test]
fn points_that_a_run_has_not_are_errors_that_name_those_it_has() {
    let played = Played::new(Scenario::new("words", WORDS));
    let last = played.events(&played.run).len();
    let nodes = "`1/plan[0]/run`, `1/code[0]/run`, `1/check[0]/run`, `2/code[0]/run`, `2/check[0]/run`, \
                 `2/risky[0]/run`";
    let fork = || Fork::of(played.run.clone());
    let cases = [
        (
            fork().at(ForkPoint::Stage(stage("ship"))),
            "it has not reached a stage `ship`, only `plan`, `code`, `check`, `risky`".to_owned(),
        ),
        (
            fork().at(node("3/code[0]/run")),
            format!("it has no events of a node `3/code[0]/run`, only of {nodes}"),
        ),
        (fork().at(ForkPoint::Event(0)), format!("its events have the numbers 1 to {last}")),
        (fork().at(ForkPoint::Event(u64::MAX)), format!("its events have the numbers 1 to {last}")),
        (
            fork().at(node("1/check[0]/run")).output(stage("check"), 1),
            "the stage `check` has not ended there, only `plan`, `code`".to_owned(),
        ),
        (
            fork().at(ForkPoint::Start).output(stage("plan"), 1),
            "the stage `plan` has not ended there, only none".to_owned(),
        ),
    ];
    played.sim.block_on(async {
        for (fork, expected) in cases {
            let error = played.engine.fork(fork).await.err().unwrap();
            assert!(matches!(error, EngineError::NoSuchPoint { .. }));
            assert_eq!(error.to_string(), format!("run `words` cannot be forked there: {expected}"));
        }
        let none = Fork::of(RunId::new("none").unwrap());
        let error = played.engine.fork(none).await.err().unwrap();
        assert!(matches!(error, EngineError::Store(StoreError::NotFound(_))), "{error}");
        let taken = fork().run_id(played.run.clone());
        let error = played.engine.fork(taken).await.err().unwrap();
        assert!(matches!(error, EngineError::OtherInputs(_)), "{error}");
        assert_eq!(played.store.list(&RunFilter::all()).await.unwrap().len(), 1, "no run was made");
    });
}

#[test]
fn a_run_is_forked_while_it_runs_and_while_it_is_paused_and_continues_as_if_it_was_not() {
    let undisturbed = Played::new(Scenario::named("pause_and_resume"));
    let expected = text(&undisturbed.events(&undisturbed.run));
    // It is paused from 20 to 500.
    for at in [1, 5, 15, 25, 100, 505] {
        let scenario = Scenario::named("pause_and_resume");
        let (sim, store) = (Sim::new(), MemoryStore::new());
        let deeds = Deeds::new(&sim);
        let engine = scenario.engine(&sim, &deeds, store.clone());
        let (source, fork) = sim.block_on(async {
            let run = scenario.create(&sim, &engine).await;
            let forking = async {
                sim.sleep_ms(at).await;
                let there = scenario::events(&store, &run).await.len() as u64;
                let fork = Fork::of(run.clone()).at(ForkPoint::Event(there));
                let fork = engine.fork(fork).await.unwrap();
                assert_eq!(fork.status().await.unwrap(), RunStatus::Pending);
                engine.drive(fork.id()).await.unwrap()
            };
            let (played, fork) = join(scenario.play(&sim, &engine, &run), forking).await;
            assert_eq!(played.unwrap().status, RunStatus::Completed);
            (scenario::events(&store, &run).await, fork)
        });
        assert_eq!(text(&source), expected, "forked at {at}");
        assert_eq!(fork.status, RunStatus::Completed, "forked at {at}");
    }
}

#[test]
fn a_fork_is_forked_like_any_other_run() {
    let played = Played::new(Scenario::named("committee"));
    let middle = played.events(&played.run).len() as u64 / 2;
    let (first, source) = played.fork(Fork::of(played.run.clone()).at(ForkPoint::Event(middle)));
    for at in 1..=source.len() {
        let fork = Fork::of(first.run_id.clone()).at(ForkPoint::Event(at as u64));
        let (view, events) = played.fork(fork);
        check_fork(&source, at, &events, &played.deeds, &view);
        assert_eq!(view.forked.unwrap().from, first.run_id);
        assert_eq!(view.status, RunStatus::Completed);
    }
    assert_eq!(text(&played.events(&first.run_id)), text(&source));
}

#[test]
fn a_fork_continues_after_its_host_died_at_any_append() {
    for scenario in [Scenario::named("committee"), Scenario::named("foreach_with_a_retry")] {
        let played = Played::new(scenario);
        let source = played.events(&played.run);
        let at = source.len() / 2;
        let fork = || Fork::of(played.run.clone()).at(ForkPoint::Event(at as u64));
        let (whole, _) = played.fork(fork());
        let mut deaths = 0;
        for append in 1.. {
            let mut died = false;
            for fault in [Fault::DieBefore, Fault::DieAfter] {
                let store =
                    Faulty::new(
                        &played.store.reopen(),
                        move |number| {
                            if number == append { fault } else { Fault::None }
                        },
                    );
                let host = played.scenario.engine(&played.sim, &played.deeds, store.clone());
                let run = played.sim.block_on(async {
                    let run = host.fork(fork()).await.unwrap().id().clone();
                    let driving = Box::pin(host.drive(&run));
                    died |= matches!(select(driving, Box::pin(store.death())).await, Either::Right(_));
                    run
                });
                played.sim.drop_tasks();
                let store = played.store.reopen();
                let host = played.scenario.engine(&played.sim, &played.deeds, store);
                let view = played.sim.block_on(play(&played.scenario, &played.sim, &host, &run));
                let events = played.events(&run);
                rules::check(played.plan.bundle(), &events);
                check_fork(&source, at, &events, &played.deeds, &view);
                assert_eq!(outputs(&view), outputs(&whole), "append {append}, {fault:?}");
            }
            if !died {
                break;
            }
            deaths += 1;
        }
        assert!(deaths >= 3, "{deaths}");
        assert_eq!(text(&played.events(&played.run)), text(&source));
    }
}

/// The outputs of a run's stages.
fn outputs(view: &RunView) -> Vec<(&StageId, Option<&Data>)> {
    view.context.stages.iter().map(|(id, stage)| (id, stage.output.as_ref())).collect()
}

#[test]
fn a_host_that_dies_as_it_forks_leaves_a_whole_run_or_none() {
    let played = Played::new(Scenario::new("words", WORDS));
    for (fault, there) in [(Fault::DieBefore, false), (Fault::DieAfter, true)] {
        let script = move |write: Write| if write.kind == WriteKind::Create { fault } else { Fault::None };
        let store = Faulty::scripted(&played.store, script);
        let host = played.scenario.engine(&played.sim, &played.deeds, store.clone());
        let run = RunId::new(format!("fork-{there}")).unwrap();
        let fork = Fork::of(played.run.clone()).at(ForkPoint::Stage(stage("code"))).var("risk", false);
        let fork = fork.run_id(run.clone());
        played.sim.block_on(async {
            let forking = Box::pin(host.fork(fork));
            assert!(matches!(select(forking, Box::pin(store.death())).await, Either::Right(_)));
        });
        let store = played.store.reopen();
        let host = played.scenario.engine(&played.sim, &played.deeds, store.clone());
        let found = played.sim.block_on(store.get(&run));
        assert_eq!(found.is_ok(), there);
        if there {
            let view = played.sim.block_on(host.drive(&run)).unwrap();
            assert!(view.status.is_terminal());
            rules::check(played.plan.bundle(), &played.events(&run));
        }
    }
}

#[test]
fn a_run_in_a_database_is_forked_and_driven_on() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("runs.db");
    let open = || {
        let answers = FunctionProvider::from_fn(|request| Ok(Reply::text(request.prompt)));
        Engine::builder().store(SqliteStore::open(&path).unwrap()).provider("ann", answers).build().unwrap()
    };
    let yaml = "
workflow: { name: Words, stages: [one, two] }
one: { provider: ann, prompt: \"one ${vars.word}\" }
two: { provider: ann, prompt: \"two ${vars.word} ${stages.one.output}\" }
";
    futures::executor::block_on(async {
        let engine = open();
        let plan = engine.parse(yaml, "words").unwrap();
        let start = StartRun::plan(&plan).var("word", "old");
        let run = engine.run(start).await.unwrap().run_id;
        let source = scenario::events(engine.store(), &run).await;
        let fork = Fork::of(run.clone()).at(ForkPoint::Stage(stage("two"))).var("word", "new");
        let fork = engine.fork(fork).await.unwrap().id().clone();
        // Another process finds it.
        drop(engine);
        let engine = open();
        let record = engine.store().get(&fork).await.unwrap();
        assert_eq!((record.head.status, record.holder), (RunStatus::Pending, None));
        let view = engine.drive(&fork).await.unwrap();
        assert_eq!(view.context.stages["two"].output.as_ref().unwrap().value(), "two new one old");
        assert_eq!((view.inherited.attempts, view.spent.attempts), (1, 1));
        rules::check(plan.bundle(), &scenario::events(engine.store(), &fork).await);
        assert_eq!(text(&scenario::events(engine.store(), &run).await), text(&source));
    });
}
