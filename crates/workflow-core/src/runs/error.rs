//! Why an operation of an engine failed.

use std::sync::Arc;

use crate::catalog::CatalogError;
use crate::definition::Diagnostics;
use crate::ids::{InvalidId, RunId, WorkflowId};
use crate::machine::Broken;
use crate::redact::{TooLong, UnfitSecret};
use crate::store::StoreError;

/// Why an engine could not be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two providers were registered under one name.
    #[error("two providers are registered as `{0}`: give each a name of its own")]
    DuplicateProvider(Arc<str>),
    /// A provider was registered under a name that no definition should use.
    #[error("a provider cannot be registered as {name:?}: {problem}")]
    InvalidProviderName {
        /// The name.
        name: Arc<str>,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The default provider is not registered.
    #[error(
        "the default provider `{name}` is not registered (registered: {}): register it with `EngineBuilder::provider`",
        if .known.is_empty() { "none".to_owned() } else { .known.join(", ") }
    )]
    UnknownDefaultProvider {
        /// Its name.
        name: String,
        /// The names of the registered providers.
        known: Vec<String>,
    },
}

/// Why an operation of the engine failed.
///
/// ```
/// use workflow_core::runs::EngineError;
/// use workflow_core::store::StoreError;
///
/// let error = EngineError::from(StoreError::NotFound("run `r1`".to_owned()));
/// assert!(error.is_not_found() && !error.is_retryable());
/// assert_eq!(error.to_string(), "run `r1` was not found");
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The engine was shut down.
    #[error(
        "the engine has been shut down: it starts and drives no more runs; build another engine for that"
    )]
    ShutDown,
    /// The definition cannot be run.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
    /// The catalog failed, or has no such workflow.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A workflow was looked up by name, and the engine was built without a catalog.
    #[error("workflow `{0}` cannot be looked up: the engine has no catalog")]
    NoCatalog(WorkflowId),
    /// Variables that the workflow needs are missing, or of another type.
    #[error("the run cannot start: {}", .0.join("; "))]
    Variables(Vec<String>),
    /// Labels of the new run are [invalid](crate::labels::check_labels).
    #[error("the run cannot start: {}", .0.join("; "))]
    Labels(Vec<String>),
    /// An option of the new run does not fit its workflow.
    #[error("the run cannot start: {0}")]
    Option(String),
    /// The engine was built without a spawner.
    #[error(
        "the engine has no spawner to drive runs in the background: drive the run yourself with `Engine::drive`"
    )]
    NoSpawner,
    /// A run with that id exists and was started with another workflow or other inputs.
    #[error(
        "run `{0}` exists already and was started with another workflow, or with other variables, labels or options"
    )]
    OtherInputs(RunId),
    /// A run id is invalid.
    #[error(transparent)]
    BadId(#[from] InvalidId),
    /// The workflow is used by runs that have not ended.
    #[error("workflow `{workflow}` is in use by {}", list(.runs))]
    InUse {
        /// The workflow.
        workflow: WorkflowId,
        /// The runs.
        runs: Vec<RunId>,
    },
    /// A run cannot be deleted because of runs that have not ended: those that its nodes have started, or the one that has
    /// started it.
    #[error("run `{run}` cannot be deleted: {why} ({})", list(.runs))]
    Linked {
        /// The run.
        run: RunId,
        /// The runs that have to end first: the first ten of them.
        runs: Vec<RunId>,
        /// How they belong to it.
        why: &'static str,
    },
    /// A run has no point of which a fork could be made.
    #[error("run `{run}` cannot be forked there: {what}")]
    NoSuchPoint {
        /// The run.
        run: RunId,
        /// What the run does not have, with the points that it does have.
        what: String,
    },
    /// A run cannot be moved to the newer definition.
    #[error("run `{run}` cannot be moved to the newer definition: {}", .obstacles.join("; "))]
    CannotMigrate {
        /// The run.
        run: RunId,
        /// The reasons, one line each.
        obstacles: Vec<String>,
    },
    /// Code that the host plugged in panicked, and the engine cannot continue without its result. A run that
    /// was being driven can be resumed.
    #[error("{what} panicked: {message}")]
    Panicked {
        /// The component that panicked, or what it was doing.
        what: String,
        /// The text of the panic.
        message: String,
    },
    /// The future that drove a run was dropped by the spawner, or by its runtime. The run can be resumed.
    #[error("run `{0}`: the spawner dropped the future that drove it")]
    Dropped(RunId),
    /// The run was driven here, and another process has claimed it since: this process was suspended, or cut
    /// off from the store, for longer than a lease is valid. Its calls here were stopped.
    #[error(
        "run `{run}` was taken over by {} while this process was suspended or cut off from the store",
        .holder.as_deref().unwrap_or("another process")
    )]
    TakenOver {
        /// The run.
        run: RunId,
        /// The process that drives it now, for a person to read.
        holder: Option<String>,
    },
    /// The store failed, or does not let the run be driven from here.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run's log cannot be continued.
    #[error("run `{run}`: {source}")]
    Broken {
        /// The run.
        run: RunId,
        /// What is wrong with it.
        source: Broken,
    },
    /// A secret cannot be redacted from outputs.
    #[error(transparent)]
    Secret(#[from] UnfitSecret),
    /// A value that is given to a run holds a secret of its workflow, and would be stored.
    #[error(
        "{place} holds the secret `{secret}`, and is stored with the run: leave the secret out, and write \
         `${{secrets.{secret}}}` in the workflow where it is needed"
    )]
    SecretInValue {
        /// What holds it: a variable, an output.
        place: String,
        /// The name of the secret.
        secret: String,
    },
    /// The secrets together are too large to be searched for in outputs.
    #[error(transparent)]
    Secrets(#[from] TooLong),
    /// Calls of the run may have received secrets that this process does not have, so they cannot be redacted
    /// from what the run stores. A process that has them can drive the run.
    #[error(
        "run `{run}` may have used secrets that are not known here ({}), so they cannot be kept out of its output: \
         provide them, and resume the run",
        .names.join(", ")
    )]
    SecretsMissing {
        /// The run.
        run: RunId,
        /// The names of the secrets.
        names: Vec<String>,
    },
    /// The engine has a key, and the run is not signed with it.
    #[error(
        "run `{run}` is not driven here: {problem}, and this engine drives only runs that are signed with its key"
    )]
    NotSigned {
        /// The run.
        run: RunId,
        /// What is wrong.
        problem: String,
    },
    /// A worker does not take the run.
    #[error("run `{run}` is not driven by this worker: {reason}")]
    NotSelected {
        /// The run.
        run: RunId,
        /// Why.
        reason: String,
    },
    /// Processes that a dead host left running could not be stopped, so the run must not continue.
    #[error("run `{run}`: processes of an earlier call of {path} may still be running: {message}")]
    NotReclaimed {
        /// The run.
        run: RunId,
        /// The node.
        path: String,
        /// What the provider said.
        message: String,
    },
}

