//! The rules of a run that was taken over from another one, or moved to another definition.

use workflow_core::event::EventBody;

use super::{Checked, Graph, Log, rule};

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
                self.spent.clear();
                self.warned.clear();
                Ok(())
            }
            EventBody::RunMigrated { bundle, .. } => {
                rule(self.running() == 0, "a run is moved while nothing of it runs")?;
                self.bundle = bundle;
                self.workflow = &bundle.workflow;
                let graphs = bundle.profiles.iter();
                self.graphs = graphs.map(|(stage, profile)| (stage.clone(), Graph::new(profile))).collect();
                Ok(())
            }
            other => panic!("a kind of event without rules: {other:?}"),
        }
    }
}
