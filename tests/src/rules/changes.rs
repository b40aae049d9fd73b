//! The rules of a run that was forked, or migrated to another definition.

use workflow_core::definition::Workflow;
use workflow_core::event::EventBody;
use workflow_core::ids::StageId;
use workflow_core::status::RunStatus;

use super::persons::Said;
use super::{Checked, Graph, Log, Position, rule};

impl<'a> Log<'a> {
    pub(super) fn take_of_changes(&mut self, body: &'a EventBody) -> Checked {
        match body {
            EventBody::RunForked(forked) => {
                rule(!forked.vars.contains_key(""), "variables have names")?;
                rule(self.running() == 0, "a run begins without running calls")?;
                self.vars.extend(forked.vars.iter().map(|(name, value)| (name.clone(), value.value())));
                for (stage, output) in &forked.outputs {
                    let known = self
                        .stages
                        .get_mut(stage.as_str())
                        .ok_or("only a stage that has run has an output")?;
                    known["status"] = "completed".into();
                    known["output"] = output.value();
                    // The run continues after it.
                    if self.position == Position::Failing(stage.clone()) {
                        self.after(stage);
                    }
                    if let Some(ending) =
                        self.finally.as_mut().filter(|_| self.failed_last.as_ref() == Some(stage))
                    {
                        (ending.status, ending.error) = (RunStatus::Completed, None);
                        self.failed_last = None;
                    }
                    if self.left.as_ref() == Some(stage) {
                        self.last_output = Some(output.value());
                    }
                }
                // The usage and the control requests of the other run are not copied.
                (self.started, self.control) = (false, 0);
                self.spending.begins_anew();
                self.warned.clear();
                Ok(())
            }
            EventBody::RunMigrated { bundle, .. } => {
                // Calls that are running according to the log were interrupted; the next driver records that.
                let stays = |stage: &StageId| {
                    let stages = [self.workflow, &bundle.workflow].map(|workflow| workflow.stages.get(stage));
                    let profiles = [self.bundle, bundle].map(|bundle| bundle.profiles.get(stage));
                    stages[1].is_some() && stages[0] == stages[1] && profiles[0] == profiles[1]
                };
                match &self.position {
                    Position::In(stage) => rule(stays(stage), "the current stage does not change")?,
                    _ => rule(self.running() == 0, "a running call belongs to a stage")?,
                }
                let begins =
                    self.position == Position::Before(first(self.workflow)) && self.stages.is_empty();
                self.spending.has_other_budgets();
                self.bundle = bundle;
                self.workflow = &bundle.workflow;
                let graphs = bundle.profiles.iter();
                self.graphs = graphs.map(|(stage, profile)| (stage.clone(), Graph::new(profile))).collect();
                match self.left.take().filter(|_| self.said == Said::Nothing) {
                    _ if matches!(self.position, Position::In(_)) => {}
                    _ if self.finally.is_some() => self.next_of_finally(),
                    Some(stage) if bundle.workflow.stages.contains_key(&stage) => self.after(&stage),
                    None if begins && self.said == Said::Nothing => {
                        self.position = Position::Before(first(self.workflow));
                    }
                    _ => {}
                }
                match &self.position {
                    Position::Before(stage) => rule(
                        bundle.workflow.stages.contains_key(stage),
                        "a run continues at an existing stage",
                    ),
                    _ => Ok(()),
                }
            }
            other => panic!("a kind of event without rules: {other:?}"),
        }
    }
}

fn first(workflow: &Workflow) -> StageId {
    workflow.stages.keys().next().unwrap().clone()
}
