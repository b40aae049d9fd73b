//! The templates of the crate, and templates that hosts create from files.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use workflow_core::catalog::{Part, WorkflowTemplate, templates};
use workflow_core::ids::WorkflowId;

const WORKFLOW: &str = "workflow: { name: A template, stages: [ask] }\nask: { provider: demo }\n";

fn from(files: &[(&str, &str)]) -> Result<WorkflowTemplate, String> {
    let id = WorkflowId::new("mine").unwrap();
    WorkflowTemplate::from_files(id, files.iter().copied()).map_err(|problems| problems.to_string())
}

fn files(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.insert(fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_file_of_the_folder_is_in_its_template() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let templates = templates();
    let ids: BTreeSet<_> = templates.iter().map(|template| template.id.to_string()).collect();
    let folders = fs::read_dir(&folder).unwrap();
    let folders: BTreeSet<_> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(ids, folders);
    for WorkflowTemplate { id, workflow, parts, .. } in templates {
        let mut there = BTreeSet::new();
        files(&folder.join(id.as_str()), &mut there);
        let texts = parts.into_iter().map(|(_, text)| text).chain([workflow]);
        assert_eq!(texts.collect::<BTreeSet<_>>(), there, "{id}");
    }
}

#[test]
fn no_two_templates_have_a_part_in_common_so_that_they_fit_into_one_home() {
    let parts: Vec<_> = templates().into_iter().flat_map(|template| template.parts).collect();
    let different: BTreeSet<_> = parts.iter().map(|(part, _)| part).collect();
    assert_eq!(different.len(), parts.len());
    assert!(!different.is_empty());
}

#[test]
fn a_template_is_made_of_the_files_of_a_home() {
    let template = from(&[
        ("roles/asker.md", "Ask."),
        ("workflows/any.workflow.yaml", WORKFLOW),
        ("workflows/stages/ask.twice.yml", "graph: [{ id: a, type: run }]"),
        ("schemas/of/answer.json", "{}"),
    ])
    .unwrap();
    assert_eq!((template.name.as_str(), template.stages[0].as_str()), ("A template", "ask"));
    assert_eq!(template.workflow, WORKFLOW);
    let parts: Vec<_> = template.parts.iter().map(|(part, _)| part.to_string()).collect();
    assert_eq!(parts, ["role `asker`", "profile `ask.twice`", "schema `schemas/of/answer.json`"]);
    assert_eq!(template.parts[2].0, Part::Schema("schemas/of/answer.json".to_owned()));
}

#[test]
fn an_invalid_template_is_refused() {
    let with_id = WORKFLOW.replace("name:", "id: mine, name:");
    for (files, problem) in [
        (&[][..], "the file is empty"),
        (&[("workflows/a.workflow.yml", "workflow: { name: A }")][..], "`stages` is missing"),
        (&[("workflows/a.workflow.yml", with_id.as_str())][..], "leave the id out"),
        (
            &[("workflows/a.workflow.yml", WORKFLOW), ("workflows/b.workflow.yml", WORKFLOW)][..],
            "one workflow",
        ),
        (&[("workflows/a.workflow.yml", WORKFLOW), ("roles/a/b.md", "")][..], "roles/a/b.md"),
        (&[("workflows/a.workflow.yml", WORKFLOW), ("run.sh", "")][..], "run.sh"),
    ] {
        let error = from(files).unwrap_err();
        assert!(error.contains(problem), "{problem}: {error}");
    }
}
