//! What a workflow refers to, and putting it together to a bundle (R1.2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Arguments;

use indexmap::IndexMap;
use serde_json::Value;

use super::assignments::Assignments;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::graph::{Node, Profile};
use super::model::{Stage, Workflow};
use super::role::Role;
use super::suggest::did_you_mean;
use super::{Defaults, call_of, resolve};
use crate::bundle::{Bundle, Skill};
use crate::ids::{ProfileId, RoleId, StageId, is_id};

/// The roles, profiles, schemas and skills that a workflow may refer to, as far as they were looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Library {
    /// What stages have that say nothing.
    pub assignments: Assignments,
    /// Profiles, by stage and id.
    pub profiles: BTreeMap<(StageId, ProfileId), Profile>,
    /// Roles.
    pub roles: BTreeMap<RoleId, Role>,
    /// Schemas, by their file names in the home.
    pub schemas: BTreeMap<String, Value>,
    /// Skills, by name.
    pub skills: BTreeMap<String, Skill>,
    /// Names of skills that a provider has by itself.
    pub provided_skills: BTreeSet<String>,
    /// The names of all roles that there are, for suggestions.
    pub known_roles: BTreeSet<String>,
    /// Why files cannot be used, by what they are: `role reviewer`, `profile plan.gate`, `schema x.json`.
    pub problems: BTreeMap<String, Vec<String>>,
    /// What is doubtful about files, by what they are.
    pub warnings: BTreeMap<String, Vec<String>>,
}

/// A workflow with all that it refers to.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundled {
    /// The bundle.
    pub bundle: Bundle,
    /// What is doubtful.
    pub warnings: Vec<Diagnostic>,
}

/// Fills in what a workflow leaves out, from the assignments first, and adds the profiles, roles, schemas
/// and skills that it uses.
///
/// A stage without a role has the one that is called like the stage, if there is one.
///
/// # Errors
///
/// Everything that [`resolve`] says, and what is named and is not there or cannot be used.
pub fn bundle(workflow: &Workflow, defaults: &Defaults, library: &Library) -> Result<Bundled, Diagnostics> {
    let mut assembly = Assembly { library, problems: Vec::new(), roles: BTreeSet::new(), every_role: false };
    assembly.doubtful(format_args!("assignments"), format_args!("workflow"));
    assembly.broken(format_args!("assignments"), format_args!("workflow"));
    let mut assigned = workflow.clone();
    for (id, stage) in &mut assigned.stages {
        assembly.assign(id, stage);
    }
    let resolved = resolve(&assigned, defaults);
    let mut bundle = Bundle::new(match &resolved {
        Ok(resolved) => resolved.clone(),
        Err(_) => assigned.clone(),
    });
    assembly.profiles(&mut bundle);
    assembly.roles(&mut bundle);
    assembly.schemas(&mut bundle);
    assembly.skills(&mut bundle);
    let mut problems = assembly.problems;
    if let Err(Diagnostics(found)) = resolved {
        problems.extend(found);
    }
    if problems.iter().any(Diagnostic::is_error) {
        return Err(Diagnostics::from(problems));
    }
    Ok(Bundled { bundle, warnings: problems })
}

struct Assembly<'l> {
    library: &'l Library,
    problems: Vec<Diagnostic>,
    roles: BTreeSet<RoleId>,
    /// Whether a role is named by an expression.
    every_role: bool,
}

