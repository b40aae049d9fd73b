//! `roles` and `profiles`: what workflows of the home can use.

use serde_json::json;
use workflow_core::catalog::{Catalog as _, CatalogError, Part, PartKind};
use workflow_core::definition::{Diagnostic, GraphNode, Profile, Role, Variable, parse_profile, parse_role};
use workflow_core::ids::{ProfileId, RoleId, StageId};

use super::nodes::{kind, type_of};
use crate::error::Error;
use crate::exit::Exit;
use crate::home::Home;
use crate::host::Host;
use crate::print;
use crate::text::word;

/// The content of a file, or why it cannot be used.
type Content<T> = Result<T, String>;

/// Lists the roles of the home.
pub(crate) async fn roles(home: &Home, json: bool) -> Result<Exit, Error> {
    let host = Host::for_definitions(home)?;
    let mut rows = vec![["ROLE", "NAME", "VARIABLES", "FILE"].map(str::to_owned)];
    for part in host.catalog.parts(PartKind::Roles).await? {
        let Part::Role(id) = &part else { continue };
        let read = |text: &str| {
            let parsed = parse_role(text.as_bytes(), Some(id));
            usable(parsed.role, &parsed.diagnostics)
        };
        let Some((file, role)) = content(&host, &part, read).await? else { continue };
        if json {
            print::json(&role_object(id, &file, role))?;
        } else {
            rows.push(role_row(id, file, role));
        }
    }
    finish(json, &rows, &format!("roles in {}", home.path.join("roles").display()))
}

fn role_object(id: &RoleId, file: &str, role: Content<Role>) -> serde_json::Value {
    let (role, problem) = apart(role);
    json!({
        "id": id,
        "name": role.as_ref().map(|role| &role.name),
        "variables": role.as_ref().map(|role| &role.variables),
        "recommendedProvider": role.as_ref().map(|role| &role.recommended_provider),
        "file": file,
        "problem": problem,
    })
}

fn role_row(id: &RoleId, file: String, role: Content<Role>) -> [String; 4] {
    let (name, variables) = match role {
        Ok(role) => {
            let variables: Vec<_> = role.variables.iter().map(variable).collect();
            (role.name.unwrap_or_default(), variables.join("; "))
        }
        Err(problem) => (String::new(), cannot_be_used(&problem)),
    };
    [id.to_string(), name, variables, file]
}

/// A variable in a few words.
fn variable(variable: &Variable) -> String {
    let required = if variable.required { ", required" } else { "" };
    let description = variable.description.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
    format!("{} ({}{required}){description}", variable.name, word(variable.kind))
}

/// Lists the profiles of the home.
pub(crate) async fn profiles(home: &Home, json: bool) -> Result<Exit, Error> {
    let host = Host::for_definitions(home)?;
    let mut rows = vec![["STAGE", "PROFILE", "NODES", "FILE"].map(str::to_owned)];
    for part in host.catalog.parts(PartKind::Profiles).await? {
        let Part::Profile(stage, id) = &part else { continue };
        let read = |text: &str| {
            let parsed = parse_profile(text.as_bytes(), None);
            usable(parsed.profile, &parsed.diagnostics)
        };
        let Some((file, profile)) = content(&host, &part, read).await? else { continue };
        if json {
            print::json(&profile_object(stage, id, &file, profile))?;
        } else {
            rows.push(profile_row(stage, id, file, profile));
        }
    }
    finish(json, &rows, &format!("profiles in {}", home.path.join("workflows/stages").display()))
}

fn profile_object(
    stage: &StageId,
    id: &ProfileId,
    file: &str,
    profile: Content<Profile>,
) -> serde_json::Value {
    let (profile, problem) = apart(profile);
    let node = |node: &GraphNode| json!({ "id": node.id, "type": type_of(&node.node) });
    json!({
        "stage": stage,
        "profile": id,
        "name": profile.as_ref().map(|profile| &profile.name),
        "description": profile.as_ref().map(|profile| &profile.description),
        "nodes": profile.as_ref().map(|profile| profile.graph.iter().map(node).collect::<Vec<_>>()),
        "file": file,
        "problem": problem,
    })
}

fn profile_row(stage: &StageId, id: &ProfileId, file: String, profile: Content<Profile>) -> [String; 4] {
    let nodes = match profile {
        Ok(profile) => {
            let node = |node: &GraphNode| format!("{} ({})", node.id, kind(&node.node));
            profile.graph.iter().map(node).collect::<Vec<_>>().join(", ")
        }
        Err(problem) => cannot_be_used(&problem),
    };
    [stage.to_string(), id.to_string(), nodes, file]
}

/// The file of a part and its content; `None` when it was deleted meanwhile.
async fn content<T>(
    host: &Host,
    part: &Part,
    read: impl FnOnce(&str) -> Content<T>,
) -> Result<Option<(String, Content<T>)>, Error> {
    match host.catalog.part(part).await {
        Ok(text) => Ok(text.map(|text| (text.origin, read(&text.text)))),
        // The other parts are listed all the same.
        Err(CatalogError::Invalid(problem)) => Ok(Some((String::new(), Err(problem)))),
        Err(error) => Err(error.into()),
    }
}

fn usable<T>(content: Option<T>, diagnostics: &[Diagnostic]) -> Content<T> {
    match (content, diagnostics.iter().find(|diagnostic| diagnostic.is_error())) {
        (Some(content), None) => Ok(content),
        (_, error) => Err(error.map(ToString::to_string).unwrap_or_default()),
    }
}

fn apart<T>(content: Content<T>) -> (Option<T>, Option<String>) {
    match content {
        Ok(content) => (Some(content), None),
        Err(problem) => (None, Some(problem)),
    }
}

fn cannot_be_used(problem: &str) -> String {
    format!("(cannot be used: {problem})")
}

/// Prints the rows below the head, or that there are no `what`.
fn finish(json: bool, rows: &[[String; 4]], what: &str) -> Result<Exit, Error> {
    if rows.len() > 1 {
        print::lines(print::table(rows))?;
    } else if !json {
        print::to_stderr(&format!("no {what}"));
    }
    Ok(Exit::DONE)
}
