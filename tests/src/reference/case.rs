//! A workflow, and everything that its run depends on.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{Defaults, Diagnostics, OnFailure, resolve};
use workflow_core::plan::Plan;

/// A workflow, and everything that its run depends on.
#[derive(Clone, Serialize, Deserialize)]
pub struct Case {
    /// The seed of answers, delays and the order of simultaneous events.
    pub seed: u64,
    /// The percentage of answers that are failures.
    pub trouble: usize,
    /// The definition.
    pub bundle: Arc<Bundle>,
    /// The variables that the run is started with.
    #[serde(default)]
    pub vars: IndexMap<String, Value>,
    /// How the run handles failures, if it does not leave that to the stages.
    #[serde(default)]
    pub on_failure: Option<OnFailure>,
    /// Whether a person is asked before every stage.
    #[serde(default)]
    pub interactive: bool,
    /// Whether calls report their usage while they run, so that a budget can stop them.
    #[serde(default)]
    pub tells: bool,
    /// When the run is paused and resumed, alternately, in milliseconds since it began.
    #[serde(default)]
    pub pauses: Vec<u64>,
    /// For each host the append at which it dies: twice its number, plus one if it dies after the append was
    /// stored.
    #[serde(default)]
    pub deaths: Vec<u64>,
}

impl Case {
    /// The plan.
    ///
    /// # Errors
    ///
    /// The errors of the definition.
    pub fn plan(&self) -> Result<Plan, Diagnostics> {
        Plan::load(self.bundle.clone())
    }

    /// Whether its workflow is resolved, and can be run.
    pub fn is_sound(&self) -> bool {
        let workflow = &self.bundle.workflow;
        let resolved = resolve(workflow, &Defaults::default());
        resolved.is_ok_and(|resolved| resolved == *workflow) && self.plan().is_ok()
    }
}

fn yaml(value: &impl Serialize) -> String {
    serde_yaml::to_string(value).unwrap()
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.bundle.workflow.to_yaml().unwrap();
        for (stage, profile) in &self.bundle.profiles {
            write!(text, "\n# the profile of {stage}\n{}", yaml(profile))?;
        }
        for (name, schema) in &self.bundle.schemas {
            write!(text, "\n# {name}\n{}", yaml(schema))?;
        }
        write!(text, "\n# seed {}, {} of 100 answers are failures\n", self.seed, self.trouble)?;
        for (name, value) in &self.vars {
            writeln!(text, "# var {name} = {value}")?;
        }
        if let Some(on_failure) = self.on_failure {
            writeln!(text, "# on_failure of the run: {on_failure:?}")?;
        }
        if self.interactive {
            writeln!(text, "# a person is asked before every stage")?;
        }
        if self.tells {
            writeln!(text, "# calls tell what they have used while they run")?;
        }
        if !self.pauses.is_empty() {
            writeln!(text, "# paused and resumed at {:?} ms", self.pauses)?;
        }
        if !self.deaths.is_empty() {
            writeln!(text, "# its hosts die at {:?}", self.deaths)?;
        }
        f.write_str(&text)
    }
}
