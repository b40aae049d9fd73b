//! The rules of a run that was taken over from another one, or moved to another definition.

use workflow_core::definition::Workflow;
use workflow_core::event::EventBody;
use workflow_core::ids::StageId;

use super::persons::Said;
use super::{Checked, Graph, Log, Position, rule};

impl<'a> Log<'a> {
    pub(super) fn take_of_changes(&mut self, body: &'a EventBody) -> Checked {
        match body {
            EventBody::RunForked(forked) => {
                rule(!forked.vars.contains_key(""), "variables have names")?;
                rule(self.running() == 0, "nothing runs in a run that begins")?;
                self.vars.extend(forked.vars.iter().map(|(name, value)| (name.clone(), value.value())));
                for (stage, output) in &forked.outputs {
                    let known =
                        self.stages.get_mut(stage.as_str()).ok_or("only what has run has an output")?;
                    known["status"] = "completed".into();
                    known["output"] = output.value();
                }
                // What the other run used and was told is its own.
                (self.started, self.control) = (false, 0);
                self.spending.begins_anew();
                self.warned.clear();
                Ok(())
            }
            EventBody::RunMigrated { bundle, .. } => {
                // What runs then by the log was interrupted, which its next driver records.
                let stays = |stage: &StageId| {
                    let stages = [self.workflow, &bundle.workflow].map(|workflow| workflow.stages.get(stage));
                    let profiles = [self.bundle, bundle].map(|bundle| bundle.profiles.get(stage));
                    stages[1].is_some() && stages[0] == stages[1] && profiles[0] == profiles[1]
                };
                match &self.position {
                    Position::In(stage) => rule(stays(stage), "the stage under way stays as it is")?,
                    _ => rule(self.running() == 0, "what runs is in a stage")?,
                }
                let begins =
                    self.position == Position::Before(first(self.workflow)) && self.stages.is_empty();
                self.spending.has_other_budgets();
                self.bundle = bundle;
                self.workflow = &bundle.workflow;
                let graphs = bundle.profiles.iter();
                self.graphs = graphs.map(|(stage, profile)| (stage.clone(), Graph::new(profile))).collect();
                match self.left.take().filter(|_| self.said == Said::Nothing) {
                    Some(stage) if bundle.workflow.stages.contains_key(&stage) => self.after(&stage),
                    None if begins && self.said == Said::Nothing => {
                        self.position = Position::Before(first(self.workflow));
                    }
                    _ => {}
                }
                match &self.position {
                    Position::Before(stage) => {
                        rule(bundle.workflow.stages.contains_key(stage), "a run goes on where a stage is")
                    }
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
