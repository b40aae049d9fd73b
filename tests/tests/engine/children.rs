//! Runs that nodes of other runs start, through the engine.

use std::sync::Arc;

use serde_json::json;
use workflow_core::data::Data;
use workflow_core::event::EventBody;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::plan::Plan;
use workflow_core::priority::Priority;
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::store::{MemoryStore, RunFilter, RunStore as _};
use workflow_exec::{Engine, Fork, ForkPoint, StartRun};
use workflow_tests::scenario::{self, Scenario};
use workflow_tests::scripted::Deeds;
use workflow_tests::sim::Sim;

const PARENT: &str = "\
workflow: { name: Parent, stages: [work] }
work: { provider: ann, profile: nested }
";

/// A scenario whose stage has these nodes, and the workflows that they run.
fn scenario(nodes: &str, workflows: &str) -> Scenario {
    let nodes = nodes.lines().fold(String::new(), |nodes, line| nodes + "  " + line.trim() + "\n");
    Scenario::new("parent", &format!("{PARENT}--- # profile work.nested\ngraph:\n{nodes}{workflows}"))
}

fn checked(scenario: &Scenario) -> String {
    let sim = Sim::new();
    let engine = scenario.engine(&sim, &Deeds::new(&sim), MemoryStore::new());
    let text = PARENT.as_bytes();
    let id = WorkflowId::new("parent").unwrap();
    let checked = sim.block_on(engine.check(text, Some(&id))).unwrap();
    let lines: Vec<_> =
        checked.diagnostics.iter().map(|found| found.in_line("parent.workflow.yml")).collect();
    assert_eq!(checked.plan.is_none(), lines.iter().any(|line| line.contains("error[")));
    lines.join("\n")
}

