//! Files that definitions refer to: tables of valid and invalid ones, with all diagnostics of each.

#![cfg(all(feature = "roles", feature = "json-schema"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::fmt::Write as _;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::Value;
use workflow_core::definition::{self, Diagnostic, Stage, Workflow};

/// The names and bytes of the files in a folder, in order.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

/// The diagnostics of each file of a folder.
fn table(folder: &str, least: usize, check: impl Fn(&str, &[u8]) -> Vec<Diagnostic>) -> String {
    let files = files(folder);
    assert!(files.len() >= least, "{} files", files.len());
    let mut table = String::new();
    for (name, text) in files {
        let found = check(&name, &text);
        assert!(!found.is_empty(), "{name}");
        let lines = text.split(|byte| *byte == b'\n').count();
        writeln!(table, "{name}").unwrap();
        for found in found {
            assert!(
                (1..=lines).contains(&(found.line as usize)) && found.column > 0,
                "{name} has no such place: {found}"
            );
            writeln!(table, "{found}    ({})", found.path).unwrap();
        }
        writeln!(table).unwrap();
    }
    table
}

/// A workflow with the stages `plan` and `test-all`.
fn workflow() -> Workflow {
    Workflow::new("demo".parse().unwrap(), "Demonstration")
        .stage("plan".parse().unwrap(), Stage::new("codex"))
        .stage("test-all".parse().unwrap(), Stage::new("codex"))
}

#[test]
fn every_bad_profile_gets_its_exact_diagnostics() {
    let table = table("profiles/bad", 40, |_, text| {
        let parsed = definition::parse_profile(text, Some(&workflow()));
        assert_eq!(parsed.profile.is_none(), parsed.diagnostics.iter().any(Diagnostic::is_error));
        parsed.diagnostics
    });
    insta::assert_snapshot!("bad_profiles", table);
}

#[test]
fn good_profiles_have_no_diagnostics() {
    let mut read = String::new();
    for (name, text) in files("profiles/good") {
        let parsed = definition::parse_profile(&text, Some(&workflow()));
        assert_eq!(parsed.diagnostics, [], "{name}");
        let profile = parsed.profile.unwrap();
        assert_eq!(definition::validate_profile(&profile, Some(&workflow())), [], "{name}");
        writeln!(read, "{name}\n{}\n", serde_json::to_string_pretty(&profile).unwrap()).unwrap();
    }
    insta::assert_snapshot!("good_profiles", read);
}

#[test]
fn every_bad_role_gets_its_exact_diagnostics() {
    let id = "tester".parse().unwrap();
    let table = table("roles/bad", 40, |_, text| {
        let parsed = definition::parse_role(text, Some(&id));
        assert_eq!(parsed.role.is_none(), parsed.diagnostics.iter().any(Diagnostic::is_error));
        parsed.diagnostics
    });
    insta::assert_snapshot!("bad_roles", table);
}

#[test]
fn a_name_that_a_role_does_not_declare_is_an_error_wherever_it_stands() {
    let id = "tester".parse().unwrap();
    let table = table("roles/undeclared", 6, |name, text| {
        // It may be a stage: only the workflow could tell.
        assert_eq!(definition::parse_role(text, Some(&id)).diagnostics, [], "{name}");
        definition::parse_role_with(text, Some(&id), &workflow()).diagnostics
    });
    insta::assert_snapshot!("undeclared_names", table);
}

#[test]
fn good_roles_have_no_diagnostics() {
    let mut read = String::new();
    for (name, text) in files("roles/good") {
        let id = name.strip_suffix(".md").unwrap().parse().unwrap();
        let parsed = definition::parse_role_with(&text, Some(&id), &workflow());
        assert_eq!(parsed.diagnostics, [], "{name}");
        let role = parsed.role.unwrap();
        assert_eq!(definition::validate_role(&role), [], "{name}");
        writeln!(read, "{name}\n{}\n", serde_json::to_string_pretty(&role).unwrap()).unwrap();
    }
    insta::assert_snapshot!("good_roles", read);
}

