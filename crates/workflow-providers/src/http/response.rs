//! What a response means.

use hyper::StatusCode;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use workflow_core::data::Data;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, ProviderError, Reply};

use super::options::{Expect, HttpOptions, Kind, Returns};
use crate::client::{self, Incoming, resets};
use crate::failure::{Here, Reason, Refusal};

/// How many bytes of a body a failure contains, and how many its message.
const EXCERPT: usize = 4 * 1024;
const LINE: usize = 300;

/// A complete response.
pub(super) struct Response<'n> {
    /// The method and the address.
    pub(super) name: &'n str,
    pub(super) incoming: Incoming,
    pub(super) body: Vec<u8>,
}

impl Response<'_> {
    /// The reply, or the failure.
    pub(super) fn judge(self, options: &HttpOptions, context: &CallContext) -> Result<Reply, ProviderError> {
        let status = self.incoming.status;
        context.output(
            OutputKind::Log,
            format!("{} answered {status}, {} bytes", self.incoming.url, self.body.len()),
        );
        let body = self.read(&options.expect);
        if !options.expect.allows(status) {
            let failure = self.failure(context);
            return Err(match body {
                Ok(body) if !body.is_null() => failure.with_output(body),
                _ => failure,
            });
        }
        let body = body.map_err(|problem| {
            let message = format!("{}: {problem}", self.name);
            let details = json!({ "reason": Reason::Refused, "status": status.as_u16(), "body": self.excerpt(context, EXCERPT) });
            ProviderError::invalid_output(message).with_details(details)
        })?;
        let details =
            json!({ "status": status.as_u16(), "url": self.incoming.url, "bytes": self.body.len() });
        let output = match options.returns {
            Returns::Body => body,
            Returns::Response => self.whole(&body),
        };
        Ok(Reply { details: Some(Box::new(details)), ..Reply::data(output) })
    }

    /// The body as it says that it is.
    fn read(&self, expect: &Expect) -> Result<Data, String> {
        if self.body.is_empty() && expect.kind.is_none() {
            return Ok(Data::default());
        }
        if let Some(encoding) = self.incoming.header("content-encoding").filter(|name| *name != "identity") {
            return Err(format!("the response is encoded as `{encoding}`, which was not requested"));
        }
        let text = std::str::from_utf8(&self.body).map_err(|_| "the response is not text in UTF-8")?;
        let says_json = || {
            let kind = self.incoming.header("content-type").unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            kind == "application/json" || kind.ends_with("+json")
        };
        if expect.kind == Some(Kind::Json) || (expect.kind.is_none() && says_json()) {
            let text = text.trim_start_matches('\u{feff}');
            return Data::parse(text).map_err(|error| format!("the response is not JSON: {error}"));
        }
        Ok(Data::new(&text.into()))
    }

    fn whole(&self, body: &Data) -> Data {
        let headers = self.incoming.headers.iter().filter_map(|(name, value)| {
            let value = value.to_str().ok()?;
            Some((name.as_str().to_owned(), Value::from(value)))
        });
        let headers = Data::new(&headers.collect::<Map<_, _>>().into());
        let status = Data::new(&self.incoming.status.as_u16().into());
        Data::object([("status", &status), ("headers", &headers), ("body", body)])
    }

    fn failure(&self, context: &CallContext) -> ProviderError {
        let status = self.incoming.status;
        let here = Here { now: context.now(), zone: &TimeZone::UTC };
        let told = resets(&self.incoming.headers, &here);
        let reason = match status.as_u16() {
            429 => Reason::RateLimited,
            403 if told.is_some() => Reason::RateLimited,
            503 if told.is_some() => Reason::Throttled,
            408 | 425 | 500 | 502..=599 => Reason::Overloaded,
            0..400 => Reason::Unexpected,
            _ => Reason::Refused,
        };
        let text = self.excerpt(context, LINE);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut message = format!("{} answered {status}", self.name);
        if !text.is_empty() {
            message.extend([": ", &text]);
        }
        let hint = self.excerpt(context, EXCERPT);
        let refusal = Refusal { reason, message: &message, advice: "", resets: told, hint: &hint };
        let mut error = refusal.error(context.id().attempt, &here);
        if let Some(details) = &mut error.failure.details {
            details["status"] = status.as_u16().into();
            details["body"] = hint.into();
        }
        error
    }

    /// The beginning of the body, without secrets.
    fn excerpt(&self, context: &CallContext, limit: usize) -> String {
        client::excerpt(&self.body, limit, &context.redactor())
    }
}

impl Expect {
    fn allows(&self, status: StatusCode) -> bool {
        if self.status.is_empty() { status.is_success() } else { self.status.contains(&status.as_u16()) }
    }
}
