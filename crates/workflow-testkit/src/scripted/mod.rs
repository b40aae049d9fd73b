//! A provider for tests of workflows: it follows a script, and records its calls.

mod act;
mod pattern;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use workflow_core::failure::FailureClass;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};

pub use act::Act;
use pattern::Pattern;

/// A provider that follows a script. Clones are the same provider: one is registered with the engine, and
/// another shows the test which calls there were.
///
/// A script is for the nodes that match a pattern, `[iteration/]stage[lane][/node[item]…]`; omitted parts
/// match anything: `test` is every call of the stage `test`, `2/test` those of the second iteration,
/// `test[0]` those of its first lane, `plan/review[3]` those for the fourth item of the node `review`. Each
/// call executes the next act of the first script, in the order they were added, that matches its node and
/// has an act left. So attempts, iterations and runs use the acts in order; parallel calls that need acts of
/// their own need separate patterns.
///
/// A call for which no script has an act left fails permanently, with a message that lists the acts, and
/// [`assert_finished`](Self::assert_finished) fails the test.
///
/// Delays use the engine's clock and timer: in a simulation, or with tokio's time paused, they take no time.
///
/// ```
/// use serde_json::json;
/// use workflow_core::failure::FailureClass;
/// use workflow_exec::{Engine, StartRun};
/// use workflow_testkit::scripted::{Act, ScriptedProvider};
///
/// let agent = ScriptedProvider::new()
///     .script("plan", [Act::reply("1. parse, 2. print").says("thinking about it")])
///     .script(
///         "check",
///         [
///             Act::fail(FailureClass::Transient, "the connection was closed"),
///             Act::reply(json!({ "done": true })),
///         ],
///     );
///
/// let engine = Engine::builder().provider("agent", agent.clone()).build()?;
/// let workflow = engine.parse(
///     r#"
/// workflow: { name: Two stages, stages: [plan, check] }
/// plan: { provider: agent, prompt: "Plan ${vars.what}" }
/// check: { provider: agent, prompt: "Check ${stages.plan.output}", on_failure: retry, retry_backoff: 0 }
/// "#,
///     "two-stages",
/// )?;
/// let run = futures::executor::block_on(engine.run(StartRun::plan(&workflow).var("what", "a parser")))?;
///
/// assert!(run.error.is_none());
/// assert_eq!(agent.prompts("plan"), ["Plan a parser"]);
/// assert_eq!(agent.prompts("check"), ["Check 1. parse, 2. print"; 2]);
/// agent.assert_finished();
/// # Ok::<(), workflow_exec::EngineError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ScriptedProvider(Arc<Mutex<Play>>);

#[derive(Debug, Default)]
struct Play {
    scripts: Vec<Script>,
    calls: Vec<ScriptedCall>,
    unscripted: Vec<String>,
}

#[derive(Debug)]
struct Script {
    pattern: Pattern,
    acts: Vec<Act>,
    done: usize,
    /// All further calls execute the last act.
    repeats: bool,
}

/// A call that a [`ScriptedProvider`] received.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScriptedCall {
    /// The request.
    pub request: CallRequest,
    /// When it began, by the engine's clock.
    pub began: Timestamp,
    /// When and how it ended; `None` while it runs.
    pub ended: Option<(Timestamp, Ended)>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// With a reply.
    Replied,
    /// With an error.
    Failed,
    /// It was told to stop.
    Stopped,
    /// Its future was dropped, or it panicked.
    Dropped,
}

impl ScriptedProvider {
    /// Creates a provider without a script.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a script: the acts of the calls of the nodes that match `pattern`.
    ///
    /// # Panics
    ///
    /// If `pattern` does not have the form `[iteration/]stage[lane][/node[item]…]`.
    #[must_use]
    #[track_caller]
    pub fn script(self, pattern: &str, acts: impl IntoIterator<Item = Act>) -> Self {
        self.add(pattern, acts.into_iter().collect(), false)
    }

    /// Adds a script: all calls of the nodes that match `pattern` execute `act`.
    ///
    /// # Panics
    ///
    /// As [`script`](Self::script).
    #[must_use]
    #[track_caller]
    pub fn always(self, pattern: &str, act: Act) -> Self {
        self.add(pattern, vec![act], true)
    }

