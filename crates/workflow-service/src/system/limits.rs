//! How many calls of providers may run at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Lists the limits of calls that run at once, and what is used of them in this process.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {}

/// The limits of a process.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LimitList {
    /// The limits, by provider. A provider without a limit is not listed.
    pub limits: Vec<LimitInfo>,
}

/// The limit of a provider.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LimitInfo {
    /// The provider.
    pub provider: String,
    /// How many calls may run at once.
    pub limit: usize,
    /// How many slots are taken.
    pub used: usize,
    /// How many calls wait for a slot.
    pub queued: usize,
}

impl Operation for Limits {
    const NAME: &'static str = "workflow:limits";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Lists how many calls of each provider may run at once in this process, how many do, and how many wait.";
    type Response = LimitList;

    async fn run(self, host: &Host, _: &Caller) -> Result<LimitList, ServiceError> {
        let usage = host.engine().limits().usage().into_iter();
        let limits = usage.map(|usage| LimitInfo {
            provider: usage.provider.to_string(),
            limit: usage.limit,
            used: usage.used,
            queued: usage.queued,
        });
        Ok(LimitList { limits: limits.collect() })
    }
}
