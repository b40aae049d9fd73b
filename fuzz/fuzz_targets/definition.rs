//! Any bytes as a workflow file: parsed, checked, resolved, compiled, written and edited; and as each of the
//! files that a workflow refers to.
//!
//! `cargo fuzz run --sanitizer none definition -- -max_total_time=20 -dict=fuzz/definition.dict`

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::definition::{self, Defaults, Diagnostic, Profile, Role, edit};
use workflow_core::output_schema::OutputSchema;
use workflow_core::plan::Plan;
use workflow_core::role::RoleTemplate;

fuzz_target!(|text: &[u8]| {
    workflow(text);
    profile(text);
    role(text);
    schema(text);
    let parsed = definition::parse_assignments(text);
    assert_eq!(has_errors(&parsed.diagnostics), parsed.assignments.is_none());
    let parsed = definition::parse_providers(text);
    assert_eq!(has_errors(&parsed.diagnostics), parsed.settings.is_none());
    let parsed = definition::parse_notifications(text);
    assert_eq!(has_errors(&parsed.diagnostics), parsed.notifications.is_none());
});

fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}

fn workflow(text: &[u8]) {
    let parsed = definition::parse(text, None);
    assert_eq!(has_errors(&parsed.diagnostics), parsed.workflow.is_none());

    if let Some(workflow) = parsed.workflow {
        assert!(!has_errors(&definition::validate(&workflow)));
        let written = workflow.to_yaml().expect("what was read can be written");
        let again = definition::parse(written.as_bytes(), None).workflow;
        assert_eq!(again.as_ref(), Some(&workflow), "{written}");

        let defaults = Defaults { provider: Some("codex".to_owned()), ..Defaults::default() };
        if let Ok(resolved) = definition::resolve(&workflow, &defaults) {
            // A profile or a role that it names is missing here.
            let _ = Plan::load(Bundle::new(resolved));
        }
    }
    if let Ok(text) = std::str::from_utf8(text) {
        for path in ["plan", "plan.provider", "workflow.loop.max_iters", "plan.providers[0].role"] {
            // Both parse their own result again.
            let _ = edit::set_field(text, path, &"new: value".into());
            let _ = edit::remove_field(text, path);
        }
    }
}

fn profile(text: &[u8]) {
    let parsed = definition::parse_profile(text, None);
    assert_eq!(has_errors(&parsed.diagnostics), parsed.profile.is_none());
    let Some(profile) = parsed.profile else { return };
    assert!(!has_errors(&definition::validate_profile(&profile, None)));
    let written = serde_json::to_string(&profile).expect("what was read can be written");
    let again: Profile = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, profile, "{written}");
}

fn role(text: &[u8]) {
    let parsed = definition::parse_role(text, None);
    assert_eq!(has_errors(&parsed.diagnostics), parsed.role.is_none());
    let bare = std::str::from_utf8(text).map(|text| Role::new("fuzz".parse().expect("an id"), text));
    for role in parsed.role.into_iter().chain(bare.ok()) {
        let written = serde_json::to_string(&role).expect("what was read can be written");
        let again: Role = serde_json::from_str(&written).expect("what was written can be read");
        assert_eq!(again, role, "{written}");
        if let Ok(template) = RoleTemplate::compile(&role, ["plan"]) {
            let _ = template.render(context(&role));
        }
    }
}

/// Small values, with an empty one for each name that the role declares.
fn context(role: &Role) -> Value {
    let value = json!([{ "a": "b", "xs": [1, "{{x}}"] }, "${x}", null, true]);
    let mut context = json!({
        "guards": [], "inputs": value, "item": value, "iteration": 1, "nodes": {}, "plan": "a plan", "run": {},
        "stage": {}, "stages": {}, "vars": { "a": value, "b": { "c": value } },
    });
    for variable in &role.variables {
        context[variable.name.as_str()] = variable.kind.empty();
    }
    context
}

fn schema(text: &[u8]) {
    let Ok(schema) = definition::read_schema(text) else { return };
    let schemas = [("fuzz.json".to_owned(), schema)].into();
    let found = definition::check_schema("fuzz.json", text, &schemas);
    if let Ok(schema) = OutputSchema::compile("fuzz.json", &schemas) {
        assert!(found.is_empty(), "{found:?}");
        let _ = schema.check(&json!({ "a": [1, "b", null] }));
    }
}
