//! The settings that every package inherits from the workspace.

use toml::Table;

use crate::workspace::{METADATA, none, root};

/// The settings that a package's manifest defines itself but should inherit.
fn own_ways(manifest: &Table) -> Vec<String> {
    let inherits = |section: Option<&toml::Value>| {
        section.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
    };
    let package = manifest.get("package");
    let fields = ["version", "edition", "rust-version", "license"];
    let mut violations: Vec<String> = fields
        .iter()
        .filter(|field| !inherits(package.and_then(|package| package.get(**field))))
        .map(|field| format!("`{field}.workspace = true` is missing"))
        .collect();
    if !inherits(manifest.get("lints")) {
        violations.push("`[lints] workspace = true` is missing".into());
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let dependencies = manifest.get(section).and_then(toml::Value::as_table);
        let own = dependencies.into_iter().flatten().filter(|(_, value)| !inherits(Some(value)));
        violations.extend(own.map(|(name, _)| format!("{section}: `{name}` has a version of its own")));
    }
    violations
}

/// The lints that the code base relies on.
fn missing_lints(workspace: &Table) -> Vec<String> {
    let level = |group: &str, lint: &str| {
        let lints = workspace.get("workspace")?.get("lints")?.get(group)?;
        lints.get(lint)?.as_str()
    };
    let wanted = [
        ("rust", "unsafe_code", "forbid"),
        ("rust", "missing_docs", "warn"),
        ("clippy", "unwrap_used", "warn"),
        ("clippy", "expect_used", "warn"),
        ("clippy", "panic", "warn"),
        ("clippy", "todo", "warn"),
        ("clippy", "unimplemented", "warn"),
        ("clippy", "print_stdout", "warn"),
        ("clippy", "incompatible_msrv", "warn"),
    ];
    let missing = wanted.iter().filter(|(group, lint, wanted)| level(group, lint) != Some(wanted));
    missing.map(|(group, lint, wanted)| format!("lints.{group}: `{lint}` is not \"{wanted}\"")).collect()
}

#[test]
fn every_package_takes_version_licence_dependencies_and_lints_from_the_workspace() {
    let packages = METADATA.workspace_packages();
    assert!(packages.len() >= 6);
    for package in packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        let violations = own_ways(&manifest.parse().unwrap());
        none(&violations.iter().map(|text| format!("{}: {text}", package.name)).collect::<Vec<_>>());
    }
}

#[test]
fn a_package_with_ways_of_its_own_is_found() {
    let manifest = r#"
        package = { name = "x", version = "1.0.0", edition.workspace = true, license.workspace = false }
        dependencies = { serde = "1", thiserror.workspace = true }
        lints.workspace = false
    "#;
    assert_eq!(
        own_ways(&manifest.parse().unwrap()),
        [
            "`version.workspace = true` is missing",
            "`rust-version.workspace = true` is missing",
            "`license.workspace = true` is missing",
            "`[lints] workspace = true` is missing",
            "dependencies: `serde` has a version of its own",
        ]
    );
}

#[test]
fn the_lints_that_the_house_relies_on_are_on() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    none(&missing_lints(&manifest.parse().unwrap()));
}

#[test]
fn a_lint_that_was_turned_down_is_found() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let loosened = manifest.replace("unsafe_code = \"forbid\"", "unsafe_code = \"deny\"");
    assert_eq!(missing_lints(&loosened.parse().unwrap()), ["lints.rust: `unsafe_code` is not \"forbid\""]);
}
