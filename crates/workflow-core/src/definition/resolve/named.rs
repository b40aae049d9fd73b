//! The schemas and skills that a bundle names, each with the file and the field that names it.

use std::collections::BTreeSet;

use crate::bundle::Bundle;
use crate::definition::model::{Flat, Node, SchemaSource, call_of};
use crate::ids::RoleId;

/// What a bundle names.
pub(crate) struct Named {
    /// The file with the field, as [`Library`](super::library::Library) calls it; none: the workflow's.
    pub what: Option<String>,
    /// The path of the field in its file.
    pub path: String,
    pub name: String,
    /// Whether it is known to be used. A role that only an expression could name may be for other workflows.
    pub is_needed: bool,
}

impl Named {
    fn new(what: Option<&str>, path: String, name: &str) -> Self {
        Self { what: what.map(str::to_owned), path, name: name.to_owned(), is_needed: true }
    }

    /// The same, where a role names it.
    fn in_role(role: &RoleId, key: &str, name: &str, used: &BTreeSet<RoleId>) -> Self {
        let is_needed = used.contains(role);
        Self { is_needed, ..Self::new(Some(&format!("role {role}")), key.to_owned(), name) }
    }
}

/// The profile of a stage, as a library calls it.
pub(crate) fn profile_of(bundle: &Bundle, stage: &str) -> String {
    let profile = bundle.workflow.stages.get(stage).and_then(|stage| stage.profile.as_deref());
    format!("profile {stage}.{}", profile.unwrap_or("simple"))
}

/// The schemas that a bundle names.
pub(crate) fn schemas_of(bundle: &Bundle, used: &BTreeSet<RoleId>) -> Vec<Named> {
    let mut found = Vec::new();
    for (id, stage) in &bundle.workflow.stages {
        for name in stage.output_schema.iter().flat_map(|source| source.files().unwrap_or_default()) {
            found.push(Named::new(None, format!("{id}.output_schema"), &name));
        }
    }
    for (id, profile) in &bundle.profiles {
        let what = profile_of(bundle, id.as_str());
        for (path, node) in Flat::of(&profile.graph).nodes() {
            let Some((path, source)) = schema_in(&node.node, &path) else { continue };
            let names = source.files().unwrap_or_default();
            found.extend(names.iter().map(|name| Named::new(Some(&what), path.clone(), name)));
        }
    }
    for role in bundle.roles.values() {
        let name = role.output_schema.as_deref();
        found.extend(name.map(|name| Named::in_role(&role.id, "output_schema", name, used)));
    }
    found
}

/// The schema that a node names, with the path of its field.
pub(crate) fn schema_in<'n>(node: &'n Node, path: &str) -> Option<(String, &'n SchemaSource)> {
    let source = match node {
        Node::Run(run) => run.output_schema.as_ref(),
        Node::Reduce(reduce) => reduce.run.output_schema.as_ref(),
        Node::Export(export) => export.output_schema.as_ref(),
        Node::Ask(ask) => ask.output_schema.as_ref(),
        Node::Foreach(foreach) => return schema_in(&foreach.run, &format!("{path}.run")),
        // The nodes in its body have theirs.
        Node::Loop(_)
        | Node::Graph(_)
        | Node::Branch(_)
        | Node::Set(_)
        | Node::Wait(_)
        | Node::End(_)
        | Node::Workflow(_) => None,
    };
    Some((format!("{path}.output_schema"), source?))
}

/// The schemas that are written in a workflow and its profiles: each with its file and its path, as in [`Named`].
pub(crate) fn inline_schemas(bundle: &Bundle) -> Vec<(Option<String>, String, &SchemaSource)> {
    let mut found = Vec::new();
    for (id, stage) in &bundle.workflow.stages {
        found.extend(stage.output_schema.iter().map(|source| (None, format!("{id}.output_schema"), source)));
    }
    for (id, profile) in &bundle.profiles {
        let what = profile_of(bundle, id.as_str());
        for (path, node) in Flat::of(&profile.graph).nodes() {
            let schema = schema_in(&node.node, &path);
            found.extend(schema.map(|(path, source)| (Some(what.clone()), path, source)));
        }
    }
    found.retain(|(_, _, source)| source.file().is_none());
    found
}

/// The skills that stages and nodes name. What a role names may as well be a tool of the agent: nothing is said
/// of one that is not a skill.
pub(crate) fn skills_of(bundle: &Bundle) -> Vec<Named> {
    let mut found = Vec::new();
    for (id, stage) in &bundle.workflow.stages {
        let skills = stage.skills.iter().enumerate();
        found.extend(skills.map(|(n, skill)| Named::new(None, format!("{id}.skills[{n}]"), skill)));
    }
    for (id, profile) in &bundle.profiles {
        let what = profile_of(bundle, id.as_str());
        for (path, node) in Flat::of(&profile.graph).nodes() {
            let Some((path, run)) = call_of(&node.node, path) else { continue };
            let skills = run.skills.iter().enumerate();
            found.extend(
                skills.map(|(n, skill)| Named::new(Some(&what), format!("{path}.skills[{n}]"), skill)),
            );
        }
    }
    for role in bundle.roles.values() {
        let skills = role.skills.iter().map(|skill| Named {
            is_needed: false,
            ..Named::new(Some(&format!("role {}", role.id)), "skills".to_owned(), skill)
        });
        found.extend(skills);
    }
    found
}
