//! The committed runs: together they have every kind of event, and every state that a run can be in.

use std::sync::Arc;

use futures::future::{Either, select};
use serde_json::json;
use workflow_core::actor::Actor;
use workflow_core::data::Data;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::priority::Priority;
use workflow_core::store::{Answer, Control, MemoryStore, Signal};
use workflow_exec::{Engine, Fork, ForkPoint, StartRun};
use workflow_tests::scenario::Scenario;
use workflow_tests::scripted::Deeds;
use workflow_tests::shelf::Shelf;
use workflow_tests::sim::Sim;

/// Scenarios that are played to their end. Their runs have their names.
const PLAYED: [&str; 12] = [
    "cancel",
    "child_loop",
    "committee",
    "export_violated",
    "finally_fails",
    "foreach_graph_parallel",
    "graph_queue",
    "loop_fix",
    "loop_with_fallback",
    "pause_and_resume",
    "repair_and_retry",
    "skipped_by_when",
];

const APPROVAL: &str = "
workflow: { name: Approval, stages: [plan, ship] }
plan: { provider: ann, with: { ann: { say: 3, every: 1, usage: { input_tokens: 3, cost_usd: 0.5 } } } }
ship: { provider: bob, approval: \"Ship ${stages.plan.output}?\" }
";

const QUESTION: &str = "
workflow: { name: Question, stages: [work] }
work: { provider: ann, profile: asks }
--- # profile work.asks
graph:
  - { id: draft, type: run, prompt: Draft }
  - { id: pick, type: ask, question: \"Which, after ${nodes.draft.output}?\", choices: [a, b] }
  - { id: say, type: ask, question: \"And why?\", inputs: [pick] }
  - { id: use, type: run, inputs: [pick, say], prompt: used, approval: \"Use it?\" }
";

const ITEMS: &str = "
workflow: { name: Items, stages: [plan, work] }
plan: { provider: ann, set: { plan: \"$\" } }
work: { provider: bob, profile: each }
--- # profile work.each
graph:
  - id: each
    type: foreach
    items: [x, y, z]
    mode: parallel
    run: { type: run, prompt: \"${item}\", with: { \"bob[1]\": { after: 5000 } } }
  - { id: all, type: run, inputs: [each], prompt: All }
";

const PAYS: &str = "
workflow: { name: Pays, stages: [pay] }
pay: { provider: ann, on_interrupt: ask, with: { ann: { after: 5000, reply: paid } } }
";

const DIES: &str = "
workflow: { name: Dies, stages: [work] }
work: { provider: ann, with: { ann: { after: 5000, reply: done } } }
";

const LAST: &str = "
workflow: { name: Last, stages: [work], finally: [tidy] }
work: { provider: ann }
tidy: { provider: bob, with: { bob: { after: 5000 } } }
";

const GRAPHS: &str = "
workflow: { name: Graphs, stages: [work] }
work: { provider: ann, profile: graphs }
--- # profile work.graphs
graph:
  - id: each
    type: foreach
    items: [x, y, z]
    mode: parallel
    concurrency: 2
    on_failure: continue
    run:
      graph:
        - { id: edit, type: run, prompt: \"Edit ${item}\", with: { \"each[1]/ann\": { fail: permanent } } }
        - { id: check, type: run, inputs: [edit, item], prompt: Check, with: { \"each[2]/ann\": { after: 5000 } } }
  - { id: last, type: run, inputs: [each], prompt: Last }
";

const ITERATES: &str = "
workflow: { name: Iterates, stages: [work] }
work: { provider: ann, profile: iterates }
--- # profile work.iterates
graph:
  - id: rounds
    type: loop
    max_iters: 3
    stop_when: \"$.nodes.check.output.ok == true\"
    on_exhausted: complete
    graph:
      - { id: edit, type: run, prompt: \"Edit after ${previous.check:-nothing}\" }
      - id: check
        type: run
        inputs: [edit]
        prompt: Check
        output: json
        with: { ann: { reply: { ok: false } }, \"rounds[1]/ann\": { after: 5000, reply: { ok: true } } }
  - { id: last, type: run, inputs: [rounds], prompt: Last }
";

const PARENT: &str = "
workflow: { name: Parent, stages: [work], budget: { tokens: 1000 } }
work: { provider: ann, profile: nested }
--- # profile work.nested
graph:
  - id: each
    type: foreach
    items: [x, y]
    run: { type: workflow, workflow: other, vars: { item: \"${item}\" } }
  - { id: last, type: run, inputs: [each], prompt: Last }
--- # workflow other
workflow: { name: Other, stages: [find] }
find: { provider: bob, profile: asking }
--- # profile find.asking
graph:
  - { id: found, type: run, prompt: \"Find ${vars.item}\", with: { bob: { usage: { input_tokens: 5 } } } }
  - { id: ask, type: ask, question: Which?, choices: [a, b], after: found }
";

const QUOTA: &str = "
workflow: { name: Quota, stages: [work] }
work: { provider: ann, with: { ann: [{ fail: rate_limited, until: 3600000 }, { reply: done }] } }
";

const TIMES: &str = "
workflow: { name: Times, stages: [work] }
work: { provider: ann, profile: times }
--- # profile work.times
graph:
  - { id: short, type: wait, for: 1s }
  - { id: long, type: wait, for: 1h, after: short }
  - { id: last, type: run, inputs: [long], prompt: Last }
";

const SIGNALS: &str = "
workflow: { name: Signals, stages: [work] }
work: { provider: ann, profile: signals }
--- # profile work.signals
graph:
  - { id: first, type: wait, signal: first }
  - { id: second, type: wait, signal: second, timeout: 2000d, after: first }
  - { id: last, type: run, inputs: [first, second], prompt: Last }
";

const SLOTS: &str = "
workflow: { name: Slots, stages: [ship], concurrency: { key: \"ä \u{1f980}\" } }
ship: { provider: ann, approval: Ship? }
";

const SPENDS: &str = "
workflow:
  name: Spends
  stages: [work]
  loop: { max_iters: 20, stop_when: \"$.done == true\" }
  budget: { cost_usd: 1.0 }
work:
  provider: ann
  on_failure: retry
  retries: 9
  retry_backoff: 1
  session: continue
  with:
    ann@1: { session: s1, usage: { cost_usd: 0.2 }, reply: { done: false } }
    ann@2:
      - { usage: { cost_usd: 0.2 }, fail: transient }
      - { usage: { cost_usd: 0.2 }, fail: transient }
      - { session: s2, usage: { cost_usd: 0.25 }, reply: { done: false } }
    ann@3: { usage: { cost_usd: 0.5 }, reply: { done: false } }
";

/// The workflow that a run is migrated from, and to.
fn moving(second: &str) -> String {
    format!(
        "workflow: {{ name: Moves, stages: [first, {second}] }}\n\
         first: {{ provider: ann, approval: \"Begin?\" }}\n{second}: {{ provider: bob }}\n"
    )
}

struct World {
    sim: Sim,
    deeds: Deeds,
    store: MemoryStore,
}

impl World {
    /// An engine whose catalog has that workflow, with its parts, under that name.
    fn engine(&self, name: &str, text: &str) -> Engine {
        Scenario::new(name, text).engine(&self.sim, &self.deeds, self.store.clone())
    }

    /// Drives a run of a workflow, with the workflow's name, until it stops.
    async fn rest(&self, name: &str, text: &str) -> Engine {
        let engine = self.engine(name, text);
        engine.run(start(name, name)).await.unwrap();
        engine
    }

    /// Lets the next host of a run die after this many milliseconds too.
    async fn die_again(&self, name: &str, workflow: &str, text: &str, after: u64) {
        let engine = self.engine(workflow, text);
        let run = id(name);
        let driving = Box::pin(engine.drive(&run));
        let Either::Right(_) = select(driving, self.sim.sleep_ms(after)).await else {
            panic!("`{name}` has ended")
        };
    }

    /// Lets the host die after this many milliseconds.
    async fn die(&self, name: &str, workflow: &str, text: &str, after: u64) -> Engine {
        let engine = self.engine(workflow, text);
        let driving = Box::pin(engine.run(start(name, workflow)));
        let Either::Right(_) = select(driving, self.sim.sleep_ms(after)).await else {
            panic!("`{name}` has ended")
        };
        engine
    }
}

fn ana() -> Arc<Actor> {
    Arc::new(Actor::new("u-1").name("Ana ä \u{1f980} \"\\\n").via("http"))
}

fn id(run: &str) -> RunId {
    RunId::new(run).unwrap()
}

fn start(run: &str, workflow: &str) -> StartRun {
    StartRun::workflow(WorkflowId::new(workflow).unwrap())
        .run_id(id(run))
        .var("words", "ä \u{1f980} \"\\\n")
        .by(Actor::new("u-17"))
        .labels([("owner", "ann"), ("ticket", "ä \u{1f980} \"\\\n")])
}

/// The first question of a run.
async fn asked(engine: &Engine, run: &str) -> u64 {
    let view = engine.handle(&id(run)).view().await.unwrap();
    view.waits.iter().find_map(|wait| wait.number).unwrap()
}

async fn answer(engine: &Engine, run: &str, value: serde_json::Value) {
    let handle = engine.handle(&id(run));
    let answer = Answer { wait: asked(engine, run).await, value: Data::new(&value) };
    let _ = handle.control(Control::Answer(answer).by(ana())).await.unwrap();
    handle.wait().await.unwrap();
}

/// All of them, in memory.
pub(crate) fn runs() -> MemoryStore {
    let sim = Sim::new();
    let world = World { deeds: Deeds::new(&sim), store: MemoryStore::new(), sim };
    for scenario in PLAYED.map(Scenario::named) {
        let engine = scenario.engine(&world.sim, &world.deeds, world.store.clone());
        world.sim.block_on(async {
            let run = scenario.create(&world.sim, &engine).await;
            scenario.play(&world.sim, &engine, &run).await.unwrap();
        });
    }
    world.sim.block_on(waiting(&world));
    world.sim.block_on(moved_on(&world));
    world.store
}

/// Runs that wait, or waited, or whose host died.
async fn waiting(world: &World) {
    world.rest("approval", APPROVAL).await;
    let engine = world.rest("answered", QUESTION).await;
    answer(&engine, "answered", json!("neither")).await;
    for value in [json!("b"), json!("because"), json!(true)] {
        answer(&engine, "answered", value).await;
    }
    let engine = world.rest("refused", APPROVAL).await;
    answer(&engine, "refused", json!({ "approved": false, "comment": "not on a Friday" })).await;
    world.rest("question", QUESTION).await;
    world.rest("budget", SPENDS).await;

    let engine = world.die("paused", "items", ITEMS, 15).await;
    let _ = engine.handle(&id("paused")).pause().await.unwrap();
    let engine = world.die("named", "items", ITEMS, 15).await;
    let named = engine.handle(&id("named"));
    for control in [Control::Pause, Control::Resume, Control::Kill] {
        let _ = named.control(control.by(ana())).await.unwrap();
    }
    world.die("under_way", "items", ITEMS, 35).await;
    world.die("unknown_outcome", "pays", PAYS, 50).await;
    let engine = world.engine("pays", PAYS);
    engine.drive(&id("unknown_outcome")).await.unwrap();
    let engine = world.die("interrupted", "items", ITEMS, 35).await;
    engine.drive(&id("interrupted")).await.unwrap();

    // After the second death in a row its node waits before it runs again.
    world.die("dies", "dies", DIES, 50).await;
    for _ in 0..2 {
        world.die_again("dies", "dies", DIES, 50).await;
    }

    world.die("times", "times", TIMES, 2_000).await;
    let engine = world.rest("signals", SIGNALS).await;
    let signals = engine.handle(&id("signals"));
    for name in ["second", "other", "first"] {
        let signal =
            Signal::new(name).unwrap().data(json!({ "told": name })).id(format!("{name}-1")).unwrap();
        let _ = signals.control(Control::Signal(signal.into()).by(ana())).await.unwrap();
    }
    signals.wait().await.unwrap();
    world.rest("signal", SIGNALS).await;
    let engine = world.rest("slot", SLOTS).await;
    engine.create(start("slot_behind", "slot")).await.unwrap();

    world.rest("parent", PARENT).await;
    let engine = world.rest("parents", PARENT).await;
    let view = engine.handle(&id("parents")).view().await.unwrap();
    let first = view.wait.unwrap().run.unwrap();
    answer(&engine, first.as_str(), json!("b")).await;
    engine.handle(&id("parents")).wait().await.unwrap();
    world.die("graphs", "graphs", GRAPHS, 50).await;
    world.die("iterates", "iterates", ITERATES, 50).await;
    world.die("last", "last", LAST, 50).await;
    world.die("quota", "quota", QUOTA, 1_000).await;
    world.rest("quota_over", &QUOTA.replace("3600000", "60000")).await;
    let engine = world.engine("items", ITEMS);
    engine.create(start("pending", "items")).await.unwrap();
    engine.create(start("asked", "items")).await.unwrap();
    engine.store().request(&id("asked"), Control::Cancel.by(ana())).await.unwrap();
    engine.create(start("urgent", "items").priority(Priority::HIGH)).await.unwrap();
    engine.create(start("patient", "items").priority(Priority::LOWEST)).await.unwrap();
}

/// Runs that continue others, or have other definitions.
async fn moved_on(world: &World) {
    let engine = world.engine("items", ITEMS);
    let fork = Fork::of(id("interrupted")).at(ForkPoint::Stage("work".parse().unwrap()));
    let fork = fork.var("words", "others").output("plan".parse().unwrap(), json!({ "edited": true }));
    engine.fork(fork.run_id(id("forked")).by(ana())).await.unwrap();
    let whole = Fork::of(id("approval")).at(ForkPoint::Node("1/plan[0]/run".parse().unwrap()));
    let engine = world.engine("approval", APPROVAL);
    engine.fork(whole.run_id(id("forked_and_driven"))).await.unwrap();
    engine.drive(&id("forked_and_driven")).await.unwrap();
    answer(&engine, "forked_and_driven", json!(true)).await;

    world.rest("moves", &moving("second")).await;
    let shelf = Shelf::new(WorkflowId::new("moves").unwrap(), &moving("third"), Vec::new());
    let builder = Engine::builder().store(world.store.clone()).catalog(shelf).clock(world.sim.clone());
    let engine = world.deeds.register(builder).build().unwrap();
    engine.migrate(&id("moves"), Some(ana())).await.unwrap();
}
