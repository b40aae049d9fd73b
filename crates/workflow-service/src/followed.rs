//! The definition that a run follows.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::EventBody;
use workflow_core::ids::RunId;

use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;

/// How many events are read at once.
const PAGE: usize = 1_000;

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

/// The definition that a run follows.
pub(crate) struct Followed {
    pub bundle: Arc<Bundle>,
    pub hash: BundleHash,
    pub isolated: bool,
    pub moved: Vec<Moved>,
}

impl Followed {
    /// Reads it from the log of the run: the first event names the definition, and later ones can replace it.
    pub(crate) async fn of(host: &Host, run: &RunId) -> Result<Self, ServiceError> {
        let (mut first, mut newer, mut moved) = (None, None, Vec::new());
        let mut last = 0;
        loop {
            let page = host.runs().events(run, last, PAGE).await?;
            let is_last = page.len() < PAGE;
            for event in page {
                last = event.seq;
                match event.body {
                    EventBody::RunCreated(created) => {
                        first = Some((created.bundle.clone(), created.isolated));
                    }
                    EventBody::RunMigrated { hash, bundle, .. } => {
                        moved.push(Moved { at: event.at, bundle: hash });
                        newer = Some(bundle);
                    }
                    _ => {}
                }
            }
            if is_last {
                break;
            }
        }
        let Some((created, isolated)) = first else {
            return Err(ServiceError::new(Code::Damaged, format!("run `{run}` has no first event")));
        };
        let bundle = match newer {
            Some(bundle) => bundle,
            None => host.runs().bundle(&created).await?,
        };
        let hash = moved.last().map_or(created, |moved| moved.bundle.clone());
        Ok(Self { bundle, hash, isolated, moved })
    }
}
