//! The rules of nodes that run other workflows.

use workflow_core::definition::Node;
use workflow_core::event::EventBody;
use workflow_core::status::RunStatus;

use super::{Checked, Log, rule};

impl<'a> Log<'a> {
    pub(super) fn take_of_children(&mut self, body: &'a EventBody) -> Checked {
        match body {
            EventBody::ChildStarted(started) => {
                let path = &started.path;
                self.check_start(path)?;
                let Some(Node::Workflow(child)) = self.what(path) else {
                    return Err("only a node of type `workflow` starts a run");
                };
                rule(started.workflow.as_str() == child.workflow, "a node runs the workflow that it names")?;
                let names = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>();
                let given = names(started.vars.keys().collect()) == names(child.vars.keys().collect());
                rule(given, "a run is given the variables that its node says")?;
                self.check_budgets(path)?;
                let (now, clocks) = (self.now, self.reading.clocks);
                let is_new = self
                    .nodes
                    .values()
                    .all(|node| node.child.as_ref().is_none_or(|(run, _)| *run != started.run));
                rule(is_new, "each attempt starts a run of its own")?;
                let node = self.nodes.entry(path.clone()).or_default();
                rule(started.attempt == node.attempt + 1, "attempts are counted from 1")?;
                rule(!clocks || node.retry_at.is_none_or(|at| at <= now), "a retry waits for its time")?;
                node.attempt = started.attempt;
                node.running = true;
                (node.retry_at, node.since, node.interrupted) = (None, Some(now), false);
                node.child = Some((started.run.clone(), false));
                let made = node.attempt;
                rule(made <= 1 + self.most_retries(path), "there are at most `retries` more attempts")
            }
            EventBody::ChildEnded(ended) => {
                let node = self.nodes.get_mut(&ended.path).filter(|node| node.running);
                let node = node.filter(|node| node.attempt == ended.attempt);
                let child = node.and_then(|node| node.child.as_mut());
                let (run, has_ended) = child.ok_or("a run that ends was started by its node")?;
                rule(*run == ended.run, "a node waits for the run that it has started")?;
                rule(!std::mem::replace(has_ended, true), "a run ends once")?;
                rule(ended.status.is_none_or(RunStatus::is_terminal), "a run that ends has ended")?;
                self.spend_all(&ended.path, ended.attempt, ended.spent)
            }
            other => self.take_of_changes(other),
        }
    }
}
