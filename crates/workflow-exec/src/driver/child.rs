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

/// How often the run of a node is looked at while the run that started it is loaded. Usually its end is notified.
const AGAIN: Duration = Duration::from_secs(5);
/// How soon a run that is to be stopped is looked at again while it is being created.
const SOON: Duration = Duration::from_millis(50);

impl Driver<'_> {
    /// Looks at the run that a node has started.
    pub(super) fn look(&mut self, path: NodePath, attempt: u32, how: Stop) {
        // It may have ended since this was decided.
        let Some(child) = machine::child(&self.plan, &self.state, &path, attempt) else { return };
        let stopped_by = self.state.head().stopped_by.filter(|_| how > Stop::None);
        let begun = (path.clone(), attempt);
        let is_opening = self.opening.contains(&begun);
        if how == Stop::None && !child.known {
            self.opening.push(begun);
        }
        let look = Look {
            child,
            parent: self.state.created().clone(),
            by: stopped_by.or_else(|| self.state.started_by().cloned()),
            how,
            is_opening,
            drives: !self.watch.is_leaving(),
        };
        let looking = (self.engine.look_at)(self.hold.shared().clone(), look);
        self.looks += 1;
        self.underway.expect(looking.map(move |seen| Arrival::Seen(path, attempt, how, seen)));
    }

    /// Whether the driver waits for what it is told of such runs. One that lost its lease, or stops at once, does not.
    pub(super) fn looks_on(&self) -> bool {
        self.looks > 0 && self.watch.stopping() < Stop::AtOnce
    }

    /// It is time to look at it again.
    pub(super) fn look_again(&mut self, path: NodePath, attempt: u32, how: Stop) {
        if how > Stop::None {
            self.looks = self.looks.saturating_sub(1);
        }
        self.look(path, attempt, how);
    }

    pub(super) fn seen(
        &mut self,
        path: NodePath,
        attempt: u32,
        how: Stop,
        seen: Seen,
    ) -> Result<(), EngineError> {
        if how == Stop::None {
            let is_it = |begun: &(NodePath, u32)| begun.0 == path && begun.1 == attempt;
            let begun = self.opening.iter().position(is_it);
            begun.map(|at| self.opening.swap_remove(at));
        }
        if let Seen::Opening = seen {
            // It counts as a look until then: the driver does not leave before the run is stopped.
            let later = self.engine.timer.sleep(SOON);
            self.underway.expect(later.map(move |()| Arrival::Look(path, attempt, how)));
            return Ok(());
        }
        self.looks = self.looks.saturating_sub(1);
        match seen {
            Seen::UnderWay => {
                let again = path.clone();
                let later = self.engine.timer.sleep(AGAIN);
                self.underway.expect(later.map(move |()| Arrival::Look(again, attempt, Stop::None)));
                self.decide(Input::ChildSeen { path, attempt })
            }
            Seen::Ended(outcome) => self.decide(Input::ChildEnded { path, attempt, outcome }),
            Seen::Nothing | Seen::Opening => Ok(()),
        }
    }
}
