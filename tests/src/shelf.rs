//! A read-only catalog with the parts of a scenario.

use async_trait::async_trait;
use workflow_core::catalog::{Catalog, CatalogEntry, CatalogError, Document, Part, PartKind, Text, Version};
use workflow_core::ids::WorkflowId;

/// One workflow with its parts.
#[derive(Debug, Clone)]
pub struct Shelf {
    id: WorkflowId,
    workflow: String,
    parts: Vec<(Part, String)>,
    /// Workflows that it runs.
    others: Vec<(WorkflowId, String)>,
}

impl Shelf {
    /// From a workflow's text, and the texts of its parts.
    pub fn new(id: WorkflowId, workflow: &str, parts: Vec<(Part, String)>) -> Self {
        Self { id, workflow: workflow.to_owned(), parts, others: Vec::new() }
    }

    /// With the texts of the workflows that it runs.
    #[must_use]
    pub fn with_workflows(mut self, others: Vec<(WorkflowId, String)>) -> Self {
        self.others = others;
        self
    }

    fn refused<T>(&self) -> Result<T, CatalogError> {
        Err(CatalogError::ReadOnly(self.id.to_string()))
    }
}

fn version() -> Version {
    Version("1".to_owned())
}

#[async_trait]
impl Catalog for Shelf {
    async fn list(&self) -> Result<Vec<CatalogEntry>, CatalogError> {
        let others = self.others.iter().map(|(id, _)| id);
        Ok(std::iter::once(&self.id).chain(others).cloned().map(CatalogEntry::new).collect())
    }

    async fn get(&self, id: &WorkflowId) -> Result<Document, CatalogError> {
        let other = self.others.iter().find(|(other, _)| other == id).map(|(_, text)| text);
        let Some(text) = other.or((*id == self.id).then_some(&self.workflow)) else {
            return Err(CatalogError::NotFound(format!("workflow `{id}`")));
        };
        let (origin, text) = (id.to_string(), text.clone());
        Ok(Document { id: id.clone(), origin, text, version: version() })
    }

    async fn create(&self, _: &WorkflowId, _: &str) -> Result<Document, CatalogError> {
        self.refused()
    }

    async fn update(&self, _: &WorkflowId, _: &str, _: &Version) -> Result<Document, CatalogError> {
        self.refused()
    }

    async fn delete(&self, _: &WorkflowId) -> Result<(), CatalogError> {
        self.refused()
    }

    async fn parts(&self, kind: PartKind) -> Result<Vec<Part>, CatalogError> {
        let is_asked = |part: &&Part| match part {
            Part::Role(_) => kind == PartKind::Roles,
            Part::Profile(..) => kind == PartKind::Profiles,
            _ => false,
        };
        Ok(self.parts.iter().map(|(part, _)| part).filter(is_asked).cloned().collect())
    }

    async fn part(&self, part: &Part) -> Result<Option<Text>, CatalogError> {
        let found = self.parts.iter().find(|(known, _)| known == part);
        Ok(found.map(|(_, text)| Text { origin: part.to_string(), text: text.clone(), version: version() }))
    }
}
