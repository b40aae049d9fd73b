//! Whether a run has the variables that it needs.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::data::Data;
use crate::expr::{Name, Template, ValueTemplate};
use crate::plan::model::{GraphPlan, Items, NodeKind, Plan, StagePlan, WaitPlan, Work, known_roles};
use crate::suggest::near_or_all;

impl Plan {
    /// The variables of a new run: those that it is given, and the defaults of the declared inputs that it is not given.
    pub fn start_variables(&self, mut given: IndexMap<String, Data>) -> IndexMap<String, Data> {
        for (name, input) in self.workflow().inputs.iter().flatten() {
            if let Some(default) = &input.default
                && !given.contains_key(name)
            {
                given.insert(name.clone(), Data::new(default));
            }
        }
        given
    }

    /// Whether the workflow declares an input of that name.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.workflow().inputs.as_ref().is_some_and(|inputs| inputs.contains_key(name))
    }

    /// What is wrong with the variables that a fork is given, by the declared inputs: those that are neither declared nor
    /// written by a `set`, of another type, or not among the values that they may have.
    pub fn check_edited(&self, edited: &IndexMap<String, Data>) -> Vec<String> {
        let written = self.written_before(usize::MAX);
        self.not_as_declared(edited, |name| written.contains(name))
    }

    /// What a `set` writes may have any value.
    fn not_as_declared(
        &self,
        given: &IndexMap<String, Data>,
        is_written: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let Some(inputs) = &self.workflow().inputs else { return Vec::new() };
        let wrong = given.iter().filter(|(name, _)| !is_written(name)).filter_map(|(name, value)| {
            let Some(input) = inputs.get(name) else {
                let known = inputs.iter().filter(|(_, input)| !input.secret).map(|(name, _)| name.as_str());
                return Some(format!("the workflow has no input `{name}`{}", near_or_all(name, known)));
            };
            if input.secret {
                return Some(format!(
                    "the input `{name}` is a secret: the host holds it, and no run is given it"
                ));
            }
            input.check(value).err().map(|wrong| format!("the input `{name}` {wrong}"))
        });
        wrong.collect()
    }

    /// What is wrong with the variables that a new run is given: those that are not as the workflow declares its inputs,
    /// those that the roles it is known to use require and that are missing, those of another type, and those that a
    /// `foreach` which is certain to run has its items from and that are missing, and those without which there is no
    /// `workflow.concurrency.key`.
    ///
    /// A variable is not missing where it is an input with a default, where a profile has a default for it, or where a
    /// stage before the one that needs it writes it with `set`.
    pub fn check_variables(&self, vars: &IndexMap<String, Data>) -> Vec<String> {
        let mut wrong = self.wrong_variables(vars);
        if wrong.is_empty() && self.workflow().concurrency.is_some() {
            wrong.extend(self.slot(&self.start_variables(vars.clone())).err());
        }
        wrong
    }

    fn wrong_variables(&self, vars: &IndexMap<String, Data>) -> Vec<String> {
        if let Some(inputs) = &self.workflow().inputs {
            let mut wrong = self.not_as_declared(vars, |_| false);
            let missing =
                inputs.iter().filter(|(name, input)| input.is_required() && !vars.contains_key(*name));
            wrong.extend(missing.map(|(name, input)| {
                format!("the input `{name}` is missing: it must be {}", input.kind.in_words())
            }));
            if !wrong.is_empty() {
                return wrong;
            }
        }
        let is_missing = |name: &String| !vars.contains_key(name);
        let of_profiles = self.stages.iter().filter_map(|stage| stage.vars.as_deref()).flatten();
        let of_profiles = of_profiles.filter(|(name, _)| is_missing(name));
        let of_profiles = of_profiles.map(|(name, value)| (name.clone(), value.clone()));
        let of_inputs = self.workflow().inputs.iter().flatten().filter(|(name, _)| is_missing(name));
        let of_inputs = of_inputs.filter_map(|(name, input)| {
            let default = input.default.as_ref()?;
            Some((name.clone(), Data::new(default)))
        });
        let missing: Vec<_> = of_profiles.chain(of_inputs).collect();
        if missing.is_empty() {
            return self.wrong_with(vars);
        }
        let mut vars = vars.clone();
        vars.extend(missing);
        self.wrong_with(&vars)
    }

    fn wrong_with(&self, vars: &IndexMap<String, Data>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        // Without roles there is nothing to look for in the stages.
        let with_roles = if self.roles.is_empty() { &[] } else { &*self.stages };
        for stage in with_roles {
            for role in known_roles(std::slice::from_ref(stage)) {
                first.entry(role).or_insert(stage.place);
            }
        }
        for (role, place) in first {
            let Some(role) = self.roles.get(role) else { continue };
            // Usually nothing is missing, and what earlier stages write need not be determined.
            if !role.role.check_variables(vars, |_| false).is_empty() {
                let written = self.written_before(place);
                wrong.extend(role.role.check_variables(vars, |name| written.contains(name)));
            }
        }
        for stage in self.stages.iter().filter(|stage| stage.when.is_none()) {
            let Work::Graph(graph) = &stage.work else { continue };
            for (place, node) in graph.nodes.iter().enumerate() {
                let NodeKind::Foreach(foreach) = &node.kind else { continue };
                let Items::Value(items) = &foreach.items else { continue };
                for name in items.names().filter_map(variable).filter(|name| !vars.contains_key(*name)) {
                    let is_written = || {
                        self.written_before(stage.place).contains(name)
                            || graph.written_before(place).contains(name)
                    };
                    if graph.is_certain(place) && !is_written() {
                        let (stage, node) = (&stage.id, &node.id);
                        wrong.push(format!(
                            "the items of the node `{node}` of the stage `{stage}` are `${{vars.{name}}}`, \
                             and there is no variable `{name}`: set it"
                        ));
                    }
                }
            }
        }
        wrong
    }

    /// The variables that the stages before one write.
    fn written_before(&self, place: usize) -> BTreeSet<&str> {
        self.stages.iter().take(place).flat_map(StagePlan::written).collect()
    }
}

