//! A workflow to be run, and all that its run depends on.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{Defaults, Diagnostics, OnFailure, resolve};
use workflow_core::plan::Plan;

/// A workflow, and all that its run depends on.
#[derive(Clone, Serialize, Deserialize)]
pub struct Case {
    /// What answers, delays and the order of what happens at once are drawn from.
    pub seed: u64,
    /// How many answers of a hundred are failures.
    pub trouble: usize,
    /// The definition.
    pub bundle: Arc<Bundle>,
    /// The variables that the run is started with.
    #[serde(default)]
    pub vars: IndexMap<String, Value>,
    /// What the run does about failures where it does not leave that to the stages.
    #[serde(default)]
    pub on_failure: Option<OnFailure>,
    /// Whether a person is asked before every stage.
    #[serde(default)]
    pub interactive: bool,
    /// Whether calls tell what they have used while they go on, so that they are stopped for it.
    #[serde(default)]
    pub tells: bool,
    /// When the run is paused and resumed, by turns, in milliseconds since it began.
    #[serde(default)]
    pub pauses: Vec<u64>,
    /// For one host after the other the append that it dies at, twice its number and one more when it dies
    /// after that has been stored.
    #[serde(default)]
    pub deaths: Vec<u64>,
}

impl Case {
    /// The plan.
    ///
    /// # Errors
    ///
    /// What is wrong with the definition.
    pub fn plan(&self) -> Result<Plan, Diagnostics> {
        Plan::load(self.bundle.clone())
    }

    /// Whether its workflow is what resolving makes of it, and can be run.
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
            writeln!(text, "# calls tell what they have used while they go on")?;
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
