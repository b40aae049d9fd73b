//! The runs that workers share.

use std::time::Duration;

use futures::executor::block_on;
use workflow_core::catalog::Part;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunStore};
use workflow_exec::{Engine, StartRun};
use workflow_tests::shelf::Shelf;

use crate::fleet::Fleet;

/// Calls of commands that have a process of their own in the background, and calls that are over at once.
pub(crate) const SHARED: &str = r#"
workflow:
  name: Work that is shared
  stages: [first, many, lanes, last]
  loop: { max_iters: 2, stop_when: "$.iteration == 2", on_exhausted: complete }
first: { provider: tracing }
many: { provider: tracing, profile: each }
lanes:
  mode: parallel
  providers: [{ provider: command }, { provider: tracing }, { provider: command }]
  with:
    command: [sh, -c, 'printf "\n%s .\n" "$WORKFLOW_CALL" >>"$TRACE"; sleep 0.05 & wait; echo done']
    env: { TRACE: "${vars.trace}" }
last: { provider: tracing }
"#;

pub(crate) const EACH: &str = r#"
graph:
  - id: each
    type: foreach
    items: "${vars.items}"
    mode: parallel
    concurrency: 2
    run:
      type: run
      provider: command
      with:
        command: [sh, -c, 'printf "\n%s .\n" "$WORKFLOW_CALL" >>"$TRACE"; sleep 0.03 & wait; echo "$1"', sh, "${item}"]
        env: { TRACE: "${vars.trace}" }
"#;

/// One command that never ends the first time it is called, and at once from then on.
pub(crate) const STUCK: &str = r#"
workflow: { name: Stuck at first, stages: [before, stuck, after] }
before: { provider: tracing }
stuck:
  provider: command
  with:
    command:
      - sh
      - -c
      - 'printf "\n%s .\n" "$WORKFLOW_CALL" >>"$TRACE"; case "$WORKFLOW_CALL" in *:1) sleep 300 & wait;; esac; echo done'
    env: { TRACE: "${vars.trace}" }
after: { provider: tracing }
"#;

/// Who looks at a store, and creates the runs in it.
pub(crate) struct Office {
    engine: Engine,
    trace: String,
    created: usize,
}

impl Office {
    pub(crate) fn new(fleet: &Fleet, workflow: &str) -> Self {
        let each = Part::Profile("many".parse().unwrap(), "each".parse().unwrap());
        let shelf = Shelf::new(work(), workflow, vec![(each, EACH.to_owned())]);
        let engine = fleet.orders.engine().unwrap().catalog(shelf).build();
        Self { engine, trace: fleet.orders.calls().display().to_string(), created: 0 }
    }

    /// Creates so many runs that nobody drives.
    pub(crate) fn create(&mut self, count: usize) {
        for _ in 0..count {
            let run = RunId::new(format!("r{}", self.created)).unwrap();
            let start = StartRun::workflow(work()).run_id(run).var("trace", self.trace.clone());
            block_on(self.engine.create(start.var("items", vec![1, 2, 3, 4]))).unwrap();
            self.created += 1;
        }
    }

    pub(crate) fn created(&self) -> usize {
        self.created
    }

    pub(crate) fn store(&self) -> &dyn RunStore {
        &**self.engine.store()
    }

    /// How many runs have not ended. A store that is away is asked again.
    pub(crate) fn unfinished(&self) -> usize {
        loop {
            if let Ok(runs) = block_on(self.store().list(&RunFilter::unfinished())) {
                return runs.len();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn has_completed(&self, run: &RunId) -> bool {
        block_on(self.store().get(run)).unwrap().head.status == RunStatus::Completed
    }
}

fn work() -> WorkflowId {
    WorkflowId::new("work").unwrap()
}
