//! Providers that follow a workflow's `with`, or a separate script, and a record of their calls.
//!
//! ```yaml
//! with:
//!   ann: { after: 20, reply: { done: true } }     # every call of the provider `ann`
//!   bob@2: [{ fail: transient }, { reply: ok }]   # in iteration 2: the first call, the second
//!   cid[1]: { fail: permanent }                   # for the second item of a `foreach`
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use workflow_core::failure::FailureClass;
use workflow_core::ids::{NodePath, RunId};
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::usage::Usage;
use workflow_exec::{Clock, EngineBuilder};
use workflow_testkit::scripted;

use crate::sim::Sim;

/// The names under which scripted providers are registered.
const NAMES: [&str; 6] = ["ann", "bob", "cid", "dot", "command", "demo"];

/// The behaviour of one call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    /// Outputs a line this many times …
    #[serde(default)]
    say: u64,
    /// … once in this many milliseconds.
    #[serde(default)]
    every: u64,
    /// Ends this many milliseconds after the last line; 10 by default.
    after: Option<u64>,
    /// Ends with this output; by default its name and prompt. For a call that fails or is stopped it is the
    /// partial output, if any.
    reply: Option<Value>,
    /// Ends with an error of this class.
    fail: Option<FailureClass>,
    /// For an error of the class `rate_limited`: until this many milliseconds from then.
    until: Option<u64>,
    /// Stops to ask this, until it was answered.
    asks: Option<String>,
    /// Names a session at the start.
    session: Option<String>,
    /// Never ends by itself.
    #[serde(default)]
    hang: bool,
    /// Takes this many milliseconds to stop.
    #[serde(default)]
    slow_to_stop: u64,
    /// Ignores the stop signal.
    #[serde(default)]
    deaf: bool,
    /// Its usage.
    usage: Option<Usage>,
}

/// A call that a provider received.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// The provider's name.
    pub provider: String,
    /// The prompt.
    pub prompt: String,
    /// When it began, in milliseconds since the world did.
    pub from: i64,
    /// When it ended, and how; `None` while it runs.
    pub end: Option<(i64, &'static str)>,
}

/// All calls of scripted providers, whichever engine made them: external knowledge that survives the host's
/// death.
#[derive(Clone)]
pub struct Deeds {
    sim: Sim,
    start: jiff::Timestamp,
    calls: Arc<Mutex<Vec<Call>>>,
    /// How many calls of a node ended, other than by being dropped.
    ended: Arc<Mutex<HashMap<(RunId, NodePath), usize>>>,
    /// The script of calls, by `stage@iteration`, `stage[lane]` or `stage`.
    script: Arc<Value>,
}

impl Deeds {
    /// Without calls; providers follow `with`.
    pub fn new(sim: &Sim) -> Self {
        Self::scripted(sim, Value::Null)
    }

    /// Without calls; providers follow `script` instead of `with`, which belongs to other providers.
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

/// A call in progress; it counts as dropped unless its end is recorded.
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
    /// The script's entry for a call. A call that was interrupted by a crash repeats its entry; if there are
    /// more calls than entries, the last one is repeated.
    fn act(&self, request: &CallRequest) -> Act {
        let path = &request.id.path;
        let done = self.deeds.ended.lock().unwrap();
        let done = done.get(&(request.id.run.clone(), path.clone())).copied().unwrap_or(0);
        let (name, with, script) = (&self.name, &request.options, &self.deeds.script);
        let script = if script.is_null() {
            let items = path.items.iter().fold(String::new(), |items, item| format!("{items}[{item}]"));
            let keys = [format!("{name}{items}"), format!("{name}@{}", path.iteration), name.clone()];
            let within = path.within.as_ref();
            let of_loop = within.map(|within| format!("{}[{}]/{name}{items}", within.node, within.number));
            let keys = keys.iter().skip(usize::from(items.is_empty()));
            of_loop.iter().chain(keys).find_map(|key| with.get(key))
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
}

impl Act {
    /// The kit's act for a call with this prompt.
    fn of(self, name: &str, prompt: &str) -> scripted::Act {
        let trouble = format!("{name} had trouble");
        let mut act = match (self.fail, self.until) {
            _ if self.hang => scripted::Act::hang(),
            (None, _) => {
                scripted::Act::reply(self.reply.clone().unwrap_or_else(|| format!("{name}({prompt})").into()))
            }
            (Some(FailureClass::RateLimited), Some(ms)) => {
                scripted::Act::rate_limited(trouble, Duration::from_millis(ms))
            }
            (Some(class), _) => scripted::Act::fail(class, trouble),
        };
        for number in 1..=self.say {
            let every = Duration::from_millis(self.every);
            act = act.outputs(every, OutputKind::Text, format!("{name} {number}"));
        }
        if let Some(session) = self.session {
            act = act.session(session);
        }
        if let Some(question) = self.asks {
            act = act.asks(question, &["allow", "deny"]);
        }
        if let Some(reply) = self.reply {
            act = act.gave(reply);
        }
        if let Some(usage) = self.usage {
            act = act.usage(usage);
        }
        act = act.after(Duration::from_millis(self.after.unwrap_or(10)));
        act = act.stops_after(Duration::from_millis(self.slow_to_stop));
        if self.deaf { act.ignores_stop() } else { act }
    }
}

#[async_trait]
impl Provider for Scripted {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let call = self.deeds.begin(&request.id, &self.name, &request.prompt);
        let act = self.act(&request).of(&self.name, &request.prompt);
        let result = act.perform(&context).await;
        let node = (request.id.run, request.id.path);
        *self.deeds.ended.lock().unwrap().entry(node).or_default() += 1;
        call.end(match &result {
            Ok(_) => "replied",
            Err(error) if error.failure.class == FailureClass::Cancelled => "stopped",
            Err(_) => "failed",
        });
        result.map(|reply| Reply { session: None, ..reply })
    }

    fn needs_grace(&self) -> bool {
        true
    }
}