impl GraphPlan {
    /// The nodes that come before one: those that it needs, and those that these need.
    fn before(&self, place: usize) -> BTreeSet<usize> {
        let (mut before, mut open) = (BTreeSet::new(), vec![place]);
        while let Some(node) = open.pop().and_then(|place| self.nodes.get(place)) {
            open.extend(node.waits_for().filter(|place| before.insert(*place)));
        }
        before
    }

    /// Whether only a failure can prevent a node from running.
    pub(super) fn is_certain(&self, place: usize) -> bool {
        // There may be no items.
        let runs = |owner: usize| self.body_of(owner).is_none() && self.is_certain(owner);
        if self.owner_of(place).is_some_and(|owner| !runs(owner)) {
            return false;
        }
        let is_certain = |place: &usize| {
            self.nodes.get(*place).is_some_and(|node| node.when.is_none() && node.arm_of.is_empty())
        };
        is_certain(&place) && self.before(place).iter().all(is_certain)
    }

    fn written_before(&self, place: usize) -> BTreeSet<&str> {
        let of_owner = self.owner_of(place).map(|owner| self.before(owner)).unwrap_or_default();
        let before = self.before(place).into_iter().chain(of_owner).filter_map(|place| self.nodes.get(place));
        before.flat_map(|node| &node.set).map(|(name, _)| name.as_str()).collect()
    }
}

impl StagePlan {
    /// The variables that it writes, if all of it runs.
    pub(crate) fn written(&self) -> impl Iterator<Item = &str> {
        let graph = if let Work::Graph(graph) = &self.work { Some(graph) } else { None };
        let nodes = graph.into_iter().flat_map(|graph| &graph.nodes).flat_map(|node| &node.set);
        self.set.iter().chain(nodes).map(|(name, _)| name.as_str())
    }

    /// The names in all that is rendered for certain when the stage runs.
    pub(crate) fn names(&self) -> Vec<&Name> {
        let mut names: Vec<&Name> = self.approval.iter().flat_map(Template::names).collect();
        for lane in &self.lanes {
            names.extend(lane.provider.names().chain(lane.role.iter().flat_map(Template::names)));
            names.extend(lane.call.iter().flat_map(|call| call.names()));
        }
        names.extend(self.set.iter().flat_map(|(_, value)| value.names()));
        match &self.work {
            Work::Simple { call, .. } if self.lanes.iter().any(|lane| lane.call.is_none()) => {
                names.extend(call.names());
            }
            Work::Simple { .. } => {}
            Work::Graph(graph) => {
                let certain = graph.nodes.iter().enumerate().filter(|(place, _)| graph.is_certain(*place));
                for (_, node) in certain {
                    names.extend(node.set.iter().flat_map(|(_, value)| value.names()));
                    match &node.kind {
                        NodeKind::Call(call) => names.extend(call.names()),
                        NodeKind::Foreach(foreach) => {
                            if let Items::Value(items) = &foreach.items {
                                names.extend(items.names());
                            }
                        }
                        NodeKind::Ask(ask) => names.extend(ask.question.names()),
                        NodeKind::Set(value) => names.extend(value.names()),
                        NodeKind::Workflow(child) => {
                            names.extend(child.vars.iter().flat_map(|(_, value)| value.names()));
                        }
                        NodeKind::Wait(wait) => {
                            if let WaitPlan::Until(until) = &**wait {
                                names.extend(until.names());
                            }
                        }
                        NodeKind::End(end) => {
                            names.extend(end.reason.iter().flat_map(Template::names));
                            names.extend(end.output.iter().flat_map(ValueTemplate::names));
                        }
                        // The nodes in a body are among the nodes.
                        NodeKind::Loop(_)
                        | NodeKind::Body(_)
                        | NodeKind::Reduce { .. }
                        | NodeKind::Branch(_)
                        | NodeKind::Export { .. } => {}
                    }
                }
            }
        }
        names
    }
}

/// The variable that a name without a default is, or is a part of.
fn variable(name: &Name) -> Option<&str> {
    let is_needed = name.root() == "vars" && name.default_text().is_none();
    name.segment(1).filter(|_| is_needed)
}