impl EngineError {
    /// Whether the run or the definition does not exist.
    ///
    /// ```
    /// use workflow_core::{runs::EngineError, store::StoreError};
    ///
    /// let missing = EngineError::from(StoreError::NotFound("run `r1`".to_owned()));
    /// assert!(missing.is_not_found() && !missing.is_held() && !missing.is_retryable());
    /// ```
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Store(error) => error.is_not_found(),
            Self::Catalog(error) => error.is_not_found(),
            _ => false,
        }
    }

    /// Whether another process or engine drives the run.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::TakenOver { .. }) || matches!(self, Self::Store(error) if error.is_held())
    }

    /// Whether there is something else than the caller expected: a run of that id with other inputs, a newer
    /// definition, runs that use the workflow, or that belong to the run.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::OtherInputs(_) | Self::InUse { .. } | Self::Linked { .. } => true,
            Self::Store(error) => error.is_conflict(),
            Self::Catalog(error) => error.is_conflict(),
            _ => false,
        }
    }

    /// Whether the same call may succeed later without anything being changed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::TakenOver { .. } | Self::Dropped(_) | Self::NotReclaimed { .. } => true,
            Self::Store(error) => error.is_retryable(),
            Self::Catalog(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// Whether the operation may have taken effect, fully or in part, although it failed: a run that was to
    /// be created may exist. Starting again with the same [run id](super::StartRun::run_id) is safe.
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Panicked { .. } => true,
            Self::Store(error) => error.is_outcome_unknown(),
            Self::Catalog(error) => error.is_outcome_unknown(),
            _ => false,
        }
    }
}

fn list(runs: &[RunId]) -> String {
    let names: Vec<_> = runs.iter().map(|run| format!("run `{run}`")).collect();
    names.join(", ")
}
