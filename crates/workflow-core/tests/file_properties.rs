//! Properties of every role, profile, schema and assignment: no text similar to one makes the parser or the
//! template panic, every problem has a position, and parsed files round-trip.

#![cfg(all(feature = "roles", feature = "json-schema"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;
use serde_json::json;
use workflow_core::definition::{self, Diagnostic, Profile, Role};
use workflow_core::output_schema::OutputSchema;
use workflow_core::role::RoleTemplate;

const PROFILES: &[&str] = &[
    include_str!("profiles/good/committee.yml"),
    include_str!("profiles/good/every-field.yml"),
    include_str!("profiles/bad/several-mistakes.yml"),
    include_str!("profiles/bad/unreachable.yml"),
];
const ROLES: &[&str] = &[
    include_str!("roles/good/full.md"),
    include_str!("roles/bad/guards-bad.md"),
    include_str!("roles/bad/body-helper-values.md"),
    include_str!("roles/undeclared/blocks.md"),
];
const SCHEMAS: &[&str] = &[
    include_str!("schemas/good/plan.json"),
    include_str!("schemas/good/in-yaml.yml"),
    include_str!("schemas/bad/unknown-type.json"),
];
const ASSIGNMENTS: &[&str] =
    &[include_str!("assignments/good/plain.yml"), include_str!("assignments/bad/wrong-types.yml")];
const PROVIDERS: &[&str] =
    &[include_str!("providers/good/settings.yml"), include_str!("providers/bad/values.yml")];
const NOTIFICATIONS: &[&str] =
    &[include_str!("notifications/good/both-channels.yml"), include_str!("notifications/bad/values.yml")];
const PIECES: &[&str] = &[
    ":",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a ",
    "*a",
    "'",
    "\"",
    "#",
    "\n",
    "\r",
    "  ",
    "---\n",
    "${",
    "$",
    "\0",
    "é",
    "{{",
    "}}",
    "{{{",
    "{{/",
    "{{#each ",
    "{{else}}",
    "{{!--",
    "\\{{",
    "../",
    "@index",
    "(",
    ")",
    ".",
    "=",
    "|x|",
    "~",
    "inputs",
    "$.nodes.",
    "${nodes.a.output}",
    "\u{feff}",
];

/// A text similar to one of `files`: parts of it are deleted, doubled, or replaced.
fn near(files: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), 0usize..40, 0u8..3, select(PIECES));
    let byte = prop::option::weighted(0.1, any::<(Index, u8)>());
    (select(files), vec(change, 0..8), byte).prop_map(|(file, changes, byte)| {
        let mut text: Vec<char> = file.chars().collect();
        for (at, length, how, piece) in changes {
            let start = at.index(text.len() + 1);
            let range = start..(start + length).min(text.len());
            match how {
                0 => drop(text.drain(range)),
                1 => {
                    let part = text[range].to_vec();
                    text.splice(start..start, part);
                }
                _ => drop(text.splice(start..start, piece.chars())),
            }
        }
        let mut bytes = text.into_iter().collect::<String>().into_bytes();
        if let Some((at, byte)) = byte.filter(|_| !bytes.is_empty()) {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

/// Whether there are errors; each problem has a position in the text.
fn is_refused(text: &[u8], diagnostics: &[Diagnostic]) -> Result<bool, TestCaseError> {
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).count();
    for found in diagnostics {
        let is_there = (1..=lines).contains(&(found.line as usize)) && found.column > 0;
        prop_assert!(is_there || found.code == "too-many", "{}\n{}", found, String::from_utf8_lossy(text));
    }
    Ok(diagnostics.iter().any(Diagnostic::is_error))
}

fn context(role: &Role) -> serde_json::Value {
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

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::with_cases(150)
    })]

    #[test]
    fn a_text_near_a_profile_is_read_or_refused_at_its_place(text in near(PROFILES)) {
        let parsed = definition::parse_profile(&text, None);
        prop_assert_eq!(is_refused(&text, &parsed.diagnostics)?, parsed.profile.is_none());
        if let Some(profile) = parsed.profile {
            prop_assert!(!definition::validate_profile(&profile, None).iter().any(Diagnostic::is_error));
            let written = serde_json::to_string(&profile).unwrap();
            prop_assert_eq!(serde_json::from_str::<Profile>(&written).unwrap(), profile, "{}", written);
        }
    }

    #[test]
    fn a_text_near_a_role_is_read_or_refused_at_its_place(text in near(ROLES)) {
        let parsed = definition::parse_role(&text, None);
        is_refused(&text, &parsed.diagnostics)?;
        let bare = std::str::from_utf8(&text).map(|text| Role::new("bare".parse().unwrap(), text));
        for role in parsed.role.into_iter().chain(bare.ok()) {
            let written = serde_json::to_string(&role).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Role>(&written).unwrap(), &role, "{}", written);
            let problems = definition::validate_role(&role);
            if let Ok(template) = RoleTemplate::compile(&role, ["plan"]) {
                prop_assert!(!problems.iter().any(|found| found.code == "bad-template"), "{:?}", problems);
                // It returns, with a text or an error.
                let _ = template.render(context(&role));
            }
        }
    }

    #[test]
    fn a_text_near_a_schema_is_read_or_refused_at_its_place(text in near(SCHEMAS)) {
        match definition::read_schema(&text) {
            Err(diagnostics) => prop_assert!(is_refused(&text, &diagnostics)?),
            Ok(schema) => {
                let schemas = [("a.json".to_owned(), schema)].into();
                let found = definition::check_schema("a.json", &text, &schemas);
                let compiled = OutputSchema::compile("a.json", &schemas);
                prop_assert_eq!(is_refused(&text, &found)?, compiled.is_err(), "{:?} {:?}", found, compiled);
                if let Ok(schema) = compiled {
                    schema.check(&json!({ "files": ["a", 1], "name": null }));
                }
            }
        }
    }

    #[test]
    fn a_text_near_assignments_is_read_or_refused_at_its_place(text in near(ASSIGNMENTS)) {
        let parsed = definition::parse_assignments(&text);
        prop_assert_eq!(is_refused(&text, &parsed.diagnostics)?, parsed.assignments.is_none());
    }

    #[test]
    fn a_text_near_settings_of_providers_is_read_or_refused_at_its_place(text in near(PROVIDERS)) {
        let parsed = definition::parse_providers(&text);
        prop_assert_eq!(is_refused(&text, &parsed.diagnostics)?, parsed.settings.is_none());
    }

    #[test]
    fn a_text_near_notifications_is_read_or_refused_at_its_place(text in near(NOTIFICATIONS)) {
        let parsed = definition::parse_notifications(&text);
        prop_assert_eq!(is_refused(&text, &parsed.diagnostics)?, parsed.notifications.is_none());
    }

    #[test]
    fn a_value_is_never_looked_at_for_templates(value in "(?s).{0,40}", piece in select(PIECES)) {
        let value = format!("{value}{piece}{value}");
        let role = Role::new("a".parse().unwrap(), "[{{vars.x}}][{{#each inputs}}{{this}}{{/each}}][{{lookup vars \"x\"}}]");
        let template = RoleTemplate::compile(&role, []).unwrap();
        let rendered = template.render(json!({ "vars": { "x": value }, "inputs": [value] })).unwrap();
        prop_assert_eq!(rendered.text, format!("[{value}][{value}][{value}]"));
    }
}
