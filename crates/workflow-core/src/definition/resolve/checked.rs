//! Bundles that are known to keep all rules.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use super::declared::undeclared;
use super::fill_in::is_plain;
use super::workflows::{missing, unfit_vars};
use crate::bundle::{Bundle, ProviderMap};
use crate::definition::check::{validate, validate_profile, validate_role};
use crate::definition::model::{
    Diagnostic, Diagnostics, Node, OnInterrupt, Profile, ProviderSettings, Stage, call_of, roles_of,
    workflows_of,
};
use crate::ids::{RoleId, StageId};
use crate::role::Role;
use crate::suggest::did_you_mean;

/// A bundle that was checked: its workflow, profiles and roles keep all rules, and it has every profile and role that
/// they name. It is made of a [`Draft`](crate::definition::Draft), or of a bundle that comes from elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedBundle(Arc<Bundle>);

impl CheckedBundle {
    /// One that was assembled of checked parts.
    pub(crate) fn of_checked_parts(bundle: Bundle) -> Self {
        Self(Arc::new(bundle))
    }

    /// Checks a bundle that was stored, or built in Rust.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn check(bundle: impl Into<Arc<Bundle>>) -> Result<Self, Diagnostics> {
        let bundle = bundle.into();
        let mut problems = Diagnostics::from(validate(&bundle.workflow));
        problems.0.extend(self::problems(&bundle));
        if problems.has_errors() { Err(problems) } else { Ok(Self(bundle)) }
    }

    /// The same with other providers; see [`Bundle::with_providers`].
    ///
    /// # Errors
    ///
    /// What is wrong with their names.
    pub fn with_providers(self, map: &ProviderMap) -> Result<Self, Diagnostics> {
        let bundle = Arc::unwrap_or_clone(self.0).with_providers(map);
        if map.iter().all(|(_, name)| is_plain(name)) {
            Ok(Self(Arc::new(bundle)))
        } else {
            Self::check(bundle)
        }
    }

    /// The same with what names of providers stand for, in a run in which `map` replaces some. Also returns warnings.
    pub(crate) fn with_settings(
        self,
        map: &ProviderMap,
        settings: &ProviderSettings,
    ) -> Result<(Self, Vec<Diagnostic>), Diagnostics> {
        if settings.is_empty() {
            return if map.is_empty() {
                Ok((self, Vec::new()))
            } else {
                Ok((self.with_providers(map)?, Vec::new()))
            };
        }
        let (bundle, warnings) = Arc::unwrap_or_clone(self.0).with_settings(map, settings);
        // Options are texts of another file.
        Ok((Self::check(bundle)?, warnings))
    }

    /// The bundle.
    pub fn into_bundle(self) -> Arc<Bundle> {
        self.0
    }
}

impl Deref for CheckedBundle {
    type Target = Bundle;

    fn deref(&self) -> &Bundle {
        &self.0
    }
}

/// The profiles and roles that are named and missing, and what is wrong with those that are there.
fn problems(bundle: &Bundle) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (id, stage) in &bundle.workflow.stages {
        let profile = stage.profile.as_deref().unwrap_or("simple");
        if profile != "simple" && !bundle.profiles.contains_key(id) {
            let message = format!("there is no profile `{profile}` for the stage `{id}`");
            problems.push(Diagnostic::error("missing-profile", format!("{id}.profile"), message));
        }
        for (n, lane) in stage.providers.iter().enumerate() {
            problems
                .extend(missing_role(bundle, lane.role.as_deref(), || format!("{id}.providers[{n}].role")));
        }
        if bundle.profiles.contains_key(id) {
            problems.extend(own_fields(id, stage));
        }
    }
    for (stage, profile) in &bundle.profiles {
        if !profile.include.is_empty() {
            let message =
                "the nodes of the profiles that it includes are not in its `graph`: a draft adds them";
            problems.push(Diagnostic::error("missing-profile", format!("{stage}: include"), message));
        }
        let found = validate_profile(profile, Some(&bundle.workflow));
        problems.extend(found.into_iter().map(|mut problem| {
            problem.path = format!("{stage}: {}", problem.path);
            problem
        }));
        if bundle.workflow.finally.contains(stage) {
            problems.extend(unfit_for_finally(profile).into_iter().map(|mut problem| {
                problem.path = format!("{stage}: {}", problem.path);
                problem
            }));
        }
        for (path, node) in workflows_of(profile) {
            let found = match bundle.workflows.get(node.workflow.as_str()) {
                Some(child) => unfit_vars(node, child),
                None => vec![missing(&node.workflow)],
            };
            problems.extend(found.into_iter().map(|mut problem| {
                problem.path = format!("{stage}: {path}.{}", problem.path);
                problem
            }));
        }
        for (path, role) in roles_of(profile) {
            problems.extend(missing_role(bundle, Some(role), || format!("{stage}: {path}")));
        }
    }
    for role in bundle.roles.values() {
        problems.extend(problems_of_role(role));
    }
    // Which of the roles are used was known when the bundle was put together.
    problems.extend(undeclared(bundle, &BTreeSet::new()).into_iter().map(|found| {
        let path = found.what.map_or(found.path.clone(), |what| format!("{what}: {}", found.path));
        Diagnostic::error("unknown-name", path, found.message)
    }));
    problems
}

