//! `roles` and `profiles`: what workflows of the home can use.

use workflow_core::definition::Variable;
use workflow_service::parts::{ListProfiles, ListRoles, PartSummary};
use workflow_service::workflows::{PlannedNode, Problem};

use crate::error::Error;
use crate::exit::Exit;
use crate::home::Home;
use crate::host::Host;
use crate::print;
use crate::text::word;

/// Lists the roles of the home.
pub(crate) async fn roles(home: &Home, json: bool) -> Result<Exit, Error> {
    let roles = Host::for_definitions(home)?.ask(ListRoles {}).await?.items;
    let row = |role: &PartSummary| {
        let variables: Vec<_> = role.variables.iter().map(variable).collect();
        let variables = problem(role).unwrap_or_else(|| variables.join("; "));
        [role.id.clone(), role.name.clone().unwrap_or_default(), variables, file(role)]
    };
    let none = format!("roles in {}", home.path.join("roles").display());
    show(json, ["ROLE", "NAME", "VARIABLES", "FILE"], &roles, row, &none)
}

/// A variable in a few words.
fn variable(variable: &Variable) -> String {
    let required = if variable.required { ", required" } else { "" };
    let description = variable.description.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
    format!("{} ({}{required}){description}", variable.name, word(variable.kind))
}

/// Lists the profiles of the home.
pub(crate) async fn profiles(home: &Home, json: bool) -> Result<Exit, Error> {
    let profiles = Host::for_definitions(home)?.ask(ListProfiles {}).await?.items;
    let row = |profile: &PartSummary| {
        let node = |node: &PlannedNode| format!("{} ({})", node.id, node.about());
        let included = profile.include.iter().map(|included| format!("those of {included}"));
        let nodes: Vec<_> = profile.nodes.iter().map(node).chain(included).collect();
        let stage = profile.stage.as_ref().map(ToString::to_string).unwrap_or_default();
        let nodes = problem(profile).unwrap_or_else(|| nodes.join(", "));
        [stage, profile.id.clone(), nodes, file(profile)]
    };
    let none = format!("profiles in {}", home.path.join("workflows/stages").display());
    show(json, ["STAGE", "PROFILE", "NODES", "FILE"], &profiles, row, &none)
}

fn file(part: &PartSummary) -> String {
    part.origin.clone().unwrap_or_default()
}

/// That the part cannot be used, if it has errors.
fn problem(part: &PartSummary) -> Option<String> {
    let error = part.problems.iter().find(|problem| Problem::is_error(problem))?;
    Some(format!("(cannot be used: {error})"))
}

/// Prints the parts below a head, or that there are no `what`.
fn show(
    json: bool,
    head: [&str; 4],
    parts: &[PartSummary],
    row: impl Fn(&PartSummary) -> [String; 4],
    what: &str,
) -> Result<Exit, Error> {
    if json {
        print::objects(parts)?;
    } else if parts.is_empty() {
        print::to_stderr(&format!("no {what}"));
    } else {
        let rows: Vec<_> = std::iter::once(head.map(str::to_owned)).chain(parts.iter().map(row)).collect();
        print::lines(print::table(&rows))?;
    }
    Ok(Exit::DONE)
}
