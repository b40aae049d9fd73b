//! Providers of simulated engines: they answer as the case of the run says, and leave their calls running
//! when their process dies.

use std::collections::{BTreeMap, HashMap};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::{Either, select};
use workflow_core::failure::FailureClass;
use workflow_core::ids::{NodePath, RunId};
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::stop::Stop;
use workflow_core::usage::Usage;
use workflow_exec::Clock as _;

use super::fork;
use super::journal::Journal;
use super::process::Process;
use crate::reference::answers::{self, Answer, answer, usage};
use crate::reference::case::Case;
use crate::reference::chance::Chance;
use crate::reference::play::interruptions;
use crate::sim::Sim;

/// The failure message of a call whose processes another driver has stopped.
pub const ENDED_BY_ANOTHER: &str = "ended by signal 15";

/// The prompts, by run, node and attempt.
pub type Prompts = Arc<Mutex<HashMap<RunId, HashMap<(NodePath, u32), String>>>>;

/// A provider in a process.
#[derive(Clone)]
pub struct Answering {
    /// The world.
    pub sim: Sim,
    /// The process.
    pub process: Process,
    /// The cases of the runs.
    pub cases: Arc<BTreeMap<RunId, Arc<Case>>>,
    /// The journal, which knows the log of the run and the running calls.
    pub journal: Journal,
    /// The prompts so far.
    pub prompts: Prompts,
    /// Whether all processes are on one machine, so that each can stop the calls of another one.
    pub is_near: bool,
}

/// A call that runs until this is dropped, or longer if its process has died.
struct Underway<'a> {
    journal: &'a Journal,
    process: &'a Process,
    id: CallId,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if !self.process.is_dead() {
            self.journal.entries().call_ends(&self.id);
        }
    }
}

impl Answering {
    /// How many earlier attempts of the node had an answer that was stored.
    fn before(&self, id: &CallId) -> u32 {
        let journal = self.journal.entries();
        let interrupted = journal.runs.get(&id.run).map_or(0, |told| interruptions(&told.events, &id.path));
        (id.attempt - 1).saturating_sub(interrupted)
    }

    fn told(&self, run: &RunId, attempt: (NodePath, u32), prompt: &str) {
        let mut prompts = self.prompts.lock().unwrap();
        prompts.entry(run.clone()).or_default().insert(attempt, prompt.to_owned());
    }

    /// Outputs a few lines, and takes its time: sometimes longer than a lease. Names its session before or
    /// after that: a new one or the resumed one, or none.
    async fn work(
        &self,
        chance: &mut Chance,
        context: &CallContext,
        goes_on: Option<&str>,
        told: Option<Usage>,
    ) {
        if chance.percent(20) {
            for line in 0..=chance.below(3) {
                self.journal.entries().says(&context.id().run);
                context.output(OutputKind::Text, format!("line {line}"));
            }
        }
        let session = match chance.below(6) {
            0..=1 => Some(format!("session {}", chance.next() % 1_000_000)),
            2 => goes_on.map(str::to_owned),
            _ => None,
        };
        let is_early = chance.percent(60);
        self.name_session(context, session.as_deref().filter(|_| is_early)).await;
        if let Some(usage) = told {
            context.usage(usage);
        }
        let most = match chance.below(100) {
            0..=69 => 60,
            70..=94 => 3_000,
            _ => 25_000,
        };
        self.sim.sleep_ms(chance.next() % most).await;
        self.name_session(context, session.as_deref().filter(|_| !is_early)).await;
    }

    async fn name_session(&self, context: &CallContext, session: Option<&str>) {
        if let Some(session) = session {
            // If the run is lost, the session cannot be recorded.
            let _ = context.record_session(session).await;
        }
    }
}

#[async_trait]
impl Provider for Answering {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let id = &request.id;
        self.journal.entries().call_begins(id, &self.process);
        let killed = self.journal.entries().stopped(id);
        let _underway = Underway { journal: &self.journal, process: &self.process, id: id.clone() };
        let case = fork::case(&self.cases, &self.journal.entries().runs, &id.run);
        let case = case.ok_or_else(|| ProviderError::permanent("a run that is not of this world"))?;
        let key = (id.path.clone(), id.attempt);
        self.told(&id.run, key, &request.prompt);
        self.journal.entries().goes_on_in(id, request.session.as_deref(), &case.bundle);

        let mut chance = Chance::of(!case.seed, &format!("{} {}", id.path, id.attempt));
        let slow_to_stop = chance.next() % 1_500;
        let before = self.before(id);
        let usage = usage(&case, &id.path, before);
        let (goes_on, told) = (request.session.as_deref(), usage.clone().filter(|_| case.tells));
        let work = Box::pin(self.work(&mut chance, &context, goes_on, told));
        let stopped = Box::pin(async {
            context.stop().wait(Stop::Gracefully).await;
            let grace = self.sim.sleep_ms(slow_to_stop);
            select(grace, Box::pin(context.stop().wait(Stop::AtOnce))).await;
        });
        match select(select(work, stopped), killed).await {
            Either::Left((Either::Left(_), _)) => {}
            Either::Left((Either::Right(_), _)) => return Err(ProviderError::cancelled()),
            Either::Right(_) => return Err(ProviderError::permanent(ENDED_BY_ANOTHER)),
        }
        let answer = answer(&case, &id.path, before);
        // A panic is a permanent failure without output, and its usage counts only if it was reported before.
        if answer == Answer::Failure(FailureClass::Permanent, None)
            && (case.tells || usage.is_none())
            && chance.percent(60)
        {
            self.journal.entries().panics(id);
            resume_unwind(Box::new("trouble"));
        }
        answers::result(answer, usage, self.process.now())
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        self.journal.entries().reclaimed(call, self.is_near);
        Ok(())
    }

    fn needs_grace(&self) -> bool {
        true
    }
}
