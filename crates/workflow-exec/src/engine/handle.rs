//! A handle of one run: reads, follows and controls it.

use std::time::Duration;

use event_listener::EventListener;
use futures::future::{BoxFuture, Either, FutureExt as _, select};
use futures::stream::{self, Stream};
use tracing::warn;
use workflow_core::data::Data;
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::redact;
use workflow_core::runs::{ControlOutcome, ControlRefusal, ControlRefused, EngineError};
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::store::{Answer, Control, ControlRequest, RunRecord, Signal, StoreError};
use workflow_core::view::RunView;

use crate::engine::Engine;
use crate::engine::control_outcome::{Trail, ended};

/// How often a run that is driven elsewhere is polled.
const TICK: Duration = Duration::from_millis(40);
/// How long to wait for the decision of a driver in this engine, whose future the host may not poll.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many events or output entries are read at a time.
const STEP: usize = 256;

/// A run, by its id. Cheap to clone; dropping it changes nothing.
///
/// ```
/// use workflow_core::status::RunStatus;
/// use workflow_exec::{Engine, StartRun};
///
/// # use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
/// # struct Echo;
/// # #[async_trait]
/// # impl Provider for Echo {
/// #     async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
/// #         Ok(Reply::text(request.prompt))
/// #     }
/// # }
/// # let engine = Engine::builder().provider("echo", Echo).build()?;
/// # let plan = engine.parse("workflow: { name: One, stages: [say] }\nsay: { provider: echo, prompt: Hi }", "one")?;
/// # futures::executor::block_on(async {
/// let run = engine.create(StartRun::plan(&plan)).await?;
/// assert_eq!(run.status().await?, RunStatus::Pending);
/// run.pause().await?;
/// # Ok::<(), workflow_exec::EngineError>(())
/// # })?;
/// # Ok::<(), workflow_exec::EngineError>(())
/// ```
#[derive(Clone)]
pub struct RunHandle {
    pub(crate) engine: Engine,
    pub(crate) run: RunId,
}

impl Engine {
    /// A handle of a run, whether it exists or not.
    pub fn handle(&self, run: &RunId) -> RunHandle {
        RunHandle { engine: self.clone(), run: run.clone() }
    }
}

impl RunHandle {
    /// The run's id.
    pub fn id(&self) -> &RunId {
        &self.run
    }

    /// The run as it is stored now.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] and others of the store; [`EngineError::Broken`].
    pub async fn view(&self) -> Result<RunView, EngineError> {
        Ok((*self.engine.shared.fold(&self.run).await?).into())
    }

    /// The run's status.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] and others of the store.
    pub async fn status(&self) -> Result<RunStatus, EngineError> {
        Ok(self.engine.shared.store.get(&self.run).await?.head.status)
    }

    /// Waits until the run has ended or waits for a person, or this engine has stopped driving it, and
    /// returns it. A run that waits for a time resumes by itself, so this keeps waiting. Waits forever if no
    /// process drives a run that could continue.
    ///
    /// # Errors
    ///
    /// The error that ended the driver of the run in this engine, unless the run has ended since; otherwise as
    /// [`RunHandle::view`].
    pub async fn wait(&self) -> Result<RunView, EngineError> {
        let driven_here = self.engine.shared.active.get(&self.run).is_some();
        loop {
            let changed = self.listen();
            if changed.is_none() {
                let RunRecord { head, holder, .. } = self.engine.shared.store.get(&self.run).await?;
                let rests = head.status.is_terminal() || head.status == RunStatus::Paused;
                let has_time = head.wait.as_ref().is_some_and(|wait| wait.until.is_some());
                // If the run was not driven here when this wait began, the progress by other processes takes
                // precedence.
                let failed =
                    if driven_here { !head.status.is_terminal() } else { !rests && holder.is_none() };
                if failed && let Some(error) = self.engine.shared.active.failure(&self.run) {
                    return Err(error);
                }
                let asks = self.engine.waits_for_a_person(&self.run, head.wait.as_deref()).await?;
                let (rests, has_time) = (rests || asks, has_time && !asks);
                let stops = self.engine.shared.active.stopping() > Stop::None;
                if stops || ((driven_here || rests) && !has_time) {
                    return self.view().await;
                }
            }
            self.pause_for(changed).await;
        }
    }

