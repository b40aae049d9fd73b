//! What `${…}` can name during a run.

use std::borrow::Cow;

use serde_json::Value;

use crate::data::{Data, Elements};
use crate::expr::{Condition, Name, NameError, Scope};
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodePath, RoleId};
use crate::machine::request::document::{self, Parts};
use crate::machine::request::graph::Graph;
use crate::machine::request::marks::SecretSource;
use crate::machine::state::State;
use crate::machine::state::node::LoopState;
use crate::machine::state::stage::Position;
use crate::plan::{LanePlan, Source, StagePlan};

/// The names of a run, seen from a stage, a lane or a node.
pub(in crate::machine) struct RunScope<'a> {
    pub state: &'a State,
    pub stage: &'a StagePlan,
    pub iteration: u32,
    pub provider: Option<&'a str>,
    pub role: Option<&'a str>,
    pub graph: Option<Graph<'a>>,
    /// The items of the innermost `foreach`, and which of them it is.
    pub item: Option<(&'a Elements, usize)>,
    /// The loop in whose body the node is.
    pub repeat: Option<&'a LoopState>,
    /// The output of the stage or the node, in `set`.
    pub output: Option<&'a Data>,
    pub secrets: Option<SecretSource<'a>>,
}

impl<'a> RunScope<'a> {
    /// What a stage sees.
    pub(in crate::machine) fn stage(state: &'a State, stage: &'a StagePlan) -> Self {
        Self {
            state,
            stage,
            iteration: state.iteration,
            provider: None,
            role: None,
            graph: None,
            item: None,
            repeat: None,
            output: None,
            secrets: None,
        }
    }

    /// What a lane sees before it has begun.
    pub(in crate::machine) fn lane(state: &'a State, stage: &'a StagePlan, lane: &'a LanePlan) -> Self {
        let provider = lane.literal.as_deref();
        let role = lane.role.as_ref().and_then(|role| role.as_literal());
        Self { provider, role, ..Self::stage(state, stage) }
    }

    /// What the node, or the item, at `path` sees.
    pub(in crate::machine) fn node(state: &'a State, stage: &'a StagePlan, path: &NodePath) -> Self {
        let scope = match stage.lanes.get(path.lane as usize) {
            Some(lane) => Self::lane(state, stage, lane),
            None => Self::stage(state, stage),
        };
        let Some(lane) = state.current_lane(path.lane) else { return scope };
        let graph = Graph::at(stage, lane, path);
        Self {
            provider: lane.whole.provider.as_deref().or(scope.provider),
            role: lane.whole.role.as_ref().map(RoleId::as_str).or(scope.role),
            graph,
            repeat: graph.and_then(|graph| graph.repeat(path)),
            item: lane.item(path),
            ..scope
        }
    }

    /// A value that a definition names without `${…}`: a node's output, or the item.
    pub(in crate::machine) fn source(&self, source: &Source) -> Option<Data> {
        match source {
            Source::Node(place) => self.graph?.output(*place).cloned(),
            Source::Item => self.item(),
        }
    }

    /// The item of the innermost `foreach`.
    pub(in crate::machine) fn item(&self) -> Option<Data> {
        let (items, number) = self.item?;
        items.get(number)
    }

