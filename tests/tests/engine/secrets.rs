//! Secrets reach a provider, and no other component.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::layer::SubscriberExt as _;
use workflow_core::bundle::Bundle;
use workflow_core::definition::{self, Defaults, parse};
use workflow_core::event::{Event, EventBody};
use workflow_core::failure::FailureClass;
use workflow_core::ids::RunId;
use workflow_core::machine::Secrets;
use workflow_core::output::OutputEntry;
use workflow_core::output::OutputKind;
use workflow_core::plan::Plan;
use workflow_core::provider::{CallContext, CallRequest, ProviderError, Reply};
use workflow_core::sink::EventSink;
use workflow_core::status::RunStatus;
use workflow_core::store::{Answer, Control, MemoryStore, RunStore as _};
use workflow_exec::{ControlOutcome, ControlRefusal, Engine, EngineError, Fork, ForkPoint, StartRun};
use workflow_providers::{CommandProvider, DemoProvider, FunctionProvider};

use crate::host::{Host, id};
use crate::traces::Collect;

pub(crate) const SECRET: &str = "hunter2-\"quoted\"";

pub(crate) struct Vault;

impl Secrets for Vault {
    fn secret(&self, name: &str) -> Option<String> {
        (name == "token").then(|| SECRET.to_owned())
    }
}

/// Records everything that it receives.
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
fn a_secret_that_is_not_known_fails_the_attempt() {
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
pub(crate) struct These(&'static [(&'static str, &'static str)]);

impl Secrets for These {
    fn secret(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }
}

pub(crate) const FLAG: These = These(&[("flag", "-cccccccccccc")]);
pub(crate) const TOKEN: These = These(&[("token", "4711471147114711")]);
const ONE: &str = "
workflow: { name: Secrets, stages: [login] }
login: { provider: service, env: { TOKEN: '${secrets.token}' } }
";

/// All stored data of a run.
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
    // Each entry belongs to the call, and the numbers have no gaps.
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

/// Two stages, of which only the first receives the secret: the second waits for a person.
const TWO: &str = "
workflow: { name: Secrets, stages: [login, fetch] }
login: { provider: service, env: { TOKEN: '${secrets.token}' } }
fetch: { provider: service, approval: 'go on?' }
";

/// An engine over the store of `host`, as in another process.
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
        // The answer is accepted all the same, because it makes no call.
        engine.handle(&id("r1")).answer(wait, true).await.unwrap().accepted().unwrap();
        engine.handle(&id("r1")).wait().await.unwrap_err()
    });
    insta::assert_snapshot!(error, @"run `r1` may have used secrets that are not known here (token), so they cannot be kept out of its output: provide them, and resume the run");
    let before = host.events("r1");
    assert!(!before.iter().any(|event| event.body.is_terminal()));
    // A process that knows the secrets continues it.
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

/// No part of a secret that is at least this long may be stored.
const PART: usize = 6;

/// Fails if a text contains a part of a secret.
fn holds_no_part(secret: &str, text: &str) {
    let parts = (0..=secret.len() - PART).map(|at| &secret[at..at + PART]);
    let found: Vec<_> = parts.filter(|part| text.contains(part)).collect();
    assert_eq!(found, Vec::<&str>::new(), "{} bytes", text.len());
}

#[test]
fn no_part_of_a_secret_is_left_where_the_output_of_a_command_is_cut() {
    const VALUE: &str = "S3cr3t-Value-0123456789";
    let folder = tempfile::tempdir().unwrap();
    for limit in [1_000, 1_005, 1_010, 1_015, 1_020, 1_023] {
        let commands = CommandProvider::builder().work_root(folder.path()).max_output(limit).build();
        let store = MemoryStore::new();
        let builder = Engine::builder().store(store.clone()).secrets(These(&[("token", VALUE)]));
        let engine = builder.provider("command", commands).build().unwrap();
        // One line, so that it is cut anywhere.
        let yaml = "
workflow: { name: Cut, stages: [long, fails] }
long: { provider: command, env: { T: '${secrets.token}' }, with: { command: [sh, -c, 'for i in $(seq 99); do printf %s $T; done'] } }
fails:
  provider: command
  env: { T: '${secrets.token}' }
  with: { command: [sh, -c, 'for i in $(seq 999); do printf %s $T; printf %s $T >&2; done; exit 1'] }
";
        let plan = engine.parse(yaml, "cut").unwrap();
        let view = futures::executor::block_on(engine.run(StartRun::plan(&plan).run_id(id("r1")))).unwrap();
        assert_eq!(view.status, RunStatus::Failed, "{view:?}");
        let stored = futures::executor::block_on(async {
            let events = store.events(&id("r1"), 0, usize::MAX).await.unwrap();
            let output = store.output(&id("r1"), 0, usize::MAX).await.unwrap();
            format!("{} {}", serde_json::to_string(&events).unwrap(), serde_json::to_string(&output).unwrap())
        });
        assert!(stored.matches("bytes left out").count() >= 4, "two outputs and two excerpts");
        holds_no_part(VALUE, &stored);
    }
}

