//! Providers that do what a workflow's `with`, or a script beside it, tells them to, and a record of
//! what they did.
//!
//! ```yaml
//! with:
//!   ann: { after: 20, reply: { done: true } }     # every call of the provider `ann`
//!   bob@2: [{ fail: transient }, { reply: ok }]   # in iteration 2: the first call, the second
//!   cid[1]: { fail: permanent }                   # for the second item of a `foreach`
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::{Either, select};
use serde::Deserialize;
use serde_json::Value;
use workflow_core::data::Data;
use workflow_core::failure::FailureClass;
use workflow_core::ids::{NodePath, RunId};
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::stop::Stop;
use workflow_core::usage::Usage;
use workflow_exec::{Clock, EngineBuilder};

use crate::sim::Sim;

/// The names under which scripted providers are registered.
const NAMES: [&str; 5] = ["ann", "bob", "cid", "dot", "command"];

/// What one call does.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    /// Says a line so often …
    #[serde(default)]
    say: u64,
    /// … once in so many milliseconds.
    #[serde(default)]
    every: u64,
    /// Ends so many milliseconds after the last line; 10 unless told otherwise.
    after: Option<u64>,
    /// Ends with this output; with its name and prompt unless told otherwise. One that fails has given this before, if
    /// anything, and so has one that is stopped.
    reply: Option<Value>,
    /// Ends with an error of this class.
    fail: Option<FailureClass>,
    /// For an error of the class `rate_limited`: until so many milliseconds from then.
    until: Option<i64>,
    /// Names a session as it begins.
    session: Option<String>,
    /// Never ends by itself.
    #[serde(default)]
    hang: bool,
    /// Takes so many milliseconds to stop.
    #[serde(default)]
    slow_to_stop: u64,
    /// Does not listen when it is told to stop.
    #[serde(default)]
    deaf: bool,
    /// What it used.
    usage: Option<Usage>,
}

/// A call that a provider got.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which.
    pub id: CallId,
    /// The provider's name.
    pub provider: String,
    /// The prompt it got.
    pub prompt: String,
    /// When it began, in milliseconds since the world did.
    pub from: i64,
    /// When it ended, and how; absent while it goes on.
    pub end: Option<(i64, &'static str)>,
}

/// All that scripted providers did, whichever engine called them: what the world outside of the
/// host knows after the host's death.
#[derive(Clone)]
pub struct Deeds {
    sim: Sim,
    start: jiff::Timestamp,
    calls: Arc<Mutex<Vec<Call>>>,
    /// How many calls of a node ended, other than by being dropped.
    ended: Arc<Mutex<HashMap<(RunId, NodePath), usize>>>,
    /// What calls do, by `stage@iteration`, `stage[lane]` or `stage`.
    script: Arc<Value>,
}

impl Deeds {
    /// Nothing yet.
    pub fn new(sim: &Sim) -> Self {
        Self::scripted(sim, Value::Null)
    }

    /// Nothing yet; providers follow `script`, and not what `with` says, which is for others.
    pub fn scripted(sim: &Sim, script: Value) -> Self {
        let (sim, start) = (sim.clone(), sim.now());
        Self { sim, start, calls: Arc::default(), ended: Arc::default(), script: Arc::new(script) }
    }

    /// Registers the scripted providers.
    pub fn register(&self, builder: EngineBuilder) -> EngineBuilder {
        NAMES.iter().fold(builder, |builder, name| {
            builder.provider(*name, Scripted { name: (*name).to_owned(), deeds: self.clone() })
        })
    }

    /// The calls so far, in the order they began.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    fn elapsed(&self) -> i64 {
        self.sim.now().as_millisecond() - self.start.as_millisecond()
    }

    fn begin(&self, id: &CallId, provider: &str, prompt: &str) -> InProgress {
        let mut calls = self.calls.lock().unwrap();
        let (provider, prompt) = (provider.to_owned(), prompt.to_owned());
        calls.push(Call { id: id.clone(), provider, prompt, from: self.elapsed(), end: None });
        InProgress { deeds: self.clone(), number: calls.len() - 1 }
    }
}

