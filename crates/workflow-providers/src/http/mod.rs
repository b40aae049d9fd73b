//! HTTP requests as calls.

mod options;
mod outgoing;
mod response;

use std::sync::Arc;

use serde_json::Value;
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{
    CallContext, CallRequest, Checkup, Provider, ProviderError, Reply, async_trait,
};

use self::options::HttpOptions;
use self::response::Response;
use crate::client::{self, Client, Network, SendError, Unfinished, shown, within};
use crate::failure::Reason;

/// A provider that makes HTTP requests.
///
/// ```yaml
/// provider: http
/// with:
///   method: POST
///   url: https://api.example.com/issues
///   headers: { Authorization: "Bearer ${secrets.tracker}" }
///   query: { labels: [bug, urgent] }
///   body: { title: "${vars.title}" }       # JSON; a text is sent as it is
///   expect: { status: [201] }              # default: 200 to 299
/// ```
///
/// The output of the node is the body of the response: a value if it is JSON, else text, and null if it is empty.
///
/// A request can be sent again, by a retry or after a crash. So all but `GET`, `HEAD` and `OPTIONS` have a header
/// `Idempotency-Key` that is the same for each attempt ([`CallId::idempotency_key`]): services that know it carry out the
/// request once.
///
/// After 429, and after 403 and 503 that tell when to ask again (`Retry-After`, `RateLimit`, `X-RateLimit-Reset` and
/// their like), the run waits until then, and no retry is spent. Other errors of the service (408, 425, 5xx), and
/// connections that fail or break, are transient; all others are permanent.
///
/// Private addresses are refused unless the host allows them: see [`Network`]. Redirects are followed up to their number
/// in `redirects`; headers and bodies stay with the host that they were written for.
///
/// The future of a call works on any executor. Dropping it cancels the request.
///
/// [`CallId::idempotency_key`]: workflow_core::provider::CallId::idempotency_key
#[derive(Debug, Clone)]
pub struct HttpProvider {
    client: Client,
    settings: Arc<Settings>,
}

/// Configures an [`HttpProvider`].
#[derive(Debug, Clone)]
#[must_use]
pub struct HttpBuilder {
    network: Network,
    settings: Settings,
}

#[derive(Debug, Clone)]
struct Settings {
    max_response: usize,
}

impl HttpProvider {
    /// Creates a provider with the defaults of [`HttpBuilder`].
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Creates a builder for other settings than the defaults.
    pub fn builder() -> HttpBuilder {
        HttpBuilder { network: Network::public(), settings: Settings { max_response: 8 * 1024 * 1024 } }
    }
}

impl Default for HttpProvider {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpBuilder {
    /// Sets which addresses may be reached. Default: only public ones.
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Sets the maximum size of a response in bytes. A larger one is an error. Default: 8 MiB.
    pub fn max_response(mut self, bytes: usize) -> Self {
        self.settings.max_response = bytes;
        self
    }

    /// Builds the provider.
    pub fn build(self) -> HttpProvider {
        HttpProvider { client: Client::new(self.network), settings: Arc::new(self.settings) }
    }
}

#[async_trait]
impl Provider for HttpProvider {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let wrong = |problem: String| ProviderError::permanent(format!("with: {problem}"));
        let options = HttpOptions::read(&request.options).map_err(wrong)?;
        let outgoing = options.outgoing(&request).map_err(wrong)?;
        let name = format!("{} {}", outgoing.method, shown(&outgoing.uri));
        let work = async {
            context.output(OutputKind::Log, name.clone());
            let mut incoming = self.client.send(outgoing).await?;
            context.alive();
            let mut body = Vec::new();
            while let Some(chunk) = incoming.chunk().await {
                context.alive();
                body.extend_from_slice(&chunk?);
                if body.len() > self.settings.max_response {
                    let limit = self.settings.max_response;
                    let problem = format!("the response is larger than {limit} bytes");
                    return Err(SendError::Refused(problem));
                }
            }
            Ok(Response { name: &name, incoming, body })
        };
        match within(&context, options.timeout.0, work).await {
            Ok(Ok(response)) => response.judge(&options, &context),
            Ok(Err(error)) => Err(failure(&name, &error)),
            Err(Unfinished::Stopped) => Err(ProviderError::cancelled()),
            Err(Unfinished::Late) => {
                let message = format!("{name}: no complete response within {}", options.timeout);
                Err(ProviderError::new(FailureClass::Timeout, message))
            }
        }
    }

    fn takes_exact_numbers(&self) -> bool {
        true
    }

    fn options_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(HttpOptions).to_value())
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        HttpOptions::check(options)
    }

    async fn checkup(&self) -> Option<Checkup> {
        Some(client::checkup().await)
    }
}

fn failure(name: &str, error: &SendError) -> ProviderError {
    let reason = match error {
        SendError::Refused(_) => Reason::Refused,
        SendError::Unreachable(_) => Reason::Unreachable,
        SendError::Broken(_) => Reason::StreamCut,
    };
    ProviderError::new(reason.class(), format!("{name}: {error}"))
        .with_details(serde_json::json!({ "reason": reason }))
}