#[test]
fn what_nodes_run_is_checked_with_the_workflow() {
    let scenario = scenario(
        "\
  - { id: a, type: workflow, workflow: reserch }
  - { id: b, type: workflow, workflow: research, vars: { topik: 1, depth: deep, key: x } }
  - { id: c, type: workflow, workflow: research, vars: { topic: \"${nodes.b.output}\", depth: 3 } }
  - { id: d, type: workflow, workflow: broken }
  - { id: e, type: workflow, workflow: around }
  - { id: f, type: workflow, workflow: parent }
",
        "\
--- # workflow research
workflow:
  name: Research
  inputs: { topic: {}, depth: { type: integer, default: 1 }, key: { secret: true } }
  stages: [find]
find: { provider: bob, prompt: \"${vars.topic} ${vars.depth} ${secrets.key}\" }
--- # workflow broken
workflow: { name: Broken, stages: [find] }
find: { provider: nobody, prompt: \"${vars.\", retrys: 1 }
--- # workflow around
workflow: { name: Around, stages: [turn] }
turn: { provider: bob, profile: back }
--- # profile turn.back
graph:
  - { id: back, type: workflow, workflow: around }
",
    );
    insta::assert_snapshot!(checked(&scenario));
}

#[test]
fn workflows_run_others_only_so_deep() {
    let others = (0..10).map(|depth| {
        let next = depth + 1;
        format!(
            "--- # workflow w{depth}\nworkflow: {{ name: Deep, stages: [s{depth}] }}\n\
             s{depth}: {{ provider: ann, profile: p }}\n\
             --- # profile s{depth}.p\ngraph:\n  - {{ id: next, type: workflow, workflow: w{next} }}\n"
        )
    });
    let others = others.collect::<Vec<_>>().concat();
    let scenario = scenario("  - { id: next, type: workflow, workflow: w0 }\n", &others);
    insta::assert_snapshot!(checked(&scenario));
}

const OTHER: &str = "\
--- # workflow other
workflow: { name: Other, stages: [find] }
find: { provider: bob, prompt: \"Find ${vars.x:-it}\", with: { bob: { after: 500000 } } }
";

async fn plan_of(scenario: &Scenario, engine: &Engine) -> Arc<Plan> {
    scenario.plan(engine).await
}

/// The run that the last node has started.
async fn child_of(store: &MemoryStore, run: &RunId) -> RunId {
    let events = scenario::events(store, run).await;
    let started = events.iter().rev().find_map(|event| match &event.body {
        EventBody::ChildStarted(child) => Some(child.run.clone()),
        _ => None,
    });
    started.expect("a node has started a run")
}

#[test]
fn a_run_that_waits_for_another_one_says_so_and_is_not_driven() {
    let scenario = scenario("  - { id: child, type: workflow, workflow: other }\n", OTHER);
    let (sim, store) = (Sim::new(), MemoryStore::new());
    let engine = scenario.engine(&sim, &Deeds::new(&sim), store.clone());
    sim.block_on(async {
        let plan = plan_of(&scenario, &engine).await;
        let start = StartRun::plan(&plan).label("owner", "ann");
        let run = engine.start(start).await.unwrap();
        sim.sleep_ms(5_000).await;
        let record = store.get(run.id()).await.unwrap();
        assert_eq!((record.head.status, record.holder), (RunStatus::Paused, None));
        let wait = record.head.wait.unwrap();
        let child = child_of(&store, run.id()).await;
        assert_eq!((wait.reason, wait.run.as_ref()), (WaitReason::Child, Some(&child)));
        assert_eq!(wait.place.as_deref(), Some("1/work[0]/child"));
        let view = run.view().await.unwrap();
        let node = &view.context.stages["work"].results[0].nodes[0];
        assert_eq!(node.run.as_deref(), Some(&child));
        let of_child = engine.handle(&child).view().await.unwrap();
        let parent = of_child.parent.unwrap();
        assert_eq!((&parent.run, parent.path.to_string()), (run.id(), "1/work[0]/child".to_owned()));
        assert_eq!(of_child.labels["owner"], "ann");
        let view = run.wait().await.unwrap();
        assert_eq!(view.output("work").unwrap().value(), json!("bob(Find it)"));
        assert_eq!(view.spent.attempts, 1);
        assert_eq!(store.list(&RunFilter::all()).await.unwrap().len(), 2);
    });
}

#[test]
fn a_run_that_was_deleted_fails_the_node_that_has_started_it() {
    let scenario = scenario("  - { id: child, type: workflow, workflow: other }\n", OTHER);
    let (sim, store) = (Sim::new(), MemoryStore::new());
    let engine = scenario.engine(&sim, &Deeds::new(&sim), store.clone());
    sim.block_on(async {
        let plan = plan_of(&scenario, &engine).await;
        let run = engine.start(StartRun::plan(&plan)).await.unwrap();
        sim.sleep_ms(5_000).await;
        let child = child_of(&store, run.id()).await;
        let _ = engine.handle(&child).pause().await.unwrap();
        sim.sleep_ms(600_000).await;
        store.delete(&child).await.unwrap();
        let view = run.wait().await.unwrap();
        let message = view.error.unwrap().message.clone();
        assert_eq!(message, format!("child: run `{child}` was deleted before its end was known"));
    });
}

#[test]
fn an_engine_without_a_spawner_drives_what_nodes_start() {
    let text = "--- # workflow other\nworkflow: { name: Other, stages: [find] }\nfind: { provider: bob, profile: asking }\n\
                --- # profile find.asking\ngraph:\n  - { id: pause, type: wait, for: 90s }\n  \
                - { id: ask, type: ask, question: Which?, after: pause }\n";
    let scenario = scenario("  - { id: child, type: workflow, workflow: other }\n", text);
    let (sim, store) = (Sim::new(), MemoryStore::new());
    let deeds = Deeds::new(&sim);
    let plan = sim.block_on(plan_of(&scenario, &scenario.engine(&sim, &deeds, MemoryStore::new())));
    let builder = Engine::builder().store(store.clone()).clock(sim.clone()).timer(sim.clone());
    let engine = deeds.register(builder).build().unwrap();
    sim.block_on(async {
        let view = engine.run(StartRun::plan(&plan)).await.unwrap();
        // It waits for a run that waits for a person.
        assert_eq!(view.wait.as_ref().map(|wait| wait.reason), Some(WaitReason::Child));
        let child = engine.handle(view.wait.unwrap().run.as_ref().unwrap());
        let asked = child.view().await.unwrap();
        assert_eq!(asked.wait.as_ref().map(|wait| wait.reason), Some(WaitReason::Question));
        let _ = child.answer(asked.wait.unwrap().number.unwrap(), "this").await.unwrap();
        let view = engine.drive(&view.run_id).await.unwrap();
        assert_eq!(view.output("work").unwrap().value(), json!("this"));
    });
}

#[test]
fn an_engine_without_a_spawner_drives_each_of_several_runs_when_it_can_continue() {
    let late = "--- # workflow late\nworkflow: { name: Late, stages: [wait] }\nwait: { provider: bob, profile: late }\n\
                --- # profile wait.late\ngraph:\n  - { id: pause, type: wait, for: 3h }\n";
    let asks = "--- # workflow asks\nworkflow: { name: Asks, stages: [ask] }\nask: { provider: bob, profile: asks }\n\
                --- # profile ask.asks\ngraph:\n  - { id: which, type: ask, question: Which? }\n";
    let nodes = "  - { id: late, type: workflow, workflow: late }\n  - { id: asks, type: workflow, workflow: asks }\n";
    let scenario = scenario(nodes, &format!("{late}{asks}"));
    let (sim, store) = (Sim::new(), MemoryStore::new());
    let deeds = Deeds::new(&sim);
    let plan = sim.block_on(plan_of(&scenario, &scenario.engine(&sim, &deeds, MemoryStore::new())));
    let engine = || {
        let builder = Engine::builder().store(store.clone()).clock(sim.clone()).timer(sim.clone());
        deeds.register(builder).build().unwrap()
    };
    let (here, elsewhere) = (engine(), engine());
    sim.block_on(async {
        let answered = async {
            sim.sleep_ms(7_200_000).await;
            let asks = WorkflowId::new("asks").unwrap();
            let asked = store.list(&RunFilter::unfinished().workflow(asks)).await.unwrap();
            let child = elsewhere.handle(&asked[0].run_id);
            let _ = child.answer(asked[0].head.waits()[0].number.unwrap(), "this").await.unwrap();
            sim.sleep_ms(5_000).await;
            assert_eq!(child.status().await.unwrap(), RunStatus::Completed);
        };
        let (view, ()) = futures::future::join(here.run(StartRun::plan(&plan)), answered).await;
        assert_eq!(view.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn a_fork_takes_over_what_runs_have_made_and_starts_those_again_that_had_not_ended() {
    let scenario = scenario(
        "  - { id: first, type: workflow, workflow: other, vars: { x: a } }\n  \
         - { id: second, type: workflow, workflow: other, vars: { x: b }, after: first }\n",
        &OTHER.replace("500000", "5000"),
    );
    let (sim, store) = (Sim::new(), MemoryStore::new());
    let engine = scenario.engine(&sim, &Deeds::new(&sim), store.clone());
    sim.block_on(async {
        let plan = plan_of(&scenario, &engine).await;
        let run = engine.start(StartRun::plan(&plan)).await.unwrap();
        sim.sleep_ms(8_000).await;
        let old = child_of(&store, run.id()).await;
        let last = run.view().await.unwrap().last_event;
        let fork = engine.fork(Fork::of(run.id().clone()).at(ForkPoint::Event(last))).await.unwrap();
        let view = engine.drive(fork.id()).await.unwrap();
        assert_eq!(view.status, RunStatus::Completed);
        assert_eq!(view.output("work").unwrap().value(), json!("bob(Find b)"));
        // The first is taken over.
        assert_eq!((view.spent.attempts, view.inherited.attempts), (1, 1));
        let new = child_of(&store, fork.id()).await;
        assert_ne!(old, new);
        let own = engine.handle(&new).view().await.unwrap().parent.unwrap();
        assert_eq!(&own.run, fork.id());
        let copy = engine.fork(Fork::of(new.clone()).at(ForkPoint::Start)).await.unwrap();
        assert_eq!(copy.view().await.unwrap().parent, None);
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn providers_are_replaced_in_what_nodes_run_too() {
    let scenario =
        scenario("  - { id: child, type: workflow, workflow: other }\n", &OTHER.replace("bob: {", "cid: {"));
    let (sim, store) = (Sim::new(), MemoryStore::new());
    let engine = scenario.engine(&sim, &Deeds::new(&sim), store.clone());
    sim.block_on(async {
        let map = workflow_core::bundle::ProviderMap::from_iter([("bob", "cid"), ("cid", "bob")]);
        let plan = plan_of(&scenario, &engine).await;
        for start in [StartRun::plan(&plan), StartRun::workflow(WorkflowId::new("parent").unwrap())] {
            let view = engine.run(start.providers(map.clone())).await.unwrap();
            assert_eq!(view.output("work").unwrap(), &Data::new(&json!("cid(Find it)")));
        }
    });
}

#[test]
fn a_run_has_the_priority_of_its_workflow_or_else_that_of_the_run_that_starts_it() {
    let scenario = scenario(
        "  - { id: plain, type: workflow, workflow: plain }\n  - { id: own, type: workflow, workflow: own, after: plain }\n",
        "--- # workflow plain\nworkflow: { name: Plain, stages: [find] }\nfind: { provider: bob }\n\
         --- # workflow own\nworkflow: { name: Own, priority: -3, stages: [find] }\nfind: { provider: bob }\n",
    );
    let (sim, store) = (Sim::new(), MemoryStore::new());
    let engine = scenario.engine(&sim, &Deeds::new(&sim), store.clone());
    sim.block_on(async {
        let plan = plan_of(&scenario, &engine).await;
        for given in [Some(Priority::new(7).unwrap()), None] {
            let start = StartRun::plan(&plan);
            let start = if let Some(priority) = given { start.priority(priority) } else { start };
            let view = engine.run(start).await.unwrap();
            assert_eq!(view.status, RunStatus::Completed);
            let started = store.list(&RunFilter::all().parent(view.run_id.clone())).await.unwrap();
            let priorities: Vec<_> =
                started.iter().map(|run| (run.head.workflow_id.as_str(), run.head.priority)).collect();
            let plain = given.unwrap_or_default();
            assert_eq!(priorities, [("own", Priority::new(-3).unwrap()), ("plain", plain)]);
        }
    });
}

/// Why a run fails whose workflow has this header, and which runs `other`, which runs one with the key `k`.
fn failure_with_keys(header: &str, other: &str) -> (RunId, String) {
    let workflow = |id: &str, header: &str, next: Option<&str>| {
        let stage = format!("s-{id}");
        let profile = next.map_or(String::new(), |next| {
            format!("--- # profile {stage}.p\ngraph:\n  - {{ id: next, type: workflow, workflow: {next} }}\n")
        });
        let of_stage = if next.is_some() { ", profile: p" } else { "" };
        format!(
            "workflow: {{ name: It, stages: [{stage}]{header} }}\n{stage}: {{ provider: ann{of_stage} }}\n{profile}"
        )
    };
    let text = [
        workflow("parent", header, Some("other")),
        format!("--- # workflow other\n{}", workflow("other", other, Some("last"))),
        format!("--- # workflow last\n{}", workflow("last", ", concurrency: { key: k }", None)),
    ];
    let scenario = Scenario::new("parent", &text.concat());
    let sim = Sim::new();
    let engine = scenario.engine(&sim, &Deeds::new(&sim), MemoryStore::new());
    sim.block_on(async {
        let plan = plan_of(&scenario, &engine).await;
        let view = engine.run(StartRun::plan(&plan)).await.unwrap();
        (view.run_id.clone(), view.error.map(|error| error.message.clone()).unwrap_or_default())
    })
}

#[test]
fn a_run_with_the_key_of_one_that_would_wait_for_it_fails() {
    let with_key = ", concurrency: { key: k }";
    assert_eq!(failure_with_keys("", "").1, "");
    assert_eq!(failure_with_keys(", concurrency: { key: x }", ", concurrency: { key: z }").1, "");
    let (_, direct) = failure_with_keys("", with_key);
    assert!(
        direct.ends_with(
            "the workflow `last` has the same `concurrency.key` as the run that starts it: it would wait for that to end"
        ),
        "{direct}"
    );
    let (run, above) = failure_with_keys(with_key, "");
    assert!(
        above.ends_with(&format!(
            "the workflow `last` has the same `concurrency.key` as run `{run}`, which waits for the run that starts it: it \
             would wait for that to end"
        )),
        "{above}"
    );
}
