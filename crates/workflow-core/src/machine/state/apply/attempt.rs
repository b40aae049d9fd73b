//! What an attempt used, the session it leaves, and answers to what its node asked.

use std::sync::Arc;

use jiff::Timestamp;

use crate::data::Data;
use crate::ids::NodePath;
use crate::machine::state::State;
use crate::machine::state::node::{Session, Tried};
use crate::machine::state::question::{Ask, Response};
use crate::machine::state::stage::Position;
use crate::provider::GivenAnswer;
use crate::status::StageStatus;
use crate::usage::Usage;

impl State {
    /// Adds the attempt at `path` that ends at `at`, and returns how long it took, if it was not added
    /// before.
    pub(super) fn spend(
        &mut self,
        path: &NodePath,
        usage: Option<&Usage>,
        at: Timestamp,
    ) -> Result<Option<u64>, &'static str> {
        let current = self.current(path)?;
        let node = current.lane_of(path)?.node_mut(path)?;
        // What a run used that the node has started was added when that ended.
        let is_counted = node.child().is_some();
        let took = node.took(at).filter(|_| !is_counted);
        if let Some(took) = took {
            current.spent.add(usage, took);
            self.spent.add(usage, took);
        }
        if let Some(usage) = usage
            && self.keeps_sessions(path)
        {
            let node = (path.stage.clone(), path.lane, path.node.clone());
            if let Some(session) = self.sessions.get_mut(&node) {
                session.used.get_or_insert_default().add(usage);
            }
        }
        Ok(took)
    }

    /// The same for an attempt that did not succeed, so that another may follow.
    pub(super) fn spend_in_vain(
        &mut self,
        path: &NodePath,
        usage: Option<&Usage>,
        at: Timestamp,
    ) -> Result<&mut Tried, &'static str> {
        let took = self.spend(path, usage, at)?;
        let tried = self.current(path)?.lane_of(path)?.node_mut(path)?.tried.get_or_insert_default();
        if let Some(took) = took {
            tried.spent.add(usage, took);
        }
        Ok(tried)
    }

    pub(super) fn set_session(
        &mut self,
        path: &NodePath,
        session: Option<&Arc<str>>,
    ) -> Result<(), &'static str> {
        let node = self.current(path)?.lane_of(path)?.node_mut(path)?;
        node.session = session.cloned();
        node.in_session = session.is_some();
        node.resumes &= session.is_some();
        if let Some(tried) = &mut node.tried {
            tried.session_failed &= session.is_some();
        }
        if self.keeps_sessions(path) {
            let node = (path.stage.clone(), path.lane, path.node.clone());
            match session {
                // The usage is kept: a forked session has used what its original has.
                Some(id) => {
                    let used = self.sessions.remove(&node).and_then(|before| before.used);
                    self.sessions.insert(node, Session { id: id.clone(), used });
                }
                None => drop(self.sessions.remove(&node)),
            }
        }
        Ok(())
    }

    pub(super) fn answered(&mut self, ask: &Ask, answer: &Data) -> Result<(), &'static str> {
        let said = Response::read(ask.reason, answer).map_err(|_| "the answer does not fit the question")?;
        let Some(path) = &ask.path else {
            let Position::Asked { said: place, .. } = &mut self.position else {
                return Err("no stage is asked about");
            };
            *place = Some(said);
            return Ok(());
        };
        let current = self.current(path)?;
        let node = current.lane_of(path)?.node_mut(path)?;
        if node.status != StageStatus::Waiting {
            return Err("the node does not wait for an answer");
        }
        match said {
            Response::Agreed => node.approved = true,
            // A question of its call: an `ask` node makes no attempts.
            Response::Value(answer) if node.attempt > 0 => {
                let question = ask.question.clone();
                node.tried.get_or_insert_default().answers.push(GivenAnswer { question, answer });
            }
            Response::Value(value) => {
                node.approved = true;
                node.output = value;
            }
            Response::Happened(_) => {
                node.status = StageStatus::Running;
                current.running += 1;
                if let Some(graph) = &mut current.lane_of(path)?.graph {
                    graph.running += 1;
                }
                return Ok(());
            }
            Response::RunsAgain { .. } => node.tried.iter_mut().for_each(|tried| tried.deaths = 0),
            Response::Disagreed(_) => {}
        }
        node.status = StageStatus::Pending;
        Ok(())
    }
}
