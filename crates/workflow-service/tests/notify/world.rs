//! Engines, stores and notifiers of the tests.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;
use tokio::sync::oneshot;
use workflow_core::definition::{NoticeKind, NotifyChannel, NotifyTarget};
use workflow_core::ids::RunId;
use workflow_core::machine::Secrets;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
use workflow_core::store::{NoticeClaim, NoticeId, RunStore};
use workflow_core::usage::Usage;
use workflow_exec::{Clock, Engine, StartRun, Timer};
use workflow_service::notify::{Deliver, DeliveryError, Notice, Notifier};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Answers with its prompt, or fails; each call costs a dollar.
pub(crate) struct Echo;

#[async_trait]
impl Provider for Echo {
    async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        if request.prompt.contains("fail") {
            return Err(ProviderError::permanent(request.prompt));
        }
        let mut reply = Reply::text(request.prompt);
        reply.usage = Some(Usage { cost_usd: Some(1.0), ..Usage::default() });
        Ok(reply)
    }
}

/// One secret, by the name of its variable.
pub(crate) struct OneSecret;

impl Secrets for OneSecret {
    fn secret(&self, name: &str) -> Option<String> {
        (name == "HOOK_SECRET").then(|| SECRET.to_owned())
    }
}

/// A clock whose waits take a moment and count in full, but for the time limits of targets, which are real.
#[derive(Clone, Default)]
pub(crate) struct Hops {
    ahead: Arc<Mutex<Duration>>,
}

/// The timeout of targets whose time limits are to be real.
pub(crate) const LIMIT: Duration = Duration::from_secs(59);

impl Hops {
    pub(crate) fn ahead_by(time: Duration) -> Self {
        Self { ahead: Arc::new(Mutex::new(time)) }
    }
}

impl Clock for Hops {
    fn now(&self) -> Timestamp {
        Timestamp::now() + *self.ahead.lock().unwrap()
    }
}

impl Timer for Hops {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if duration == LIMIT || duration == LIMIT + Duration::from_secs(5) {
            return tokio::time::sleep(duration).boxed();
        }
        let ahead = self.ahead.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            *ahead.lock().unwrap() += duration;
        }
        .boxed()
    }
}

/// The texts of workflows whose runs do what their names say.
pub(crate) fn workflow(name: &str) -> String {
    let stage = match name {
        "asks" => "{ provider: echo, prompt: Hi, approval: 'May it $(touch pwned)?' }",
        "fails" => "{ provider: echo, prompt: \"fail\\n${vars.what:-now}\" }",
        "nears" => "{ provider: echo, prompt: Hi, budget: { cost_usd: 1.2 } }",
        _ => "{ provider: echo, prompt: Hi }",
    };
    format!("workflow: {{ name: {name}, stages: [greet] }}\ngreet: {stage}\n")
}

pub(crate) fn engine(store: Arc<dyn RunStore>) -> Engine {
    Engine::builder().store(store).provider("echo", Echo).build().unwrap()
}

/// Runs a workflow until it is idle.
pub(crate) fn run(engine: &Engine, workflow_name: &str, id: &str) -> RunId {
    let plan = engine.parse(&workflow(workflow_name), workflow_name).unwrap();
    let id: RunId = id.parse().unwrap();
    block_on(engine.run(StartRun::plan(&plan).run_id(id.clone()).label("team", "a\nb"))).unwrap();
    id
}

/// A webhook as a target.
pub(crate) fn webhook(url: &str, allow_loopback: bool) -> NotifyTarget {
    NotifyTarget {
        channel: NotifyChannel::Webhook {
            url: url.to_owned(),
            secret_env: "HOOK_SECRET".to_owned(),
            allow_loopback,
        },
        on: NoticeKind::ALL.to_vec(),
        workflows: Vec::new(),
        timeout: Some(workflow_core::definition::Period(LIMIT)),
    }
}

/// Records what it is told, and answers as it is told to.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    told: Arc<Mutex<Vec<Notice>>>,
    answers: Arc<Mutex<Vec<DeliveryError>>>,
}

impl Recorder {
    /// Fails with these errors first, the last of them at first.
    pub(crate) fn failing(answers: Vec<DeliveryError>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers)), ..Self::default() }
    }

    pub(crate) fn told(&self) -> Vec<Notice> {
        self.told.lock().unwrap().clone()
    }

    /// The runs and the types of what it was told, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |notice: &Notice| format!("{} {}", notice.run.as_ref().unwrap().id, notice.kind.as_str());
        let mut lines: Vec<_> = self.told().iter().map(line).collect();
        lines.sort();
        lines
    }
}

#[async_trait]
impl Deliver for Recorder {
    async fn deliver(&self, notice: &Notice, _: Duration) -> Result<(), DeliveryError> {
        self.told.lock().unwrap().push(notice.clone());
        self.answers.lock().unwrap().pop().map_or(Ok(()), Err)
    }
}

/// A notifier that runs on a thread of its own until it is dropped.
pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    pub(crate) fn new(notifier: Notifier) -> Self {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(notifier.run(async { drop(stopped.await) }));
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}

/// Waits until `condition` holds.
pub(crate) fn in_the_end(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < until, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until a notice that was claimed is settled, without claiming it again.
pub(crate) fn settled(store: &dyn RunStore, run: &RunId, event: u64, target: &str) {
    let notice = NoticeId { run: run.clone(), event, target: target.to_owned() };
    in_the_end("the notice is settled", || {
        // Every claim is valid then.
        let claim = block_on(store.claim_notice(&notice, Timestamp::MIN, Timestamp::MIN)).unwrap();
        claim == NoticeClaim::Settled
    });
}

/// The number of the last event of a run.
pub(crate) fn last(store: &dyn RunStore, run: &RunId) -> u64 {
    block_on(store.events(run, 0, usize::MAX)).unwrap().last().unwrap().seq
}