#[test]
fn no_part_of_a_secret_is_left_where_the_demo_shortens_its_prompt() {
    const VALUE: &str = "S3cr3t-Value-0123456789";
    for length in 270..300 {
        let builder =
            Engine::builder().secrets(These(&[("token", VALUE)])).provider("demo", DemoProvider::new());
        let store = MemoryStore::new();
        let engine = builder.store(store.clone()).build().unwrap();
        let prompt = "x".repeat(length);
        let yaml = format!(
            "workflow: {{ name: Cut, stages: [one] }}\none: {{ provider: demo, prompt: \"{prompt}${{secrets.token}} and more\" }}"
        );
        let plan = engine.parse(&yaml, "cut").unwrap();
        let view = futures::executor::block_on(engine.run(StartRun::plan(&plan).run_id(id("r1")))).unwrap();
        let output = futures::executor::block_on(store.output(&id("r1"), 0, usize::MAX)).unwrap();
        let text = format!("{:?} {output:?}", view.context);
        assert!(text.contains("xxx"));
        holds_no_part(VALUE, &text);
    }
}

/// A run with a question, and a secret. Its other node runs for this many milliseconds.
fn asks(run: &str, after: u64) -> StartRun {
    let yaml = "
workflow: { name: Asks, stages: [ask] }
ask: { provider: service, profile: two, env: { TOKEN: '${secrets.token}' } }
";
    let workflow = parse(yaml.as_bytes(), Some(&"asks".parse().unwrap())).workflow.unwrap();
    let mut bundle = Bundle::new(definition::resolve(&workflow, &Defaults::default()).unwrap());
    let graph = json!({ "graph": [
        { "id": "question", "type": "ask", "question": "Which?" },
        { "id": "slow", "type": "run", "prompt": "slow", "provider": "ann", "with": { "ann": { "after": after } } },
    ] });
    bundle.profiles.insert("ask".parse().unwrap(), serde_json::from_value(graph).unwrap());
    StartRun::plan(&Arc::new(Plan::load(bundle).unwrap())).run_id(id(run))
}

#[test]
fn a_variable_or_an_output_that_holds_a_secret_is_refused() {
    let host = Host::with(|builder| builder.secrets(TOKEN).provider("service", login()));
    for value in [
        json!("4711471147114711"),
        json!({ "deep": ["x4711471147114711x"] }),
        json!({ "4711471147114711": 1 }),
        json!(4_711_471_147_114_711_u64),
        json!("NDcxMTQ3MTE0NzExNDcxMQ=="),
    ] {
        let start = host.start("r1", ONE).var("a", "harmless").var("b", value.clone());
        let error = host.sim.block_on(host.engine.run(start)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the variable `b` holds the secret `token`, and is stored with the run: leave the secret out, and write \
             `${secrets.token}` in the workflow where it is needed"
        );
        assert!(matches!(&error, EngineError::SecretInValue { secret, .. } if secret == "token"));
        assert!(host.sim.block_on(host.store.get(&id("r1"))).is_err(), "there is no run");
    }
    host.sim.block_on(host.engine.run(host.start("r1", ONE))).unwrap();
    let fork = || Fork::of(id("r1")).at(ForkPoint::Stage("login".parse().unwrap())).run_id(id("r2"));
    for (fork, place) in [
        (fork().var("x", json!("4711471147114711")), "the variable `x`"),
        (
            Fork::of(id("r1"))
                .at(ForkPoint::Event(6))
                .output("login".parse().unwrap(), json!(["4711471147114711"]))
                .run_id(id("r2")),
            "the output of `login`",
        ),
    ] {
        let error = host.sim.block_on(host.engine.fork(fork)).err().unwrap();
        assert!(error.to_string().starts_with(&format!("{place} holds the secret `token`")), "{error}");
        assert!(host.sim.block_on(host.store.get(&id("r2"))).is_err());
    }
    host.sim.block_on(host.engine.fork(fork().var("x", json!("harmless")))).unwrap();
}

