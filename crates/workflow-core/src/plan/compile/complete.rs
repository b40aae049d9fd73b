//! Whether a bundle has all that it refers to.

use crate::bundle::Bundle;
use crate::definition::{self, Diagnostic, Role};
use crate::ids::RoleId;

/// The profiles and roles that are named and missing, and what is wrong with those that are there.
pub(super) fn problems(bundle: &Bundle) -> Vec<Diagnostic> {
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
            if bundle.profiles.contains_key(id) {
                problems.extend(lane.own_fields().map(|field| {
                    let message = format!(
                        "`{field}` of a provider is for stages without a graph: write it on the nodes of the \
                         profile `{profile}`"
                    );
                    Diagnostic::error("conflicting-fields", format!("{id}.providers[{n}].{field}"), message)
                }));
            }
        }
    }
    for (stage, profile) in &bundle.profiles {
        let found = definition::validate_profile(profile, Some(&bundle.workflow));
        problems.extend(found.into_iter().map(|mut problem| {
            problem.path = format!("{stage}: {}", problem.path);
            problem
        }));
        for (path, role) in definition::roles_of(profile) {
            problems.extend(missing_role(bundle, Some(role), || format!("{stage}: {path}")));
        }
    }
    for role in bundle.roles.values() {
        problems.extend(definition::validate_role(role).into_iter().map(|mut problem| {
            problem.path = format!("roles/{}: {}", role.id, problem.path);
            problem
        }));
    }
    problems
}

fn missing_role(bundle: &Bundle, role: Option<&str>, path: impl Fn() -> String) -> Option<Diagnostic> {
    let role = role.filter(|role| !role.contains("${") && !bundle.roles.contains_key(*role))?;
    let near =
        definition::did_you_mean(role, bundle.roles.values().map(|Role { id, .. }| RoleId::as_str(id)));
    let message = format!("there is no role `{role}`{near}");
    Some(Diagnostic::error("missing-role", path(), message))
}