impl Assembly<'_> {
    /// Fills in provider, role and profile of a stage.
    fn assign(&mut self, id: &StageId, stage: &mut Stage) {
        let library = self.library;
        let assigned = library.assignments.stages.get(id);
        if stage.provider.is_none() && stage.providers.is_empty() {
            stage.provider = assigned.and_then(|assigned| assigned.provider.clone());
        }
        stage.profile = stage.profile.take().or_else(|| assigned?.profile.clone());
        if stage.role.is_some() {
            self.use_role(stage.role.as_deref(), format_args!("{id}.role"));
        } else if let Some(role) = assigned.and_then(|assigned| assigned.role.clone()) {
            self.use_role(Some(&role), format_args!("{id}.role"));
            stage.role = Some(role);
        } else if let Some((role, _)) =
            RoleId::new(id.as_str()).ok().and_then(|id| library.roles.get_key_value(&id))
        {
            self.roles.insert(role.clone());
            stage.role = Some(role.to_string());
        }
        for (n, lane) in stage.providers.iter().enumerate() {
            self.use_role(lane.role.as_deref(), format_args!("{id}.providers[{n}].role"));
        }
    }

    fn use_role(&mut self, role: Option<&str>, path: Arguments<'_>) {
        let Some(role) = role.filter(|role| *role != "${stage.role}") else { return };
        if role.contains("${") {
            self.every_role = true;
            return;
        }
        match RoleId::new(role).ok().filter(|role| self.library.roles.contains_key(role)) {
            Some(role) => {
                self.doubtful(format_args!("role {role}"), path);
                self.roles.insert(role);
            }
            None if self.broken(format_args!("role {role}"), path) => {}
            None => {
                let known = self.library.known_roles.iter().map(String::as_str);
                let near = did_you_mean(role, known.chain(self.library.roles.keys().map(RoleId::as_str)));
                let message = format!("there is no role `{role}`: write the file `roles/{role}.md`{near}");
                self.problems.push(Diagnostic::error("missing-role", path.to_string(), message));
            }
        }
    }

    /// Tells what is wrong with a file that is there and cannot be used.
    fn broken(&mut self, what: Arguments<'_>, path: Arguments<'_>) -> bool {
        if self.library.problems.is_empty() {
            return false; // Mostly so, and nothing need be written out.
        }
        let Some(problems) = self.library.problems.get(&what.to_string()) else { return false };
        let problems =
            problems.iter().map(|problem| Diagnostic::error("bad-file", path.to_string(), problem));
        self.problems.extend(problems);
        true
    }

    fn doubtful(&mut self, what: Arguments<'_>, path: Arguments<'_>) {
        if self.library.warnings.is_empty() {
            return; // As above.
        }
        let warnings = self.library.warnings.get(&what.to_string()).into_iter().flatten();
        let warnings = warnings.map(|warning| Diagnostic::warning("in-file", path.to_string(), warning));
        self.problems.extend(warnings);
    }

    fn profiles(&mut self, bundle: &mut Bundle) {
        let mut profiles = IndexMap::new();
        for (id, stage) in &bundle.workflow.stages {
            let name = stage.profile.as_deref().unwrap_or("simple");
            let Ok(profile_id) = ProfileId::new(name) else { continue };
            match self.library.profiles.get(&(id.clone(), profile_id)) {
                Some(profile) => {
                    self.doubtful(format_args!("profile {id}.{name}"), format_args!("{id}.profile"));
                    for (place, role) in super::roles_of(profile) {
                        self.use_role(Some(role), format_args!("{id}.profile: {place}"));
                    }
                    let problems = super::validate_profile(profile, Some(&bundle.workflow));
                    self.problems.extend(problems.into_iter().filter(|p| p.code == "dangling-stage").map(
                        |p| {
                            let message =
                                format!("workflows/stages/{id}.{name}.yml: {}: {}", p.path, p.message);
                            Diagnostic::error(p.code, format!("{id}.profile"), message)
                        },
                    ));
                    profiles.insert(id.clone(), profile.clone());
                }
                None if self.broken(format_args!("profile {id}.{name}"), format_args!("{id}.profile")) => {}
                None if name == "simple" => {}
                None => {
                    let known = self.library.profiles.keys().filter(|(stage, _)| stage == id);
                    let near = did_you_mean(name, known.map(|(_, profile)| profile.as_str()));
                    let message = format!(
                        "there is no profile `{name}` for `{id}`: write the file `workflows/stages/{id}.{name}.yml`{near}"
                    );
                    self.problems.push(Diagnostic::error(
                        "missing-profile",
                        format!("{id}.profile"),
                        message,
                    ));
                }
            }
        }
        bundle.profiles = profiles;
    }

    fn roles(&mut self, bundle: &mut Bundle) {
        let all = self.library.roles.iter();
        let used = all.filter(|(id, _)| self.every_role || self.roles.contains(*id));
        bundle.roles = used.map(|(id, role)| (id.clone(), role.clone())).collect();
    }

    fn schemas(&mut self, bundle: &mut Bundle) {
        let mut open = schemas_of(bundle, &self.roles);
        // Those that are needed come off first: of the others nothing is said.
        open.sort_by_key(|named| named.is_needed);
        while let Some(Named { path, name, is_needed }) = open.pop() {
            if bundle.schemas.contains_key(&name) {
                continue;
            }
            if is_needed && self.broken(format_args!("schema {name}"), format_args!("{path}")) {
                continue;
            }
            let Some(schema) = self.library.schemas.get(&name) else {
                if is_needed {
                    let message = format!("{}there is no schema file `{name}` in the home", named_by(&path));
                    self.problems.push(Diagnostic::error("missing-schema", path, message));
                }
                continue;
            };
            match crate::output_schema::references(&name, schema) {
                Ok(more) => {
                    open.extend(more.into_iter().map(|name| Named { path: path.clone(), name, is_needed }));
                }
                Err(_) if !is_needed => {}
                Err(error) => self.problems.push(Diagnostic::error("bad-schema", &*path, error.to_string())),
            }
            bundle.schemas.insert(name, schema.clone());
        }
        bundle.schemas.sort_keys();
    }

    fn skills(&mut self, bundle: &mut Bundle) {
        for Named { path, name, is_needed } in skills_of(bundle, &self.roles) {
            if let Some(skill) = self.library.skills.get(&name) {
                bundle.skills.insert(name, skill.clone());
            } else if is_needed && !self.library.provided_skills.contains(&name) {
                let why = match self.library.problems.get(&format!("skill {name}")) {
                    Some(problems) => format!("the skill `{name}` cannot be used: {}", problems.join("; ")),
                    None => format!("there is no skill `{name}`"),
                };
                let message = format!("{}{why}: it is left out", named_by(&path));
                self.problems.push(Diagnostic::warning("missing-skill", path, message));
            }
        }
        bundle.skills.sort_keys();
    }
}

