//! The files that a draft refers to: those that it needs, and those that it was given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::draft::{Asks, Draft};
use super::model::{Assignments, Diagnostic, Workflow, calls_of, roles_of, workflows_of};
use super::parse::{parse_profile, parse_role, parse_role_with};
use super::read::{check_tree, parse_assignments, parse_providers, schema};
use super::resolve::{Defaults, SourceFile, include, includes, schemas};
use crate::bundle::{Bundle, Skill};
use crate::catalog::part::{Part, Text};
use crate::ids::{ProfileId, RoleId, WorkflowId};
use crate::output_schema;

impl Draft {
    /// The files to look up next. Each has to be [given](Draft::give), or reported as missing, before this is
    /// called again: its content may refer to other files. Nothing when everything was looked up.
    ///
    /// `defaults` are those of [`resolve`](Draft::resolve); `roles` are all that there are.
    pub fn wanted(&mut self, defaults: &Defaults, roles: &[RoleId]) -> Vec<Part> {
        loop {
            let Some(workflow) = self.full_workflow() else { return Vec::new() };
            let wanted = match self.asks {
                Asks::Assignments => vec![Part::Assignments, Part::Providers],
                Asks::Profiles => self.profiles(&workflow, defaults),
                Asks::Included => self.included(),
                Asks::Roles => self.roles(defaults, roles),
                Asks::Schemas => self.open_schemas(),
                Asks::Nothing => return Vec::new(),
            };
            self.asks = match self.asks {
                Asks::Assignments => Asks::Profiles,
                Asks::Profiles => Asks::Included,
                // Those that were read may include others.
                Asks::Included if !wanted.is_empty() => Asks::Included,
                Asks::Included => {
                    include(&mut self.library, self.workflow.as_ref());
                    Asks::Roles
                }
                Asks::Roles => {
                    self.library.known_roles.extend(roles.iter().map(RoleId::to_string));
                    Asks::Schemas
                }
                // Those that were read may refer to others.
                Asks::Schemas if !wanted.is_empty() => Asks::Schemas,
                Asks::Schemas | Asks::Nothing => {
                    self.check_schemas();
                    Asks::Nothing
                }
            };
            if !wanted.is_empty() {
                return wanted;
            }
        }
    }

    /// Takes a file that was looked up, or why it may not or cannot be read; `None` if it does not exist.
    pub fn give(&mut self, part: &Part, found: Result<Option<Text>, String>) {
        let what = what(part);
        match found {
            Ok(None) => {}
            Ok(Some(Text { origin, text, .. })) => {
                self.read_part(part, &what, &origin, &text);
                self.library.files.insert(what, SourceFile { origin, text });
            }
            Err(message) => self.cannot_be_read(what, message),
        }
    }

    /// The workflows that its nodes run; to be called when nothing else is [wanted](Draft::wanted). Each has to be
    /// [given](Draft::give_workflow), or reported as missing, before the draft is resolved.
    pub fn workflows(&self) -> BTreeSet<WorkflowId> {
        let nodes = self.library.profiles.values().flat_map(workflows_of);
        let ids = nodes.filter_map(|(_, node)| WorkflowId::new(&node.workflow).ok());
        ids.filter(|id| !self.library.workflows.contains_key(id)).collect()
    }

    /// Takes the draft of a workflow that a node runs, or why it cannot be used: a problem of the node's field `workflow`.
    pub fn give_workflow(&mut self, id: WorkflowId, found: Result<Self, Diagnostic>) {
        match found {
            Ok(draft) => drop(self.workflows.insert(id, draft)),
            Err(problem) => self.add_workflow(id, Err(problem)),
        }
    }

    /// The drafts that it was given, to be resolved before it and [added](Draft::add_workflow).
    pub fn take_workflows(&mut self) -> BTreeMap<WorkflowId, Self> {
        std::mem::take(&mut self.workflows)
    }

