//! What uses a variable that a workflow neither declares nor writes.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::named::profile_of;
use crate::bundle::Bundle;
use crate::definition::check::uses;
use crate::definition::model::{Flat, WorkflowInput};
use crate::ids::RoleId;
use crate::suggest::did_you_mean;

/// A use of a variable that cannot have a value.
pub(super) struct Undeclared {
    /// The file with the field, as a library calls it; none: the workflow's.
    pub what: Option<String>,
    /// The path of the field in its file.
    pub path: String,
    pub message: String,
}

/// The uses of undeclared variables, in a workflow that declares its inputs: in its stages, in its profiles, and in
/// the roles that it is known to use.
pub(super) fn undeclared(bundle: &Bundle, roles: &BTreeSet<RoleId>) -> Vec<Undeclared> {
    let Some(inputs) = &bundle.workflow.inputs else { return Vec::new() };
    let written = bundle.workflow.stages.values().flat_map(|stage| stage.set.keys());
    let of_nodes = bundle.profiles.values().flat_map(|profile| Flat::of(&profile.graph).nodes());
    let written = written.chain(of_nodes.flat_map(|(_, node)| node.set.keys()));
    let known = Known { inputs, written: written.map(String::as_str).collect(), found: Vec::new() };
    known.of(bundle, roles)
}

struct Known<'b> {
    inputs: &'b IndexMap<String, WorkflowInput>,
    written: BTreeSet<&'b str>,
    found: Vec<Undeclared>,
}

impl<'b> Known<'b> {
    fn of(mut self, bundle: &'b Bundle, roles: &BTreeSet<RoleId>) -> Vec<Undeclared> {
        for (id, stage) in &bundle.workflow.stages {
            let profile = bundle.profiles.get(id);
            let defaults: BTreeSet<_> =
                profile.into_iter().flat_map(|profile| profile.vars.keys()).map(String::as_str).collect();
            let mut found = Vec::new();
            uses(stage, |used| found.push((None, format!("{id}.{}", used.path), used.name.to_owned())));
            if let Some(profile) = profile {
                let what = profile_of(bundle, id.as_str());
                uses(profile, |used| {
                    found.push((Some(what.clone()), used.path.to_owned(), used.name.to_owned()));
                });
            }
            for (what, path, name) in found {
                if !defaults.contains(name.as_str()) {
                    self.look(what, path, &name);
                }
            }
        }
        let mut of_output = Vec::new();
        uses(&bundle.workflow.output, |used| {
            let dot = if used.path.is_empty() || used.path.starts_with('[') { "" } else { "." };
            of_output.push((format!("workflow.output{dot}{}", used.path), used.name.to_owned()));
        });
        for (path, name) in of_output {
            self.look(None, path, &name);
        }
        let mut of_key = Vec::new();
        uses(&bundle.workflow.concurrency, |used| {
            of_key.push((format!("workflow.concurrency.{}", used.path), used.name.to_owned()));
        });
        // The key is known before a stage writes anything.
        let written = std::mem::take(&mut self.written);
        for (path, name) in of_key {
            self.look(None, path, &name);
        }
        self.written = written;
        for role in roles.iter().filter_map(|role| bundle.roles.get(role)) {
            let is_needed = |name: &str| !self.inputs.contains_key(name) && !self.written.contains(name);
            let needed =
                role.variables.iter().filter(|variable| variable.required && variable.default.is_none());
            for variable in needed.filter(|variable| is_needed(&variable.name)) {
                let (id, name) = (&role.id, &variable.name);
                let message = format!(
                    "the role `{id}` needs the variable `{name}`: declare it here, or write it with `set`"
                );
                let path = "workflow.inputs".to_owned();
                self.found.push(Undeclared { what: None, path, message });
            }
        }
        self.found
    }

    fn look(&mut self, what: Option<String>, path: String, name: &str) {
        if self.inputs.get(name).is_some_and(|input| input.secret) {
            let message = format!("`{name}` is declared as a secret: write `${{secrets.{name}}}`");
            self.found.push(Undeclared { what, path, message });
        } else if !self.inputs.contains_key(name) && !self.written.contains(name) {
            let known = self.inputs.iter().filter(|(_, input)| !input.secret).map(|(name, _)| name.as_str());
            let known = known.chain(self.written.iter().copied());
            let message = format!(
                "`{name}` is neither an input of the workflow nor written by a `set`{}",
                did_you_mean(name, known)
            );
            self.found.push(Undeclared { what, path, message });
        }
    }
}