/// All stored data of a run, including its control requests.
fn all_stored(host: &Host, run: &str) -> String {
    let controls = host.sim.block_on(host.store.controls(&id(run), 0)).unwrap();
    format!("{} {controls:?}", serde_json::to_string(&host.events(run)).unwrap())
}

#[test]
fn an_answer_that_holds_a_secret_is_refused_and_not_stored() {
    let host = Host::with(|builder| builder.secrets(TOKEN).provider("service", login()));
    let view = host.sim.block_on(host.engine.run(asks("r1", 1))).unwrap();
    let wait = view.waits[0].number.unwrap();
    let handle = host.engine.handle(&id("r1"));
    let outcome = host.sim.block_on(handle.answer(wait, "it is 4711471147114711")).unwrap();
    let refused = outcome.accepted().unwrap_err();
    assert_eq!(refused.code, ControlRefusal::InvalidAnswer);
    assert!(refused.reason.starts_with("the answer holds the secret `token`"), "{refused}");
    assert!(!all_stored(&host, "r1").contains("4711"));
    assert!(host.sim.block_on(handle.answer(wait, "harmless")).unwrap().accepted().is_ok());
}

#[test]
fn a_secret_is_taken_out_of_an_answer_that_comes_from_where_it_is_not_known() {
    let host = Host::with(|builder| builder.secrets(TOKEN).provider("service", login()));
    let other = other_process(&host, These(&[]));
    let view = host.sim.block_on(async {
        let handle = host.engine.start(asks("r1", 60_000)).await.unwrap();
        host.sim.sleep_ms(1_000).await;
        let wait = handle.view().await.unwrap().waits[0].number.unwrap();
        let outcome = other.handle(&id("r1")).answer(wait, "it is 4711471147114711").await.unwrap();
        assert!(matches!(outcome, ControlOutcome::Recorded { .. }), "{outcome}");
        handle.wait().await.unwrap()
    });
    assert_eq!(view.status, RunStatus::Completed);
    let events = serde_json::to_string(&host.events("r1")).unwrap();
    assert!(events.contains("it is [redacted]") && !events.contains("4711"), "{events}");
}

#[test]
fn an_answer_that_is_decided_where_the_secret_is_not_known_is_stored_as_it_was_sent() {
    let host = Host::with(|builder| builder.secrets(TOKEN).provider("service", login()));
    let wait = host.sim.block_on(host.engine.run(asks("r1", 1))).unwrap().waits[0].number.unwrap();
    let other = other_process(&host, These(&[]));
    let collect = Collect::default();
    let subscriber = tracing_subscriber::registry().with(collect.clone());
    tracing::subscriber::with_default(subscriber, || {
        let answered = host.sim.block_on(other.handle(&id("r1")).answer(wait, "it is 4711471147114711"));
        answered.unwrap().accepted().unwrap();
    });
    assert!(collect.text().contains("secrets that are not known in this process"), "{}", collect.text());
    // `docs/src/guides/secrets.md` says so.
    let events = serde_json::to_string(&host.events("r1")).unwrap();
    assert!(events.contains("it is 4711471147114711"), "{events}");
}

#[test]
fn an_answer_that_another_process_left_is_redacted_by_whoever_carries_out_a_request() {
    let host = Host::with(|builder| builder.secrets(TOKEN).provider("service", login()));
    let wait = host.sim.block_on(host.engine.run(asks("r1", 1))).unwrap().waits[0].number.unwrap();
    host.sim.block_on(async {
        let answer = Answer { wait, value: json!("it is 4711471147114711").into() };
        host.store.request(&id("r1"), Control::Answer(answer).into()).await.unwrap();
        host.engine.handle(&id("r1")).pause().await.unwrap().accepted().unwrap();
    });
    let events = serde_json::to_string(&host.events("r1")).unwrap();
    assert!(events.contains("answered") && !events.contains("4711471147114711"), "{events}");
}
