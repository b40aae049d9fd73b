//! Panics in all kinds of host code: no run is lost, and none is retried forever.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{BoxFuture, Ready, join};
use serde_json::Value;
use workflow_core::catalog::{Catalog, CatalogEntry, CatalogError, Document, Version};
use workflow_core::event::Event;
use workflow_core::failure::FailureClass;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::machine::Secrets;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::sink::EventSink;
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::store::{RunFilter, RunStore as _};
use workflow_core::usage::Usage;
use workflow_exec::{Clock, Engine, EngineError, Spawn, StartRun, Timer, WorkOptions};
use workflow_providers::FunctionProvider;
use workflow_testkit::fault::{Write, WriteKind};
use workflow_tests::faulty::{Fault, Faulty};

use crate::host::{Host, id};

const ONE_CALL: &str = "
workflow: { name: One call, stages: [plan] }
plan: { provider: rude, on_failure: retry }
";

const ANN: &str = "
workflow: { name: Polite, stages: [plan] }
plan: { provider: ann }
";

#[test]
fn a_provider_that_panics_has_failed_for_good_and_is_not_called_again() {
    let rude = FunctionProvider::new(|_, _| async { panic!("no {} in the list", 7) });
    let host = Host::with(|builder| builder.provider("rude", rude));
    let view = host.sim.block_on(host.engine.run(host.start("r1", ONE_CALL))).unwrap();
    assert_eq!(view.status, RunStatus::Failed);
    insta::assert_snapshot!(host.log("r1"), @r"
    0  run_created        test
    0  run_started
    0  stage_started      1/plan
    0  attempt_started    1/plan[0] #1 rude
    0  attempt_failed     1/plan[0] #1 permanent: the provider panicked: no 7 in the list
    0  stage_failed       1/plan permanent: the provider panicked: no 7 in the list
    0  run_failed         permanent: the provider panicked: no 7 in the list
    ");
}

#[test]
fn a_provider_that_panics_before_it_returns_a_future_has_failed_too() {
    let rude = FunctionProvider::new(|_, _| -> Ready<Result<Reply, ProviderError>> { panic!("at once") });
    let host = Host::with(|builder| builder.provider("rude", rude));
    let view = host.sim.block_on(host.engine.run(host.start("r1", ONE_CALL))).unwrap();
    let error = view.error.unwrap();
    assert_eq!((error.class, &*error.message), (FailureClass::Permanent, "the provider panicked: at once"));
}

#[test]
fn what_a_call_used_before_it_panicked_counts_against_the_budget() {
    let rude = FunctionProvider::new(|_, context: CallContext| async move {
        context.usage(Usage { cost_usd: Some(5.0), ..Usage::default() });
        panic!("out of luck")
    });
    let yaml = "
workflow: { name: Over budget, stages: [plan, code], budget: { cost_usd: 4 } }
plan: { provider: rude, on_failure: continue }
code: { provider: ann }
";
    let host = Host::with(|builder| builder.provider("rude", rude));
    let view = host.sim.block_on(host.engine.run(host.start("r1", yaml))).unwrap();
    assert!((view.spent.cost_usd.unwrap() - 5.0).abs() < 1e-9, "{:?}", view.spent);
    assert_eq!(view.status, RunStatus::Failed);
    assert_eq!(host.calls(), "", "nothing more was called");
}

/// Its processes are stopped after it has panicked; all its methods panic too.
#[derive(Default)]
struct Rude {
    calls: AtomicUsize,
    reclaimed: Arc<Mutex<Vec<CallId>>>,
    reclaims_panic: Arc<AtomicBool>,
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[async_trait]
impl Provider for Rude {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match request.prompt.as_str() {
            "late" => {
                let _late = PanicsWhenDropped;
                Ok(Reply::text("done"))
            }
            "wait" => {
                context.stop().wait(Stop::Gracefully).await;
                let _late = PanicsWhenDropped;
                futures::future::pending().await
            }
            prompt => std::panic::panic_any(prompt.len()),
        }
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        assert!(!self.reclaims_panic.load(Ordering::SeqCst), "nothing to reclaim");
        self.reclaimed.lock().unwrap().push(call.clone());
        Ok(())
    }

    fn has_skill(&self, _: &str) -> bool {
        panic!("no skills")
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        assert!(options.is_null(), "no options");
        Ok(())
    }
}

#[test]
fn what_a_call_started_is_reclaimed_after_it_panicked() {
    let rude = Rude::default();
    let (reclaimed, reclaims_panic) = (rude.reclaimed.clone(), rude.reclaims_panic.clone());
    let host = Host::with(|builder| builder.provider("rude", rude));
    let view = host.sim.block_on(host.engine.run(host.start("r1", ONE_CALL))).unwrap();
    assert_eq!(view.error.unwrap().message, "the provider panicked: a panic without a text");
    assert_eq!(reclaimed.lock().unwrap().len(), 1);

    reclaims_panic.store(true, Ordering::SeqCst);
    let view = host.sim.block_on(host.engine.run(host.start("r2", ONE_CALL))).unwrap();
    assert_eq!(
        view.error.unwrap().message,
        "the provider panicked: a panic without a text, and what it started may still be running: \
         the provider panicked: nothing to reclaim"
    );
}

#[test]
fn a_call_that_panics_while_its_locals_are_dropped_has_failed() {
    let host = Host::with(|builder| builder.provider("rude", Rude::default()));
    let yaml = ONE_CALL.replace("rude,", "rude, prompt: late,");
    let view = host.sim.block_on(host.engine.run(host.start("r1", &yaml))).unwrap();
    assert_eq!(view.error.unwrap().message, "the provider panicked: dropped");
}

/// Has a result, and panics when it is dropped after that.
struct Late(PanicsWhenDropped);

impl Future for Late {
    type Output = Result<Reply, ProviderError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let Self(PanicsWhenDropped) = &*self;
        Poll::Ready(Ok(Reply::text("done")))
    }
}

