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
use crate::run_worktrees::RunWorktrees;
use crate::test_notices::TestNotices;

/// What operations work with: an engine, its runs, and who may do what.
pub struct Host {
    engine: Engine,
    runs: Arc<dyn Runs>,
    policy: Box<dyn Policy>,
    worktrees: Option<Box<dyn RunWorktrees>>,
    notifications: Option<Box<dyn TestNotices>>,
    store_place: Option<String>,
    feeds: Feeds,
    heads: Heads,
}

/// What a host is made of.
pub(crate) struct HostParts {
    pub engine: Engine,
    pub runs: Option<Arc<dyn Runs>>,
    pub policy: Box<dyn Policy>,
    pub worktrees: Option<Box<dyn RunWorktrees>>,
    pub notifications: Option<Box<dyn TestNotices>>,
    pub store_place: Option<String>,
}

impl Host {
    pub(crate) fn new(parts: HostParts) -> Self {
        let HostParts { engine, runs, policy, worktrees, notifications, store_place } = parts;
        let runs = runs.unwrap_or_else(|| Arc::new(engine.clone()));
        let (feeds, heads) = (Feeds::default(), Heads::default());
        Self { engine, runs, policy, worktrees, notifications, store_place, feeds, heads }
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

    /// The worktrees of runs, if the host has some.
    pub fn worktrees(&self) -> Option<&dyn RunWorktrees> {
        self.worktrees.as_deref()
    }

    /// What sends notifications, if the host has it.
    pub fn notifications(&self) -> Option<&dyn TestNotices> {
        self.notifications.as_deref()
    }

    /// Where the store of runs is, for people.
    pub fn store_place(&self) -> Option<&str> {
        self.store_place.as_deref()
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
