//! What a workflow may refer to.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::defaults::Defaults;
use super::named::schema_in;
use crate::bundle::{Bundle, Skill};
use crate::definition::model::{Assignments, Diagnostic, Flat, Profile, ProviderSettings, Stage, Workflow};
use crate::definition::read::PlacedFile;
use crate::ids::{ProfileId, RoleId, StageId, WorkflowId};
use crate::role::Role;

/// The roles, profiles, schemas and skills that a workflow may refer to, as far as they were looked for.
///
/// Files are called by what they are: `role reviewer`, `profile plan.gate`, `schema x.json`, `skill x`,
/// `assignments`, `providers`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Library {
    /// What stages have that say nothing.
    pub assignments: Assignments,
    /// What names of providers stand for.
    pub providers: ProviderSettings,
    /// Profiles, by stage and id.
    pub profiles: BTreeMap<(StageId, ProfileId), Profile>,
    /// Roles.
    pub roles: BTreeMap<RoleId, Role>,
    /// Schemas, by their file names in the home.
    pub schemas: BTreeMap<String, Value>,
    /// Skills, by name.
    pub skills: BTreeMap<String, Skill>,
    /// The workflows that nodes run, put together.
    pub workflows: BTreeMap<WorkflowId, Arc<Bundle>>,
    /// Why workflows that nodes run cannot be used.
    pub unusable: BTreeMap<WorkflowId, Diagnostic>,
    /// Names of skills that a provider has by itself.
    pub provided_skills: BTreeSet<String>,
    /// The names of all roles that there are, for suggestions.
    pub known_roles: BTreeSet<String>,
    /// The files that were read, so that later problems can be reported at their places in them.
    pub files: BTreeMap<String, SourceFile>,
    /// The errors and warnings of each file. Without a [file](Diagnostic::file) it is reported at the field
    /// that refers to it.
    pub problems: BTreeMap<String, Vec<Diagnostic>>,
    /// Roles with errors, and the schemas that they name.
    pub(crate) broken: BTreeMap<String, String>,
    /// Where the nodes of a profile are written that includes others: the place of the first node of each file.
    pub(crate) included: BTreeMap<String, Vec<(usize, String)>>,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name, for diagnostics.
    pub origin: String,
    /// Its text.
    pub text: String,
}

impl Library {
    /// A problem of the field at a path of one of the files, at its place there; none when that was not read.
    pub fn in_file(&self, what: &str, mut problem: Diagnostic) -> Option<Diagnostic> {
        let (what, path) = self.written_in(what, &problem.path);
        let file = self.files.get(what)?;
        problem.path = path.into_owned();
        let (line, column) = PlacedFile::read(&file.text).place(&problem.path);
        Some(problem.at(line, column).in_file(&*file.origin))
    }

    /// The file in which a field of one stands, and its path there: others than those given for a node that a profile
    /// includes.
    pub(crate) fn written_in<'f>(&'f self, what: &'f str, path: &'f str) -> (&'f str, Cow<'f, str>) {
        let of_included = || {
            let files = self.included.get(what)?;
            let (place, rest) = path.strip_prefix("graph[")?.split_once(']')?;
            let place = place.parse::<usize>().ok()?;
            let (first, file) = files.iter().rev().find(|(first, _)| *first <= place)?;
            Some((file.as_str(), Cow::from(format!("graph[{}]{rest}", place - first))))
        };
        of_included().unwrap_or((what, Cow::from(path)))
    }
}

pub(super) fn role<'l>(id: &RoleId, defaults: &'l Defaults, library: &'l Library) -> Option<&'l Role> {
    library.roles.get(id).or_else(|| {
        // The text of the key is made where there is any problem, and mostly there is none.
        let is_broken =
            || !library.problems.is_empty() && library.problems.contains_key(&format!("role {id}"));
        defaults.roles.get(id).filter(|_| !is_broken())
    })
}

/// The provider that a role recommends. One that does not exist counts only if there is no default either.
pub(super) fn recommended<'l>(role: &str, defaults: &'l Defaults, library: &'l Library) -> Option<&'l str> {
    let role = self::role(&RoleId::new(role).ok()?, defaults, library)?;
    let provider = role.recommended_provider.as_deref().filter(|provider| !provider.is_empty())?;
    let is_there = library.providers.get(provider).is_some()
        || defaults.providers.as_ref().is_none_or(|known| known.contains(provider));
    (is_there || defaults.provider.is_none()).then_some(provider)
}

/// The provider that the role of a stage recommends, where the stage and the assignments of the home name none. The
/// stage's role is its own, or that of the assignments, of `defaults`, or the one that is called like it.
pub fn recommended_provider<'l>(
    id: &StageId,
    stage: &'l Stage,
    defaults: &'l Defaults,
    library: &'l Library,
) -> Option<&'l str> {
    let has = |name: &str| RoleId::new(name).is_ok_and(|id| role(&id, defaults, library).is_some());
    let of = |assignments: &'l Assignments| assignments.stages.get(id);
    let assigned = of(&library.assignments);
    if stage.provider.is_some()
        || !stage.providers.is_empty()
        || assigned.is_some_and(|assigned| assigned.provider.is_some())
    {
        return None;
    }
    let own = stage.role.as_deref().filter(|role| *role != id.as_str() || has(role));
    let named = own.or_else(|| assigned?.role.as_deref());
    let default = of(&defaults.assignments).and_then(|default| default.role.as_deref());
    let role =
        named.or_else(|| default.filter(|role| has(role))).map_or_else(|| id.to_string(), str::to_owned);
    recommended(&role, defaults, library)
}

/// The schema files that a workflow, its profiles and its roles name.
pub(crate) fn schemas(workflow: &Workflow, library: &Library) -> Vec<String> {
    let stages = workflow.stages.values().filter_map(|stage| stage.output_schema.as_ref());
    let nodes = library.profiles.values().flat_map(|profile| Flat::of(&profile.graph).nodes());
    let nodes = nodes.filter_map(|(_, node)| Some(schema_in(&node.node, "")?.1));
    let roles = library.roles.values().filter_map(|role| role.output_schema.as_deref());
    // What is wrong with a reference is said when the workflow is put together.
    let files = stages.chain(nodes).flat_map(|source| source.files().unwrap_or_default());
    let names: BTreeSet<_> = files.chain(roles.map(str::to_owned)).collect();
    names.into_iter().collect()
}
