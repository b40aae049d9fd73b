//! sayiir: a chain or a fork of tasks. In process nothing is kept; with checkpoints the result of each task is.

use std::sync::Arc;

use futures::future::try_join_all;
use sayiir_core::context::WorkflowContext;
use sayiir_core::task::BranchOutputs;
use sayiir_core::workflow::{Workflow, WorkflowBuilder, WorkflowStatus};
use sayiir_runtime::persistence::InMemoryBackend;
use sayiir_runtime::serialization::JsonCodec;
use sayiir_runtime::{CheckpointingRunner, InProcessRunner, WorkflowRunner as _};

use crate::measure::{FEW, Result, Work, median};

type Chain = Workflow<JsonCodec, u32, ()>;

fn context() -> WorkflowContext<JsonCodec, ()> {
    WorkflowContext::new("work", Arc::new(JsonCodec), Arc::new(()))
}

fn row(steps: usize) -> Result<Chain> {
    let mut chain = WorkflowBuilder::new(context()).then("step-0", |step: u32| async move { Ok(step) });
    for step in 1..steps {
        chain = chain.then(&format!("step-{step}"), |step: u32| async move { Ok(step) });
    }
    chain.build().map_err(|errors| format!("{errors:?}").into())
}

fn fan_out(steps: usize) -> Result<Chain> {
    let first = WorkflowBuilder::new(context()).then("first", |step: u32| async move { Ok(step) });
    let forked = (0..steps).fold(first.fork(), |fork, step| {
        fork.branch(&format!("step-{step}"), |step: u32| async move { Ok(step) })
    });
    let joined = forked.join("join", |_: BranchOutputs<JsonCodec>| async move { Ok(0_u32) });
    joined.build().map_err(|errors| format!("{errors:?}").into())
}

fn work_of(work: Work) -> Result<(Chain, usize)> {
    Ok(match work {
        Work::Row(steps) => (row(steps)?, 1),
        Work::FanOut(steps) => (fan_out(steps)?, 1),
        Work::Runs(runs) => (row(FEW)?, runs),
    })
}

fn completed(statuses: &[WorkflowStatus]) -> Result<()> {
    match statuses.iter().find(|status| !matches!(status, WorkflowStatus::Completed)) {
        None => Ok(()),
        Some(status) => Err(format!("{status:?}").into()),
    }
}

pub(crate) fn in_process(work: Work) -> Result<f64> {
    let (workflow, runs) = work_of(work)?;
    let run = async |(): &()| {
        let all = (0..runs).map(|_| InProcessRunner.run(&workflow, 0));
        completed(&try_join_all(all).await?)
    };
    median(work.steps(), async || Ok(()), run, async |()| ())
}

pub(crate) fn checkpoints(work: Work) -> Result<f64> {
    let (workflow, runs) = work_of(work)?;
    let run = async |runner: &CheckpointingRunner<InMemoryBackend>| {
        let all = (0..runs).map(|run| runner.run(&workflow, format!("run-{run}"), 0));
        completed(&try_join_all(all).await?)
    };
    let prepare = async || Ok(CheckpointingRunner::new(InMemoryBackend::new()));
    median(work.steps(), prepare, run, async |_| ())
}
