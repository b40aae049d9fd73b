//! Secrets reach a provider, and nothing else.

use std::sync::{Arc, Mutex};

use serde_json::json;
use workflow_core::event::{Event, EventBody};
use workflow_core::failure::FailureClass;
use workflow_core::ids::RunId;
use workflow_core::machine::Secrets;
use workflow_core::output::OutputEntry;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallRequest, ProviderError, Reply};
use workflow_core::sink::EventSink;
use workflow_core::status::RunStatus;
use workflow_core::store::RunStore as _;
use workflow_exec::{Engine, EngineError};
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
            Ok(Reply::json(&json!({ "said": format!("I got {SECRET}"), "got": [SECRET, 1] })))
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
    0  attempt_succeeded  1/login[0] #1 {"said":"I got [redacted]","got":["[redacted]",1]}
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

/// Knows these secrets.
struct These(&'static [(&'static str, &'static str)]);

impl Secrets for These {
    fn secret(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }
}

const TOKEN: These = These(&[("token", "4711471147114711")]);
const ONE: &str = "
workflow: { name: Secrets, stages: [login] }
login: { provider: service, env: { TOKEN: '${secrets.token}' } }
";

/// All that a run has stored.
fn stored(host: &Host, run: &str) -> String {
    let output = host.sim.block_on(host.store.output(&id(run), 0, usize::MAX)).unwrap();
    let record = host.sim.block_on(host.store.get(&id(run))).unwrap();
    let text = format!("{} {output:?} {record:?}", serde_json::to_string(&host.events(run)).unwrap());
    assert!(text.contains("[redacted]") && !text.contains("4711"), "{text}");
    text
}

#[test]
fn a_secret_is_redacted_over_entries_as_a_number_and_encoded() {
    let service = FunctionProvider::new(|_: CallRequest, context: CallContext| async move {
        for (kind, text) in [
            (OutputKind::TextDelta, "it is 47"),
            (OutputKind::TextDelta, "114711"),
            (OutputKind::Stderr, "denied: 4711471147114711"),
            (OutputKind::TextDelta, "47114711, and the last wor"),
            (OutputKind::TextDelta, "d is 4"),
        ] {
            context.output(kind, text);
        }
        // A line of more than 64 KiB comes in pieces.
        context.output(OutputKind::Stdout, format!("{}471147114711", "x".repeat(65_524)));
        context.output(OutputKind::Stdout, "4711 end");
        context.record_session("session-4711471147114711").await.unwrap();
        Ok(Reply {
            session: Some("session-4711471147114711".to_owned()),
            details: Some(Box::new(json!({ "4711471147114711": 4_711_471_147_114_711_u64 }))),
            ..Reply::json(&json!([
                4_711_471_147_114_711_u64,
                "NDcxMTQ3MTE0NzExNDcxMQ==",
                "%34711471147114711"
            ]))
        })
    });
    let host = Host::with(|builder| builder.secrets(TOKEN).provider("service", service));
    let view = host.sim.block_on(host.engine.run(host.start("r1", ONE))).unwrap();
    assert_eq!(view.status, RunStatus::Completed);
    let text = stored(&host, "r1");
    assert!(!text.contains("NDcx") && !text.contains("%34"), "{text}");
    assert!(text.contains(r#"["[redacted]","[redacted]==","[redacted]"]"#), "{text}");
    let output = host.sim.block_on(host.store.output(&id("r1"), 0, usize::MAX)).unwrap();
    let said =
        |kind| output.iter().filter(|entry| entry.kind == kind).map(|entry| &*entry.text).collect::<String>();
    assert_eq!(said(OutputKind::TextDelta), "it is [redacted], and the last word is 4");
    assert_eq!(said(OutputKind::Stderr), "denied: [redacted]");
    assert!(said(OutputKind::Stdout).ends_with("xxx[redacted] end"));
    // Each entry is one of the call's own, and numbered without a gap.
    assert!((1..).zip(&output).all(|(number, entry)| entry.number == number && entry.attempt == 1));
}

#[test]
fn an_output_with_a_key_that_holds_a_secret_fails_the_attempt_and_is_not_stored() {
    let service = FunctionProvider::new(|request: CallRequest, _: CallContext| async move {
        let output = json!({ "4711471147114711": { "a": "part of the output" } });
        if request.id.run.as_str() == "r2" {
            return Err(ProviderError::permanent("no").with_output(output));
        }
        Ok(Reply::json(&output))
    });
    let host = Host::with(|builder| builder.secrets(TOKEN).provider("service", service));
    for (run, class) in [("r1", FailureClass::SecretInOutput), ("r2", FailureClass::Permanent)] {
        let view = host.sim.block_on(host.engine.run(host.start(run, ONE))).unwrap();
        assert_eq!((view.status, view.error.unwrap().class), (RunStatus::Failed, class));
        let events = serde_json::to_string(&host.events(run)).unwrap();
        assert!(!events.contains("4711") && !events.contains("part of"), "{events}");
        let attempts = host
            .events(run)
            .iter()
            .filter(|event| matches!(event.body, EventBody::AttemptStarted { .. }))
            .count();
        assert_eq!(attempts, 1, "trying again does not help");
    }
    assert_eq!(serde_json::to_value(FailureClass::SecretInOutput).unwrap(), "secret_in_output");
}

#[test]
fn a_secret_that_is_too_short_is_refused_before_there_is_a_run() {
    let short = These(&[("token", "12345")]);
    let service =
        FunctionProvider::new(|_: CallRequest, _: CallContext| async move { Ok(Reply::text("12345")) });
    let host = Host::with(|builder| builder.secrets(short).provider("service", service));
    let error = host.sim.block_on(host.engine.run(host.start("r1", ONE))).unwrap_err();
    let EngineError::Secret(unfit) = &error else { panic!("{error}") };
    insta::assert_snapshot!(unfit, @"secret `token` has fewer than 6 characters: so short a text cannot be kept out of outputs without hiding other text too; use a longer secret, or a variable if the value is not a secret");
    assert!(host.sim.block_on(host.store.get(&id("r1"))).is_err());
}

/// Two stages, of which only the first is given the secret: the second waits for a person before it.
const TWO: &str = "
workflow: { name: Secrets, stages: [login, fetch] }
login: { provider: service, env: { TOKEN: '${secrets.token}' } }
fetch: { provider: service, approval: 'go on?' }
";

/// An engine over the store of `host`, as another process has one.
fn other_process(host: &Host, secrets: impl Secrets + 'static) -> Engine {
    let service = FunctionProvider::new(|_: CallRequest, context: CallContext| async move {
        context.output(OutputKind::Stdout, "still logged in with 4711471147114711");
        Ok(Reply::text("4711471147114711"))
    });
    let (store, sim) = (host.store.clone(), host.sim.clone());
    let builder = Engine::builder().store(store).clock(sim.clone()).timer(sim.clone()).spawner(sim);
    builder.secrets(secrets).provider("service", service).build().unwrap()
}

fn login() -> FunctionProvider {
    FunctionProvider::new(|_: CallRequest, _: CallContext| std::future::ready(Ok(Reply::text("logged in"))))
}

#[test]
fn output_is_redacted_although_another_process_used_the_secret() {
    let host = Host::with(|builder| builder.secrets(TOKEN).provider("service", login()));
    let view = host.sim.block_on(host.engine.run(host.start("r1", TWO))).unwrap();
    assert_eq!(view.status, RunStatus::Paused);
    let engine = other_process(&host, TOKEN);
    let view = host.sim.block_on(async {
        engine
            .handle(&id("r1"))
            .answer(view.wait.unwrap().number.unwrap(), true)
            .await
            .unwrap()
            .accepted()
            .unwrap();
        engine.handle(&id("r1")).wait().await.unwrap()
    });
    assert_eq!(view.status, RunStatus::Completed);
    let text = stored(&host, "r1");
    assert!(text.contains("still logged in with [redacted]"), "{text}");
}

#[test]
fn a_run_is_not_driven_where_secrets_that_it_may_have_used_are_not_known() {
    let host = Host::with(|builder| builder.secrets(TOKEN).provider("service", login()));
    let view = host.sim.block_on(host.engine.run(host.start("r1", TWO))).unwrap();
    let wait = view.wait.unwrap().number.unwrap();
    let engine = other_process(&host, These(&[]));
    let error = host.sim.block_on(async {
        // The answer is taken in all the same: no call is made for that.
        engine.handle(&id("r1")).answer(wait, true).await.unwrap().accepted().unwrap();
        engine.handle(&id("r1")).wait().await.unwrap_err()
    });
    insta::assert_snapshot!(error, @"run `r1` may have used secrets that are not known here (token), so they cannot be kept out of its output: provide them, and resume the run");
    let before = host.events("r1");
    assert!(!before.iter().any(|event| event.body.is_terminal()));
    // Where they are known it continues.
    let engine = other_process(&host, TOKEN);
    let view = host.sim.block_on(engine.drive(&id("r1"))).unwrap();
    assert_eq!(view.status, RunStatus::Completed);
    stored(&host, "r1");
}

#[test]
fn a_secret_with_a_default_need_not_be_known() {
    let host = Host::with(|builder| builder.provider("service", login()));
    let yaml = TWO.replace("secrets.token", "secrets.token:-none");
    let view = host.sim.block_on(host.engine.run(host.start("r1", &yaml))).unwrap();
    let wait = view.wait.unwrap().number.unwrap();
    let view = host.sim.block_on(async {
        host.engine.handle(&id("r1")).answer(wait, true).await.unwrap().accepted().unwrap();
        host.engine.handle(&id("r1")).wait().await.unwrap()
    });
    assert_eq!(view.status, RunStatus::Completed);
}

#[test]
fn a_run_can_be_cancelled_where_its_secrets_are_not_known() {
    let host = Host::with(|builder| builder.secrets(TOKEN).provider("service", login()));
    host.sim.block_on(host.engine.run(host.start("r1", TWO))).unwrap();
    let engine = other_process(&host, These(&[]));
    host.sim.block_on(engine.handle(&id("r1")).cancel()).unwrap().accepted().unwrap();
    assert_eq!(host.sim.block_on(engine.handle(&id("r1")).status()).unwrap(), RunStatus::Cancelled);
}
