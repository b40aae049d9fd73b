//! Whether the host works, and what is missing.

use futures::future::join3;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::provider::Checkup;
use workflow_core::store::RunFilter;

use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Checks the host: asks the programs of its providers for their versions and login status, and reads its store and its
/// catalog. Calls no model, and reads no secrets.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Doctor {}

/// What was found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Diagnosis {
    /// The version of this library.
    pub version: String,
    /// The providers that drive a program which can be asked, by name.
    pub providers: Vec<ProviderCheck>,
    /// The store of runs.
    pub store: StoreCheck,
    /// The catalog of workflows; absent if the host has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<CatalogCheck>,
}

/// What the program of a provider reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProviderCheck {
    /// The provider.
    pub provider: String,
    /// The program that was asked.
    pub program: String,
    /// Its version; null if it is not known.
    pub version: Option<String>,
    /// Why the version is not known: the program is not installed, for instance.
    pub problem: Option<String>,
    /// The version that the provider was developed and tested with.
    pub tested: String,
    /// Whether the version is of the tested series.
    pub is_tested: bool,
    /// The login status as its program reports it; null if the program has no command for that.
    pub login: Option<String>,
    /// The names of the environment variables with keys that are set for it.
    pub keys: Vec<String>,
}

impl ProviderCheck {
    fn new(provider: &str, checkup: Checkup) -> Self {
        let is_tested = checkup.is_tested();
        let (version, problem) = match checkup.version {
            Ok(version) => (Some(version), None),
            Err(problem) => (None, Some(problem)),
        };
        Self {
            provider: provider.to_owned(),
            program: checkup.program,
            version,
            problem,
            tested: checkup.tested.to_owned(),
            is_tested,
            login: checkup.login,
            keys: checkup.keys.into_iter().map(str::to_owned).collect(),
        }
    }
}

/// Whether the store of runs can be read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoreCheck {
    /// Why it cannot be read; absent if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Whether the workflows can be read.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CatalogCheck {
    /// How many workflows there are.
    pub workflows: usize,
    /// Why they cannot be read; absent if they can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Operation for Doctor {
    const NAME: &'static str = "workflow:doctor";
    const SCOPE: Scope = Scope::Run;
    const ABOUT: &'static str = "Checks the host: the programs of its providers, their versions and login status, its store and its catalog.";
    type Response = Diagnosis;

    async fn run(self, host: &Host, _: &Caller) -> Result<Diagnosis, ServiceError> {
        let one = RunFilter::all().limit(1);
        let catalog = async {
            let catalog = host.catalog().ok()?;
            Some(match catalog.list().await {
                Ok(workflows) => CatalogCheck { workflows: workflows.len(), problem: None },
                Err(error) => CatalogCheck { workflows: 0, problem: Some(error.to_string()) },
            })
        };
        let (checkups, store, catalog) =
            join3(host.engine().checkups(), host.runs().list(&one), catalog).await;
        Ok(Diagnosis {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            providers: checkups
                .into_iter()
                .map(|(name, checkup)| ProviderCheck::new(name, checkup))
                .collect(),
            store: StoreCheck { problem: store.err().map(|error| error.to_string()) },
            catalog,
        })
    }
}
