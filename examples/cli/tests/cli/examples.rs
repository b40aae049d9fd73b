//! The workflows for new users: each runs as described, and does not change the sources.

use std::fs;
use std::path::Path;

use super::home::{Home, copy};

/// Each with an expected value in the run, by its place.
const EXAMPLES: [(&str, &str, &str); 8] = [
    ("fix-until-green", "/context/stages/check/output/passed", "4"),
    ("flaky", "/failedStages/0", "\"notify\""),
    ("issue-triage", "/output/kind", "\"bug\""),
    ("nightly", "/output/links", "\"failed\""),
    ("parallel-review", "/context/stages/measure/output", "\"5\""),
    ("release-notes", "/output/changes/0", "\"three fixes\""),
    ("research", "/context/stages/search/results/2/status", "\"completed\""),
    ("review-and-fix", "/output/iterations", "2"),
];

fn workflows() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows")
}

#[test]
fn every_example_runs_to_its_end_and_changes_no_source() {
    let home = Home::new();
    copy(&workflows(), &home.path("examples/workflows"));
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
fn every_example_is_among_those_that_are_run_and_has_no_warning() {
    let mut names: Vec<_> = fs::read_dir(workflows())
        .unwrap()
        .filter_map(|entry| {
            Some(entry.unwrap().file_name().to_str()?.strip_suffix(".workflow.yml")?.to_owned())
        })
        .collect();
    names.sort();
    assert_eq!(names, EXAMPLES.map(|(name, ..)| name));
    for name in names {
        let file = workflows().join(format!("{name}.workflow.yml"));
        let checked = Home::new().run(&["validate", "--strict", file.to_str().unwrap()]);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        assert_eq!(checked.stdout.lines().count(), 1, "{checked:?}");
    }
}
