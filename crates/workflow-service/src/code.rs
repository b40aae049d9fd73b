//! The codes of errors.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The code of an error: closed, stable between versions, with one HTTP status each.
///
/// ```
/// use workflow_service::Code;
///
/// assert_eq!((Code::NotFound.as_str(), Code::NotFound.http_status()), ("not_found", 404));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request is not valid JSON, or does not have the operation's members and types.
    InvalidRequest,
    /// The caller did not say who it is, or not in a valid way.
    Unauthenticated,
    /// The caller may not use the operation, or not on this workflow or run.
    Forbidden,
    /// The workflow, run, role or other thing does not exist.
    NotFound,
    /// There is no operation of that name in this version.
    UnknownOperation,
    /// Something of that id exists already.
    Exists,
    /// The text has changed since the caller read it: read it again.
    Stale,
    /// The workflow or file cannot be changed here.
    ReadOnly,
    /// The workflow says `protected: true`: it is neither changed nor deleted until that is removed.
    Protected,
    /// Runs that have not ended use the workflow, or belong to the run: their ids are in `details.runs`.
    InUse,
    /// There is a run of that id with another workflow, other variables, labels or options.
    OtherInputs,
    /// Another process drives the run.
    Held,
    /// The run refused the control request: `details.refusal` says why.
    Refused,
    /// The definition has errors: `details.diagnostics`.
    InvalidDefinition,
    /// Variables or labels are missing or wrong: `details.problems`.
    InvalidInputs,
    /// The run has no such stage, node or event to continue from.
    NoSuchPoint,
    /// The run cannot be moved to the newer definition: `details.obstacles`.
    CannotMigrate,
    /// The request, or what it asks for, is larger than allowed.
    TooLarge,
    /// The caller sends more requests than allowed: try again later.
    TooManyRequests,
    /// The caller's version and this one do not fit: update the one that the message names.
    VersionMismatch,
    /// The run is not signed with this engine's key, or a secret would be stored: `message` says which.
    NotTrusted,
    /// The host was built without what the operation needs.
    NotSupported,
    /// The caller cancelled the request.
    Cancelled,
    /// The service is shutting down.
    ShuttingDown,
    /// The store, the catalog or the disk is not available: try again later. The change may have been made.
    Unavailable,
    /// What is stored cannot be read.
    Damaged,
    /// A fault in the host or in this library.
    Internal,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 27] = [
        Self::InvalidRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::UnknownOperation,
        Self::Exists,
        Self::Stale,
        Self::ReadOnly,
        Self::Protected,
        Self::InUse,
        Self::OtherInputs,
        Self::Held,
        Self::Refused,
        Self::InvalidDefinition,
        Self::InvalidInputs,
        Self::NoSuchPoint,
        Self::CannotMigrate,
        Self::TooLarge,
        Self::TooManyRequests,
        Self::VersionMismatch,
        Self::NotTrusted,
        Self::NotSupported,
        Self::Cancelled,
        Self::ShuttingDown,
        Self::Unavailable,
        Self::Damaged,
        Self::Internal,
    ];

    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::UnknownOperation => "unknown_operation",
            Self::Exists => "exists",
            Self::Stale => "stale",
            Self::ReadOnly => "read_only",
            Self::Protected => "protected",
            Self::InUse => "in_use",
            Self::OtherInputs => "other_inputs",
            Self::Held => "held",
            Self::Refused => "refused",
            Self::InvalidDefinition => "invalid_definition",
            Self::InvalidInputs => "invalid_inputs",
            Self::NoSuchPoint => "no_such_point",
            Self::CannotMigrate => "cannot_migrate",
            Self::TooLarge => "too_large",
            Self::TooManyRequests => "too_many_requests",
            Self::VersionMismatch => "version_mismatch",
            Self::NotTrusted => "not_trusted",
            Self::NotSupported => "not_supported",
            Self::Cancelled => "cancelled",
            Self::ShuttingDown => "shutting_down",
            Self::Unavailable => "unavailable",
            Self::Damaged => "damaged",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status of a response with this code.
    pub fn http_status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden | Self::ReadOnly | Self::Protected | Self::NotTrusted => 403,
            Self::NotFound | Self::UnknownOperation => 404,
            Self::Exists
            | Self::Stale
            | Self::InUse
            | Self::OtherInputs
            | Self::Held
            | Self::Refused
            | Self::CannotMigrate => 409,
            Self::TooLarge => 413,
            Self::InvalidDefinition | Self::InvalidInputs | Self::NoSuchPoint => 422,
            Self::VersionMismatch => 426,
            Self::TooManyRequests => 429,
            Self::Cancelled => 499,
            Self::Damaged | Self::Internal => 500,
            Self::NotSupported => 501,
            Self::ShuttingDown | Self::Unavailable => 503,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
