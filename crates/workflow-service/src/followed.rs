//! The definition that a run follows.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::ids::RunId;

use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;
use crate::log::each_event;

/// That a run was moved to another definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Moved {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// The hash of that definition.
    pub bundle: BundleHash,
}

/// Which definition a run follows.
pub(crate) struct Followed {
    /// What the run was created with.
    pub created: Arc<RunCreated>,
    /// The hash of the definition.
    pub hash: BundleHash,
    /// When the run was moved to another definition.
    pub moved: Vec<Moved>,
    /// The definition that it was moved to last.
    newer: Option<Arc<Bundle>>,
}

impl Followed {
    /// Reads the log of the run.
    pub(crate) async fn of(host: &Host, run: &RunId) -> Result<Self, ServiceError> {
        Self::with(host, run, |_| Ok(())).await
    }

    /// Reads the log of the run, and passes each event to `on`.
    pub(crate) async fn with(
        host: &Host,
        run: &RunId,
        mut on: impl FnMut(&Event) -> Result<(), ServiceError> + Send,
    ) -> Result<Self, ServiceError> {
        let (mut created, mut newer, mut moved) = (None, None, Vec::new());
        each_event(host, run, |event| {
            match &event.body {
                EventBody::RunCreated(with) => created = Some(with.clone()),
                EventBody::RunMigrated { hash, bundle, .. } => {
                    moved.push(Moved { at: event.at, bundle: hash.clone() });
                    newer = Some(bundle.clone());
                }
                _ => {}
            }
            on(event)
        })
        .await?;
        let created = created.ok_or_else(|| {
            ServiceError::new(
                Code::Damaged,
                format!("the log of run `{run}` does not begin with its creation"),
            )
        })?;
        let hash = moved.last().map_or_else(|| created.bundle.clone(), |moved| moved.bundle.clone());
        Ok(Self { created, hash, moved, newer })
    }

    /// The definition.
    pub(crate) async fn bundle(&self, host: &Host) -> Result<Arc<Bundle>, ServiceError> {
        match &self.newer {
            Some(bundle) => Ok(bundle.clone()),
            None => Ok(host.runs().bundle(&self.created.bundle).await?),
        }
    }
}
