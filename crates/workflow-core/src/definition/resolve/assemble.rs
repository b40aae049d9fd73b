//! Putting a workflow and what it refers to together to a bundle.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use indexmap::IndexMap;

use super::checked::{own_fields, problems_of_role, unfit_for_finally};
use super::declared::undeclared;
use super::defaults::Defaults;
use super::fill_in::fill_in;
use super::library::{Library, recommended, role};
use super::named::{Named, inline_schemas, profile_of, schemas_of, skills_of};
use super::workflows::{missing, unfit_vars};
use crate::bundle::Bundle;
use crate::definition::check::{chosen, validate_profile};
use crate::definition::model::{
    Assignment, Diagnostic, Path, Severity, Stage, Workflow, roles_of, workflows_of,
};
use crate::definition::read::{PlacedFile, explained_value};
use crate::definition::report::Report;
use crate::ids::{ProfileId, RoleId, StageId, WorkflowId, is_id};
use crate::output_schema::Wrong;
use crate::role::Role;
use crate::suggest::{did_you_mean, nearest};

/// Where what a workflow refers to comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was read from files and checked for this workflow.
    Read,
    /// It was built in Rust, and nothing is known of it.
    Built,
}

/// Fills in what a workflow leaves out, from the assignments first and then from `defaults`, and adds the
/// profiles, roles, schemas and skills that it uses. Also returns all errors and warnings about that; the
/// workflow itself has been checked.
///
/// A stage without a role gets the role with the stage's name, if there is one.
pub(crate) fn assemble(
    workflow: &Workflow,
    defaults: &Defaults,
    library: &Library,
    origin: Origin,
) -> (Bundle, Vec<Diagnostic>) {
    let mut assembly = Assembly {
        library,
        defaults,
        origin,
        problems: Vec::new(),
        filled_in: Vec::new(),
        told: BTreeSet::new(),
        placed: HashMap::new(),
        roles: BTreeSet::new(),
        every_role: false,
        assigned_profiles: BTreeSet::new(),
    };
    assembly.tell("assignments", "workflow");
    assembly.tell("providers", "workflow");
    let mut resolved = workflow.with_defaults().into_owned();
    for (id, stage) in &mut resolved.stages {
        assembly.assign(id, stage, workflow);
    }
    assembly.filled_in.extend(fill_in(&mut resolved, defaults));
    let mut bundle = Bundle::new(resolved);
    assembly.profiles(&mut bundle);
    assembly.roles(&mut bundle);
    assembly.variables(&bundle);
    assembly.schemas(&mut bundle);
    assembly.skills(&mut bundle);
    assembly.workflows(&mut bundle);
    let mut problems = assembly.problems;
    problems.extend(assembly.filled_in);
    (bundle, problems)
}

/// The path of a value below another one, which a JSON pointer names there.
fn inside(path: &str, pointer: &str) -> String {
    let mut path = path.to_owned();
    for key in pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")) {
        path = match key.parse::<usize>() {
            Ok(index) => format!("{path}[{index}]"),
            Err(_) if is_id(&key) => format!("{path}.{key}"),
            Err(_) => format!("{path}[{}]", serde_json::Value::from(key)),
        };
    }
    path
}

struct Assembly<'l> {
    library: &'l Library,
    defaults: &'l Defaults,
    origin: Origin,
    problems: Vec<Diagnostic>,
    /// What is wrong with values that were filled in.
    filled_in: Vec<Diagnostic>,
    /// What was reported already: files, and names that do not exist.
    told: BTreeSet<String>,
    placed: HashMap<String, PlacedFile>,
    roles: BTreeSet<RoleId>,
    /// Whether a role is named by an expression.
    every_role: bool,
    /// The stages whose profile is that of the assignments.
    assigned_profiles: BTreeSet<StageId>,
}

/// The field that refers to something: the file with it, or the workflow's own, and its path there.
#[derive(Clone, Copy)]
struct Field<'f> {
    what: Option<&'f str>,
    path: &'f str,
}