/// The fields of a stage's providers that only a stage without a graph can have.
pub(super) fn own_fields(id: &StageId, stage: &Stage) -> Vec<Diagnostic> {
    let profile = stage.profile.as_deref().unwrap_or("simple");
    let lanes = stage.providers.iter().enumerate();
    let found = lanes.flat_map(|(n, lane)| {
        lane.own_fields().map(move |field| {
            let message = format!(
                "`{field}` of a provider is for stages without a graph: write it on the nodes of the \
                 profile `{profile}`"
            );
            Diagnostic::error("conflicting-fields", format!("{id}.providers[{n}].{field}"), message)
        })
    });
    found.collect()
}

/// What the nodes of a profile do that a stage of `finally` cannot do. The paths are those in the profile.
pub(super) fn unfit_for_finally(profile: &Profile) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut refuse = |path: String, message: String| {
        found.push(Diagnostic::error("conflicting-fields", path, message));
    };
    let waits = "a stage of `finally` does not wait for a person, as its time is limited";
    for (path, _) in workflows_of(profile) {
        let message =
            "a stage of `finally` runs no other workflow, as its time is limited: leave the node out";
        refuse(format!("{path}.type"), message.to_owned());
    }
    for (n, node) in profile.graph.iter().enumerate() {
        let mut path = format!("graph[{n}]");
        let mut inner = &node.node;
        while let Node::Foreach(foreach) = inner {
            inner = &foreach.run;
            path.push_str(".run");
        }
        match inner {
            Node::Ask(_) => {
                refuse(format!("{path}.type"), format!("{waits}: leave the node `{}` out", node.id));
            }
            Node::Wait(_) => {
                let message = "a stage of `finally` does not wait, as its time is limited: leave the node";
                refuse(format!("{path}.type"), format!("{message} `{}` out", node.id));
            }
            Node::End(_) => {
                let message = "a stage of `finally` runs when the run ends anyway: leave the node";
                refuse(format!("{path}.type"), format!("{message} `{}` out", node.id));
            }
            _ => {}
        }
        let Some((_, call)) = call_of(inner, String::new()) else { continue };
        for (is_there, key) in [
            (call.approval.is_some(), "approval"),
            (call.on_interrupt == Some(OnInterrupt::Ask), "on_interrupt"),
        ] {
            if is_there {
                refuse(format!("{path}.{key}"), format!("{waits}: leave `{key}` out"));
            }
        }
    }
    found
}

/// What is wrong with a role that no file was read for.
pub(super) fn problems_of_role(role: &Role) -> Vec<Diagnostic> {
    let mut problems = validate_role(role);
    for problem in &mut problems {
        problem.path = format!("roles/{}: {}", role.id, problem.path);
    }
    problems
}

fn missing_role(bundle: &Bundle, role: Option<&str>, path: impl Fn() -> String) -> Option<Diagnostic> {
    let role = role.filter(|role| !role.contains("${") && !bundle.roles.contains_key(*role))?;
    let near = did_you_mean(role, bundle.roles.values().map(|Role { id, .. }| RoleId::as_str(id)));
    let message = format!("there is no role `{role}`{near}");
    Some(Diagnostic::error("missing-role", path(), message))
}
