//! Reads the store on a thread of its own, and sends control requests.

mod run;

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::executor::block_on;
use futures::stream::{self, BoxStream, Fuse, StreamExt as _};
use futures::{FutureExt as _, select};
use futures_timer::Delay;
use workflow_core::ids::RunId;
use workflow_core::status::WaitReason;
use workflow_core::store::Control;
use workflow_service::runs::{AnswerRun, CancelRun, KillRun, ListRuns, PauseRun, ResumeRun};
use workflow_service::{Code, FollowRun, Subscribe};

use self::run::Opened;
use super::message::{Event, Listed, Outcome};
use crate::commands::control;
use crate::error::Error;
use crate::host::Host;
use crate::own_call;

/// How many of the newest runs are listed.
const RUNS: usize = 1_000;
/// The shortest time between two readings.
const FRAME: Duration = Duration::from_millis(100);
/// The shortest time between two readings of the list.
const LIST: Duration = Duration::from_millis(500);
/// The store is read this often without news: a process that drove a run may have died.
const QUIET: Duration = Duration::from_secs(1);

/// What the display wants to see.
enum Ask {
    Open(RunId),
    Close,
    /// Something has changed.
    Refresh,
}

/// The thread that reads the store.
pub(crate) struct Source {
    host: Arc<Host>,
    asks: UnboundedSender<Ask>,
    events: Sender<Event>,
    thread: JoinHandle<()>,
}

impl Source {
    pub(crate) fn start(host: Host, events: Sender<Event>) -> Result<Self, Error> {
        let (asks, asked) = unbounded();
        let host = Arc::new(host);
        let reader = Reader { host: host.clone(), events: events.clone(), opened: None };
        let named = thread::Builder::new().name("top".into());
        let thread = named.spawn(move || block_on(reader.follow(asked))).map_err(Error::System)?;
        Ok(Self { host, asks, events, thread })
    }

    /// Whether the store is still being read.
    pub(crate) fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    pub(crate) fn open(&self, run: RunId) {
        let _ = self.asks.unbounded_send(Ask::Open(run));
    }

    pub(crate) fn close(&self) {
        let _ = self.asks.unbounded_send(Ask::Close);
    }

    /// Sends a control request. Its outcome is an event: the process that drives the run may take a while to decide.
    pub(crate) fn send(&self, run: RunId, control: Control) -> Result<(), Error> {
        let (host, events, asks) = (self.host.clone(), self.events.clone(), self.asks.clone());
        let send = move || {
            let outcome = block_on(outcome(&host, &run, control.clone()));
            let _ = events.send(Event::Sent { run, control, outcome });
            let _ = asks.unbounded_send(Ask::Refresh);
        };
        thread::Builder::new().name("control".into()).spawn(send).map_err(Error::System)?;
        Ok(())
    }
}

async fn outcome(host: &Host, run: &RunId, request: Control) -> Outcome {
    let run_id = run.clone();
    let sent = match request {
        Control::Pause => control::send(host, run, PauseRun { run_id }).await,
        Control::Resume => control::send(host, run, ResumeRun { run_id }).await,
        Control::Cancel => control::send(host, run, CancelRun { run_id }).await,
        Control::Kill => control::send(host, run, KillRun { run_id }).await,
        Control::Answer(_) if own_call::is_within(run) => Err(Error::OwnCall(run.clone())),
        Control::Answer(answer) => {
            let request = AnswerRun { run_id, wait: answer.wait, value: answer.value };
            control::send(host, run, request).await
        }
        other => Err(Error::Refused(format!("this program does not send {other:?}"))),
    };
    match sent {
        Ok(Some(_)) => Outcome::Accepted,
        Ok(None) => Outcome::Recorded,
        Err(Error::ControlRefused { refused, .. }) => Outcome::Refused(refused.reason),
        Err(error) => Outcome::Refused(error.to_string()),
    }
}

/// The display is gone.
struct Gone;

struct Reader {
    host: Arc<Host>,
    events: Sender<Event>,
    opened: Option<Opened>,
}

impl Reader {
    /// Reads what is new whenever the store has news, until the display is gone.
    async fn follow(mut self, mut asks: UnboundedReceiver<Ask>) {
        let mut heads = self.news(Subscribe { runs: Vec::new(), heads: true }).await;
        let mut run = none();
        let mut next_list = Instant::now();
        loop {
            if self.read(&mut next_list).await.is_err() {
                return;
            }
            Delay::new(FRAME).await;
            let first = select! {
                ask = asks.next() => match ask {
                    Some(ask) => Some(ask),
                    None => return,
                },
                () = heads.select_next_some() => None,
                () = run.select_next_some() => None,
                () = Delay::new(QUIET).fuse() => None,
            };
            for ask in first.into_iter().chain(std::iter::from_fn(|| asks.try_recv().ok())) {
                match ask {
                    Ask::Open(id) => {
                        let follow = FollowRun { run_id: id.clone(), after: 0, after_output: Some(0) };
                        run = self.news(Subscribe { runs: vec![follow], heads: false }).await;
                        self.opened = Some(Opened::new(id));
                    }
                    Ask::Close => (self.opened, run) = (None, none()),
                    Ask::Refresh => next_list = Instant::now(),
                }
            }
        }
    }

    /// A stream that has an item when the store has news. Where that is not possible the store is read by the clock.
    async fn news(&self, request: Subscribe) -> Fuse<BoxStream<'static, ()>> {
        match self.host.subscribe(request).await {
            Ok(batches) => batches.map(drop).boxed().fuse(),
            Err(_) => none(),
        }
    }

    async fn read(&mut self, next_list: &mut Instant) -> Result<(), Gone> {
        let begun = Instant::now();
        if begun >= *next_list {
            let event = match list(&self.host).await {
                Ok(listed) => Event::Runs(listed),
                Err(error) => Event::Unreadable(error.to_string()),
            };
            self.send(event)?;
            // A store with many runs is not kept busy with this.
            *next_list = Instant::now() + LIST.max(begun.elapsed() * 5);
        }
        if let Some(opened) = &mut self.opened {
            match opened.read(&self.host).await {
                Ok(events) => events.into_iter().try_for_each(|event| self.send(event))?,
                Err(Error::Service(error)) if error.code == Code::NotFound => {
                    let run = opened.run().clone();
                    self.opened = None;
                    self.send(Event::Deleted(run))?;
                }
                Err(error) => self.send(Event::Unreadable(error.to_string()))?,
            }
        }
        Ok(())
    }

    fn send(&self, event: Event) -> Result<(), Gone> {
        self.events.send(event).map_err(|_| Gone)
    }
}

fn none() -> Fuse<BoxStream<'static, ()>> {
    stream::empty().boxed().fuse()
}

/// The newest runs, and all that wait for a person.
async fn list(host: &Host) -> Result<Listed, Error> {
    let newest = ListRuns { limit: Some(RUNS), totals: true, ..ListRuns::default() };
    let newest = host.ask(newest).await?;
    let mut runs = newest.runs;
    if newest.next.is_some() {
        let reasons = WaitReason::ALL.iter().copied().filter(|reason| reason.is_for_a_person());
        let waiting = ListRuns { limit: Some(RUNS), waits: reasons.collect(), ..ListRuns::default() };
        let waiting = host.ask(waiting).await?.runs;
        let oldest = runs.len();
        for run in waiting {
            if runs[..oldest].iter().all(|known| known.run_id != run.run_id) {
                runs.push(run);
            }
        }
    }
    Ok(Listed { runs, total: newest.total.unwrap_or_default() })
}
