//! Drivers that lose a run to another one, which stops their calls, as on one machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use futures::future::{Either, join, select};
use jiff::SignedDuration;
use workflow_core::event::EventBody;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::store::{MemoryStore, RunStore};
use workflow_exec::{Clock as _, Engine, EngineError, StartRun};
use workflow_tests::faulty::Faulty;
use workflow_tests::sim::Sim;
use workflow_tests::{log, scenario};

use crate::host::id;

const LEASE: Duration = Duration::from_secs(30);

const YAML: &str = "
workflow: { name: One call, stages: [work] }
work: { provider: command }
";

/// Stops the processes of calls, by path and attempt.
type Processes = BTreeMap<(String, u32), oneshot::Sender<()>>;

/// The processes of calls on a machine: every engine that knows a call can stop it.
#[derive(Clone)]
struct Machine {
    sim: Sim,
    processes: Arc<Mutex<Processes>>,
}

impl Machine {
    fn stop(&self, path: &str, attempt: u32) {
        if let Some(process) = self.processes.lock().unwrap().remove(&(path.to_owned(), attempt)) {
            // It may have ended by itself.
            let _ = process.send(());
        }
    }
}

/// Each call takes ten seconds.
#[async_trait]
impl Provider for Machine {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let CallId { path, attempt, .. } = &request.id;
        let (stop, stopped) = oneshot::channel();
        self.processes.lock().unwrap().insert((path.to_string(), *attempt), stop);
        let told = context.stop().wait(Stop::Gracefully);
        let work = select(Box::pin(self.sim.sleep_ms(10_000)), Box::pin(told));
        let ended = match select(work, stopped).await {
            Either::Left((Either::Left(_), _)) => Ok(Reply::text(format!("by attempt {attempt}"))),
            Either::Left(_) => Err(ProviderError::cancelled()),
            Either::Right(_) => Err(ProviderError::permanent("`sh` was terminated by signal 15")),
        };
        self.processes.lock().unwrap().remove(&(path.to_string(), *attempt));
        ended
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        self.stop(&call.path.to_string(), call.attempt);
        Ok(())
    }

    fn needs_grace(&self) -> bool {
        true
    }
}

struct World {
    sim: Sim,
    machine: Machine,
    memory: MemoryStore,
    /// How far the clock of the store is ahead, in milliseconds.
    ahead: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        let (sim, ahead) = (Sim::new(), Arc::<AtomicI64>::default());
        let (clock, by) = (sim.clone(), ahead.clone());
        let now = move || clock.now() + SignedDuration::from_millis(by.load(Ordering::SeqCst));
        let machine = Machine { sim: sim.clone(), processes: Arc::default() };
        Self { memory: MemoryStore::with_leases(LEASE, now), sim, machine, ahead }
    }

    fn engine(&self, store: impl RunStore + 'static) -> Engine {
        let sim = &self.sim;
        let builder =
            Engine::builder().store(store).clock(sim.clone()).timer(sim.clone()).spawner(sim.clone());
        builder.provider("command", self.machine.clone()).build().unwrap()
    }

    fn start(engine: &Engine) -> StartRun {
        StartRun::plan(&engine.parse(YAML, "test").unwrap()).run_id(id("r1"))
    }

    /// All leases expire, as for processes that are suspended.
    fn leases_run_out(&self) {
        self.ahead.fetch_add(60 * 60 * 1_000, Ordering::SeqCst);
    }

    fn log(&self) -> String {
        log::show_events(&self.sim.block_on(scenario::events(&self.memory, &id("r1"))))
    }
}

/// A process that was suspended between claiming a run and reading the log finds calls there that look like
/// those of a dead process.
#[test]
fn a_driver_that_reads_a_run_after_it_lost_it_stops_no_call_of_the_driver_that_has_it() {
    // Whether its heartbeat has reported the loss by then, or not.
    for readable in [3_000, 9_000] {
        let world = World::new();
        let (clock, begin) = (world.sim.clone(), world.sim.now());
        let late = Faulty::scripted(&world.memory, |_| workflow_tests::faulty::Fault::None)
            .unreadable(move |_| (10..readable).contains(&clock.now().duration_since(begin).as_millis()));
        let late = world.engine(late);
        let other = world.engine(world.memory.another_process());
        let (slow, quick) = world.sim.block_on(async {
            other.create(World::start(&other)).await.unwrap();
            world.sim.sleep_ms(20).await;
            let run = id("r1");
            join(late.drive(&run), async {
                world.sim.sleep_ms(100).await;
                world.leases_run_out();
                other.drive(&run).await
            })
            .await
        });
        assert!(matches!(slow, Err(EngineError::TakenOver { .. })), "readable after {readable} ms: {slow:?}");
        assert_eq!(quick.unwrap().status, RunStatus::Completed, "{}", world.log());
        assert!(!world.log().contains("#2"), "{}", world.log());
    }
}

/// What another process may do that has the run for a while: it reads the log and stops the calls there, and
/// ends before it writes anything.
async fn takes_the_run_and_leaves(world: &World, after: u64, stops: bool, dies: bool) {
    world.sim.sleep_ms(after).await;
    world.leases_run_out();
    let other = world.memory.another_process();
    let lease = other.claim(&id("r1")).await.unwrap();
    if stops {
        world.machine.stop("1/work", 1);
    }
    if dies {
        world.leases_run_out();
    } else {
        other.release(lease).await.unwrap();
    }
}

#[test]
fn what_calls_return_after_another_driver_had_the_run_is_not_recorded() {
    // Neither the failure of a call that the other process stopped, nor a reply whose process may have lost
    // its children.
    for (stops, dies) in [(true, false), (true, true), (false, false), (false, true)] {
        // Between two heartbeats, and just before the call is done.
        for after in [100, 5_000, 9_990] {
            let world = World::new();
            let engine = world.engine(world.memory.clone());
            let (view, ()) = world.sim.block_on(join(
                engine.run(World::start(&engine)),
                takes_the_run_and_leaves(&world, after, stops, dies),
            ));
            let view = view.unwrap();
            let what = format!("stops {stops}, dies {dies}, after {after} ms:\n{}", world.log());
            assert_eq!(view.status, RunStatus::Completed, "{what}");
            let events = world.sim.block_on(scenario::events(&world.memory, &id("r1")));
            let kinds: Vec<_> = events.iter().map(|event| event.body.kind()).collect();
            let attempts = kinds.iter().filter(|kind| kind.starts_with("attempt_"));
            let expected = ["attempt_started", "attempt_interrupted", "attempt_started", "attempt_succeeded"];
            assert_eq!(attempts.copied().collect::<Vec<_>>(), expected, "{what}");
            let second = |body: &EventBody| matches!(body, EventBody::AttemptSucceeded { attempt: 2, .. });
            assert!(events.iter().any(|event| second(&event.body)), "{what}");
        }
    }
}

#[test]
fn what_calls_return_after_a_lease_expired_unclaimed_is_recorded() {
    for after in [100, 5_000, 9_990] {
        let world = World::new();
        let engine = world.engine(world.memory.clone());
        let (view, ()) = world.sim.block_on(join(engine.run(World::start(&engine)), async {
            world.sim.sleep_ms(after).await;
            world.leases_run_out();
        }));
        assert_eq!(view.unwrap().status, RunStatus::Completed);
        assert!(!world.log().contains("#2"), "after {after} ms:\n{}", world.log());
    }
}
