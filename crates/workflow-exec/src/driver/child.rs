//! The runs that nodes start: the engine looks at them, and the machine is told what it sees.

use std::time::Duration;

use futures::future::FutureExt as _;
use workflow_core::ids::NodePath;
use workflow_core::machine::{self, Input};
use workflow_core::stop::Stop;

use crate::children::{Look, Seen};
use crate::driver::state::Driver;
use crate::driver::underway::Arrival;
use workflow_core::runs::EngineError;

/// How often the run of a node is looked at while the run of the node is loaded. Usually its end is notified.
const AGAIN: Duration = Duration::from_secs(5);

impl Driver<'_> {
    /// Looks at the run that a node has started.
    pub(super) fn look(&mut self, path: NodePath, attempt: u32, how: Stop) {
        // It may have ended since this was decided.
        let Some(child) = machine::child(&self.plan, &self.state, &path, attempt) else { return };
        let stopped_by = self.state.head().stopped_by.filter(|_| how > Stop::None);
        let look = Look {
            child,
            parent: self.state.created().clone(),
            by: stopped_by.or_else(|| self.state.started_by().cloned()),
            how,
            drives: !self.watch.is_leaving(),
        };
        let looking = (self.engine.look_at)(self.hold.shared().clone(), look);
        self.looks += 1;
        self.underway.expect(looking.map(move |seen| Arrival::Seen(path, attempt, seen)));
    }

    /// Whether the driver waits for what it is told of such runs. One that lost its lease, or stops at once, does not.
    pub(super) fn looks_on(&self) -> bool {
        self.looks > 0 && self.watch.stopping() < Stop::AtOnce
    }

    pub(super) fn seen(&mut self, path: NodePath, attempt: u32, seen: Seen) -> Result<(), EngineError> {
        self.looks = self.looks.saturating_sub(1);
        match seen {
            Seen::UnderWay => {
                let again = path.clone();
                let later = self.engine.timer.sleep(AGAIN);
                self.underway.expect(later.map(move |()| Arrival::Look(again, attempt)));
                self.decide(Input::ChildSeen { path, attempt })
            }
            Seen::Ended(outcome) => self.decide(Input::ChildEnded { path, attempt, outcome }),
            Seen::Nothing => Ok(()),
        }
    }
}
