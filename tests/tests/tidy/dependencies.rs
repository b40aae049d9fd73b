//! The direction of dependencies, and which dependencies are forbidden.

use std::collections::BTreeSet;
use std::process::Command;

use cargo_metadata::DependencyKind;

use crate::workspace::{METADATA, none, root};

/// A dependency of one package of the workspace on another.
struct Edge {
    from: String,
    to: String,
    dev: bool,
}

/// Packages that only depend on lower ones. Packages without a layer are on top: hosts, tests, benches,
/// xtask.
const LAYERS: &[(&str, u8)] = &[
    ("workflow-core", 0),
    ("workflow-testkit", 1),
    ("workflow-exec", 2),
    ("workflow-store", 2),
    ("workflow-providers", 2),
    ("workflow-service", 3),
    ("workflow", 4),
    ("workflow-studio", 4),
];
const TOP: u8 = 5;

/// The simulation of the testkit is the clock, timer and spawner of an engine.
const EXCEPTION: (&str, &str) = ("workflow-testkit", "workflow-exec");

fn layer(package: &str) -> u8 {
    LAYERS.iter().find(|(name, _)| *name == package).map_or(TOP, |(_, layer)| *layer)
}

fn wrong_directions(edges: &[Edge]) -> Vec<String> {
    let wrong = |edge: &&Edge| {
        (layer(&edge.to) >= layer(&edge.from) && (&*edge.from, &*edge.to) != EXCEPTION)
            // The testkit is for tests of implementors, not for products.
            || (edge.to == "workflow-testkit" && layer(&edge.from) < TOP && !edge.dev)
    };
    edges.iter().filter(wrong).map(|edge| format!("{} must not depend on {}", edge.from, edge.to)).collect()
}

fn workspace_edges() -> Vec<Edge> {
    let packages = METADATA.workspace_packages();
    let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let edges = packages.iter().flat_map(|package| {
        let inside =
            package.dependencies.iter().filter(|dependency| names.contains(dependency.name.as_str()));
        inside.map(|dependency| Edge {
            from: package.name.to_string(),
            to: dependency.name.clone(),
            dev: dependency.kind == DependencyKind::Development,
        })
    });
    edges.collect()
}

/// The names of all packages in a dependency tree that cargo printed with one name per line.
fn packages(tree: &str) -> BTreeSet<&str> {
    tree.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

fn found(tree: &str, banned: &[&str]) -> Vec<String> {
    let packages = packages(tree);
    banned
        .iter()
        .filter(|name| packages.contains(*name))
        .map(|name| format!("{name} is in the tree"))
        .collect()
}

fn cargo_tree(arguments: &[&str]) -> String {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    let shown = tree.args(arguments).current_dir(root()).output().unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    String::from_utf8(shown.stdout).unwrap()
}

const RUNTIMES: &[&str] = &[
    "actix-rt",
    "async-executor",
    "async-global-executor",
    "async-io",
    "async-std",
    "glommio",
    "monoio",
    "smol",
    "tokio",
];
const RANDOMNESS: &[&str] = &["fastrand", "getrandom", "rand", "rand_core", "uuid"];
const CLOCKS: &[&str] = &["chrono", "futures-timer", "time", "web-time"];

#[test]
fn dependencies_point_one_way() {
    let edges = workspace_edges();
    assert!(edges.iter().any(|edge| edge.from == "workflow-exec" && edge.to == "workflow-core"));
    none(&wrong_directions(&edges));
}

#[test]
fn a_dependency_that_points_the_wrong_way_is_found() {
    let wrong = [
        ("workflow-core", "workflow-exec"),
        ("workflow-exec", "workflow-store"),
        ("workflow-store", "workflow-providers"),
        ("workflow-providers", "workflow-exec"),
        ("workflow-core", "workflow-testkit"),
        ("workflow-store", "workflow-testkit"),
        ("workflow-testkit", "workflow-store"),
        ("workflow-store", "workflow-cli"),
        ("workflow-exec", "workflow"),
        ("workflow-tests", "workflow-cli"),
    ];
    let edge = |(from, to): (&str, &str), dev| Edge { from: from.into(), to: to.into(), dev };
    assert_eq!(wrong_directions(&wrong.map(|pair| edge(pair, false))).len(), wrong.len());
    let right = [
        ("workflow-cli", "workflow-store"),
        ("workflow-quickstart", "workflow"),
        ("workflow-testkit", "workflow-core"),
    ];
    none(&wrong_directions(&right.map(|pair| edge(pair, false))));
    none(&wrong_directions(&[edge(("workflow-store", "workflow-testkit"), true)]));
}

#[test]
fn the_core_brings_no_runtime_no_randomness_and_no_clock() {
    let tree = cargo_tree(&["--package", "workflow-core"]);
    assert!(packages(&tree).contains("workflow-core"));
    for banned in [RUNTIMES, RANDOMNESS, CLOCKS] {
        none(&found(&tree, banned));
    }
    // The schema validator seeds its hash tables; no result depends on that.
    let tree = cargo_tree(&["--package", "workflow-core", "--all-features"]);
    for banned in [RUNTIMES, CLOCKS] {
        none(&found(&tree, banned));
    }
}

#[test]
fn without_features_the_engine_brings_no_runtime() {
    let tree = cargo_tree(&["--package", "workflow-exec"]);
    assert!(packages(&tree).contains("workflow-exec"));
    none(&found(&tree, RUNTIMES));
}

#[test]
fn the_core_and_the_engine_stay_small() {
    let tree = cargo_tree(&["--package", "workflow-core", "--package", "workflow-exec"]);
    let count = packages(&tree).len();
    assert!((10..=80).contains(&count), "{count} packages in the tree of core and exec");
}

#[test]
fn a_banned_package_is_found_in_a_tree() {
    let tree =
        "workflow-exec v0.1.0 (/x)\ntokio v1.0.0\ntokio v1.0.0 (*)\ntokio-util v0.7.0\n\nrand v0.9.0\n";
    assert_eq!(found(tree, RUNTIMES), ["tokio is in the tree"]);
    assert_eq!(found(tree, RANDOMNESS), ["rand is in the tree"]);
    assert_eq!(packages(tree).len(), 4);
}
