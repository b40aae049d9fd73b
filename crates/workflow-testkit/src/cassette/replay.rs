//! Replays what was recorded.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, select};
use indexmap::IndexMap;
use jiff::Timestamp;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_core::stop::Stop;
use workflow_core::usage::Usage;

use super::Clock;
use super::format::{Asked, Call, CassetteError, Recorded, What, node, read};
use super::redact::{is_same, redactor};

type Sleep = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// A provider that replays a [cassette](super), each call once.
///
/// A call that is not recorded, or whose request differs, fails permanently with a message that says what is
/// recorded instead.
pub struct Cassette {
    path: PathBuf,
    /// The calls of each node that were not played yet, each with its line.
    nodes: Mutex<IndexMap<String, VecDeque<(usize, Call)>>>,
    any_prompt: bool,
    pace: f64,
    sleep: Option<Sleep>,
    clock: Option<Clock>,
}

impl Cassette {
    /// Reads the cassette at `path`.
    ///
    /// # Errors
    ///
    /// [`CassetteError`] if it cannot be read completely.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CassetteError> {
        let path = path.as_ref();
        let mut nodes: IndexMap<String, VecDeque<_>> = IndexMap::new();
        for (line, call) in read(path)? {
            nodes.entry(call.node.clone()).or_default().push_back((line, call));
        }
        Ok(Self {
            path: path.to_owned(),
            nodes: Mutex::new(nodes),
            any_prompt: false,
            pace: 0.0,
            sleep: None,
            clock: None,
        })
    }

    /// Matches any prompt: for prompts that contain times, paths, or changing words.
    #[must_use]
    pub fn any_prompt(mut self) -> Self {
        self.any_prompt = true;
        self
    }

    /// Scales the recorded times: 1 is the original pace, 0.01 a hundredth of the time. Default: 0, which
    /// does not wait.
    #[must_use]
    pub fn pace(mut self, factor: f64) -> Self {
        self.pace = factor;
        self
    }

    /// Sets the timer. Default: the timer of the engine.
    #[must_use]
    pub fn sleep(
        mut self,
        sleep: impl Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        self.sleep = Some(Arc::new(sleep));
        self
    }

    /// Sets the clock for the time at which a quota is reset. Default: the clock of the engine.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// How many calls have not been played yet: a test can check at its end that all were played.
    pub fn left(&self) -> usize {
        self.nodes.lock().unwrap().values().map(VecDeque::len).sum()
    }

    /// The first call of the node with the same request that was not played yet.
    fn next(&self, request: &CallRequest) -> Result<Call, String> {
        let (node, asked) = (node(request), Asked::of(request));
        let (mut nodes, path) = (self.nodes.lock().unwrap(), self.path.display());
        let Some(calls) = nodes.get_mut(&node) else {
            let nodes: Vec<_> = nodes.keys().map(String::as_str).collect();
            return Err(format!("no call of `{node}` is recorded in {path}, only of: {}", nodes.join(", ")));
        };
        let found = calls.iter().position(|(_, call)| self.difference(&call.asked, &asked).is_none());
        if let Some((_, call)) = found.and_then(|found| calls.remove(found)) {
            return Ok(call);
        }
        let Some((line, call)) = calls.front() else {
            return Err(format!("all calls of `{node}` that are recorded in {path} have been played"));
        };
        let (name, recorded, mut now) = self.difference(&call.asked, &asked).unwrap_or_default();
        redactor(&[], &request.env).map_err(|error| error.to_string())?.text(&mut now);
        let (recorded, now) = (around(&now, &recorded), around(&recorded, &now));
        Err(format!(
            "the request of `{node}` differs from {path}, line {line}, in its {name}: `{now}` instead of `{recorded}`"
        ))
    }

    /// The first difference from the recording: its name, the recorded and the new text.
    fn difference(&self, recorded: &Asked, asked: &Asked) -> Option<(&'static str, String, String)> {
        let parts = |asked: &Asked| {
            [
                ("prompt", asked.prompt.clone()),
                ("options", asked.options.to_string()),
                ("session", if asked.session { "resumed" } else { "new" }.to_owned()),
                ("output schema", asked.output_schema.to_string()),
            ]
        };
        let mut pairs = parts(recorded).into_iter().zip(parts(asked));
        let different = pairs.find(|((name, recorded), (_, asked))| {
            let is_any = self.any_prompt && *name == "prompt";
            !is_any && !is_same(recorded, asked)
        });
        different.map(|((name, recorded), (_, asked))| (name, recorded, asked))
    }

    fn shrunk(&self, milliseconds: u64) -> Duration {
        let time = Duration::from_millis(milliseconds).as_secs_f64() * self.pace;
        Duration::try_from_secs_f64(time).unwrap_or_default()
    }

    /// The moment that is this many milliseconds away.
    fn after(&self, milliseconds: i64, context: &CallContext) -> Timestamp {
        let now = self.clock.as_ref().map_or_else(|| context.now(), |clock| clock());
        let time = self.shrunk(milliseconds.unsigned_abs());
        let moment = if milliseconds < 0 { now.checked_sub(time) } else { now.checked_add(time) };
        moment.unwrap_or(Timestamp::MAX)
    }
}