    /// A variable of the run, or else the default of the stage's profile.
    pub(in crate::machine) fn variable(&self, name: &str) -> Option<&'a Data> {
        self.state.vars.get(name).or_else(|| self.stage.var(name))
    }

    /// Adds the profile's defaults for variables that the run does not have.
    pub(in crate::machine) fn add_defaults(&self, vars: &mut Value, parts: &Parts<'_>) {
        let Value::Object(vars) = vars else { return };
        for (name, value) in self.stage.vars.as_deref().into_iter().flatten() {
            if !vars.contains_key(name) && parts.have(&["vars", name]) {
                vars.insert(name.clone(), value.exact_value());
            }
        }
    }

    /// The stored value of a name, if it is a whole value and not a part of one.
    pub(in crate::machine) fn whole(&self, name: &Name) -> Option<Data> {
        let is_output = name.segment(2) == Some("output");
        match (name.root(), name.segments().len()) {
            ("vars", 2) => self.variable(name.segment(1)?).cloned(),
            ("stages", 3) if is_output => self.state.results.get(name.segment(1)?)?.output(),
            ("nodes", 3) if is_output => {
                let graph = self.graph?;
                graph.output(graph.place(name.segment(1)?)?).cloned()
            }
            ("item", 1) => self.item(),
            ("previous", 2) => self.previous(name).filter(|output| !output.is_null()).cloned(),
            _ => None,
        }
    }

    /// What a name that begins with `previous` stands for.
    fn previous(&self, name: &Name) -> Option<&'a Data> {
        Some(self.graph?.previous(self.repeat?, name.segment(1)?))
    }

    fn find(&self, name: &Name) -> Option<Value> {
        let (from, value) = match name.root() {
            "vars" => (2, self.variable(name.segment(1)?)?.exact_value()),
            "nodes" => {
                let graph = self.graph?;
                let place = graph.place(name.segment(1)?)?;
                match name.segment(2) {
                    None => (2, document::node(graph, place)?),
                    Some("status") => (3, serde_json::to_value(graph.node(place)?.status).ok()?),
                    Some("output") => (3, graph.output(place)?.exact_value()),
                    Some("error") => (3, serde_json::to_value(graph.error(place)?).ok()?),
                    Some("errors") => (3, graph.errors(place)?),
                    Some("iterations") => (3, graph.iterations(place)?.into()),
                    Some(_) => return None,
                }
            }
            "item" => (1, self.item()?.exact_value()),
            "previous" => {
                let output = self.previous(name)?;
                // Where there is none, all of it is null, or what the expression has in its place.
                if output.is_null() {
                    return name.default_text().is_none().then_some(Value::Null);
                }
                (2, output.exact_value())
            }
            "stage" => {
                let value = match name.segment(1)? {
                    "id" => self.stage.id.as_str(),
                    "provider" => self.provider?,
                    "role" => self.role?,
                    _ => return None,
                };
                (2, value.into())
            }
            "output" => (1, self.output?.exact_value()),
            "secrets" => (2, self.secrets?.find(name)?.into()),
            _ => of_run(self.state, self.iteration, name)?,
        };
        name.select(from, Cow::Owned(value)).map(Cow::into_owned)
    }
}

/// The names of a run that has no stage under way.
pub(in crate::machine) struct WholeRun<'a>(pub &'a State);

impl Scope for WholeRun<'_> {
    fn lookup(&self, name: &Name) -> Option<Cow<'_, Value>> {
        let Self(state) = self;
        let (from, value) = match name.root() {
            "vars" => (2, state.vars.get(name.segment(1)?)?.exact_value()),
            _ => of_run(state, state.iteration, name)?,
        };
        name.select(from, Cow::Owned(value)).map(|found| Cow::Owned(found.into_owned()))
    }

    fn known(&self) -> Vec<String> {
        let mut names = of_state(self.0);
        names.extend(["iteration", "run.id", "run.workflow"].map(String::from));
        names
    }
}

/// A name that does not depend on a stage: how much of it is resolved, and the value of that.
fn of_run(state: &State, iteration: u32, name: &Name) -> Option<(usize, Value)> {
    Some(match name.root() {
        "stages" => {
            let result = state.results.get(name.segment(1)?)?;
            match name.segment(2) {
                None => (2, document::stage(result)),
                Some("status") => (3, serde_json::to_value(result.status).ok()?),
                Some("output") => (3, result.output()?.exact_value()),
                Some("error") => (3, serde_json::to_value(result.error.as_ref()?).ok()?),
                Some("results") => (3, document::results(result)),
                Some(_) => return None,
            }
        }
        "iteration" => (1, iteration.into()),
        "run" => {
            let value = match name.segment(1)? {
                "id" => state.created.run.as_str(),
                "workflow" => state.created.workflow.as_str(),
                _ => return None,
            };
            (2, value.into())
        }
        _ => return None,
    })
}

