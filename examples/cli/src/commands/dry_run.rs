//! `run --dry-run`: what a run would do, and what is missing for it.

use workflow_core::data::Data;
use workflow_core::definition::{self, WorktreeSpec};
use workflow_core::ids::WorkflowId;
use workflow_core::store::{RunSlot, SlotMode};
use workflow_service::Code;
use workflow_service::ServiceError;
use workflow_service::workflows::{DryRun, PlannedLane, PlannedStage, RunWorkflow, StartOutcome};

use super::{unique, variables};
use crate::args::RunArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::home::Home;
use crate::host::Host;
use crate::print;
use crate::source::Source;
use crate::text::{shorten, word};

/// How many characters of a value are shown.
const VALUE: usize = 80;

/// Shows what would run.
pub(crate) async fn dry_run(home: &Home, json: bool, args: &RunArgs) -> Result<Exit, Error> {
    let host = Host::for_definitions(home)?;
    let source = Source::read(&host, &args.workflow).await?.into_text()?;
    let Some(id) = source.id.or_else(|| id_in(&source.text)) else {
        let message = format!("{}: neither the name of the file nor `workflow.id` gives an id", source.name);
        return Err(ServiceError::new(Code::InvalidDefinition, message).into());
    };
    let inputs =
        definition::parse(source.text.as_bytes(), None).workflow.and_then(|workflow| workflow.inputs);
    let vars = variables::given(args, inputs.as_ref());
    let vars = vars.iter().map(|(name, value)| (name.clone(), Data::new(value))).collect();
    let request = RunWorkflow {
        id,
        text: Some(source.text),
        vars,
        labels: unique(&args.labels)?,
        run_id: None,
        idempotency_key: None,
        providers: args.replaced(),
        on_failure: args.on_failure.map(Into::into),
        max_iters: None,
        interactive: args.interactive,
        isolated: args.isolated(),
        priority: args.priority,
        dry_run: true,
    };
    let StartOutcome::DryRun(dry) = host.ask(request).await? else {
        // With `dryRun` nothing else is returned.
        return Ok(Exit::UNAVAILABLE);
    };
    if json {
        print::json(&dry)?;
    } else {
        dry.diagnostics.iter().for_each(|problem| print::to_stderr(&problem.in_line(&source.name)));
        print::lines(lines(&dry))?;
    }
    Ok(if dry.ready { Exit::DONE } else { Exit::INVALID })
}

/// The id that the text gives.
fn id_in(text: &str) -> Option<WorkflowId> {
    let file: serde_yaml::Value = serde_yaml::from_str(text).ok()?;
    WorkflowId::new(file.get("workflow")?.get("id")?.as_str()?).ok()
}

fn lines(dry: &DryRun) -> Vec<String> {
    let verdict = if dry.ready { "would run" } else { "cannot run like this" };
    let mut lines = vec![format!("{} {verdict}; nothing was started", dry.workflow)];
    let missing = &dry.missing;
    let problems = missing.problems.iter().cloned();
    // A variable that is missing is among the problems.
    let secrets = missing.secrets.iter().map(|name| format!("the secret `{name}` is not known here"));
    lines.extend(problems.chain(secrets).map(|what| format!("  missing: {what}")));
    if !dry.stages.is_empty() {
        lines.push(String::new());
        let mut rows = vec![["STAGE", "PROVIDER", "NODES", "WHEN IT FAILS", ""].map(str::to_owned)];
        rows.extend(dry.stages.iter().map(row));
        lines.extend(print::table(&rows));
    }
    if let Some(repeat) = &dry.repeat {
        lines.push(format!("repeated until {}, at most {} times", repeat.stop_when, repeat.max_iters));
    }
    if dry.isolated {
        let spec = dry.worktree.as_ref();
        let prefix =
            spec.and_then(|spec| spec.branch_prefix.as_deref()).unwrap_or(WorktreeSpec::BRANCH_PREFIX);
        let base = spec.and_then(|spec| spec.base.as_deref()).unwrap_or("the last commit");
        lines.push(format!(
            "in a git worktree of its own, on the branch {prefix}ID, which starts from {base}"
        ));
    }
    lines.extend(dry.slot.as_ref().map(slot));
    if !dry.inputs.is_empty() {
        lines.push(String::new());
        let mut rows = vec![["VARIABLE", "TYPE", "", "DESCRIPTION"].map(str::to_owned)];
        rows.extend(dry.inputs.iter().map(|input| {
            let default =
                input.default.as_ref().map(|value| format!("default {}", shorten(value.json(), VALUE)));
            let need = default.unwrap_or_else(|| if input.required { "required" } else { "" }.to_owned());
            let kind = input.kind.map(word).unwrap_or_default();
            [input.name.clone(), kind, need, input.description.clone().unwrap_or_default()]
        }));
        lines.extend(print::table(&rows));
    }
    lines
}

/// What happens while another run works with the same key.
fn slot(RunSlot { key, mode }: &RunSlot) -> String {
    let then = match mode {
        SlotMode::Queue => "waits until it has ended",
        SlotMode::Cancel => "asks it to cancel, and waits until it has ended",
        SlotMode::Reject => "is not created",
    };
    format!("while another run with the key `{}` works, this one {then}", shorten(key, VALUE))
}

fn row(stage: &PlannedStage) -> [String; 5] {
    let lane = |PlannedLane { provider, role, .. }: &PlannedLane| match role {
        Some(role) => format!("{provider} as {role}"),
        None => provider.clone(),
    };
    let lanes: Vec<_> = stage.lanes.iter().map(lane).collect();
    let nodes: Vec<_> = stage.nodes.iter().map(|node| format!("{} ({})", node.id, node.about())).collect();
    let nodes = if stage.profile == "simple" { String::new() } else { nodes.join(", ") };
    let mut notes = Vec::new();
    notes.extend(stage.when.as_ref().map(|when| format!("only if {}", shorten(when, VALUE))));
    if stage.finally {
        notes.push("runs in any case".to_owned());
    }
    if stage.asks {
        notes.push("asks a person first".to_owned());
    }
    [stage.id.to_string(), lanes.join(", "), nodes, word(stage.on_failure), notes.join("; ")]
}
