//! What operations work with.

use std::sync::Arc;

use workflow_core::catalog::{Catalog, CatalogError, Document};
use workflow_core::definition::did_you_mean;
use workflow_core::ids::WorkflowId;
use workflow_core::runs::Runs;
use workflow_exec::Engine;

use crate::caller::Policy;
use crate::code::Code;
use crate::error::ServiceError;
use crate::feed::Feeds;
use crate::heads::Heads;

/// What operations work with: an engine, its runs, and who may do what.
pub struct Host {
    engine: Engine,
    runs: Arc<dyn Runs>,
    policy: Box<dyn Policy>,
    feeds: Feeds,
    heads: Heads,
}

impl Host {
    pub(crate) fn new(engine: Engine, runs: Option<Arc<dyn Runs>>, policy: Box<dyn Policy>) -> Self {
        let runs = runs.unwrap_or_else(|| Arc::new(engine.clone()));
        Self { engine, runs, policy, feeds: Feeds::default(), heads: Heads::default() }
    }

    /// The engine that checks definitions.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The runs.
    pub fn runs(&self) -> &dyn Runs {
        &*self.runs
    }

    /// The catalog.
    ///
    /// # Errors
    ///
    /// [`Code::NotSupported`] when the engine has none.
    pub fn catalog(&self) -> Result<&dyn Catalog, ServiceError> {
        match self.engine.catalog() {
            Some(catalog) => Ok(&**catalog),
            None => Err(ServiceError::new(
                Code::NotSupported,
                "this host keeps no workflows: its engine was built without a catalog",
            )),
        }
    }

    /// A workflow of the catalog. The error for one that does not exist names one with a similar id.
    pub(crate) async fn workflow(&self, id: &WorkflowId) -> Result<Document, ServiceError> {
        let catalog = self.catalog()?;
        match catalog.get(id).await {
            Err(CatalogError::NotFound(what)) => {
                let known = catalog.list().await?;
                let near = did_you_mean(id.as_str(), known.iter().map(|known| known.id.as_str()));
                Err(CatalogError::NotFound(format!("{what}{near}")).into())
            }
            found => Ok(found?),
        }
    }

    pub(crate) fn feeds(&self) -> &Feeds {
        &self.feeds
    }

    pub(crate) fn heads(&self) -> &Heads {
        &self.heads
    }

    pub(crate) fn policy(&self) -> &dyn Policy {
        &*self.policy
    }
}
