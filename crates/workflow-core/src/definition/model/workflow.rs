//! The types of a workflow definition. Absent fields stay absent here; what they mean is decided
//! when the definition is resolved into a [`Bundle`](crate::bundle::Bundle).

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::duration::Period;
use super::input::WorkflowInput;
use super::schema::SchemaSource;
use crate::ids::{StageId, WorkflowId};
use crate::priority::Priority;
use crate::slot::SlotMode;

/// A workflow: stages that run in order, once or in a loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Workflow {
    /// The id.
    pub id: WorkflowId,
    /// A name for people, 2–100 characters; the id where nothing else was written.
    #[schemars(length(min = 2, max = 100))]
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The variables that a run is given when it starts, where they are declared: a run is then given no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<IndexMap<String, WorkflowInput>>,
    /// What stages have where they leave a field out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Box<Stage>>,
    /// The loop, where there is one.
    #[serde(default, rename = "loop", skip_serializing_if = "Option::is_none")]
    pub repeat: Option<LoopSpec>,
    /// Limits of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// The output of a run; absent: that of the last stage that was not skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// That runs work in a git worktree of their own, and on which branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worktree: Option<Box<WorktreeSpec>>,
    /// That runs with the same key do not work at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Box<Concurrency>>,
    /// Which of the runs that no process drives is claimed first; default: 0. The start of a run can say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The stages, in the order they run.
    pub stages: IndexMap<StageId, Stage>,
    /// The last of the stages, which run however the others end: after a success, a failure or a cancellation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finally: Vec<StageId>,
    /// How long these stages may take together; default: 10 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finally_timeout: Option<Period>,
}

/// The git worktree that each run works in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorktreeSpec {
    /// The branch, tag or commit that a run begins with; default: the commit that the checkout is at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// What the name of a run's branch begins with; the id of the run follows. Default: `workflow/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch_prefix: Option<String>,
}

impl WorktreeSpec {
    /// What the name of a run's branch begins with where the workflow does not say it.
    pub const BRANCH_PREFIX: &'static str = "workflow/";
}

/// Which runs do not work at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Concurrency {
    /// What the runs share, of this workflow and of others: a text in which `${vars.x}` is resolved when a run starts. At most
    /// 256 bytes.
    #[schemars(length(min = 1))]
    pub key: String,
    /// What a new run does while another one with the same key has not ended; default: `queue`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: SlotMode,
}

/// When and where a workflow goes back instead of ending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoopSpec {
    /// The most iterations, 1–20.
    #[schemars(range(min = 1, max = 20))]
    pub max_iters: u32,
    /// The stage that the next iteration starts with; default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_next_stage: Option<StageId>,
    /// The condition on the last stage's output that ends the loop.
    pub stop_when: String,
    /// What reaching `max_iters` means.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_exhausted: Exhausted,
}

/// What it means that a loop's `max_iters` was reached without `stop_when`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exhausted {
    /// The run fails.
    #[default]
    Fail,
    /// The run completes.
    Complete,
}

