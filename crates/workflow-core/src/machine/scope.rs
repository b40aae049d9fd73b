//! What `${…}` can name while a run goes on.

use std::borrow::Cow;

use serde_json::Value;

use super::document;
use super::render::Secrets;
use super::state::{Position, State};
use crate::data::Data;
use crate::expr::{Name, Scope};
use crate::plan::{LanePlan, StagePlan};

/// The names of a run, seen from a lane of a stage.
pub(super) struct RunScope<'a> {
    pub state: &'a State,
    pub stage: &'a StagePlan,
    /// The lane, and its provider where that is resolved already.
    pub lane: Option<(&'a LanePlan, Option<&'a str>)>,
    /// The stage's output, in `set`.
    pub output: Option<&'a Data>,
    pub secrets: Option<&'a dyn Secrets>,
}

impl RunScope<'_> {
    fn find(&self, name: &Name) -> Option<Value> {
        let (from, value) = match name.root() {
            "vars" => (2, self.state.vars.get(name.segment(1)?)?.value()),
            "stages" => {
                let result = self.state.results.get(name.segment(1)?)?;
                match name.segment(2) {
                    None => (2, document::stage(result)),
                    Some("status") => (3, serde_json::to_value(result.status).ok()?),
                    Some("output") => (3, result.output()?.value()),
                    Some("results") => (3, document::results(result)),
                    Some(_) => return None,
                }
            }
            "stage" => {
                let (lane, provider) = self.lane.unzip();
                let value = match name.segment(1)? {
                    "id" => self.stage.id.as_str(),
                    "provider" => provider.flatten().or(lane?.literal.as_deref())?,
                    "role" => lane?.role.as_ref()?.as_str(),
                    _ => return None,
                };
                (2, value.into())
            }
            "iteration" => (1, self.state.iteration.into()),
            "run" => {
                let value = match name.segment(1)? {
                    "id" => self.state.created.run.as_str(),
                    "workflow" => self.state.created.workflow.as_str(),
                    _ => return None,
                };
                (2, value.into())
            }
            "output" => (1, self.output?.value()),
            "secrets" => (2, self.secrets?.secret(name.segment(1)?)?.into()),
            _ => return None,
        };
        name.select(from, Cow::Owned(value)).map(Cow::into_owned)
    }
}

impl Scope for RunScope<'_> {
    fn lookup(&self, name: &Name) -> Option<Cow<'_, Value>> {
        self.find(name).map(Cow::Owned)
    }

    fn known(&self) -> Vec<String> {
        let mut names: Vec<_> = self.state.vars.keys().map(|name| format!("vars.{name}")).collect();
        for (id, result) in &self.state.results {
            names.push(format!("stages.{id}.status"));
            if result.output().is_some() {
                names.push(format!("stages.{id}.output"));
            }
            names.push(format!("stages.{id}.results"));
        }
        names.extend(["stage.id", "iteration", "run.id", "run.workflow"].map(String::from));
        if self.lane.is_some() {
            names.push("stage.provider".into());
        }
        if self.output.is_some() {
            names.push("output".into());
        }
        names
    }
}

/// The output of the lane before `lane`, where the stage's lanes work one after the other.
pub(super) fn previous_output(state: &State, lane: u32) -> Option<&Data> {
    let Position::In(current) = &state.position else { return None };
    Some(&current.lanes.get(lane.checked_sub(1)? as usize)?.output)
}
