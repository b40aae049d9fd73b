//! The spans and events of a run, by name.

use std::collections::HashMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber, info_span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use workflow_core::provider::{CallContext, CallRequest, ProviderError, Reply};
use workflow_core::usage::Usage;
use workflow_providers::FunctionProvider;
use workflow_tests::sim::Sim;

use crate::host::Host;

/// All closed spans, and the events, with the spans that contain them.
#[derive(Clone, Default)]
pub(crate) struct Collect(Arc<Mutex<Collected>>);

impl Collect {
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().lines.join("\n")
    }
}

#[derive(Default)]
struct Collected {
    open: HashMap<u64, String>,
    lines: Vec<String>,
}

/// Fields with their values; text is quoted, numbers are not.
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

/// The names of a span and those around it.
fn place<S: Subscriber + for<'a> LookupSpan<'a>>(id: Option<&Id>, context: &Context<'_, S>) -> String {
    let Some(span) = id.and_then(|id| context.span(id)) else { return String::new() };
    let names: Vec<_> = span.scope().from_root().map(|span| span.name()).collect();
    names.join("/")
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collect {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields(format!("span  {}", place(Some(id), &context)));
        attributes.record(&mut fields);
        self.0.lock().unwrap().open.insert(id.into_u64(), fields.0);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields(String::new());
        record.record(&mut fields);
        self.0.lock().unwrap().open.entry(id.into_u64()).or_default().push_str(&fields.0);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let mut collected = self.0.lock().unwrap();
        let line = collected.open.remove(&id.into_u64()).unwrap_or_default();
        collected.lines.push(line);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let within = context.event_span(event).map(|span| span.id());
        let mut fields = Fields(format!("{} {}", event.metadata().level(), place(within.as_ref(), &context)));
        event.record(&mut fields);
        self.0.lock().unwrap().lines.push(fields.0);
    }
}

/// The spans and events of a run of `yaml` that is started in a span of the host.
fn traced(yaml: &str) -> String {
    let used = Usage { input_tokens: Some(100), output_tokens: Some(7), cost_usd: Some(0.25) };
    let agent = FunctionProvider::new(move |request, _: CallContext| {
        let usage = Some(used.clone());
        async move {
            match request.id.attempt {
                1 => Err(ProviderError { usage, ..ProviderError::transient("the line was cut") }),
                _ => Ok(Reply { usage, ..Reply::json(&json!("done")) }),
            }
        }
    });
    let host = Host::in_world(Sim::new(), |builder| builder.provider("agent", agent));
    let collect = Collect::default();
    let subscriber = tracing_subscriber::registry().with(collect.clone());
    tracing::subscriber::with_default(subscriber, || {
        host.sim.block_on(async {
            let handle = {
                let _request = info_span!("request").entered();
                futures::FutureExt::now_or_never(host.engine.start(host.start("r1", yaml))).unwrap().unwrap()
            };
            handle.wait().await.unwrap();
        });
    });
    collect.0.lock().unwrap().lines.join("\n")
}

#[test]
fn the_spans_and_events_of_a_run_have_their_documented_names() {
    let yaml = "
workflow: { name: Traced, stages: [work, check] }
work: { provider: agent, prompt: work, on_failure: retry, retries: 1, retry_backoff: 1 }
check: { provider: ann, prompt: check, with: { ann: { fail: permanent } } }
";
    insta::assert_snapshot!(traced(yaml));
}

#[test]
fn a_panic_of_a_provider_is_logged_without_secrets() {
    struct Vault;
    impl workflow_core::machine::Secrets for Vault {
        fn secret(&self, _: &str) -> Option<String> {
            Some("hunter2-hunter2".to_owned())
        }
    }
    let agent = FunctionProvider::new(|request: CallRequest, _: CallContext| async move {
        assert!(request.prompt.is_empty(), "{} was refused", request.prompt);
        Ok(Reply::default())
    });
    let host = Host::in_world(Sim::new(), |builder| builder.secrets(Vault).provider("agent", agent));
    let collect = Collect::default();
    let subscriber = tracing_subscriber::registry().with(collect.clone());
    let yaml = "
workflow: { name: Traced, stages: [work] }
work: { provider: agent, prompt: 'use ${secrets.key}' }
";
    tracing::subscriber::with_default(subscriber, || {
        host.sim.block_on(host.engine.run(host.start("r1", yaml))).unwrap();
    });
    let told = collect.0.lock().unwrap().lines.join("\n");
    assert!(
        told.contains("the provider panicked: use [redacted] was refused") && !told.contains("hunter2"),
        "{told}"
    );
}