#[test]
fn a_result_counts_although_its_future_panics_when_it_is_dropped() {
    let rude = FunctionProvider::new(|_, _| Late(PanicsWhenDropped));
    let host = Host::with(|builder| builder.provider("rude", rude));
    let view = host.sim.block_on(host.engine.run(host.start("r1", ONE_CALL))).unwrap();
    assert_eq!(view.status, RunStatus::Completed);
}

#[test]
fn a_cancelled_run_ends_although_its_call_panics_when_it_is_dropped() {
    let host = Host::with(|builder| builder.provider("rude", Rude::default()));
    let yaml = ONE_CALL.replace("rude,", "rude, prompt: wait,");
    host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", &yaml)).await.unwrap();
        host.sim.sleep_ms(50).await;
        let _ = run.cancel().await.unwrap();
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Cancelled);
    });
}

#[test]
fn a_run_whose_provider_panics_while_it_reclaims_is_not_driven_and_says_why() {
    let rude = Rude::default();
    rude.reclaims_panic.store(true, Ordering::SeqCst);
    let host = Host::with(|builder| builder.provider("rude", rude));
    let yaml = ONE_CALL.replace("rude,", "rude, prompt: wait,");
    host.sim.block_on(async {
        host.engine.start(host.start("r1", &yaml)).await.unwrap();
        host.sim.sleep_ms(50).await;
        host.sim.drop_tasks();
        let error = host.engine.drive(&id("r1")).await.unwrap_err();
        assert!(matches!(error, EngineError::NotReclaimed { .. }), "{error}");
        assert!(error.to_string().ends_with("the provider panicked: nothing to reclaim"), "{error}");
    });
}

#[test]
fn a_provider_that_panics_while_its_options_are_checked_is_a_diagnostic() {
    let host = Host::with(|builder| builder.provider("rude", Rude::default()));
    let yaml = ONE_CALL.replace("rude,", "rude, with: { a: 1 }, skills: [reading],");
    let error = host.engine.parse(&yaml, "test").unwrap_err();
    assert!(error.to_string().contains("the provider panicked: no options"), "{error}");
}

/// Panics from the event or output entry of that number on.
struct RudeSink {
    from: usize,
    shown: Arc<AtomicUsize>,
}

impl EventSink for RudeSink {
    fn events(&self, _: &RunId, events: &[Event]) {
        let shown = self.shown.fetch_add(events.len(), Ordering::SeqCst);
        assert!(shown + events.len() < self.from, "too many events");
    }

    fn output(&self, _: &RunId, entries: &[OutputEntry]) {
        let shown = self.shown.fetch_add(entries.len(), Ordering::SeqCst);
        assert!(shown + entries.len() < self.from, "too much output");
    }
}

