//! The runs of an engine through the trait that services and user interfaces use.

use futures::future::FutureExt as _;
use workflow_core::runs::{ControlRefusal, Fork, Runs};
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, RunFilter};

use crate::host::{Host, id};

const ONE: &str = r#"
workflow: { name: One, stages: [plan] }
plan: { provider: ann, prompt: "Plan" }
"#;

#[test]
fn a_run_is_started_read_controlled_forked_and_deleted_through_the_trait() {
    let host = Host::new();
    let runs: &dyn Runs = &host.engine;
    host.sim.block_on(async {
        let run = runs.start(host.start("r1", ONE)).await.unwrap();
        assert_eq!(run, id("r1"));
        host.engine.handle(&run).wait().await.unwrap();
        assert_eq!(runs.get(&run).await.unwrap().head.status, RunStatus::Completed);
        assert_eq!(runs.view(&run).await.unwrap().status, RunStatus::Completed);
        assert_eq!(runs.events(&run, 0, 2).await.unwrap().len(), 2);
        assert!(runs.output(&run, 0, 10).await.unwrap().is_empty());

        let fork = runs.fork(Fork::of(run.clone()).run_id(id("r2"))).await.unwrap();
        assert!(runs.migrate(&fork, false, None).await.unwrap_err().to_string().contains("no catalog"));
        // A fork is driven too.
        assert_eq!(host.engine.handle(&fork).wait().await.unwrap().status, RunStatus::Completed);
        let refused = runs.control(&run, Control::Pause.into()).await.unwrap();
        assert_eq!(refused.refusal(), Some(ControlRefusal::Ended));

        runs.delete(&run).await.unwrap();
        assert!(runs.view(&run).await.unwrap_err().is_not_found());
        let left: Vec<_> = runs.list(&RunFilter::all()).await.unwrap();
        assert_eq!(left.iter().map(|run| run.run_id.as_str()).collect::<Vec<_>>(), ["r2"]);
    });
}

#[test]
fn a_change_of_a_run_and_of_any_run_is_announced() {
    let host = Host::new();
    let runs: &dyn Runs = &host.engine;
    host.sim.block_on(async {
        let any = runs.changed(None).shared();
        assert!(any.clone().now_or_never().is_none());
        let run = runs.start(host.start("r1", ONE)).await.unwrap();
        host.engine.handle(&run).wait().await.unwrap();
        any.now_or_never().expect("the status of a run has changed");
        // Nothing changes any more: it completes all the same after a while, because another process may
        // change a run without a notice.
        runs.changed(Some(&run)).await;
    });
}
