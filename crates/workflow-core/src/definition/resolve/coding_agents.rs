//! The defaults that homes of the desktop app rely on: which agent, role and profile its stages have.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::defaults::Defaults;
use crate::definition::model::{Assignment, Assignments};
use crate::ids::{RoleId, StageId};
use crate::role::Role;

/// What the stages of the app have: stage, role, profile.
const STAGES: [(&str, &str, &str); 6] = [
    ("plan", "planner", "simple"),
    ("code", "coder", "simple"),
    ("test", "tester", "smoke"),
    ("check", "checker", "gate"),
    ("analyze", "planner", "simple"),
    ("review", "checker", "simple"),
];

/// The provider of all of them.
const PROVIDER: &str = "claude-code";

/// The schema of what a checker says: it is what loops end by.
const VERDICT: &str = "coding-agents/verdict.schema.json";

/// What the text of every role says about the run.
const GIVEN: &str = "
{{#if inputs}}
What you work with:
{{#each inputs}}
{{this}}
{{/each}}
{{/if}}
{{#if vars}}
The variables of this run:
{{json vars}}
{{/if}}
";

/// The roles: id, name, text.
const ROLES: [(&str, &str, &str); 5] = [
    (
        "planner",
        "Planner",
        "Plan the work: name the files that have to change and say why. Leave out what was not asked for.
{{#if check}}
The last check was:
{{json check}}
{{/if}}",
    ),
    (
        "coder",
        "Coder",
        "Do the work as it is planned. Change only what the plan names, and leave the project in a state that builds.
{{#if plan}}
The plan:
{{json plan}}
{{/if}}
{{#if check}}
The last check was:
{{json check}}
{{/if}}",
    ),
    (
        "tester",
        "Tester",
        "Test the change: run the tests that exist, write those that are missing, and report what failed.
{{#if code}}
What was done:
{{json code}}
{{/if}}",
    ),
    (
        "checker",
        "Checker",
        "Say whether the work is done: whether it does what the plan says and whether all tests pass. Where it is not
done, list what is missing, and name in `recommended_next_stage` the stage to go back to.
{{#if plan}}
The plan:
{{json plan}}
{{/if}}
{{#if test}}
The tests:
{{json test}}
{{/if}}",
    ),
    ("reviewer", "Reviewer", "Review the work. Say what is wrong, where, and what to do instead."),
];

impl Defaults {
    /// The defaults of the desktop app whose file format this is: the provider `claude-code`, the roles `planner`,
    /// `coder`, `tester`, `checker` and `reviewer`, and what the stages `plan`, `code`, `test`, `check`, `analyze`
    /// and `review` have of them.
    pub fn coding_agents() -> Self {
        let assignment = |(stage, role, profile): (&str, &str, &str)| {
            let assignment = Assignment {
                provider: Some(PROVIDER.to_owned()),
                role: Some(role.to_owned()),
                profile: Some(profile.to_owned()),
            };
            Some((StageId::new(stage).ok()?, assignment))
        };
        let role = |(id, name, text): (&str, &str, &str)| {
            let id = RoleId::new(id).ok()?;
            let mut role = Role::new(id.clone(), format!("{text}\n{GIVEN}"));
            role.name = Some(name.to_owned());
            role.output_schema = (id.as_str() == "checker").then(|| VERDICT.to_owned());
            Some((id, role))
        };
        Self {
            provider: Some(PROVIDER.to_owned()),
            providers: None,
            assignments: Assignments { stages: STAGES.into_iter().filter_map(assignment).collect() },
            roles: ROLES.into_iter().filter_map(role).collect(),
            schemas: BTreeMap::from([(VERDICT.to_owned(), verdict())]),
        }
    }
}

fn verdict() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["done"],
        "properties": {
            "done": { "type": "boolean" },
            "missing": { "type": "array", "items": { "type": "string" } },
            "recommended_next_stage": { "type": "string" }
        },
        "examples": [{ "done": true, "missing": [] }]
    })
}