/// The part of a text where it begins to differ from another.
fn around(other: &str, text: &str) -> String {
    const BEFORE: usize = 20;
    const LENGTH: usize = 80;
    let same = text.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let start = same.saturating_sub(BEFORE);
    let mut part: String = text.chars().skip(start).take(LENGTH).collect();
    if start > 0 {
        part.insert(0, '…');
    }
    if text.chars().count() > start + LENGTH {
        part.push('…');
    }
    part
}

impl fmt::Debug for Cassette {
    /// Names only the file, not its content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cassette").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for Cassette {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        // The call is not played then, and can be replayed later.
        if context.stop().now() != Stop::None {
            return Err(ProviderError::cancelled());
        }
        let Call { said, took, result, .. } = self.next(&request).map_err(ProviderError::permanent)?;
        let (mut at, mut used) = (0, None);
        for said in said {
            self.wait(&mut at, said.at, &context, used.as_ref()).await?;
            match said.what {
                What::Output { kind, text } => context.output(kind, text),
                What::Usage(usage) => {
                    used = Some(usage.clone());
                    context.usage(usage);
                }
                // If it cannot be recorded, another process drives the run, and this call is told to stop.
                What::Session(session) => drop(context.record_session(&session).await),
                What::Alive {} => context.alive(),
            }
        }
        if !matches!(result, Recorded::Stopped { .. }) {
            self.wait(&mut at, took, &context, used.as_ref()).await?;
        }
        match result {
            Recorded::Reply { output, usage, session, details } => {
                Ok(Reply { output, usage, session, details })
            }
            Recorded::Error { failure, retry_after, usage, output, question } => {
                let until = retry_after.map(|time| self.after(time, &context));
                Err(ProviderError {
                    failure: Box::new(failure),
                    until,
                    usage,
                    retry_after: None,
                    output,
                    question,
                })
            }
            Recorded::Stopped { usage } => {
                context.stop().wait(Stop::Gracefully).await;
                Err(ProviderError { usage, ..ProviderError::cancelled() })
            }
        }
    }
}

impl Cassette {
    /// Waits from one moment of a call to another, unless it is told to stop.
    async fn wait(
        &self,
        from: &mut u64,
        to: u64,
        context: &CallContext,
        used: Option<&Usage>,
    ) -> Result<(), ProviderError> {
        let time = self.shrunk(to.saturating_sub(*from));
        *from = to.max(*from);
        if !time.is_zero() {
            let stopped = Box::pin(context.stop().wait(Stop::Gracefully));
            let sleep = self.sleep.as_ref().map_or_else(|| context.sleep(time), |sleep| sleep(time));
            select(sleep, stopped).await;
        }
        match context.stop().now() {
            Stop::None => Ok(()),
            _ => Err(ProviderError { usage: used.cloned(), ..ProviderError::cancelled() }),
        }
    }
}