    /// The run's events with numbers above `after`: those stored and those to come, without gaps, until the
    /// one that ends the run, or until the engine has [shut down](Engine::shutdown). Reads from the store, so
    /// a slow reader misses nothing and delays no driver or other reader.
    pub fn events(&self, after: u64) -> impl Stream<Item = Result<Event, EngineError>> + Send + use<> {
        let follow =
            Follow { handle: self.clone(), after, page: Vec::new().into_iter(), ended: false, over: false };
        stream::try_unfold(follow, |mut follow| async move {
            Ok(follow.next_event().await?.map(|event| (event, follow)))
        })
    }

    /// The run's output entries with numbers above `after`: those stored and those to come, until
    /// the run has ended, or the engine has [shut down](Engine::shutdown).
    pub fn output(&self, after: u64) -> impl Stream<Item = Result<OutputEntry, EngineError>> + Send + use<> {
        let follow =
            Follow { handle: self.clone(), after, page: Vec::new().into_iter(), ended: false, over: false };
        stream::try_unfold(follow, |mut follow| async move {
            Ok(follow.next_entry().await?.map(|entry| (entry, follow)))
        })
    }

    /// Asks for a pause: no new call starts, and the run is paused when its running calls have ended.
    ///
    /// # Errors
    ///
    /// As [`RunHandle::control`].
    pub async fn pause(&self) -> Result<ControlOutcome, EngineError> {
        self.control(Control::Pause).await
    }

    /// Asks to resume the run. If no process drives the run, it resumes in the background if the engine has a
    /// spawner, and otherwise as soon as it is [driven](Engine::drive).
    ///
    /// # Errors
    ///
    /// As [`RunHandle::control`].
    pub async fn resume(&self) -> Result<ControlOutcome, EngineError> {
        self.control(Control::Resume).await
    }

    /// Asks for the run to be cancelled: its calls are told to stop, and killed after a grace period.
    ///
    /// # Errors
    ///
    /// As [`RunHandle::control`].
    pub async fn cancel(&self) -> Result<ControlOutcome, EngineError> {
        self.control(Control::Cancel).await
    }

    /// Answers a question of the run: the wait of that [number](workflow_core::status::Wait::number). The run
    /// continues as with [`resume`](RunHandle::resume).
    ///
    /// Of several answers to one question the first is taken, and the others are
    /// [refused](ControlOutcome::Refused), as is one that the question does not allow.
    ///
    /// # Errors
    ///
    /// As [`RunHandle::control`].
    pub async fn answer(
        &self,
        wait: u64,
        value: impl Into<serde_json::Value>,
    ) -> Result<ControlOutcome, EngineError> {
        let value = Data::new(&value.into());
        self.control(Control::Answer(Answer { wait, value })).await
    }

    /// Sends a signal to the run: the node that has waited for it longest takes it, or one that starts later. The run
    /// continues as with [`resume`](RunHandle::resume). A signal with an id is sent again without a second effect.
    ///
    /// # Errors
    ///
    /// As [`RunHandle::control`].
    pub async fn signal(&self, signal: Signal) -> Result<ControlOutcome, EngineError> {
        self.control(Control::Signal(Box::new(signal))).await
    }

    /// Sends a control request to the run, and returns its outcome: a [`Control`], or a [`ControlRequest`] with who sends it.
    /// When no process drives the run, the
    /// request is carried out here before this returns. When this engine does, this waits for its driver's
    /// decision, at most for some seconds. When another process does, the request is
    /// [recorded](ControlOutcome::Recorded) and its driver carries it out; [`settled`](RunHandle::settled)
    /// waits for that.
    ///
    /// Dropping the future can leave the request recorded and not carried out; the next driver of the run
    /// does that.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] and others of the store; [`EngineError::Broken`]; [`EngineError::NotReclaimed`].
    pub async fn control(&self, request: impl Into<ControlRequest>) -> Result<ControlOutcome, EngineError> {
        self.send(request.into()).await
    }

