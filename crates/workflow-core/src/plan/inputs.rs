//! What a run of a plan can be given: the fields of a dialog that starts one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::data::Data;
use crate::definition::VariableType;
use crate::expr::{Condition, Template};
use crate::plan::model::Plan;

/// The fields whose text is a condition over the run.
const CONDITIONS: [&str; 2] = ["when", "condition"];

/// A variable that a run can be given.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunInput {
    /// The name.
    pub name: String,
    /// The type, where a role declares it.
    pub kind: Option<VariableType>,
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
    /// The variables that a run can be given, by name: those that its roles declare, those that its profiles have
    /// defaults for, and those that `${vars.x}` or a condition names. One that a stage writes before it is used is
    /// not required.
    pub fn inputs(&self) -> Vec<RunInput> {
        let mut found = Inputs::default();
        let bundle = self.bundle();
        let mut written = BTreeSet::new();
        for (id, stage) in &bundle.workflow.stages {
            found.written.clone_from(&written);
            found.of(stage, id.as_str());
            if let Some(profile) = bundle.profiles.get(id) {
                let name = stage.profile.as_deref().unwrap_or("simple");
                found.of(profile, &format!("profile {id}.{name}: "));
            }
            if let Some(plan) = self.stage(id) {
                written.extend(plan.written().map(str::to_owned));
                for (name, value) in &plan.vars {
                    found.at(name, None).default.get_or_insert_with(|| value.clone());
                }
            }
        }
        for role in bundle.roles.values() {
            for variable in &role.variables {
                let input = found.at(&variable.name, Some(format!("role {}", role.id)));
                input.kind = input.kind.or(Some(variable.kind));
                input.required |= variable.required && !written.contains(&variable.name);
                let default = variable.default.as_ref().map(Data::new);
                input.default = input.default.take().or(default);
                input.description = input.description.take().or_else(|| variable.description.clone());
            }
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
            required: false,
            default: None,
            description: None,
            used_in: Vec::new(),
        });
        input.used_in.extend(place.filter(|place| !input.used_in.contains(place)));
        input
    }

    fn of(&mut self, definition: &impl Serialize, place: &str) {
        // Definitions that were compiled can be written as JSON.
        if let Ok(value) = serde_json::to_value(definition) {
            self.value("", &value, place);
        }
    }

    fn value(&mut self, field: &str, value: &Value, place: &str) {
        match value {
            Value::String(text) => self.text(field, text, place),
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.value(field, item, &format!("{place}[{n}]"));
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    let dot = if place.ends_with(": ") { "" } else { "." };
                    self.value(name, value, &format!("{place}{dot}{name}"));
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, field: &str, text: &str, place: &str) {
        if CONDITIONS.contains(&field)
            && let Ok(condition) = Condition::parse(text)
        {
            for mut query in condition.queries() {
                if let (Some("vars"), Some(name)) = (query.next(), query.next()) {
                    // An absent name in a condition is not an error.
                    self.at(name, Some(place.to_owned()));
                }
            }
            return;
        }
        let Ok(template) = Template::parse(text) else { return };
        for name in template.names().filter(|name| name.root() == "vars") {
            let Some(variable) = name.segment(1) else { continue };
            let is_needed = name.default_text().is_none() && !self.written.contains(variable);
            self.at(variable, Some(place.to_owned())).required |= is_needed;
        }
    }
}