    /// Takes a workflow that a node runs, put together, or why it cannot be used.
    pub fn add_workflow(&mut self, id: WorkflowId, found: Result<Arc<Bundle>, Diagnostic>) {
        match found {
            Ok(bundle) => drop(self.library.workflows.insert(id, bundle)),
            Err(problem) => {
                let problem = Diagnostic { path: "workflow".to_owned(), ..problem };
                self.library.unusable.insert(id, problem);
            }
        }
    }

    /// The names of the skills that it uses; to be called when nothing else is [wanted](Draft::wanted).
    pub fn skills(&self) -> BTreeSet<String> {
        let workflow = self.full_workflow();
        let stages = workflow.iter().flat_map(|workflow| workflow.stages.values());
        let mut names: BTreeSet<String> = stages.flat_map(|stage| &stage.skills).cloned().collect();
        for profile in self.library.profiles.values() {
            names.extend(calls_of(profile).into_iter().flat_map(|(_, run)| run.skills.clone()));
        }
        names.extend(self.library.roles.values().flat_map(|role| role.skills.clone()));
        names
    }

    /// Takes a skill that was looked up, or why it may not or cannot be read.
    pub fn give_skill(&mut self, name: String, found: Result<Option<Skill>, String>) {
        match found {
            Ok(None) => {}
            Ok(Some(skill)) => drop(self.library.skills.insert(name, skill)),
            Err(message) => self.cannot_be_read(format!("skill {name}"), message),
        }
    }

    /// Takes the name of a skill that a provider has without the catalog.
    pub fn provided_skill(&mut self, name: String) {
        self.library.provided_skills.insert(name);
    }

    /// Records that a file may not or cannot be read; this is reported at the field that refers to it.
    fn cannot_be_read(&mut self, what: String, message: String) {
        self.library.problems.insert(what, vec![Diagnostic::error("bad-file", "", message)]);
    }

    fn read_part(&mut self, part: &Part, what: &str, origin: &str, text: &str) {
        let bytes = text.as_bytes();
        let problems = match part {
            Part::Assignments => {
                let parsed = parse_assignments(bytes);
                self.library.assignments = parsed.assignments.unwrap_or_default();
                parsed.diagnostics
            }
            Part::Providers => {
                let parsed = parse_providers(bytes);
                self.library.providers = parsed.settings.unwrap_or_default();
                parsed.diagnostics
            }
            Part::Profile(stage, id) => {
                let parsed = parse_profile(bytes, self.workflow());
                let profile = parsed.profile.map(|profile| ((stage.clone(), id.clone()), profile));
                self.library.profiles.extend(profile);
                parsed.diagnostics
            }
            Part::Role(id) => {
                // A role that only an expression could name may be for other workflows: what does not fit
                // this one is reported when it names the role.
                let workflow = self.workflow().filter(|_| self.asked.contains(what));
                let parsed = match workflow {
                    Some(workflow) => parse_role_with(bytes, Some(id), workflow),
                    None => parse_role(bytes, Some(id)),
                };
                if let Some(role) = parsed.role {
                    self.library.roles.insert(id.clone(), role);
                } else if let Some(schema) = parsed.output_schema {
                    self.library.broken.insert(what.to_owned(), schema);
                }
                parsed.diagnostics
            }
            Part::Schema(name) => match schema(bytes) {
                Ok((tree, value)) => {
                    self.schemas.insert(name.clone(), (origin.to_owned(), tree, value));
                    Vec::new()
                }
                Err(diagnostics) => diagnostics,
            },
            // Texts of skills are for agents: see `give_skill`. No workflow refers to notifications.
            Part::Skill(_) | Part::Notifications => Vec::new(),
        };
        self.keep_problems(what, origin, problems);
    }

    fn keep_problems(&mut self, what: &str, origin: &str, problems: Vec<Diagnostic>) {
        if !problems.is_empty() {
            let found = problems.into_iter().map(|found| found.in_file(origin)).collect();
            self.library.problems.insert(what.to_owned(), found);
        }
    }

