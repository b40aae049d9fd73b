//! The dialogs of a run: for its questions, and for pause, resume and cancel.

use serde_json::Value;
use workflow_core::data::Data;
use workflow_core::definition::OnFailure;
use workflow_core::status::{RunStatus, Wait, WaitReason};
use workflow_core::store::Control;

use super::dialog::{Act, Button, Dialog};
use crate::text::{date, shorten};
use crate::top::message::{Detail, Planned};
use crate::words;

/// The most choices of a question that are shown as buttons.
const CHOICES: usize = 20;
/// How many characters of each of several questions are shown.
const QUESTION: usize = 60;

/// The dialog that answers the open questions, or that lets a person choose one of several.
pub(crate) fn ask(detail: &Detail, open: &[&Wait]) -> Result<Dialog, String> {
    match open {
        [] => Err("The run has no open question.".to_owned()),
        [only] => Ok(answer(detail, only)),
        several => {
            let button = |wait: &&Wait| {
                let place = wait.place.clone().unwrap_or_default();
                let question = wait.question.as_deref().unwrap_or_default();
                Some(Button::new(place, shorten(question, QUESTION), Act::Open(wait.number?)))
            };
            let buttons = several.iter().filter_map(button).collect();
            let body = vec!["Several things wait for an answer. Which one do you answer?".to_owned()];
            Ok(Dialog::new(detail.view.run_id.clone(), "Questions of the run", body, buttons))
        }
    }
}

/// The dialog that answers a question.
pub(crate) fn answer(detail: &Detail, wait: &Wait) -> Dialog {
    let run = detail.view.run_id.clone();
    let mut body: Vec<String> =
        wait.question.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
    if let Some(since) = wait.since {
        body.push(format!("Waiting since {}.", date(since)));
    }
    body.extend(driver(detail));
    let title = format!("Run waits for {}", words::waits_for(wait));
    let dialog = |body, buttons| Dialog::new(run.clone(), title.clone(), body, buttons).about(wait.clone());
    match wait.reason {
        WaitReason::Approval => {
            let (approved, rejected) = effects(&detail.plan, wait);
            let buttons = vec![
                Button::new("Approve", approved, Act::Approve),
                Button::new("Reject", rejected, Act::Reject),
            ];
            dialog(body, buttons).with_input("Comment")
        }
        WaitReason::UnknownOutcome => {
            let buttons = vec![
                Button::new("It did its work", "use the result above, run on", Act::Happened),
                Button::new("It did not", "repeat the call", Act::Repeat("not_happened")),
                Button::new("It does not matter", "repeat the call", Act::Repeat("rerun")),
            ];
            dialog(body, buttons).with_input("Result (JSON or text)")
        }
        _ => {
            if let Some(choices) = choices(wait.schema.as_ref()) {
                let button = |text: String| Button::new(text.clone(), "answer with it", Act::Choose(text));
                return dialog(body, choices.into_iter().map(button).collect());
            }
            body.push(format!("Answer with {}.", words::accepted(wait)));
            let effect = format!("continue with {}", wait.place.as_deref().unwrap_or("the run"));
            let buttons = vec![Button::new("Answer", effect, Act::Answer)];
            let mut dialog = dialog(body, buttons).with_input("Answer");
            dialog.selected = None;
            dialog
        }
    }
}

/// What an approval and a rejection do.
fn effects(plan: &Planned, wait: &Wait) -> (String, &'static str) {
    let place = wait.place.as_deref().unwrap_or("it");
    let stage = place.rsplit('/').next().unwrap_or(place);
    match plan.stages.iter().find(|(id, _)| id.as_str() == stage) {
        Some((_, OnFailure::Continue)) => (format!("start {stage}"), "the stage fails, the run continues"),
        Some(_) => (format!("start {stage}"), "the run fails"),
        None => (format!("call {place}"), "the node fails"),
    }
}

/// The values that a question lists, if they are few.
fn choices(schema: Option<&Data>) -> Option<Vec<String>> {
    let value = schema?.exact_value();
    let choices = value.get("enum").and_then(Value::as_array).filter(|all| all.len() <= CHOICES)?;
    let text = |choice: &Value| match choice {
        Value::String(text) => text.clone(),
        other => Data::new(other).json().to_owned(),
    };
    Some(choices.iter().map(text).collect())
}

/// The dialog that pauses a run; why there is nothing to pause, if so.
pub(crate) fn pause(detail: &Detail) -> Result<Dialog, String> {
    refuse(detail, "paused")?;
    if detail.status == RunStatus::Paused {
        return Err("The run is paused already, or waits: there is nothing to pause.".to_owned());
    }
    let body = vec!["Pause the run? Its current calls end first; no new call starts.".to_owned()];
    Ok(confirm(detail, "Pause", body, "no new calls", Control::Pause))
}

/// The dialog that resumes a run; why that is not possible, if so.
pub(crate) fn resume(detail: &Detail) -> Result<Dialog, String> {
    refuse(detail, "resumed")?;
    let view = &detail.view;
    let is_resumed = view.wait.as_ref().is_some_and(|wait| wait.is_resumed());
    if detail.status != RunStatus::Paused && view.requested.as_deref() != Some("pause") {
        return Err(match &detail.holder {
            Some(holder) => format!("The run is not paused: {holder} drives it."),
            None => format!(
                "The run is not paused, and no process drives it: `workflow resume {}` drives it.",
                view.run_id
            ),
        });
    }
    if detail.status == RunStatus::Paused && !is_resumed {
        return Err("The run waits for something else than a resume: see what it waits for.".to_owned());
    }
    let mut body = vec!["Resume the run?".to_owned()];
    body.extend(driver(detail));
    Ok(confirm(detail, "Resume", body, "new calls start", Control::Resume))
}

/// The dialog that cancels a run; why that is not possible, if so.
pub(crate) fn cancel(detail: &Detail) -> Result<Dialog, String> {
    refuse(detail, "cancelled")?;
    let body = vec![
        "Cancel the run? Its calls are told to stop, and killed after a grace period. A cancelled run \
              cannot be resumed."
            .to_owned(),
    ];
    Ok(confirm(detail, "Cancel the run", body, "it ends as cancelled", Control::Cancel))
}

fn confirm(detail: &Detail, label: &str, body: Vec<String>, effect: &str, control: Control) -> Dialog {
    let run = detail.view.run_id.clone();
    let title = format!("{label}: {run}");
    Dialog::new(run, title, body, vec![Button::new(label, effect, Act::Send(control))])
}

fn refuse(detail: &Detail, what: &str) -> Result<(), String> {
    if detail.status.is_terminal() {
        return Err(format!("The run cannot be {what}: it has ended ({}).", detail.status));
    }
    Ok(())
}

/// Who continues the run, if that is not the process that drives it.
fn driver(detail: &Detail) -> Option<String> {
    detail.holder.is_none().then(|| {
        format!(
            "No process drives the run: afterwards a worker continues it, or `workflow resume {}`.",
            detail.view.run_id
        )
    })
}
