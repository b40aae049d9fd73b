//! The runs of the workers.

use std::time::Duration;

use futures::executor::block_on;
use workflow_core::catalog::Part;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::store::{RunFilter, RunRecord, RunStore, StoreError};
use workflow_exec::{Engine, StartRun};
use workflow_tests::shelf::Shelf;

use crate::fleet::Fleet;

/// Calls of commands, each with a background process that cannot be found by its group or session, and does
/// not end by itself in time; and calls that end at once.
pub(crate) const SHARED: &str = r#"
workflow:
  name: Work that is shared
  stages: [first, many, lanes, last]
  loop: { max_iters: 2, stop_when: "$.enough == true", on_exhausted: complete }
first: { provider: tracing, retry_backoff: 50ms }
many: { provider: tracing, profile: each, retry_backoff: 50ms }
lanes:
  mode: parallel
  retry_backoff: 50ms
  providers: [{ provider: command }, { provider: tracing }, { provider: command }]
  with:
    command: [sh, -c, 'printf "\n%s .\n" "$WORKFLOW_CALL" >>"$TRACE"; setsid sleep 100 >/dev/null 2>&1 & sleep 0.05; echo done']
    env: { TRACE: "${vars.trace}" }
last: { provider: tracing, retry_backoff: 50ms }
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
        command: [sh, -c, 'printf "\n%s .\n" "$WORKFLOW_CALL" >>"$TRACE"; setsid sleep 100 >/dev/null 2>&1 & sleep 0.03; echo "$1"', sh, "${item}"]
        env: { TRACE: "${vars.trace}" }
"#;

/// A command that never ends the first time it is called, and ends at once from then on.
pub(crate) const STUCK: &str = r#"
workflow: { name: Stuck at first, stages: [before, stuck, after] }
before: { provider: tracing }
stuck:
  provider: command
  with:
    command:
      - sh
      - -c
      - 'printf "\n%s .\n" "$WORKFLOW_CALL" >>"$TRACE"; case "$WORKFLOW_CALL" in *:1) sleep 120 & wait;; esac; echo done'
    env: { TRACE: "${vars.trace}" }
after: { provider: tracing }
"#;

/// Two calls in a row, of which another run with the key of this one sees nothing.
pub(crate) const KEYED: &str = r#"
workflow: { name: One at a time, stages: [first, last], concurrency: { key: "${vars.repo}" } }
first: { provider: tracing, retry_backoff: 50ms }
last:
  provider: command
  retry_backoff: 50ms
  with:
    command: [sh, -c, 'printf "\n%s .\n" "$WORKFLOW_CALL" >>"$TRACE"; sleep 0.05; echo done']
    env: { TRACE: "${vars.trace}" }
"#;

/// A command that ends once the file `TRACE.room` exists.
pub(crate) const GATED: &str = r#"
workflow: { name: Gated, stages: [gated] }
gated:
  provider: command
  with:
    command:
      - sh
      - -c
      - 'printf "\n%s .\n" "$WORKFLOW_CALL" >>"$TRACE"; while [ ! -e "$TRACE.room" ]; do sleep 0.02; done'
    env: { TRACE: "${vars.trace}" }
"#;

/// Commands that print more than there may be room for.
pub(crate) const LARGE: &str = r#"
workflow:
  name: Large outputs
  stages: [large]
  loop: { max_iters: 8, stop_when: "$.enough == true", on_exhausted: complete }
large:
  provider: command
  with:
    command: [sh, -c, 'printf "\n%s .\n" "$WORKFLOW_CALL" >>"$TRACE"; head -c 60000 /dev/zero | tr "\0" x']
    env: { TRACE: "${vars.trace}" }
"#;

/// A command that prints more to standard error than there may be room for, and a last line once the file
/// `TRACE.room` exists.
pub(crate) const TALKATIVE: &str = r#"
workflow: { name: Talkative, stages: [talk] }
talk:
  provider: command
  with:
    command:
      - sh
      - -c
      - 'i=0; while [ $i -lt 20 ]; do head -c 10000 /dev/zero | tr "\0" x >&2; echo >&2; i=$((i+1)); done; while [ ! -e "$TRACE.room" ]; do sleep 0.02; done; echo last >&2'
    env: { TRACE: "${vars.trace}" }
"#;

/// Reads a store, and creates the runs in it.
pub(crate) struct Office {
    engine: Engine,
    trace: String,
    created: usize,
}

impl Office {
    pub(crate) fn new(fleet: &Fleet, workflow: &str) -> Self {
        let each = Part::Profile("many".parse().unwrap(), "each".parse().unwrap());
        let shelf = Shelf::new(work(), workflow, vec![(each, EACH.to_owned())]);
        let engine = fleet.orders.engine().unwrap().catalog(shelf).build().unwrap();
        Self { engine, trace: fleet.orders.calls().display().to_string(), created: 0 }
    }

    /// Creates this many unclaimed runs.
    pub(crate) fn create(&mut self, count: usize) {
        for _ in 0..count {
            let run = RunId::new(format!("r{}", self.created)).unwrap();
            let start = StartRun::workflow(work()).run_id(run).var("trace", self.trace.clone());
            let start = start.var("repo", format!("repo-{}", self.created % 2));
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

    /// Whether no process blocks writers.
    pub(crate) fn is_writable(&self) -> bool {
        // It begins like every write. That there is nothing to renew does not matter.
        !matches!(block_on(self.store().renew()), Err(StoreError::Io { .. }))
    }

    /// How many runs have not ended. Repeats the query if the store is unavailable.
    pub(crate) fn unfinished(&self) -> usize {
        loop {
            if let Ok(runs) = block_on(self.store().list(&RunFilter::unfinished())) {
                for run in &runs {
                    self.has_run_again(run);
                }
                return runs.len();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Acts as a person who repeats a call that was interrupted many times in a row, and resumes a run whose
    /// workers were killed many times in a row.
    fn has_run_again(&self, run: &RunRecord) {
        let Some(wait) = &run.head.wait else { return };
        let handle = self.engine.handle(&run.run_id);
        // If the store is unavailable, the next pass repeats it.
        let _ = match wait.reason {
            WaitReason::UnknownOutcome => block_on(handle.answer(wait.number.unwrap(), "rerun")),
            WaitReason::Crashes => block_on(handle.resume()),
            _ => return,
        };
    }

    pub(crate) fn has_completed(&self, run: &RunId) -> bool {
        block_on(self.store().get(run)).unwrap().head.status == RunStatus::Completed
    }
}

fn work() -> WorkflowId {
    WorkflowId::new("work").unwrap()
}