    async fn send(&self, request: ControlRequest) -> Result<ControlOutcome, EngineError> {
        let shared = &self.engine.shared;
        let control = request.control.clone();
        let status = shared.store.get(&self.run).await?.head.status;
        if status.is_terminal() {
            return Ok(ControlOutcome::Refused(ended(&self.run, status, Some(&control))));
        }
        let data = match &control {
            Control::Answer(answer) => Some(("the answer", &answer.value)),
            Control::Signal(signal) => Some(("the data of the signal", &signal.data)),
            _ => None,
        };
        if let Some((what, data)) = data
            && let Some(refused) = self.secret_in(what, data).await?
        {
            return Ok(ControlOutcome::Refused(refused));
        }
        let number = shared.store.request(&self.run, request).await?;
        match shared.claim(&self.run).await {
            Ok(hold) => {
                if self.engine.carry_out(hold, true).await? {
                    return Ok(ControlOutcome::Recorded { number });
                }
            }
            // The driver that holds the run sees the request, at the latest after it has released the lease.
            Err(StoreError::Held { .. }) if shared.active.get(&self.run).is_none() => {
                return Ok(ControlOutcome::Recorded { number });
            }
            Err(StoreError::Held { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.settle(Trail::new(number, Some(control)), number, PATIENCE).await
    }

    /// Refuses data that contains a secret of the run, because it is stored.
    async fn secret_in(&self, what: &str, data: &Data) -> Result<Option<ControlRefused>, EngineError> {
        if data.len() < redact::SHORTEST {
            return Ok(None);
        }
        let shared = &self.engine.shared;
        let state = shared.fold(&self.run).await?;
        let plan = match shared.plan_of(&state).await {
            Ok(plan) => plan,
            Err(EngineError::Store(error)) => return Err(error.into()),
            // The driver of the run reports what is wrong with it.
            Err(_) => return Ok(None),
        };
        match shared.secret_in(&plan, [(what.to_owned(), data)]) {
            Err(error @ EngineError::SecretInValue { .. }) => {
                Ok(Some(ControlRefused::new(ControlRefusal::InvalidAnswer, error.to_string())))
            }
            Err(error) => Err(error),
            Ok(()) => {
                let unknown = shared.unknown_secrets(&plan, &state);
                if !unknown.is_empty() {
                    warn!(
                        run = %self.run,
                        secrets = unknown.join(", "),
                        "the run may have used secrets that are not known in this process: {what} is stored \
                         unredacted if it holds one"
                    );
                }
                Ok(None)
            }
        }
    }

    /// Waits until the control request of that number was carried out or refused, but not for longer than
    /// `within`: then it is still [recorded](ControlOutcome::Recorded). If the driver stopped before it
    /// handled the request, the request is carried out here.
    ///
    /// # Errors
    ///
    /// As [`RunHandle::control`].
    pub async fn settled(&self, number: u64, within: Duration) -> Result<ControlOutcome, EngineError> {
        let controls = self.engine.shared.store.controls(&self.run, number.saturating_sub(1)).await?;
        let control = controls.into_iter().find(|record| record.number == number);
        self.settle(Trail::new(number, control.map(|record| record.control)), number, within).await
    }

    async fn settle(
        &self,
        mut trail: Trail,
        number: u64,
        within: Duration,
    ) -> Result<ControlOutcome, EngineError> {
        let shared = &self.engine.shared;
        let mut late = shared.timer.sleep(within);
        loop {
            let changed = self.listen();
            if let Some(outcome) = trail.read(shared, &self.run).await? {
                return Ok(outcome);
            }
            if changed.is_none() {
                match shared.claim(&self.run).await {
                    Ok(hold) => {
                        if self.engine.carry_out(hold, true).await? {
                            return Ok(ControlOutcome::Recorded { number });
                        }
                        if let Some(outcome) = trail.read(shared, &self.run).await? {
                            return Ok(outcome);
                        }
                    }
                    // An engine that has shut down does not wait.
                    Err(StoreError::Held { .. }) if self.is_left() => {
                        return Ok(ControlOutcome::Recorded { number });
                    }
                    Err(StoreError::Held { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let news = Box::pin(self.pause_for(changed));
            match select(news, late).await {
                Either::Left(((), rest)) => late = rest,
                Either::Right(_) => return Ok(ControlOutcome::Recorded { number }),
            }
        }
    }

    /// Registers a listener for changes, if the run is driven here. Called before reading, so that no change
    /// is missed.
    fn listen(&self) -> Option<EventListener> {
        let active = &self.engine.shared.active;
        let changed = active.get(&self.run)?.changed.listen();
        // Its last notification may have been sent before the listener was registered.
        active.get(&self.run).map(|_| changed)
    }

    /// Waits for a change of a run that is driven here, or for the polling interval.
    async fn pause_for(&self, changed: Option<EventListener>) {
        if let Some(changed) = changed {
            changed.await;
        } else {
            let stopped = Box::pin(self.engine.shared.active.stopped());
            select(self.engine.shared.timer.sleep(TICK), stopped).await;
        }
    }

    /// Completes when the run may have changed since the call; see [`Runs::changed`](workflow_core::runs::Runs::changed).
    pub(crate) fn changed(self) -> BoxFuture<'static, ()> {
        let changed = self.listen();
        async move { self.pause_for(changed).await }.boxed()
    }

    /// Whether the engine has shut down, and does not drive the run any more.
    fn is_left(&self) -> bool {
        let active = &self.engine.shared.active;
        active.stopping() > Stop::None && active.get(&self.run).is_none()
    }
}

/// The position of a reader of a run's events or output.
struct Follow<T> {
    handle: RunHandle,
    after: u64,
    page: std::vec::IntoIter<T>,
    /// The run was seen to have ended.
    ended: bool,
    over: bool,
}

impl Follow<Event> {
    async fn next_event(&mut self) -> Result<Option<Event>, EngineError> {
        loop {
            if let Some(event) = self.page.next() {
                self.after = event.seq;
                self.over = event.body.is_terminal();
                return Ok(Some(event));
            }
            if self.over {
                return Ok(None);
            }
            let changed = self.handle.listen();
            let store = &self.handle.engine.shared.store;
            self.page = store.events(&self.handle.run, self.after, STEP).await?.into_iter();
            if self.page.len() > 0 {
                continue;
            }
            if self.ended {
                self.over = true;
            } else if self.handle.is_left() || self.handle.status().await?.is_terminal() {
                // It may have ended since the events were read. A reader that begins behind the last event
                // finds none the second time either.
                self.ended = true;
            } else {
                self.handle.pause_for(changed).await;
            }
        }
    }
}

impl Follow<OutputEntry> {
    async fn next_entry(&mut self) -> Result<Option<OutputEntry>, EngineError> {
        loop {
            if let Some(entry) = self.page.next() {
                self.after = entry.number;
                return Ok(Some(entry));
            }
            if self.over {
                return Ok(None);
            }
            let changed = self.handle.listen();
            // Checked before the read: that read contains everything written until the run's end.
            let record = self.handle.engine.shared.store.get(&self.handle.run).await?;
            let ended = record.head.status.is_terminal() && changed.is_none() && record.holder.is_none();
            let ended = ended || self.handle.is_left();
            let store = &self.handle.engine.shared.store;
            let page = store.output(&self.handle.run, self.after, STEP).await?;
            if page.is_empty() {
                if ended {
                    self.over = true;
                } else {
                    self.handle.pause_for(changed).await;
                }
            }
            self.page = page.into_iter();
        }
    }
}
