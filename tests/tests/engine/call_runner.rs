//! Single calls, as the workers of another backend make them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, join};
use serde_json::json;
use workflow_core::event::EventBody;
use workflow_core::failure::FailureClass;
use workflow_core::ids::NodePath;
use workflow_core::machine::{self, State, UnresolvedCall};
use workflow_core::output::OutputKind;
use workflow_core::provider::{
    CallContext, CallId, CallRequest, Provider, ProviderError, Reply, SessionLost, async_trait,
};
use workflow_core::stop::{Stop, StopSource};
use workflow_core::usage::Usage;
use workflow_exec::{CallReports, Clock as _};
use workflow_providers::FunctionProvider;

use crate::host::{Host, id};
use crate::secrets::{SECRET, Vault};

/// Keeps what a call reports, as text.
#[derive(Default)]
struct Reports(Mutex<Vec<String>>);

impl Reports {
    fn add(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl CallReports for Reports {
    fn output(&self, kind: OutputKind, text: String) {
        self.add(format!("{kind:?} {text}"));
    }

    fn usage(&self, usage: Usage) {
        self.add(format!("{:?} tokens", usage.input_tokens));
    }

    fn alive(&self) {
        self.add("alive".to_owned());
    }

    fn record_session<'a>(&'a self, session: &'a str) -> BoxFuture<'a, Result<(), SessionLost>> {
        async move {
            self.add(format!("session {session}"));
            Ok(())
        }
        .boxed()
    }
}

/// What a provider was given, without secrets hidden.
type Seen = Arc<Mutex<Vec<String>>>;

fn shown(request: &CallRequest) -> String {
    let CallRequest { id, prompt, options, env, cwd, session, workspace, .. } = request;
    format!("{id:?} {prompt} {options} {env:?} {cwd:?} {session:?} {workspace:?}")
}

/// The first call of `stage` in the log of a run, as a backend hands it to a worker.
fn call_of(host: &Host, run: &str, yaml: &str, stage: &str) -> UnresolvedCall {
    let plan = host.engine.parse(yaml, "test").unwrap();
    let events = host.events(run);
    let mut known = Vec::new();
    for event in events {
        known.push(event.clone());
        if let EventBody::AttemptStarted { path, attempt, provider, .. } = &event.body
            && path.stage.as_str() == stage
        {
            let state = State::fold(&known).unwrap();
            let call = machine::unresolved(&plan, &state, path, *attempt, provider).unwrap();
            // What is handed over is text.
            let text = serde_json::to_string(&call).unwrap();
            let read: UnresolvedCall = serde_json::from_str(&text).unwrap();
            assert_eq!(read, call, "{text}");
            return read;
        }
    }
    panic!("the stage {stage} made no call")
}

const SECRETS: &str = r#"
workflow: { name: Secrets, stages: [first, login] }
first: { provider: service, prompt: "begin" }
login:
  provider: service
  prompt: "log in with ${secrets.token} or ${secrets.other:-nothing}, not with ${stages.first.output}"
  inputs: ["${secrets.token}", { auth: { token: "${secrets.token}" } }]
  env: { TOKEN: "${secrets.token}", NESTED: "${secrets.token:-none}" }
  with: { headers: ["Bearer ${secrets.token}"] }
  cwd: "/${secrets.other:-home}"
"#;

#[test]
fn a_call_has_its_secrets_only_where_it_is_made() {
    let seen = Seen::default();
    let see = seen.clone();
    // An output that looks like what stands for a secret, as far as anybody can know it before.
    let forged = "\u{27e6}\":0\u{27e7} \u{27e6}\"0:0\u{27e7} ${secrets.token}";
    let service = FunctionProvider::new(move |request, context| {
        see.lock().unwrap().push(shown(&request));
        async move {
            if request.id.path.stage.as_str() == "first" {
                return Ok(Reply::text(forged));
            }
            context.output(OutputKind::Stdout, format!("using {SECRET}"));
            context.usage(Usage { input_tokens: Some(3), ..Usage::default() });
            context.alive();
            context.record_session("abc").await.unwrap();
            context.record_session(&format!("abc {SECRET}")).await.unwrap();
            let details = Some(Box::new(json!([SECRET])));
            Ok(Reply { details, session: Some(SECRET.into()), ..Reply::json(&json!([SECRET, 1])) })
        }
    });
    let host = Host::with(|builder| builder.secrets(Vault).provider("service", service));
    host.sim.block_on(host.engine.run(host.start("r1", SECRETS))).unwrap();
    let call = call_of(&host, "r1", SECRETS, "login");
    let text = serde_json::to_string(&call).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!((&**call.provider(), &call.id().path.to_string()), ("service", &"1/login[0]/run".to_owned()));
    let names: Vec<_> = call.secrets().iter().map(|secret| (&*secret.name, secret.used)).collect();
    assert_eq!(names, [("other", false), ("token", true)]);

    let reports = Arc::new(Reports::default());
    let reply = made(&host, call, reports.clone()).unwrap();
    let [_, driven, single] = &seen.lock().unwrap()[..] else { panic!("{seen:?}") };
    assert_eq!(single, driven, "the provider is given the same as by the driver");
    assert!(single.contains(forged), "{single}");
    assert!(single.contains(r#"{"auth":{"token":"hunter2-\"quoted\""}}"#), "{single}");
    assert_eq!(reply.output.json(), r#"["[redacted]",1]"#);
    assert_eq!((reply.session, reply.details.unwrap().to_string()), (None, r#"["[redacted]"]"#.to_owned()));
    // Of a text that ends as a secret begins or ends, the end is held back until it is known what follows.
    assert_eq!(reports.all(), ["Some(3) tokens", "alive", "session abc", "Stdout using [redacted]"]);
}

/// Has a call made that nothing stops.
fn made(host: &Host, call: UnresolvedCall, reports: Arc<Reports>) -> Result<Reply, ProviderError> {
    host.sim.block_on(host.engine.call_runner().run(call, StopSource::new().signal(), reports))
}

/// Returns a call without any value in it.
fn plain_call(provider: &str, more: &str) -> UnresolvedCall {
    let call = format!(
        r#"{{ "id": {{ "run": "r1", "seed": 7, "path": "1/work[0]/run", "attempt": 2 }}, "provider": "{provider}"{more} }}"#
    );
    serde_json::from_str(&call).unwrap()
}

/// Does not end, unless it is told to stop and `obeys`; notes what happens to it.
struct Endless {
    obeys: bool,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Endless {
    fn note(&self, text: impl Into<String>) {
        self.notes.lock().unwrap().push(text.into());
    }
}

#[async_trait]
impl Provider for Endless {
    async fn call(&self, _: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        context.stop().wait(Stop::Gracefully).await;
        self.note(format!("told: {:?}", context.stop().now()));
        if self.obeys {
            return Err(ProviderError::cancelled());
        }
        context.stop().wait(Stop::AtOnce).await;
        self.note("told: AtOnce");
        futures::future::pending().await
    }

    fn needs_grace(&self) -> bool {
        true
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        self.note(format!("reclaimed {} #{}", call.path, call.attempt));
        Ok(())
    }
}

/// Has a call made that is told to stop after one second, and at once after two. Returns its end, what its provider noted, and how
/// many milliseconds it took.
fn stopped(obeys: bool, more: &str) -> (ProviderError, Vec<String>, i64) {
    let notes = Arc::default();
    let endless = Endless { obeys, notes: Arc::clone(&notes) };
    let host = Host::with(|builder| builder.provider("endless", endless).stop_grace(Duration::from_secs(10)));
    let (stop, reports) = (StopSource::new(), Arc::new(Reports::default()));
    let runner = host.engine.call_runner();
    let before = host.sim.now().as_millisecond();
    let running = runner.run(plain_call("endless", more), stop.signal(), reports);
    let (result, ()) = host.sim.block_on(join(running, async {
        host.sim.sleep_ms(1_000).await;
        stop.stop(Stop::Gracefully);
        host.sim.sleep_ms(1_000).await;
        stop.stop(Stop::AtOnce);
    }));
    let notes = notes.lock().unwrap().clone();
    (result.unwrap_err(), notes, host.sim.now().as_millisecond() - before)
}

#[test]
fn a_call_is_told_to_stop_and_dropped_when_its_grace_period_is_over() {
    let (error, notes, _) = stopped(true, "");
    assert_eq!((error.failure.class, notes), (FailureClass::Cancelled, vec!["told: Gracefully".to_owned()]));

    let (error, notes, took) = stopped(false, "");
    assert_eq!(error.to_string(), "the call was told to stop; it did not stop in time and was dropped");
    assert_eq!(notes, ["told: Gracefully", "told: AtOnce", "reclaimed 1/work[0]/run #2"]);
    assert_eq!(took, 11_000);
}

#[test]
fn a_call_that_needs_no_grace_is_dropped_at_once_and_one_that_was_stopped_before_is_not_made() {
    let made = Arc::new(Mutex::new(0));
    let counts = made.clone();
    let deaf = FunctionProvider::new(move |_, _| {
        *counts.lock().unwrap() += 1;
        futures::future::pending()
    });
    let host = Host::with(|builder| builder.provider("deaf", deaf));
    let (stop, runner) = (StopSource::new(), host.engine.call_runner());
    let running = || runner.run(plain_call("deaf", ""), stop.signal(), Arc::new(Reports::default()));
    let (result, ()) = host.sim.block_on(join(running(), async { stop.stop(Stop::AtOnce) }));
    assert_eq!(result.unwrap_err(), ProviderError::cancelled());
    assert_eq!(host.sim.block_on(running()).unwrap_err(), ProviderError::cancelled());
    assert_eq!(*made.lock().unwrap(), 1);
}

#[test]
fn a_call_has_its_time_outs() {
    let (error, notes, took) = stopped(true, r#", "timeout": { "secs": 0, "nanos": 500000000 }"#);
    assert_eq!((error.to_string(), took), ("no result after 500ms".to_owned(), 2_000));
    assert_eq!(notes, ["told: Gracefully"]);
    let (error, ..) = stopped(true, r#", "idle_timeout": { "secs": 0, "nanos": 250000000 }"#);
    assert_eq!(
        (error.failure.class, error.to_string()),
        (FailureClass::IdleTimeout, "no activity for 250ms".into())
    );
    let over =
        r#", "timeout": { "secs": 0, "nanos": 1 }, "over_budget": { "class": "budget", "message": "spent" }"#;
    let (error, ..) = stopped(true, over);
    assert_eq!((error.failure.class, error.to_string()), (FailureClass::Budget, "spent".into()));
}

#[test]
fn a_call_that_cannot_be_made_says_why() {
    let host = Host::with(|builder| builder.secrets(Vault).provider("long", long()).max_output(100));
    let error = |call| made(&host, call, Arc::default()).unwrap_err().to_string();
    assert!(
        error(plain_call("lang", ""))
            .starts_with("no provider is registered as `lang`; did you mean `long`?")
    );
    let unknown = r#", "secrets": [{ "name": "old", "used": true }, { "name": "new" }]"#;
    assert_eq!(
        error(plain_call("long", unknown)),
        "this process does not know secrets that calls of the run have used, and could not redact them: old"
    );
    let absent = r#", "prompt": "x", "marks": { "nonce": "1", "secrets": [{ "name": "tokn" }] },
        "secrets": [{ "name": "tokn", "used": true }]"#;
    assert_eq!(error(plain_call("long", absent)), "work: there is no `secrets.tokn` in this process");
    let exact = r#", "options": { "n": 1e400 }"#;
    assert!(
        error(plain_call("long", exact)).starts_with("work.with: at /n: the number 1e400 cannot be kept")
    );
    assert_eq!(error(plain_call("long", "")), "the output has 1002 bytes; at most 100 are kept");
}

fn long() -> FunctionProvider {
    FunctionProvider::new(|_, _| async { Ok(Reply::text("x".repeat(1_000))) })
}

#[test]
fn a_panic_is_the_error_of_the_call() {
    let host =
        Host::with(|builder| builder.provider("bad", FunctionProvider::new(|_, _| async { panic!("no") })));
    let result = made(&host, plain_call("bad", ""), Arc::default());
    assert_eq!(result.unwrap_err().to_string(), "the provider panicked: no");
}

#[test]
fn what_a_dead_worker_left_is_reclaimed() {
    let notes = Arc::default();
    let endless = Endless { obeys: true, notes: Arc::clone(&notes) };
    let host = Host::with(|builder| builder.provider("endless", endless));
    let path: NodePath = "1/work[0]/run".parse().unwrap();
    let call = CallId { run: id("r1"), seed: 7, path, attempt: 1 };
    let runner = host.engine.call_runner();
    host.sim.block_on(runner.reclaim(&call, "endless")).unwrap();
    assert_eq!(*notes.lock().unwrap(), ["reclaimed 1/work[0]/run #1"]);
    let unknown = host.sim.block_on(runner.reclaim(&call, "endles")).unwrap_err();
    assert!(unknown.to_string().starts_with("no provider is registered as `endles`"));
}

/// A secret decides in a worker whether another value is an option's text: it is checked there again.
#[test]
fn a_secret_cannot_make_another_value_a_program() {
    let yaml = r#"
workflow: { name: Options, stages: [work] }
work: { provider: long, with: { command: [sh, "${secrets.flag}", "${vars.x}"] } }
"#;
    let host = Host::with(|builder| builder.secrets(crate::secrets::FLAG).provider("long", long()));
    let start = host.start("r1", yaml).var("x", "rm");
    host.sim.block_on(host.engine.run(start)).unwrap();
    let call = call_of(&host, "r1", yaml, "work");
    let single = made(&host, call, Arc::default()).unwrap_err();
    let EventBody::AttemptFailed { error: driven, .. } = &host.events("r1")[4].body else {
        panic!("no failure")
    };
    assert_eq!(*single.failure, **driven);
    assert!(single.to_string().contains("would be executed as program text"), "{single}");
}