#[test]
fn a_sink_that_panics_is_switched_off_and_the_runs_and_the_other_sinks_continue() {
    for from in 1..=6 {
        let (rude, polite) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let loud = FunctionProvider::new(|_, context: CallContext| async move {
            context.output(OutputKind::Text, "said");
            Ok(Reply::text("done"))
        });
        let host = Host::with(|builder| {
            let builder = builder.sink(RudeSink { from, shown: rude.clone() }).provider("rude", loud);
            builder.sink(RudeSink { from: usize::MAX, shown: polite.clone() })
        });
        let view = host.sim.block_on(host.engine.run(host.start("r1", ONE_CALL))).unwrap();
        assert_eq!(view.status, RunStatus::Completed);
        let before = rude.load(Ordering::SeqCst);
        let view = host.sim.block_on(host.engine.run(host.start("r2", ANN))).unwrap();
        assert_eq!(view.status, RunStatus::Completed);

        assert_eq!(rude.load(Ordering::SeqCst), before, "it is shown nothing more");
        assert!(polite.load(Ordering::SeqCst) > before);
        let [rude, polite] = &host.engine.sinks()[..] else { panic!("two sinks") };
        assert!(rude.name.ends_with("RudeSink"), "{rude:?}");
        assert!(rude.switched_off.as_ref().unwrap().starts_with("too m"), "{rude:?}");
        assert_eq!(polite.switched_off, None);
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn secret(&self, name: &str) -> Option<String> {
        panic!("{name} is locked away")
    }
}

#[test]
fn secrets_that_panic_fail_the_attempt() {
    let yaml = ANN.replace("ann }", "ann, env: { TOKEN: '${secrets.token}' } }");
    let host = Host::with(|builder| builder.secrets(NoSecrets));
    let view = host.sim.block_on(host.engine.run(host.start("r1", &yaml))).unwrap();
    let error = view.error.unwrap();
    assert_eq!(error.class, FailureClass::Permanent);
    assert_eq!(error.message, "looking up a secret panicked: token is locked away");
}

struct NoCatalog;

#[async_trait]
impl Catalog for NoCatalog {
    async fn list(&self) -> Result<Vec<CatalogEntry>, CatalogError> {
        panic!("no list")
    }

    async fn get(&self, _: &WorkflowId) -> Result<Document, CatalogError> {
        panic!("no workflows")
    }

    async fn create(&self, _: &WorkflowId, _: &str) -> Result<Document, CatalogError> {
        panic!("no room")
    }

    async fn update(&self, _: &WorkflowId, _: &str, _: &Version) -> Result<Document, CatalogError> {
        panic!("no pen")
    }

    async fn delete(&self, _: &WorkflowId) -> Result<(), CatalogError> {
        panic!("no eraser")
    }
}

#[test]
fn a_catalog_that_panics_is_an_error() {
    let host = Host::with(|builder| builder.catalog(NoCatalog));
    let workflow = WorkflowId::new("plan").unwrap();
    let start = StartRun::workflow(workflow.clone());
    let error = host.sim.block_on(host.engine.run(start)).unwrap_err();
    assert_eq!(error.to_string(), "the catalog panicked: no workflows");
    let error = host.sim.block_on(host.engine.delete_workflow(&workflow)).unwrap_err();
    assert_eq!(error.to_string(), "the catalog panicked: no eraser");
}

struct Broken;

impl Clock for Broken {
    fn now(&self) -> jiff::Timestamp {
        panic!("no time")
    }
}

impl Timer for Broken {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        panic!("no patience")
    }
}

/// Its waits panic when they are awaited.
struct Asleep;

impl Timer for Asleep {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async { panic!("woken") })
    }
}

impl Spawn for Broken {
    fn spawn(&self, _: BoxFuture<'static, ()>) {
        panic!("no threads")
    }
}

#[test]
fn runs_do_without_a_clock_and_a_timer_that_panic() {
    let fails_once = || {
        let called = AtomicBool::new(false);
        FunctionProvider::from_fn(move |_| {
            if called.swap(true, Ordering::SeqCst) {
                Ok(Reply::text("done"))
            } else {
                Err(ProviderError::transient("not yet"))
            }
        })
    };
    let yaml = "
workflow: { name: A retry, stages: [plan] }
plan: { provider: flaky, on_failure: retry, retry_backoff: 1ms, timeout: 1h }
";
    let builders =
        [Engine::builder().clock(Broken), Engine::builder().timer(Broken), Engine::builder().timer(Asleep)];
    for builder in builders {
        let engine = builder.provider("flaky", fails_once()).build().unwrap();
        let plan = engine.parse(yaml, "test").unwrap();
        let view = futures::executor::block_on(engine.run(StartRun::plan(&plan))).unwrap();
        assert_eq!(view.status, RunStatus::Completed);
    }
}

