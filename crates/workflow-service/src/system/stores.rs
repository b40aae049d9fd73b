//! The stores of runs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::status::RunStatus;
use workflow_core::store::RunFilter;

use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Lists the stores of runs of this host, with how many runs they have.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stores {}

/// The stores of a host.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoreList {
    /// The stores.
    pub stores: Vec<StoreInfo>,
}

/// A store of runs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoreInfo {
    /// Where it is, for people, without passwords; absent if the host does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// After how many milliseconds without a sign of life another process may take over a run; absent if it can tell at once
    /// that a process has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
    /// How many runs there are with each status that a run has.
    pub runs: BTreeMap<String, u64>,
}

impl Operation for Stores {
    const NAME: &'static str = "workflow:stores";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Lists the stores of runs of this host, with how many runs of each status they have.";
    type Response = StoreList;

    async fn run(self, host: &Host, _: &Caller) -> Result<StoreList, ServiceError> {
        let mut runs = BTreeMap::new();
        for status in RunStatus::ALL {
            let count = host.runs().count(&RunFilter::all().status(*status)).await?;
            if count > 0 {
                runs.insert(status.to_string(), count);
            }
        }
        let lease = host.engine().store().lease_time();
        let store = StoreInfo {
            place: host.store_place().map(str::to_owned),
            lease_ms: lease.map(|lease| u64::try_from(lease.as_millis()).unwrap_or(u64::MAX)),
            runs,
        };
        Ok(StoreList { stores: vec![store] })
    }
}
