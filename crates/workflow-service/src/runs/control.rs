//! Pausing, resuming, cancelling and answering runs, and sending signals to them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::data::Data;
use workflow_core::ids::RunId;
use workflow_core::runs::ControlOutcome;
use workflow_core::store::{Answer, Control, InvalidSignal, Signal};
use workflow_core::view::RunView;

use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// The outcome of a control request. One that has no effect is an error with the code `refused`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ControlResult {
    /// The run, if it has accepted the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunView>,
    /// The number of the request, if it is recorded and the process that drives the run has not decided on it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<u64>,
}

async fn control(
    host: &Host,
    caller: &Caller,
    run: &RunId,
    control: Control,
) -> Result<ControlResult, ServiceError> {
    match host.runs().control(run, control.by(caller.actor())).await? {
        ControlOutcome::Done(run) => Ok(ControlResult { run: Some(*run), recorded: None }),
        ControlOutcome::Recorded { number } => Ok(ControlResult { run: None, recorded: Some(number) }),
        ControlOutcome::Refused(refused) => Err(refused.into()),
        _ => Ok(ControlResult { run: None, recorded: None }),
    }
}

macro_rules! controls {
    ($($(#[doc = $doc:literal])* $request:ident, $name:literal, $control:expr, $about:literal;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $request {
            /// The run.
            pub run_id: RunId,
        }

        impl Operation for $request {
            const NAME: &'static str = $name;
            const SCOPE: Scope = Scope::Run;
            const ABOUT: &'static str = $about;
            type Response = ControlResult;

            fn target(&self) -> Target<'_> {
                Target::Run(&self.run_id)
            }

            async fn run(self, host: &Host, caller: &Caller) -> Result<ControlResult, ServiceError> {
                control(host, caller, &self.run_id, $control).await
            }
        }
    )*};
}

controls! {
    /// Pauses a run: no new call starts, and it is paused when its running calls have ended.
    PauseRun, "workflow:runs:pause", Control::Pause,
        "Pauses a run: no new call starts, and the run is paused when its running calls have ended.";
    /// Resumes a run that is paused.
    ResumeRun, "workflow:runs:resume", Control::Resume,
        "Resumes a run that is paused.";
    /// Cancels a run: its calls are told to stop, and killed after a grace period.
    CancelRun, "workflow:runs:cancel", Control::Cancel,
        "Cancels a run: its calls are told to stop, and killed after a grace period.";
    /// Cancels a run, and kills its calls without a grace period.
    KillRun, "workflow:runs:kill", Control::Kill,
        "Cancels a run, and kills its calls at once.";
}

/// Answers a question that a run waits for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnswerRun {
    /// The run.
    pub run_id: RunId,
    /// The number of the wait: `waits[].number` of the run.
    pub wait: u64,
    /// The answer, which follows the wait's schema.
    pub value: Data,
}

/// Sends a signal to a run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignalRun {
    /// The run.
    pub run_id: RunId,
    /// The name of the signal: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What the signal says: the output of the node that takes it. Default: null.
    #[serde(default)]
    pub data: Data,
    /// An id that the sender chooses: of several signals with one id, the run receives the first.
    #[serde(default)]
    pub id: Option<String>,
}

impl Operation for SignalRun {
    const NAME: &'static str = "workflow:runs:signal";
    const SCOPE: Scope = Scope::Run;
    const ABOUT: &'static str =
        "Sends a signal to a run: a node of type `wait` that names it takes it, now or when it starts.";
    type Response = ControlResult;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, caller: &Caller) -> Result<ControlResult, ServiceError> {
        let invalid = |error: InvalidSignal| ServiceError::invalid_request(error.to_string());
        let mut signal = Signal::new(self.name).map_err(invalid)?;
        if let Some(id) = self.id {
            signal = signal.id(id).map_err(invalid)?;
        }
        signal.data = self.data;
        control(host, caller, &self.run_id, Control::Signal(Box::new(signal))).await
    }
}

impl Operation for AnswerRun {
    const NAME: &'static str = "workflow:runs:answer";
    const SCOPE: Scope = Scope::Run;
    const ABOUT: &'static str = "Answers a question or an approval that a run waits for.";
    type Response = ControlResult;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, caller: &Caller) -> Result<ControlResult, ServiceError> {
        control(host, caller, &self.run_id, Control::Answer(Answer { wait: self.wait, value: self.value }))
            .await
    }
}