#[test]
fn a_spawner_that_panics_is_an_error_and_the_run_can_be_driven() {
    let host = Host::with(|builder| builder.spawner(Broken));
    host.sim.block_on(async {
        let error = host.engine.start(host.start("r1", ANN)).await.err().unwrap();
        assert_eq!(error.to_string(), "the spawner panicked: no threads");
        assert_eq!(host.engine.drive(&id("r1")).await.unwrap().status, RunStatus::Completed);
    });
}

fn often() -> WorkOptions {
    let mut options = WorkOptions::default();
    options.poll = Duration::from_millis(100);
    options
}

/// Lets `engine` work on the runs `r1`, `r2` and `r3`, until all have ended.
async fn work_on_three(host: &Host, engine: &Engine) {
    for run in ["r1", "r2", "r3"] {
        host.engine.create(host.start(run, ANN)).await.unwrap();
    }
    let watching = async {
        while !host.store.list(&RunFilter::unfinished()).await.unwrap().is_empty() {
            host.sim.sleep_ms(10).await;
        }
        engine.shutdown(Stop::Gracefully).await;
    };
    join(engine.work(often()), watching).await.0.unwrap();
}

#[test]
fn a_panic_while_a_run_is_driven_does_not_leave_work_and_the_other_runs_continue() {
    // At the fourth append a call has ended.
    let fault = |append| {
        assert!(append != 4, "the disk is on fire");
        Fault::None
    };
    for spawner in [false, true] {
        let host = Host::new();
        let builder = Engine::builder().clock(host.sim.clone()).timer(host.sim.clone());
        let builder = host.deeds.register(builder).store(Faulty::new(&host.store, fault));
        let builder = if spawner { builder.spawner(host.sim.clone()) } else { builder };
        host.sim.block_on(work_on_three(&host, &builder.build().unwrap()));
        let logs = ["r1", "r2", "r3"].map(|run| host.log(run));
        let interrupted = logs.iter().filter(|log| log.contains("attempt_interrupted")).count();
        assert_eq!(interrupted, 1, "one was resumed: {logs:?}");
        assert!(logs.iter().all(|log| log.trim_end().ends_with("run_completed")), "{logs:?}");
    }
}

/// Drops every second future that it receives.
struct Forgetful {
    sim: workflow_tests::sim::Sim,
    given: AtomicUsize,
}

impl Spawn for Forgetful {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        match self.given.fetch_add(1, Ordering::SeqCst) % 4 {
            0 => drop(future),
            1 => panic!("no threads"),
            _ => self.sim.spawn(future),
        }
    }
}

#[test]
fn a_worker_drives_a_run_again_whose_future_its_spawner_dropped() {
    let host = Host::new();
    let spawner = Forgetful { sim: host.sim.clone(), given: AtomicUsize::new(0) };
    let engine = Engine::builder().store(host.store.clone()).clock(host.sim.clone()).timer(host.sim.clone());
    let engine = host.deeds.register(engine.spawner(spawner)).build().unwrap();
    host.sim.block_on(work_on_three(&host, &engine));
}

#[test]
fn a_store_that_panics_when_it_is_asked_for_runs_is_asked_again() {
    let host = Host::new();
    let store = Faulty::scripted(&host.store, |write: Write| {
        assert!(write.kind != WriteKind::Claim || write.of_its_kind > 2, "nothing can be claimed");
        Fault::None
    });
    let engine = Engine::builder().clock(host.sim.clone()).timer(host.sim.clone()).store(store);
    host.sim.block_on(work_on_three(&host, &host.deeds.register(engine).build().unwrap()));
}

#[test]
fn a_blocking_closure_that_panics_has_failed_with_its_text() {
    let rude = FunctionProvider::blocking(|_, _| panic!("on a thread"));
    let engine = Engine::builder().provider("rude", rude).build().unwrap();
    let plan = engine.parse(ONE_CALL, "test").unwrap();
    let view = futures::executor::block_on(engine.run(StartRun::plan(&plan))).unwrap();
    assert_eq!(view.error.unwrap().message, "the provider panicked: on a thread");
}
