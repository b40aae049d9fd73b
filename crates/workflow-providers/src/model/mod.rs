//! Calls of a model over HTTP, without any program.

mod answer;
mod builder;
mod chat;
mod messages;
mod options;
mod outgoing;
mod price;
mod reader;
mod responses;
mod sse;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use workflow_core::output::OutputKind;
use workflow_core::provider::{
    CallContext, CallRequest, Checkup, Provider, ProviderError, Reply, async_trait,
};

pub use self::builder::ModelBuilder;
pub use self::price::Price;

use self::answer::{Answer, Said};
use self::options::ModelOptions;
use self::price::Tokens;
use self::reader::Reader;
use self::verdict::Place;
use crate::client::{self, Client, Incoming, SendError, Unfinished, resets, within};
use crate::failure::{Here, Reason};

/// How many bytes of the response to a refused request are read.
const ERROR: usize = 256 * 1024;

/// A provider that asks a model by HTTP: OpenAI and whatever speaks its protocols, and Anthropic.
///
/// ```yaml
/// provider: model
/// prompt: "Summarise: ${stages.review.output}"
/// with:
///   model: qwen3:8b
///   base_url: http://localhost:11434/v1     # default: OpenAI, or Anthropic for `api: messages`
///   api: chat                               # or responses, messages
///   key: "${secrets.model}"                 # local servers need none
/// ```
///
/// The answer is streamed to the output, and is the output of the node. The model has no tools, and no session: a call is
/// one request, and an attempt is one call, which the engine repeats. A schema of the output is a part of the request, or
/// of the prompt.
///
/// Tokens are those that the service reports. The cost is what the service reports, or follows from the prices that
/// the host gives ([`ModelBuilder::price`]); it is unknown otherwise.
///
/// The failures have the reasons of agents, as far as they apply: `not_logged_in`, `billing`,
/// `rate_limited`, `throttled`, `overloaded`, `context_too_long`, `max_tokens`, `refused`, `empty_answer`,
/// `unreachable`, `stream_cut`, `silent`, `failed`. Private addresses are refused unless the host allows them: see
/// [`Network`](crate::Network).
///
/// The future of a call works on any executor. Dropping it cancels the request.
#[derive(Debug, Clone)]
pub struct ModelProvider {
    client: Client,
    settings: Arc<Settings>,
}

#[derive(Debug, Clone)]
struct Settings {
    prices: HashMap<String, Price>,
    patience: Duration,
}

#[async_trait]
impl Provider for ModelProvider {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let wrong = |problem: String| ProviderError::permanent(format!("with: {problem}"));
        let options = ModelOptions::read(&request.options).map_err(wrong)?;
        if request.prompt.trim().is_empty() {
            return Err(ProviderError::permanent("model: the prompt is empty"));
        }
        let outgoing = options.outgoing(&request).map_err(wrong)?;
        let url = client::shown(&outgoing.uri);
        let call = Call { settings: &self.settings, options: &options, context: &context, url: &url };
        context.output(OutputKind::Log, format!("{} is asked at {url}", options.model));
        match within(&context, self.settings.patience, self.client.send(outgoing)).await {
            Ok(Ok(incoming)) if incoming.status.is_success() => call.read(incoming).await,
            Ok(Ok(incoming)) => call.refused(incoming).await,
            Ok(Err(error)) => Err(call.not_sent(&error)),
            Err(Unfinished::Stopped) => Err(ProviderError::cancelled()),
            Err(Unfinished::Late) => Err(call.silent(&Answer::default())),
        }
    }

    fn options_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(ModelOptions).to_value())
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        ModelOptions::check(options)
    }

    async fn checkup(&self) -> Option<Checkup> {
        Some(client::checkup().await)
    }
}

/// A call in progress.
struct Call<'c> {
    settings: &'c Settings,
    options: &'c ModelOptions,
    context: &'c CallContext,
    url: &'c str,
}

impl Call<'_> {
    /// Reads the answer as it comes.
    async fn read(&self, mut incoming: Incoming) -> Result<Reply, ProviderError> {
        let kind = incoming.header("content-type").unwrap_or_default();
        let is_stream = kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream");
        let mut reader = Reader::new(self.options.api, is_stream);
        let mut say = |said| match said {
            Said::Text(text) => self.context.output(OutputKind::TextDelta, text),
            Said::Thinking(text) => self.context.output(OutputKind::Thinking, text),
        };
        let mut tokens = Tokens::default();
        let broken = loop {
            match within(self.context, self.settings.patience, incoming.chunk()).await {
                Ok(Some(Ok(chunk))) => {
                    self.context.alive();
                    if reader.push(&chunk, &mut say).is_err() {
                        let message = format!("{}: the answer is too long to be read", self.url);
                        return Err(self.place(reader.answer()).failure(Reason::Failed, &message, ""));
                    }
                    if reader.answer().tokens != tokens {
                        tokens = reader.answer().tokens.clone();
                        self.used(&tokens).into_iter().for_each(|usage| self.context.usage(usage));
                    }
                }
                Ok(Some(Err(error))) => break Some(error),
                Ok(None) => break None,
                Err(Unfinished::Stopped) => {
                    let usage = self.used(&reader.answer().tokens);
                    return Err(ProviderError { usage, ..ProviderError::cancelled() });
                }
                Err(Unfinished::Late) => return Err(self.silent(reader.answer())),
            }
        };
        let answer = reader.finish(&mut say);
        if answer.unknown > 0 {
            let count = answer.unknown;
            let note = "records of a kind that is not known: the service may not speak the protocol of `api`";
            self.context.output(OutputKind::Log, format!("{count} {note}"));
        }
        self.place(&answer).judge(&answer, broken.as_ref())
    }

    /// Reads why the service refuses.
    async fn refused(&self, mut incoming: Incoming) -> Result<Reply, ProviderError> {
        let here = Here { now: self.context.now(), zone: &jiff::tz::TimeZone::UTC };
        let resets = resets(&incoming.headers, &here);
        let mut body = Vec::new();
        while body.len() < ERROR {
            match within(self.context, self.settings.patience, incoming.chunk()).await {
                Ok(Some(Ok(chunk))) => body.extend_from_slice(&chunk),
                // The status says enough.
                Ok(Some(Err(_)) | None) | Err(Unfinished::Late) => break,
                Err(Unfinished::Stopped) => return Err(ProviderError::cancelled()),
            }
        }
        Err(self.place(&Answer::default()).status(incoming.status.as_u16(), &body, resets))
    }

    fn not_sent(&self, error: &SendError) -> ProviderError {
        let reason = match error {
            SendError::Refused(_) => Reason::Refused,
            SendError::Unreachable(_) => Reason::Unreachable,
            SendError::Broken(_) => Reason::StreamCut,
        };
        self.place(&Answer::default()).failure(reason, &format!("{}: {error}", self.url), "")
    }

    fn silent(&self, answer: &Answer) -> ProviderError {
        let message = format!("{} sent nothing for {} seconds", self.url, self.settings.patience.as_secs());
        let place = self.place(answer);
        place.with_text(place.failure(Reason::Silent, &message, ""), answer)
    }

    fn place(&self, answer: &Answer) -> Place<'_> {
        Place { url: self.url, context: self.context, usage: self.used(&answer.tokens) }
    }

    fn used(&self, tokens: &Tokens) -> Option<workflow_core::usage::Usage> {
        tokens.usage(self.settings.prices.get(&self.options.model))
    }
}
