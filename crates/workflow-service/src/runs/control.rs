//! Pausing, resuming, cancelling and answering runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::data::Data;
use workflow_core::ids::RunId;
use workflow_core::runs::ControlOutcome;
use workflow_core::store::{Answer, Control};
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