#[test]
fn every_bad_assignment_gets_its_exact_diagnostics() {
    let table = table("assignments/bad", 12, |_, text| {
        let parsed = definition::parse_assignments(text);
        assert_eq!(parsed.assignments.is_none(), parsed.diagnostics.iter().any(Diagnostic::is_error));
        parsed.diagnostics
    });
    insta::assert_snapshot!("bad_assignments", table);
}

#[test]
fn every_bad_notification_gets_its_exact_diagnostics() {
    let table = table("notifications/bad", 9, |_, text| {
        let parsed = definition::parse_notifications(text);
        assert_eq!(parsed.notifications.is_none(), parsed.diagnostics.iter().any(Diagnostic::is_error));
        parsed.diagnostics
    });
    insta::assert_snapshot!("bad_notifications", table);
}

#[test]
fn good_notifications_have_no_diagnostics() {
    let mut read = String::new();
    for (name, text) in files("notifications/good") {
        let parsed = definition::parse_notifications(&text);
        assert_eq!(parsed.diagnostics, [], "{name}");
        writeln!(read, "{name}").unwrap();
        for (name, target) in parsed.notifications.unwrap().targets {
            writeln!(read, "  {name}: {target:?}").unwrap();
        }
    }
    insta::assert_snapshot!("good_notifications", read);
}

#[test]
fn every_bad_setting_of_a_provider_gets_its_exact_diagnostics() {
    let table = table("providers/bad", 5, |_, text| {
        let parsed = definition::parse_providers(text);
        assert_eq!(parsed.settings.is_none(), parsed.diagnostics.iter().any(Diagnostic::is_error));
        parsed.diagnostics
    });
    insta::assert_snapshot!("bad_providers", table);
}

#[test]
fn good_settings_of_providers_have_no_diagnostics() {
    let mut read = String::new();
    for (name, text) in files("providers/good") {
        let parsed = definition::parse_providers(&text);
        assert_eq!(parsed.diagnostics, [], "{name}");
        let settings = parsed.settings.unwrap();
        writeln!(read, "{name}: {:?}", settings.with_command).unwrap();
        for (name, setting) in settings.providers {
            writeln!(read, "  {name}: {}", serde_json::to_string(&setting).unwrap()).unwrap();
        }
    }
    insta::assert_snapshot!("good_providers", read);
}

#[test]
fn good_assignments_have_no_diagnostics() {
    let mut read = String::new();
    for (name, text) in files("assignments/good") {
        let parsed = definition::parse_assignments(&text);
        assert_eq!(parsed.diagnostics, [], "{name}");
        writeln!(read, "{name}").unwrap();
        for (stage, assigned) in parsed.assignments.unwrap().stages {
            let part =
                |name: &str, value: Option<String>| value.map_or(String::new(), |v| format!(" {name}={v}"));
            let parts = [
                part("provider", assigned.provider),
                part("role", assigned.role),
                part("profile", assigned.profile),
            ];
            writeln!(read, "  {stage}:{}", parts.concat()).unwrap();
        }
    }
    insta::assert_snapshot!("good_assignments", read);
}

/// All valid schema files, by their names in a home.
fn schemas() -> IndexMap<String, Value> {
    let files = files("schemas/good").into_iter().chain(files("schemas/bad"));
    let read = files
        .filter_map(|(name, text)| Some((format!("schemas/{name}"), definition::read_schema(&text).ok()?)));
    read.collect()
}

#[test]
fn every_bad_schema_gets_its_exact_diagnostics() {
    let schemas = schemas();
    let table = table("schemas/bad", 20, |name, text| {
        definition::check_schema(&format!("schemas/{name}"), text, &schemas)
    });
    insta::assert_snapshot!("bad_schemas", table);
}

#[test]
fn good_schemas_have_no_diagnostics_and_compile() {
    let schemas = schemas();
    for (name, text) in files("schemas/good") {
        let name = format!("schemas/{name}");
        assert_eq!(definition::check_schema(&name, &text, &schemas), [], "{name}");
        workflow_core::output_schema::OutputSchema::compile(&name, &schemas).unwrap();
    }
}
