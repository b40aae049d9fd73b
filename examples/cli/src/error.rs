//! Errors of commands, with their messages and exit codes.

use std::io;
use std::path::PathBuf;

use workflow_core::catalog::CatalogError;
use workflow_core::ids::RunId;
use workflow_core::store::StoreError;
use workflow_exec::{ControlRefusal, ControlRefused, EngineError};
use workflow_service::{Code, Envelope, ServiceError};

use crate::exit::Exit;
use crate::words;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An operation of the service failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The engine refused.
    #[error(transparent)]
    Engine(EngineError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The URL of the store is invalid.
    #[error("the store (`--store`, or WORKFLOW_STORE): {0}")]
    BadStore(String),
    /// There is no such store.
    #[error("the store {0} does not exist yet (`workflow run` creates it)")]
    NoStore(String),
    /// A definition has errors; they have been shown.
    #[error("{0} is not a valid workflow")]
    Invalid(String),
    /// The request is not possible for a run that has ended.
    #[error("run `{run}` cannot be {what}: it has ended ({status}){}", instead(run, what, status))]
    Ended {
        /// The run.
        run: String,
        /// What was asked for, as a participle.
        what: &'static str,
        /// How it ended.
        status: String,
    },
    /// The run belongs to another program.
    #[error(
        "run `{0}` was written by another program: only that program can show or change it, and its files are not changed"
    )]
    Foreign(String),
    /// The name matches several runs.
    #[error("{0}")]
    Ambiguous(String),
    /// The command refuses, for the given reason.
    #[error("{0}")]
    Refused(String),
    /// A run has no such stage.
    #[error("{0}")]
    NoStage(String),
    /// The run refused the control request.
    #[error("run `{run}`: {}", if refused.code == ControlRefusal::Ended { "it has ended" } else { &refused.reason })]
    ControlRefused {
        /// The run.
        run: RunId,
        /// Why.
        refused: ControlRefused,
    },
    /// The run has no such question.
    #[error("{0}")]
    NothingAsked(String),
    /// An answer that cannot be given, or a run that does not ask for one.
    #[error("{0}")]
    NoAnswer(String),
    /// A process of a call wants to answer for a person.
    #[error(
        "run `{0}` cannot be answered by a process that one of its own calls started (WORKFLOW_CALL): a person answers, \
         from another terminal"
    )]
    OwnCall(RunId),
    /// There is no worktree for a run, or none of it.
    #[error("{0}")]
    NoWorktree(String),
    /// The runs of a store are not driven.
    #[error(
        "the runs of {store} are not driven: this program has not created that store for you (its id is not in {known}), \
         and its runs can execute commands here. Inspect them with `workflow runs` and `workflow show`, and add \
         --trust-store if you trust their origin"
    )]
    Untrusted {
        /// The store.
        store: String,
        /// Where the ids of known stores are.
        known: String,
    },
    /// A file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Signals cannot be received, or threads not started.
    #[error("{0}")]
    System(io::Error),
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(io::Error),
}

/// A hint how to repeat a run that has ended and so cannot be resumed.
fn instead(run: &str, what: &str, status: &str) -> String {
    if what == "resumed" { format!("; {}", words::instead(run, status == "failed")) } else { String::new() }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => Self::Store(error),
            EngineError::Catalog(error) => Self::Catalog(error),
            error => Self::Engine(error),
        }
    }
}

impl Error {
    /// The exit code of the error.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::ControlRefused { refused, .. } if refused.code == ControlRefusal::InvalidAnswer => {
                return Exit::INVALID;
            }
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return Exit::DONE,
            _ => {}
        }
        match self.code() {
            Code::Refused => Exit::REFUSED,
            Code::InvalidRequest
            | Code::InvalidDefinition
            | Code::InvalidInputs
            | Code::OtherInputs
            | Code::Exists
            | Code::NoSuchPoint
            | Code::CannotMigrate
            | Code::InUse
            | Code::Protected
            | Code::ReadOnly
            | Code::TooLarge => Exit::INVALID,
            _ => Exit::UNAVAILABLE,
        }
    }

    /// The code that the service has for such an error.
    fn code(&self) -> Code {
        match self {
            Self::Service(error) => error.code,
            Self::Engine(error) => ServiceError::from(error.clone()).code,
            Self::Store(error) => ServiceError::from(error.clone()).code,
            Self::Catalog(error) => ServiceError::from(error.clone()).code,
            Self::ControlRefused { .. } | Self::Ended { .. } | Self::NothingAsked(_) | Self::OwnCall(_) => {
                Code::Refused
            }
            Self::Invalid(_) => Code::InvalidDefinition,
            Self::BadStore(_)
            | Self::Ambiguous(_)
            | Self::NoStage(_)
            | Self::Refused(_)
            | Self::NoAnswer(_)
            | Self::NoWorktree(_) => Code::InvalidRequest,
            Self::NoStore(_) => Code::NotFound,
            Self::Foreign(_) | Self::Untrusted { .. } => Code::NotTrusted,
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => Code::NotFound,
            Self::File { .. } | Self::System(_) | Self::Output(_) => Code::Unavailable,
        }
    }

    /// The error as the service would return it.
    pub(crate) fn envelope(&self) -> Envelope {
        let error = match self {
            Self::Service(error) => error.clone(),
            Self::Engine(error) => error.clone().into(),
            Self::ControlRefused { refused, .. } => refused.clone().into(),
            error => ServiceError::new(error.code(), error.to_string()),
        };
        Err(error).into()
    }
}
