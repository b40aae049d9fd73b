//! The workflows for new users: each runs as described, and does not change the sources.

use std::fs;
use std::path::{Path, PathBuf};

use super::home::{Home, copy};

/// Each with an expected value in the run, by its place.
const EXAMPLES: [(&str, &str, &str); 9] = [
    ("deploy", "/output", "\"1\""),
    ("fix-until-green", "/context/stages/check/output/passed", "4"),
    ("flaky", "/failedStages/0", "\"notify\""),
    ("issue-triage", "/output/kind", "\"bug\""),
    ("nightly", "/output/links", "\"failed\""),
    ("parallel-review", "/context/stages/measure/output", "\"5\""),
    ("release-notes", "/output/changes/0", "\"three fixes\""),
    ("research", "/context/stages/search/results/2/status", "\"completed\""),
    ("review-and-fix", "/output/iterations", "2"),
];

/// The same for those with graphs, in the home `examples/graphs`.
const IN_HOME: [(&str, &str, &str); 13] = [
    ("changelog", "/context/stages/sort/output/1", "\"For users: feat: dark colours\""),
    ("ci-doctor", "/output", "\"Again in the build 4711: flaky test.\""),
    ("deep-research", "/output/rounds", "2"),
    ("dependency-updates", "/context/stages/update/output/failed/0/index", "1"),
    ("duplicates", "/output", "\"This is the same as: The menu does not close\""),
    ("fix-issue", "/context/stages/write/output/rounds", "2"),
    ("process-transactions", "/output", "[\"120 was booked\",\"5000 was examined\",\"80 was booked\"]"),
    ("provision-order", "/output", "\"How many?\""),
    ("release-checks", "/output/ready", "true"),
    ("rollout", "/output", "\"version 1.4.0 on all servers\""),
    ("rollout-all", "/output/out/1", "\"version 2.0 on all servers\""),
    ("stale-issues", "/output/failed/0/details/stderr_tail", "\"there is no issue unreadable\""),
    ("weekly-digest", "/context/stages/read/output/outside", "\"nothing, the source could not be reached\""),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The ids of the workflows in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned());
    let mut names: Vec<_> =
        names.filter_map(|name| Some(name.strip_suffix(".workflow.yml")?.to_owned())).collect();
    names.sort();
    names
}

#[test]
fn every_example_runs_to_its_end_and_changes_no_source() {
    let home = Home::new();
    copy(&folder("workflows"), &home.path("examples/workflows"));
    let sources = home.files();
    for (name, place, expected) in EXAMPLES {
        let run = home.run(&["run", &format!("examples/workflows/{name}.workflow.yml"), "--json"]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{name}");
        let view = run.json().pop().unwrap();
        assert_eq!(view["status"], "completed", "{name}");
        assert_eq!(view.pointer(place).unwrap().to_string(), expected, "{name}");
        assert_eq!(home.files(), sources, "{name}");
    }
}

#[test]
fn every_example_of_the_home_runs_to_its_end() {
    let home = Home::new();
    copy(&folder("workflows"), &home.path("examples/workflows"));
    copy(&folder("graphs/workflows"), &home.path("examples/graphs/workflows"));
    for (name, place, expected) in IN_HOME {
        let checked = home.run(&["--home", "examples/graphs", "validate", "--strict", name]);
        assert_eq!((checked.code, checked.stdout.lines().count()), (Some(0), 1), "{checked:?}");
        let run = home.run(&["--home", "examples/graphs", "run", name, "--json"]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{name}");
        let view = run.json().pop().unwrap();
        assert_eq!(view["status"], "completed", "{name}");
        assert_eq!(view.pointer(place).unwrap().to_string(), expected, "{name}");
    }
}

#[test]
fn every_example_is_among_those_that_are_run_and_has_no_warning() {
    assert_eq!(names(&folder("graphs/workflows")), IN_HOME.map(|(name, ..)| name));
    let names = names(&folder("workflows"));
    assert_eq!(names, EXAMPLES.map(|(name, ..)| name));
    for name in names {
        let file = folder("workflows").join(format!("{name}.workflow.yml"));
        let checked = Home::new().run(&["validate", "--strict", file.to_str().unwrap()]);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        assert_eq!(checked.stdout.lines().count(), 1, "{checked:?}");
    }
}