/// The names of variables and of what stages have left.
fn of_state(state: &State) -> Vec<String> {
    let mut names: Vec<_> = state.vars.keys().map(|name| format!("vars.{name}")).collect();
    for (id, result) in &state.results {
        names.push(format!("stages.{id}.status"));
        if result.output().is_some() {
            names.push(format!("stages.{id}.output"));
        }
        if result.error.is_some() {
            names.push(format!("stages.{id}.error"));
        }
        names.push(format!("stages.{id}.results"));
    }
    names
}

impl Scope for RunScope<'_> {
    fn lookup(&self, name: &Name) -> Option<Cow<'_, Value>> {
        self.find(name).map(Cow::Owned)
    }

    fn known(&self) -> Vec<String> {
        let mut names = of_state(self.state);
        if let Some(graph) = self.graph {
            let ended = graph.plan.names.iter().filter_map(|(name, place)| {
                match (graph.output(*place), graph.error(*place)) {
                    (Some(_), _) => Some(format!("nodes.{name}.output")),
                    (None, Some(_)) => Some(format!("nodes.{name}.error")),
                    (None, None) => None,
                }
            });
            let mut ended: Vec<_> = ended.collect();
            ended.sort();
            names.extend(ended);
        }
        names.extend(["stage.id", "iteration", "run.id", "run.workflow"].map(String::from));
        let more = [
            ("stage.provider", self.provider.is_some()),
            ("stage.role", self.role.is_some()),
            ("item", self.item.is_some()),
            ("output", self.output.is_some()),
        ];
        names.extend(more.into_iter().filter(|(_, is_known)| *is_known).map(|(name, _)| name.to_owned()));
        names
    }
}

/// The output of the lane before `lane`, where the stage's lanes work one after the other.
pub(in crate::machine) fn previous_output(state: &State, lane: u32) -> Option<&Data> {
    let Position::In(current) = &state.position else { return None };
    Some(&current.lanes.get(lane.checked_sub(1)? as usize)?.whole.output)
}

/// What conditions of the nodes of a lane read: the run's document, with the nodes that are needed.
pub(in crate::machine) fn document_of<'c>(
    scope: &RunScope<'_>,
    needs: &[usize],
    conditions: impl IntoIterator<Item = &'c Condition>,
) -> Value {
    let parts = Parts::of(conditions);
    let mut document = document::of(scope.state, scope.state.iteration, &parts);
    if scope.stage.vars.is_some() {
        scope.add_defaults(&mut document["vars"], &parts);
    }
    if let (Some(graph), Value::Object(members)) = (scope.graph, &mut document) {
        members.insert("nodes".into(), document::nodes(graph, Some(needs), &parts));
        if parts.have(&["item"])
            && let Some(item) = scope.item()
        {
            members.insert("item".into(), item.exact_value());
        }
        if let Some(repeat) = scope.repeat.filter(|_| parts.have(&["previous"])) {
            members.insert("previous".into(), document::previous(graph, repeat, &parts));
        }
    }
    document
}

pub(in crate::machine) fn unresolved(field: &str, error: &NameError) -> Failure {
    Failure::new(FailureClass::Expression, format!("{field}: {error}"))
}

/// A field of a node has a name that cannot be resolved.
#[cold]
pub(in crate::machine) fn wrong_field(
    scope: &RunScope<'_>,
    path: &NodePath,
    field: &str,
    error: &NameError,
) -> Failure {
    let stage = &scope.stage.id;
    let field = match scope.graph {
        Some(_) => format!("{stage}.{}.{field}", path.node),
        None => format!("{stage}.{field}"),
    };
    unresolved(&field, error)
}
