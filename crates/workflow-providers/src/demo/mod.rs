//! A provider that calls no service, for trying workflows before an agent is set up.

mod instance;
mod options;

use std::borrow::Cow;
use std::pin::pin;

use futures::future::select;
use serde_json::Value;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_core::stop::Stop;

use self::instance::instance;
use self::options::{Attempt, DemoOptions};

/// A demo provider: it calls no service and generates its answers, so that workflows and templates can be
/// tried without an agent. Hosts register it as `demo`. All its texts say that it is a demo.
///
/// Its answer is the first of these that exists:
///
/// 1. one of the `answers` under `with`: the n-th in the n-th iteration, of the loop in whose body the node is or
///    else of the run, or for the n-th item in whose graph the node is, the last one from then on;
/// 2. if the output has a schema, an instance of it: one of its `examples` in the same way, else a value
///    generated from its `const`, `enum`, `default`, `type` and required properties;
/// 3. a text that says that this is a demo, with the start of the prompt.
///
/// An answer that does not match the schema is a permanent error with a message that says why.
///
/// It can also simulate the behaviour of agents, under `with`, to test how a workflow handles it:
///
/// ```yaml
/// with:
///   usage: { input_tokens: 900, output_tokens: 100, cost_usd: 0.02 }   # of each call; omitted values are unknown
///   session: s-1                # a call begins it, unless it is to resume one
///   attempts:                   # the behaviour of the first attempts of an iteration; later ones answer
///     - { fail: rate_limited, again_in: 1h, message: over the quota }  # transient, invalid_output, permanent
///     - { delay: 5s, usage: { cost_usd: 0.5 } }
/// ```
///
/// ```
/// use workflow_core::provider::Provider;
/// use workflow_providers::DemoProvider;
///
/// let demo = DemoProvider::new();
/// assert!(demo.check_options(&serde_json::json!({ "delay": "2s" })).is_ok());
/// assert!(demo.check_options(&serde_json::json!({ "dealy": "2s" })).is_err());
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct DemoProvider;

/// How many characters of a prompt are repeated.
const HEAD: usize = 300;

impl DemoProvider {
    /// Creates a demo provider.
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Provider for DemoProvider {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let options = DemoOptions::read(&request.options).map_err(ProviderError::permanent)?;
        context.output(OutputKind::Log, "demo: no service is called; the prompt is:");
        // The shown part could end within a secret, so secrets are redacted first.
        let mut prompt = request.prompt.clone();
        context.redactor().text(&mut prompt);
        for line in head(&prompt).lines() {
            context.output(OutputKind::Log, line);
        }
        let session = session(&request, &options, &context).await?;
        let nothing = Attempt::default();
        let number = request.id.attempt.saturating_sub(1) as usize;
        let attempt = options.attempts.get(number).unwrap_or(&nothing);
        if let Some(delay) = attempt.delay.or(options.delay) {
            select(pin!(context.stop().wait(Stop::Gracefully)), context.sleep(delay.0)).await;
        }
        if context.stop().now() > Stop::None {
            return Err(ProviderError::cancelled());
        }
        let usage = attempt.usage.as_ref().or(options.usage.as_ref()).cloned().map(Into::into);
        if let Some(failure) = failure(attempt, &context) {
            return Err(ProviderError { usage, ..failure });
        }
        let path = &request.id.path;
        let turn = path.within.as_ref().map_or(path.iteration.saturating_sub(1), |within| within.number);
        let turn = turn as usize;
        let answer = answer(&request, &prompt, &options, turn)?;
        context.output(OutputKind::Log, "demo: answered");
        Ok(Reply { usage, session, ..Reply::json(&answer) })
    }

    fn options_schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(DemoOptions).to_value())
    }

    fn check_options(&self, options: &Value) -> Result<(), String> {
        DemoOptions::check(options)
    }
}

/// The session of the call, if any: recorded before anything else happens.
async fn session(
    request: &CallRequest,
    options: &DemoOptions,
    context: &CallContext,
) -> Result<Option<String>, ProviderError> {
    let (session, how) = match (&request.session, &options.session) {
        (Some(session), _) => (session, "continues"),
        (None, Some(session)) => (session, "begins"),
        (None, None) => return Ok(None),
    };
    context.output(OutputKind::Log, format!("demo: {how} the session {session}"));
    let recorded = context.record_session(session).await;
    recorded.map_err(|error| ProviderError::transient(error.to_string()))?;
    Ok(Some(session.clone()))
}

/// The simulated failure of the attempt, if any.
fn failure(attempt: &Attempt, context: &CallContext) -> Option<ProviderError> {
    let class = attempt.fail?.class();
    let message = attempt.message.as_deref().unwrap_or("the demo was told to fail");
    let until = attempt.again_in.and_then(|period| context.now().checked_add(period.0).ok());
    Some(ProviderError { until, ..ProviderError::new(class, message) })
}

fn answer(
    request: &CallRequest,
    prompt: &str,
    options: &DemoOptions,
    turn: usize,
) -> Result<Value, ProviderError> {
    let given = options.answers.get(turn).or(options.answers.last()).cloned();
    let Some(schema) = request.output_schema.as_deref() else {
        return Ok(given.unwrap_or_else(|| text(prompt).into()));
    };
    let answer = given.unwrap_or_else(|| instance(schema, turn));
    check(schema, &answer)?;
    Ok(answer)
}

fn text(prompt: &str) -> String {
    format!("This is a demo: no service was called. The prompt was:\n\n{}", head(prompt))
}

/// The start of a prompt.
fn head(prompt: &str) -> Cow<'_, str> {
    let prompt = prompt.trim();
    match prompt.char_indices().nth(HEAD) {
        Some((end, _)) => format!("{}…", prompt[..end].trim_end()).into(),
        None if prompt.is_empty() => "(nothing)".into(),
        None => prompt.into(),
    }
}

/// The engine would return a wrong answer for repair, and would get the same one again.
fn check(schema: &Value, answer: &Value) -> Result<(), ProviderError> {
    let checker = jsonschema::validator_for(schema)
        .map_err(|error| ProviderError::permanent(format!("the demo cannot use this schema: {error}")))?;
    let Some(error) = checker.iter_errors(answer).next() else { return Ok(()) };
    let place = error.instance_path().to_string();
    let place = if place.is_empty() { String::new() } else { format!("at {place}: ") };
    Err(ProviderError::permanent(format!(
        "the demo has no answer that matches the schema: {place}{error}; write a matching one under \
         `examples` in the schema"
    )))
}
