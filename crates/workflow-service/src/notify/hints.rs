//! Tells a notifier that there is something to look at.

use std::sync::Arc;

use tokio::sync::Notify;
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::sink::EventSink;

use crate::notify::pick::kind_of;

/// A sink that tells a [`Notifier`](super::Notifier) of events of the engines in its process, so that it looks at once.
/// Without it, and for runs that other processes drive, the notifier looks at intervals. Clones tell the same one.
#[derive(Debug, Clone, Default)]
pub struct Hints(Arc<Notify>);

impl Hints {
    /// Completes when there may be something new.
    pub(super) async fn wait(&self) {
        self.0.notified().await;
    }
}

impl EventSink for Hints {
    fn events(&self, _: &RunId, events: &[Event]) {
        if events.iter().any(|event| kind_of(&event.body).is_some()) {
            self.0.notify_one();
        }
    }
}