/// Says of a field that is not in the workflow's own file where it is.
fn named_by(path: &str) -> String {
    if path.contains(": ") { format!("{path}: ") } else { String::new() }
}

/// The schema files that a workflow, its profiles and its roles name.
pub fn schemas(workflow: &Workflow, library: &Library) -> Vec<String> {
    let stages = workflow.stages.values().filter_map(|stage| stage.output_schema.as_deref());
    let profiles = library.profiles.values().flat_map(|profile| &profile.graph);
    let nodes = profiles.filter_map(|node| schemas_in(&node.node));
    let roles = library.roles.values().filter_map(|role| role.output_schema.as_deref());
    let names: BTreeSet<_> = stages.chain(nodes).chain(roles).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// What a bundle names.
struct Named {
    /// The path of the field.
    path: String,
    name: String,
    /// Whether it is known to be used. A role that only an expression could name may be for other workflows.
    is_needed: bool,
}

impl Named {
    fn new(path: String, name: &str) -> Self {
        Self { path, name: name.to_owned(), is_needed: true }
    }
}

/// The schemas that a bundle names.
fn schemas_of(bundle: &Bundle, named: &BTreeSet<RoleId>) -> Vec<Named> {
    let mut found = Vec::new();
    for (id, stage) in &bundle.workflow.stages {
        let name = stage.output_schema.as_deref();
        found.extend(name.map(|name| Named::new(format!("{id}.output_schema"), name)));
    }
    for (id, profile) in &bundle.profiles {
        for (n, node) in profile.graph.iter().enumerate() {
            let names = schemas_in(&node.node).into_iter();
            found.extend(
                names.map(|name| Named::new(format!("{id}.profile: graph[{n}].output_schema"), name)),
            );
        }
    }
    for role in bundle.roles.values() {
        let name = role.output_schema.as_deref();
        found.extend(name.map(|name| Named {
            is_needed: named.contains(&role.id),
            ..Named::new(format!("roles/{}: output_schema", role.id), name)
        }));
    }
    found
}

fn schemas_in(node: &Node) -> Option<&str> {
    match node {
        Node::Run(run) => run.output_schema.as_deref(),
        Node::Reduce(reduce) => reduce.run.output_schema.as_deref(),
        Node::Export(export) => export.output_schema.as_deref(),
        Node::Ask(ask) => ask.output_schema.as_deref(),
        Node::Foreach(foreach) => schemas_in(&foreach.run),
        Node::Branch(_) => None,
    }
}

/// The skills that a bundle names. A role can name tools as well, which are nobody's files.
fn skills_of(bundle: &Bundle, named: &BTreeSet<RoleId>) -> Vec<Named> {
    let mut found = Vec::new();
    for (id, stage) in &bundle.workflow.stages {
        let skills = stage.skills.iter().enumerate();
        found.extend(skills.map(|(n, skill)| Named::new(format!("{id}.skills[{n}]"), skill)));
    }
    for (id, profile) in &bundle.profiles {
        for (n, node) in profile.graph.iter().enumerate() {
            let Some((path, run)) = call_of(&node.node, format!("graph[{n}]")) else { continue };
            let skills =
                run.skills.iter().map(|skill| Named::new(format!("{id}.profile: {path}.skills"), skill));
            found.extend(skills);
        }
    }
    for role in bundle.roles.values() {
        let skills = role.skills.iter().filter(|skill| is_id(skill));
        found.extend(skills.map(|skill| Named {
            is_needed: named.contains(&role.id),
            ..Named::new(format!("roles/{}: skills", role.id), skill)
        }));
    }
    found
}