/// A call that goes on; it was dropped unless its end is noted before.
struct InProgress {
    deeds: Deeds,
    number: usize,
}

impl InProgress {
    fn end(&self, how: &'static str) {
        let at = self.deeds.elapsed();
        let call = &mut self.deeds.calls.lock().unwrap()[self.number];
        call.end.get_or_insert((at, how));
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.end("dropped");
    }
}

struct Scripted {
    name: String,
    deeds: Deeds,
}

impl Scripted {
    /// What the script has for a call. A call that was cut off by a crash is done again; when
    /// there are more calls than the script has, the last is repeated.
    fn act(&self, request: &CallRequest) -> Act {
        let path = &request.id.path;
        let done = self.deeds.ended.lock().unwrap();
        let done = done.get(&(request.id.run.clone(), path.clone())).copied().unwrap_or(0);
        let (name, with, script) = (&self.name, &request.options, &self.deeds.script);
        let script = if script.is_null() {
            let items = path.items.iter().fold(String::new(), |items, item| format!("{items}[{item}]"));
            let keys = [format!("{name}{items}"), format!("{name}@{}", path.iteration), name.clone()];
            keys.iter().skip(usize::from(items.is_empty())).find_map(|key| with.get(key))
        } else {
            script
                .get(format!("{}@{}", path.stage, path.iteration))
                .or_else(|| script.get(format!("{}[{}]", path.stage, path.lane)))
                .or_else(|| script.get(path.stage.as_str()))
        };
        let act = match script {
            Some(Value::Array(acts)) => acts.get(done).or(acts.last()),
            one => one,
        };
        act.map_or_else(Act::default, |act| serde_json::from_value(act.clone()).unwrap())
    }

    async fn perform(&self, act: &Act, context: &CallContext) {
        if let Some(session) = &act.session {
            // A crash may come first; then there is nobody to tell.
            let _ = context.record_session(session).await;
        }
        for number in 1..=act.say {
            self.deeds.sim.sleep_ms(act.every).await;
            context.output(OutputKind::Text, format!("{} {number}", self.name));
        }
        if act.hang {
            futures::future::pending::<()>().await;
        }
        self.deeds.sim.sleep_ms(act.after.unwrap_or(10)).await;
    }
}

#[async_trait]
impl Provider for Scripted {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let call = self.deeds.begin(&request.id, &self.name, &request.prompt);
        let act = self.act(&request);
        let node = (request.id.run.clone(), request.id.path.clone());
        let work = Box::pin(self.perform(&act, &context));
        let stopped = Box::pin(async {
            if act.deaf {
                futures::future::pending::<()>().await;
            }
            context.stop().wait(Stop::Gracefully).await;
            let grace = self.deeds.sim.sleep_ms(act.slow_to_stop);
            select(grace, Box::pin(context.stop().wait(Stop::AtOnce))).await;
        });
        let stopped = matches!(select(work, stopped).await, Either::Right(_));
        *self.deeds.ended.lock().unwrap().entry(node).or_default() += 1;
        if stopped {
            call.end("stopped");
            let output = act.reply.map(Data::from);
            return Err(ProviderError { output, ..ProviderError::cancelled() });
        }
        let Some(class) = act.fail else {
            call.end("replied");
            let output = act.reply.unwrap_or_else(|| format!("{}({})", self.name, request.prompt).into());
            return Ok(Reply { usage: act.usage, ..Reply::json(&output) });
        };
        call.end("failed");
        let until = act.until.map(|ms| self.deeds.sim.now() + jiff::SignedDuration::from_millis(ms));
        let error = ProviderError::new(class, format!("{} had trouble", self.name));
        let output = act.reply.map(Data::from);
        Err(ProviderError { until, usage: act.usage, output, ..error })
    }

    fn needs_grace(&self) -> bool {
        true
    }
}