impl Assembly<'_> {
    /// Fills in provider, role and profile of a stage, and checks them where they are not its own.
    fn assign(&mut self, id: &StageId, stage: &mut Stage, workflow: &Workflow) {
        let had = (stage.provider.is_some(), stage.role.is_some(), stage.profile.is_some());
        self.fill_in(id, stage);
        let new = |name: &Option<String>, had: bool| name.clone().filter(|_| !had);
        let (provider, role) = (new(&stage.provider, had.0), new(&stage.role, had.1));
        let profile = new(&stage.profile, had.2);
        let of_stage = (provider.as_deref(), role.as_deref(), profile.as_deref());
        if of_stage != (None, None, None) {
            let mut report = Report::new(None);
            chosen(of_stage, workflow, &Path::Root.key(id.as_str()), &mut report);
            self.filled_in.extend(report.finish());
        }
    }

    fn fill_in(&mut self, id: &StageId, stage: &mut Stage) {
        let nothing = Assignment::default();
        let assigned = self.library.assignments.stages.get(id).unwrap_or(&nothing);
        let default = self.defaults.assignments.stages.get(id).unwrap_or(&nothing);
        let named = stage.provider.is_some() || !stage.providers.is_empty();
        if stage.profile.is_none() && assigned.profile.is_some() {
            self.assigned_profiles.insert(id.clone());
        }
        let is_there = |profile: &String| self.has_profile(id, profile);
        let default_profile = default.profile.clone().filter(is_there);
        stage.profile = stage.profile.take().or_else(|| assigned.profile.clone()).or(default_profile);
        self.drop_own_name(id, &mut stage.role, "role");
        for (n, lane) in stage.providers.iter_mut().enumerate() {
            self.drop_own_name(id, &mut lane.role, &format!("providers[{n}].role"));
        }
        if stage.role.is_some() {
            self.use_role(stage.role.as_deref(), Field { what: None, path: &format!("{id}.role") });
        } else if let Some(role) = &assigned.role {
            self.use_role(Some(role), Field { what: Some("assignments"), path: &format!("{id}.role") });
            stage.role = Some(role.clone());
        } else {
            let named = [default.role.as_deref(), Some(id.as_str())].into_iter().flatten();
            let found = named.filter_map(|role| RoleId::new(role).ok()).find(|role| self.has_role(role));
            if let Some(role) = found {
                // A role that exists and cannot be used must not be left out silently.
                self.use_role(Some(role.as_str()), Field { what: None, path: id.as_str() });
                stage.role = Some(role.to_string());
            }
        }
        if !named {
            let of_role =
                || recommended(stage.role.as_deref()?, self.defaults, self.library).map(str::to_owned);
            stage.provider = assigned.provider.clone().or_else(of_role).or_else(|| default.provider.clone());
        }
        for (n, lane) in stage.providers.iter().enumerate() {
            let path = format!("{id}.providers[{n}].role");
            self.use_role(lane.role.as_deref(), Field { what: None, path: &path });
        }
    }

    /// Takes a role that is called like its stage for one that was left out, where there is none of that name:
    /// editors fill it in.
    fn drop_own_name(&mut self, id: &StageId, role: &mut Option<String>, field: &str) {
        let is_own = role.as_deref() == Some(id.as_str());
        if !is_own || RoleId::new(id.as_str()).is_ok_and(|role| self.has_role(&role)) {
            return;
        }
        *role = None;
        let message = format!("there is no role `{id}`: this is read as if it were left out");
        self.problems.push(Diagnostic::warning("missing-role", format!("{id}.{field}"), message));
    }

    fn has_profile(&self, stage: &StageId, profile: &str) -> bool {
        let known = |id| self.library.profiles.contains_key(&(stage.clone(), id));
        ProfileId::new(profile).is_ok_and(known)
            || self.has_problem(format_args!("profile {stage}.{profile}"))
    }

    /// Whether there is such a role, also where it cannot be used.
    fn has_role(&self, role: &RoleId) -> bool {
        self.role(role).is_some() || self.has_problem(format_args!("role {role}"))
    }

    fn has_problem(&self, what: std::fmt::Arguments<'_>) -> bool {
        !self.library.problems.is_empty() && self.library.problems.contains_key(&what.to_string())
    }

    fn role(&self, id: &RoleId) -> Option<&Role> {
        role(id, self.defaults, self.library)
    }

    fn use_role(&mut self, role: Option<&str>, field: Field<'_>) {
        let Some(role) = role.filter(|role| *role != "${stage.role}") else { return };
        if role.contains("${") {
            self.every_role = true;
            return;
        }
        let is_broken = self.tell(&format!("role {role}"), field.path);
        match RoleId::new(role).ok().filter(|role| self.role(role).is_some()) {
            Some(role) => drop(self.roles.insert(role)),
            None if is_broken || !self.told.insert(format!("no role {role}")) => {}
            None => {
                let known = self.library.known_roles.iter().map(String::as_str);
                let known = known.chain(self.library.roles.keys().map(RoleId::as_str));
                let known = known.chain(self.defaults.roles.keys().map(RoleId::as_str));
                let told = did_you_mean(role, known.clone());
                let near = nearest(role, known).map(str::to_owned);
                let message = format!("there is no role `{role}`: write the file `roles/{role}.md`{told}");
                self.report_with(Severity::Error, "missing-role", field, message, near.as_deref());
            }
        }
    }

    /// Reports the errors and warnings of a file, once, and returns whether it cannot be used.
    fn tell(&mut self, what: &str, path: &str) -> bool {
        let Some(problems) = self.library.problems.get(what) else { return false };
        if self.told.insert(what.to_owned()) {
            let at = |problem: &Diagnostic| match problem.file {
                Some(_) => problem.clone(),
                None => Diagnostic { path: path.to_owned(), ..problem.clone() },
            };
            self.problems.extend(problems.iter().map(at));
            // A role that cannot be used refers to nothing: what is wrong with its schema is said with it.
            if let Some(schema) = self.library.broken.get(what) {
                self.tell(&format!("schema {schema}"), path);
            }
        }
        problems.iter().any(Diagnostic::is_error)
    }

    /// Reports a problem of a field, in the file that contains it.
    fn report(&mut self, severity: Severity, code: &'static str, field: Field<'_>, message: String) {
        self.report_with(severity, code, field, message, None);
    }

    /// The same with what to write there instead, where that is known.
    fn report_with(
        &mut self,
        severity: Severity,
        code: &'static str,
        field: Field<'_>,
        message: String,
        near: Option<&str>,
    ) {
        let (what, path) = match field.what.map(|what| self.library.written_in(what, field.path)) {
            Some((what, path)) => (Some(what), path),
            None => (None, field.path.into()),
        };
        let problem = Diagnostic { severity, ..Diagnostic::error(code, &*path, message) }.with_near(near);
        let file = what.and_then(|what| Some((what, self.library.files.get(what)?)));
        self.problems.push(match (file, what) {
            (Some((what, file)), _) => {
                let placed =
                    self.placed.entry(what.to_owned()).or_insert_with(|| PlacedFile::read(&file.text));
                let (line, column) = placed.place(&path);
                problem.at(line, column).in_file(&*file.origin)
            }
            // Of a library that was built in Rust.
            (None, Some(what)) if what != "assignments" => problem.in_file(what),
            (None, _) => problem,
        });
    }

    fn profiles(&mut self, bundle: &mut Bundle) {
        let mut profiles = IndexMap::new();
        for (id, stage) in &bundle.workflow.stages {
            let name = stage.profile.as_deref().unwrap_or("simple");
            if name == "simple" && self.library.profiles.is_empty() && self.library.problems.is_empty() {
                continue;
            }
            let what = profile_of(bundle, id.as_str());
            let Ok(profile_id) = ProfileId::new(name) else { continue };
            let path = format!("{id}.profile");
            let is_broken = self.tell(&what, &path);
            match self.library.profiles.get(&(id.clone(), profile_id)) {
                Some(profile) => {
                    for (path, role) in roles_of(profile) {
                        self.use_role(Some(role), Field { what: Some(&what), path: &path });
                    }
                    if self.origin == Origin::Built {
                        for problem in validate_profile(profile, Some(&bundle.workflow)) {
                            let field = Field { what: Some(&what), path: &problem.path };
                            self.report(problem.severity, problem.code, field, problem.message.clone());
                        }
                    }
                    if bundle.workflow.finally.contains(id) {
                        for problem in unfit_for_finally(profile) {
                            let field = Field { what: Some(&what), path: &problem.path };
                            self.report(problem.severity, problem.code, field, problem.message.clone());
                        }
                    }
                    self.problems.extend(own_fields(id, stage));
                    profiles.insert(id.clone(), profile.clone());
                }
                None if is_broken || name == "simple" => {}
                None => {
                    let known = self.library.profiles.keys().filter(|(stage, _)| stage == id);
                    let known = known.map(|(_, profile)| profile.as_str());
                    let told = did_you_mean(name, known.clone());
                    let near = nearest(name, known).map(str::to_owned);
                    let message = format!(
                        "there is no profile `{name}` for `{id}`: write the file `workflows/stages/{id}.{name}.yml`{told}"
                    );
                    let what = self.assigned_profiles.contains(id).then_some("assignments");
                    let field = Field { what, path: &path };
                    self.report_with(Severity::Error, "missing-profile", field, message, near.as_deref());
                }
            }
        }
        bundle.profiles = profiles;
    }

    fn roles(&mut self, bundle: &mut Bundle) {
        let all: BTreeMap<_, _> = self.defaults.roles.iter().chain(&self.library.roles).collect();
        let used = all.into_iter().filter(|(id, _)| self.every_role || self.roles.contains(*id));
        bundle.roles = used.map(|(id, role)| (id.clone(), role.clone())).collect();
        for role in bundle.roles.values() {
            if self.origin == Origin::Built || !self.library.roles.contains_key(&role.id) {
                self.problems.extend(problems_of_role(role));
            }
        }
    }

    /// Reports variables that the workflow neither declares nor writes.
    fn variables(&mut self, bundle: &Bundle) {
        for found in undeclared(bundle, &self.roles) {
            let field = Field { what: found.what.as_deref(), path: &found.path };
            self.report(Severity::Error, "unknown-name", field, found.message);
        }
    }

    fn schemas(&mut self, bundle: &mut Bundle) {
        let mut open = schemas_of(bundle, &self.roles);
        // Those that are needed come off first: of the others nothing is said.
        open.sort_by_key(|named| named.is_needed);
        while let Some(Named { what, path, name, is_needed }) = open.pop() {
            if bundle.schemas.contains_key(&name) {
                continue;
            }
            let field = Field { what: what.as_deref(), path: &path };
            if is_needed && self.tell(&format!("schema {name}"), &path) {
                continue;
            }
            let schema = self.library.schemas.get(&name).or_else(|| self.defaults.schemas.get(&name));
            let Some(schema) = schema else {
                if is_needed && self.told.insert(format!("no schema {name}")) {
                    let message = format!("there is no schema file `{name}` in the home");
                    self.report(Severity::Error, "missing-schema", field, message);
                }
                continue;
            };
            match crate::output_schema::references(&name, schema) {
                Ok(more) => open.extend(more.into_iter().map(|name| Named {
                    what: what.clone(),
                    path: path.clone(),
                    name,
                    is_needed,
                })),
                Err(_) if !is_needed => {}
                Err(error) => self.report(Severity::Error, "bad-schema", field, error.to_string()),
            }
            bundle.schemas.insert(name, schema.clone());
        }
        bundle.schemas.sort_keys();
        self.inline_schemas(bundle);
    }

    /// Reports what is wrong with schemas that are written where they are used.
    fn inline_schemas(&mut self, bundle: &Bundle) {
        for (what, path, source) in inline_schemas(bundle) {
            let found = match source.files() {
                Err(error) => vec![error.into()],
                // What is missing was reported.
                Ok(files) if files.iter().any(|file| !bundle.schemas.contains_key(file)) => Vec::new(),
                Ok(_) => source.problems(&bundle.schemas),
            };
            for Wrong { pointer, message } in found {
                let at = inside(&path, &pointer);
                let value = serde_json::to_value(source).ok();
                let value = value.as_ref().and_then(|schema| schema.pointer(&pointer));
                let message = explained_value(&pointer, value, message);
                self.report(
                    Severity::Error,
                    "bad-schema",
                    Field { what: what.as_deref(), path: &at },
                    message,
                );
            }
        }
    }

    /// Adds the workflows that nodes run, and reports what is wrong with them, and with what they are given.
    fn workflows(&mut self, bundle: &mut Bundle) {
        let mut workflows = BTreeMap::new();
        for (stage, profile) in &bundle.profiles {
            let what = profile_of(bundle, stage.as_str());
            for (path, node) in workflows_of(profile) {
                let Ok(id) = WorkflowId::new(&node.workflow) else { continue };
                let found = match (self.library.workflows.get(&id), self.library.unusable.get(&id)) {
                    (Some(child), _) => {
                        workflows.insert(id, child.clone());
                        unfit_vars(node, child)
                    }
                    (None, Some(problem)) => vec![problem.clone()],
                    (None, None) => vec![missing(id.as_str())],
                };
                for problem in found {
                    let path = format!("{path}.{}", problem.path);
                    let field = Field { what: Some(&what), path: &path };
                    let near = problem.replacement.as_deref();
                    self.report_with(problem.severity, problem.code, field, problem.message.clone(), near);
                    if let (Some(reported), Some(rename)) = (self.problems.last_mut(), problem.rename) {
                        reported.rename = Some(rename);
                    }
                }
            }
        }
        bundle.workflows = workflows;
    }

    fn skills(&mut self, bundle: &mut Bundle) {
        for Named { what, path, name, is_needed } in skills_of(bundle) {
            if let Some(skill) = self.library.skills.get(&name) {
                bundle.skills.insert(name, skill.clone());
                continue;
            }
            let problems = self.library.problems.get(&format!("skill {name}"));
            let is_told = self.library.provided_skills.contains(&name)
                || self.told.contains(&format!("no skill {name}"));
            if is_told || !(is_needed || problems.is_some()) {
                continue;
            }
            self.told.insert(format!("no skill {name}"));
            let why = match problems {
                Some(problems) => {
                    let why: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
                    format!("the skill `{name}` cannot be used: {}", why.join("; "))
                }
                None => format!("there is no skill `{name}`"),
            };
            let field = Field { what: what.as_deref(), path: &path };
            self.report(Severity::Warning, "missing-skill", field, format!("{why}: it is left out"));
        }
        bundle.skills.sort_keys();
    }
}
