//! Why a command did not do what it was asked to.

use std::io;
use std::path::PathBuf;

use workflow_core::catalog::CatalogError;
use workflow_core::ids::RunId;
use workflow_core::store::StoreError;
use workflow_exec::{ControlRefusal, ControlRefused, EngineError};

use crate::exit::Exit;
use crate::words;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The engine refused.
    #[error(transparent)]
    Engine(EngineError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// What was said of the store makes no sense.
    #[error("the store (`--store`, or WORKFLOW_STORE): {0}")]
    BadStore(String),
    /// There is no such store.
    #[error("there is no store yet: {0} (`workflow run` makes it)")]
    NoStore(String),
    /// A definition has errors; they have been shown.
    #[error("{0} is not a valid workflow")]
    Invalid(String),
    /// It makes no sense for a run that has ended.
    #[error("run `{run}` cannot be {what}: it has ended ({status}){}", instead(run, what, status))]
    Ended {
        /// The run.
        run: String,
        /// What was asked for, as a participle.
        what: &'static str,
        /// How it ended.
        status: String,
    },
    /// The run is another program's.
    #[error(
        "run `{0}` was written by another program: its files in the home are left alone, and can be read only there"
    )]
    Foreign(String),
    /// Several runs are meant by one name.
    #[error("{0}")]
    Ambiguous(String),
    /// It is not done, for the reason that is given.
    #[error("{0}")]
    Refused(String),
    /// A run has no such stage.
    #[error("{0}")]
    NoStage(String),
    /// The run refused what was asked of it.
    #[error("run `{run}`: {}", if refused.code == ControlRefusal::Ended { "it has ended" } else { &refused.reason })]
    ControlRefused {
        /// The run.
        run: RunId,
        /// Why.
        refused: ControlRefused,
    },
    /// The run does not ask what was answered.
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
        "the runs of {store} are not driven: this program has not made that store for you (its id is not in {known}), and \
         whoever wrote it could execute commands here. Look at them (`workflow runs`, `show`), and add --trust-store if \
         you know where it comes from"
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
    /// Signals or threads cannot be had.
    #[error("{0}")]
    System(io::Error),
    /// Standard output cannot be written.
    #[error("standard output: {0}")]
    Output(io::Error),
}

/// What can be done with a run that has ended, where somebody wanted it to do more.
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
    /// The exit code that says so.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::ControlRefused { refused, .. } if refused.code == ControlRefusal::InvalidAnswer => {
                Exit::INVALID
            }
            Self::ControlRefused { .. } | Self::Ended { .. } | Self::NothingAsked(_) | Self::OwnCall(_) => {
                Exit::REFUSED
            }
            Self::Invalid(_)
            | Self::BadStore(_)
            | Self::Ambiguous(_)
            | Self::NoStage(_)
            | Self::Refused(_)
            | Self::NoAnswer(_)
            | Self::NoWorktree(_)
            | Self::Engine(
                EngineError::Invalid(_)
                | EngineError::Variables(_)
                | EngineError::Labels(_)
                | EngineError::SecretInValue { .. }
                | EngineError::OtherInputs(_)
                | EngineError::BadId(_)
                | EngineError::NoSuchPoint { .. }
                | EngineError::CannotMigrate { .. },
            )
            | Self::Catalog(CatalogError::Invalid(_) | CatalogError::Exists(_)) => Exit::INVALID,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::DONE,
            _ => Exit::UNAVAILABLE,
        }
    }
}
