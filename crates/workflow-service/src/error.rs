//! Why an operation failed.

use schemars::JsonSchema;
use serde::{Deserialize as _, Serialize};
use serde_json::{Value, json};
use workflow_core::catalog::CatalogError;
use workflow_core::definition::Diagnostics;
use workflow_core::runs::{ControlRefused, EngineError};
use workflow_core::store::StoreError;

use crate::camel;
use crate::code::Code;
use crate::problem::Problem;

/// Why an operation failed, as callers see it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct ServiceError {
    /// The code, for programs.
    pub code: Code,
    /// What failed, where, and what to do, for people.
    pub message: String,
    /// More, depending on the code: `diagnostics`, `problems`, `runs`, `obstacles`, `refusal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl ServiceError {
    /// An error without details.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None }
    }

    /// The caller may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, message)
    }

    /// The request cannot be understood.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, message)
    }

    /// Something does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// The errors and warnings of a definition that was refused; none of other errors.
    pub fn problems(&self) -> Vec<Problem> {
        let found = self.details.as_ref().and_then(|details| details.get("diagnostics"));
        found.and_then(|found| Vec::deserialize(found).ok()).unwrap_or_default()
    }

    /// The same with details.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}

impl From<Diagnostics> for ServiceError {
    fn from(diagnostics: Diagnostics) -> Self {
        let message = diagnostics.to_string();
        let problems: Vec<_> = diagnostics.0.into_iter().map(Problem::from).collect();
        let details = camel::to_value(&problems).map(|problems| json!({ "diagnostics": problems }));
        Self { code: Code::InvalidDefinition, message, details: details.ok() }
    }
}

impl From<ControlRefused> for ServiceError {
    fn from(refused: ControlRefused) -> Self {
        let refusal = serde_json::to_value(refused.code).unwrap_or_default();
        Self::new(Code::Refused, refused.reason).with_details(json!({ "refusal": refusal }))
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::NotFound(_) => Code::NotFound,
            StoreError::Exists(_) => Code::Exists,
            StoreError::Corrupt { .. } => Code::Damaged,
            StoreError::Closed(_) => Code::ShuttingDown,
            StoreError::Held { .. }
            | StoreError::Fenced(_)
            | StoreError::Expired
            | StoreError::Queued { .. }
            | StoreError::Conflict { .. } => Code::Held,
            StoreError::Busy { .. } => Code::InUse,
            _ => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<CatalogError> for ServiceError {
    fn from(error: CatalogError) -> Self {
        let code = match &error {
            CatalogError::NotFound(_) => Code::NotFound,
            CatalogError::Exists(_) => Code::Exists,
            CatalogError::Stale(_) => Code::Stale,
            CatalogError::ReadOnly(_) => Code::ReadOnly,
            CatalogError::Protected(_) => Code::Protected,
            CatalogError::Invalid(_) => Code::InvalidDefinition,
            _ => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<EngineError> for ServiceError {
    fn from(error: EngineError) -> Self {
        let message = error.to_string();
        match error {
            EngineError::Invalid(diagnostics) => diagnostics.into(),
            EngineError::Catalog(error) => error.into(),
            EngineError::Store(error) => error.into(),
            EngineError::NoCatalog(_) => Self::new(Code::NotSupported, message),
            EngineError::Variables(problems) | EngineError::Labels(problems) => {
                Self::new(Code::InvalidInputs, message).with_details(json!({ "problems": problems }))
            }
            EngineError::OtherInputs(_) => Self::new(Code::OtherInputs, message),
            EngineError::BadId(_) => Self::new(Code::InvalidRequest, message),
            EngineError::InUse { runs, .. } | EngineError::Linked { runs, .. } => {
                Self::new(Code::InUse, message).with_details(json!({ "runs": runs }))
            }
            EngineError::NoSuchPoint { .. } => Self::new(Code::NoSuchPoint, message),
            EngineError::CannotMigrate { obstacles, .. } => {
                Self::new(Code::CannotMigrate, message).with_details(json!({ "obstacles": obstacles }))
            }
            EngineError::TakenOver { .. } | EngineError::NotSelected { .. } => Self::new(Code::Held, message),
            EngineError::ShutDown => Self::new(Code::ShuttingDown, message),
            EngineError::Option(_) | EngineError::SecretInValue { .. } => {
                Self::new(Code::InvalidInputs, message)
            }
            EngineError::NotSigned { .. } | EngineError::SecretsMissing { .. } => {
                Self::new(Code::NotTrusted, message)
            }
            EngineError::Broken { .. } => Self::new(Code::Damaged, message),
            EngineError::NotReclaimed { .. } | EngineError::Dropped(_) => {
                Self::new(Code::Unavailable, message)
            }
            _ => Self::new(Code::Internal, message),
        }
    }
}
