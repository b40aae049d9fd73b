//! The runs that nodes of other runs start: how they are created, looked at and stopped, and how their parents learn that
//! they have ended.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use tracing::{Instrument as _, debug, warn};
use workflow_core::data::Data;
use workflow_core::definition::Budget;
use workflow_core::event::{ChildStarted, ParentRun, RunCreated};
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::RunId;
use workflow_core::machine::{ChildOutcome, State};
use workflow_core::plan::Plan;
use workflow_core::runs::{EngineError, StartRun};
use workflow_core::status::{RunStatus, Wait, WaitReason};
use workflow_core::stop::Stop;
use workflow_core::store::{Control, ControlRequest, RunFilter, RunRecord, RunSlot, StoreError};
use workflow_core::usage::Spent;
use workflow_core::view::RunView;

use crate::children::{Look, Seen};
use crate::engine::Engine;
use crate::panics;
use crate::shared::{Hold, Shared};

/// How many runs are named that have to end before another one can be deleted.
const LINKS: usize = 10;

/// What links the run of a node to the run that the node is in.
pub(super) struct Link {
    pub parent: Arc<ParentRun>,
    /// What is left of the budgets of that run.
    pub budget: Option<Box<Budget>>,
}

/// Looks at the run that a node has started; for the driver of the run that the node is in.
pub(crate) fn look_at(shared: Arc<Shared>, look: Look) -> BoxFuture<'static, Result<Seen, EngineError>> {
    async move {
        let (run, how) = (look.child.started.run.clone(), look.how);
        match (Engine { shared }.look_at_child(look).await, how) {
            (Err(error), _) if is_of_this_process(&error) => Err(error),
            // The next driver of that run handles the request.
            (Err(error), Stop::Gracefully | Stop::AtOnce) => {
                warn!(%run, %error, "a run that a node has started is not stopped yet");
                Ok(Seen::UnderWay)
            }
            (Err(error), Stop::None) => {
                Ok(failed(&run, FailureClass::Permanent, format!("run `{run}` cannot be read: {error}")))
            }
            (seen, _) => seen,
        }
    }
    .boxed()
}

/// Whether an error says nothing about the run that was looked at.
fn is_of_this_process(error: &EngineError) -> bool {
    match error {
        EngineError::Store(error) => !matches!(error, StoreError::Corrupt { .. }),
        EngineError::Panicked { .. } | EngineError::ShutDown => true,
        _ => false,
    }
}

