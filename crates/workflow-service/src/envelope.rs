//! The envelope of every response.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::ServiceError;

/// The response to a call: `{ "success": true, "data": … }` or `{ "success": false, "error": { … } }`.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Envelope {
    /// Whether the operation succeeded.
    pub success: bool,
    /// The response as JSON, if it succeeded; `null` where the operation returns nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ServiceError>,
}

impl Envelope {
    /// The envelope as JSON text.
    pub fn to_json(&self) -> String {
        // Neither part can fail to be written: one is JSON already, the other has no maps with other keys than texts.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl From<Result<Box<RawValue>, ServiceError>> for Envelope {
    fn from(result: Result<Box<RawValue>, ServiceError>) -> Self {
        match result {
            Ok(data) => Self { success: true, data: Some(data), error: None },
            Err(error) => Self { success: false, data: None, error: Some(error) },
        }
    }
}
