//! What a run of a plan can be given: the fields of a dialog that starts one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::data::Data;
use crate::definition::{VariableType, WorkflowInput, uses};
use crate::plan::model::Plan;

/// A variable that a run can be given.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunInput {
    /// The name.
    pub name: String,
    /// The type, where the workflow or a role declares it.
    pub kind: Option<VariableType>,
    /// The only values that it may have; empty for any value.
    pub choices: Vec<Data>,
    /// Whether a run does not start without it, or fails where it is used.
    pub required: bool,
    /// The value where the run is given none.
    pub default: Option<Data>,
    /// What it is for.
    pub description: Option<String>,
    /// Where it is used: `plan.prompt`, `profile test.deep: graph[0].items`, `role planner`.
    pub used_in: Vec<String>,
}

impl Plan {
    /// The variables that a run can be given. Of a workflow that declares its inputs those, in their order; of others by
    /// name: those that its roles declare, those that its profiles have
    /// defaults for, and those that `${vars.x}` or a condition names. One that a stage writes before it is used is
    /// not required.
    pub fn inputs(&self) -> Vec<RunInput> {
        let mut found = Inputs::default();
        let bundle = self.bundle();
        let mut written = BTreeSet::new();
        found.of(&bundle.workflow.concurrency, "workflow.concurrency.");
        for (id, stage) in &bundle.workflow.stages {
            found.written.clone_from(&written);
            found.of(stage, &format!("{id}."));
            if let Some(profile) = bundle.profiles.get(id) {
                let name = stage.profile.as_deref().unwrap_or("simple");
                found.of(profile, &format!("profile {id}.{name}: "));
            }
            if let Some(plan) = self.stage(id) {
                written.extend(plan.written().map(str::to_owned));
                for (name, value) in plan.vars.as_deref().into_iter().flatten() {
                    found.at(name, None).default.get_or_insert_with(|| value.clone());
                }
            }
        }
        found.written = written;
        let dot = if bundle.workflow.output.as_ref().is_some_and(Value::is_object) { "." } else { "" };
        found.of(&bundle.workflow.output, &format!("workflow.output{dot}"));
        for role in bundle.roles.values() {
            for variable in &role.variables {
                let is_written = found.written.contains(&variable.name);
                let input = found.at(&variable.name, Some(format!("role {}", role.id)));
                input.kind = input.kind.or(Some(variable.kind));
                input.required |= variable.required && !is_written;
                let default = variable.default.as_ref().map(Data::new);
                input.default = input.default.take().or(default);
                input.description = input.description.take().or_else(|| variable.description.clone());
            }
        }
        if let Some(declared) = &bundle.workflow.inputs {
            let given = declared.iter().filter(|(_, input)| !input.secret);
            return given.map(|(name, input)| found.declared(name, input)).collect();
        }
        let mut inputs: Vec<_> = found.inputs.into_values().collect();
        for input in &mut inputs {
            input.required &= input.default.is_none();
        }
        inputs
    }

    /// Whether `most` can replace the most iterations of the loop, or why not.
    ///
    /// # Errors
    ///
    /// Why it cannot: there is no loop, it is not from 1 to 20, or a stage wants more iterations.
    pub fn check_max_iters(&self, most: u32) -> Result<(), String> {
        if self.repeat.is_none() {
            return Err("`max_iters` has no effect: the workflow has no loop".to_owned());
        }
        if !(1..=20).contains(&most) {
            return Err(format!("`max_iters` has to be from 1 to 20, and is {most}"));
        }
        if most < self.min_iterations {
            let least = self.min_iterations;
            return Err(format!("`max_iters` is {most}, and a stage has `min_iterations: {least}`"));
        }
        Ok(())
    }
}

#[derive(Default)]
struct Inputs {
    inputs: BTreeMap<String, RunInput>,
    /// What stages have written before the one that is looked at.
    written: BTreeSet<String>,
}

impl Inputs {
    fn at(&mut self, name: &str, place: Option<String>) -> &mut RunInput {
        let input = self.inputs.entry(name.to_owned()).or_insert_with(|| RunInput {
            name: name.to_owned(),
            kind: None,
            choices: Vec::new(),
            required: false,
            default: None,
            description: None,
            used_in: Vec::new(),
        });
        input.used_in.extend(place.filter(|place| !input.used_in.contains(place)));
        input
    }

    /// A declared input, and where it is used.
    fn declared(&mut self, name: &str, input: &WorkflowInput) -> RunInput {
        let used = self.at(name, None);
        RunInput {
            name: name.to_owned(),
            kind: Some(input.kind),
            choices: input.choices.iter().map(Data::new).collect(),
            required: input.is_required(),
            default: input.default.as_ref().map(Data::new),
            description: input.description.clone().or_else(|| used.description.take()),
            used_in: std::mem::take(&mut used.used_in),
        }
    }

    /// Adds the variables that a part of the definition uses.
    fn of(&mut self, definition: &impl Serialize, place: &str) {
        uses(definition, |used| {
            let is_needed = used.is_needed && !self.written.contains(used.name);
            self.at(used.name, Some(format!("{place}{}", used.path))).required |= is_needed;
        });
    }
}