impl Engine {
    async fn look_at_child(&self, look: Look) -> Result<Seen, EngineError> {
        let run = &look.child.started.run;
        let Some(record) = self.record(run).await? else {
            return if look.how > Stop::None && look.is_opening {
                Ok(Seen::Opening)
            } else if look.how > Stop::None {
                let failure = Failure::new(FailureClass::Cancelled, format!("run `{run}` was not started"));
                Ok(ended(run, None, Spent::default(), Err(failure)))
            } else if look.child.known {
                Ok(failed(
                    run,
                    FailureClass::Permanent,
                    format!("run `{run}` was deleted before its end was known"),
                ))
            } else {
                self.create_child(look).await
            };
        };
        let is_own =
            |parent: &Arc<ParentRun>| parent.run == look.parent.run && parent.path == look.child.started.path;
        let is_child = match &record.head.parent {
            Some(parent) => is_own(parent),
            // Versions before 0.1.0-5 leave it out of the heads that they write.
            None => {
                self.fold(run).await?.is_some_and(|state| state.created().parent.as_ref().is_some_and(is_own))
            }
        };
        if !is_child {
            let message = format!("run `{run}` was started by something else");
            return Ok(failed(run, FailureClass::Permanent, message));
        }
        if record.head.status.is_terminal() {
            return self.outcome_of(&look.child.started).await;
        }
        if look.how > Stop::None {
            let control = if look.how == Stop::AtOnce { Control::Kill } else { Control::Cancel };
            let request = ControlRequest { control, by: look.by.clone() };
            debug!(%run, "stopping a run with the one that has started it");
            let _ = self.handle(run).control(request).await?;
            return match self.record(run).await? {
                Some(record) if !record.head.status.is_terminal() => Ok(Seen::UnderWay),
                _ => self.outcome_of(&look.child.started).await,
            };
        }
        let wait = record.head.wait.as_deref();
        let drives = look.drives && record.holder.is_none() && !self.shared.has_workers();
        if drives
            && (record.head.goes_on(self.shared.clock.now()) || self.has_to_drive_child(run, wait).await?)
        {
            match self.shared.claim(run).await {
                Ok(hold) => return self.drive_child(&look.child.started, hold).await,
                Err(StoreError::Held { .. } | StoreError::NotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Seen::UnderWay)
    }

    async fn record(&self, run: &RunId) -> Result<Option<RunRecord>, EngineError> {
        match self.shared.patiently("reading a run", || self.shared.store.get(run)).await {
            Ok(record) => Ok(Some(record)),
            Err(EngineError::Store(StoreError::NotFound(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn fold(&self, run: &RunId) -> Result<Option<Box<State>>, EngineError> {
        match self.shared.patiently("reading a run", || self.shared.fold(run).boxed()).await {
            Ok(state) => Ok(Some(state)),
            Err(EngineError::Store(StoreError::NotFound(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How a run has ended.
    async fn outcome_of(&self, started: &ChildStarted) -> Result<Seen, EngineError> {
        let run = &started.run;
        Ok(match self.fold(run).await? {
            Some(state) => outcome(started, state),
            None => failed(
                run,
                FailureClass::Permanent,
                format!("run `{run}` was deleted before its end was known"),
            ),
        })
    }

    /// Cancels a run that was never driven if nothing waits for it: a process that was suspended created it late, and the run
    /// that it belongs to has ended or was deleted meanwhile.
    pub(super) async fn check_parent(&self, state: &State, parent: &ParentRun) -> Result<(), EngineError> {
        if self.record(&parent.run).await?.is_none_or(|record| record.head.status.is_terminal()) {
            let run = &state.created().run;
            debug!(%run, parent = %parent.run, "nothing waits for this run");
            let cancel = || self.shared.store.request(run, Control::Cancel.into());
            self.shared.patiently("cancelling a run", cancel).await?;
        }
        Ok(())
    }

    async fn create_child(&self, look: Look) -> Result<Seen, EngineError> {
        let Look { child, parent, by, drives, .. } = look;
        let started = child.started;
        let (run, workflow) = (&started.run, &started.workflow);
        let Some(bundle) = child.bundle else {
            let message =
                format!("the definition that the run has now does not run the workflow `{workflow}` here");
            return Ok(failed(run, FailureClass::Permanent, message));
        };
        let plan = match self.shared.load(bundle) {
            Ok(plan) => plan,
            Err(problems) => {
                let message = format!("the workflow `{workflow}` cannot be run: {problems}");
                return Ok(failed(run, FailureClass::Permanent, message));
            }
        };
        let mut start = StartRun::plan(&plan).run_id(run.clone());
        (start.vars, start.labels, start.by) = (started.vars.clone(), parent.labels.clone(), by);
        start.priority = plan.workflow().priority.or(Some(parent.priority));
        let key = plan.slot(&plan.start_variables(start.vars.clone())).ok().flatten().map(|slot| slot.key);
        if let Some(key) = key
            && let Some(other) = self.waits_with_key(&parent, &key).await?
        {
            let whose = if other == parent.run {
                "the run that starts it".to_owned()
            } else {
                format!("run `{other}`, which waits for the run that starts it")
            };
            let message = format!(
                "the workflow `{workflow}` has the same `concurrency.key` as {whose}: it would wait for that to end"
            );
            return Ok(failed(run, FailureClass::Permanent, message));
        }
        let (path, attempt) = (started.path.clone(), started.attempt);
        let link = Link {
            parent: Arc::new(ParentRun { run: parent.run.clone(), path, attempt }),
            budget: child.budget.map(Box::new),
        };
        match self.accept_as(start, Some(link)).await {
            Ok((_, None)) => Ok(Seen::UnderWay),
            Ok((_, Some((hold, ..)))) if self.shared.has_workers() || !drives => {
                hold.release().await?;
                Ok(Seen::UnderWay)
            }
            Ok((_, Some((hold, plan, state)))) => self.drive_new_child(&started, hold, plan, state).await,
            Err(EngineError::ShutDown) => Ok(Seen::Nothing),
            Err(error @ EngineError::Store(StoreError::Busy { .. })) => {
                Ok(failed(run, FailureClass::Transient, error.to_string()))
            }
            Err(error @ (EngineError::Store(_) | EngineError::Panicked { .. })) => Err(error),
            Err(error) => {
                let message = format!("the workflow `{workflow}` cannot be started: {error}");
                Ok(failed(run, FailureClass::Permanent, message))
            }
        }
    }

    /// The run with this key that would wait for a run that `parent` starts: `parent` itself, or one that it was started by,
    /// directly or through others.
    async fn waits_with_key(&self, parent: &RunCreated, key: &str) -> Result<Option<RunId>, EngineError> {
        let has_key = |slot: &Option<Arc<RunSlot>>| slot.as_ref().is_some_and(|slot| slot.key == key);
        if has_key(&parent.slot) {
            return Ok(Some(parent.run.clone()));
        }
        let mut next = parent.parent.clone();
        while let Some(above) = next {
            let Some(record) = self.record(&above.run).await? else { return Ok(None) };
            if has_key(&record.head.slot) && !record.head.status.is_terminal() {
                return Ok(Some(record.run_id));
            }
            next = record.head.parent;
        }
        Ok(None)
    }

    /// Drives a run that a node has just started: in the background, or without a spawner in the future of its parent's
    /// driver.
    async fn drive_new_child(
        &self,
        started: &Arc<ChildStarted>,
        hold: Hold,
        plan: Arc<Plan>,
        state: Box<State>,
    ) -> Result<Seen, EngineError> {
        let (engine, run) = (self.clone(), hold.run().clone());
        let driving = async move {
            let driving = pin!(engine.drive_on(hold, plan, state));
            panics::while_driving(run, driving).await.map(RunView::from)
        };
        self.background_or_here(started, driving.boxed()).await
    }

    /// The same for one that exists.
    async fn drive_child(&self, started: &Arc<ChildStarted>, hold: Hold) -> Result<Seen, EngineError> {
        let engine = self.clone();
        self.background_or_here(started, async move { engine.take_up(hold).await }.boxed()).await
    }

    async fn background_or_here(
        &self,
        started: &Arc<ChildStarted>,
        driving: BoxFuture<'static, Result<RunView, EngineError>>,
    ) -> Result<Seen, EngineError> {
        let run = started.run.clone();
        if self.shared.spawn.is_none() {
            return match driving.await {
                Ok(view) if view.status.is_terminal() => self.outcome_of(started).await,
                Ok(_) => Ok(Seen::UnderWay),
                Err(error) => {
                    warn!(%run, %error, "a run that a node has started could not be driven; trying again later");
                    Ok(Seen::UnderWay)
                }
            };
        }
        let engine = self.clone();
        let driving = async move {
            let driven = driving.await;
            engine.park(&run, driven);
        };
        self.spawn(driving.in_current_span());
        Ok(Seen::UnderWay)
    }

    /// Notifies the run that started this one of its end. If that fails, it learns of the end when it looks again.
    pub(super) async fn tell_parent(&self, parent: &RunId, run: &RunId) {
        let shared = &self.shared;
        let told = shared.store.request(parent, Control::ChildEnded(run.clone()).into()).await;
        if let Err(error) = told {
            return debug!(%run, %parent, %error, "the run that started this one could not be notified of its end");
        }
        let resumed = match shared.claim(parent).await {
            Ok(hold) if shared.spawn.is_some() && !shared.has_workers() => {
                self.drive_in_background(hold);
                Ok(())
            }
            // Which worker may drive it follows from what each of them selects.
            Ok(hold) => self.carry_out(hold, false).await.map(drop),
            // Its driver sees the request.
            Err(StoreError::Held { .. } | StoreError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = resumed {
            warn!(%run, %parent, %error, "the run that started this one could not be resumed; it looks again later");
        }
    }

    /// Whether a run waits for runs that it has started, and all of them wait for a person, themselves or through others.
    pub(super) fn waits_for_a_person<'a>(
        &'a self,
        run: &'a RunId,
        wait: Option<&'a Wait>,
    ) -> BoxFuture<'a, Result<bool, EngineError>> {
        async move {
            let children = self.unfinished_children(run, wait).await?;
            for child in &children {
                let wait = child.head.wait.as_deref();
                let is_idle =
                    child.head.status == RunStatus::Paused && wait.is_none_or(|wait| wait.until.is_none());
                if !is_idle && !self.waits_for_a_person(&child.run_id, wait).await? {
                    return Ok(false);
                }
            }
            Ok(!children.is_empty())
        }
        .boxed()
    }

    /// Whether a run that waits for others has to look at them so that one of them is driven, or one that they wait for: there
    /// is no spawner.
    pub(super) fn has_to_drive_child<'a>(
        &'a self,
        run: &'a RunId,
        wait: Option<&'a Wait>,
    ) -> BoxFuture<'a, Result<bool, EngineError>> {
        async move {
            if self.shared.spawn.is_some() || self.shared.has_workers() {
                return Ok(false);
            }
            let now = self.shared.clock.now();
            for child in self.unfinished_children(run, wait).await? {
                if child.holder.is_some() {
                    continue;
                }
                let wait = child.head.wait.as_deref();
                if child.head.goes_on(now) || self.has_to_drive_child(&child.run_id, wait).await? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        .boxed()
    }

    /// The runs that a run has started and that have not ended, if it waits for such runs.
    async fn unfinished_children(
        &self,
        run: &RunId,
        wait: Option<&Wait>,
    ) -> Result<Vec<RunRecord>, EngineError> {
        if wait.is_none_or(|wait| wait.reason != WaitReason::Child) {
            return Ok(Vec::new());
        }
        let filter = RunFilter::unfinished().parent(run.clone());
        self.shared.patiently("listing runs", || self.shared.store.list(&filter)).await
    }

    /// Whether a run that is waited for has ended, of those of which requests say so.
    pub(super) async fn child_has_ended(
        &self,
        state: &State,
        told: HashSet<&RunId>,
    ) -> Result<bool, EngineError> {
        if told.is_empty() {
            return Ok(false);
        }
        for run in state.children().iter().filter(|run| told.contains(run)) {
            if self.record(run).await?.is_none_or(|record| record.head.status.is_terminal()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Checks that no run is left alone by deleting this one: neither a run that it has started, which nothing would stop any
    /// more, nor the run that has started it, which needs its result.
    pub(super) async fn check_links(&self, run: &RunId) -> Result<(), EngineError> {
        match self.links(run).await {
            Ok((runs, _)) if runs.is_empty() => Ok(()),
            Ok((runs, why)) => Err(EngineError::Linked { run: run.clone(), runs, why }),
            Err(error) if is_of_this_process(&error) => Err(error),
            // What cannot be read is deleted all the same.
            Err(_) => Ok(()),
        }
    }

    async fn links(&self, run: &RunId) -> Result<(Vec<RunId>, &'static str), EngineError> {
        let store = &self.shared.store;
        // Unlike a driver, who deletes a run does not wait for the store to come back.
        let unfinished = async |run: &RunId| match store.get(run).await {
            Ok(record) => Ok(!record.head.status.is_terminal()),
            Err(StoreError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        };
        let record = store.get(run).await?;
        let (mut runs, mut why) =
            (Vec::new(), "it has started runs that have not ended, which end if it is cancelled");
        if !record.head.status.is_terminal() {
            for child in self.shared.fold(run).await?.children() {
                if runs.len() < LINKS && unfinished(&child).await? {
                    runs.push(child);
                }
            }
        } else if let Some(parent) = &record.head.parent
            && unfinished(&parent.run).await?
        {
            runs.push(parent.run.clone());
            why = "the run that has started it has not ended, and needs its result";
        }
        Ok((runs, why))
    }
}

fn ended(run: &RunId, status: Option<RunStatus>, spent: Spent, result: Result<Data, Failure>) -> Seen {
    Seen::Ended(Box::new(ChildOutcome { run: run.clone(), status, spent, result }))
}

fn failed(run: &RunId, class: FailureClass, message: String) -> Seen {
    ended(run, None, Spent::default(), Err(Failure::new(class, message)))
}

/// How a run ended whose log was read. The failure does not name the run, so that the same one is told in the same words.
fn outcome(started: &ChildStarted, state: Box<State>) -> Seen {
    let (view, workflow) = (RunView::from(state), &started.workflow);
    let result = match (view.status, view.error) {
        (RunStatus::Completed, _) => Ok(view.output.unwrap_or_default()),
        (_, Some(error)) => {
            let message = format!("the workflow `{workflow}` failed: {}", error.message);
            Err(Failure { message, ..Failure::clone(&error) })
        }
        (status, None) => {
            let message = format!("the run of the workflow `{workflow}` was {status}");
            Err(Failure::new(FailureClass::Permanent, message))
        }
    };
    ended(&started.run, Some(view.status), view.spent, result)
}
