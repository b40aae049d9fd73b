//! Secrets reach a provider, and nothing else.

use std::sync::{Arc, Mutex};

use serde_json::json;
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::machine::Secrets;
use workflow_core::output::OutputEntry;
use workflow_core::output::OutputKind;
use workflow_core::provider::{ProviderError, Reply};
use workflow_core::sink::EventSink;
use workflow_core::status::RunStatus;
use workflow_core::store::RunStore as _;
use workflow_providers::FunctionProvider;

use crate::host::{Host, id};

const SECRET: &str = "hunter2-\"quoted\"";

struct Vault;

impl Secrets for Vault {
    fn secret(&self, name: &str) -> Option<String> {
        (name == "token").then(|| SECRET.to_owned())
    }
}

/// Writes down all that it is shown.
#[derive(Clone, Default)]
struct Tap(Arc<Mutex<String>>);

impl EventSink for Tap {
    fn events(&self, _: &RunId, events: &[Event]) {
        self.0.lock().unwrap().push_str(&serde_json::to_string(events).unwrap());
    }

    fn output(&self, _: &RunId, entries: &[OutputEntry]) {
        self.0.lock().unwrap().push_str(&serde_json::to_string(entries).unwrap());
    }
}

const YAML: &str = r#"
workflow: { name: Secrets, stages: [login, fetch] }
login:
  provider: service
  prompt: "log in with ${secrets.token}"
  env: { TOKEN: "${secrets.token}" }
  with: { headers: ["Bearer ${secrets.token}"] }
  set: { said: "${output.said}" }
fetch: { provider: service, prompt: "${secrets.token}" }
"#;

#[test]
fn a_secret_is_resolved_for_the_call_and_redacted_in_all_that_comes_back() {
    let got = Arc::new(Mutex::new(Vec::new()));
    let seen = got.clone();
    let service = FunctionProvider::new(move |request, context| {
        seen.lock().unwrap().push((request.prompt.clone(), request.env.clone(), request.options.clone()));
        async move {
            context.output(OutputKind::Stdout, format!("using {SECRET}"));
            if request.id.path.stage.as_str() == "fetch" {
                let details = json!({ "sent": [SECRET] });
                return Err(ProviderError::transient(format!("{SECRET} was refused")).with_details(details));
            }
            Ok(Reply::json(&json!({ "said": format!("I got {SECRET}"), SECRET: [SECRET, 1] })))
        }
    });
    let tap = Tap::default();
    let host = Host::with(|builder| builder.secrets(Vault).provider("service", service).sink(tap.clone()));
    let view = host.sim.block_on(host.engine.run(host.start("r1", YAML))).unwrap();

    assert_eq!(view.status, RunStatus::Failed);
    let (prompt, env, options) = got.lock().unwrap()[0].clone();
    assert_eq!(prompt, format!("log in with {SECRET}"));
    assert_eq!(env["TOKEN"], SECRET);
    assert_eq!(options, json!({ "headers": [format!("Bearer {SECRET}")] }));

    insta::assert_snapshot!(host.log("r1"), @r#"
    0  run_created        test
    0  run_started
    0  stage_started      1/login
    0  attempt_started    1/login[0] #1 service
    0  attempt_succeeded  1/login[0] #1 {"said":"I got [redacted]","[redacted]":["[redacted]",1]}
    0  stage_completed    1/login, output of lane 0, said = "I got [redacted]"
    0  stage_started      1/fetch
    0  attempt_started    1/fetch[0] #1 service
    0  attempt_failed     1/fetch[0] #1 transient: [redacted] was refused
    0  stage_failed       1/fetch transient: [redacted] was refused
    0  run_failed         transient: [redacted] was refused
    "#);
    let stored = host.sim.block_on(async {
        let output = host.store.output(&id("r1"), 0, usize::MAX).await.unwrap();
        assert_eq!(output[0].text, "using [redacted]");
        let record = host.store.get(&id("r1")).await.unwrap();
        let bundle = host.store.bundle(&record.head.bundle).await.unwrap();
        format!("{output:?}{record:?}{bundle:?}{view:?}")
    });
    for text in [stored, format!("{:?}", host.events("r1")), tap.0.lock().unwrap().clone()] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_secret_that_nobody_knows_fails_the_attempt() {
    let host = Host::with(|builder| builder.secrets(Vault));
    let yaml = "
workflow: { name: Secrets, stages: [login] }
login: { provider: ann, prompt: \"${secrets.tokn}\" }
";
    let view = host.sim.block_on(host.engine.run(host.start("r1", yaml))).unwrap();
    insta::assert_snapshot!(view.error.unwrap().message, @r"
    login.prompt: there is no `secrets.tokn` (known: stage.id, iteration, run.id, run.workflow, stage.provider)
    ");
    assert!(host.deeds.calls().is_empty());
}
