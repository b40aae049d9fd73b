//! Definitions built in Rust.
//!
//! The fields of all types are public; what is here only makes the common cases short.

use indexmap::IndexMap;
use serde_json::Value;

use super::graph::{GraphNode, Node};
use super::input::WorkflowInput;
use super::workflow::{Concurrency, Exhausted, Lane, LoopSpec, Stage, Workflow, WorktreeSpec};
use crate::ids::{NodeId, StageId, WorkflowId};
use crate::priority::Priority;
use crate::slot::SlotMode;

impl Workflow {
    /// A workflow without stages yet.
    ///
    /// ```
    /// use workflow_core::definition::{self, Defaults, LoopSpec, Stage, Workflow};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let workflow = Workflow::new("review".parse()?, "Write and review")
    ///     .stage("write".parse()?, Stage::new("codex").prompt("Write ${vars.feature}"))
    ///     .stage("review".parse()?, Stage::default().prompt("Review ${stages.write.output}"))
    ///     .repeat(LoopSpec::new(3, "$.done == true"));
    ///
    /// assert!(definition::validate(&workflow).is_empty());
    /// let defaults = Defaults { provider: Some("claude-code".to_owned()), ..Defaults::default() };
    /// let resolved = definition::resolve(&workflow, &defaults)?;
    /// assert_eq!(resolved.stages["review"].providers[0].provider, "claude-code");
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(id: WorkflowId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            description: None,
            inputs: None,
            defaults: None,
            repeat: None,
            budget: None,
            output: None,
            worktree: None,
            concurrency: None,
            priority: None,
            stages: IndexMap::new(),
            finally: Vec::new(),
            finally_timeout: None,
        }
    }

    /// Adds a stage after the others; one of the same id is replaced where it stands.
    #[must_use]
    pub fn stage(mut self, id: StageId, stage: Stage) -> Self {
        self.stages.insert(id, stage);
        self
    }

    /// Adds a stage that runs however the others end. It has to be added after them.
    ///
    /// ```
    /// use workflow_core::definition::{self, Stage, Workflow};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let workflow = Workflow::new("review".parse()?, "Review")
    ///     .stage("review".parse()?, Stage::new("codex").prompt("Review the change"))
    ///     .finally("tidy".parse()?, Stage::new("command").prompt("Remove what the review left"));
    /// assert!(definition::validate(&workflow).is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn finally(mut self, id: StageId, stage: Stage) -> Self {
        self.finally.push(id.clone());
        self.stage(id, stage)
    }

    /// Declares a variable that a run is given when it starts; a run is given no variables that are not declared.
    ///
    /// ```
    /// use workflow_core::definition::{self, Stage, VariableType, Workflow, WorkflowInput};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let workflow = Workflow::new("review".parse()?, "Review")
    ///     .input("topic", WorkflowInput::new(VariableType::String))
    ///     .stage("review".parse()?, Stage::new("codex").prompt("Review ${vars.topic}"));
    /// assert!(definition::validate(&workflow).is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn input(mut self, name: impl Into<String>, input: WorkflowInput) -> Self {
        self.inputs.get_or_insert_default().insert(name.into(), input);
        self
    }

    /// Sets what stages have where they leave a field out.
    #[must_use]
    pub fn defaults(self, defaults: Stage) -> Self {
        Self { defaults: Some(Box::new(defaults)), ..self }
    }

    /// Sets the output of a run: a value with expressions, which are resolved when the run completes. Null is none, as in a
    /// file.
    ///
    /// ```
    /// use serde_json::json;
    /// use workflow_core::definition::{self, Stage, Workflow};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let workflow = Workflow::new("review".parse()?, "Review")
    ///     .stage("review".parse()?, Stage::new("codex").prompt("Review it"))
    ///     .output(json!({ "summary": "${stages.review.output}" }));
    /// assert!(definition::validate(&workflow).is_empty());
    /// assert_eq!(workflow.output(json!(null)).output, None);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn output(self, output: impl Into<Value>) -> Self {
        Self { output: Some(output.into()).filter(|output| !output.is_null()), ..self }
    }

    /// Lets runs work in a git worktree of their own.
    #[must_use]
    pub fn worktree(self, worktree: WorktreeSpec) -> Self {
        Self { worktree: Some(worktree.into()), ..self }
    }

    /// Lets runs with the same key not work at the same time.
    #[must_use]
    pub fn concurrency(self, key: impl Into<String>, mode: SlotMode) -> Self {
        Self { concurrency: Some(Box::new(Concurrency { key: key.into(), mode })), ..self }
    }

    /// Gives runs a priority.
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        Self { priority: Some(priority), ..self }
    }

    /// Lets the stages run in a loop.
    #[must_use]
    pub fn repeat(self, repeat: LoopSpec) -> Self {
        Self { repeat: Some(repeat), ..self }
    }
}

impl LoopSpec {
    /// A loop that ends when `stop_when` is true of the last stage's output, or fails after
    /// `max_iters` iterations.
    pub fn new(max_iters: u32, stop_when: impl Into<String>) -> Self {
        Self {
            max_iters,
            fallback_next_stage: None,
            stop_when: stop_when.into(),
            on_exhausted: Exhausted::default(),
        }
    }
}

impl Stage {
    /// A stage with one provider.
    pub fn new(provider: impl Into<String>) -> Self {
        Self { provider: Some(provider.into()), ..Self::default() }
    }

    /// A stage with several providers.
    pub fn with_lanes(lanes: impl IntoIterator<Item = Lane>) -> Self {
        Self { providers: lanes.into_iter().collect(), ..Self::default() }
    }

    /// Sets the prompt.
    #[must_use]
    pub fn prompt(self, prompt: impl Into<String>) -> Self {
        Self { prompt: Some(prompt.into()), ..self }
    }

    /// Sets one of the provider's own options.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.with.get_or_insert_default().insert(name.into(), value.into());
        self
    }
}

impl Lane {
    /// A lane of a provider, in the stage's role and with a weight of 1.
    pub fn new(provider: impl Into<String>) -> Self {
        Self { provider: provider.into(), ..Self::default() }
    }
}

impl GraphNode {
    /// A node that starts at once and whose failure its lane fails with.
    ///
    /// ```
    /// use workflow_core::definition::{GraphNode, Node, Profile, RunNode, WaitNode};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let signal = WaitNode { signal: Some("deployed".to_owned()), ..WaitNode::default() };
    /// let test = RunNode { prompt: Some("Test it".to_owned()), ..RunNode::default() };
    /// let test = GraphNode {
    ///     after: vec!["deployed".to_owned()],
    ///     ..GraphNode::new("test".parse()?, Node::Run(Box::new(test)))
    /// };
    /// let graph = vec![GraphNode::new("deployed".parse()?, Node::Wait(signal)), test];
    /// let profile = Profile { graph, ..Profile::default() };
    /// assert_eq!(profile.graph.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(id: NodeId, node: Node) -> Self {
        Self {
            id,
            out: None,
            after: Vec::new(),
            join: None,
            set: IndexMap::new(),
            on_failure: None,
            retries: None,
            retry_backoff: None,
            node,
        }
    }
}
