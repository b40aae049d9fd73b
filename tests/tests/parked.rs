//! How much memory a run takes in its engine while it waits. Its log is in files: what is counted is what the engine keeps.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::alloc::System;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use workflow_core::bundle::Bundle;
use workflow_core::definition::{
    AskNode, Defaults, GraphNode, Node, Period, Profile, Stage, WaitNode, Workflow, WorkflowNode, resolve,
};
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::plan::Plan;
use workflow_core::status::{RunStatus, WaitReason};
use workflow_exec::{Engine, StartRun, Tokio};
use workflow_providers::FunctionProvider;
use workflow_store::FileStore;

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs before the counted ones: the first of a process allocate what all share. Tables that grow by doubling are as full after
/// them as after the counted ones.
const FIRST: usize = 500;
/// The memory that a run may take, in bytes. A run that waits for another one takes that of both.
const MOST: usize = 100;

/// Bytes that are allocated and not freed.
fn live() -> usize {
    let stats = MEMORY.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// A workflow of one node.
fn workflow(id: &str, node: Node) -> Bundle {
    let stage = Stage { profile: Some("graph".to_owned()), ..Stage::new("ann") };
    let workflow = Workflow::new(id.parse().unwrap(), id).stage("stage".parse().unwrap(), stage);
    let mut bundle = Bundle::new(resolve(&workflow, &Defaults::default()).unwrap());
    let graph = vec![GraphNode::new("node".parse().unwrap(), node)];
    bundle.profiles.insert("stage".parse().unwrap(), Profile { graph, ..Profile::default() });
    bundle
}

fn signal() -> Node {
    Node::Wait(WaitNode { signal: Some("go".to_owned()), ..WaitNode::default() })
}

fn child() -> Bundle {
    let other = WorkflowId::new("other").unwrap();
    let node = WorkflowNode { workflow: other.to_string(), ..WorkflowNode::default() };
    let mut parent = workflow("parent", Node::Workflow(node));
    parent.workflows.insert(other, Arc::new(workflow("other", signal())));
    parent
}

/// Starts as many runs, and returns when all wait for `reason`, and no driver has one in memory.
async fn wait(engine: &Engine, bundle: &Arc<Bundle>, runs: usize, reason: WaitReason) {
    let plan = Arc::new(Plan::load(bundle.clone()).unwrap());
    let mut started = Vec::with_capacity(runs);
    for _ in 0..runs {
        started.push(engine.start(StartRun::plan(&plan)).await.unwrap().id().clone());
    }
    for run in started {
        let other = parked(engine, &run, reason).await;
        if let Some(other) = other {
            parked(engine, &other, WaitReason::Signal).await;
        }
    }
}

/// Waits until a run is parked. Returns the run that it waits for, if it waits for one.
async fn parked(engine: &Engine, run: &RunId, reason: WaitReason) -> Option<RunId> {
    loop {
        let record = engine.store().get(run).await.unwrap();
        if record.holder.is_none() && record.head.status == RunStatus::Paused {
            let wait = record.head.wait.unwrap();
            assert_eq!(wait.reason, reason);
            return wait.run;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_run_that_waits_takes_little_memory() {
    let day = WaitNode { duration: Some(Period(Duration::from_secs(86_400))), ..WaitNode::default() };
    let ask = AskNode { question: "Which?".to_owned(), choices: Vec::new(), output_schema: None, when: None };
    let kinds = [
        (WaitReason::Timer, workflow("time", Node::Wait(day))),
        (WaitReason::Question, workflow("person", Node::Ask(ask))),
        (WaitReason::Signal, workflow("signal", signal())),
        (WaitReason::Child, child()),
    ];
    let mut each = Vec::new();
    for (reason, bundle) in kinds {
        let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let engine = Engine::builder()
            .store(FileStore::open(home.path()).unwrap())
            .provider("ann", FunctionProvider::new(|_, _| pending()))
            .clock(Tokio)
            .timer(Tokio)
            .spawner(Tokio)
            .build()
            .unwrap();
        let bundle = Arc::new(bundle);
        wait(&engine, &bundle, FIRST, reason).await;
        let before = live();
        wait(&engine, &bundle, FIRST, reason).await;
        each.push((reason, live().saturating_sub(before) / FIRST));
    }
    println!("bytes per run: {each:?}");
    assert!(each.iter().all(|(_, bytes)| *bytes <= MOST), "{each:?}");
}