    #[track_caller]
    fn add(self, pattern: &str, acts: Vec<Act>, repeats: bool) -> Self {
        let Some(pattern) = Pattern::read(pattern) else {
            panic!("`{pattern}` is not a pattern of nodes: write [iteration/]stage[lane][/node[item]…]");
        };
        self.play().scripts.push(Script { pattern, acts, done: 0, repeats });
        self
    }

    /// The calls so far, in the order they began.
    pub fn calls(&self) -> Vec<ScriptedCall> {
        self.play().calls.clone()
    }

    /// The prompts of the calls of the nodes that match `pattern`, in the order they began.
    ///
    /// # Panics
    ///
    /// As [`script`](Self::script).
    #[track_caller]
    pub fn prompts(&self, pattern: &str) -> Vec<String> {
        let Some(pattern) = Pattern::read(pattern) else {
            panic!("`{pattern}` is not a pattern of nodes: write [iteration/]stage[lane][/node[item]…]");
        };
        let calls = self.calls().into_iter().map(|call| call.request);
        calls.filter(|request| pattern.matches(&request.id.path)).map(|request| request.prompt).collect()
    }

    /// Fails the test unless every act of every [script](Self::script) was executed, and every call had one.
    ///
    /// # Panics
    ///
    /// If acts are left or were missing; the message lists them.
    #[track_caller]
    pub fn assert_finished(&self) {
        let play = self.play();
        let mut problems = String::new();
        let left = |script: &&Script| !script.repeats && script.done < script.acts.len();
        for script in play.scripts.iter().filter(left) {
            let _ = write!(problems, "\n{}", script.progress());
        }
        for missing in &play.unscripted {
            let _ = write!(problems, "\n{missing}");
        }
        drop(play);
        assert!(problems.is_empty(), "the script and the calls differ:{problems}");
    }

    fn play(&self) -> MutexGuard<'_, Play> {
        // A panic leaves the data consistent, and a failing test reports its own message.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Play {
    /// The act for a call, or why there is none.
    fn act(&mut self, id: &CallId) -> Result<Act, String> {
        let mut scripts = self.scripts.iter_mut().filter(|script| script.pattern.matches(&id.path));
        if let Some(script) = scripts.find(|script| script.repeats || script.done < script.acts.len()) {
            let act = script.acts[script.done.min(script.acts.len() - 1)].clone();
            script.done += 1;
            return Ok(act);
        }
        let scripts = self.scripts.iter().filter(|script| script.pattern.matches(&id.path));
        let progress: Vec<_> = scripts.map(Script::progress).collect();
        let progress = if progress.is_empty() {
            let patterns: Vec<_> =
                self.scripts.iter().map(|script| format!("`{}`", script.pattern)).collect();
            let patterns = if patterns.is_empty() { "none".to_owned() } else { patterns.join(", ") };
            format!("no script is for this node; scripts: {patterns}")
        } else {
            progress.join("; ")
        };
        let message = format!("the script has no act for attempt {} of {} ({progress})", id.attempt, id.path);
        self.unscripted.push(message.clone());
        Err(message)
    }
}

impl Script {
    fn progress(&self) -> String {
        let acts = self.acts.len();
        format!("`{}`: {} of {acts} acts were done", self.pattern, self.done.min(acts))
    }
}

/// A call in progress; it counts as dropped unless its end is recorded.
struct Underway<'a> {
    provider: &'a ScriptedProvider,
    context: &'a CallContext,
    number: usize,
}

impl Underway<'_> {
    fn end(&self, how: Ended) {
        let at = self.context.now();
        self.provider.play().calls[self.number].ended.get_or_insert((at, how));
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.end(Ended::Dropped);
    }
}

#[async_trait]
impl Provider for ScriptedProvider {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let began = context.now();
        let (number, act) = {
            let mut play = self.play();
            let act = play.act(&request.id);
            play.calls.push(ScriptedCall { request, began, ended: None });
            (play.calls.len() - 1, act)
        };
        let underway = Underway { provider: self, context: &context, number };
        let result = match act {
            Ok(act) => act.perform(&context).await,
            Err(message) => Err(ProviderError::permanent(message)),
        };
        underway.end(match &result {
            Ok(_) => Ended::Replied,
            Err(error) if error.failure.class == FailureClass::Cancelled => Ended::Stopped,
            Err(_) => Ended::Failed,
        });
        result
    }

    fn needs_grace(&self) -> bool {
        true
    }
}