/// One stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Stage {
    /// The provider: claude-code, codex, gemini, grok, or a name that the host registers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The role; default: the one that is called like the stage, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The profile; default: `simple`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Whether several providers work one after the other or at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Several providers instead of one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<Lane>,
    /// When parallel providers make a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_strategy: Option<ParallelStrategy>,
    /// What a failure does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// How many more attempts `on_failure: retry` makes, 0–10; default 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10))]
    pub retries: Option<u32>,
    /// The base of the exponential backoff, in seconds; default 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_backoff: Option<Period>,
    /// The run may not finish before that many iterations, 0–100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100))]
    pub min_iterations: Option<u32>,
    /// Skills that are handed to the provider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
    /// The prompt; replaces the role's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The grammar of the prompt; default: a text with `${…}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<PromptTemplate>,
    /// The provider's own options.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<serde_json::Map<String, Value>>,
    /// A condition; when it is false the stage is skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// A condition; when it is true after the stage has completed, the run ends there, and later stages are skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_when: Option<String>,
    /// What follows the prompt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Value>,
    /// Variables to write from the output.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub set: IndexMap<String, Value>,
    /// Whether the output is read as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputFormat>,
    /// The JSON Schema that the output has to follow: the name of a file, or the schema itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<SchemaSource>,
    /// How often a wrong output goes back to the provider, 0–10; default 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10))]
    pub repairs: Option<u32>,
    /// How long one attempt may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// How long nothing may be heard from the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// Environment variables of the provider's processes.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("additionalProperties" = { "type": ["string", "number", "boolean"] }))]
    pub env: IndexMap<String, Value>,
    /// Where the provider works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Whether to continue the agent session of this stage's last call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionMode>,
    /// What an interruption by a crash means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_interrupt: Option<OnInterrupt>,
    /// A question to a person before the stage starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Limits of the stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// One of several providers of a stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lane {
    /// The provider that does the work.
    pub provider: String,
    /// The role; default: the stage's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What its vote weighs with `majority`, 0–1000; default 1. With 0 it works and has no vote. In a file it may
    /// have a fraction: the weights of a stage are read as whole numbers in the same proportion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>", range(min = 0, max = 1000))]
    pub weight: Option<u32>,
    /// The prompt; default: the stage's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The provider's own options; default: the stage's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<serde_json::Map<String, Value>>,
    /// Whether the output is read as JSON; default: the stage's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputFormat>,
    /// How long one attempt may take; default: the stage's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// How long nothing may be heard from the provider; default: the stage's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// Environment variables of the provider's processes, beside the stage's.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("additionalProperties" = { "type": ["string", "number", "boolean"] }))]
    pub env: IndexMap<String, Value>,
    /// Where the provider works; default: the stage's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

impl Lane {
    /// The names of the fields that say how it is called and that it has itself.
    pub(crate) fn own_fields(&self) -> impl Iterator<Item = &'static str> {
        let fields = [
            ("prompt", self.prompt.is_some()),
            ("with", self.with.is_some()),
            ("output", self.output.is_some()),
            ("timeout", self.timeout.is_some()),
            ("idle_timeout", self.idle_timeout.is_some()),
            ("env", !self.env.is_empty()),
            ("cwd", self.cwd.is_some()),
        ];
        fields.into_iter().filter(|(_, is_own)| *is_own).map(|(name, _)| name)
    }

    /// Its stage as this provider is called: what the lane says itself counts in place of what the stage says.
    pub fn call_of(&self, stage: &Stage) -> Stage {
        let mut own = stage.clone();
        own.prompt = self.prompt.clone().or(own.prompt);
        own.with = self.with.clone().or(own.with);
        own.output = self.output.or(own.output);
        own.timeout = self.timeout.or(own.timeout);
        own.idle_timeout = self.idle_timeout.or(own.idle_timeout);
        own.env.extend(self.env.clone());
        own.cwd = self.cwd.clone().or(own.cwd);
        own
    }
}

/// The grammar of a prompt that is not a text with `${…}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptTemplate {
    /// That of the roles: names are written as `{{vars.x}}`.
    Handlebars,
}

/// How several providers of a stage work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One after the other; each gets the output of the one before.
    #[default]
    Sequential,
    /// All at once.
    Parallel,
}

/// When a stage with parallel providers succeeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParallelStrategy {
    /// When all do.
    #[default]
    All,
    /// When the first does; the others are cancelled.
    Race,
    /// When more, by weight, succeed than fail.
    Majority,
}

/// What the failure of a stage does, or of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The run fails; of a node, its lane.
    #[default]
    Stop,
    /// The run continues, and its result names the stage. A node has ended without an output, and an item of a `foreach`
    /// that failed is null in the output.
    Continue,
    /// What failed is tried again; when that does not help, the run fails, or the lane of the node.
    Retry,
}

/// What a provider's text is taken for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputFormat {
    /// A text.
    #[default]
    Text,
    /// JSON, which may stand in one code fence.
    Json,
}

/// Whether a call starts a session of its own. A call that was interrupted is made again in its own session in any
/// case, where the provider has named one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionMode {
    /// A new one.
    #[default]
    New,
    /// That of the stage's last call.
    Continue,
}

/// What it means that a crash interrupted a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnInterrupt {
    /// It is called again, in the same session of the agent; after five crashes in a row a person is asked.
    #[default]
    Rerun,
    /// A person says what happened.
    Ask,
}

/// Limits of what a stage or a run may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Budget {
    /// US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub cost_usd: Option<f64>,
    /// Tokens read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub tokens: Option<u64>,
    /// Time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Period>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
