//! Workflows created from templates, in files.

#![cfg(test)]
#![cfg(feature = "files")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use futures::executor::block_on;
use workflow_core::catalog::{
    Catalog, CatalogEntry, CatalogError, Document, Part, Text, Version, WorkflowTemplate, templates,
};
use workflow_core::ids::WorkflowId;
use workflow_core::provider::async_trait;
use workflow_store::FsCatalog;

fn id(text: &str) -> WorkflowId {
    WorkflowId::new(text).unwrap()
}

fn home() -> (tempfile::TempDir, FsCatalog) {
    let home = tempfile::tempdir().unwrap();
    let catalog = FsCatalog::open(home.path()).unwrap();
    (home, catalog)
}

/// The template with a loop: it has roles, a profile and schemas.
fn template() -> WorkflowTemplate {
    templates().into_iter().find(|template| template.id.as_str() == "plan-code-test-check").unwrap()
}

/// All files of a home, with their texts.
fn files(home: &Path) -> BTreeMap<String, String> {
    fn collect(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(home, home, &mut found);
    found
}

/// A catalog that cannot create workflows, and perhaps cannot delete parts.
struct Broken {
    catalog: FsCatalog,
    keeps_parts: bool,
}

fn broken(what: &str) -> CatalogError {
    CatalogError::Invalid(format!("{what} is broken"))
}

#[async_trait]
impl Catalog for Broken {
    async fn list(&self) -> Result<Vec<CatalogEntry>, CatalogError> {
        self.catalog.list().await
    }

    async fn get(&self, id: &WorkflowId) -> Result<Document, CatalogError> {
        self.catalog.get(id).await
    }

    async fn create(&self, _: &WorkflowId, _: &str) -> Result<Document, CatalogError> {
        Err(broken("creating"))
    }

    async fn update(&self, _: &WorkflowId, _: &str, _: &Version) -> Result<Document, CatalogError> {
        Err(broken("updating"))
    }

    async fn delete(&self, _: &WorkflowId) -> Result<(), CatalogError> {
        Err(broken("deleting"))
    }

    async fn part(&self, part: &Part) -> Result<Option<Text>, CatalogError> {
        self.catalog.part(part).await
    }

    async fn put_part(&self, part: &Part, text: &str, read: Option<&Version>) -> Result<Text, CatalogError> {
        self.catalog.put_part(part, text, read).await
    }

    async fn delete_part(&self, part: &Part) -> Result<(), CatalogError> {
        if self.keeps_parts { Err(broken("removing")) } else { self.catalog.delete_part(part).await }
    }
}

#[test]
fn every_template_becomes_a_workflow_of_one_home_with_all_its_files_as_they_are() {
    let (home, catalog) = home();
    let templates = block_on(catalog.templates()).unwrap();
    for template in &templates {
        let document = block_on(catalog.create_from(&id(&format!("my-{}", template.id)), template)).unwrap();
        assert_eq!(document.text, template.workflow);
    }
    let listed = block_on(catalog.list()).unwrap();
    assert_eq!(listed.len(), templates.len());
    for (entry, problem) in listed.iter().map(|entry| (entry, &entry.problem)) {
        assert_eq!(*problem, None, "{}", entry.id);
        let of = |template: &&WorkflowTemplate| format!("my-{}", template.id) == entry.id.as_str();
        let template = templates.iter().find(of).unwrap();
        assert_eq!(entry.name.as_ref(), Some(&template.name));
        assert_eq!(entry.description, template.description);
        assert_eq!(entry.stages, template.stages.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    for (part, text) in templates.iter().flat_map(|template| &template.parts) {
        assert_eq!(block_on(catalog.part(part)).unwrap().unwrap().text, *text, "{part}");
    }
    let parts: usize = templates.iter().map(|template| template.parts.len()).sum();
    assert_eq!(files(home.path()).len(), templates.len() + parts, "and nothing else");
}

#[test]
fn parts_that_are_there_with_the_same_text_are_kept() {
    let (home, catalog) = home();
    block_on(catalog.create_from(&id("first"), &template())).unwrap();
    let before = files(home.path());
    block_on(catalog.create_from(&id("second"), &template())).unwrap();
    let mut after = files(home.path());
    assert_eq!(after.remove("workflows/second.workflow.yml").unwrap(), template().workflow);
    assert_eq!(after, before);
}

#[test]
fn everything_that_is_in_the_way_is_named_before_anything_is_written() {
    let (home, catalog) = home();
    for folder in ["roles", "schemas", "workflows"] {
        fs::create_dir(home.path().join(folder)).unwrap();
    }
    for (name, text) in [
        ("roles/coder.md", "Mine."),
        ("schemas/plan.schema.json", "{}"),
        ("workflows/taken.workflow.yml", "kept: as it is"),
    ] {
        fs::write(home.path().join(name), text).unwrap();
    }
    let before = files(home.path());
    for (name, also) in [("free", ""), ("taken", "workflow `taken`, ")] {
        let error = block_on(catalog.create_from(&id(name), &template())).unwrap_err();
        assert!(matches!(error, CatalogError::Exists(_)), "{error:?}");
        let message = error.to_string().replace(&format!("{}/", home.path().display()), "");
        assert_eq!(
            message,
            format!(
                "there is a {also}role `coder` with another text (roles/coder.md), schema \
                 `schemas/plan.schema.json` with another text (schemas/plan.schema.json) already"
            )
        );
        assert_eq!(files(home.path()), before);
    }
}

#[test]
fn what_was_written_is_taken_back_when_a_part_cannot_be() {
    let (home, catalog) = home();
    // Roles and profiles are written before schemas.
    fs::write(home.path().join("schemas"), "a file").unwrap();
    let before = files(home.path());
    let error = block_on(catalog.create_from(&id("a"), &template())).unwrap_err();
    assert!(matches!(error, CatalogError::Io { .. }), "{error:?}");
    assert_eq!(files(home.path()), before);
    fs::remove_file(home.path().join("schemas")).unwrap();
    block_on(catalog.create_from(&id("a"), &template())).unwrap();
}

#[test]
fn what_was_written_is_taken_back_when_the_workflow_cannot_be_and_what_was_there_is_not() {
    let (home, catalog) = home();
    let template = template();
    let (kept, text) = &template.parts[0];
    block_on(catalog.put_part(kept, text, None)).unwrap();
    let before = files(home.path());
    let catalog = Broken { catalog, keeps_parts: false };
    let error = block_on(catalog.create_from(&id("a"), &template)).unwrap_err();
    assert_eq!(error.to_string(), "creating is broken");
    assert_eq!(files(home.path()), before);
}

#[test]
fn what_cannot_be_taken_back_is_named() {
    let (home, catalog) = home();
    let catalog = Broken { catalog, keeps_parts: true };
    let template = templates().remove(0);
    let error = block_on(catalog.create_from(&id("a"), &template)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "creating is broken; what was written and could not be removed again: role `assistant` (removing is broken)"
    );
    assert_eq!(files(home.path()).into_keys().collect::<Vec<_>>(), ["roles/assistant.md"]);
}
