//! The messages of one run, rendered once for all clients that follow it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use workflow_core::ids::RunId;
use workflow_core::runs::{EngineError, Runs};

use crate::error::ServiceError;
use crate::message::Message;
use crate::notice::{Known, Notice, Notices};

/// How many bytes of each part of a run are kept for clients that are nearly up to date.
const KEPT: usize = 1 << 20;
/// How many events or output entries are read at once.
const PAGE: usize = 512;

/// The feeds of the runs that clients follow.
#[derive(Default)]
pub(crate) struct Feeds(Mutex<HashMap<RunId, Weak<Feed>>>);

impl Feeds {
    /// The feed of a run; all clients that follow it share one.
    pub(crate) fn of(&self, run: &RunId) -> Arc<Feed> {
        // Nothing that can panic runs under the lock.
        let mut feeds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = feeds.get(run).and_then(Weak::upgrade) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = Arc::new(Feed::new(run.clone()));
        feeds.insert(run.clone(), Arc::downgrade(&feed));
        feed
    }
}

/// Which messages of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Events,
    Output,
}

/// The messages of one run.
pub(crate) struct Feed {
    run: RunId,
    events: futures::lock::Mutex<Window>,
    output: futures::lock::Mutex<Window>,
    notices: Notices,
}

/// The newest messages.
#[derive(Default)]
struct Window {
    /// Every message with a higher number is here, as far as it was read.
    after: u64,
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    /// The read that the window is as new as.
    read: u64,
}

impl Window {
    fn last(&self) -> u64 {
        self.messages.back().map_or(self.after, |message| message.number())
    }

    fn push(&mut self, messages: &[Arc<Message>]) {
        for message in messages {
            self.bytes += message.json().len();
            self.messages.push_back(message.clone());
        }
        while self.bytes > KEPT
            && let Some(oldest) = self.messages.pop_front()
        {
            self.bytes -= oldest.json().len();
            self.after = oldest.number();
        }
    }

    /// The messages behind a number.
    fn behind(&self, after: u64) -> Vec<Arc<Message>> {
        let begin = self.messages.partition_point(|message| message.number() <= after);
        self.messages.range(begin..).take(PAGE).cloned().collect()
    }
}

impl Feed {
    fn new(run: RunId) -> Self {
        Self {
            run,
            events: futures::lock::Mutex::default(),
            output: futures::lock::Mutex::default(),
            notices: Notices::default(),
        }
    }

    /// The run.
    pub(crate) fn run(&self) -> &RunId {
        &self.run
    }

    /// Completes when the run may have changed. One notice serves all clients until it completes.
    pub(crate) fn changed(&self, runs: &dyn Runs) -> (Notice, Known) {
        self.notices.current(|| runs.changed(Some(&self.run)))
    }

    /// Some messages with numbers above `after`; none if there are none. With `known` a read that began later is
    /// new enough, and the store is not asked again.
    pub(crate) async fn read(
        &self,
        runs: &dyn Runs,
        part: Part,
        after: u64,
        known: Option<Known>,
    ) -> Result<Vec<Arc<Message>>, ServiceError> {
        let window = match part {
            Part::Events => &self.events,
            Part::Output => &self.output,
        };
        let mut window = window.lock().await;
        if window.messages.is_empty() && (window.read == 0 || after < window.after) {
            // The first client decides where the window begins, and one that has less while nothing is kept.
            (window.after, window.read) = (after, 0);
        }
        if after < window.after {
            // A client that is far behind reads by itself.
            drop(window);
            return self.load(runs, part, after).await.map_err(ServiceError::from);
        }
        let found = window.behind(after);
        if !found.is_empty() || known.is_some_and(|known| known.is_before(window.read)) {
            return Ok(found);
        }
        let read = self.notices.begin_read();
        let last = window.last();
        let new = self.load(runs, part, last).await?;
        window.push(&new);
        window.read = read;
        Ok(window.behind(after))
    }

    async fn load(&self, runs: &dyn Runs, part: Part, after: u64) -> Result<Vec<Arc<Message>>, EngineError> {
        Ok(match part {
            Part::Events => {
                let events = runs.events(&self.run, after, PAGE).await?;
                events.iter().map(|event| Arc::new(Message::event(&self.run, event))).collect()
            }
            Part::Output => {
                let entries = runs.output(&self.run, after, PAGE).await?;
                entries.iter().map(|entry| Arc::new(Message::output(&self.run, entry))).collect()
            }
        })
    }
}