    fn profiles(&self, workflow: &Workflow, defaults: &Defaults) -> Vec<Part> {
        let mut wanted = Vec::new();
        for (id, stage) in &workflow.stages {
            let of = |assignments: &Assignments| {
                assignments.stages.get(id).and_then(|stage| stage.profile.clone())
            };
            // Where the default one does not exist, it is `simple`.
            let names = match stage.profile.clone().or_else(|| of(&self.library.assignments)) {
                Some(named) => vec![named],
                None => of(&defaults.assignments).into_iter().chain(["simple".to_owned()]).collect(),
            };
            let names = names.into_iter().filter_map(|profile| ProfileId::new(profile).ok());
            wanted.extend(names.map(|profile| Part::Profile(id.clone(), profile)));
        }
        wanted
    }

    /// The profiles that others include, and that were not requested yet.
    fn included(&mut self) -> Vec<Part> {
        let named = includes(&self.library).into_iter();
        // Those of the stages were requested before.
        let parts = named.map(|(stage, id)| Part::Profile(stage, id));
        parts
            .filter(|part| !self.library.files.contains_key(&what(part)) && self.asked.insert(what(part)))
            .collect()
    }

    fn roles(&mut self, defaults: &Defaults, there: &[RoleId]) -> Vec<Part> {
        let Some(workflow) = self.full_workflow() else { return Vec::new() };
        let mut names = BTreeSet::new();
        for (id, stage) in &workflow.stages {
            let of =
                |assignments: &Assignments| assignments.stages.get(id).and_then(|stage| stage.role.clone());
            let named = [stage.role.clone(), of(&self.library.assignments), of(&defaults.assignments)];
            names.extend(named.into_iter().flatten().chain([id.to_string()]));
            names.extend(stage.providers.iter().filter_map(|lane| lane.role.clone()));
        }
        for profile in self.library.profiles.values() {
            names.extend(roles_of(profile).into_iter().map(|(_, role)| role.to_owned()));
        }
        names.remove("${stage.role}");
        let every = names.iter().any(|name| name.contains("${"));
        let wanted = there.iter().filter(|id| every || names.contains(id.as_str()));
        let wanted = wanted.cloned().map(Part::Role).collect();
        self.asked.extend(names.into_iter().map(|name| format!("role {name}")));
        wanted
    }

    /// The schemas that are named, or referred to by schemas that were read, and that were not requested yet.
    fn open_schemas(&mut self) -> Vec<Part> {
        let Some(workflow) = self.full_workflow() else { return Vec::new() };
        let mut names = schemas(&workflow, &self.library);
        names.extend(self.library.broken.values().cloned());
        for (name, (_, _, schema)) in &self.schemas {
            names.extend(output_schema::references(name, schema).unwrap_or_default());
        }
        let mut wanted = Vec::new();
        for name in names {
            if self.asked.insert(format!("schema {name}")) {
                wanted.push(Part::Schema(name));
            }
        }
        wanted
    }

    /// Reports the problems of each schema, once all schemas were read.
    fn check_schemas(&mut self) {
        let mut trees = Vec::new();
        let mut values = indexmap::IndexMap::new();
        for (name, (origin, tree, value)) in std::mem::take(&mut self.schemas) {
            trees.push((name.clone(), origin, tree));
            values.insert(name, value);
        }
        for (name, origin, tree) in trees {
            let found = check_tree(&name, &tree, &values);
            self.keep_problems(&format!("schema {name}"), &origin, found);
        }
        self.library.schemas.extend(values);
    }
}

/// A part, as a library calls its file.
fn what(part: &Part) -> String {
    match part {
        Part::Assignments => "assignments".to_owned(),
        Part::Providers => "providers".to_owned(),
        Part::Notifications => "notifications".to_owned(),
        Part::Profile(stage, profile) => format!("profile {stage}.{profile}"),
        Part::Role(role) => format!("role {role}"),
        Part::Schema(name) => format!("schema {name}"),
        Part::Skill(name) => format!("skill {name}"),
    }
}
