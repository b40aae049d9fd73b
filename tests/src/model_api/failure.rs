//! The vendors' error responses.

use serde_json::{Value, json};

use super::serve::Api;

/// The body of an error.
pub(super) fn body(api: Api, status: u16) -> Value {
    match api {
        Api::Anthropic => {
            let kind = match status {
                400 => "invalid_request_error",
                401 => "authentication_error",
                403 => "permission_error",
                404 => "not_found_error",
                429 => "rate_limit_error",
                529 => "overloaded_error",
                _ => "api_error",
            };
            let message = match status {
                401 => "invalid x-api-key".to_owned(),
                429 => "rate limited by fake".to_owned(),
                500 => "Internal server error".to_owned(),
                529 => "Overloaded".to_owned(),
                _ => other(status),
            };
            json!({
                "type": "error",
                "error": { "type": kind, "message": message },
                "request_id": "req_fake",
            })
        }
        Api::Gemini => {
            let name = match status {
                400 => "INVALID_ARGUMENT",
                401 => "UNAUTHENTICATED",
                403 => "PERMISSION_DENIED",
                429 => "RESOURCE_EXHAUSTED",
                500 => "INTERNAL",
                503 => "UNAVAILABLE",
                _ => "UNKNOWN",
            };
            json!({ "error": { "code": status, "message": other(status), "status": name } })
        }
        Api::Responses | Api::Chat => {
            let (code, message) = match status {
                // It repeats the key, as the vendor's message does in part: a provider must redact it.
                401 => ("invalid_api_key", "Incorrect API key provided: test-key.".to_owned()),
                429 => ("rate_limit_exceeded", other(status)),
                _ => ("server_error", other(status)),
            };
            let kind = if status < 500 { "invalid_request_error" } else { "server_error" };
            json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
        }
    }
}

fn other(status: u16) -> String {
    format!("fake error {status}")
}
