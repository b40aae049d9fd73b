//! The arguments of `answer`, `signal`, `fork` and `rerun`.

use clap::ArgGroup;
use serde_json::Value;
use workflow_core::bundle::ProviderMap;
use workflow_core::ids::{NodePath, RunId, StageId};
use workflow_service::runs::ForkPointName;

use crate::reference::RunRef;

/// What `answer` takes.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "one for each of the flags")]
#[command(group = ArgGroup::new("said").multiple(false), group = ArgGroup::new("again"))]
pub(crate) struct AnswerArgs {
    /// The run.
    pub run: RunRef,
    /// The answer: read as JSON if it is JSON that the question accepts, and as text otherwise. Without an answer, the
    /// command shows what the run asks.
    #[arg(group = "said", allow_negative_numbers = true)]
    pub answer: Option<String>,
    /// Which question is answered, if there are several: the number that is shown before it.
    #[arg(long, value_name = "N")]
    pub wait: Option<u64>,
    /// Approve.
    #[arg(long, group = "said")]
    pub approve: bool,
    /// Reject.
    #[arg(long, group = "said")]
    pub reject: bool,
    /// Why it is rejected.
    #[arg(long, value_name = "TEXT", requires = "reject")]
    pub comment: Option<String>,
    /// The interrupted call did its work, with this result (JSON or text).
    #[arg(long, value_name = "RESULT", group = "said", allow_hyphen_values = true)]
    pub happened: Option<String>,
    /// The interrupted call did not do its work: it is repeated.
    #[arg(long, groups = ["said", "again"])]
    pub not_happened: bool,
    /// It does not matter whether the interrupted call did its work: it is repeated.
    #[arg(long, groups = ["said", "again"])]
    pub rerun: bool,
    /// With `--rerun` or `--not-happened`: repeat the call in a new session of the agent. Default: in the session of
    /// the interrupted call, if it has one.
    #[arg(long, requires = "again")]
    pub new_session: bool,
    /// Only record the answer: the process that drives the run, or a worker, continues it.
    #[arg(long, requires = "said")]
    pub detach: bool,
}

/// What `signal` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct SignalArgs {
    /// The run.
    pub run: RunRef,
    /// The name of the signal.
    pub name: String,
    /// What the signal says: JSON, or a text. It is the output of the node that takes the signal.
    #[arg(long, value_name = "JSON|TEXT", allow_hyphen_values = true)]
    pub data: Option<String>,
    /// An id of your choice: of several signals with one id, the run receives the first. So a signal can be sent again when it
    /// is unknown whether it was received.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

/// What `fork` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ForkArgs {
    /// The run.
    pub run: RunRef,
    /// Where the new run starts: after an event (`12`; `events` lists the numbers), before the latest start of a stage
    /// (`test`), or before the start of a node (`1/plan[0]/draft`).
    #[arg(long, value_name = "EVENT|STAGE|NODE", value_parser = point)]
    pub at: ForkPointName,
    #[command(flatten)]
    pub other: Other,
}

/// What `rerun` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct RerunArgs {
    /// The run.
    pub run: RunRef,
    /// The stage, or the node (`1/plan[0]/draft`), from which the run is repeated. Default: from the start.
    #[arg(long, value_name = "STAGE|NODE", value_parser = place)]
    pub from: Option<ForkPointName>,
    /// Continue with the current workflow: that of the home, or of a file. Without `--from`, from the stage that failed.
    #[arg(long, value_name = "FILE|ID", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub current: Option<String>,
    #[command(flatten)]
    pub other: Other,
}

/// What `fork` and `rerun` change in the new run.
#[derive(Debug, clap::Args)]
pub(crate) struct Other {
    /// Change a variable: `name=text`, `name:=json` or `name=@file`; can be given several times.
    #[arg(long = "set", value_name = "NAME=TEXT|NAME:=JSON", value_parser = super::variables::variable)]
    pub vars: Vec<(String, Value)>,
    /// Change the output of a stage that has ended, `stage=text`, `stage:=json` or `stage=@file`, and discard what came
    /// after it; can be given several times.
    #[arg(long = "output", value_name = "STAGE=TEXT|STAGE:=JSON", value_parser = output)]
    pub outputs: Vec<(StageId, Value)>,
    /// Make all calls with this provider, or those of one provider with another (`codex=demo`); can be given several
    /// times. Default: as in the old run.
    #[arg(long = "provider", value_name = "NAME|FROM=TO", value_parser = super::variables::provider)]
    pub providers: Vec<(String, String)>,
    /// Make the calls of one provider with another (`claude-code=codex`); can be given several times.
    #[arg(long = "map", value_name = "FROM=TO", value_parser = super::variables::mapping)]
    pub maps: Vec<(String, String)>,
    /// The id of the new run.
    #[arg(long, value_name = "ID")]
    pub run_id: Option<RunId>,
    /// Only create the run: print its id, and leave it to a worker.
    #[arg(long)]
    pub detach: bool,
}

impl Other {
    /// Which providers are replaced.
    pub(crate) fn replaced(&self) -> ProviderMap {
        self.providers.iter().chain(&self.maps).cloned().collect()
    }
}

fn output(text: &str) -> Result<(StageId, Value), String> {
    let (stage, value) = super::variables::variable(text)?;
    Ok((StageId::new(stage).map_err(|error| error.to_string())?, value))
}

fn point(text: &str) -> Result<ForkPointName, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return place(text);
    }
    text.parse().map(ForkPointName::Event).map_err(|error| error.to_string())
}

fn place(text: &str) -> Result<ForkPointName, String> {
    if text.contains('/') {
        return text.parse::<NodePath>().map(ForkPointName::Node).map_err(|error| error.to_string());
    }
    StageId::new(text).map(ForkPointName::Stage).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_events_stages_or_nodes() {
        for (text, expected) in [
            ("12", Some(ForkPointName::Event(12))),
            ("test", Some(ForkPointName::Stage("test".parse().unwrap()))),
            ("2nd", Some(ForkPointName::Stage("2nd".parse().unwrap()))),
            ("1/plan[0]/draft", Some(ForkPointName::Node("1/plan[0]/draft".parse().unwrap()))),
            ("1/plan", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(point(text).ok(), expected, "{text}");
        }
    }
}
